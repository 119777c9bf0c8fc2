/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From bytes to chunks in the blobs file, and to links where the same bytes are there already. Zone: inside the host process; sink thread only.
 *
 * A tensor of which a few rows changed since it was last seen (a KV-cache around each write to it) has another content, and another id, but most of its bytes are stored:
 * each piece of memory is compared, by hash, with what was last stored of that place. Where at least a quarter of the bytes is the same, of 8 MiB looked at together, the blob gets
 * links to the chunks that have them and chunks of its own for the rest; otherwise chunks for all of it.
 */
#ifndef EKKA_PRELOAD_BLOB_STORE_H
#define EKKA_PRELOAD_BLOB_STORE_H

#include "trace/model.h"

#include <stddef.h>

/* Some or all bytes of a blob. */
struct ekka_blob_bytes {
	const struct ekka_blob_id *id;	/* of the whole blob */
	uint64_t size;			/* of the whole blob, bytes */
	uint64_t offset;		/* of the first of these bytes in the blob */
	const void *p;
	size_t bytes;
	uint64_t place;			/* address in the program where they lie one behind another; 0: they do not */
};

/* Stores them; p may be reused at return. NULL, or why they were not stored: "budget" or "disk". */
const char *ekka_blob_store(const struct ekka_blob_bytes *);

/* With a new blobs file. False: no memory. */
bool ekka_blob_store_open(void);

/* In a forked child. */
void ekka_blob_store_forget(void);

#endif
