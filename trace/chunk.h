/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One chunk of a blob, from tensor bytes to what is stored. Pure: no I/O, no locks, no allocation of its own
 * (zstd allocates inside the context the caller made). Used by the shim's sink thread, never on the call path.
 *
 * To store a blob of `size` bytes: id = ekka_blob_id_of (trace/hash.h); for each piece of at most
 * EKKA_CHUNK_BYTES call ekka_chunk_make, ekka_encode_chunk_head, then write head and data. The empty blob
 * has no chunk.
 */
#ifndef EKKA_TRACE_CHUNK_H
#define EKKA_TRACE_CHUNK_H

#include "trace/encode.h"

#include <zstd.h>

/* Room that `scratch` needs below, bytes. */
size_t ekka_chunk_scratch_bytes(void);

/*
 * Makes the chunk at `offset` of blob `id`: raw_bytes bytes at `raw`, at most EKKA_CHUNK_BYTES. Compresses into
 * scratch at `level` (zstd's scale; 0 or cctx NULL: do not try), unless a sample says that it saves little, and keeps that only
 * when it saves at least an eighth.
 * Fills *ret_rec and points *ret_data at the rec->data_bytes bytes to store: scratch or `raw` itself.
 * Cannot fail: when zstd does, the chunk is stored raw. One thread per context and scratch.
 */
void ekka_chunk_make(ZSTD_CCtx *cctx, int level, const struct ekka_blob_id *id, uint64_t size, uint64_t offset,
		     const void *raw, uint32_t raw_bytes, void *scratch, struct ekka_rec_chunk *ret_rec,
		     const void **ret_data);

#endif
