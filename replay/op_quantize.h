/* SPDX-License-Identifier: Apache-2.0 */
/* What judging a quantisation and explaining a wrong one share; op_quantize.c has the mathematics. One thread. */
#ifndef EKKA_REPLAY_OP_QUANTIZE_H
#define EKKA_REPLAY_OP_QUANTIZE_H

#include "replay/rows.h"

struct ekka_quantize {
	const struct ekka_array *x, *y;
	double *scale, *zero;		/* [R, G]; zero: NULL, or the same shape */
	int64_t rows, n, r, g, block_rows, block;
	double u, qmax, low, high;	/* range of y */
	bool integer;
	/* What hypotheses change. */
	bool inverse, no_scale, toward_zero, transposed, no_zero, unsaturated;
	double factor;			/* of the scale */
	int64_t row_shift;
};

/* How a scale is made of the largest magnitude. */
struct ekka_scaling { double upper, eps, least, qmax; bool power2; };

/* Lowest and highest value that element (row, column) may have, whose input is x. NaN, NaN where that is none. */
void ekka_quantize_interval(const struct ekka_quantize *, int64_t row, int64_t column, double x, double *ret_low, double *ret_high);

/* Smallest and largest x of every block, [R * G] each; line: [n]. NaN does not count, but is told. */
void ekka_quantize_extremes(const struct ekka_quantize *, double *line, double *low, double *high, bool *ret_nan);

/* The scale that belongs to the largest magnitude. */
double ekka_quantize_scale(const struct ekka_quantize *, const struct ekka_scaling *, double amax);

/* Says what a failed one looks like. scale: that the event wrote from magnitudes; NULL: none. 0, or negative with err filled. */
int ekka_quantize_explain(struct ekka_rows *, const struct ekka_quantize *, const struct ekka_array *scale, const struct ekka_scaling *,
			  struct ekka_error *err);

#endif
