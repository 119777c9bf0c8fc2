/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When does a row of a product look wrong in the O(n^2) check.
 *
 * For a block of columns J and random signs r the check compares sum over J of r_j C_ij with the same sum of the reference, which
 * costs one product with a vector (Freivalds 1977). The difference of a right op is a random walk over its elements' errors,
 * so that it exceeds
 *
 *	T = sqrt(2 ln(2 tests / delta)) * sigma,
 *	sigma^2 = sum over J of [ulp(C_ij)^2 / 12] + coef^2 * (alpha^2 sum of a_ik^2 b_kj^2 + sum of C_ij^2) + tiny
 *
 * with probability delta at most over all tests (Hoeffding's lemma; rounding errors are uniform within an ulp, whose
 * sub-Gaussian proxy is their variance). coef is the model's idea of how much accumulation loses typically. The worst-case bounds of compare/bound.h
 * would be useless here: at large K they hide single wrong elements.
 *
 * Nothing is convicted by this: a row that exceeds T is recomputed. What it can miss, in a block of w columns: errors whose
 * root of summed squares stays below about T; and, with probability 2^-(wrong - 1), several errors of exactly equal size whose
 * signs cancel. One wrong element of a 256 x 512 x 512 product of Gaussian data, by its size relative to the root mean square of the
 * output, was overlooked in this many of 60 trials:
 *
 *	bf16 output  6%: 58	10%: 13		15%: 0
 *	f16 output   1%: 47	2%: 0
 *	f32 output   0.01%: 60	0.03%: 0 (called undecided)	0.1%: 0
 *	f64 output   3e-13: 60	1e-12: 0
 *
 * Errors of many elements add up over rows and blocks: one escalated row that is wrong convicts the op.
 */
#ifndef EKKA_COMPARE_SCREEN_H
#define EKKA_COMPARE_SCREEN_H

#include "compare/bound.h"

/* Columns per block: fewer for coarse outputs, whose rounding noise would cover more. */
int64_t ekka_screen_width(const struct ekka_bound_model *);

/* sqrt(2 ln(2 tests / delta)). */
double ekka_screen_factor(double tests, double delta);

/* The sums over one row's block; complex numbers count both parts. */
struct ekka_screen_sums {
	double ulp2;		/* of (2^e)^2, 2^e the power of two at or below |C_ij| */
	double out2;		/* of C_ij^2 */
	double product2;	/* of alpha^2 a_ik^2 b_kj^2 over k and J */
	double c02;		/* of (beta C0_ij)^2 */
	int64_t n;		/* columns */
};
/* The threshold is factor * sqrt(ulp2 * sums.ulp2 + rest * (sums.product2 + sums.out2 + sums.c02)) + tiny, for n columns; not for integers. */
struct ekka_screen_terms { double ulp2, rest, tiny; };
struct ekka_screen_terms ekka_screen_terms(const struct ekka_bound_model *, int64_t n);

double ekka_screen_threshold(const struct ekka_bound_model *, const struct ekka_screen_sums *, double factor);

#endif
