/* SPDX-License-Identifier: Apache-2.0 */
/* An operand times a few vectors, in one pass over the operand's memory: the screen's product with B's signed sums. Pure functions. */
#ifndef EKKA_REPLAY_SUM_PRODUCT_H
#define EKKA_REPLAY_SUM_PRODUCT_H

#include "replay/matrix.h"

enum {
	EKKA_SUM_VECTORS = 8,		/* at a time: room for so many is needed, whatever `n` */
	EKKA_SUM_ALIGN = 16,		/* a vector's line is a multiple of this */
	EKKA_SUM_ROWS = 256, EKKA_SUM_DEPTH = 1024
};
/* What a call needs to work in. */
static const size_t EKKA_SUM_SCRATCH = (size_t)EKKA_SUM_ROWS * (EKKA_SUM_DEPTH + 2 * EKKA_SUM_ALIGN) * sizeof(float);

/* In memory and aligned, of an IEEE real type of 2 to 8 bytes or bf16, and not scaled. */
bool ekka_sum_product_can(const struct ekka_matrix *);

/* A vector a line, `ld` elements apart, zeros from a's columns to there; lines from n to the next multiple of EKKA_SUM_VECTORS are read and count for nothing. */
struct ekka_sum_vectors {
	const double *d;		/* or NULL, and */
	const float *f;			/* to multiply in float, a of 16 bits: errors are then those of float sums of ld / 16 terms */
	int64_t n, ld;
};

/*
 * out[r * stride + v] = row r0 + r of item b times vector v, r < nr <= EKKA_SUM_ROWS, conjugation and all else but the elements left out. scratch: EKKA_SUM_SCRATCH
 * bytes.
 */
void ekka_sum_product(const struct ekka_matrix *, int64_t b, int64_t r0, int64_t nr, const struct ekka_sum_vectors *, void *scratch, double *out,
		      int64_t stride);

#endif
