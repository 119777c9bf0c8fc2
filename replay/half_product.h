/* SPDX-License-Identifier: Apache-2.0 */
/* A 16-bit floating operand times a narrow matrix, in float: the quick stage of the screen. */
#ifndef EKKA_REPLAY_HALF_PRODUCT_H
#define EKKA_REPLAY_HALF_PRODUCT_H

#include "replay/matrix.h"

/* Is it f16 or bf16, in memory, and contiguous in one direction. */
bool ekka_half_product_can(const struct ekka_matrix *a);

enum { EKKA_HALF_SCRATCH = 256 * 512 };	/* floats */

/*
 * acc[nr x n, row-major, lines ld apart] += rows [r0, r0+nr) x columns [k0, k0+nk) of a's item b times sums[nk x n, row-major, lines
 * ld apart]. nr * nk is at most EKKA_HALF_SCRATCH; `scratch` has room for that many. Pure otherwise, safe from any thread.
 */
void ekka_half_product(const struct ekka_matrix *a, int64_t b, int64_t r0, int64_t nr, int64_t k0, int64_t nk, const float *sums,
		       int64_t n, int64_t ld, float *scratch, float *acc);

#endif
