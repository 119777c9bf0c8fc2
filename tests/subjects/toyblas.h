/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A BLAS with one function of each kind, small and predictable: row-major, no transposes, C = alpha A B + beta C + mark.
 * Two libraries are built of it, whose marks differ, so that a test sees which one was called.
 */
#ifndef TESTS_SUBJECTS_TOYBLAS_H
#define TESTS_SUBJECTS_TOYBLAS_H

typedef void gemm_fn(int order, int ta, int tb, int m, int n, int k, float alpha, const float *A, int lda, const float *B,
		     int ldb, float beta, float *C, int ldc);
typedef void dgemm_fn(int order, int ta, int tb, int m, int n, int k, double alpha, const double *A, int lda,
		      const double *B, int ldb, double beta, double *C, int ldc);

gemm_fn cblas_sgemm;
dgemm_fn cblas_dgemm;	/* calls cblas_sgemm through the dynamic linker: a library call inside a library call */

/* Called in the middle of the next cblas_sgemm, once; on return the multiplication is done, or left out if it returns non-zero. */
extern int (*toy_hook)(void);

#endif
