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
 * Nothing is convicted by this: a row that exceeds T is recomputed. What it can miss, in a block of w columns: errors that
 * together (root of the sum of squares) stay below about T, which for one wrong element and a bf16 output is a tenth of the block's root
 * mean square at w = 64, for f32 outputs 1e-4 and below; and, with probability 2^-(wrong - 1), several errors of exactly equal
 * size whose signs cancel. Systematic errors of all elements add up over rows and columns: one escalated row convicts the op.
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
double ekka_screen_threshold(const struct ekka_bound_model *, const struct ekka_screen_sums *, double factor);

#endif
