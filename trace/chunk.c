/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/chunk.h"

#include "trace/hash.h"

size_t ekka_chunk_scratch_bytes(void)
{
	return ZSTD_COMPRESSBOUND(EKKA_CHUNK_BYTES);
}

/* Decompressing costs the reader more than a few percent of disk: below 5 % saved, raw is better. */
static bool worth_it(size_t stored, uint32_t raw_bytes)
{
	return !ZSTD_isError(stored) && stored <= raw_bytes - raw_bytes / 20;
}

void ekka_chunk_make(ZSTD_CCtx *cctx, int level, const struct ekka_blob_id *id, uint64_t size, uint64_t offset,
		     const void *raw, uint32_t raw_bytes, void *scratch, struct ekka_rec_chunk *ret_rec,
		     const void **ret_data)
{
	const void *data = raw;
	enum ekka_codec codec = EKKA_CODEC_RAW;
	size_t n = raw_bytes;

	if (cctx && level != 0) {
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
