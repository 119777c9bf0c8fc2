/* SPDX-License-Identifier: Apache-2.0 */
/* Recomputes blocks of a matrix product and judges their elements; replay/gemm.c decides which. */
#ifndef EKKA_REPLAY_GEMM_EXACT_H
#define EKKA_REPLAY_GEMM_EXACT_H

#include "replay/gemm.h"

/* Scratch for blocks of up to rows x cols elements; planes of doubles in one allocation. */
struct ekka_gemm_work {
	int64_t rows, cols;
	double *memory;
	struct ekka_panel a, b, c, c0;
	double *a_abs, *b_abs, *b_row;	/* b_row: row-major copy for the twofold product */
	double *a_pow, *b_pow;		/* largest power of two per row (column) and group */
	double *a_max, *b_max;		/* largest magnitude per row (column) */
	double *ref[2], *lo[2];		/* op(A) op(B); lo only for a twofold reference */
	double *part[2], *part_abs;	/* of one chunk of k */
	double *abs, *prefix, *chunk, *variation, *group;	/* struct ekka_bound_sums */
};

/* rows and cols: the largest block wanted; both at most 4096. */
int ekka_gemm_work_init(struct ekka_gemm_work *w, const struct ekka_gemm *g, int64_t rows, int64_t cols, struct ekka_error *err);
uint64_t ekka_gemm_work_bytes(const struct ekka_gemm *g, int64_t rows, int64_t cols);
void ekka_gemm_work_release(struct ekka_gemm_work *w);

/* Recomputes rows [i0, i0+ni) x columns [j0, j0+nj) of item b and adds each element that the call defines to the tally. */
int ekka_gemm_exact(struct ekka_gemm *g, struct ekka_gemm_work *w, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj,
		    struct ekka_tally *tally, struct ekka_error *err);

#endif
