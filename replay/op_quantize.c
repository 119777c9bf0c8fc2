/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "quantize": x [rows, n] becomes y of the same shape in e4m3, e5m2, i8 or u8,
 *
 *	y = round(clamp(x / scale)) + zero		(`inverse`: x * scale)
 *
 * scale [R, G] (also [1], [rows], [rows, 1]) holds one number for every rows / R by n / G elements, or by attributes `block_rows` and `block`. Where
 * it is an input it is taken as it is ("static"); where the event writes it, it must be
 *
 *	max(min(max(amax, eps), scale_ub) / qmax, min_scale)	(inverse: the reciprocal; `power2`: the next power of two)
 *
 * amax the largest |x| of its block, qmax 448, 57344, 127 or attribute `qmax`. With an output `zero`, asymmetric: scale is (max - min) / 255
 * and zero round(-128 - min / scale) (u8: round(-min / scale)).
 *
 * Bounds: a scale has at most 3 u (division, or a rounded constant and a product). y is judged with the scale that was written: x / scale and x times a
 * rounded reciprocal are within e = 4 u |x / scale| of the quotient, and y must be what some number in that interval is rounded to: a step beside the
 * nearest value passes only where the interval holds the middle between the two. So y's margin is 0 or beyond 1. x that is NaN may
 * become NaN or either end of the range.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/op_quantize.h"

/* Range of the output type. False: not a type to quantise to. */
static bool range_of(struct ekka_quantize *q, enum ekka_dtype t)
{
	q->range.integer = t == EKKA_I8 || t == EKKA_U8;
	switch (t) {
	case EKKA_E4M3: q->range.high = q->qmax = 448; break;
	case EKKA_E5M2: q->range.high = q->qmax = 57344; break;
	case EKKA_I8: q->range.high = q->qmax = 127; break;
	case EKKA_U8: q->range.high = q->qmax = 255; break;
	default: return false;
	}
	q->range.low = t == EKKA_I8 ? -128 : t == EKKA_U8 ? 0 : -q->range.high;
	return true;
}

/* The next value toward zero from r = round(x), when r lies beyond x. */
static double cut(enum ekka_dtype t, double x, double r)
{
	double beyond = r - x;

	for (double k = 1; fabs(r) > fabs(x) && k < 0x1p40; k *= 2)
		r = ekka_narrow(t, x - k * beyond);
	return r;
}

/* A whole number as y's integer type takes it. */
static double whole(const struct ekka_quantize *q, double x)
{
	return q->unsaturated && fabs(x) < 0x1p53 ? (double)ekka_dtype_wrap(q->y->dtype, (int64_t)x) : ekka_quantize_clamp(&q->range, x);
}

static double rounded(const struct ekka_quantize *q, double x)
{
	double r;

	if (q->range.integer)
		return whole(q, q->toward_zero ? trunc(x) : rint(x));
	if (q->unsaturated && fabs(x) > q->range.high)
		return q->y->dtype == EKKA_E5M2 ? copysign(INFINITY, x) : NAN;
	x = ekka_quantize_clamp(&q->range, x);
	r = ekka_narrow(q->y->dtype, x);
	return q->toward_zero ? cut(q->y->dtype, x, r) : r;
}

static int64_t block_of(const struct ekka_quantize *q, int64_t row, int64_t column)
{
	int64_t i = (row / q->block_rows + q->row_shift) % q->r, j = column / q->block;

	return q->transposed ? j * q->r + i : i * q->g + j;
}

void ekka_quantize_interval(const struct ekka_quantize *q, int64_t row, int64_t column, double x, double *ret_low, double *ret_high)
{
	int64_t b = block_of(q, row, column);
	double s = q->no_scale ? 1 : q->scale[b], add = q->zero && !q->no_zero ? q->zero[b] : 0, t, e;

	s *= q->factor;
	t = ekka_quantize_quotient(x, s, q->inverse);
	e = ekka_quantize_error(t, q->u);
	*ret_low = rounded(q, t - e + add);
	*ret_high = rounded(q, t + e + add);
	if (q->range.integer && !q->toward_zero) {	/* the zero point is added after rounding: ties go the quotient's way */
		*ret_low = whole(q, rint(t - e) + add);
		*ret_high = whole(q, rint(t + e) + add);
	}
}

static void judge_row(struct ekka_rows *r, const struct ekka_quantize *q, int64_t row, double *line)
{
	double *got = line + q->n, *ref = got + q->n;

	ekka_array_get(q->x, row * q->n, (size_t)q->n, line);
	ekka_array_get(q->y, row * q->n, (size_t)q->n, got);
	for (int64_t c = 0; c < q->n; c++) {
		double low, high;

		ekka_quantize_interval(q, row, c, line[c], &low, &high);
		ref[c] = ekka_quantize_right(&q->range, got[c], line[c], low, high);
	}
	ekka_rows_compare(r, q->y, row * q->n, q->n, ref, NULL);
}

void ekka_quantize_extremes(const struct ekka_quantize *q, double *line, double *low, double *high, bool *ret_nan)
{
	int64_t n = q->r * q->g;

	*ret_nan = false;
	for (int64_t b = 0; b < n; b++) {
		low[b] = INFINITY;
		high[b] = -INFINITY;
	}
	for (int64_t row = 0; row < q->rows; row++) {
		ekka_array_get(q->x, row * q->n, (size_t)q->n, line);
		for (int64_t c = 0; c < q->n; c++) {
			int64_t b = block_of(q, row, c);

			low[b] = line[c] < low[b] ? line[c] : low[b];
			high[b] = line[c] > high[b] ? line[c] : high[b];
			*ret_nan |= isnan(line[c]);
		}
	}
}

double ekka_quantize_scale(const struct ekka_quantize *q, const struct ekka_scaling *how, double amax)
{
	return ekka_quantize_scale_of(how, q->inverse, amax);
}

/* Scales that the event wrote, and its zero points. */
static int judge_scales(struct ekka_rows *r, const struct ekka_quantize *q, const struct ekka_array *scale, const struct ekka_array *zero,
			const struct ekka_scaling *how, struct ekka_error *err)
{
	int64_t n = q->r * q->g;
	double *low = ekka_rows_buffer(r, 4 * n, err), *high = low + n, *ref = high + n, *bound = ref + n;
	double *line = low ? ekka_rows_buffer(r, q->n, err) : NULL;
	bool nan;

	if (!line)
		return EKKA_ERR_NOMEM;
	ekka_quantize_extremes(q, line, low, high, &nan);
	for (int64_t b = 0; b < n; b++) {
		double written = q->scale[b];
		struct ekka_near s = zero ? ekka_quantize_span_near(q->u, low[b], high[b]) :
					    ekka_quantize_scale_near(how, q->inverse, q->u, low[b], high[b], written);

		ref[b] = s.value;
		bound[b] = nan ? INFINITY : s.error;
		if (zero)
			low[b] = ekka_quantize_zero(q->range.low, q->u, low[b], written, q->zero[b]);
	}
	ekka_rows_compare(r, scale, 0, n, ref, bound);
	if (zero)
		ekka_rows_compare(r, zero, 0, n, low, NULL);
	return 0;
}

/* Numbers of a small tensor, one for every block. */
static double *per_block(struct ekka_rows *r, const struct ekka_quantize *q, const struct ekka_array *a, struct ekka_error *err)
{
	int64_t n = q->r * q->g;
	double *p = ekka_rows_buffer(r, n, err);

	if (p && a->n == n)
		ekka_array_get(a, 0, (size_t)n, p);
	for (int64_t b = 0; p && a->n != n && b < n; b++)
		ekka_array_get(a, a->n == q->r ? b / q->g : 0, 1, &p[b]);
	return p;
}

/* Shapes: how many scales, for how many elements each. False: the verdict is settled. */
static bool shape(struct ekka_rows *r, struct ekka_quantize *q, const struct ekka_array *scale)
{
	enum ekka_dtype t = q->y->dtype;

	q->n = ekka_rows_length(q->x, 1);
	q->rows = ekka_rows_count(q->x, 1);
	q->g = scale->n_dims >= 2 ? scale->dim[scale->n_dims - 1] : 1;
	q->r = scale->n / q->g;
	q->block_rows = (int64_t)ekka_rows_number(r, "block_rows", (double)((q->rows + q->r - 1) / q->r));
	q->block = (int64_t)ekka_rows_number(r, "block", (double)((q->n + q->g - 1) / q->g));
	q->inverse = ekka_rows_number(r, "inverse", 0) != 0;
	q->u = ekka_dtype_unit_roundoff(ekka_rows_compute(r, EKKA_F32));
	if (scale->dtype != EKKA_F32 && scale->dtype != EKKA_F64)	/* what was written is rounded, what was used may not be */
		q->u += ekka_dtype_unit_roundoff(scale->dtype);
	if (!range_of(q, t))
		ekka_rows_settle(r, EKKA_UNSUPPORTED, "no reference for quantisation to this type");
	else if (q->x->n != q->y->n || ekka_dtype_is_integer(q->x->dtype))
		ekka_rows_settle(r, EKKA_INCOMPLETE, "x and y do not fit each other");
	else if (q->block < 1 || q->block_rows < 1 || (q->rows - 1) / q->block_rows >= q->r || (q->n - 1) / q->block >= q->g)
		ekka_rows_settle(r, EKKA_INCOMPLETE, "there are fewer scales than blocks");
	q->qmax = ekka_rows_number(r, "qmax", q->qmax);
	if (!q->range.integer && q->qmax < q->range.high) {
		q->range.high = q->qmax;
		q->range.low = -q->qmax;
	}
	return !r->settled;
}

/* An output's bytes after the call, or an input's before. */
static int take_either(struct ekka_rows *r, const char *name, bool *ret_written, struct ekka_array **ret, struct ekka_error *err)
{
	int n = ekka_rows_output(r, name, ret, err);

	*ret_written = *ret != NULL;
	return n == 0 && !*ret && !r->settled ? ekka_rows_take(r, name, EKKA_PRE, false, ret, err) : n;
}

static void audit(struct ekka_rows *r, const struct ekka_quantize *q)
{
	for (int64_t b = 0; b < q->r * q->g; b++)
		if (!isfinite(q->scale[b]) || q->scale[b] < 0) {
			ekka_audit_append(r->verdict, "a quantisation scale is negative or not finite");
			return;
		}
}

static int judge(struct ekka_rows *r, struct ekka_error *err)
{
	struct ekka_array *x, *y = NULL, *scale = NULL, *zero = NULL, *ub = NULL;
	struct ekka_quantize q = { .factor = 1 };
	bool dynamic = false, finds_zero = false;
	struct ekka_scaling how;
	double upper = INFINITY, *line;
	int n = ekka_rows_take(r, "x", EKKA_PRE, true, &x, err);

	if (n == 0 && !r->settled)
		n = ekka_rows_take(r, "y", EKKA_POST, true, &y, err);
	if (n == 0 && !r->settled)
		n = take_either(r, "scale", &dynamic, &scale, err);
	if (n == 0 && !r->settled)
		n = take_either(r, "zero", &finds_zero, &zero, err);
	if (n == 0 && !r->settled)
		n = ekka_rows_take(r, "scale_ub", EKKA_PRE, false, &ub, err);
	if (n == 0 && !r->settled && (!scale || (finds_zero && (!dynamic || zero->n != scale->n))))
		ekka_rows_settle(r, EKKA_INCOMPLETE, "the scale is not known, or its zero points are as many as something else");
	q.x = x;
	q.y = y;
	if (n < 0 || r->settled || !shape(r, &q, scale))
		return n;
	if (ub)
		ekka_array_get(ub, 0, 1, &upper);
	q.scale = per_block(r, &q, scale, err);
	q.zero = zero ? per_block(r, &q, zero, err) : NULL;
	how = (struct ekka_scaling){ upper, ekka_rows_number(r, "eps", 0), ekka_rows_number(r, "min_scale", 0), q.qmax, ekka_rows_number(r, "power2", 0) != 0 };
	line = ekka_rows_buffer(r, 3 * q.n, err);
	if (!q.scale || (zero && !q.zero) || !line)
		return EKKA_ERR_NOMEM;
	if (!ekka_quantize_device(r, &q, scale, zero, dynamic ? scale : NULL, finds_zero ? zero : NULL, &how))
		do {
			r->n_wrong = 0;
			for (int64_t row = 0; row < q.rows; row++)
				judge_row(r, &q, row, line);
			if (dynamic)
				n = judge_scales(r, &q, scale, finds_zero ? zero : NULL, &how, err);
		} while (n == 0 && ekka_elements_again(r->elements));
	if (n == 0)
		n = ekka_rows_verdict(r, "quantisation: exact but for ties; scales: 3 roundings", err);
	if (n == 0 && r->verdict->status == EKKA_FAIL)
		n = ekka_quantize_explain(r, &q, dynamic && !finds_zero ? scale : NULL, &how, err);
	audit(r, &q);
	return n;
}

static int judge_quantize(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	return ekka_rows_judge(ctx, event, judge, v, err);
}

const struct ekka_op ekka_op_quantize = { "quantize", judge_quantize };
