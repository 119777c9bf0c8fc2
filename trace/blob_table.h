/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which blobs a trace holds and where their bytes lie. Filled by one thread from chunk heads or index entries, and from links, file by file in
 * the order of each file; then finished, then only read. Private to trace/.
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

/* Bytes of a blob: all of a chunk of its own, or what a link names of any chunk before. */
struct blob_part {
	uint64_t offset;	/* in the blob */
	uint32_t raw_bytes;
	uint32_t blob;		/* index into blobs */
	uint32_t chunk;		/* index into chunks */
	uint32_t from;		/* first byte in the chunk */
	uint32_t file;		/* of the chunk */
	uint32_t order;		/* in which it was added */
};

struct blob_entry {
	struct ekka_blob_id id;
	uint64_t size;
	uint64_t stored_bytes;	/* frames of its chunks */
	uint32_t first, n;	/* range of parts that are used; they tile [0, size) when whole */
	bool whole;
};

struct blob_table {
	struct blob_chunk *chunks;	/* by file and place in it */
	size_t n_chunks, cap_chunks;
	struct blob_part *parts;	/* of a blob side by side once finished */
	size_t n_parts, cap_parts;
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

/* Adds the link to a chunk that was added before, with the id and size of its blob; returns as above. */
int ekka_blob_table_link(struct blob_table *, const struct ekka_blob_id *, uint64_t size, const struct ekka_link *, uint32_t file, const char **ret_why);

/* Sorts the parts and finds out which blobs are whole. */
void ekka_blob_table_finish(struct blob_table *);

const struct blob_entry *ekka_blob_table_find(const struct blob_table *, const struct ekka_blob_id *);

#endif
