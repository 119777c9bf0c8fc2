/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GPU time of calls, by EKKA_TIMING: for outermost ones alone, whatever is inside belongs to them. Zone: inside the host process.
 *
 * A launch is between two events in its stream, as close to it as can be. Of a library call it is what lies from before its first launch to behind its last
 * one, where launches are seen: what the library does on the host before, such as loading code, is no time of the device. What the pair itself takes, a
 * microsecond or two, and the host's way from the first event to the launch when the device has nothing else to do, is in the time all the same.
 */
#ifndef EKKA_PRELOAD_TIMING_H
#define EKKA_PRELOAD_TIMING_H

#include "preload/guard.h"

/* Right before the real call, once its event has a number; inside the shim's own code. Nothing for calls that are no device's, or memory operations. */
void ekka_timing_begin(struct ekka_call *call);

/* Around the launch of a kernel or a graph inside whatever call the thread is in. Nothing when that is not timed. Outside the shim's own code. */
void ekka_timing_inner_begin(uint64_t stream);
void ekka_timing_inner_end(uint64_t stream);

/* Would inner_end do something. */
static inline bool ekka_timing_inner_waits(void)
{
	return ekka_self.timed.pair && ekka_self.depth > 0;
}

/* Right after the real call; event 0 or another one than began: nothing. failed: the device had nothing to do. Inside the shim's own code. */
void ekka_timing_end(uint64_t event, unsigned generation, bool failed);

/* Sink thread. An entry of the queue is taken; times that are known by now become records by way of `put`; returns how many are not. */
struct ekka_entry;
struct ekka_rec_time;
void ekka_timing_take(const struct ekka_entry *);
unsigned ekka_timing_poll(void (*put)(const struct ekka_rec_time *));

/* In a forked child, and when a call was left by a jump: what the thread had begun is forgotten. */
void ekka_timing_forget(void);

#endif
