/* SPDX-License-Identifier: Apache-2.0 */
/* How many bytes an event wrote: what coverage by bytes counts. */
#ifndef EKKA_REPLAY_WRITTEN_H
#define EKKA_REPLAY_WRITTEN_H

#include "trace/reader.h"

/*
 * Of an event with an op, the elements of its outputs. Of a launch that is not described nobody knows its outputs: those sectors of 32 bytes, as the
 * device writes memory, in which a byte changed; a buffer that was not recorded on both sides counts whole. Reads blobs then; damage counts as
 * change. Thread-safe.
 */
uint64_t ekka_written_bytes(struct ekka_trace *, const struct ekka_event *);

#endif
