/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of cuBLAS that a program may make, each checked by the program itself. Built three ways (linked, in a plugin that is
 * loaded RTLD_LOCAL, with every function from dlsym), run on the fake machine (tests/fake) and on real GPUs. Knows nothing of ekkatrace.
 */
#ifndef EKKA_TESTS_GPU_CASES_H
#define EKKA_TESTS_GPU_CASES_H

#include <stddef.h>
#include <stdint.h>

#include <cublas_api.h>
#include <cuda_runtime_api.h>

/* Every cuBLAS function used, so that they can be looked up too. */
#define CUBLAS_FUNCTIONS(F)                                                                                          \
	F(cublasCreate_v2) F(cublasDestroy_v2) F(cublasSetStream_v2) F(cublasSetPointerMode_v2) F(cublasSetMathMode) \
	F(cublasSgemm_v2) F(cublasDgemm_v2) F(cublasCgemm_v2) F(cublasSgemmStridedBatched) F(cublasSgemmBatched)     \
	F(cublasGemmEx) F(cublasGemmStridedBatchedEx) F(cublasGemmBatchedEx) F(cublasSgemmGroupedBatched)             \
	F(cublasSgemv_v2) F(cublasSetWorkspace_v2) F(cublasSetAtomicsMode) F(cublasSetSmCountTarget)
#ifdef VIA_DLSYM
#define DECLARE(f) extern __typeof__(f) *via_##f;
CUBLAS_FUNCTIONS(DECLARE)
#undef DECLARE
#define CUBLAS(f) via_##f
#else
#define CUBLAS(f) f
#endif

/* Column-major; batch items a stride apart (elements). What is 0 is filled in by product_new: tight ld, strides behind one another. */
struct product {
	cublasOperation_t ta, tb;
	int m, n, k, lda, ldb, ldc, batch;
	cudaDataType type, type_c;	/* of A and B, and of C */
	double alpha, beta;
	long long stride_a, stride_b, stride_c;
	size_t bytes_a, bytes_b, bytes_c;
	void *a, *b, *c;		/* on the device */
	void *host_a, *host_b, *host_c;	/* what they were before the call */
};

/* Random operands from `seed`, on the device; ends the program when there is no memory. */
void product_new(struct product *, unsigned seed);
/* Fetches C and compares with a product in double precision: 0, or 1 and a line on stderr when an element is off by more than `tolerance`. */
int product_check(const struct product *, double tolerance);
/* As above for bytes fetched before. */
int product_check_bytes(const struct product *, const void *c, double tolerance);
void product_release(struct product *);

extern cublasHandle_t handle;
extern cudaStream_t stream;	/* the handle's: made by cudaStreamCreate */

struct test_case { const char *name; int (*run)(void); };	/* 0: right */
extern const struct test_case cases[];
extern const size_t n_cases;

/* Runs the named cases, all without names; returns how many were wrong. */
int cases_main(int argc, char *argv[]) __attribute__((visibility("default")));

/* Ends the program with a message on anything but success. */
#define MUST(call) must((int)(call), #call, __FILE__, __LINE__)
void must(int status, const char *what, const char *file, int line);

#endif
