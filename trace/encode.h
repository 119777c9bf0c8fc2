/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encodes records as FORMAT.md says, into memory the caller owns.
 *
 * Used inside the host process: no allocation, no I/O, no locks, no errno change;
 * safe from any thread on distinct buffers. msgpack comes from msgpack-c's packing
 * templates (trace/pack.h). A record that does not fit leaves the buffer as it was,
 * except that `overflow` is set: the caller empties the buffer and tries again, or
 * counts the record as dropped. The encoder itself never reads `overflow`.
 *
 * Limits, so that one record cannot outgrow any sensible buffer: a string is cut
 * after EKKA_MAX_STR bytes, argv after EKKA_MAX_ARGV entries (`argc` still says how
 * many there were), arguments, attributes, tensors and dims after EKKA_MAX_*. NULL strings are
 * written as nil and read back as "", or as NULL where model.h gives NULL a meaning.
 */
#ifndef EKKA_TRACE_ENCODE_H
#define EKKA_TRACE_ENCODE_H

#include "trace/model.h"

#define EKKA_FORMAT_VERSION 2u
#define EKKA_MAX_BODY_BYTES (1u << 20)	/* of a record's body */
#define EKKA_MAX_STR 4096u		/* bytes */
#define EKKA_MAX_ARGV 64u

struct ekka_buf {
	uint8_t *data;
	size_t len, cap;	/* bytes */
	bool overflow;
};

/* Each appends one whole frame [kind, body, check] (FORMAT.md) and returns its bytes, or 0 if it did not fit (nothing is appended then). */
size_t ekka_encode_open(struct ekka_buf *, const struct ekka_rec_open *);
size_t ekka_encode_fn(struct ekka_buf *, const struct ekka_rec_fn *);
size_t ekka_encode_module(struct ekka_buf *, const struct ekka_rec_module *);
size_t ekka_encode_device(struct ekka_buf *, const struct ekka_rec_device *);
size_t ekka_encode_maps(struct ekka_buf *, const struct ekka_rec_maps *);
size_t ekka_encode_stack(struct ekka_buf *, const struct ekka_rec_stack *);
size_t ekka_encode_call(struct ekka_buf *, const struct ekka_rec_call *);
size_t ekka_encode_data(struct ekka_buf *, const struct ekka_rec_data *);
size_t ekka_encode_ret(struct ekka_buf *, const struct ekka_rec_ret *);
size_t ekka_encode_end(struct ekka_buf *, const struct ekka_rec_end *);
size_t ekka_encode_time(struct ekka_buf *, const struct ekka_rec_time *);
size_t ekka_encode_close(struct ekka_buf *, const struct ekka_rec_close *);

enum ekka_codec { EKKA_CODEC_RAW = 0, EKKA_CODEC_ZSTD = 1 };

/*
 * The frame of one blob chunk is [ "chunk", body, check, data ]: this appends everything up to
 * and including data's msgpack bin header; the caller writes `data_bytes` bytes of data right behind.
 * trace/chunk.h makes the data. The head is at most EKKA_CHUNK_HEAD_BYTES long.
 */
struct ekka_rec_chunk {
	struct ekka_blob_id id;		/* of the whole blob */
	uint64_t size;			/* of the whole blob, uncompressed bytes */
	uint64_t offset;		/* of this chunk's first byte in the blob */
	uint32_t raw_bytes;		/* of this chunk, uncompressed; at most EKKA_CHUNK_BYTES */
	enum ekka_codec codec;
	uint32_t data_bytes;		/* as stored */
	uint64_t data_check;		/* XXH3-64 of the stored bytes: ekka_check64 */
};
#define EKKA_CHUNK_BYTES (1u << 20)
#define EKKA_CHUNK_HEAD_BYTES 160u
size_t ekka_encode_chunk_head(struct ekka_buf *, const struct ekka_rec_chunk *);

/* Bytes of a blob that are those of a chunk earlier in the same blobs file. */
struct ekka_link {
	uint64_t offset;		/* of the first byte in the blob */
	uint32_t raw_bytes;		/* at least EKKA_LINK_MIN_BYTES, at most EKKA_CHUNK_BYTES */
	uint64_t at;			/* where the chunk's frame starts in the blobs file, bytes */
	uint32_t from;			/* first byte in the chunk, uncompressed */
};
struct ekka_rec_links {
	struct ekka_blob_id id;		/* of the whole blob */
	uint64_t size;			/* of the whole blob, uncompressed bytes */
	const struct ekka_link *links;	/* a reader takes as many as a body holds */
	uint32_t n_links;
};
#define EKKA_LINK_MIN_BYTES 4096u	/* so that reading takes no more than a chunk for each */
#define EKKA_LINK_ENCODED_BYTES 32u	/* at most, of one link in a frame; the rest of the frame is at most EKKA_CHUNK_HEAD_BYTES */
size_t ekka_encode_links(struct ekka_buf *, const struct ekka_rec_links *);

/*
 * Index file: an `open` frame, one ix-chunk or ix-links frame per chunk or links frame of the blobs file in the order of that
 * file, then ix-end. Can be written along with the blobs or at the end; only a file with ix-end counts.
 */
struct ekka_rec_ix_chunk {
	struct ekka_blob_id id;
	uint64_t size, offset;		/* as in ekka_rec_chunk */
	uint32_t raw_bytes;
	uint64_t at;			/* where the chunk's frame starts in the blobs file, bytes */
	uint32_t frame_bytes;		/* of that frame, head and data */
};
struct ekka_rec_ix_links {
	uint64_t at;			/* where the links' frame starts in the blobs file, bytes */
	uint32_t frame_bytes;
};
struct ekka_rec_ix_end {
	uint64_t blobs_bytes;		/* length of the blobs file this index belongs to */
	uint64_t n_chunks;		/* ix-chunk frames before */
};
size_t ekka_encode_ix_chunk(struct ekka_buf *, const struct ekka_rec_ix_chunk *);
size_t ekka_encode_ix_links(struct ekka_buf *, const struct ekka_rec_ix_links *);
size_t ekka_encode_ix_end(struct ekka_buf *, const struct ekka_rec_ix_end *);

#endif
