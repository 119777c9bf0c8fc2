/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dispatcher: exports a name and looks the same name up in a sub-library, as libcudnn.so.9 and FlexiBLAS do. A shim that answers
 * that look-up with its own wrapper sends the call back here, for ever.
 */
#include "tests/subjects/toyblas.h"

#include <dlfcn.h>
#include <stdlib.h>

gemm_fn cblas_sgemm __attribute__((visibility("default")));
void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *A, int lda, const float *B, int ldb,
		 float beta, float *C, int ldc)
{
	static gemm_fn *backend;

	if (!backend) {
		void *h = dlopen(getenv("SUBJECT_TOY1"), RTLD_NOW | RTLD_LOCAL);
		backend = h ? (gemm_fn *)dlsym(h, "cblas_sgemm") : NULL;
		if (!backend)
			abort();
	}
	backend(order, ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
