/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel launches as events: what cupti/ hands to preload/. Zone: inside the host process.
 *
 * A launch is entered and left by two callbacks, so that nothing of it may live on the stack in between: a mark
 * carries what its end needs, and the call, where its bytes are wanted, lives elsewhere. Nothing nests in a launch. Any thread.
 */
#ifndef EKKA_PRELOAD_LAUNCH_H
#define EKKA_PRELOAD_LAUNCH_H

#include "preload/capture.h"

/* A kernel, once per process; never changes or goes away. */
struct ekka_kernel {
	const char *name;			/* mangled */
	const struct ekka_arg_info *args;	/* its parameters: name "p0", "p1"..., type "8 bytes at 16" */
	unsigned n_args;
	struct ekka_image *image;		/* of the module that it is in; NULL: not known */
	const char *via;			/* how its launches were seen when it was new: "cupti", "driver", with a reason after a colon */
	bool wanted;				/* by EKKA_INCLUDE and EKKA_EXCLUDE */
	const char *library;			/* NULL: a kernel. "driver": a function of the CUDA driver, that no spec has */
	bool aside;				/* of the driver: no call in the sense of EKKA_SKIP, COUNT and EVERY; has no stack */
};

/*
 * Is the window shut (preload/window.h) for whatever is not inside a recorded call: then nothing needs to be known of it. Counts it as left
 * out; what it writes needs no note, as all is forgotten when the window opens.
 */
bool ekka_left_out(void);

/* A launch in progress; event 0: it is not recorded. */
struct ekka_launch_mark { uint64_t event; unsigned generation; };

/*
 * False when the launch is not to be recorded. True: `call` is initialised as a launch inside the thread's innermost recorded call, if any;
 * when call->describe is set arguments and attributes may be told, when call->full is set tensors too; then ekka_launch_begin must follow.
 * frame: the calling function's, on the stack, where `call` need not be. caller: return address in the engine, or NULL when not known; `above` then says
 * which return addresses are not the engine's.
 */
bool ekka_launch_enter(struct ekka_call *call, const struct ekka_kernel *kernel, const void *frame, const void *caller,
		       bool (*above)(const void *pc));
struct ekka_launch_mark ekka_launch_begin(struct ekka_call *call);

/*
 * The launch returned `result`, a CUresult. call: the one that began, with its tensors; NULL when that is no more or its bytes are not wanted. A
 * launch that failed has written nothing: no bytes are taken after it.
 */
void ekka_launch_finish(struct ekka_call *call, struct ekka_launch_mark mark, int64_t result);

/*
 * A call of the driver. As ekka_call_enter; the caller has seen to include and exclude. One that is aside is recorded wherever the next call would be, or its
 * enclosing call is; no other event is inside it and no bytes of it are taken.
 */
bool ekka_driver_enter(struct ekka_call *call, const struct ekka_kernel *fn, const void *caller);

/*
 * Where launches are seen: cupti/. Somebody looks up or calls an entry point of the driver: starts launch capture, once, if
 * EKKA_LAUNCHES asks for it. Does not initialise CUDA.
 */
#ifdef HAVE_CUDA
void ekka_launches_start(void);

/*
 * Is the stream being captured: what is enqueued on it does not run now, but with the graph. False when launches are not watched. Costs next to nothing
 * while nobody captures.
 */
bool ekka_stream_is_captured(uint64_t stream);

/* Are launches seen now, whoever makes them. */
bool ekka_launches_are_seen(void);

/* Is `name` one of the driver's (or a profiler's way into CUPTI), asked for by the engine rather than by CUDA's own tools. */
bool ekka_launches_concern(const char *name, const void *caller);

/* What to give out instead of `found`, the real function of that name: an entry point of ours, or NULL. */
void *ekka_launches_answer(const char *name, void *found);

/* In a forked child: forgets what is known of the parent's device memory. */
void ekka_launches_fork_child(void);
#else
static inline void ekka_launches_start(void)
{
}
static inline bool ekka_stream_is_captured(uint64_t stream)
{
	(void)stream;
	return false;
}
static inline bool ekka_launches_are_seen(void)
{
	return false;
}
static inline bool ekka_launches_concern(const char *name, const void *caller)
{
	(void)name, (void)caller;
	return false;
}
static inline void *ekka_launches_answer(const char *name, void *found)
{
	(void)name, (void)found;
	return NULL;
}
static inline void ekka_launches_fork_child(void)
{
}
#endif

#endif
