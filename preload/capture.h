/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a generated wrapper calls. Zone: inside the host process.
 *
 * Rules of this zone (preload/, cupti/): call the real function exactly once and
 * return its value; keep errno, the signal mask and the floating-point
 * environment; no malloc, stdio, exit or abort on the call path; hold no lock across a
 * real call; on trouble drop the event, count it, say so once.
 *
 * Shape of every generated wrapper (spec/gen-wrappers.awk):
 *
 *	void cblas_sgemm(const int order, ..., float *C, const int ldc)
 *	{
 *		typedef void real_fn(const int, ..., float *, const int);
 *		real_fn *real = (real_fn *)ekka_real(EKKA_FN_cblas_sgemm, __builtin_return_address(0));
 *		struct ekka_call call;
 *
 *		if (!ekka_call_enter(&call, EKKA_FN_cblas_sgemm, __builtin_return_address(0))) {
 *			real(order, ..., C, ldc);
 *			return;
 *		}
 *		if (call.describe) {
 *			ekka_arg_int(&call, order); ...
 *			ekka_attr_real(&call, "alpha", alpha); ...
 *			ekka_tensor(&call, &(struct ekka_tensor){ ... });
 *		}
 *		ekka_call_begin(&call);
 *		real(order, ..., C, ldc);
 *		ekka_call_end(&call, NULL);
 *	}
 *
 * Everything here is thread-safe; a struct ekka_call belongs to the calling thread.
 */
#ifndef EKKA_PRELOAD_CAPTURE_H
#define EKKA_PRELOAD_CAPTURE_H

#include "trace/model.h"

#ifndef EKKA_PUBLIC
#define EKKA_PUBLIC __attribute__((visibility("default")))
#endif

/* Generated (spec/): one per intercepted symbol, indexed by EKKA_FN_<symbol>. */
struct ekka_fn {
	const char *name;			/* ELF symbol */
	const char *library;			/* "cblas" */
	const char *op;				/* "gemm", or "" */
	const struct ekka_arg_info *args;
	unsigned n_args;
};
extern const struct ekka_fn ekka_fns[];	/* in strcmp order of the names */
extern const unsigned ekka_n_fns;

/*
 * Generated: sonames to try with RTLD_NOLOAD, by library name. One with a '*' is a glob over the base names of the objects that are
 * loaded: the OpenBLAS inside a Python wheel has a hash in its name.
 */
struct ekka_library {
	const char *name;
	const char *const *sonames;		/* NULL-terminated */
	bool has_missing;			/* its wrappers return a status when there is no real function */
};
extern const struct ekka_library ekka_libraries[];
extern const unsigned ekka_n_libraries;

struct ekka_call {
	const struct ekka_fn *fn;		/* NULL: a kernel launch */
	unsigned fn_id;
	const void *caller;			/* return address in the engine */
	bool describe;				/* arguments and tensors are wanted */
	bool full;				/* tensor bytes are wanted */
	bool outermost;				/* depth is 0 */
	bool device_pointer_mode;		/* CUDA: alpha and beta are device addresses */
	int saved_errno;
	struct ekka_rec_call rec;
	struct ekka_value args[EKKA_MAX_ARGS];
	struct ekka_attr attrs[EKKA_MAX_ATTRS];
	struct ekka_tensor tensors[EKKA_MAX_TENSORS];
	/* Snapshot bookkeeping, private to preload/. */
	uint64_t private_[16];
};

/*
 * The real function behind intercepted symbol fn_id for a call coming from `caller`. Never NULL for a
 * symbol the program could have called without us. When there is none, says so once for each symbol; then NULL if
 * the library has_missing, else ends the process the way the dynamic linker would have (exit status 127).
 */
void *ekka_real(unsigned fn_id, const void *caller);

/*
 * False when the call is not to be recorded (tracing off, filtered, inside our own
 * code): the wrapper then only calls the real function. True: `call` is
 * initialised and ekka_call_begin and ekka_call_end must follow, in that order, once each.
 */
bool ekka_call_enter(struct ekka_call *call, unsigned fn_id, const void *caller);
void ekka_call_begin(struct ekka_call *call);		/* snapshots inputs, writes `call` and PRE `data` */
void ekka_call_end(struct ekka_call *call, const struct ekka_value *ret);	/* ret NULL: void function */

/*
 * A call that is recorded as several events (the groups of a grouped GEMM): after ekka_call_enter(first) was true, initialises
 * `part` as event number `group` of the same call, with first's stack, parent and depth. The parts begin in order, `first` first, before the
 * real call, and all end after it, `first` last. drop_parts counts n groups that got no event.
 */
void ekka_call_enter_part(struct ekka_call *part, struct ekka_call *first, unsigned group);
void ekka_call_drop_parts(struct ekka_call *first, uint64_t n);

/* Arguments, in order, as passed; what Fortran passes by reference, except arrays and scalars like alpha, by value. More than EKKA_MAX_* are dropped and counted. */
void ekka_arg_int(struct ekka_call *, int64_t v);
void ekka_arg_real(struct ekka_call *, double v);
void ekka_arg_complex(struct ekka_call *, double re, double im);
void ekka_arg_ptr(struct ekka_call *, const void *p);

void ekka_attr_int(struct ekka_call *, const char *name, int64_t v);
void ekka_attr_real(struct ekka_call *, const char *name, double v);
void ekka_attr_complex(struct ekka_call *, const char *name, double re, double im);
void ekka_attr_str(struct ekka_call *, const char *name, const char *static_string);

/*
 * A scalar passed by pointer (alpha, beta). On the host, or under host pointer mode: read now and stored as attribute
 * `name`. Under device pointer mode: described as a one-element input tensor `name` instead. NULL is stored as NIL.
 */
void ekka_attr_scalar(struct ekka_call *, const char *name, enum ekka_dtype dtype, const void *p);

/* Is the scalar known to be zero. False when it lives on the device or p is NULL. */
bool ekka_scalar_is_zero(const struct ekka_call *, enum ekka_dtype dtype, const void *p);

/* Describes a tensor: computes offset and span_bytes from dims and strides, drops it if a dim is <= 0. Returns its index, or -1. */
int ekka_tensor(struct ekka_call *, const struct ekka_tensor *t);

/* Says that the arguments are invalid by the API's own rules, so that no memory may be touched. */
void ekka_call_bad_args(struct ekka_call *, const char *static_reason);

/* CUDA (preload/cuda*.c): fills stream, device and pointer mode from a cuBLAS handle, with the real cuBLAS's getters. */
void ekka_context_cublas(struct ekka_call *, void *cublas_handle);

#endif
