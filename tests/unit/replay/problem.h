/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products made up for tests, and several ways of computing them that a library might use. */
#ifndef EKKA_TESTS_PROBLEM_H
#define EKKA_TESTS_PROBLEM_H

#include "replay/gemm.h"

enum how {	/* order and arithmetic of one dot product */
	SEQUENTIAL, REVERSED, PAIRWISE, BLOCKED, FUSED, SHUFFLED, LANES,
	HOW_HOST,			/* those above are what a host library does */
	TENSOR_CORE = HOW_HOST, TENSOR_CORE_SPLIT
};

enum values { GAUSSIAN, POSITIVE, CANCELLING, WIDE, TINY, HUGE_VALUES, CONSTANT, VALUES_COUNT };

struct problem {
	enum ekka_dtype ta, tc;
	int64_t m, n, k, batch, pad;
	bool row_a, row_b, row_c;	/* stored with rows contiguous */
	double alpha[2], beta[2];
	unsigned char *a, *b, *c0, *c;
	struct ekka_gemm g;
	uint64_t random;
};

/* Random operands; c holds nothing yet. Aborts the test when out of memory. */
void problem_init(struct problem *p, enum ekka_dtype ta, enum ekka_dtype tc, int64_t m, int64_t n, int64_t k, int64_t batch,
		  enum values values, uint64_t seed);
void problem_release(struct problem *p);
void problem_compute(struct problem *p, enum how how);	/* fills c as a library would */
struct ekka_gemm problem_gemm(const struct problem *p);	/* as it is judged; it borrows from *p */
/* Judges with everything recomputed, or screened. */
struct ekka_verdict problem_judge(struct problem *p, bool exact);
struct ekka_verdict problem_judge_with(struct problem *p, const struct ekka_gemm_options *);	/* on a backend, with a team */
void problem_bound(struct problem *p, const struct ekka_bound_facts *more);	/* other facts than a host call's */

enum operand { OPERAND_A, OPERAND_B, OPERAND_C0, OPERAND_C };
void problem_get(const struct problem *p, enum operand x, int64_t b, int64_t i, int64_t j, double ret[2]);
void problem_set(struct problem *p, enum operand x, int64_t b, int64_t i, int64_t j, double re, double im);

double random_unit(struct problem *p);	/* [0, 1) */
int64_t random_below(struct problem *p, int64_t n);

#endif
