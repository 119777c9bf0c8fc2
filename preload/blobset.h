/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which contents this segment has stored or is about to store. Zone: inside the host process.
 * Grows by mmap; when there is no memory, contents are stored again, which readers allow. Any thread.
 */
#ifndef EKKA_PRELOAD_BLOBSET_H
#define EKKA_PRELOAD_BLOBSET_H

#include "trace/model.h"

/* Is it there; through ret_lost (may be NULL) why its bytes did not reach the file, or NULL. */
bool ekka_blobset_has(const struct ekka_blob_id *, const char **ret_lost);

/* False when it was there already (or cannot be noted: then store it all the same, *ret_full). */
bool ekka_blobset_add(const struct ekka_blob_id *, bool *ret_full);

/* Its bytes did not reach the file: static text. */
void ekka_blobset_lose(const struct ekka_blob_id *, const char *why);

void ekka_blobset_clear(void);		/* a new segment */
void ekka_blobset_forget(void);		/* in a forked child, whatever state the lock is in */

#endif
