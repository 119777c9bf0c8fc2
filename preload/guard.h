/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the shim keeps per thread, and the floating-point state it must not disturb. Zone: inside the host process.
 *
 * Initial-exec TLS: no allocation at first use in a thread, safe in signal handlers, nothing to free at thread exit.
 */
#ifndef EKKA_PRELOAD_GUARD_H
#define EKKA_PRELOAD_GUARD_H

#include "preload/capture.h"
#include "preload/lock.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

struct ekka_cuda_timing;
struct ekka_slot;
struct ekka_kernel;

enum { EKKA_MAX_DEPTH = 8 };		/* calls inside calls; deeper ones are not recorded */

/* The GPU time of the outermost call in progress: preload/timing.h. */
struct ekka_timed {
	struct ekka_cuda_timing *pair;	/* NULL: nothing has begun on the device */
	uint64_t event;
	unsigned generation;
	bool wanted;			/* it begins with the first launch inside the call */
};

struct ekka_thread {
	bool inside;			/* our own code runs: calls from signal handlers pass straight through */
	int32_t tid;			/* 0: not asked yet */
	void *real;			/* what ekka_real answered last */
	struct ekka_timed timed;
	unsigned depth;			/* calls in progress */
	struct ekka_frame {		/* of each; not in the call's own memory, which a longjmp leaves to others */
		uintptr_t at;		/* address of its struct ekka_call */
		uint64_t event;
		bool muted;
		bool host;		/* of a library that computes on the host: what it launches is no part of its tensors */
	} frame[EKKA_MAX_DEPTH];
};
extern _Thread_local struct ekka_thread ekka_self __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Set by the thunk that dlsym gave out (thunk.S), taken by ekka_real. */
extern _Thread_local const struct ekka_slot *ekka_pending __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The view of ekka_call.private_. */
struct ekka_call_private {
	void *real;
	unsigned generation;		/* segment that the event belongs to */
	uint32_t fp;			/* the engine's floating-point control and flags */
	bool muted;			/* left out by skip, count, every; or its record was dropped */
	const struct ekka_kernel *kernel;	/* a launch, or NULL */
	bool (*above)(const void *pc);	/* a launch whose caller is not known */
	bool part;			/* not the first event of a grouped call: not on the thread's list */
};
_Static_assert(sizeof(struct ekka_call_private) <= sizeof(((struct ekka_call *)0)->private_), "private_ is too small");

static inline struct ekka_call_private *ekka_private(struct ekka_call *call)
{
	return (struct ekka_call_private *)call->private_;
}

/*
 * Our code converts scalars: under the engine's settings that could raise its flags, trap, or flush a denormal
 * alpha to zero. Returns the engine's state, sets the default one; leave puts it back.
 */
static inline uint32_t ekka_fp_enter(void)
{
#if defined(__x86_64__)
	uint32_t old = _mm_getcsr();
	_mm_setcsr(0x1f80);
	return old;
#elif defined(__aarch64__)
	/* Flags are in FPSR; FPCR (traps, flush to zero) is left as it is. */
	uint64_t fpsr;
	__asm__ volatile("mrs %0, fpsr" : "=r"(fpsr));
	return (uint32_t)fpsr;
#else
#error "no floating-point guard for this architecture"
#endif
}

static inline void ekka_fp_leave(uint32_t old)
{
#if defined(__x86_64__)
	_mm_setcsr(old);
#elif defined(__aarch64__)
	__asm__ volatile("msr fpsr, %0" : : "r"((uint64_t)old));
#endif
}

#endif
