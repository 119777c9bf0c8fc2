/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/subjects/toyblas.h"

#include <stddef.h>

#pragma GCC visibility push(default)
int (*toy_hook)(void);

void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *A, int lda, const float *B,
		 int ldb, float beta, float *C, int ldc)
{
	int (*hook)(void) = toy_hook;

	(void)order, (void)ta, (void)tb;
	toy_hook = NULL;
	if (hook && hook())
		return;
	for (int i = 0; i < m; i++) {
		for (int j = 0; j < n; j++) {
			float sum = 0;
			for (int p = 0; p < k; p++)
				sum += A[i * lda + p] * B[p * ldb + j];
			C[i * ldc + j] = alpha * sum + (beta != 0 ? beta * C[i * ldc + j] : 0) + (float)TOY_MARK;
		}
	}
}

void cblas_dgemm(int order, int ta, int tb, int m, int n, int k, double alpha, const double *A, int lda,
		 const double *B, int ldb, double beta, double *C, int ldc)
{
	float a = 2, b = 3, c = 0;

	(void)beta;
	cblas_sgemm(order, ta, tb, 1, 1, 1, 1, &a, 1, &b, 1, 0, &c, 1);
	for (int i = 0; i < m; i++) {
		for (int j = 0; j < n; j++) {
			double sum = 0;
			for (int p = 0; p < k; p++)
				sum += A[i * lda + p] * B[p * ldb + j];
			C[i * ldc + j] = alpha * sum + (double)c;
		}
	}
}
#pragma GCC visibility pop
