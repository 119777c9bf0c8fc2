/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encodes records as FORMAT.md says, into memory the caller owns.
 *
 * Used inside the host process: no allocation, no I/O, no locks, no errno change;
 * safe from any thread on distinct buffers. msgpack comes from msgpack-c's packer
 * with a write callback. On overflow `overflow` is set, further output is
 * discarded, and ekka_buf_commit returns 0 for that record.
 */
#ifndef EKKA_TRACE_ENCODE_H
#define EKKA_TRACE_ENCODE_H

#include "trace/model.h"

struct ekka_buf {
	uint8_t *data;
	size_t len, cap;	/* bytes */
	bool overflow;
};

/* Each appends one whole frame [kind, body, check] and returns its bytes, or 0 if it did not fit (nothing is appended then). */
size_t ekka_encode_open(struct ekka_buf *, const struct ekka_rec_open *);
size_t ekka_encode_fn(struct ekka_buf *, const struct ekka_rec_fn *);
size_t ekka_encode_device(struct ekka_buf *, const struct ekka_rec_device *);
size_t ekka_encode_maps(struct ekka_buf *, const struct ekka_rec_maps *);
size_t ekka_encode_stack(struct ekka_buf *, const struct ekka_rec_stack *);
size_t ekka_encode_call(struct ekka_buf *, const struct ekka_rec_call *);
size_t ekka_encode_data(struct ekka_buf *, const struct ekka_rec_data *);
size_t ekka_encode_ret(struct ekka_buf *, const struct ekka_rec_ret *);
size_t ekka_encode_end(struct ekka_buf *, const struct ekka_rec_end *);
size_t ekka_encode_close(struct ekka_buf *, const struct ekka_rec_close *);

enum ekka_codec { EKKA_CODEC_RAW = 0, EKKA_CODEC_ZSTD = 1 };

/*
 * The frame of one blob chunk is [ "chunk", body, check, data ]: this appends everything up to
 * and including data's msgpack bin header; the caller writes `data_bytes` bytes of data right behind.
 */
struct ekka_rec_chunk {
	struct ekka_blob_id id;		/* of the whole blob */
	uint64_t size;			/* of the whole blob, uncompressed bytes */
	uint64_t offset;		/* of this chunk's first byte in the blob */
	uint32_t raw_bytes;		/* of this chunk, uncompressed; at most EKKA_CHUNK_BYTES */
	enum ekka_codec codec;
	uint32_t data_bytes;		/* as stored */
	uint64_t data_check;		/* XXH3-64 of the stored bytes */
};
#define EKKA_CHUNK_BYTES (1u << 20)
size_t ekka_encode_chunk_head(struct ekka_buf *, const struct ekka_rec_chunk *);

#endif
