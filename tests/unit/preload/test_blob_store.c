/* SPDX-License-Identifier: Apache-2.0 */
/* What is stored of bytes that changed in part, against a blobs file in memory that puts blobs together as a reader does. */
#include "config.h"

#include "preload/blob_store.h"

#include "preload/conf.h"
#include "preload/places.h"
#include "preload/pool.h"
#include "preload/writer.h"
#include "trace/hash.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <zstd.h>

enum { KIB = 1 << 10, MIB = 1 << 20, MEMORY = 20 * MIB, CHUNKS = 20000, PLACE = 0x7f0000000010 };

struct ekka_conf ekka_conf;

static uint8_t memory[MEMORY], out[MEMORY];		/* of the program; the blob as it can be read */

static struct chunk { uint64_t at; uint8_t *raw; uint32_t bytes; } chunks[CHUNKS];
static unsigned n_chunks, n_links, n_frames, refuse_after = UINT32_MAX;
static uint64_t end_of_file, covered, stored;		/* bytes of the blob that were given; bytes in chunks, uncompressed */
static const struct ekka_blob_bytes *now;

const char *ekka_writer_blobs_closed(void)
{
	return NULL;
}

static unsigned n_waiting;	/* chunks that were taken and whose bytes must stay */

const char *ekka_writer_flush_parts(void)
{
	n_waiting = 0;
	return NULL;
}

static void give(uint64_t offset, const void *p, uint32_t bytes)
{
	cr_assert_leq(offset + bytes, now->size);
	memcpy(out + offset, p, bytes);
	covered += bytes;
}

const char *ekka_writer_chunk(const struct ekka_rec_chunk *rec, const void *data, uint64_t *ret_at)
{
	struct chunk *c = &chunks[n_chunks];

	if (n_frames++ >= refuse_after)
		return "budget";
	cr_assert_lt(n_chunks++, CHUNKS);
	cr_assert(memcmp(&rec->id, now->id, sizeof(rec->id)) == 0 && rec->size == now->size);
	cr_assert(rec->raw_bytes > 0 && rec->raw_bytes <= EKKA_CHUNK_BYTES);
	*c = (struct chunk){ .at = end_of_file += 1000, .raw = malloc(rec->raw_bytes), .bytes = rec->raw_bytes };
	if (rec->codec == EKKA_CODEC_ZSTD)
		cr_assert_eq(ZSTD_decompress(c->raw, c->bytes, data, rec->data_bytes), c->bytes);
	else
		memcpy(c->raw, data, c->bytes);
	give(rec->offset, c->raw, c->bytes);
	stored += c->bytes;
	*ret_at = c->at;
	n_waiting++;
	return NULL;
}

const char *ekka_writer_links(const struct ekka_rec_links *rec)
{
	if (n_frames++ >= refuse_after)
		return "budget";
	cr_assert(rec->n_links > 0 && rec->n_links <= EKKA_WRITER_LINKS);
	cr_assert(memcmp(&rec->id, now->id, sizeof(rec->id)) == 0 && rec->size == now->size);
	for (uint32_t i = 0; i < rec->n_links; i++) {
		const struct ekka_link *l = &rec->links[i];
		unsigned k = 0;

		while (k < n_chunks && chunks[k].at != l->at)
			k++;
		cr_assert_lt(k, n_chunks, "a link to a chunk that is not there");
		cr_assert(l->raw_bytes >= EKKA_LINK_MIN_BYTES && l->from + l->raw_bytes <= chunks[k].bytes);
		give(l->offset, chunks[k].raw + l->from, l->raw_bytes);
		n_links++;
	}
	return NULL;
}

static void fill(uint8_t *p, size_t n)
{
	static uint32_t x = 1;

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
}

static void set_up(void)
{
	ekka_conf.compress = 1;
	cr_assert(ekka_blob_store_open());
	fill(memory, MEMORY);
}

static void tear_down(void)
{
	ekka_pool_stop();
}

TestSuite(blob_store, .init = set_up, .fini = tear_down, .timeout = 60);

/* Bytes that are stored anew of memory[from, from + n), which lie at `place`; what can be read is what was given. */
static uint64_t store_at(size_t from, size_t n, uint64_t place)
{
	struct ekka_blob_id id = ekka_blob_id_of(memory + from, n);
	struct ekka_blob_bytes b = { .id = &id, .size = n, .p = memory + from, .bytes = n, .place = place };

	now = &b;
	covered = stored = 0;
	memset(out, 0x5a, n);
	cr_assert_null(ekka_blob_store(&b));
	cr_assert_eq(covered, n, "%lu of %zu bytes", (unsigned long)covered, n);
	cr_assert_eq(memcmp(out, memory + from, n), 0);
	return stored;
}

static uint64_t store(size_t from, size_t n)
{
	return store_at(from, n, PLACE + from);
}

/* Memory that was seen twice is known from then on. */
static void learn(size_t from, size_t n)
{
	cr_assert_eq(store(from, n), n);
	cr_assert_eq(store(from, n), n);
}

Test(blob_store, only_what_changed_is_stored_again)
{
	const size_t n = 5 * MIB + 50 * KIB;

	learn(0, n);
	for (unsigned step = 0; step < 64; step++) {
		fill(memory + step * 3000, 2000);
		cr_expect_leq(store(0, n), 3 * EKKA_PIECE_BYTES, "step %u", step);
	}
	memory[n - 1]++;
	cr_expect_leq(store(0, n), 2 * EKKA_PIECE_BYTES);
	memory[0]++;
	cr_expect_leq(store(0, n), 2 * EKKA_PIECE_BYTES);
	cr_expect_leq(store(0, n), 2 * EKKA_PIECE_BYTES, "and of what did not change the first and the last, too short for a link");
	cr_expect_lt(n_links, 68 * 72, "links of neighbours are one");
}

Test(blob_store, views_of_one_memory_share_it)
{
	learn(0, 4 * MIB);
	for (unsigned i = 1; i < 200; i++) {
		size_t from = i * 1237, n = 4 * MIB - from - i * 311;

		memory[from + 70000]++;
		cr_expect_leq(store(from, n), 4 * EKKA_PIECE_BYTES, "view %u", i);
	}
}

Test(blob_store, large_blobs_go_window_by_window)
{
	learn(0, MEMORY);
	for (size_t at = 5; at < MEMORY; at += 3 * MIB)
		memory[at]++;
	cr_expect_leq(store(0, MEMORY), (MEMORY / (3 * MIB) + 2) * EKKA_PIECE_BYTES);
}

/* Every 16th piece anew, until nothing of the first copy is left: the way to the bytes gets no longer. */
Test(blob_store, what_was_stored_in_many_parts_is_found)
{
	learn(0, 2 * MIB);
	for (unsigned round = 0; round < 32; round++) {
		for (size_t at = (round % 16) * EKKA_PIECE_BYTES; at < 2 * MIB; at += 16 * EKKA_PIECE_BYTES)
			memory[at]++;
		cr_expect_leq(store(0, 2 * MIB), 2 * (2 * MIB / 16 + EKKA_PIECE_BYTES), "round %u", round);
	}
}

/* More links than a frame has. */
Test(blob_store, every_second_piece_is_elsewhere)
{
	const size_t n = 8 * MIB;

	learn(0, n);
	for (unsigned round = 0; round < 2; round++) {
		for (size_t at = EKKA_PIECE_BYTES; at < n; at += 2 * EKKA_PIECE_BYTES)
			memory[at] += round == 0;
		cr_expect_leq(store(0, n), (round == 0 ? n / 2 : 0) + 2 * EKKA_PIECE_BYTES);
	}
	cr_expect_gt(n_links, 2 * 1024 + 900);
}

Test(blob_store, little_that_is_the_same_is_not_worth_it)
{
	learn(0, 2 * MIB);
	fill(memory + 300 * KIB, 2 * MIB - 300 * KIB);
	cr_expect_eq(store(0, 2 * MIB), 2 * MIB);
	cr_expect_eq(n_links, 0);
}

Test(blob_store, what_has_no_place_or_is_small_is_stored_whole)
{
	for (unsigned i = 0; i < 4; i++) {
		cr_expect_eq(store_at(0, 2 * MIB, 0), 2 * MIB);
		cr_expect_eq(store(MIB, 60 * KIB), 60 * KIB);
	}
	cr_expect_eq(n_links, 0);
}

Test(blob_store, another_file_begins_with_nothing)
{
	learn(0, MIB);
	cr_assert_lt(store(0, MIB), MIB);
	cr_assert(ekka_blob_store_open());
	learn(0, MIB);
	cr_assert_lt(store(0, MIB), MIB);
}

/* A blob whose chunks are refused is not remembered as stored. */
Test(blob_store, what_was_refused_is_not_linked_to)
{
	struct ekka_blob_id id = ekka_blob_id_of(memory, 4 * MIB);
	struct ekka_blob_bytes b = { .id = &id, .size = 4 * MIB, .p = memory, .bytes = 4 * MIB, .place = PLACE };

	cr_assert_eq(store(0, 4 * MIB), 4 * MIB);
	now = &b;
	refuse_after = n_frames + 2;
	cr_assert_str_eq(ekka_blob_store(&b), "budget");
	cr_expect_eq(n_waiting, 0, "what was taken is written before the caller has its memory again");
	refuse_after = UINT32_MAX;
	cr_expect_geq(store(0, 4 * MIB), 2 * MIB - EKKA_PIECE_BYTES);
	refuse_after = n_frames;
	cr_assert_str_eq(ekka_blob_store(&b), "budget");
}

/* Blobs arrive in parts when they are large. */
static void in_parts(size_t n, size_t part)
{
	for (unsigned round = 0; round < 5; round++) {
		struct ekka_blob_id id = ekka_blob_id_of(memory, n);

		covered = stored = 0;
		for (size_t at = 0; at < n; at += part) {
			struct ekka_blob_bytes b = { .id = &id, .size = n, .offset = at, .p = memory + at, .bytes = part, .place = PLACE + at };

			now = &b;
			cr_assert_null(ekka_blob_store(&b));
		}
		cr_assert_eq(covered, n);
		cr_assert_eq(memcmp(out, memory, n), 0);
		cr_expect(round < 2 ? stored == n : stored <= 8 * EKKA_PIECE_BYTES, "round %u: %lu", round, (unsigned long)stored);
		memory[3 * MIB]++;
	}
}

Test(blob_store, parts_of_a_blob_share_too) { in_parts(6 * MIB, 2 * MIB); }

/* Such a part ends with less than a piece, in the megabyte with which the next one begins. */
Test(blob_store, parts_as_long_as_what_is_looked_at_together) { in_parts(16 * MIB, 8 * MIB); }

/* ---- when to look --------------------------------------------------------- */

Test(places, memory_that_never_is_the_same_is_looked_at_ever_less)
{
	unsigned last = 0;

	ekka_places_clear();
	for (unsigned visit = 0; visit < 1000; visit++) {
		bool due = ekka_places_due(PLACE);

		cr_expect(visit > 0 || !due);
		cr_expect(visit != 1 || due);
		cr_expect(!due || visit <= 4 || visit - last >= 4, "visit %u", visit);
		if (due)
			last = visit;
		cr_expect_leq(visit - last, 32, "visit %u", visit);
	}
	ekka_places_useful(PLACE);
	cr_expect(ekka_places_due(PLACE), "after it was of use");
}

Test(places, a_piece_is_what_is_there_now)
{
	const struct ekka_piece one = { .addr = PLACE, .hash = 5, .at = 100, .from = 7, .bytes = 20 };
	struct ekka_piece two = one;
	const struct ekka_piece *found;

	ekka_places_clear();
	cr_assert_null(ekka_places_find(PLACE, 20, 5));
	ekka_places_note(&one);
	found = ekka_places_find(PLACE, 20, 5);
	cr_assert(found && found->at == 100 && found->from == 7);
	cr_expect_null(ekka_places_find(PLACE, 20, 6));
	cr_expect_null(ekka_places_find(PLACE, 19, 5));
	cr_expect_null(ekka_places_find(PLACE + 1, 20, 5));
	two.hash = 6;
	ekka_places_note(&two);
	cr_expect_null(ekka_places_find(PLACE, 20, 5));
	cr_expect_not_null(ekka_places_find(PLACE, 20, 6));
	ekka_places_clear();
	cr_expect_null(ekka_places_find(PLACE, 20, 6));
}

Test(places, without_memory_nothing_is_noted_until_the_next_file)
{
	const struct ekka_piece piece = { .addr = PLACE, .hash = 5, .at = 100, .from = 7, .bytes = 20 };
	struct rlimit had, none;

	cr_assert_eq(getrlimit(RLIMIT_AS, &had), 0);
	none = had;
	none.rlim_cur = 1;
	cr_assert_eq(setrlimit(RLIMIT_AS, &none), 0);
	ekka_places_note(&piece);
	cr_assert_eq(setrlimit(RLIMIT_AS, &had), 0);
	ekka_places_note(&piece);
	cr_expect_null(ekka_places_find(PLACE, 20, 5), "asked again for every piece");
	ekka_places_clear();
	ekka_places_note(&piece);
	cr_expect_not_null(ekka_places_find(PLACE, 20, 5));
}
