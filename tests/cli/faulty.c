/* SPDX-License-Identifier: Apache-2.0 */
/* A BLAS that forgets the last quarter of K: linked before the right one. */
#define _GNU_SOURCE
#include <dlfcn.h>

void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *A, int lda, const float *B, int ldb,
		 float beta, float *C, int ldc);

void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *A, int lda, const float *B, int ldb,
		 float beta, float *C, int ldc)
{
	void (*real)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);

	*(void **)&real = dlsym(RTLD_NEXT, "cblas_sgemm");
	real(order, ta, tb, m, n, k - k / 4, alpha, A, lda, B, ldb, beta, C, ldc);
}
