/* SPDX-License-Identifier: Apache-2.0 */
/* What replay/fold.h derives, of one row that was gone through; on the CPU and in device kernels. Pure functions. */
#ifndef EKKA_REPLAY_FOLD_RESULT_H
#define EKKA_REPLAY_FOLD_RESULT_H

#include "replay/near.h"

enum ekka_fold_kind {
	EKKA_FOLD_SUM, EKKA_FOLD_MEAN, EKKA_FOLD_PROD, EKKA_FOLD_MAX, EKKA_FOLD_MIN, EKKA_FOLD_ANY, EKKA_FOLD_ALL, EKKA_FOLD_ARGMAX,
	EKKA_FOLD_ARGMIN, EKKA_FOLD_NORM2, EKKA_FOLD_VAR, EKKA_FOLD_STD, EKKA_FOLD_KINDS
};

struct ekka_fold_options {
	enum ekka_fold_kind kind;
	double u, largest, tiny;	/* of the type computed in */
	double additions;		/* h */
	double correction;		/* var and std divide by n - correction */
	bool one_pass;
};

/* One row so far; begin with zeroes. */
struct ekka_fold {
	int64_t n;
	double sum, abs, squares, error;	/* error: of the terms, summed */
	double mean, m2;
	double greatest;			/* max |x| */
	double product, big;			/* times 2^exponent each */
	int64_t product_exponent, big_exponent;
	double best, worst_error;		/* max or min, NaN first; largest error of a term */
	int64_t best_index;
	bool any, all;
};

/* Error of M = sum (x - mean)^2, for n terms of at most `greatest`; shared with op norm. */
EKKA_SHARED double ekka_fold_m2_error(double m2, double squares, double greatest, int64_t n, double additions, double u, bool one_pass)
{
	double e = (additions + 6) * u * greatest * sqrt((double)n * (log2((double)n) / 2 + 1));

	return (additions + 4) * u * m2 + 2 * sqrt(m2) * e + e * e + (one_pass ? (2 * additions + 6) * u * squares : 0);
}

/* Error of the sum itself. */
EKKA_SHARED double ekka_fold_sum_error(const struct ekka_fold *f, const struct ekka_fold_options *o)
{
	if (f->abs >= o->largest)
		return isfinite(f->sum) ? (double)INFINITY : 0;
	return (o->additions * o->u + (double)f->n * 0x1p-53) * (f->abs + f->error) + f->error + (double)f->n * o->tiny;
}

/* The mean beside var and std, and its error. */
EKKA_SHARED struct ekka_near ekka_fold_mean(const struct ekka_fold *f, const struct ekka_fold_options *o)
{
	double n = (double)f->n, mean = f->sum / n, error = ekka_fold_sum_error(f, o) / n + 3 * o->u * fabs(mean) + o->tiny;

	return ekka_near_settled(mean, fmax(error, (o->additions / 2 + 3) * o->u * f->greatest));	/* the latter of moments alone */
}

EKKA_SHARED struct ekka_near ekka_fold_product(const struct ekka_fold *f, const struct ekka_fold_options *o)
{
	double value = ldexp(f->product, f->product_exponent > 9999 ? 9999 : f->product_exponent < -9999 ? -9999 : (int)f->product_exponent);
	double big = ldexp(f->big, f->big_exponent > 9999 ? 9999 : (int)f->big_exponent), n = (double)f->n;

	if (!isfinite(f->product))
		return ekka_near_of(f->product, 0);
	if (big >= o->largest)
		return ekka_near_of(value, (double)INFINITY);
	return ekka_near_of(value, expm1(n * (o->u + 0x1p-53)) * fabs(value) + n * o->tiny * big + f->error * big);
}

EKKA_SHARED struct ekka_near ekka_fold_norm2(const struct ekka_fold *f, const struct ekka_fold_options *o)
{
	double root = sqrt(f->squares), q = (o->additions + 2) * o->u * f->squares + f->error + (double)f->n * o->tiny;

	if (isfinite(f->squares) && f->squares >= o->largest)
		return ekka_near_of(root, (double)INFINITY);
	/* sqrt(s) - sqrt(s - q) is the larger side */
	return ekka_near_settled(root, (q < f->squares ? root - sqrt(f->squares - q) : sqrt(f->squares + q)) + 2 * o->u * root +
			     (double)f->n * 0x1p-53 * root);
}

EKKA_SHARED struct ekka_near ekka_fold_variance(const struct ekka_fold *f, const struct ekka_fold_options *o)
{
	double divisor = (double)f->n - o->correction, u = o->u + 0x1p-53;
	double m2 = isfinite(f->sum) && isfinite(f->squares) ? f->m2 : (double)NAN, var = divisor > 0 ? m2 / divisor : (m2 > 0 ? (double)INFINITY : (double)NAN), error, root;

	if (isfinite(f->squares) && f->squares >= o->largest)
		return ekka_near_of(var, (double)INFINITY);
	if (!isfinite(var))
		return ekka_near_of(var, 0);
	error = ekka_fold_m2_error(m2, f->squares, f->greatest, f->n, o->additions, u, o->one_pass) +
		2 * sqrt(m2 * (double)f->n) * 2 * f->worst_error + 4 * (double)f->n * f->worst_error * f->worst_error;
	error = error / divisor + 2 * u * var + (double)f->n * o->tiny;
	if (o->kind == EKKA_FOLD_VAR)
		return ekka_near_of(var, error);
	root = sqrt(var);
	return ekka_near_of(root, (error < var ? root - sqrt(var - error) : sqrt(var + error)) + 2 * u * root);
}

/* The result and its error. */
EKKA_SHARED struct ekka_near ekka_fold_result(const struct ekka_fold *f, const struct ekka_fold_options *o)
{
	switch (o->kind) {
	case EKKA_FOLD_SUM: return ekka_near_settled(f->sum, ekka_fold_sum_error(f, o));
	case EKKA_FOLD_MEAN: return ekka_fold_mean(f, o);
	case EKKA_FOLD_PROD: return ekka_fold_product(f, o);
	case EKKA_FOLD_MAX:
	case EKKA_FOLD_MIN: return ekka_near_settled(f->best, f->worst_error);
	case EKKA_FOLD_ANY: return ekka_near_of(f->any, 0);
	case EKKA_FOLD_ALL: return ekka_near_of(f->all, 0);
	case EKKA_FOLD_ARGMAX:
	case EKKA_FOLD_ARGMIN: return ekka_near_of((double)f->best_index, 0);
	case EKKA_FOLD_NORM2: return ekka_fold_norm2(f, o);
	default: return ekka_fold_variance(f, o);
	}
}

/* Where the device goes through a row in pieces: is this element of it (NaN first, of equal ones the one further in front) rather the largest; sign -1: smallest. */
EKKA_SHARED bool ekka_fold_better(double x, int64_t index, double best, int64_t best_index, double sign)
{
	if (isnan(best))
		return isnan(x) && index < best_index;
	return isnan(x) || sign * x > sign * best || (x == best && index < best_index);
}

EKKA_SHARED bool ekka_fold_is_least(enum ekka_fold_kind k)
{
	return k == EKKA_FOLD_MIN || k == EKKA_FOLD_ARGMIN;
}

EKKA_SHARED bool ekka_fold_is_arg(enum ekka_fold_kind k)
{
	return k == EKKA_FOLD_ARGMAX || k == EKKA_FOLD_ARGMIN;
}

/* Two parts of a row, by Chan's merge; the first may have no terms. Not for products. */
EKKA_SHARED void ekka_fold_merge(struct ekka_fold *f, const struct ekka_fold *more, enum ekka_fold_kind kind)
{
	double difference = more->mean - f->mean, total = (double)f->n + (double)more->n;

	if (more->n == 0)
		return;
	if (f->n == 0) {
		*f = *more;
		return;
	}
	f->m2 += more->m2 + difference * difference * (double)f->n * (double)more->n / total;
	f->mean += difference * (double)more->n / total;
	f->sum += more->sum;
	f->abs += more->abs;
	f->squares += more->squares;
	f->greatest = more->greatest > f->greatest ? more->greatest : f->greatest;
	if (ekka_fold_better(more->best, more->best_index, f->best, f->best_index, ekka_fold_is_least(kind) ? -1 : 1)) {
		f->best = more->best;
		f->best_index = more->best_index;
	}
	f->any |= more->any;
	f->all &= more->all;
	f->n += more->n;
}

/* A row of integers, or part of one, modulo 2^64; n 0: nothing yet. */
struct ekka_fold_ints { int64_t n; uint64_t sum, product; int64_t best, best_index; bool any, all; };

EKKA_SHARED struct ekka_fold_ints ekka_fold_int(int64_t x, int64_t index)
{
	struct ekka_fold_ints f;

	f.n = 1;
	f.sum = f.product = (uint64_t)x;
	f.best = x;
	f.best_index = index;
	f.any = f.all = x != 0;
	return f;
}

/* is_unsigned: they are u64. */
EKKA_SHARED void ekka_fold_ints_merge(struct ekka_fold_ints *f, const struct ekka_fold_ints *more, enum ekka_fold_kind kind, bool is_unsigned)
{
	uint64_t flip = is_unsigned ? (uint64_t)1 << 63 : 0;
	int64_t a = (int64_t)((uint64_t)f->best ^ flip), b = (int64_t)((uint64_t)more->best ^ flip);
	bool least = ekka_fold_is_least(kind);

	if (more->n == 0)
		return;
	if (f->n == 0) {
		*f = *more;
		return;
	}
	if ((least ? b < a : b > a) || (a == b && more->best_index < f->best_index)) {
		f->best = more->best;
		f->best_index = more->best_index;
	}
	f->n += more->n;
	f->sum += more->sum;
	f->product *= more->product;
	f->any |= more->any;
	f->all &= more->all;
}

EKKA_SHARED int64_t ekka_fold_ints_result(const struct ekka_fold_ints *f, enum ekka_fold_kind kind)
{
	switch (kind) {
	case EKKA_FOLD_SUM: return (int64_t)f->sum;
	case EKKA_FOLD_PROD: return (int64_t)f->product;
	case EKKA_FOLD_ANY: return f->any;
	case EKKA_FOLD_ALL: return f->all;
	case EKKA_FOLD_ARGMAX:
	case EKKA_FOLD_ARGMIN: return f->best_index;
	default: return f->best;
	}
}

#endif
