/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "replay/op_quantize.h"

/* Do all wrong elements of y hold what this reading would give. */
static bool fits(struct ekka_rows *r, const struct ekka_quantize *q)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < r->n_wrong; i++) {
		const struct ekka_wrong *w = &r->wrong[i];
		double x, low, high;

		if (w->output != q->y)
			continue;
		ekka_array_get(q->x, w->index, 1, &x);
		ekka_quantize_interval(q, w->index / q->n, w->index % q->n, x, &low, &high);
		if (!(w->got >= low && w->got <= high) && !(isnan(w->got) && isnan(low)))
			return false;
		seen++;
	}
	return seen > 0;
}

/* Do all wrong scales follow from their blocks in this way. */
static bool fits_scales(struct ekka_rows *r, const struct ekka_quantize *q, const struct ekka_array *scale, const struct ekka_scaling *how, const double *low,
			const double *high)
{
	for (unsigned i = 0; i < r->n_wrong; i++) {
		const struct ekka_wrong *w = &r->wrong[i];
		double s = w->output == scale ? ekka_quantize_scale(q, how, fmax(fabs(low[w->index]), fabs(high[w->index]))) : NAN;

		if (!(fabs(w->got - s) <= 4 * q->u * fabs(s)))
			return false;
	}
	return r->n_wrong > 0;
}

/* What a scale that was written looks like. */
static int explain_scales(struct ekka_rows *r, const struct ekka_quantize *q, const struct ekka_array *scale, const struct ekka_scaling *how, struct ekka_error *err)
{
	const struct { bool differs; struct ekka_scaling how; const char *text; } tries[] = {
		{ how->upper < INFINITY, { INFINITY, how->eps, how->least, how->qmax, how->power2 }, "as if scale_ub was ignored" },
		{ how->least > 0, { how->upper, how->eps, 0, how->qmax, how->power2 }, "as if there was no least scale" },
		{ how->eps > 0, { how->upper, 0, how->least, how->qmax, how->power2 }, "as if eps was ignored" },
		{ how->power2, { how->upper, how->eps, how->least, how->qmax, false }, "as if the scale was not made a power of two" },
		{ true, { how->upper, how->eps, how->least, 240, how->power2 }, "as if the largest number was 240" },
		{ true, { how->upper, how->eps, how->least, how->qmax + 1, how->power2 }, "as if the largest number was one more" },
		{ true, { how->upper, how->eps, how->least, how->qmax / 2, how->power2 }, "as if the largest number was half of what it is" },
	};
	int64_t n = q->r * q->g;
	double *low = ekka_rows_buffer(r, 2 * n, err), *line = low ? ekka_rows_buffer(r, q->n, err) : NULL;
	bool nan;

	if (!line)
		return EKKA_ERR_NOMEM;
	ekka_quantize_extremes(q, line, low, low + n, &nan);
	for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++)
		if (tries[i].differs && fits_scales(r, q, scale, &tries[i].how, low, low + n))
			ekka_rows_looks_like(r, "%s", tries[i].text);
	return 0;
}

/* Factors that scales are off by: of powers of two, of the ranges of related types, and of n - 1 for n. */
static void explain_factor(struct ekka_rows *r, const struct ekka_quantize *q)
{
	static const double factors[] = { 2, 4, 8, 10, 448.0 / 240, 57344.0 / 448, 448.0 / 127, 128.0 / 127, 256.0 / 255, 255.0 / 127 };
	struct ekka_quantize alt = *q;

	for (size_t i = 0; i < 2 * sizeof factors / sizeof factors[0]; i++) {
		alt.factor = i % 2 ? 1 / factors[i / 2] : factors[i / 2];
		if (fits(r, &alt))
			ekka_rows_looks_like(r, "as if the scale was %.6g times what it is", alt.factor);
	}
}

static void explain(struct ekka_rows *r, const struct ekka_quantize *q)
{
	struct ekka_quantize alt = *q;

	alt.unsaturated = true;
	if (fits(r, &alt))
		ekka_rows_looks_like(r, "as if what is beyond the largest number was not cut to it");
	alt = *q;

	alt.toward_zero = true;
	if (fits(r, &alt))
		ekka_rows_looks_like(r, "as if it was cut toward zero instead of rounded");
	alt = *q;
	alt.inverse = !q->inverse;
	if (fits(r, &alt))
		ekka_rows_looks_like(r, "as if x was %s the scale", alt.inverse ? "multiplied by" : "divided by");
	alt = *q;
	alt.no_scale = true;
	if (fits(r, &alt))
		ekka_rows_looks_like(r, "as if there was no scale");
	alt = *q;
	alt.no_zero = true;
	if (q->zero && fits(r, &alt))
		ekka_rows_looks_like(r, "as if there was no zero point");
	alt = *q;
	alt.transposed = true;
	if (q->r > 1 && q->g > 1 && fits(r, &alt))
		ekka_rows_looks_like(r, "as if the scales lay column by column");
	for (alt = *q, alt.row_shift = 1; q->r > 1 && alt.row_shift < q->r; alt.row_shift += q->r > 2 ? q->r - 2 : 1)
		if (fits(r, &alt))
			ekka_rows_looks_like(r, "as if the %s row's scale was taken", alt.row_shift == 1 ? "next" : "previous");
	explain_factor(r, q);
}

int ekka_quantize_explain(struct ekka_rows *r, const struct ekka_quantize *q, const struct ekka_array *scale, const struct ekka_scaling *how,
			  struct ekka_error *err)
{
	explain(r, q);
	return scale ? explain_scales(r, q, scale, how, err) : 0;
}
