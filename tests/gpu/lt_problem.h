/* SPDX-License-Identifier: Apache-2.0 */
/* A product of the subject lt-cases: lt_cases.c makes and runs them, lt_check.c says what is right. */
#ifndef EKKA_TESTS_GPU_LT_PROBLEM_H
#define EKKA_TESTS_GPU_LT_PROBLEM_H

#include "tests/gpu/lt_buffers.h"

/* Attributes that older headers lack. */
enum { SCALE_MODE_A = 31, SCALE_MODE_B = 32, OUT_SCALE = 36, OUT_SCALE_MODE = 37, VEC16 = 1, VEC32 = 2, OUTER_VECTOR = 3, VEC128 = 4, BLK128 = 5 };
enum { DRELU_BIT = 8, BGRAD_BIT = 16, DGELU_BIT = 64, AUX_BIT = 128, MASK_BITS = CUBLASLT_EPILOGUE_RELU | DRELU_BIT };
enum { ANY_BGRAD = BGRAD_BIT | CUBLASLT_EPILOGUE_BGRADA | CUBLASLT_EPILOGUE_BGRADB };

struct test_case {
	const char *name;
	cudaDataType type_a, type_b, type_c, type_d;
	cublasComputeType_t compute;
	cudaDataType scale;
	int m, n, k;
	uint32_t epilogue;
	double alpha, beta, tolerance;
	int batch;			/* 0 as 1 */
	int tb;				/* B is transposed (A always is) */
	int row_major;			/* A, B, D are row by row */
	int in_place;			/* C is D */
	int pointer_mode;
	int scales;			/* of A and B, and of an FP8 D, amax with it */
	int mode_a, mode_b, mode_out;	/* of the scales, and of those that the library computes for D: cublasLtMatmulMatrixScale_t */
	int fast;
	int no_algo;
	int padding;			/* of D's columns */
};

struct problem {
	const struct test_case *c;
	int batch, ldd;
	long long stride_a, stride_b, stride_d, aux_ld;
	struct buffer a, b, c0, d, bias, aux, scale_a, scale_b, scale_d, scale_out, scale_aux, amax, amax_aux, alpha, beta;
	cublasLtMatmulDesc_t desc;
	cublasLtMatrixLayout_t la, lb, lc, ld;
};

/* Random scales for a batch of operands of so many lines of k elements, in this mode. Where a library has those of the second item is our assumption: right behind. */
struct buffer lt_scales(int mode, int batch, int lines, int k, unsigned seed);

/* Whether the product is right, once it was computed: 0, or 1 with a line on stderr. */
int lt_check(struct problem *);

#endif
