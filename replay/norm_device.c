/* SPDX-License-Identifier: Apache-2.0 */
/* Op norm on a device: all of it but explaining what is wrong. */
#include "replay/op_norm.h"

#include "compare/format.h"
#include "replay/rows_device.h"

/* Rounding to e4m3 overflows to NaN there, and to infinity here. */
static bool format_for(enum ekka_dtype t, struct ekka_format *ret)
{
	*ret = ekka_format_of(t);
	return !ret->nan_on_overflow;
}

bool ekka_norm_device(void *arg)
{
	struct ekka_norm *x = arg;
	struct ekka_norm_job job = { .n = x->n, .n_rows = x->n_rows, .weight_rows = x->weight_rows, .bias_rows = x->bias_rows, .form = x->form,
				     .limits = ekka_norm_limits_of(x), .use_stored = x->use_stored };
	struct ekka_rows_work w = { .job = &job, .bytes = sizeof job, .n_steps = 1, .step = { { EKKA_ROWS_norm, x->n_rows } } };

	ekka_rows_work_in(&w, x->x, &job.x);
	ekka_rows_work_in(&w, x->residual, &job.residual);
	ekka_rows_work_in(&w, x->weight_array, &job.weight);
	ekka_rows_work_in(&w, x->bias_array, &job.bias);
	ekka_rows_work_out(&w, x->y, &job.y);
	ekka_rows_work_out(&w, x->residual_out, &job.residual_out);
	ekka_rows_work_out(&w, x->mean_out, &job.mean);
	ekka_rows_work_out(&w, x->rstd_out, &job.rstd);
	return format_for(x->round_residual, &job.residual_format) && format_for(x->round_before_weight, &job.weight_format) &&
	       ekka_rows_on_device(&x->rows, &w);
}
