/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of one tensor at one moment, on their way to the trace. Zone: inside the host process.
 *
 * Host tensors are copied in the calling thread (snapshot_host.c), device tensors by
 * stream-ordered copies that become ready later (preload/cuda.h; snapshot_device.c puts them
 * into the queue). All go through one FIFO (preload/queue.h), so that an event's records keep their order
 * in the file whenever the bytes arrive; the sink thread alone waits for a device copy.
 */
#ifndef EKKA_PRELOAD_SNAPSHOT_H
#define EKKA_PRELOAD_SNAPSHOT_H

#include "preload/capture.h"

/*
 * Takes what `phase` wants of all the call's tensors: EKKA_PRE before the real call, EKKA_POST after it. Each
 * tensor wanted ends in exactly one `data` record. Calling thread; no malloc, no wait for a device.
 */
void ekka_snapshot_host(struct ekka_call *call, enum ekka_phase phase);
void ekka_snapshot_device(struct ekka_call *call, enum ekka_phase phase);

/* Says that the bytes could not be taken: "capture", "fault", "memory", ... static text. Counted under that name. */
void ekka_snapshot_missing(struct ekka_call *call, unsigned tensor, enum ekka_phase phase, uint64_t bytes,
			   const char *why);

/* Refers to content that this segment holds already (device hashing, known lineage): no bytes move. */
void ekka_snapshot_known(struct ekka_call *call, unsigned tensor, enum ekka_phase phase, uint64_t bytes,
			 const struct ekka_blob_id *id);

/* Is the content stored or queued in this segment. */
bool ekka_blob_known(const struct ekka_blob_id *id);

/*
 * Counts the segments this process image has opened, from 1: changes after fork and after a failed exec.
 * What was written once per segment must be written again when it changes.
 */
unsigned ekka_segment_generation(void);

/* Why no more new contents are stored ("budget", "disk"), or NULL. */
const char *ekka_sink_blobs_closed(void);

/* Counts something dropped, by static name, into the trailer. Any thread. */
void ekka_count_drop(const char *static_name, uint64_t n);

#endif
