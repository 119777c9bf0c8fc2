/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds out what a wrong matrix product looks like: computes, for some wrong elements, what known kinds of faults would have
 * given, and names the one that reproduces the recorded values. A match is strong evidence, not proof.
 */
#ifndef EKKA_COMPARE_HYPOTHESIS_H
#define EKKA_COMPARE_HYPOTHESIS_H

#include "compare/tally.h"

enum { EKKA_READ_STEPS = 8 };

/* How a line of an operand is read: as the op does, or as a fault might. */
enum ekka_reading {
	EKKA_READ_RIGHT,
	EKKA_READ_TRANSPOSED,		/* only of a square operand */
	EKKA_READ_PACKED,		/* leading dimension as small as the matrix allows */
	EKKA_READ_HALF_LD,
	EKKA_READ_DOUBLE_LD,
	/* By 1, 2, 4... elements: a leading dimension that is larger or smaller, a pointer that is ahead or behind. */
	EKKA_READ_LARGER_LD,
	EKKA_READ_SMALLER_LD = EKKA_READ_LARGER_LD + EKKA_READ_STEPS,
	EKKA_READ_AHEAD = EKKA_READ_SMALLER_LD + EKKA_READ_STEPS,
	EKKA_READ_BEHIND = EKKA_READ_AHEAD + EKKA_READ_STEPS,
	EKKA_READING_COUNT = EKKA_READ_BEHIND + EKKA_READ_STEPS
};

/* What follows on the sum (a bias, an activation, scales): as it should, or as a fault might leave it. */
enum ekka_finish {
	EKKA_FINISH_RIGHT,
	EKKA_FINISH_NO_BIAS,
	EKKA_FINISH_NEXT_BIAS,		/* that of the row behind */
	EKKA_FINISH_NO_ACTIVATION,
	EKKA_FINISH_NO_SCALE,
	EKKA_FINISH_NO_FACTORS,		/* of rows and columns */
	EKKA_FINISH_COUNT
};

/* Access to the operands, as op(A) is m x k and op(B) k x n; all conjugations done. */
struct ekka_hypothesis_input {
	int64_t m, n, k, batch;
	double alpha[2], beta[2];
	bool has_product, conj_a, conj_b;
	const struct ekka_bound_model *model;
	/* Row i of op(A), k complex numbers, to ret. 1 when that reading does not apply or this line would leave the recorded bytes; negative on error. */
	int (*a_line)(void *arg, int64_t b, int64_t i, enum ekka_reading how, double (*ret)[2]);
	int (*b_line)(void *arg, int64_t b, int64_t j, enum ekka_reading how, double (*ret)[2]);	/* column j of op(B), likewise */
	/* C before the call: 0, or negative when not recorded. */
	int (*c0)(void *arg, int64_t b, int64_t i, int64_t j, double ret[2]);
	/* The result from alpha times the sum and beta times C, real; NaN where that change is none. NULL: their sum. */
	double (*finish)(void *arg, enum ekka_finish how, const struct ekka_element *, double product, double added);
	/* The sum of both from a result, where finish has an inverse; else NULL. */
	double (*unfinish)(void *arg, const struct ekka_element *, double result);
	void *arg;
};

/* Fills text (EKKA_TEXT bytes) with "as if K was cut at 4096 (of 4100)" or leaves it empty. Negative only when out of memory or on read errors. */
int ekka_hypothesis_find(const struct ekka_hypothesis_input *in, const struct ekka_tally *tally, char *text, struct ekka_error *err);

#endif
