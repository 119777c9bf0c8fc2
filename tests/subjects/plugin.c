/* SPDX-License-Identifier: Apache-2.0 */
/* A module like a Python extension: linked against a BLAS, loaded with RTLD_LOCAL. */
#include "tests/subjects/toyblas.h"

gemm_fn plugin_gemm __attribute__((visibility("default")));
void plugin_gemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *A, int lda, const float *B, int ldb,
		 float beta, float *C, int ldc)
{
	cblas_sgemm(order, ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
	__asm__ volatile("");	/* not a tail call: the plugin is the caller */
}
