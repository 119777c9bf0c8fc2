/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which blobs a trace holds and where their chunks lie. Filled by one thread from chunk heads or index entries, then
 * finished, then only read. Private to trace/.
 */
#ifndef EKKA_TRACE_BLOB_TABLE_H
#define EKKA_TRACE_BLOB_TABLE_H

#include "trace/encode.h"
#include "trace/file.h"

struct blob_chunk {
	uint64_t offset;	/* in the blob */
	uint64_t at;		/* of the frame in the file */
	uint32_t raw_bytes;
	uint32_t frame_bytes;
	uint32_t blob;		/* index into blobs */
	uint32_t file;		/* the caller's number of the file */
};

struct blob_entry {
	struct ekka_blob_id id;
	uint64_t size;
	uint64_t stored_bytes;	/* frames of its chunks */
	uint32_t first, n;	/* range of chunks that are used; they tile [0, size) when whole */
	bool whole;
};

struct blob_table {
	struct blob_chunk *chunks;
	size_t n_chunks, cap_chunks;
	struct blob_entry *blobs;
	size_t n_blobs, cap_blobs;
	uint32_t *slots;	/* open addressing, index + 1 into blobs */
	size_t n_slots;		/* power of two */
	uint64_t seed;		/* so that nobody can prepare ids that all collide */
};

void ekka_blob_table_init(struct blob_table *);
void ekka_blob_table_release(struct blob_table *);

/* Adds a chunk. EKKA_ERR_FORMAT with *ret_why when it contradicts itself or the blob's other chunks (then nothing is added), or EKKA_ERR_NOMEM. */
int ekka_blob_table_add(struct blob_table *, const struct ekka_rec_ix_chunk *, uint32_t file, const char **ret_why);

/* Sorts the chunks and finds out which blobs are whole. */
void ekka_blob_table_finish(struct blob_table *);

const struct blob_entry *ekka_blob_table_find(const struct blob_table *, const struct ekka_blob_id *);

#endif
