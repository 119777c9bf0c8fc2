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

double ekka_fold_m2_error(double m2, double squares, double greatest, int64_t n, double additions, double u, bool one_pass)
{
	double e = (additions + 6) * u * greatest * sqrt((double)n * (log2((double)n) / 2 + 1));

	return (additions + 4) * u * m2 + 2 * sqrt(m2) * e + e * e + (one_pass ? (2 * additions + 6) * u * squares : 0);
}

/* Error of the sum itself. */
static double sum_error(const struct ekka_fold *f, const struct ekka_fold_options *o)
{
	if (f->abs >= o->largest)
		return isfinite(f->sum) ? INFINITY : 0;
	return (o->additions * o->u + (double)f->n * 0x1p-53) * (f->abs + f->error) + f->error + (double)f->n * o->tiny;
}

/* Infinities and NaN among the terms decide the result exactly. */
static struct ekka_near settled(double value, double error)
{
	return (struct ekka_near){ value, isfinite(value) ? error : 0 };
}

struct ekka_near ekka_fold_mean(const struct ekka_fold *f, const struct ekka_fold_options *o)
{
	double n = (double)f->n, mean = f->sum / n, error = sum_error(f, o) / n + 3 * o->u * fabs(mean) + o->tiny;

	return settled(mean, fmax(error, (o->additions / 2 + 3) * o->u * f->greatest));	/* the latter of moments alone */
}

static struct ekka_near product(const struct ekka_fold *f, const struct ekka_fold_options *o)
{
	double value = ldexp(f->product, f->product_exponent > 9999 ? 9999 : f->product_exponent < -9999 ? -9999 : (int)f->product_exponent);
	double big = ldexp(f->big, f->big_exponent > 9999 ? 9999 : (int)f->big_exponent), n = (double)f->n;

	if (!isfinite(f->product))
		return (struct ekka_near){ f->product, 0 };
	if (big >= o->largest)
		return (struct ekka_near){ value, INFINITY };
	return (struct ekka_near){ value, expm1(n * (o->u + 0x1p-53)) * fabs(value) + n * o->tiny * big + f->error * big };
}

static struct ekka_near norm2(const struct ekka_fold *f, const struct ekka_fold_options *o)
{
	double root = sqrt(f->squares), q = (o->additions + 2) * o->u * f->squares + f->error + (double)f->n * o->tiny;

	if (isfinite(f->squares) && f->squares >= o->largest)
		return (struct ekka_near){ root, INFINITY };
	/* sqrt(s) - sqrt(s - q) is the larger side */
	return settled(root, (q < f->squares ? root - sqrt(f->squares - q) : sqrt(f->squares + q)) + 2 * o->u * root +
			     (double)f->n * 0x1p-53 * root);
}

static struct ekka_near variance(const struct ekka_fold *f, const struct ekka_fold_options *o)
{
	double divisor = (double)f->n - o->correction, u = o->u + 0x1p-53;
	double m2 = isfinite(f->sum) && isfinite(f->squares) ? f->m2 : NAN, var = divisor > 0 ? m2 / divisor : m2 / 0.0, error, root;

	if (isfinite(f->squares) && f->squares >= o->largest)
		return (struct ekka_near){ var, INFINITY };
	if (!isfinite(var))
		return (struct ekka_near){ var, 0 };
	error = ekka_fold_m2_error(m2, f->squares, f->greatest, f->n, o->additions, u, o->one_pass) +
		2 * sqrt(m2 * (double)f->n) * 2 * f->worst_error + 4 * (double)f->n * f->worst_error * f->worst_error;
	error = error / divisor + 2 * u * var + (double)f->n * o->tiny;
	if (o->kind == EKKA_FOLD_VAR)
		return (struct ekka_near){ var, error };
	root = sqrt(var);
	return (struct ekka_near){ root, (error < var ? root - sqrt(var - error) : sqrt(var + error)) + 2 * u * root };
}

struct ekka_near ekka_fold_result(const struct ekka_fold *f, const struct ekka_fold_options *o)
{
	switch (o->kind) {
	case EKKA_FOLD_SUM: return settled(f->sum, sum_error(f, o));
	case EKKA_FOLD_MEAN: return ekka_fold_mean(f, o);
	case EKKA_FOLD_PROD: return product(f, o);
	case EKKA_FOLD_MAX:
	case EKKA_FOLD_MIN: return settled(f->best, f->worst_error);
	case EKKA_FOLD_ANY: return (struct ekka_near){ f->any, 0 };
	case EKKA_FOLD_ALL: return (struct ekka_near){ f->all, 0 };
	case EKKA_FOLD_ARGMAX:
	case EKKA_FOLD_ARGMIN: return (struct ekka_near){ (double)f->best_index, 0 };
	case EKKA_FOLD_NORM2: return norm2(f, o);
	default: return variance(f, o);
	}
}
