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
 * Stores `bytes` bytes of blob `id` (of `size` bytes in all) that begin at `offset`.
 * NULL, or why they were not stored: "budget" or "disk".
 */
const char *ekka_writer_blob(const struct ekka_blob_id *id, uint64_t size, uint64_t offset, const void *p, size_t bytes);

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
