/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/epilogue.h"

#include <math.h>

#include "replay/convert.h"
#include "replay/narrow.h"

static const double INT8_MIN_VALUE = -128, INT8_MAX_VALUE = 127;

double ekka_gelu(double x)
{
	return ekka_gelu_of(x);
}

/* T = tanh(u), and u as well as its derivative. */
static double inner(double x, double *u, double *slope)
{
	*u = ekka_gelu_inner(x);
	*slope = sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
	return tanh(*u);
}

double ekka_gelu_slope(double x)
{
	double u, slope, t = inner(x, &u, &slope);

	if (isinf(x))
		return x > 0;
	return (1 + t) / 2 + x / 2 * (1 - t * t) * slope;
}

/* How far the library's gelu' may be off, see the header. */
static double slope_error(double x, double unit)
{
	double u, slope, t = inner(x, &u, &slope), d = EKKA_TANH_APPROX * fabs(t) + 8 * unit * fabs(u) * (1 - t * t);

	return d / 2 + fabs(x) * slope * (fabs(t) * d + d * d / 2) + 16 * unit * (1 + fabs(x) * slope);
}

double ekka_epilogue_factor(const struct ekka_epilogue *e, int64_t i, int64_t j)
{
	return (e->row_scale ? e->row_scale[i] : 1) * (e->col_scale ? e->col_scale[j] : 1);
}

static bool mask_bit(const struct ekka_epilogue *e, const int64_t at[3])
{
	return e->mask[at[0] * e->mask_item + at[2] * e->mask_column + at[1] / 8] >> at[1] % 8 & 1;
}

void ekka_epilogue_clear(struct ekka_epilogue *e)
{
	e->amax_low = e->amax_high = 0;
	e->nonfinite = false;
	e->n_mask = e->n_mask_bad = 0;
}

void ekka_epilogue_merge(struct ekka_epilogue *e, const struct ekka_epilogue *later)
{
	e->amax_low = fmax(e->amax_low, later->amax_low);
	e->amax_high = fmax(e->amax_high, later->amax_high);
	e->nonfinite |= later->nonfinite;
	for (int d = 0; d < 3 && !e->n_mask_bad && later->n_mask_bad; d++)
		e->mask_bad[d] = later->mask_bad[d];
	e->n_mask += later->n_mask;
	e->n_mask_bad += later->n_mask_bad;
}

/* Bits of values that the bound puts on one side of zero. */
static void judge_mask(struct ekka_epilogue *e, const int64_t at[3], double t, double bound)
{
	bool bit = mask_bit(e, at);

	if (!(fabs(t) > bound))
		return;
	e->n_mask++;
	if (bit == (t > 0))
		return;
	if (e->n_mask_bad++ == 0)
		for (int d = 0; d < 3; d++)
			e->mask_bad[d] = at[d];
}

/* The activation or its gradient, of the value and of its errors. Sets *anything for an input that nothing is promised for. */
static long double activate(const struct ekka_epilogue *e, const int64_t at[3], double unit, long double x, double *bound, double *unusual,
			    bool *anything)
{
	double more, slope, input = 0;

	switch (e->activation) {
	case EKKA_ACT_RELU:
		return x < 0 ? 0 : x;
	case EKKA_ACT_GELU:
		*bound = ekka_gelu_bound(unit, (double)x, *bound);
		*unusual = ekka_gelu_bound(unit, (double)x, *unusual);
		return ekka_gelu((double)x);
	case EKKA_ACT_DRELU:
		if (mask_bit(e, at))
			return x;
		*bound = *unusual = 0;
		return 0;
	case EKKA_ACT_DGELU:
		ekka_convert(e->input->dtype,
			     e->input->bytes + (int64_t)e->input->item_bytes * at[0] + (e->input->offset + at[0] * e->input->bs + at[1] * e->input->rs + at[2] * e->input->cs) *
						       (int64_t)ekka_dtype_bytes(e->input->dtype),
			     1, 1, &input, NULL);
		*anything |= !isfinite(input);
		slope = ekka_gelu_slope(input);
		more = slope_error(input, unit);
		*bound = (fabs(slope) + more) * *bound + more * fabs((double)x);
		*unusual = (fabs(slope) + more) * *unusual + more * fabs((double)x);
		more = ekka_dtype_unit_roundoff(e->input->dtype) * fabs((double)x * slope);	/* see "seen on an H200" */
		*bound += more;
		*unusual += more;
		return x * slope;
	default:
		return x;
	}
}

static void add_to_row(struct ekka_epilogue *e, const int64_t at[3], double x, double bound)
{
	int64_t row = at[0] * e->row_sums_item + at[1];

	e->row_sum[row] += x;
	e->row_bound[row] += bound;
	e->row_abs[row] += fabs(x);
}

static long double clamp(const struct ekka_bound_model *model, long double t)
{
	double low = model->out == EKKA_I8 ? INT8_MIN_VALUE : -model->max_out, high = model->out == EKKA_I8 ? INT8_MAX_VALUE : model->max_out;

	return t < low ? low : t > high ? high : t;
}

static int64_t block_at(const struct ekka_epilogue *e, const int64_t at[3])
{
	return (at[0] * e->blocks.columns + at[2]) * e->blocks.count + at[1] / e->blocks.size;
}

double ekka_epilogue_unit(const struct ekka_epilogue *e, const int64_t at[3])
{
	double s = e->blocks.scale ? e->blocks.scale[block_at(e, at)] : 1;

	return s > 0 && isfinite(s) ? s : 1;
}

/* The nearest number of D's type, ties to even. */
static double nearest(const struct ekka_epilogue *e, enum ekka_dtype out, double x)
{
	double a = fabs(x), step = a < 2 ? 0.5 : a < 4 ? 1 : 2;

	return e->blocks.four_bits ? copysign(rint(a / step) * step, x) : ekka_narrow(out, x);
}

/* How far what a number within `error` of x is rounded to may lie from x; nothing is beyond the largest. */
static double spread(const struct ekka_epilogue *e, const struct ekka_bound_model *model, double x, double error)
{
	double low = nearest(e, model->out, (double)clamp(model, (long double)x - error)), high = nearest(e, model->out, (double)clamp(model, (long double)x + error));

	return fmax(fabs(high - x), fabs(low - x)) * (1 + 0x1p-40);
}

/* scale * t to what is stored of it, as its block's scale says. True when that can be anything. */
static bool quantize(struct ekka_epilogue *e, const struct ekka_bound_model *model, const int64_t at[3], double u, long double *x, double *bound, double *unusual)
{
	int64_t block = block_at(e, at);
	double s = e->blocks.scale[block], size = fabs((double)*x);

	if (e->blocks.largest) {
		double *l = &e->blocks.largest[2 * block];

		/* A NaN or an infinity leaves the block's scale open. */
		l[0] = isfinite(size) ? fmax(l[0], size - *bound) : l[0];
		l[1] = isfinite(size) ? fmax(l[1], size + *bound) : INFINITY;
	}
	if (!(s > 0) || !isfinite(s) || !isfinite(size)) {
		*x = NAN;
		return true;
	}
	*x = clamp(model, *x / s);
	*bound = spread(e, model, (double)*x, *bound / s + 3 * u * size / s);
	*unusual = spread(e, model, (double)*x, *unusual / s + 3 * u * size / s);
	return false;
}

bool ekka_epilogue_apply(struct ekka_epilogue *e, const struct ekka_bound_model *model, const int64_t at[3], long double *t, double *bound,
			 double *unusual)
{
	double u = model->u_acc > 0 ? model->u_acc : 0x1p-24, bias = e->bias ? e->bias[at[0] * e->bias_step + at[1]] : 0, size, more, last;
	long double x = *t + bias;
	bool anything = e->activation != EKKA_ACT_NONE && !isfinite((double)x);

	more = e->bias || e->row_scale || e->col_scale ? ekka_epilogue_bias_error(u, (double)*t, (double)x, bias) : 0;
	*bound += more;
	*unusual += more;
	if (e->mask && e->activation == EKKA_ACT_RELU)
		judge_mask(e, at, (double)x, *bound);
	x = activate(e, at, u, x, bound, unusual, &anything);
	size = fabs((double)x);
	if (e->row_sum)
		add_to_row(e, at, (double)x, *bound);
	e->nonfinite |= !isfinite(size) || anything;
	last = *bound + model->u_out * (size + *bound) + (e->scale != 0 ? model->tiny_out / fabs(e->scale) : 0);
	e->amax_low = fmax(e->amax_low, size - last);
	e->amax_high = fmax(e->amax_high, size + last);
	x *= e->scale;
	more = e->scale == 1 ? 0 : u * fabs((double)x);
	*bound = *bound * fabs(e->scale) + more;
	*unusual = *unusual * fabs(e->scale) + more;
	if (e->saturates && !e->blocks.scale)
		x = clamp(model, x);
	if (e->blocks.scale) {
		anything |= quantize(e, model, at, u, &x, bound, unusual);
	} else if (model->out == EKKA_I8) {
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
