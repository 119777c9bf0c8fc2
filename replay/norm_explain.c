/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "replay/op_norm.h"

/* Does this form give every row of y that holds a remembered wrong element. */
static bool explains(struct ekka_norm *x, const struct ekka_norm_form *f)
{
	const struct ekka_rows *r = &x->rows;
	struct ekka_norm_stats s;
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_wrong; i++) {
		int64_t row = r->wrong[i].index / x->n;

		if (r->wrong[i].output != x->y)
			continue;
		n++;
		(void)ekka_norm_load(x, row, 1, f);
		ekka_norm_row(x, f, row, x->h, x->error, &s, x->ref, x->bound);
		ekka_array_get(x->y, row * x->n, (size_t)x->n, x->stored);
		for (int64_t j = 0; j < x->n; j++)
			if (!(x->bound[j] < INFINITY) ||
			    !ekka_near_holds(x->y->dtype, x->stored[j], (struct ekka_near){ x->ref[j], x->bound[j] }))
				return false;
	}
	return n > 0;
}

/* The eps that a row of y speaks of: its rstd by least squares. The remembered row whose own variance is smallest tells best. */
static double fitted_eps(struct ekka_norm *x)
{
	const struct ekka_rows *r = &x->rows;
	double best = INFINITY, eps = NAN;

	for (unsigned i = 0; i < r->n_wrong; i++) {
		int64_t row = r->wrong[i].index / x->n;
		double dot = 0, square = 0, var, found;
		struct ekka_norm_stats s;

		if (r->wrong[i].output != x->y)
			continue;
		(void)ekka_norm_load(x, row, 1, &x->form);
		ekka_norm_row(x, &x->form, row, x->h, x->error, &s, x->ref, x->bound);
		ekka_array_get(x->y, row * x->n, (size_t)x->n, x->stored);
		for (int64_t j = 0; j < x->n; j++) {
			double w = x->form.weight ? x->weight[row % x->weight_rows * x->n + j] + x->form.weight_plus : 1, d = (x->h[j] - s.mean) * w;

			dot += (x->stored[j] - (x->form.bias ? x->bias[row % x->bias_rows * x->n + j] : 0)) * d;
			square += d * d;
		}
		found = dot / square;
		var = 1 / (s.rstd * s.rstd) - x->form.eps;
		if (var < best && found > 0) {
			best = var;
			eps = 1 / (found * found) - var;
		}
	}
	return eps;
}

static void try_eps(struct ekka_norm *x)
{
	static const double usual[] = { 1e-5, 1e-6, 1e-12, 1e-8, 1e-3, 1e-4, 1e-2, 0 }, times[] = { 1e3, 100, 10, 0.1, 0.01, 1e-3 };
	enum { USUAL = sizeof usual / sizeof usual[0], TIMES = sizeof times / sizeof times[0] };
	struct ekka_norm_form f = x->form;

	for (unsigned i = 0; i <= USUAL + TIMES; i++) {
		f.eps = i < USUAL ? usual[i] : i < USUAL + TIMES ? times[i - USUAL] * x->form.eps : fitted_eps(x);
		if (f.eps >= 0 && fabs(f.eps - x->form.eps) > 1e-3 * fmax(f.eps, x->form.eps) && explains(x, &f)) {
			ekka_rows_looks_like(&x->rows, "as if eps was %.3g instead of %.3g", f.eps, x->form.eps);
			return;
		}
	}
}

static void try_moments(struct ekka_norm *x)
{
	struct ekka_norm_form f = x->form;

	f.layer = !f.layer;
	if (explains(x, &f))
		ekka_rows_looks_like(&x->rows, f.layer ? "as if the mean was subtracted" : "as if the mean was not subtracted");
	f = x->form;
	f.divisor = (double)x->n - 1;
	if (x->n > 1 && explains(x, &f))
		ekka_rows_looks_like(&x->rows, "as if the variance was divided by n - 1");
	for (int64_t step = 1; step <= 65536 && step < x->n; step *= 2) {
		f.summed = step == 1 ? x->n - 1 : x->n - x->n % step;
		for (int shorter = 0; shorter <= 1 && f.summed < x->n; shorter++) {
			f.divisor = (double)(shorter ? f.summed : x->n);
			if (explains(x, &f))
				ekka_rows_looks_like(&x->rows, "as if the moments were over the first %lld of %lld elements", (long long)f.summed,
						     (long long)x->n);
		}
	}
}

void ekka_norm_explain(void *norm)
{
	struct ekka_norm *x = norm;
	struct ekka_norm_form f = x->form;

	if (x->rows.n_wrong == 0 || !x->y)
		return;
	f.weight = false;
	if (x->weight && explains(x, &f))
		ekka_rows_looks_like(&x->rows, "as if there was no weight");
	f = x->form;
	f.weight_plus = f.weight_plus != 0 ? 0 : 1;
	if (x->weight && explains(x, &f))
		ekka_rows_looks_like(&x->rows, "as if %g was added to the weight instead of %g", f.weight_plus, x->form.weight_plus);
	f = x->form;
	f.bias = false;
	if (x->bias && explains(x, &f))
		ekka_rows_looks_like(&x->rows, "as if there was no bias");
	f = x->form;
	f.residual = false;
	if (x->residual && explains(x, &f))
		ekka_rows_looks_like(&x->rows, "as if the residual was not added");
	try_eps(x);
	try_moments(x);
}
