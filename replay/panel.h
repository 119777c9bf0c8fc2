/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block of a matrix as doubles: what the reference computes with.
 *
 * Planar (real and imaginary parts apart), either row- or column-major: element (r, c) lies at
 * [r * rs + c * cs], and one of rs, cs is 1. Memory is the caller's. Safe on distinct panels.
 */
#ifndef EKKA_REPLAY_PANEL_H
#define EKKA_REPLAY_PANEL_H

#include <stdbool.h>
#include <stdint.h>

struct ekka_panel {
	double *re, *im;		/* im NULL: real */
	int64_t rows, cols;
	int64_t rs, cs;
};

/*
 * acc[rows x cols, row-major] += a b, in plain double, by OpenBLAS. acc_im is used when a or b is complex.
 * conj_a and conj_b conjugate the operand.
 */
void ekka_panel_multiply(const struct ekka_panel *a, bool conj_a, const struct ekka_panel *b, bool conj_b, double *acc_re,
			 double *acc_im);

/*
 * The same with about twice double's precision: acc + lo is the result, by Ogita, Rump and Oishi's compensated dot product
 * (SIAM J. Sci. Comput. 26, 2005, algorithm Dot2): relative error 2^-53 of the result plus K^2 2^-106 of |a||b|. b must be row-major.
 */
struct ekka_twofold { double *re, *re_lo, *im, *im_lo; };
void ekka_panel_multiply_twofold(const struct ekka_panel *a, bool conj_a, const struct ekka_panel *b, bool conj_b,
				 const struct ekka_twofold *acc);

/* out = |p| per element, |re| + |im| when complex; out has p's shape and strides and its own memory. */
void ekka_panel_abs(const struct ekka_panel *p, double *out);

#endif
