/* SPDX-License-Identifier: Apache-2.0 */
/* A file that is written in batches. Not shared between threads. Zone: inside the host process. */
#ifndef EKKA_PRELOAD_BATCH_H
#define EKKA_PRELOAD_BATCH_H

#include "preload/fd.h"
#include "trace/encode.h"

enum { EKKA_BATCH_PARTS = 8 };

/*
 * What waits to be written is `buf` with `parts` in it: each lies elsewhere, comes behind the first `at` bytes of `buf`, and must stay until the batch
 * is written.
 */
struct ekka_batch {
	struct ekka_fd fd;
	char path[4096];
	uint64_t offset;		/* bytes written */
	struct ekka_buf buf;
	struct { size_t at; const uint8_t *p; size_t bytes; } parts[EKKA_BATCH_PARTS];
	unsigned n_parts;
	size_t parts_bytes;
};

size_t ekka_batch_waiting(const struct ekka_batch *);	/* bytes */
void ekka_batch_empty(struct ekka_batch *);

/* Appends a part; there must be less than EKKA_BATCH_PARTS. */
void ekka_batch_put_part(struct ekka_batch *, const void *p, size_t bytes);

/* Writes what waits at `offset` and empties the batch: 0. -1 with errno set: only *ret_done bytes got there, and batch and offset are as before. */
int ekka_batch_write(struct ekka_batch *, size_t *ret_done);

#endif
