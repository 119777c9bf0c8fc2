/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/epilogue.h"

#include <math.h>

static const double TANH_APPROX = 0x1p-11, GELU_SLOPE = 1.13;
static const double INT8_MIN_VALUE = -128, INT8_MAX_VALUE = 127;

double ekka_gelu(double x)
{
	double u = sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);

	return x == -INFINITY ? 0 : 0.5 * x * (1 + tanh(u));
}

double ekka_epilogue_factor(const struct ekka_epilogue *e, int64_t i, int64_t j)
{
	return (e->row_scale ? e->row_scale[i] : 1) * (e->col_scale ? e->col_scale[j] : 1);
}

/* Bits of values that the bound puts on one side of zero. */
static void judge_mask(struct ekka_epilogue *e, const int64_t at[3], double t, double bound)
{
	bool bit = e->mask[at[0] * e->mask_item + at[2] * e->mask_column + at[1] / 8] >> at[1] % 8 & 1;

	if (!(fabs(t) > bound))
		return;
	e->n_mask++;
	if (bit == (t > 0))
		return;
	if (e->n_mask_bad++ == 0)
		for (int d = 0; d < 3; d++)
			e->mask_bad[d] = at[d];
}

static long double clamp(const struct ekka_bound_model *model, long double t)
{
	double low = model->out == EKKA_I8 ? INT8_MIN_VALUE : -model->max_out, high = model->out == EKKA_I8 ? INT8_MAX_VALUE : model->max_out;

	return t < low ? low : t > high ? high : t;
}

bool ekka_epilogue_apply(struct ekka_epilogue *e, const struct ekka_bound_model *model, const int64_t at[3], long double *t, double *bound,
			 double *unusual)
{
	double u = model->u_acc > 0 ? model->u_acc : 0x1p-24, bias = e->bias ? e->bias[at[0] * e->bias_step + at[1]] : 0, size, more, last;
	long double x = *t + bias;
	bool anything = e->activation != EKKA_ACT_NONE && !isfinite((double)x);

	more = e->bias || e->row_scale || e->col_scale ? 4 * u * (fabs((double)*t) + fabs((double)x) + fabs(bias)) : 0;
	*bound += more;
	*unusual += more;
	if (e->mask)
		judge_mask(e, at, (double)x, *bound);
	if (e->activation == EKKA_ACT_RELU) {
		x = x < 0 ? 0 : x;
	} else if (e->activation == EKKA_ACT_GELU) {
		more = isfinite((double)x) ? (TANH_APPROX / 2 + 8 * u) * fabs((double)x) : 0;
		*bound = GELU_SLOPE * *bound + more;
		*unusual = GELU_SLOPE * *unusual + more;
		x = ekka_gelu((double)x);
	}
	size = fabs((double)x);
	e->nonfinite |= !isfinite(size) || anything;
	last = ekka_bound_rounded(model, *bound, size);
	e->amax_low = fmax(e->amax_low, size - last);
	e->amax_high = fmax(e->amax_high, size + last);
	x *= e->scale;
	more = e->scale == 1 ? 0 : u * fabs((double)x);
	*bound = *bound * fabs(e->scale) + more;
	*unusual = *unusual * fabs(e->scale) + more;
	if (e->saturates)
		x = clamp(model, x);
	if (model->out == EKKA_I8) {
		more = 0.5 + 4 * u * (fabs((double)x) + 1);
		*bound += more;
		*unusual += more;
	} else {
		*bound = ekka_bound_rounded(model, *bound, fabs((double)x));
		*unusual = ekka_bound_rounded(model, *unusual, fabs((double)x));
	}
	*t = x;
	return anything;
}
