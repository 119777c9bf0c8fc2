/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only thing tinylm asks of a math library: products of row-major float
 * matrices. matmul_cblas.c and matmul_cublas.c each provide all of it; exactly one is
 * linked. Not thread-safe.
 */
#ifndef TINYLM_MATMUL_H
#define TINYLM_MATMUL_H

#include <stdbool.h>
#include <stddef.h>

/*
 * C = alpha * A * op(B) + beta * C, `batch` times. A is m x k, op(B) k x n, C m x n; with trans_b B
 * is stored n x k. Leading dimensions and strides from one batch item to the next are in elements.
 */
struct matmul {
	int m, n, k;
	int batch;
	bool trans_b;
	float alpha, beta;
	const float *a, *b;
	float *c;
	int lda, ldb, ldc;
	long stride_a, stride_b, stride_c;
};

/*
 * Sets the library up and hands out zeroed memory for `count` floats; every operand must lie in it. Released by
 * matmul_close. NULL on failure, with a cause on stderr.
 */
float *matmul_open(size_t count);

/*
 * Promises that the first `count` floats of that memory (the weights) do not change from now on. 0, or -1 with a cause on
 * stderr.
 */
int matmul_freeze(size_t count);

/* Computes the product; C is readable on return. 0, or -1 with a cause on stderr. */
int matmul(const struct matmul *);

void matmul_close(void);

#endif
