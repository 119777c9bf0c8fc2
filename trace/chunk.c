/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/chunk.h"

#include "trace/hash.h"

size_t ekka_chunk_scratch_bytes(void)
{
	return ZSTD_COMPRESSBOUND(EKKA_CHUNK_BYTES);
}

/* Of each sample; with less, zstd's own tables spoil the result. */
enum { SAMPLE_MIN = 2 << 10, SAMPLE_MAX = 8 << 10, SAMPLE_FROM = 16 << 10 };

/*
 * zstd takes several times as long as writing the bytes does, and reading them takes longer too: below an eighth saved, raw
 * is better. Values in fp32 save some 8 %: their sign and exponent bits, among three bytes in four that look random.
 */
static bool worth_it(size_t stored, size_t raw_bytes)
{
	return !ZSTD_isError(stored) && stored <= raw_bytes - raw_bytes / 8;
}

/* Judged by a sample from either half; misses what repeats only over longer distances. */
static bool looks_worth_it(ZSTD_CCtx *cctx, int level, const uint8_t *raw, size_t raw_bytes, void *scratch)
{
	size_t bytes = raw_bytes / 16, stored = 0;

	if (raw_bytes < SAMPLE_FROM)
		return true;
	bytes = bytes < SAMPLE_MIN ? SAMPLE_MIN : bytes > SAMPLE_MAX ? SAMPLE_MAX : bytes;
	for (size_t quarter = 1; quarter <= 3; quarter += 2) {
		size_t z = ZSTD_compressCCtx(cctx, scratch, ekka_chunk_scratch_bytes(), raw + raw_bytes / 4 * quarter, bytes, level);

		stored += ZSTD_isError(z) ? bytes : z;
	}
	return worth_it(stored, 2 * bytes);
}

void ekka_chunk_make(ZSTD_CCtx *cctx, int level, const struct ekka_blob_id *id, uint64_t size, uint64_t offset,
		     const void *raw, uint32_t raw_bytes, void *scratch, struct ekka_rec_chunk *ret_rec,
		     const void **ret_data)
{
	const void *data = raw;
	enum ekka_codec codec = EKKA_CODEC_RAW;
	size_t n = raw_bytes;

	if (cctx && level != 0 && looks_worth_it(cctx, level, raw, raw_bytes, scratch)) {
		/* ZSTD_compressCCtx writes the content size into the frame header, which the reader insists on. */
		size_t z = ZSTD_compressCCtx(cctx, scratch, ekka_chunk_scratch_bytes(), raw, raw_bytes, level);

		if (worth_it(z, raw_bytes)) {
			data = scratch;
			codec = EKKA_CODEC_ZSTD;
			n = z;
		}
	}
	*ret_rec = (struct ekka_rec_chunk){
		.id = *id,
		.size = size,
		.offset = offset,
		.raw_bytes = raw_bytes,
		.codec = codec,
		.data_bytes = (uint32_t)n,
		.data_check = ekka_check64(data, n),
	};
	*ret_data = data;
}
