/* SPDX-License-Identifier: Apache-2.0 */
/* One matrix product of the fake cuBLAS, done on a stream's thread. */
#ifndef EKKA_TESTS_FAKE_CUBLAS_H
#define EKKA_TESTS_FAKE_CUBLAS_H

#include <cublas_api.h>

#include "tests/fake/fake.h"

struct fake_scalar { bool on_device; uint64_t address; double value[2]; };

/* Column-major, as cuBLAS. With `pointers` a, b, c are the device addresses of pointer arrays. */
struct fake_gemm {
	cublasOperation_t ta, tb;
	int64_t m, n, k, lda, ldb, ldc;
	long long stride_a, stride_b, stride_c;
	uint64_t a, b, c;
	cudaDataType type_a, type_b, type_c, type_scale;
	struct fake_scalar alpha, beta;
	int64_t batch;
	bool pointers;
};

/* fake_work for fake_enqueue. */
void fake_gemm_run(void *gemm);

#endif
