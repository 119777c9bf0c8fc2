/* SPDX-License-Identifier: Apache-2.0 */
/* What an element of a scatter's output may hold; op_scatter.c has the bounds. */
#include <math.h>

#include "compare/format.h"
#include "replay/op_scatter.h"

/* How far `got` is from what the write may have left; 0 and less: it is that. */
static double distance(double got, double ref, double error)
{
	if (isnan(ref) || isnan(got))
		return isnan(ref) && isnan(got) ? -INFINITY : INFINITY;
	return got == ref ? -INFINITY : fabs(got - ref) - error;
}

static struct ekka_expected nearest(const struct ekka_write *w, size_t n, bool has_before, double before, double got)
{
	struct ekka_expected e = { before, 0 };
	double best = has_before ? distance(got, before, 0) : INFINITY;
	bool must = false;

	for (size_t i = 0; i < n; i++)
		must |= !w[i].maybe;
	for (size_t i = 0; i < n; i++) {
		double d = distance(got, w[i].re, w[i].error);

		if ((i == 0 && (must || !has_before)) || d < best || !(w[i].error < INFINITY)) {
			e = (struct ekka_expected){ w[i].re, w[i].error };
			best = d;
		}
	}
	return e;
}

static struct ekka_expected summed(const struct ekka_scatter *j, const struct ekka_write *w, size_t n, double before)
{
	struct ekka_format out = ekka_format_of(j->out->dtype), compute = ekka_format_of(j->x.compute);
	double u = fmax(out.unit, compute.unit) + 0x1p-52, sizes = fabs(before), extra = 0;
	long double sum = before;

	for (size_t i = 0; i < n; i++) {
		double size = fabs(w[i].re) + w[i].error;

		sum += w[i].maybe ? 0 : (long double)w[i].re;
		sizes += size;
		extra += w[i].maybe ? size : w[i].error;
	}
	extra += (double)n * (u * sizes + fmin(out.normal, sizes));
	if (isfinite(sizes) && sizes + extra >= out.overflow)
		extra = INFINITY;	/* a partial sum may have overflowed */
	return (struct ekka_expected){ (double)sum, isfinite((double)sum) || !(extra < INFINITY) ? extra : 0 };
}

static struct ekka_expected extreme(const struct ekka_scatter *j, const struct ekka_write *w, size_t n, double before)
{
	struct ekka_expected e = { before, 0 };

	for (size_t i = 0; i < n; i++) {
		double x = w[i].re;

		e.bound = fmax(e.bound, w[i].maybe ? fabs(x - e.ref) + w[i].error : w[i].error);
		if (!w[i].maybe && (isnan(x) || (j->reduction == EKKA_SCATTER_MAX ? x > e.ref : x < e.ref)))
			e.ref = x;
	}
	if (isnan(before))
		e.ref = before;
	return e;
}

struct ekka_expected ekka_scatter_expect(const struct ekka_scatter *j, const struct ekka_write *w, size_t n, double before, double got)
{
	switch (j->reduction) {
	case EKKA_SCATTER_STORE: return nearest(w, n, j->before || j->fresh, before, got);
	case EKKA_SCATTER_ADD: return summed(j, w, n, before);
	default: return extreme(j, w, n, before);
	}
}

int64_t ekka_scatter_reduce(enum ekka_reduction how, int64_t a, int64_t b)
{
	switch (how) {
	case EKKA_SCATTER_ADD: return (int64_t)((uint64_t)a + (uint64_t)b);
	case EKKA_SCATTER_MAX: return a > b ? a : b;
	case EKKA_SCATTER_MIN: return a < b ? a : b;
	default: return b;
	}
}
