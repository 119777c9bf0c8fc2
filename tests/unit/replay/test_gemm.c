/* SPDX-License-Identifier: Apache-2.0 */
/* The exact judge: what a library may legitimately compute passes, what is wrong fails. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>

#include "tests/unit/replay/problem.h"

static const struct { enum ekka_dtype a, c; } types[] = {
	{ EKKA_F32, EKKA_F32 }, { EKKA_F64, EKKA_F64 }, { EKKA_C64, EKKA_C64 }, { EKKA_C128, EKKA_C128 },
	{ EKKA_BF16, EKKA_F32 }, { EKKA_F16, EKKA_F32 }, { EKKA_I8, EKKA_I32 },
};
enum { TYPES = sizeof types / sizeof types[0] };

static int64_t some_k(uint64_t seed)
{
	static const int64_t k[] = { 1, 2, 3, 7, 16, 31, 64, 100, 127, 128, 129, 200, 256, 300, 512, 1000 };

	return seed % 97 == 0 ? 5000 : k[seed % (sizeof k / sizeof k[0])];
}

static void expect_right(struct problem *p, const char *what, uint64_t seed, bool doubtful)
{
	struct ekka_verdict v = problem_judge(p, true);

	/* A constant's rounding errors do not cancel, and f16 may lose everything: then nothing can be told. */
	cr_expect(v.status == EKKA_PASS || (v.status == EKKA_UNDECIDED && doubtful), "%s, seed %llu, %lldx%lldx%lld %s: margin %g, out %g ref %g %s", what, (unsigned long long)seed,
		  (long long)p->m, (long long)p->n, (long long)p->k, ekka_dtype_name(p->ta), v.margin, v.worst_out[0], v.worst_ref[0],
		  v.reason);
}

Test(gemm, every_order_of_summation_passes)
{
	for (uint64_t seed = 1; seed <= 1400; seed++) {
		struct problem p;

		problem_init(&p, types[seed % TYPES].a, types[seed % TYPES].c, 1 + (int64_t)(seed % 5), 1 + (int64_t)(seed % 4), some_k(seed),
			     1 + (int64_t)(seed % 2), (enum values)(seed / TYPES % VALUES_COUNT), seed);
		if (seed % 3 == 0 && p.ta != EKKA_I8) {
			p.alpha[0] = -0.37;
			p.beta[0] = 1.25;
			p.alpha[1] = ekka_dtype_is_complex(p.ta) ? 0.5 : 0;
		}
		p.g.a.conj = seed % 5 == 0 && ekka_dtype_is_complex(p.ta);
		problem_compute(&p, (enum how)(seed % HOW_HOST));
		expect_right(&p, "host", seed, seed / TYPES % VALUES_COUNT == CONSTANT && p.k > 1000);
		problem_release(&p);
	}
}

Test(gemm, tensor_cores_pass)
{
	for (uint64_t seed = 1; seed <= 600; seed++) {
		static const enum ekka_dtype outs[] = { EKKA_F32, EKKA_BF16, EKKA_F16 };
		struct problem p;
		enum ekka_dtype in = seed & 1 ? EKKA_BF16 : EKKA_F16;

		problem_init(&p, in, outs[seed % 3], 1 + (int64_t)(seed % 5), 1 + (int64_t)(seed % 7), some_k(seed), 1,
			     (enum values)(seed % VALUES_COUNT), seed);
		problem_bound(&p, &(struct ekka_bound_facts){ .compute = 68, .math = 16, .on_device = true, .cc_major = 9 });
		problem_compute(&p, seed % 4 ? TENSOR_CORE : TENSOR_CORE_SPLIT);
		expect_right(&p, "tensor core", seed, seed % VALUES_COUNT == CANCELLING || seed % VALUES_COUNT == TINY);
		problem_release(&p);
	}
}

/* As cuBLAS does for small products unless the math mode forbids it. */
Test(gemm, a_product_rounded_before_c_is_added_passes_where_the_math_mode_allows_it)
{
	for (int math = 0; math <= 16; math += 16) {
		struct problem p;
		struct ekka_verdict v;

		problem_init(&p, EKKA_BF16, EKKA_BF16, 32, 24, 128, 1, GAUSSIAN, 3);
		problem_bound(&p, &(struct ekka_bound_facts){ .compute = 68, .math = math, .on_device = true, .cc_major = 9 });
		problem_compute(&p, TENSOR_CORE);
		p.beta[0] = 1;
		for (int64_t i = 0; i < p.m; i++)
			for (int64_t j = 0; j < p.n; j++) {
				double product[2], c0[2];

				problem_get(&p, OPERAND_C, 0, i, j, product);
				problem_get(&p, OPERAND_C0, 0, i, j, c0);
				problem_set(&p, OPERAND_C, 0, i, j, product[0] + c0[0], 0);
			}
		v = problem_judge(&p, true);
		cr_expect_eq(v.status, math ? EKKA_FAIL : EKKA_PASS, "math %d: margin %g", math, v.margin);
		problem_release(&p);
	}
}

Test(gemm, one_wrong_element_of_any_batch_item_fails_and_is_named)
{
	for (uint64_t seed = 1; seed <= 140; seed++) {
		struct problem p;
		int64_t b, i, j;
		double c[2];
		struct ekka_verdict v;

		problem_init(&p, types[seed % TYPES].a, types[seed % TYPES].c, 9, 7, 100, 3, GAUSSIAN, seed);
		problem_compute(&p, SEQUENTIAL);
		b = random_below(&p, 3);
		i = random_below(&p, 9);
		j = random_below(&p, 7);
		problem_get(&p, OPERAND_C, b, i, j, c);
		problem_set(&p, OPERAND_C, b, i, j, c[0] + 1, c[1]);
		v = problem_judge(&p, true);
		cr_assert_eq(v.status, EKKA_FAIL, "seed %llu %s", (unsigned long long)seed, ekka_dtype_name(p.ta));
		cr_expect_eq(v.n_bad, 1u);
		cr_expect_eq(v.n_elements, 189u);
		cr_expect(v.worst[0] == b && v.worst[1] == i && v.worst[2] == j && v.n_worst == 3);
		cr_expect_float_eq(v.max_abs_error, 1, 1e-2);
		problem_release(&p);
	}
}

Test(gemm, a_double_that_is_off_by_a_few_units_at_small_k_fails)
{
	struct problem p;
	double c[2];

	problem_init(&p, EKKA_F64, EKKA_F64, 4, 4, 2, 1, POSITIVE, 8);
	problem_compute(&p, SEQUENTIAL);
	problem_get(&p, OPERAND_C, 0, 1, 2, c);
	problem_set(&p, OPERAND_C, 0, 1, 2, c[0] * (1 + 64 * 0x1p-53), 0);
	cr_expect_eq(problem_judge(&p, true).status, EKKA_FAIL);
	problem_set(&p, OPERAND_C, 0, 1, 2, c[0] * (1 + 2 * 0x1p-53), 0);
	cr_expect_eq(problem_judge(&p, true).status, EKKA_PASS);
	problem_release(&p);
}

Test(gemm, beta_zero_ignores_what_was_in_c)
{
	struct problem p;

	problem_init(&p, EKKA_F32, EKKA_F32, 3, 3, 5, 1, GAUSSIAN, 3);
	problem_set(&p, OPERAND_C0, 0, 1, 1, NAN, 0);
	problem_compute(&p, SEQUENTIAL);
	cr_expect_eq(problem_judge(&p, true).status, EKKA_PASS);
	p.beta[0] = 1;
	problem_compute(&p, SEQUENTIAL);
	cr_expect_eq(problem_judge(&p, true).status, EKKA_PASS, "a NaN that belongs there is right");
	problem_set(&p, OPERAND_C, 0, 1, 1, 0, 0);
	cr_expect_eq(problem_judge(&p, true).status, EKKA_FAIL, "a NaN that is lost is wrong");
	problem_release(&p);
}

Test(gemm, alpha_zero_ignores_the_operands)
{
	struct problem p;

	problem_init(&p, EKKA_F32, EKKA_F32, 3, 3, 5, 1, GAUSSIAN, 3);
	problem_set(&p, OPERAND_A, 0, 0, 0, INFINITY, 0);
	p.alpha[0] = 0;
	p.beta[0] = 2;
	for (int64_t i = 0; i < 3; i++)
		for (int64_t j = 0; j < 3; j++) {
			double c0[2];

			problem_get(&p, OPERAND_C0, 0, i, j, c0);
			problem_set(&p, OPERAND_C, 0, i, j, 2 * c0[0], 0);
		}
	cr_expect_eq(problem_judge(&p, true).status, EKKA_PASS);
	problem_set(&p, OPERAND_C, 0, 2, 0, NAN, 0);
	cr_expect_eq(problem_judge(&p, true).status, EKKA_FAIL);
	problem_release(&p);
}

Test(gemm, infinities_and_nans_must_match)
{
	struct problem p;
	struct ekka_verdict v;

	problem_init(&p, EKKA_F32, EKKA_F32, 3, 4, 5, 1, POSITIVE, 5);
	problem_set(&p, OPERAND_A, 0, 1, 2, INFINITY, 0);
	problem_set(&p, OPERAND_A, 0, 2, 0, NAN, 0);
	problem_compute(&p, SEQUENTIAL);
	cr_expect_eq(problem_judge(&p, true).status, EKKA_PASS);
	problem_set(&p, OPERAND_C, 0, 1, 1, -INFINITY, 0);
	cr_expect_eq(problem_judge(&p, true).status, EKKA_FAIL);
	problem_compute(&p, SEQUENTIAL);
	problem_set(&p, OPERAND_C, 0, 0, 3, NAN, 0);
	v = problem_judge(&p, true);
	cr_expect_eq(v.status, EKKA_FAIL);
	cr_expect(isinf(v.margin));
	problem_release(&p);
}

Test(gemm, overflow_of_the_output_type_is_accepted_only_where_it_can_happen)
{
	struct problem p;
	double c[2];

	problem_init(&p, EKKA_F16, EKKA_F16, 2, 2, 8, 1, CONSTANT, 5);
	problem_bound(&p, &(struct ekka_bound_facts){ .compute = 68, .math = 16, .on_device = true, .cc_major = 9 });
	for (int64_t l = 0; l < 8; l++) {
		problem_set(&p, OPERAND_A, 0, 0, l, 1000, 0);
		problem_set(&p, OPERAND_B, 0, l, 0, 1000, 0);
	}
	problem_compute(&p, TENSOR_CORE);
	problem_get(&p, OPERAND_C, 0, 0, 0, c);
	cr_assert(isinf(c[0]));
	cr_expect_eq(problem_judge(&p, true).status, EKKA_PASS);
	problem_set(&p, OPERAND_C, 0, 1, 1, INFINITY, 0);
	cr_expect_eq(problem_judge(&p, true).status, EKKA_FAIL);
	problem_release(&p);
}

Test(gemm, only_the_stated_triangle_is_judged)
{
	struct problem p;

	problem_init(&p, EKKA_F32, EKKA_F32, 6, 6, 9, 1, GAUSSIAN, 2);
	problem_compute(&p, SEQUENTIAL);
	problem_set(&p, OPERAND_C, 0, 1, 4, 1e9, 0);
	p.g.uplo = 'L';
	cr_expect_eq(problem_judge(&p, true).status, EKKA_PASS);
	cr_expect_eq(problem_judge(&p, true).n_elements, 21u);
	p.g.uplo = 'U';
	cr_expect_eq(problem_judge(&p, true).status, EKKA_FAIL);
	problem_release(&p);
}

Test(gemm, bounds_too_loose_to_tell_are_undecided)
{
	struct problem p;

	/* Accumulating 5000 numbers in f16 may legitimately lose everything. */
	problem_init(&p, EKKA_F16, EKKA_F16, 4, 4, 5000, 1, GAUSSIAN, 2);
	problem_bound(&p, &(struct ekka_bound_facts){ .compute = 64, .math = -1, .on_device = true, .cc_major = 9 });
	problem_compute(&p, TENSOR_CORE);
	for (int64_t i = 0; i < 4; i++)
		for (int64_t j = 0; j < 4; j++) {
			double c[2];

			problem_get(&p, OPERAND_C, 0, i, j, c);
			problem_set(&p, OPERAND_C, 0, i, j, c[0] * 1.02, 0);
		}
	cr_expect_eq(problem_judge(&p, true).status, EKKA_UNDECIDED);
	problem_release(&p);
}

/* C = alpha A A^H + beta C0 with real alpha and beta, lower triangle. */
static struct problem rank_k(int64_t n)
{
	struct problem p;

	problem_init(&p, EKKA_C128, EKKA_C128, n, n, 9, 1, GAUSSIAN, 4);
	for (int64_t i = 0; i < n; i++)
		for (int64_t k = 0; k < 9; k++) {
			double a[2];

			problem_get(&p, OPERAND_A, 0, i, k, a);
			problem_set(&p, OPERAND_B, 0, k, i, a[0], a[1]);
		}
	p.g.b.conj = true;
	p.alpha[0] = 0.5;
	p.beta[0] = 2;
	problem_compute(&p, SEQUENTIAL);
	p.g.hermitian = true;
	p.g.uplo = 'L';
	return p;
}

Test(gemm, a_hermitian_diagonal_is_real_whatever_c_held)
{
	struct problem p = rank_k(6);
	double c[2];

	cr_expect_eq(problem_judge(&p, true).status, EKKA_FAIL, "C0's imaginary diagonal must not be added");
	for (int64_t i = 0; i < 6; i++) {
		problem_get(&p, OPERAND_C, 0, i, i, c);
		problem_set(&p, OPERAND_C, 0, i, i, c[0], 0);
	}
	cr_expect_eq(problem_judge(&p, true).status, EKKA_PASS);
	problem_get(&p, OPERAND_C, 0, 3, 3, c);
	problem_set(&p, OPERAND_C, 0, 3, 3, c[0], 1e-3);
	cr_expect_eq(problem_judge(&p, true).status, EKKA_FAIL);
	problem_release(&p);
}

Test(gemm, integers_are_exact_and_wrap_or_saturate)
{
	struct problem p;
	double c[2];

	problem_init(&p, EKKA_I8, EKKA_I32, 3, 3, 50, 1, CONSTANT, 4);
	problem_compute(&p, SEQUENTIAL);
	cr_expect_eq(problem_judge(&p, true).status, EKKA_PASS);
	problem_get(&p, OPERAND_C, 0, 2, 2, c);
	cr_assert_eq(c[0], 50 * 127 * 127);
	problem_set(&p, OPERAND_C, 0, 2, 2, c[0] + 1, 0);
	cr_expect_eq(problem_judge(&p, true).status, EKKA_FAIL);
	p.alpha[0] = 4000;			/* 3.2e9 does not fit */
	problem_compute(&p, SEQUENTIAL);	/* wraps */
	cr_expect_eq(problem_judge(&p, true).status, EKKA_PASS);
	problem_set(&p, OPERAND_C, 0, 1, 1, INT32_MAX, 0);
	cr_expect_eq(problem_judge(&p, true).status, EKKA_PASS);
	problem_set(&p, OPERAND_C, 0, 1, 1, 12345, 0);
	cr_expect_eq(problem_judge(&p, true).status, EKKA_FAIL);
	problem_release(&p);
}

/* Its products, not their near-zero sum, measure what a fault would do. */
Test(gemm, a_lone_dot_product_that_cancels_is_judged)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct problem p;
		double a[2], b[2], sum = 0;

		problem_init(&p, EKKA_F32, EKKA_F32, 1, 1, 400, 1, GAUSSIAN, seed);
		for (int64_t k = 0; k + 1 < p.k; k++) {
			problem_get(&p, OPERAND_A, 0, 0, k, a);
			problem_get(&p, OPERAND_B, 0, k, 0, b);
			sum += a[0] * b[0];
		}
		problem_set(&p, OPERAND_A, 0, 0, p.k - 1, -sum, 0);
		problem_set(&p, OPERAND_B, 0, p.k - 1, 0, 1, 0);
		problem_compute(&p, SEQUENTIAL);
		expect_right(&p, "cancelling dot", seed, false);
		problem_release(&p);
	}
}

Test(gemm, an_unusual_error_below_the_worst_case_is_undecided)
{
	struct problem p;
	double c[2];

	problem_init(&p, EKKA_F32, EKKA_F32, 5, 5, 3000, 1, GAUSSIAN, 4);
	problem_compute(&p, BLOCKED);
	cr_expect_eq(problem_judge(&p, true).status, EKKA_PASS);
	problem_get(&p, OPERAND_C, 0, 1, 1, c);
	problem_set(&p, OPERAND_C, 0, 1, 1, c[0] + 0.05, 0);	/* of about 55; the worst case is 0.3 */
	cr_expect_eq(problem_judge(&p, true).status, EKKA_UNDECIDED);
	problem_release(&p);
}
