/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What capture keeps per CUDA context: a staging slab on the device, a side stream, events, the gather kernel; and
 * the pinned host memory that all contexts share. Zone: inside the host process.
 *
 * Memory is taken once, at the first snapshot, in a few big pieces, as cuMemAlloc and cuMemFree may synchronise the device; of these
 * only the staging slab is ever given back (cuda_staging.h). One mutex (ekka_cuda_lock) guards rings, pools and the table; no driver
 * call is made under it except at set-up.
 */
#ifndef EKKA_PRELOAD_CUDA_CONTEXT_H
#define EKKA_PRELOAD_CUDA_CONTEXT_H

#include <pthread.h>
#include <stdatomic.h>

#include "preload/cuda_driver.h"
#include "preload/cuda_ring.h"

enum { EKKA_CUDA_CONTEXTS = 16, EKKA_CUDA_EVENTS = EKKA_RING_SLOTS + 512 /* copies, and threads about to make one */ };

struct ekka_cuda_context {
	CUcontext ctx;
	unsigned long long id;		/* cuCtxGetId: a context made after a reset may get the old one's address */
	CUdevice device;
	atomic_bool off;		/* our calls failed repeatedly: no more snapshots here */
	atomic_uint failures;		/* in a row */
	CUstream side;			/* copies to the host run here */
	CUdeviceptr staging;		/* 0: none could be had, or it was given back */
	uint64_t staging_mapped;	/* its bytes, if it is mapped and can be given back; else 0 */
	bool staging_wanted;		/* the engine wants it: no new copies go there */
	uint64_t staging_quiet_until;	/* ns: before that it is not taken again */
	uint64_t staging_quiet_ms;	/* how long memory must not have been short */
	struct ekka_ring staging_ring;
	struct ekka_cuda_copy *youngest;	/* of those that lie in it */
	CUfunction gather;		/* NULL: could not be loaded */
	CUevent events[EKKA_CUDA_EVENTS];	/* free ones */
	unsigned n_events;
	struct ekka_cuda_timing *timings;	/* free pairs */
};

/* The lock, and the condition signalled when room in a ring appears. */
extern pthread_mutex_t ekka_cuda_lock;
extern pthread_cond_t ekka_cuda_room;

/*
 * Pinned host memory: `direct` for copies enqueued on the engine's stream, NULL when refused; `bounce` for the sink's, which then is ordinary memory.
 * `gone`: freed, or about to be.
 */
struct ekka_cuda_pinned {
	char *direct, *bounce;
	bool gone;
	struct ekka_ring direct_ring, bounce_ring;
};
extern struct ekka_cuda_pinned ekka_cuda_pinned;

/*
 * Finds, or at first use sets up, the context that `stream` works in, and makes it current if the thread has none. NULL and *ret_why
 * (static text) when there is none or it is off. Undo with ekka_cuda_context_leave when not NULL.
 */
struct ekka_cuda_context *ekka_cuda_context_enter(const struct ekka_cuda_driver *drv, CUstream stream, bool *ret_pushed,
						  const char **ret_why);
void ekka_cuda_context_leave(const struct ekka_cuda_driver *drv, bool pushed);

/* Notes the outcome of our driver calls: switches the context off after a sticky error or several in a row. */
void ekka_cuda_context_note(struct ekka_cuda_context *, CUresult res);

/* An event of the context's pool; NULL when none can be made. */
CUevent ekka_cuda_event_take(const struct ekka_cuda_driver *drv, struct ekka_cuda_context *);
void ekka_cuda_event_give(struct ekka_cuda_context *, CUevent);
void ekka_cuda_event_put(struct ekka_cuda_context *, CUevent);	/* the same with ekka_cuda_lock held */

/* The i-th context that was set up; NULL: there are no more. */
struct ekka_cuda_context *ekka_cuda_context_at(unsigned i);

/* Forgets everything without calling the driver: in a forked child. */
void ekka_cuda_context_forget(void);

#endif
