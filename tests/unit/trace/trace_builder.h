/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a trace as capture does, one process image at a time, for tests that need a trace without a run.
 * Every failure aborts: this is for tests only.
 */
#ifndef TESTS_TRACE_BUILDER_H
#define TESTS_TRACE_BUILDER_H

#include "trace/encode.h"

#include <stdio.h>

struct trace_builder {
	FILE *events, *blobs, *index;
	uint64_t n_chunks;
	struct ekka_buf buf;	/* encode records into this, then trace_builder_put */
	int level;		/* of zstd */
	size_t chunk_bytes;	/* 0: EKKA_CHUNK_BYTES */
};

/* Creates DIR (unless it is there) and in it the files of one process image, with their `open` records. */
void trace_builder_begin(struct trace_builder *, const char *dir, const struct ekka_rec_open *open, int n);

/* Appends what was encoded into b->buf to the events file. */
void trace_builder_put(struct trace_builder *);

/* Stores a blob, once per call, and returns its id. */
struct ekka_blob_id trace_builder_blob(struct trace_builder *, const void *p, size_t n);

/*
 * Stores a blob whose first bytes are those of the chunk at offset `at` of the blobs file, as n_links links of link_bytes bytes each, in order; the rest in
 * chunks of its own.
 */
struct ekka_blob_id trace_builder_linked(struct trace_builder *, const void *p, size_t n, uint64_t at, uint32_t link_bytes, uint32_t n_links);

/* Closes the files; with_index: writes ix-end, otherwise removes the index. */
void trace_builder_finish(struct trace_builder *, const char *dir, const struct ekka_rec_open *open, int n, bool with_index);

/*
 * A trace with one record of every kind and values at the ends of their ranges: two process images, four events, blobs in
 * several chunks and in links. golden/v1.ekka and golden/v2.ekka are what this wrote when these versions were fixed.
 */
void trace_builder_sample(const char *dir);

/* The bytes of the sample's large blob. */
#define SAMPLE_BLOB_BYTES 10000u
void trace_builder_sample_bytes(uint8_t *p);

#endif
