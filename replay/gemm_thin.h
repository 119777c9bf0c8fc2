/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact recomputation where the output has few rows or few columns: a decoding engine's matrix times vector. There all time goes into
 * reading one wide operand, so each of its lines is read once, in order, and multiplied with all vectors of the thin one.
 */
#ifndef EKKA_REPLAY_GEMM_THIN_H
#define EKKA_REPLAY_GEMM_THIN_H

#include "replay/gemm_exact.h"

/* Is a block of ni x nj elements thin enough, the wide operand contiguous along k, and double's precision enough. */
bool ekka_gemm_thin_can(const struct ekka_gemm *g, int64_t ni, int64_t nj);

/*
 * Adds op(A) op(B) for rows [i0, i0+ni) x columns [j0, j0+nj) of item b to w->ref and to the sums that bounds need. Negative when out
 * of memory or when an operand could not be read.
 */
int ekka_gemm_thin(struct ekka_gemm *g, struct ekka_gemm_work *w, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj,
		   struct ekka_error *err);

#endif
