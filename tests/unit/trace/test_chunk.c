/* SPDX-License-Identifier: Apache-2.0 */
/* Hashing and compressing of one chunk. */
#include "trace/chunk.h"
#include "trace/hash.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static uint8_t raw[EKKA_CHUNK_BYTES], back[EKKA_CHUNK_BYTES];
static uint8_t scratch[EKKA_CHUNK_BYTES + EKKA_CHUNK_BYTES / 64];

static void fill_noise(uint8_t *p, size_t n)
{
	uint64_t x = 88172645463325252ull;

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = (uint8_t)x;
	}
}

static struct ekka_rec_chunk make(int level, uint32_t n, const void **data)
{
	static const struct ekka_blob_id id = { { 1, 2, 3 } };
	ZSTD_CCtx *cctx = ZSTD_createCCtx();
	struct ekka_rec_chunk r;

	cr_assert_leq(ekka_chunk_scratch_bytes(), sizeof scratch);
	ekka_chunk_make(cctx, level, &id, 5000000, 77, raw, n, scratch, &r, data);
	ZSTD_freeCCtx(cctx);
	return r;
}

Test(chunk, compressible_bytes_come_back_from_zstd)
{
	const void *data;
	struct ekka_rec_chunk r = make(1, sizeof raw, &data);

	cr_assert_eq(r.codec, EKKA_CODEC_ZSTD);
	cr_assert_lt(r.data_bytes, sizeof raw / 100);
	cr_assert_eq(r.data_check, ekka_check64(data, r.data_bytes));
	cr_assert_eq(r.size, 5000000);
	cr_assert_eq(r.offset, 77);
	memset(back, 1, sizeof back);
	cr_assert_eq(ZSTD_decompress(back, sizeof back, data, r.data_bytes), sizeof raw);
	cr_assert_eq(memcmp(raw, back, sizeof raw), 0);
	cr_assert_eq(ZSTD_getFrameContentSize(data, r.data_bytes), sizeof raw);
}

Test(chunk, what_saves_less_than_an_eighth_is_stored_raw)
{
	const void *data;
	struct ekka_rec_chunk r;

	fill_noise(raw, sizeof raw);
	for (size_t i = 0; i < sizeof raw; i += 4096)
		memset(raw + i, 0, 410);	/* saves 10 %, evenly */
	r = make(1, sizeof raw, &data);
	cr_assert_eq(r.codec, EKKA_CODEC_RAW);
	cr_assert_eq(r.data_bytes, sizeof raw);
	cr_assert_eq(data, raw);
	for (size_t i = 0; i < sizeof raw; i += 4096)
		memset(raw + i, 0, 740);	/* saves 18 % */
	cr_assert_eq(make(1, sizeof raw, &data).codec, EKKA_CODEC_ZSTD);
	cr_assert_eq(make(0, sizeof raw, &data).codec, EKKA_CODEC_RAW);
}

Test(chunk, either_half_can_say_that_compressing_is_worth_it)
{
	const void *data;

	for (size_t half = 0; half < 2; half++) {
		fill_noise(raw, sizeof raw);
		memset(raw + half * (sizeof raw / 2), 0, sizeof raw / 2);
		cr_assert_eq(make(1, sizeof raw, &data).codec, EKKA_CODEC_ZSTD);
	}
}

Test(chunk, a_good_sample_does_not_keep_what_zstd_cannot_shrink)
{
	const void *data;

	fill_noise(raw, sizeof raw);
	memset(raw + sizeof raw / 4, 0, 8192);	/* where a sample is taken */
	cr_assert_eq(make(1, sizeof raw, &data).codec, EKKA_CODEC_RAW);
}

Test(chunk, ids_do_not_depend_on_what_the_processor_can_do)
{
	/* Of `seq 1000` (3893 bytes), by xxHash 0.8.1 built for SSE2. */
	static const uint8_t id[16] = { 0x85, 0x27, 0xd9, 0x29, 0x6f, 0xb8, 0xf4, 0xa6, 0x76, 0x4a, 0xaa, 0xec, 0xde, 0x28, 0x82, 0x9e };
	char text[4096];
	size_t n = 0;

	for (int i = 1; i <= 1000; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%d\n", i);
	cr_assert_eq(n, 3893);
	cr_assert_eq(memcmp(ekka_blob_id_of(text, n).b, id, 16), 0);
	cr_assert_eq(ekka_check64(text, n), 0x764aaaecde28829eull);
}

Test(chunk, streaming_and_one_shot_ids_agree_with_the_published_vector)
{
	/* XXH3-128 of no bytes, canonical form, from xxHash's specification: xxhsum -H2 </dev/null. */
	static const uint8_t empty[16] = { 0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47, 0x98, 0xd8,
					   0x60, 0x01, 0xc3, 0x24, 0x46, 0x8d, 0x49, 0x7f };
	struct ekka_blob_hash h;
	struct ekka_blob_id a, b;

	a = ekka_blob_id_of(NULL, 0);
	cr_assert_eq(memcmp(a.b, empty, 16), 0);
	fill_noise(raw, 100000);
	a = ekka_blob_id_of(raw, 100000);
	ekka_blob_hash_init(&h);
	for (size_t i = 0; i < 100000; i += 1000)
		ekka_blob_hash_update(&h, raw + i, 1000);
	b = ekka_blob_hash_final(&h);
	cr_assert_eq(memcmp(a.b, b.b, 16), 0);
}
