/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two files of a segment: budget, batching, and what happens when the system refuses. Sink thread only.
 *
 * Tensor bytes stop first ("budget" when only the part for events is left, "disk" when a write fails); events go on as long as they can.
 * What is lost with a batch is marked so in the blobset, and the data records that wait for that batch say that it is missing.
 */
#ifndef EKKA_PRELOAD_WRITER_H
#define EKKA_PRELOAD_WRITER_H

#include "trace/encode.h"

/* Creates directory and files and writes `open`. NULL, or why not (text in a static buffer). */
const char *ekka_writer_open(void);

/* Is there room in the budget for so many bytes of events. */
bool ekka_writer_has_room(size_t bytes);

/* Appends one encoded frame to the events file's batch, which has frames_room bytes left; flush empties it. */
void ekka_writer_frame(const uint8_t *frame, size_t bytes);
size_t ekka_writer_frames_room(void);

/* Call records in the events file and its batch. */
uint64_t ekka_writer_calls(void);

/* Makes a `data` record; takes at most 256 bytes of the batch. */
void ekka_writer_data(const struct ekka_rec_data *);

/*
 * Appends a chunk, or links (at most EKKA_WRITER_LINKS), to the blobs file: preload/blob_store.h makes them. *ret_at is where the chunk's frame begins. `data`
 * must stay until flush_parts. NULL, or why no more blobs are stored: "budget" or "disk".
 */
enum { EKKA_WRITER_LINKS = 1024 };
const char *ekka_writer_chunk(const struct ekka_rec_chunk *, const void *data, uint64_t *ret_at);
const char *ekka_writer_links(const struct ekka_rec_links *);
const char *ekka_writer_flush_parts(void);

/* Why no more blobs are stored, or NULL; and the last error in words. */
const char *ekka_writer_blobs_closed(void);
const char *ekka_writer_trouble(void);

/* Writes the batches out, blobs before events. NULL, or why no more events can be written. */
const char *ekka_writer_flush(void);

/* Bytes waiting in the batches; bytes in both files; bytes of the blob file with what is waiting. */
size_t ekka_writer_pending(void);
uint64_t ekka_writer_bytes(void);
uint64_t ekka_writer_blob_bytes(void);

/* Trailer, flush, close. */
void ekka_writer_close(const struct ekka_rec_close *);

/* In a forked child: the parent's files are not ours. */
void ekka_writer_forget(void);

#endif
