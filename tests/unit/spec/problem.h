/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A BLAS problem, and the arguments that put it to any function of the specs, chosen by the parameters' names: "lda", "transa", ...
 * Single-threaded.
 */
#ifndef EKKA_TESTS_SPEC_PROBLEM_H
#define EKKA_TESTS_SPEC_PROBLEM_H

#include "spec/spec.h"
#include "tests/unit/spec/harness.h"

enum op { OP_N, OP_T, OP_C, OP_R };	/* as is, transposed, also conjugated, only conjugated */

struct problem {
	bool row;			/* row-major, where the API can say so */
	enum op opa, opb;
	int64_t m, n, k, batch;
	int64_t pad_a, pad_b, pad_c;	/* leading dimension beyond the least */
	int64_t incx, incy;
	bool lower;
	double alpha[2], beta[2];
	int cuda_type[3], compute;	/* cudaDataType of A, B, C (0: CUDA_R_32F), cublasComputeType_t (0: likewise, as before CUDA 11) */
};

/* Memory for a problem; no pointer of it is ever NULL. */
extern _Alignas(16) unsigned char mem_a[1 << 15], mem_b[1 << 15], mem_c[1 << 15];

/* A random problem for fn: one that the function accepts. `round` makes some of the cases special (zero scalars, no padding...). */
struct problem problem_random(const struct ekka_fn *fn, unsigned round);

/* Fills the three memories with small random numbers of dtype t. */
void problem_fill(enum ekka_dtype t);

/* Fills args for fn; returns their number, hidden string lengths included. The pointed-to scalars live until the next call. */
unsigned problem_args(const struct problem *, const struct ekka_fn *fn, struct raw_arg *args);

/* The leading dimensions that problem_args uses, and the distance between batch items. */
int64_t problem_lda(const struct problem *, const struct ekka_fn *);
int64_t problem_ldb(const struct problem *, const struct ekka_fn *);
int64_t problem_ldc(const struct problem *, const struct ekka_fn *);
enum { PROBLEM_STRIDE = 150 };

/* dtype of a function's first and last tensor, from the spec's table. */
enum ekka_dtype problem_in_dtype(const struct ekka_fn *);
enum ekka_dtype problem_out_dtype(const struct ekka_fn *);

uint32_t random_below(uint32_t n);

#endif
