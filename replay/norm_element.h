/* SPDX-License-Identifier: Apache-2.0 */
/* The mathematics of op norm, as replay/op_norm.c has it at its top; on the CPU and in device kernels. Pure functions. */
#ifndef EKKA_REPLAY_NORM_ELEMENT_H
#define EKKA_REPLAY_NORM_ELEMENT_H

#include "replay/fold_result.h"

/* What is computed; hypotheses change it. */
struct ekka_norm_form {
	bool layer, weight, bias, residual;
	double eps, weight_plus;
	int64_t summed;			/* elements that enter the moments */
	double divisor;			/* of the moments */
};

/* The type computed in, and how its sums are formed. */
struct ekka_norm_limits {
	double u, tiny, largest;
	double additions;		/* H */
	bool one_pass;
};

struct ekka_norm_stats { double mean, mean_error, rstd, rstd_error; };

/* Of a row: h, |h|, h^2, e_h, (2 |h| + e_h) e_h, each added up, and max |h|. */
struct ekka_norm_sums { double sum, abs, squares, error, square_errors, greatest; };

/* h, before it is rounded. */
EKKA_SHARED struct ekka_near ekka_norm_added(double x, double residual, double u)
{
	double h = x + residual;

	return ekka_near_of(h, u * fabs(h));
}

/* h as it was rounded: what was stored, where the engine's own error decides. */
EKKA_SHARED struct ekka_near ekka_norm_rounded(struct ekka_near rounded, bool use_stored, double stored)
{
	if (use_stored && rounded.error > 0 && fabs(stored - rounded.value) <= rounded.error)
		return ekka_near_of(stored, 0);
	return rounded;
}

/* m: sum (h - mean)^2 of a layer norm. */
EKKA_SHARED struct ekka_norm_stats ekka_norm_stats_of(const struct ekka_norm_limits *x, const struct ekka_norm_form *f, const struct ekka_norm_sums *s, double m)
{
	double u = x->u, n = f->divisor, dq, t, dt;
	struct ekka_norm_stats r;

	if (f->layer) {
		r.mean = s->sum / n;
		r.mean_error = u * fmax(x->additions * s->abs / n + 3 * fabs(r.mean), (x->additions / 2 + 3) * s->greatest) + s->error / n;
		dq = ekka_fold_m2_error(m, s->squares, s->greatest, f->summed, x->additions, u, x->one_pass) + 4 * s->error * (sqrt(m) + s->error);
	} else {
		r.mean = r.mean_error = 0;
		m = s->squares;
		dq = (x->additions + 2) * u * m + s->square_errors + n * x->tiny;
	}
	t = m / n + f->eps;
	dt = dq / n + 3 * u * t;
	r.rstd = 1 / sqrt(t);
	r.rstd_error = dt < t ? r.rstd * (1 / sqrt(1 - dt / t) - 1 + 4 * u) : (double)INFINITY;
	if (isfinite(s->squares) && s->squares >= x->largest)
		r.rstd_error = (double)INFINITY;
	if (!isfinite(s->sum)) {	/* what comes of infinities and NaN is no matter of rounding */
		r.mean_error = 0;
		r.rstd_error = 0;
	}
	return r;
}

/* y before the weight. */
EKKA_SHARED struct ekka_near ekka_norm_scaled(const struct ekka_norm_stats *s, double u, double h, double error)
{
	double mean = s->mean, dm = s->mean_error + (mean != 0 ? 2 * u * fabs(mean) : 0), r = s->rstd, more = mean != 0 ? 2 * u : 0;
	double d = h - mean, e = error + dm + u * fabs(d) + more * fabs(h), y = d * r;

	return ekka_near_of(y, fabs(d) * s->rstd_error + (r + s->rstd_error) * e + u * fabs(y));
}

EKKA_SHARED struct ekka_near ekka_norm_weighted(struct ekka_near y, double u, double weight, double plus)
{
	double w = weight + plus, du = plus != 0 ? 2 * u : u, v = y.value * w;

	return ekka_near_of(v, y.error * fabs(w) * (1 + du) + du * fabs(v));
}

EKKA_SHARED struct ekka_near ekka_norm_biased(struct ekka_near y, double u, double bias)
{
	double v = y.value + bias;

	return ekka_near_of(v, y.error + u * fabs(v));
}

/* The bound of y before it is rounded to y's type. */
EKKA_SHARED double ekka_norm_bound(const struct ekka_norm_stats *s, struct ekka_near y)
{
	return s->rstd_error == (double)INFINITY ? (double)INFINITY : isfinite(y.value) ? y.error : 0;
}

#endif
