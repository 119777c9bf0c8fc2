/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A BLAS that computes nothing, so that what is left of a call's time is the call and the shim: nanoseconds that
 * would drown in a real product's noise. `bench_sgemm` is the same function under a name that nobody intercepts.
 */
#include <cblas.h>

#define EXPORT __attribute__((visibility("default"), noipa))

typedef void sgemm_fn(CBLAS_LAYOUT, CBLAS_TRANSPOSE, CBLAS_TRANSPOSE, blasint, blasint, blasint, float, const float *, blasint,
		      const float *, blasint, float, float *, blasint);
extern sgemm_fn bench_sgemm;

EXPORT void cblas_sgemm(CBLAS_LAYOUT order, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, blasint m, blasint n, blasint k, float alpha,
			const float *a, blasint lda, const float *b, blasint ldb, float beta, float *c, blasint ldc)
{
	(void)order, (void)ta, (void)tb, (void)m, (void)n, (void)k, (void)alpha, (void)a, (void)lda, (void)b, (void)ldb, (void)beta,
		(void)ldc;
	__asm__ volatile("" : : "r"(c) : "memory");
}

EXPORT void bench_sgemm(CBLAS_LAYOUT order, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, blasint m, blasint n, blasint k, float alpha,
			const float *a, blasint lda, const float *b, blasint ldb, float beta, float *c, blasint ldc)
{
	(void)order, (void)ta, (void)tb, (void)m, (void)n, (void)k, (void)alpha, (void)a, (void)lda, (void)b, (void)ldb, (void)beta,
		(void)ldc;
	__asm__ volatile("" : : "r"(c) : "memory");
}
