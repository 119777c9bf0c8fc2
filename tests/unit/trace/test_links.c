/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs whose bytes are those of other blobs' chunks: what they give, and links that lie. */
#include "trace/hash.h"
#include "trace/pack.h"
#include "trace/reader_internal.h"

#include "tests/unit/trace/trace_builder.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { KIB = 1 << 10, CHUNK = 256 * KIB, SIZE = 4 * CHUNK, PIECE = 4 * KIB, ROUNDS = 20000 };

static char dir[] = "/tmp/ekka-links-XXXXXX";
static const struct ekka_rec_open open_rec = { .version = EKKA_FORMAT_VERSION, .pid = 100, .level = "full" };
static struct trace_builder b;
static uint8_t first[SIZE], second[SIZE], got[SIZE];
static struct ekka_error err;

static void begin(void)
{
	uint32_t x = 1;

	cr_assert_not_null(mkdtemp(dir));
	for (size_t i = 0; i < SIZE; i++) {
		x = x * 1664525u + 1013904223u;
		first[i] = second[i] = i % CHUNK < CHUNK / 2 ? (uint8_t)(i / 1000) : (uint8_t)(x >> 24);
	}
	trace_builder_begin(&b, dir, &open_rec, 0);
	b.chunk_bytes = CHUNK;
}

static void remove_all(void)
{
	char cmd[64];

	(void)snprintf(cmd, sizeof cmd, "rm -r %s", dir);
	cr_assert_eq(system(cmd), 0);
}

TestSuite(links, .init = begin, .fini = remove_all, .timeout = 60);

static void put_links(const struct ekka_rec_links *r)
{
	cr_assert_gt(ekka_encode_links(&b.buf, r), 0);
	cr_assert_eq(fwrite(b.buf.data, b.buf.len, 1, b.blobs), 1);
	b.buf.len = 0;
}

static struct ekka_trace *finish_and_open(void)
{
	struct ekka_trace *t;

	trace_builder_finish(&b, dir, &open_rec, 0, false);
	cr_assert_eq(ekka_trace_open(dir, &t, &err), 0, "%s", err.message);
	return t;
}

/* Where the chunks of `first` begin, stored one after another. */
static void put_first(uint64_t at[SIZE / CHUNK])
{
	for (size_t i = 0; i < SIZE / CHUNK; i++) {
		at[i] = (uint64_t)ftell(b.blobs);
		(void)trace_builder_blob(&b, first + i * CHUNK, CHUNK);
	}
}

/* Pieces of `first` in another order, no two from one chunk behind each other: read at any place and of any length. */
Test(links, any_part_of_a_blob_of_links_is_read)
{
	static struct ekka_link links[SIZE / PIECE];
	struct ekka_rec_links rec = { .size = SIZE, .links = links, .n_links = SIZE / PIECE };
	uint64_t at[SIZE / CHUNK];
	struct ekka_trace *t;
	uint32_t x = 7;

	put_first(at);
	for (uint32_t i = 0; i < SIZE / PIECE; i++) {
		uint32_t chunk = i % (SIZE / CHUNK), from = (i * 13 % (CHUNK / PIECE)) * PIECE;

		links[i] = (struct ekka_link){ .offset = (uint64_t)i * PIECE, .raw_bytes = PIECE, .at = at[chunk], .from = from };
		memcpy(second + (size_t)i * PIECE, first + (size_t)chunk * CHUNK + from, PIECE);
	}
	rec.id = ekka_blob_id_of(second, SIZE);
	put_links(&rec);
	t = finish_and_open();
	cr_assert_eq(ekka_trace_n_problems(t), 0);
	cr_assert_eq(ekka_trace_blob_verify(t, &rec.id, &err), 0, "%s", err.message);
	for (int i = 0; i < 300; i++) {
		size_t from, n;

		x = x * 1664525u + 1013904223u;
		from = (x >> 8) % SIZE;
		n = (x >> 4) % (3 * PIECE) % (SIZE - from);
		cr_assert_eq(ekka_trace_blob_read(t, &rec.id, from, got, n, &err), 0, "%s", err.message);
		cr_assert_eq(memcmp(got, second + from, n), 0, "%zu bytes at %zu", n, from);
	}
	ekka_trace_close(t);
}

/* A row of each of two chunks in turns: each is decompressed once, not at every row. */
Test(links, chunks_in_turns_are_loaded_once)
{
	static struct ekka_link links[] = { { .offset = 0, .raw_bytes = 2 * PIECE }, { .offset = 2 * PIECE, .raw_bytes = 2 * PIECE } };
	struct ekka_rec_links rec = { .size = 4 * PIECE, .links = links, .n_links = 2 };
	uint64_t at[SIZE / CHUNK];
	struct ekka_trace *t;

	put_first(at);
	memcpy(second, first, 2 * PIECE);
	memcpy(second + 2 * PIECE, first + CHUNK, 2 * PIECE);
	links[0].at = at[0];
	links[1].at = at[1];
	rec.id = ekka_blob_id_of(second, 4 * PIECE);
	put_links(&rec);
	t = finish_and_open();
	for (int i = 0; i < ROUNDS; i++) {
		size_t from = (size_t)(i % 2) * 2 * PIECE + (size_t)i % PIECE;

		cr_assert_eq(ekka_trace_blob_read(t, &rec.id, from, got, 100, &err), 0, "%s", err.message);
		cr_assert_eq(memcmp(got, second + from, 100), 0);
	}
	cr_assert(t->scratches && !t->scratches->next && t->scratches->held[0].chunk && t->scratches->held[1].chunk);
	cr_assert_neq(t->scratches->held[0].chunk, t->scratches->held[1].chunk);
	ekka_trace_close(t);
}

/* Whole, then in another way until the process was killed: the copy that is whole counts, whichever chunks the other one leads to. */
Test(links, a_second_copy_that_was_cut_spoils_nothing)
{
	const struct ekka_link link = { .offset = 0, .raw_bytes = PIECE + 100, .at = (uint64_t)ftell(b.blobs) };
	struct ekka_rec_links rec = { .size = CHUNK, .links = &link, .n_links = 1 };
	struct ekka_trace *t;

	memset(second, 1, SIZE);
	memcpy(second, first, CHUNK / 2);
	(void)trace_builder_blob(&b, second, CHUNK);
	(void)trace_builder_blob(&b, first, CHUNK);
	rec.id = ekka_blob_id_of(first, CHUNK);
	put_links(&rec);
	t = finish_and_open();
	cr_assert_eq(ekka_trace_n_problems(t), 0);
	cr_assert_eq(ekka_trace_blob_verify(t, &rec.id, &err), 0, "%s", err.message);
	ekka_trace_close(t);
}

enum lie { NONE, NO_CHUNK, NOT_THE_START, BEHIND, SHORT, LONGER, BEYOND, OUTSIDE, WRAPS, OTHER_SIZE, LARGE_FROM, LARGE_RAW, THREE, FIVE, NOT_A_LIST, SHORT_ID };

/* A links frame of one link, its numbers as they are. */
static void put_raw(const struct ekka_blob_id *id, uint64_t size, const uint64_t v[4], enum lie lie)
{
	struct pack_frame f;

	ekka_pack_begin(&f, &b.buf, 3, "links", 3);
	ekka_pack_key(&f, "id");
	ekka_pack_bin(&f, id->b, sizeof id->b - (lie == SHORT_ID));
	ekka_pack_key_uint(&f, "size", size);
	if (lie == NOT_A_LIST) {
		ekka_pack_key_uint(&f, "l", 1);
	} else {
		ekka_pack_key_array(&f, "l", 1);
		(void)ekka_mp_array(&f, lie == THREE ? 3 : lie == FIVE ? 5 : 4);
		for (unsigned i = 0; i < (lie == THREE ? 3u : 4u); i++)
			(void)ekka_mp_uint64(&f, v[i]);
		if (lie == FIVE)
			(void)ekka_mp_uint64(&f, 0);
	}
	ekka_pack_body_end(&f);
	cr_assert_gt(ekka_pack_end(&f), 0);
	cr_assert_eq(fwrite(b.buf.data, b.buf.len, 1, b.blobs), 1);
	b.buf.len = 0;
}

static void try_lie(enum lie lie, const char *why)
{
	const uint32_t n = CHUNK / 2;
	struct ekka_blob_id base = ekka_blob_id_of(first, CHUNK), id = ekka_blob_id_of(first + CHUNK / 2, n);
	uint64_t v[4] = { 0, n, (uint64_t)ftell(b.blobs), CHUNK / 2 }, size = n;
	struct ekka_trace *t;

	if (lie == BEHIND) {
		long start = ftell(b.blobs);

		v[2] += 100;		/* takes as many bytes as what follows */
		put_raw(&id, size, v, lie);
		v[2] = (uint64_t)ftell(b.blobs);
		(void)fseek(b.blobs, start, SEEK_SET);
	} else {
		(void)trace_builder_blob(&b, first, CHUNK);
		(void)trace_builder_blob(&b, second, CHUNK);	/* the next chunk in the file, which is as long */
	}
	switch (lie) {
	case NO_CHUNK: v[2] = 1 << 30; break;
	case NOT_THE_START: v[2]++; break;
	case SHORT: v[1] = size = EKKA_LINK_MIN_BYTES - 1; break;
	case LONGER: v[1] = size = CHUNK + 1; v[3] = 0; break;
	case BEYOND: v[3]++; break;
	case OUTSIDE: v[0] = 1; break;
	case WRAPS: v[0] = UINT64_MAX - n + 1; break;
	case OTHER_SIZE: size = n + 1; break;
	case LARGE_FROM: v[3] += (uint64_t)1 << 32; break;
	case LARGE_RAW: v[1] += (uint64_t)1 << 32; break;
	default: break;
	}
	if (lie == OTHER_SIZE)
		put_raw(&id, n, (const uint64_t[]){ 0, PIECE, v[2], CHUNK / 2 }, NONE);
	put_raw(&id, size, v, lie);
	if (lie == BEHIND)
		(void)trace_builder_blob(&b, first, CHUNK);
	t = finish_and_open();
	cr_assert_eq(ekka_trace_blob_verify(t, &base, &err), 0, "lie %d: %s", lie, err.message);
	cr_assert_eq(ekka_trace_n_problems(t), why ? 1 : 0, "lie %d", lie);
	if (why)
		cr_assert(strstr(ekka_trace_problem(t, 0), "'links' record: ") && strstr(ekka_trace_problem(t, 0), why), "lie %d: %s", lie, ekka_trace_problem(t, 0));
	cr_assert_eq(ekka_trace_blob_read(t, &id, 0, got, n, &err), why ? EKKA_ERR_MISSING : 0, "lie %d: %s", lie, err.message);
	ekka_trace_close(t);
}

Test(links, links_that_lie_are_refused)
{
	static const char *const why[] = {
		[NONE] = NULL, [NO_CHUNK] = "a link to no chunk before", [NOT_THE_START] = "a link to no chunk before", [BEHIND] = "a link to no chunk before",
		[SHORT] = "that its chunk does not have", [LONGER] = "that its chunk does not have", [BEYOND] = "that its chunk does not have",
		[OUTSIDE] = "within their blob", [WRAPS] = "within their blob", [OTHER_SIZE] = "another size", [LARGE_FROM] = "out of range",
		[LARGE_RAW] = "out of range", [THREE] = "out of range", [FIVE] = "out of range", [NOT_A_LIST] = "lacks a key", [SHORT_ID] = "out of range",
	};

	for (enum lie lie = NONE; lie <= SHORT_ID; lie++) {
		if (lie > NONE) {
			remove_all();
			memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
			begin();
		}
		try_lie(lie, why[lie]);
	}
}
