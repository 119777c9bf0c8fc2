/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over blocks of columns with random signs: the inner loops of the screen. Pure functions. */
#ifndef EKKA_REPLAY_SIGNED_SUM_H
#define EKKA_REPLAY_SIGNED_SUM_H

#include "replay/panel.h"

/*
 * Adds to sum[i] the signed sum over columns of p's row i, to sq[i] the sum of squares, and, unless NULL, to ulp2[i] the squares of
 * the powers of two at or below the elements. `v` is one of the panel's planes. `stride` is the distance of the rows in all three results.
 */
void ekka_signed_sum(const struct ekka_panel *p, const double *v, int64_t first_col, int64_t n_cols, const double *sign, double *sum,
		     double *sq, double *ulp2, int64_t stride);

/* n signs, 1 or -1, from a seed. */
void ekka_signs(uint64_t seed, int64_t n, double *ret);

#endif
