/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reductions of op "reduce" over one row, in float64, piece by piece: results and how far an engine's may lie from them.
 *
 * With u the unit roundoff of the type computed in, h what ekka_rows_additions gives for n terms, e_i the error of term x_i itself, S = sum |x|, before the
 * result is rounded to the output's type:
 *
 *	sum	h u S + sum e + n tiny	(tiny: flushed subnormals)
 *	mean	the same / n + 3 u |mean|: 1/n rounded, a product or a quotient
 *	prod	((1 + u)^(n-1) - 1) |p| + n tiny P, P the product of max(1, |x|): partial products that underflow
 *	norm2	q = sum x^2: a relative error of (h + 2) u gives half of that in the root, and 2 u for the root itself
 *	max min any all argmax argmin	0; of inexact terms the largest e
 *	var std	below
 *
 * Variance. With M = sum (x - mean)^2, by Welford's updates, Chan's merges of parts, or two passes: M is a sum of w d^2 over merges, d a difference of two
 * parts' means, w = n_a n_b / (n_a + n_b) <= min(n_a, n_b). A part's mean after j updates is wrong by at most (j/2 + 3) u A, A = max |x|
 * (each update rounds the mean by u |mean| and its step by 3 u |d| w / n_b; earlier errors shrink by the weights), two differ by twice that;
 * sums of weights stay below n (log2(n) / 2 + 1). By Cauchy and Schwarz
 *
 *	|dM| <= (h + 4) u M + 2 sqrt(M) E + E^2,  E = (h + 6) u A sqrt(n (log2(n) / 2 + 1))
 *
 * The mean beside it is wrong by the greater of (h/2 + 3) u A and what a sum gives. Two passes are better than that: their means are wrong by h u A once. With `one_pass`, mean of squares less square of the mean, add
 * (2 h + 6) u sum x^2. The quotient, and the root of std, add 2 u each.
 *
 * An engine may get infinities where S or q leaves the type's range: the bound is then infinite.
 *
 * Results are made in replay/fold_result.h. Not thread-safe on one state; no allocation.
 */
#ifndef EKKA_REPLAY_FOLD_H
#define EKKA_REPLAY_FOLD_H

#include "replay/fold_result.h"

/* By its name in descriptions; false when unknown. */
bool ekka_fold_kind_from_name(const char *name, enum ekka_fold_kind *ret);

/* n more terms; error NULL: they are exact. */
void ekka_fold_add(struct ekka_fold *, const struct ekka_fold_options *, size_t n, const double *x, const double *error);

#endif
