/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges the elements of an op's outputs one by one, each against its reference and bound. For ops that are no matrix
 * product (those have compare/tally.h). One comparison covers all outputs of an event; not shared between threads.
 *
 * With B = bound + half the spacing of the output's dtype at |ref| + bound (at least half its smallest subnormal; 0 for integers, and
 * where bound is 0 and the dtype holds ref exactly) an element passes when |out - ref| <= B, or when both are NaN, or the same infinity. Anything passes where the bound is infinite or NaN, or
 * where |ref| + bound reaches the dtype's overflow while |ref| - bound does not and out is what overflow gives (infinity; NaN in e4m3): such
 * an element is loose, and an event that has loose elements and no bad ones is UNDECIDED, never PASS. It is UNDECIDED too when more than half
 * of the elements are visibly off (by 2^-7 of the reference) under a bound that exceeds half of the reference.
 */
#ifndef EKKA_COMPARE_ELEMENTS_H
#define EKKA_COMPARE_ELEMENTS_H

#include "compare/verdict.h"
#include "trace/model.h"

struct ekka_elements;
struct ekka_bad;

struct ekka_elements *ekka_elements_new(void);		/* NULL: no memory */
void ekka_elements_free(struct ekka_elements *);

/*
 * What follows belongs to this output: its name, dims and dtype (for the rounding to it). The tensor is borrowed until the verdict. May
 * be called again for an output that was begun before.
 */
void ekka_elements_output(struct ekka_elements *, const struct ekka_tensor *);

/*
 * n consecutive elements in row-major order from `first`. out: as stored; ref: reference in double; bound: of the value *before* it is rounded to the
 * output's dtype, which this adds: half an ulp of |ref| + bound in that type, subnormals included (0 for an exact cast of integers); bound NULL: all 0.
 * saturates: the store clamps to the largest finite number instead of giving an infinity.
 */
void ekka_elements_add(struct ekka_elements *, int64_t first, size_t n, const double *out, const double *ref, const double *bound,
		       bool saturates);

/* The same for results that must be equal to the bit: indices, masks, copies of 64-bit integers. */
void ekka_elements_add_int(struct ekka_elements *, int64_t first, size_t n, const int64_t *out, const int64_t *ref);

/*
 * What the current output held before the call, to recognise stale results: value() gives element `index` (row-major) or false.
 * `arg` is borrowed until the verdict. Without it that hypothesis is not tried.
 */
void ekka_elements_before(struct ekka_elements *, bool (*value)(void *arg, int64_t index, double *ret), void *arg);

/*
 * Adds what `part`, another comparison of the same outputs, found in later elements than those that came so far: for threads that compare a part each. False,
 * with nothing added, when it found bad ones: then all must be compared by one.
 */
bool ekka_elements_merge(struct ekka_elements *, const struct ekka_elements *part);

/*
 * What a device found in part of an output, or in all of it. `index`: of the element with the largest margin, the first of several, as are out, ref and
 * bound (with the rounding to the output's type).
 */
struct ekka_elements_part {
	uint64_t n, n_measured, n_loose, n_wide, n_bad;
	double margin, max_error;
	int64_t index;
	double out, ref, bound;
};

/* Adds a part of `output`, which is borrowed until the verdict. False, with nothing added, when it found bad ones: then all must be compared on the CPU. */
bool ekka_elements_take(struct ekka_elements *, const struct ekka_tensor *output, const struct ekka_elements_part *part);

/*
 * True once, when elements are bad and a second look would tell more about them (whether they are their neighbours' results): the op
 * may then add all elements of all outputs again, in whatever order; they are not counted twice.
 *
 *	do {
 *		... ekka_elements_output, ekka_elements_add ...
 *	} while (ekka_elements_again(e));
 */
bool ekka_elements_again(struct ekka_elements *);

/* The bad elements of this output so far (compare/elements_bad.h), borrowed; NULL when there are none. */
const struct ekka_bad *ekka_elements_bad(const struct ekka_elements *, const struct ekka_tensor *);

/*
 * Status, margin, worst element, counts, `output`, `where` (which rows, columns, every how many: by dims), looks_like where a simple
 * one fits (a constant factor, all zero, stale: equal to the bytes before). `bound_text` says what the bound is made of.
 */
void ekka_elements_verdict(struct ekka_elements *, const char *bound_text, struct ekka_verdict *ret);

#endif
