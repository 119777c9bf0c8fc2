/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From queue entries to records and blobs. Sink thread only, but for reset, which is called while there is none. Zone: inside the host process.
 *
 * When bytes can no longer be stored, events go on; when these cannot either, entries are thrown away and counted. Each is said once.
 */
#ifndef EKKA_PRELOAD_ENTRIES_H
#define EKKA_PRELOAD_ENTRIES_H

#include "preload/queue.h"
#include "trace/encode.h"

/* Before a segment begins: nothing has failed yet. */
void ekka_entries_reset(void);

/* Makes what the entry asks for. Those of an earlier segment only give back what they hold. */
void ekka_entries_put(struct ekka_entry *);
void ekka_entries_put_time(const struct ekka_rec_time *);

/* Writes out what waits in the writer's batches. */
void ekka_entries_flush(void);

/* No more events can be written: says why, and ends recording. */
void ekka_entries_fail(const char *why);

#endif
