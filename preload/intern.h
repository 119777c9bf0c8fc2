/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records that are written once and referred to by number: functions, stacks, devices, mappings. Zone: inside
 * the host process. Each is queued before the number is handed out. Any thread; no allocation.
 */
#ifndef EKKA_PRELOAD_INTERN_H
#define EKKA_PRELOAD_INTERN_H

#include "preload/capture.h"
#include "preload/launch.h"
#include "trace/encode.h"

/* Number of the function with this real implementation; 0 when its record could not be queued. */
uint32_t ekka_intern_fn(unsigned fn_id, const void *real);

/* Number of the kernel; 0 when its record could not be queued. */
uint32_t ekka_intern_kernel(const struct ekka_kernel *kernel);

/* Number of the calling thread's stack; 0 for none. caller NULL: not known, the stack begins below what `above` is true for. */
uint64_t ekka_intern_stack(const void *caller, bool (*above)(const void *pc));

/* Makes sure that the CUDA device is described. */
void ekka_intern_device(int32_t ordinal);

void ekka_intern_clear(void);		/* a new segment; nobody else interns meanwhile */
void ekka_intern_forget(void);		/* in a forked child */

/* Queues one encoded record of at most `max` bytes; encode is one of trace/encode.h behind a void pointer. */
bool ekka_push_record(size_t max, size_t (*encode)(struct ekka_buf *, const void *), const void *rec);

#endif
