/* SPDX-License-Identifier: Apache-2.0 */
/* What judging a quantisation and explaining a wrong one share; op_quantize.c has the mathematics. One thread. */
#ifndef EKKA_REPLAY_OP_QUANTIZE_H
#define EKKA_REPLAY_OP_QUANTIZE_H

#include "replay/quantize_element.h"
#include "replay/rows.h"

struct ekka_quantize {
	const struct ekka_array *x, *y;
	double *scale, *zero;		/* [R, G]; zero: NULL, or the same shape */
	int64_t rows, n, r, g, block_rows, block;
	double u, qmax;
	struct ekka_quantize_range range;	/* of y */
	/* What hypotheses change. */
	bool inverse, no_scale, toward_zero, transposed, no_zero, unsaturated;
	double factor;			/* of the scale */
	int64_t row_shift;
};

/* Lowest and highest value that element (row, column) may have, whose input is x. NaN, NaN where that is none. */
void ekka_quantize_interval(const struct ekka_quantize *, int64_t row, int64_t column, double x, double *ret_low, double *ret_high);

/* Smallest and largest x of every block, [R * G] each; line: [n]. NaN does not count, but is told. */
void ekka_quantize_extremes(const struct ekka_quantize *, double *line, double *low, double *high, bool *ret_nan);

/* The scale that belongs to the largest magnitude. */
double ekka_quantize_scale(const struct ekka_quantize *, const struct ekka_scaling *, double amax);

/* Has the device compare all outputs (quantize_device.c): struct ekka_rows_op's. scale_out, zero_out: that the event wrote; NULL: none. */
bool ekka_quantize_device(struct ekka_rows *, const struct ekka_quantize *, const struct ekka_array *scale, const struct ekka_array *zero,
			  const struct ekka_array *scale_out, const struct ekka_array *zero_out, const struct ekka_scaling *);

/* Says what a failed one looks like. scale: that the event wrote from magnitudes; NULL: none. 0, or negative with err filled. */
int ekka_quantize_explain(struct ekka_rows *, const struct ekka_quantize *, const struct ekka_array *scale, const struct ekka_scaling *,
			  struct ekka_error *err);

#endif
