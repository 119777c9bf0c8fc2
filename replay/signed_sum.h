/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over blocks of columns with random signs: the inner loops of the screen. Pure functions. */
#ifndef EKKA_REPLAY_SIGNED_SUM_H
#define EKKA_REPLAY_SIGNED_SUM_H

#include "replay/matrix.h"

/*
 * Adds to sum[i] the signed sum over columns of p's row i, to sq[i] the sum of squares, and, unless NULL, to ulp2[i] the squares of
 * the powers of two at or below the elements. `v` is one of the panel's planes. `stride` is the distance of the rows in all three results.
 */
void ekka_signed_sum(const struct ekka_panel *p, const double *v, int64_t first_col, int64_t n_cols, const double *sign, double *sum,
		     double *sq, double *ulp2, int64_t stride);

/* Where the sums over blocks of `width` columns go: block j of row i to [i * stride + j]. */
struct ekka_sum_blocks {
	int64_t cols, width;		/* width: at most EKKA_SUM_WIDEST */
	const double *sign;		/* of every column */
	double *sum, *sq, *ulp2;	/* set, not added to; sq and ulp2 may be NULL. Without sq, ulp2 of f32 may overflow to infinity */
	int64_t stride;
};
enum { EKKA_SUM_WIDEST = 256 };

/*
 * The same sums for rows [r0, r0+nr) of item b and columns from c0, all blocks in one pass over memory. In double, for 16-bit types in
 * float: relative to the root of the summed squares the error is then about 2^-24 sqrt(width), and squares may overflow to infinity.
 * False, with nothing done, when the matrix is not in memory, not of an IEEE real type of 2 to 8 bytes or bf16, or contiguous in neither direction.
 */
bool ekka_signed_sums(const struct ekka_matrix *m, int64_t b, int64_t r0, int64_t nr, int64_t c0, const struct ekka_sum_blocks *blocks);

/*
 * line[i] = the signed sum over n columns from c0 of row i of item b, all k rows; n at most EKKA_SUM_WIDEST. In float for 16-bit types, which then
 * is what line points to, else in double. For matrices of which ekka_signed_line_can() says so: as above, and the elements of a column lie one behind another.
 */
bool ekka_signed_line_can(const struct ekka_matrix *m);
void ekka_signed_line(const struct ekka_matrix *m, int64_t b, int64_t c0, int64_t n, const double *sign, void *line);

/* n signs, 1 or -1, from a seed. */
void ekka_signs(uint64_t seed, int64_t n, double *ret);

#endif
