/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "replay/blobs.h"
#include "tests/unit/replay/fake_trace.h"

enum { BLOBS = 16, BYTES = 1000 };

static struct ekka_trace trace;
static unsigned char content[BLOBS][BYTES];

static void set_up(void)
{
	fake_trace_init(&trace);
	for (unsigned i = 0; i < BLOBS; i++) {
		memset(content[i], (int)(i + 1), BYTES);
		trace.blob[i] = content[i];
		trace.blob_bytes[i] = BYTES;
	}
	trace.n_blobs = BLOBS;
}

static struct ekka_blob_id id_of(unsigned i)
{
	struct ekka_blob_id id = { { 0 } };

	memcpy(id.b, &i, sizeof i);
	return id;
}

static const unsigned char *hold(struct ekka_blobs *b, unsigned i)
{
	struct ekka_blob_id id = id_of(i);
	const unsigned char *p = NULL;
	struct ekka_error err = { 0 };

	cr_assert_eq(ekka_blobs_hold(b, &trace, &id, BYTES, &p, &err), 0, "%s", err.message);
	cr_assert(p && !memcmp(p, content[i], BYTES), "blob %u has other bytes", i);
	return p;
}

static void use(struct ekka_blobs *b, unsigned i)
{
	ekka_blobs_let_go(hold(b, i));
}

Test(blobs, one_read_serves_everybody, .init = set_up)
{
	struct ekka_blobs *b = ekka_blobs_new(4 * BYTES);
	const unsigned char *p = hold(b, 3), *q = hold(b, 3);

	cr_expect_eq(p, q);
	ekka_blobs_let_go(p);
	ekka_blobs_let_go(q);
	cr_expect_eq(hold(b, 3), q, "and whoever comes later");
	cr_expect_eq(trace.n_reads, 1);
	ekka_blobs_let_go(q);
	ekka_blobs_free(b);
}

Test(blobs, what_was_used_least_recently_goes, .init = set_up)
{
	struct ekka_blobs *b = ekka_blobs_new(2 * BYTES);

	use(b, 0), use(b, 1), use(b, 0);
	use(b, 2);				/* in place of 1 */
	cr_expect_eq(trace.n_reads, 3);
	use(b, 0), use(b, 2);
	cr_expect_eq(trace.n_reads, 3);
	use(b, 1);
	cr_expect_eq(trace.n_reads, 4);
	ekka_blobs_free(b);
}

/* Reads of blob i, when it is used once more. */
static unsigned reads(struct ekka_blobs *b, unsigned i)
{
	unsigned before = trace.n_reads;

	use(b, i);
	return trace.n_reads - before;
}

static void expect(struct ekka_blobs *b, unsigned i)
{
	struct ekka_blob_id id = id_of(i);

	ekka_blobs_expect(b, &id);
}

static void used(struct ekka_blobs *b, unsigned i)
{
	struct ekka_blob_id id = id_of(i);

	ekka_blobs_used(b, &id);
}

Test(blobs, what_nobody_will_use_again_goes_at_once, .init = set_up)
{
	struct ekka_blobs *b = ekka_blobs_new(UINT64_MAX);
	const unsigned char *p;

	for (unsigned i = 0; i < 5000; i++)	/* the table grows */
		expect(b, i);
	expect(b, 0);
	use(b, 0), use(b, 1), use(b, 2);
	used(b, 0), used(b, 2);
	cr_expect_eq(reads(b, 0), 0, "one more will come");
	cr_expect_eq(reads(b, 1), 0, "it was not used yet");
	cr_expect_eq(reads(b, 2), 1, "it went");
	used(b, 0);
	cr_expect_eq(reads(b, 0), 1, "it went, too");
	p = hold(b, 3);
	used(b, 3), used(b, 3);
	cr_expect_eq(reads(b, 3), 0, "it is held");
	ekka_blobs_let_go(p);
	cr_expect_eq(reads(b, 3), 1);
	used(b, 4999), used(b, 7000), used(NULL, 0);
	ekka_blobs_free(b);
}

Test(blobs, what_is_held_stays_whatever_the_room, .init = set_up)
{
	struct ekka_blobs *b = ekka_blobs_new(1);
	const unsigned char *held[BLOBS];

	for (unsigned i = 0; i < BLOBS; i++)
		held[i] = hold(b, i);
	for (unsigned i = 0; i < BLOBS; i++)
		cr_expect(!memcmp(held[i], content[i], BYTES) && hold(b, i) == held[i]);
	cr_expect_eq(trace.n_reads, BLOBS);
	for (unsigned i = 0; i < BLOBS; i++) {
		ekka_blobs_let_go(held[i]);
		ekka_blobs_let_go(held[i]);
	}
	use(b, 0);
	cr_expect_eq(trace.n_reads, BLOBS + 1, "nothing is kept beyond the room");
	ekka_blobs_free(b);
}

/* ---- mirrors ----------------------------------------------------------- */

static unsigned made, dropped;
static uint64_t next_copy;

static uint64_t make_copy(void *arg, const unsigned char *bytes, uint64_t n)
{
	cr_expect(bytes && n == BYTES && !arg);
	made++;
	return next_copy;
}

static void drop_copy(void *owner, uint64_t copy, uint64_t n)
{
	cr_expect(owner == &trace && copy == next_copy && n == BYTES);
	dropped++;
}

static const struct ekka_mirror mirror = { make_copy, NULL, drop_copy, &trace };

Test(blobs, a_mirror_lives_as_long_as_the_bytes, .init = set_up)
{
	struct ekka_blobs *b = ekka_blobs_new(BYTES);
	const unsigned char *p = hold(b, 3);

	cr_expect_eq(ekka_blobs_mirror(p, &mirror), 0, "it could not be had");
	next_copy = 77;
	cr_expect_eq(ekka_blobs_mirror(p, &mirror), 77);
	cr_expect_eq(ekka_blobs_mirror(p, &mirror), 77);
	cr_expect_eq(made, 2, "one for all, and the one that failed");
	ekka_blobs_let_go(p);
	p = hold(b, 3);
	cr_expect_eq(ekka_blobs_mirror(p, &mirror), 77);
	ekka_blobs_let_go(p);
	cr_expect(made == 2 && dropped == 0, "nobody holds it, but it is kept");
	use(b, 4);
	cr_expect_eq(dropped, 1, "it made room");
	ekka_blobs_free(b);
	cr_expect_eq(dropped, 1);
}

Test(blobs, a_mirror_of_what_is_not_shared, .init = set_up)
{
	const unsigned char *p = hold(NULL, 3);

	next_copy = 5;
	cr_expect_eq(ekka_blobs_mirror(p, &mirror), 5);
	cr_expect_eq(ekka_blobs_mirror(p, &mirror), 5);
	ekka_blobs_let_go(p);
	cr_expect(made == 1 && dropped == 1);
}

Test(blobs, without_sharing_everybody_has_his_own, .init = set_up)
{
	const unsigned char *p = hold(NULL, 3), *q = hold(NULL, 3);

	cr_expect_neq(p, q);
	ekka_blobs_let_go(p);
	ekka_blobs_let_go(q);
	ekka_blobs_let_go(NULL);
	ekka_blobs_free(NULL);
}

Test(blobs, what_cannot_be_read_is_not_kept, .init = set_up)
{
	struct ekka_blobs *b = ekka_blobs_new(4 * BYTES);
	struct ekka_blob_id id = id_of(5);
	const unsigned char *p = NULL;
	struct ekka_error err = { 0 };

	trace.damaged = true;
	cr_expect_eq(ekka_blobs_hold(b, &trace, &id, BYTES, &p, &err), EKKA_ERR_FORMAT);
	cr_expect(strstr(err.message, "checksum"), "%s", err.message);
	trace.damaged = false;
	use(b, 5);
	cr_expect_eq(ekka_blobs_hold(b, &trace, &id, BYTES + 1, &p, &err), EKKA_ERR_INVALID, "a size that is another than its own");
	cr_expect_eq(ekka_blobs_hold(b, &trace, &id, UINT64_MAX - 5, &p, &err), EKKA_ERR_NOMEM);
	ekka_blobs_free(b);
}

Test(blobs, parts_come_from_memory_when_they_are_there, .init = set_up)
{
	struct ekka_blobs *b = ekka_blobs_new(4 * BYTES);
	struct ekka_blob_id id = id_of(7);
	unsigned char part[10];
	struct ekka_error err = { 0 };

	cr_expect_eq(ekka_blobs_read(b, &trace, &id, 990, part, 10, &err), 0);
	cr_expect(!memcmp(part, content[7], 10));
	use(b, 7);
	cr_expect_eq(trace.n_reads, 2);
	memset(part, 0, sizeof part);
	cr_expect_eq(ekka_blobs_read(b, &trace, &id, 990, part, 10, &err), 0);
	cr_expect(!memcmp(part, content[7], 10));
	cr_expect_eq(trace.n_reads, 2);
	cr_expect_eq(ekka_blobs_read(b, &trace, &id, 991, part, 10, &err), EKKA_ERR_INVALID);
	ekka_blobs_free(b);
}

static struct ekka_blobs *shared;

static void *use_one(void *arg)
{
	use(shared, 9);
	return arg;
}

Test(blobs, whoever_comes_meanwhile_waits_for_the_same_read, .init = set_up)
{
	pthread_t thread;

	shared = ekka_blobs_new(5 * BYTES);
	trace.slow_us = 50000;
	cr_assert_eq(pthread_create(&thread, NULL, use_one, NULL), 0);
	use(shared, 9);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_eq(trace.n_reads, 1);
	ekka_blobs_free(shared);
}

static void *use_many(void *arg)
{
	unsigned x = (unsigned)(uintptr_t)arg;
	bool good = true;

	for (int i = 0; i < 3000; i++) {
		struct ekka_blob_id id = id_of((x = x * 1103515245 + 12345) >> 16 & (BLOBS - 1));
		const unsigned char *p = NULL;

		good &= ekka_blobs_hold(shared, &trace, &id, BYTES, &p, NULL) == 0 && p[0] == id.b[0] + 1 && p[BYTES - 1] == id.b[0] + 1;
		ekka_blobs_let_go(p);
	}
	return good ? &trace : NULL;
}

Test(blobs, threads_share, .init = set_up)
{
	pthread_t thread[8];
	void *good;

	shared = ekka_blobs_new(5 * BYTES);
	for (uintptr_t i = 0; i < 8; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, use_many, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < 8; i++) {
		cr_assert_eq(pthread_join(thread[i], &good), 0);
		cr_expect(good);
	}
	ekka_blobs_free(shared);
}
