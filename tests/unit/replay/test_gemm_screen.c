/* SPDX-License-Identifier: Apache-2.0 */
/* The screen lets right products through, and wrong ones only when the error is too small for it. */
#include <criterion/criterion.h>
#include <math.h>

#include "tests/unit/replay/problem.h"

static const struct { enum ekka_dtype a, c; enum how how; double relative; } kinds[] = {
	/* relative: an error of this size, measured by the block's root mean square, is always caught */
	{ EKKA_F32, EKKA_F32, LANES, 2e-3 },	     { EKKA_F64, EKKA_F64, FUSED, 4e-12 },
	{ EKKA_C64, EKKA_C64, SEQUENTIAL, 3e-3 },     { EKKA_BF16, EKKA_BF16, TENSOR_CORE, 0.25 },
	{ EKKA_F16, EKKA_F16, TENSOR_CORE, 0.04 },    { EKKA_BF16, EKKA_F32, TENSOR_CORE, 0.02 },
	{ EKKA_I8, EKKA_I32, SEQUENTIAL, 1e-5 },
};
enum { KINDS = sizeof kinds / sizeof kinds[0], M = 130, N = 300, K = 200 };

static struct problem make(unsigned kind, enum values values, uint64_t seed)
{
	struct problem p;

	problem_init(&p, kinds[kind].a, kinds[kind].c, M, N, K, 1, values, seed);
	if (kinds[kind].how == TENSOR_CORE)
		problem_bound(&p, &(struct ekka_bound_facts){ .compute = 68, .math = 16, .on_device = true, .cc_major = 9 });
	problem_compute(&p, kinds[kind].how);
	return p;
}

static double rms(const struct problem *p)
{
	double sum = 0, c[2];

	for (int64_t i = 0; i < M; i++)
		for (int64_t j = 0; j < N; j++) {
			problem_get(p, OPERAND_C, 0, i, j, c);
			sum += c[0] * c[0] + c[1] * c[1];
		}
	return sqrt(sum / (M * N));
}

Test(screen, right_products_pass_without_recomputation)
{
	for (unsigned kind = 0; kind < KINDS; kind++)
		for (unsigned v = 0; v < 3; v++) {
			static const enum values values[] = { GAUSSIAN, POSITIVE, WIDE };
			struct problem p = make(kind, values[v], kind + 1);
			struct ekka_verdict verdict = problem_judge(&p, false);

			cr_expect_eq(verdict.status, EKKA_PASS, "kind %u values %u: %s", kind, v, verdict.reason);
			cr_expect(verdict.screened);
			cr_expect_eq(verdict.n_elements, (uint64_t)M * N);
			cr_expect(isnan(verdict.margin), "kind %u values %u: recomputed something, margin %g", kind, v, verdict.margin);
			problem_release(&p);
		}
}

/* Sums far smaller than their products: the first stage cannot let them pass, the second one does, in every layout. */
Test(screen, cancelling_products_pass_without_recomputation)
{
	for (uint64_t seed = 0; seed < 8; seed++) {
		struct problem p;
		struct ekka_verdict v;

		problem_init(&p, EKKA_F32, EKKA_F32, M, N, K, 1, CANCELLING, seed);
		problem_compute(&p, SEQUENTIAL);
		v = problem_judge(&p, false);
		cr_expect_eq(v.status, EKKA_PASS);
		cr_expect(v.screened);
		cr_expect(isnan(v.margin), "seed %lu: recomputed something", (unsigned long)seed);
		problem_release(&p);
	}
}

Test(screen, a_single_wrong_element_above_the_stated_size_is_always_caught)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct problem p = make(kind, GAUSSIAN, kind + 5);
		double error = kinds[kind].relative * rms(&p), c[2];

		if (kinds[kind].c == EKKA_I32)
			error = 1;
		for (int n = 0; n < 40; n++) {
			int64_t i = random_below(&p, M), j = random_below(&p, N);
			struct ekka_verdict v;

			problem_get(&p, OPERAND_C, 0, i, j, c);
			problem_set(&p, OPERAND_C, 0, i, j, c[0] + (n & 1 ? error : -error), c[1]);
			v = problem_judge(&p, false);
			cr_assert_eq(v.status, EKKA_FAIL, "kind %u, trial %d: %s", kind, n, ekka_status_name(v.status));
			cr_expect_eq(v.n_bad, 1u);
			cr_expect(v.worst[0] == i && v.worst[1] == j);
			problem_set(&p, OPERAND_C, 0, i, j, c[0], c[1]);
		}
		problem_release(&p);
	}
}

Test(screen, small_errors_of_all_elements_are_caught)
{
	/* A tail of 4 of 200 products lost, and every element off by a few units of the last place, with random signs. */
	for (unsigned kind = 0; kind < 6; kind++) {
		struct problem p = make(kind, GAUSSIAN, kind + 9);

		for (int64_t i = 0; i < M; i++)
			for (int64_t j = 0; j < N; j++) {
				double c[2], a[2], b[2];

				problem_get(&p, OPERAND_C, 0, i, j, c);
				for (int64_t k = K - 4; k < K; k++) {
					problem_get(&p, OPERAND_A, 0, i, k, a);
					problem_get(&p, OPERAND_B, 0, k, j, b);
					c[0] -= a[0] * b[0] - a[1] * b[1];
					c[1] -= a[0] * b[1] + a[1] * b[0];
				}
				problem_set(&p, OPERAND_C, 0, i, j, c[0], c[1]);
			}
		cr_expect_eq(problem_judge(&p, false).status, EKKA_FAIL, "kind %u", kind);
		problem_release(&p);
	}
}

Test(screen, nan_infinity_and_huge_values_are_not_overlooked)
{
	static const double bad[] = { NAN, INFINITY, -INFINITY, 1e30, 1e38 };
	struct problem p = make(0, GAUSSIAN, 3);
	struct problem q = make(1, GAUSSIAN, 3);

	for (size_t n = 0; n < sizeof bad / sizeof bad[0]; n++) {
		double c[2];

		problem_get(&p, OPERAND_C, 0, 77, 100 + (int64_t)n, c);
		problem_set(&p, OPERAND_C, 0, 77, 100 + (int64_t)n, bad[n], 0);
		cr_expect_eq(problem_judge(&p, false).n_bad, 1u, "%g", bad[n]);
		problem_set(&p, OPERAND_C, 0, 77, 100 + (int64_t)n, c[0], 0);
	}
	problem_set(&q, OPERAND_C, 0, 129, 299, 1e300, 0);	/* its square overflows */
	cr_expect_eq(problem_judge(&q, false).n_bad, 1u);
	problem_release(&p);
	problem_release(&q);
}

Test(screen, triangles_batches_and_scalars)
{
	struct problem p;
	double c[2];

	problem_init(&p, EKKA_F32, EKKA_F32, 150, 150, 64, 2, GAUSSIAN, 7);
	p.alpha[0] = -2;
	p.beta[0] = 0.75;
	problem_compute(&p, FUSED);
	for (char uplo = 'L';; uplo = 'U') {
		struct ekka_verdict v;

		p.g.uplo = uplo;
		problem_get(&p, OPERAND_C, 1, 20, 140, c);
		problem_set(&p, OPERAND_C, 1, 20, 140, 1e9, 0);
		v = problem_judge(&p, false);
		cr_expect_eq(v.status, uplo == 'U' ? EKKA_FAIL : EKKA_PASS);
		cr_expect_eq(v.n_elements, 150u * 151u);
		problem_set(&p, OPERAND_C, 1, 20, 140, c[0], 0);
		cr_expect_eq(problem_judge(&p, false).status, EKKA_PASS);
		if (uplo == 'U')
			break;
	}
	problem_release(&p);
}

/* What one batch item allows is its own: the first is a million times as large, and suspicious at so high a delta, so that the threshold's last term is needed. */
Test(screen, every_batch_item_has_its_own_threshold)
{
	struct ekka_verdict v;
	struct problem p;
	double c[2];

	problem_init(&p, EKKA_F32, EKKA_F32, M, N, K, 2, GAUSSIAN, 3);
	for (int64_t k = 0; k < K; k++)
		for (int64_t j = 0; j < N; j++) {
			problem_get(&p, OPERAND_B, 0, k, j, c);
			problem_set(&p, OPERAND_B, 0, k, j, 1e6 * c[0], 0);
		}
	problem_compute(&p, SEQUENTIAL);
	problem_get(&p, OPERAND_C, 1, 7, 11, c);
	problem_set(&p, OPERAND_C, 1, 7, 11, c[0] + 1, 0);
	v = problem_judge_with(&p, &(struct ekka_gemm_options){ .delta = 1039 });
	cr_expect_eq(v.status, EKKA_FAIL);
	problem_release(&p);
}
