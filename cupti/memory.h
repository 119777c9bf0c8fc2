/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's functions that move memory or order work, as events. Zone: inside the host process. Any thread.
 *
 * Every function of memory_*.c is one WATCHED: the real one, with an event around it where EKKA_LINEAGE asks for it. No bytes of them are
 * stored, only which were read and written. They are cheap and have no stack.
 */
#ifndef EKKA_CUPTI_MEMORY_H
#define EKKA_CUPTI_MEMORY_H

#include "cupti/hooks.h"
#include "cupti/pairs.h"

#include "preload/launch.h"

#include <cuda.h>

struct ekka_driver_fn {
	struct ekka_kernel fn;
	_Atomic uint8_t wanted;		/* by include and exclude: 0 not asked yet, 1 yes, 2 no */
};

/* Do we watch memory: launches are captured, and nobody of ours is calling. In a forked child, starts it first. */
bool ekka_memory_on(void);

/*
 * As ekka_call_enter, for a function of the driver: false when there is to be no event. After true, and with call->describe, stream and arguments
 * may be told, and what the helpers below say; then ekka_call_begin and ekka_call_end.
 */
bool ekka_memory_enter(struct ekka_call *call, struct ekka_driver_fn *fn, const void *caller);
void ekka_memory_tell(struct ekka_call *call, CUstream stream, const struct ekka_value *args, unsigned n_args);

/* The engine found no device memory: has some been given back. */
bool ekka_memory_make_room(void);

/* A context ends, `ctx` or all of a device, `device` (-1: none): snapshots of library calls need to know that without launches, too. */
void ekka_memory_context_ends(CUcontext ctx, int device);

/* The stream that a per-thread (_ptsz, _ptds) entry point means. */
static inline CUstream ekka_own_stream(CUstream s)
{
	return s ? s : CU_STREAM_PER_THREAD;
}

/* Where what an address of unified addressing means lies. */
enum ekka_place ekka_memory_place(uint64_t addr);

/* A box of bytes: `depth` layers, slice bytes apart, of `rows` rows, pitch bytes apart, of `bytes` bytes. */
struct ekka_box { uint64_t depth, rows, bytes, slice, pitch; };

/* Describes what is read or written as a tensor of bytes. */
void ekka_memory_tensor(struct ekka_call *call, const char *name, enum ekka_dir dir, enum ekka_place place, uint64_t addr,
			struct ekka_box box);

/* Attribute `name`: an address or a handle. */
void ekka_memory_attr(struct ekka_call *call, const char *name, const void *handle);

#define DRIVER_FN(symbol, aside_, ...)                                                                                            \
	static const struct ekka_arg_info args_##symbol[] = { PAIRS(PAIR_INFO, __VA_ARGS__) };                                    \
	static struct ekka_driver_fn fn_##symbol = { .fn = { .name = #symbol, .library = "driver", .aside = aside_, .args = args_##symbol, \
							     .n_args = sizeof(args_##symbol) / sizeof(args_##symbol[0]) } };

#define TELL(symbol, handle, tell, ...)                                                                                       \
	do {                                                                                                                      \
		const struct ekka_value values[] = { PAIRS(PAIR_VALUE, __VA_ARGS__) };                                            \
		ekka_memory_tell(&e, (CUstream)(handle), values, sizeof(values) / sizeof(values[0]));                                     \
		tell;                                                                                                             \
	} while (0)

#define NO_DRIVER CUDA_ERROR_NOT_INITIALIZED

/*
 * Defines an entry point whose event begins before the real call: stream handle, statements that describe `e`, statements just before and
 * after the real call (`res`), parameters.
 */
#define WATCHED_AROUND(symbol, handle, tell, before, after, ...)                                                              \
	DRIVER_FN(symbol, true, __VA_ARGS__)                                                                                      \
	EKKA_PUBLIC CUresult symbol(PAIRS(PAIR_PARAMETER, __VA_ARGS__))                                                           \
	{                                                                                                                         \
		__typeof__(&symbol) call = REAL(symbol);                                                                          \
		struct ekka_call e;                                                                                               \
		bool on = ekka_memory_enter(&e, &fn_##symbol, __builtin_return_address(0));                                       \
		if (on) {                                                                                                         \
			if (e.describe)                                                                                           \
				TELL(symbol, handle, tell, __VA_ARGS__);                                                      \
			ekka_call_begin(&e);                                                                                      \
		}                                                                                                                 \
		before;                                                                                                           \
		CUresult res = call ? call(PAIRS(PAIR_NAME, __VA_ARGS__)) : NO_DRIVER;                                            \
		after;                                                                                                            \
		if (on)                                                                                                           \
			ekka_call_end(&e, &(struct ekka_value){ .kind = EKKA_V_INT, .i = res });                                  \
		return res;                                                                                                       \
	}
#define WATCHED(symbol, handle, tell, ...) WATCHED_AROUND(symbol, handle, tell, , , __VA_ARGS__)

/*
 * One whose event comes after the real call, which alone tells what it is about. `known` follows the call first. retry: it allocates
 * device memory, and is called again when there was none but we could give some back.
 */
#define WATCHED_AFTER(symbol, handle, known, tell, ...) WATCHED_AFTER_RETRY(symbol, false, handle, known, tell, __VA_ARGS__)
#define WATCHED_AFTER_RETRY(symbol, retry, handle, known, tell, ...)                                                              \
	DRIVER_FN(symbol, true, __VA_ARGS__)                                                                                      \
	EKKA_PUBLIC CUresult symbol(PAIRS(PAIR_PARAMETER, __VA_ARGS__))                                                           \
	{                                                                                                                         \
		__typeof__(&symbol) call = REAL(symbol);                                                                          \
		CUresult res = call ? call(PAIRS(PAIR_NAME, __VA_ARGS__)) : NO_DRIVER;                                            \
		if ((retry) && res == CUDA_ERROR_OUT_OF_MEMORY && ekka_memory_make_room())                                            \
			res = call(PAIRS(PAIR_NAME, __VA_ARGS__));                                                                \
		bool done = res == CUDA_SUCCESS;                                                                                  \
		struct ekka_call e;                                                                                           \
		if (done && ekka_memory_on()) {                                                                                           \
			known;                                                                                                    \
		}                                                                                                                 \
		if (ekka_memory_enter(&e, &fn_##symbol, __builtin_return_address(0))) {                                       \
			if (e.describe)                                                                                       \
				TELL(symbol, handle, if (done) { tell; }, __VA_ARGS__);                                            \
			ekka_call_begin(&e);                                                                                  \
			ekka_call_end(&e, &(struct ekka_value){ .kind = EKKA_V_INT, .i = res });                              \
		}                                                                                                                 \
		return res;                                                                                                       \
	}

#endif
