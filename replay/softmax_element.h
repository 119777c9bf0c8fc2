/* SPDX-License-Identifier: Apache-2.0 */
/* The mathematics of op softmax, as replay/op_softmax.c has it at its top; on the CPU and in device kernels. Pure functions. */
#ifndef EKKA_REPLAY_SOFTMAX_ELEMENT_H
#define EKKA_REPLAY_SOFTMAX_ELEMENT_H

#include "replay/exp.h"
#include "replay/near.h"

/* What is computed; hypotheses change it. */
struct ekka_softmax_form {
	double scale;
	bool log;
	bool masked;
	int64_t mask_shift;		/* the mask's element for j is that of j + mask_shift */
	int64_t summed;			/* elements that the sum is over */
};

enum ekka_mask_kind { EKKA_MASK_ADDED, EKKA_MASK_KEEPS, EKKA_MASK_DROPS };

struct ekka_softmax_limits {
	double u, tiny;			/* of the type computed in */
	double k, additions;		/* as above; H */
	bool rounds_sum;		/* x + mask is rounded to f32, as the engine does */
};

/* Row's sums: of exponentials, and of these by their relative errors. */
struct ekka_softmax_sums { double sum, error; };

/* u as it counts for exponents and quotients: a reference in float64 errs as much as an engine in f64. */
EKKA_SHARED double ekka_softmax_u(const struct ekka_softmax_limits *x)
{
	return x->u + (x->u < 0x1p-40 ? x->u : 0);
}

/* A logit behind its mask's element m. */
EKKA_SHARED double ekka_softmax_masked(double s, double m, enum ekka_mask_kind kind, bool rounds_sum)
{
	if (kind == EKKA_MASK_ADDED)
		return rounds_sum ? (double)(float)(s + m) : s + m;
	return (m != 0) != (kind == EKKA_MASK_KEEPS) ? -(double)INFINITY : s;
}

/* Relative error of exp(s - max). `floor`: what is below is flushed, or too small to matter. */
EKKA_SHARED double ekka_softmax_relative(double s, double max, double u, double k, double floor)
{
	double d = s - max, size = fabs(d), eta = u * (k * fabs(s) + 4 * size), rel = eta + u * (4 + 2.4 * size) + EKKA_EXP_ERROR;

	rel = rel < 0.5 ? rel / (1 - rel) : (double)INFINITY;
	return d + eta < floor || size == (double)INFINITY ? 0 : rel;
}

/* An infinite relative error of what is 0 counts as none. */
EKKA_SHARED double ekka_softmax_weighted(double p, double e)
{
	return p > 0 ? p * e : 0;
}

/* Relative error of the sum of n terms. */
EKKA_SHARED double ekka_softmax_total(const struct ekka_softmax_limits *x, const struct ekka_softmax_sums *t, int64_t n)
{
	return t->sum > 0 ? t->error / t->sum + (x->additions + (double)n * 0x1p-53 / x->u) * x->u : (double)INFINITY;
}

/* p: the exponential, e: its relative error; total: the sum's, u: ekka_softmax_u. */
EKKA_SHARED struct ekka_near ekka_softmax_quotient(double p, double e, double sum, double total, double u, double tiny)
{
	double y = p / sum, b = y * (e + 4 * u + total) / (1 - total);

	return ekka_near_of(y, y > 0 ? b + 2 * tiny : 2 * tiny);
}

/* What is the same for all logarithms of a row; l: of the sum. */
EKKA_SHARED double ekka_softmax_fixed(const struct ekka_softmax_limits *x, double max, double l, double total)
{
	return total / (1 - total) + 4 * x->u * fabs(l) + exp2(-21.4) * (x->u / 0x1p-24) + x->u * (fabs(max) + fabs(l));
}

EKKA_SHARED struct ekka_near ekka_softmax_logarithm(const struct ekka_softmax_limits *x, double s, double max, double l, double fixed)
{
	double d = s - max, y = d - l;

	return ekka_near_settled(y, fixed + x->u * (x->k * fabs(s) + 5 * fabs(d) + fabs(y)));
}

#endif
