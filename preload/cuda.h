/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots of device memory, and what the CUDA driver knows about a call.
 * Zone: inside the host process.
 *
 * Rules of this part: the driver is reached only where the engine has loaded it itself (no DT_NEEDED, no cuInit), the
 * engine's streams, contexts and devices are never synchronised, nothing is enqueued on a stream that is being
 * captured, and no error of ours reaches the engine. A snapshot is an asynchronous copy on the call's own stream
 * into a staging slab, so that stream order makes it right; the sink thread moves it to the host
 * over a side stream later. What cannot be taken is said by a reason for the `data` record.
 *
 * Built only where configure found CUDA's headers; without HAVE_CUDA these do nothing. Include config.h first.
 */
#ifndef EKKA_PRELOAD_CUDA_H
#define EKKA_PRELOAD_CUDA_H

#include "preload/capture.h"

/* One device-to-host copy on its way. */
struct ekka_cuda_copy;

/* What became of one tensor's snapshot: all zero when it is not wanted or not on a device, else exactly one of the first three is set. */
struct ekka_cuda_taken {
	struct ekka_cuda_copy *copy;
	uint64_t known;			/* an earlier snapshot has the same bytes: its serial number (preload/versions.h) */
	const char *missing;		/* static text for the `data` record */
	uint32_t clock;			/* of a copy: when it was enqueued */
	bool stays;			/* of a copy: it is of device memory, of which every write is seen */
};

#ifdef HAVE_CUDA

/*
 * Enqueues copies of every device tensor of `call` that wants its bytes in `phase` (t.pre, t.post; not aliases): before the real call
 * for EKKA_PRE, after it for EKKA_POST, on the thread that makes the call. Waits, bounded, for room only when EKKA_WHEN_FULL is "block".
 */
void ekka_cuda_snapshot(struct ekka_call *call, enum ekka_phase phase, struct ekka_cuda_taken ret[EKKA_MAX_TENSORS]);

/* Bytes that the copy holds. */
uint64_t ekka_cuda_copy_bytes(const struct ekka_cuda_copy *);

/*
 * Sink thread: waits, bounded, until the copy's bytes are on the host. NULL and *ret_bytes (contiguous, valid
 * until the release), or why there are none (static text).
 */
const char *ekka_cuda_copy_wait(struct ekka_cuda_copy *, const void **ret_bytes);

/* Sink thread: the same, if that waits for nothing but a transfer. False: not now. */
bool ekka_cuda_copy_try(struct ekka_cuda_copy *, const void **ret_bytes);

/* Gives the copy and its memory back, waited for or not; any thread, but each copy once. NULL is fine. */
void ekka_cuda_copy_release(struct ekka_cuda_copy *);

/*
 * The engine is out of device memory: gives back what we hold of the current device's, as far as no copy lies in it; the rest follows when those
 * have left. True when something was given back, so that asking again makes sense. Waits for nothing, and says once that it came to this. Any thread.
 */
bool ekka_cuda_make_room(void);

/*
 * A context is about to be destroyed, `ctx` (a CUcontext), or reset with all of a device, `device` (-1: none): no snapshot is taken in it any
 * more and none of its own is brought home after this returns. Waits, bounded, for what is on its way; what is not there then is missing for "no context".
 * Pinned memory that belongs to the context is given up, and taken anew in the next one if nothing was left. A context made later is another one. Any thread.
 */
void ekka_cuda_context_ends(const void *ctx, int device);

/* Facts for the `device` record: false when the ordinal is unknown. The name lives as long as the process. */
bool ekka_cuda_device(int32_t ordinal, struct ekka_rec_device *ret_device);

/*
 * `drain` is called once at exit, before the driver shuts down, if a snapshot was ever taken: it must have every pending copy waited for
 * and released, within a bounded time.
 */
void ekka_cuda_on_exit(void (*drain)(void));

/* In a forked child: forgets the parent's CUDA state without touching it. */
void ekka_cuda_fork_child(void);

#else /* no device tensor can exist */

static inline void ekka_cuda_snapshot(struct ekka_call *call, enum ekka_phase phase, struct ekka_cuda_taken *ret)
{
	(void)phase;
	for (unsigned i = 0; i < call->rec.n_tensors; i++)
		ret[i] = (struct ekka_cuda_taken){ 0 };
}
static inline uint64_t ekka_cuda_copy_bytes(const struct ekka_cuda_copy *copy)
{
	(void)copy;
	return 0;
}
static inline const char *ekka_cuda_copy_wait(struct ekka_cuda_copy *copy, const void **ret_bytes)
{
	(void)copy, (void)ret_bytes;
	return "no CUDA";
}
static inline bool ekka_cuda_copy_try(struct ekka_cuda_copy *copy, const void **ret_bytes)
{
	(void)copy, (void)ret_bytes;
	return false;
}
static inline void ekka_cuda_copy_release(struct ekka_cuda_copy *copy)
{
	(void)copy;
}
static inline bool ekka_cuda_make_room(void)
{
	return false;
}
static inline bool ekka_cuda_device(int32_t ordinal, struct ekka_rec_device *ret_device)
{
	(void)ordinal, (void)ret_device;
	return false;
}
static inline void ekka_cuda_on_exit(void (*drain)(void))
{
	(void)drain;
}
static inline void ekka_cuda_fork_child(void)
{
}
static inline void ekka_cuda_context_ends(const void *ctx, int device)
{
	(void)ctx, (void)device;
}

#endif
#endif
