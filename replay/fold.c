/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/fold.h"

#include <math.h>
#include <string.h>

#include "compare/clones.h"

bool ekka_fold_kind_from_name(const char *name, enum ekka_fold_kind *ret)
{
	static const char *const names[EKKA_FOLD_KINDS] = { "sum", "mean", "prod", "max", "min", "any", "all", "argmax", "argmin",
							    "norm2", "var", "std" };

	for (unsigned i = 0; i < EKKA_FOLD_KINDS; i++)
		if (!strcmp(name, names[i])) {
			*ret = (enum ekka_fold_kind)i;
			return true;
		}
	return false;
}

enum { LANES = 8 };

EKKA_CLONES static void add_sums(size_t n, const double *restrict x, double *restrict ret_sum, double *restrict ret_abs)
{
	double sum[LANES] = { 0 }, abs[LANES] = { 0 };
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		for (unsigned l = 0; l < LANES; l++) {
			sum[l] += x[i + l];
			abs[l] += fabs(x[i + l]);
		}
	for (; i < n; i++) {
		sum[0] += x[i];
		abs[0] += fabs(x[i]);
	}
	for (unsigned l = 1; l < LANES; l++) {
		sum[0] += sum[l];
		abs[0] += abs[l];
	}
	*ret_sum += sum[0];
	*ret_abs += abs[0];
}

EKKA_CLONES static double add_squares(size_t n, const double *restrict x, double mean)
{
	double sum[LANES] = { 0 };
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		for (unsigned l = 0; l < LANES; l++)
			sum[l] += (x[i + l] - mean) * (x[i + l] - mean);
	for (; i < n; i++)
		sum[0] += (x[i] - mean) * (x[i] - mean);
	for (unsigned l = 1; l < LANES; l++)
		sum[0] += sum[l];
	return sum[0];
}

static double greatest(size_t n, const double *x, double so_far)
{
	for (size_t i = 0; i < n; i++)
		so_far = fabs(x[i]) > so_far ? fabs(x[i]) : so_far;
	return so_far;
}

/* Chan's merge with this piece. */
static void add_moments(struct ekka_fold *f, size_t n, const double *x)
{
	double sum = 0, abs = 0, mean, m2, difference, total = (double)f->n + (double)n;

	add_sums(n, x, &sum, &abs);
	mean = sum / (double)n;
	m2 = add_squares(n, x, mean);
	difference = mean - f->mean;
	f->m2 += m2 + difference * difference * (double)f->n * (double)n / total;
	f->mean += difference * (double)n / total;
	f->abs += abs;
	f->sum += sum;
	f->squares += add_squares(n, x, 0);
	f->greatest = greatest(n, x, f->greatest);
}

static void multiply(double *product, int64_t *exponent, double x)
{
	int e = 0;

	*product = frexp(*product * x, &e);
	if (isfinite(*product) && *product != 0)
		*exponent += e;
}

static void add_products(struct ekka_fold *f, size_t n, const double *x)
{
	if (f->n == 0)
		f->product = f->big = 1;
	for (size_t i = 0; i < n; i++) {
		multiply(&f->product, &f->product_exponent, x[i]);
		if (fabs(x[i]) > 1)
			multiply(&f->big, &f->big_exponent, fabs(x[i]));
	}
}

static void add_best(struct ekka_fold *f, size_t n, const double *x, double sign)
{
	if (f->n == 0)
		f->best = x[0];
	for (size_t i = 0; i < n && !isnan(f->best); i++)
		if (sign * x[i] > sign * f->best || isnan(x[i])) {
			f->best = x[i];
			f->best_index = f->n + (int64_t)i;
		}
}

static void add_truth(struct ekka_fold *f, size_t n, const double *x)
{
	if (f->n == 0)
		f->all = true;
	for (size_t i = 0; i < n; i++) {
		f->any |= x[i] != 0;
		f->all &= x[i] != 0;
	}
}

void ekka_fold_add(struct ekka_fold *f, const struct ekka_fold_options *o, size_t n, const double *x, const double *error)
{
	if (n == 0)
		return;
	switch (o->kind) {
	case EKKA_FOLD_SUM:
	case EKKA_FOLD_MEAN: add_sums(n, x, &f->sum, &f->abs); break;
	case EKKA_FOLD_PROD: add_products(f, n, x); break;
	case EKKA_FOLD_MAX:
	case EKKA_FOLD_ARGMAX: add_best(f, n, x, 1); break;
	case EKKA_FOLD_MIN:
	case EKKA_FOLD_ARGMIN: add_best(f, n, x, -1); break;
	case EKKA_FOLD_ANY:
	case EKKA_FOLD_ALL: add_truth(f, n, x); break;
	case EKKA_FOLD_NORM2: f->squares += add_squares(n, x, 0); break;
	default: add_moments(f, n, x);
	}
	for (size_t i = 0; error && i < n; i++) {
		f->error += o->kind == EKKA_FOLD_NORM2 ? error[i] * (2 * fabs(x[i]) + error[i]) : error[i];
		f->worst_error = error[i] <= f->worst_error ? f->worst_error : error[i];	/* NaN counts */
	}
	f->n += (int64_t)n;
}
