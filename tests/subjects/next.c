/* SPDX-License-Identifier: Apache-2.0 */
/* Another preloaded shim: counts cblas_sgemm calls and goes on to the next definition. */
#include "tests/subjects/toyblas.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static int n_calls;

gemm_fn cblas_sgemm __attribute__((visibility("default")));
void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *A, int lda, const float *B, int ldb,
		 float beta, float *C, int ldc)
{
	gemm_fn *next = (gemm_fn *)dlsym(RTLD_NEXT, "cblas_sgemm");

	if (!next || next == cblas_sgemm)
		abort();
	n_calls++;
	next(order, ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}

__attribute__((destructor)) static void report(void)
{
	printf("next: %d\n", n_calls);
}
