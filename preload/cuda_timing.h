/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long the device was at work for a call: a pair of events in the call's own stream. Zone: inside the host process.
 *
 * The engine's thread records both, the sink's thread asks later whether they have been passed; nobody waits for the device. Pairs come from a
 * bounded pool and are made when a context needs its first ones. Nothing is enqueued on a stream that is being captured.
 */
#ifndef EKKA_PRELOAD_CUDA_TIMING_H
#define EKKA_PRELOAD_CUDA_TIMING_H

#include "preload/capture.h"

struct ekka_cuda_timing;

#ifdef HAVE_CUDA

/*
 * Records a pair's first event in `stream` (a CUstream): the pair, or NULL when there is none to be had, which is counted, or the stream is being
 * captured. Engine's threads.
 */
struct ekka_cuda_timing *ekka_cuda_timing_begin(uint64_t stream);

/*
 * Work of the call on `stream` is about to be enqueued, or has been: where that is the pair's own stream the second event is recorded behind it, in the place of an earlier
 * one. On another stream it is recorded at the end of the call alone.
 */
void ekka_cuda_timing_more(struct ekka_cuda_timing *);
void ekka_cuda_timing_mark(struct ekka_cuda_timing *, uint64_t stream);

/* The call is over: true when the pair is whole and may be handed to the sink, with ekka_cuda_timing_hand; else drop it. */
bool ekka_cuda_timing_end(struct ekka_cuda_timing *);
void ekka_cuda_timing_hand(struct ekka_cuda_timing *, uint64_t event);
void ekka_cuda_timing_drop(struct ekka_cuda_timing *);

/*
 * Sink thread: takes a pair that was handed over; then, as often as it likes, tells `done` of each event whose device time is known by now, in nanoseconds. Returns
 * how many are not known yet. What can never be known is counted as dropped.
 */
void ekka_cuda_timing_take(struct ekka_cuda_timing *);
unsigned ekka_cuda_timing_poll(void (*done)(uint64_t event, uint64_t ns));

/* Sink thread: gives up all that are not known, for the trace is about to be closed. */
void ekka_cuda_timing_give_up(void);

/* At exit: waits, bounded, until the sink knows all that were handed over. */
void ekka_cuda_timing_wait(void);

/* In a forked child: as if there had never been any. */
void ekka_cuda_timing_fork_child(void);

#else

static inline struct ekka_cuda_timing *ekka_cuda_timing_begin(uint64_t stream)
{
	(void)stream;
	return NULL;
}
static inline void ekka_cuda_timing_more(struct ekka_cuda_timing *t)
{
	(void)t;
}
static inline void ekka_cuda_timing_mark(struct ekka_cuda_timing *t, uint64_t stream)
{
	(void)t, (void)stream;
}
static inline bool ekka_cuda_timing_end(struct ekka_cuda_timing *t)
{
	(void)t;
	return false;
}
static inline void ekka_cuda_timing_hand(struct ekka_cuda_timing *t, uint64_t event)
{
	(void)t, (void)event;
}
static inline void ekka_cuda_timing_drop(struct ekka_cuda_timing *t)
{
	(void)t;
}
static inline void ekka_cuda_timing_take(struct ekka_cuda_timing *t)
{
	(void)t;
}
static inline unsigned ekka_cuda_timing_poll(void (*done)(uint64_t event, uint64_t ns))
{
	(void)done;
	return 0;
}
static inline void ekka_cuda_timing_give_up(void)
{
}
static inline void ekka_cuda_timing_wait(void)
{
}

#endif
#endif
