/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies in flight: what cuda_snapshot.c (engine's threads) enqueues and cuda_copy.c (sink's threads) completes.
 * Zone: inside the host process.
 */
#ifndef EKKA_PRELOAD_CUDA_COPY_H
#define EKKA_PRELOAD_CUDA_COPY_H

#include "preload/cuda.h"
#include "preload/cuda_context.h"

enum { EKKA_CUDA_COPIES = EKKA_RING_SLOTS };

/* A point in an engine's stream, shared by the copies that were enqueued together before it. */
struct ekka_cuda_mark {
	struct ekka_cuda_context *context;
	CUevent event;
	unsigned users;			/* under ekka_cuda_lock */
	atomic_bool recorded;		/* the event is in the stream: before that it tells nothing */
	atomic_bool passed;		/* the event was seen complete */
	struct ekka_cuda_mark *next;	/* in the free list */
};

struct ekka_cuda_copy {
	struct ekka_cuda_mark *mark;
	uint64_t bytes;
	CUdeviceptr staged;		/* address in the slab; 0 when copied straight to `host` */
	int staging_slot, direct_slot, bounce_slot;	/* ranges held, -1 none */
	struct ekka_cuda_copy *older, *younger;		/* in the slab; under ekka_cuda_lock */
	struct ekka_cuda_batch *batch;	/* the buffer that holds its bytes (cuda_fetch.c) */
	bool claimed;			/* the sink may be reading its range; under ekka_cuda_lock */
	char *host;			/* the bytes, once there */
	bool home;			/* its bytes are at `host` */
	bool mapped;			/* host is a mapping of its own */
	bool at_work;			/* the sink has it; under ekka_cuda_lock */
	struct ekka_cuda_copy *next;	/* in the free or in the abandoned list */
};

/* From the pools; NULL when all are in use. The first needs ekka_cuda_lock held, the second takes it. */
struct ekka_cuda_copy *ekka_cuda_copy_new(struct ekka_cuda_mark *mark, uint64_t bytes);
struct ekka_cuda_mark *ekka_cuda_mark_new(struct ekka_cuda_context *context, CUevent event);

/* Gives up one use of a mark: the maker's, or a copy's. */
void ekka_cuda_mark_drop(struct ekka_cuda_mark *);

/* Gives back a copy that the device does not touch: never enqueued, or complete. */
void ekka_cuda_copy_discard(struct ekka_cuda_copy *);

/* Copies taken from the pool and not yet given back; call with ekka_cuda_lock held. */
unsigned ekka_cuda_copies_in_flight(void);

/* Waits, bounded, for an event of ours. NULL, or why in vain (static text). */
const char *ekka_cuda_poll(const struct ekka_cuda_driver *, CUevent event);

/* Waits, bounded, until the sink reads no copy's bytes; or (all) until every copy is done with. */
void ekka_cuda_wait_for_sink(bool all);

/*
 * Sink thread: makes a context current, for questions about events; false when it is gone or off. Leave it soon: whoever destroys it waits.
 */
bool ekka_cuda_sink_enter(const struct ekka_cuda_driver *drv, struct ekka_cuda_context *);
void ekka_cuda_sink_leave(const struct ekka_cuda_driver *drv);

/* Pairs of events that the sink has been given and not given back: cuda_timing.c. Call with ekka_cuda_lock held. */
unsigned ekka_cuda_timings_in_flight(void);

/* Why nothing may be enqueued on the stream now, or NULL: static text. */
const char *ekka_cuda_capture_state(const struct ekka_cuda_driver *drv, CUstream stream);

/* Did the exit handler run. */
bool ekka_cuda_is_closed(void);

/* False after the exit handler ran: the driver may be gone. The first call registers that handler. */
bool ekka_cuda_usable(void);

#endif
