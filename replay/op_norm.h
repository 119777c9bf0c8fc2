/* SPDX-License-Identifier: Apache-2.0 */
/* What judging a norm and explaining a wrong one share; op_norm.c has the mathematics. One thread. */
#ifndef EKKA_REPLAY_OP_NORM_H
#define EKKA_REPLAY_OP_NORM_H

#include "replay/norm_element.h"
#include "replay/rows.h"

struct ekka_norm {
	struct ekka_rows rows;
	struct ekka_array *x, *residual, *y, *residual_out, *mean_out, *rstd_out;	/* NULL: none */
	const struct ekka_array *weight_array, *bias_array;	/* what follows is of these */
	double *weight, *bias;		/* [weight_rows, n] or NULL: row r takes those of r % weight_rows */
	int64_t weight_rows, bias_rows;
	int64_t n, n_rows;
	enum ekka_dtype compute, round_residual, round_before_weight;	/* f64: no rounding */
	bool use_stored;		/* the norm is taken of residual_out as stored */
	bool one_pass;
	double u, tiny, additions;
	struct ekka_norm_form form;
	double *h, *error, *stored, *ref, *bound;	/* some rows, or one */
	double *mean, *mean_bound, *rstd, *rstd_bound;	/* of these rows */
};

struct ekka_norm_limits ekka_norm_limits_of(const struct ekka_norm *);

/* What the norm is taken of, rows row..row+rows-1, to x->h and x->error. Returns rows. */
int64_t ekka_norm_load(struct ekka_norm *x, int64_t row, int64_t rows, const struct ekka_norm_form *f);

/* Row `row`'s statistics, y and its bound before it is rounded to y's type. */
void ekka_norm_row(const struct ekka_norm *x, const struct ekka_norm_form *f, int64_t row, const double *h, const double *error,
		   struct ekka_norm_stats *ret, double *ref, double *bound);

bool ekka_norm_device(void *norm);	/* norm_device.c: struct ekka_rows_op's */

/* Says what a failed norm looks like: another eps, no weight, the mean not subtracted, the tail missing... */
void ekka_norm_explain(void *norm);

#endif
