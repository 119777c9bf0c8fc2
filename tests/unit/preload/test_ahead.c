/* SPDX-License-Identifier: Apache-2.0 */
/* Which copies are hashed ahead of their turn, and that their hashes are theirs. */
#include "config.h"

#include "preload/ahead.h"

#include "preload/cuda.h"
#include "preload/snapshot.h"
#include "trace/hash.h"

#include <criterion/criterion.h>
#include <string.h>

enum { LARGE = 512 << 10, SMALL = 4 << 10, ENTRIES = 40 };

/* Stands for a copy of the device's. */
struct ekka_cuda_copy { bool ready; unsigned tries; uint8_t bytes[LARGE]; };
static struct ekka_cuda_copy copies[ENTRIES];
static struct ekka_entry *entries[ENTRIES];
static unsigned n;

bool ekka_cuda_copy_try(struct ekka_cuda_copy *copy, const void **ret_bytes)
{
	copy->tries++;
	*ret_bytes = copy->bytes;
	return copy->ready;
}

unsigned ekka_segment_generation(void)
{
	return 3;
}

static void set_up(void)
{
	cr_assert(ekka_queue_open(1 << 20));
}
TestSuite(ahead, .init = set_up, .timeout = 20);

static void put(uint64_t size, bool ready, uint32_t kind)
{
	struct ekka_entry *e = ekka_queue_reserve(0, false);

	copies[n].ready = ready;
	memset(copies[n].bytes, (int)n + 1, sizeof(copies[n].bytes));
	e->kind = kind;
	e->generation = 3;
	e->data.size = size;
	e->data.copy = &copies[n];
	e->data.hashed = false;
	ekka_queue_commit(e);
	entries[n++] = e;
}

static void expect_hashed(unsigned i)
{
	struct ekka_blob_id id = ekka_blob_id_of(copies[i].bytes, entries[i]->data.size);

	cr_assert(entries[i]->data.hashed, "entry %u", i);
	cr_assert_eq(memcmp(&entries[i]->data.id, &id, sizeof(id)), 0, "entry %u", i);
}

Test(ahead, large_copies_that_are_there)
{
	put(LARGE, true, EKKA_ENTRY_COPY);
	put(SMALL, true, EKKA_ENTRY_COPY);
	put(LARGE - 100, true, EKKA_ENTRY_COPY);
	put(LARGE, true, EKKA_ENTRY_FRAME);
	put(LARGE, true, EKKA_ENTRY_COPY);
	entries[4]->generation = 2;
	put(LARGE, true, EKKA_ENTRY_COPY);
	put(LARGE, false, EKKA_ENTRY_COPY);
	put(LARGE, true, EKKA_ENTRY_COPY);
	ekka_ahead_hash(ekka_queue_peek(0), copies[0].bytes);
	expect_hashed(0);
	expect_hashed(2);
	expect_hashed(5);
	for (unsigned i = 0; i < n; i++)
		cr_assert_eq(copies[i].tries, i == 2 || i == 5 || i == 6, "entry %u", i);
	cr_assert_not(entries[1]->data.hashed || entries[6]->data.hashed || entries[7]->data.hashed);
	/* What was hashed ahead is passed over later. */
	for (unsigned i = 0; i < 2; i++)
		ekka_queue_pop(ekka_queue_peek(0));
	copies[6].ready = true;
	ekka_ahead_hash(ekka_queue_peek(0), copies[2].bytes);
	expect_hashed(6);
	expect_hashed(7);
	cr_assert_eq(copies[5].tries, 1);
}

Test(ahead, for_a_small_one_nobody_is_woken)
{
	put(SMALL, true, EKKA_ENTRY_COPY);
	put(LARGE, true, EKKA_ENTRY_COPY);
	ekka_ahead_hash(ekka_queue_peek(0), copies[0].bytes);
	expect_hashed(0);
	cr_assert_eq(copies[1].tries, 0);
}

Test(ahead, an_entry_that_is_being_filled_ends_the_look)
{
	struct ekka_entry *e;

	put(LARGE, true, EKKA_ENTRY_COPY);
	e = ekka_queue_reserve(0, false);
	put(LARGE, true, EKKA_ENTRY_COPY);
	ekka_ahead_hash(ekka_queue_peek(0), copies[0].bytes);
	cr_assert_eq(copies[1].tries, 0);
	e->kind = EKKA_ENTRY_VOID;
	ekka_queue_commit(e);
	ekka_ahead_hash(ekka_queue_peek(0), copies[0].bytes);
	expect_hashed(1);
}

Test(ahead, some_at_a_time)
{
	unsigned hashed = 0;

	for (unsigned i = 0; i < ENTRIES; i++)
		put(LARGE, true, EKKA_ENTRY_COPY);
	ekka_ahead_hash(ekka_queue_peek(0), copies[0].bytes);
	for (unsigned i = 0; i < ENTRIES; i++)
		hashed += entries[i]->data.hashed;
	cr_assert_eq(hashed, 16);
	for (unsigned i = 0; i < 16; i++)
		expect_hashed(i);
}
