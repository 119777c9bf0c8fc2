/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of the blobs file, written along with it. Zone: inside the host process, sink thread only. A cache: when anything goes
 * wrong the file is removed and nobody is told, as a reader does without.
 */
#ifndef EKKA_PRELOAD_BLOB_INDEX_H
#define EKKA_PRELOAD_BLOB_INDEX_H

#include "trace/encode.h"

/* Creates `path` with its `open` record. */
void ekka_blob_index_open(const char *path, const struct ekka_rec_open *open);

/* Notes the chunk frame of frame_bytes bytes at offset `at` of the blobs file. */
void ekka_blob_index_add(const struct ekka_rec_chunk *, uint64_t at, uint32_t frame_bytes);

/* Notes the links frame of frame_bytes bytes at offset `at`. */
void ekka_blob_index_add_links(uint64_t at, uint32_t frame_bytes);

/* Bytes written so far or waiting to be, for the budget. */
uint64_t ekka_blob_index_bytes(void);

/* At an orderly end: states the length of the blobs file and closes. */
void ekka_blob_index_close(uint64_t blobs_bytes);

/* Removes the file: the blobs file is not what was noted. */
void ekka_blob_index_drop(void);

/* In a forked child: the file is the parent's. */
void ekka_blob_index_forget(void);

#endif
