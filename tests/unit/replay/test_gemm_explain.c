/* SPDX-License-Identifier: Apache-2.0 */
/* Faults are planted; the verdict must fail and say where and what. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/round.h"
#include "tests/unit/replay/problem.h"

static void expect_words(struct problem *p, const char *where, const char *looks_like)
{
	for (int exact = 0; exact <= 1; exact++) {
		struct ekka_verdict v = problem_judge(p, exact);

		cr_assert_eq(v.status, EKKA_FAIL, "%s: %s", looks_like, ekka_status_name(v.status));
		if (where)
			cr_expect_str_eq(v.where, where);
		if (looks_like)
			cr_expect_str_eq(v.looks_like, looks_like);
	}
	problem_release(p);
}

static struct problem usual(void)
{
	struct problem p;

	problem_init(&p, EKKA_F32, EKKA_F32, 70, 90, 100, 1, GAUSSIAN, 21);
	p.alpha[0] = 1.5;
	p.beta[0] = -0.5;
	return p;
}

/* Computes rows [i0, i1) x columns [j0, j1) anew from products k0 <= k < k1 and puts scale times that in. */
static void redo(struct problem *p, int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t k0, int64_t k1, double scale)
{
	for (int64_t i = i0; i < i1; i++)
		for (int64_t j = j0; j < j1; j++) {
			double sum = 0, a[2], b[2], c0[2];

			for (int64_t k = k0; k < k1; k++) {
				problem_get(p, OPERAND_A, 0, i, k, a);
				problem_get(p, OPERAND_B, 0, k, j, b);
				sum += a[0] * b[0];
			}
			problem_get(p, OPERAND_C0, 0, i, j, c0);
			problem_set(p, OPERAND_C, 0, i, j, scale * (p->alpha[0] * sum + p->beta[0] * c0[0]), 0);
		}
}

static void copy(struct problem *p, int64_t i, int64_t j, int64_t from_i, int64_t from_j)
{
	double c[2];

	problem_get(p, OPERAND_C, 0, from_i, from_j, c);
	problem_set(p, OPERAND_C, 0, i, j, c[0], 0);
}

Test(explain, k_cut)
{
	struct problem p = usual();

	problem_compute(&p, FUSED);
	redo(&p, 0, 70, 0, 90, 0, 96, 1);
	expect_words(&p, "everything", "as if K was cut at 96 (of 100)");
}

Test(explain, k_head_lost_in_some_columns)
{
	struct problem p = usual();

	problem_compute(&p, FUSED);
	redo(&p, 0, 70, 64, 90, 50, 100, 1);
	expect_words(&p, "columns 64-89 of every row", "as if the first 50 of K=100 products were lost");
}

Test(explain, k_middle_lost_in_a_tile)
{
	struct problem p = usual();
	struct problem q;

	problem_compute(&p, FUSED);
	problem_init(&q, EKKA_F32, EKKA_F32, 70, 90, 100, 1, GAUSSIAN, 21);
	/* Two partial sums: 0..31 and 48..99, added. */
	for (int64_t i = 16; i < 32; i++)
		for (int64_t j = 32; j < 48; j++) {
			double sum = 0, a[2], b[2], c0[2];

			for (int64_t k = 0; k < 100; k++) {
				problem_get(&p, OPERAND_A, 0, i, k, a);
				problem_get(&p, OPERAND_B, 0, k, j, b);
				sum += k < 32 || k >= 48 ? a[0] * b[0] : 0;
			}
			problem_get(&p, OPERAND_C0, 0, i, j, c0);
			problem_set(&p, OPERAND_C, 0, i, j, 1.5 * sum - 0.5 * c0[0], 0);
		}
	problem_release(&q);
	expect_words(&p, "rows 16-31, columns 32-47 (one 16x16 tile)", "as if products 32 to 47 of K=100 were lost");
}

Test(explain, a_factor)
{
	struct problem p = usual();

	problem_compute(&p, FUSED);
	redo(&p, 7, 8, 0, 90, 0, 100, 0.125);
	expect_words(&p, "row 7, whole", "as if multiplied by 0.125");
}

Test(explain, beta_ignored_added_twice_or_taken_as_one)
{
	static const struct { double beta; const char *text; } cases[] = {
		{ 0, "as if C was not added: beta ignored" }, { -1, "as if C was added twice" }, { 1, "as if beta was 1" } };

	for (size_t i = 0; i < 3; i++) {
		struct problem p = usual();

		p.beta[0] = cases[i].beta;
		problem_compute(&p, FUSED);
		p.beta[0] = -0.5;
		expect_words(&p, "everything", cases[i].text);
	}
}

Test(explain, alpha_taken_as_one)
{
	struct problem p = usual();

	p.alpha[0] = 1;
	problem_compute(&p, FUSED);
	p.alpha[0] = 1.5;
	expect_words(&p, "everything", "as if alpha was 1");
}

Test(explain, product_added_twice_or_not_at_all)
{
	struct problem p = usual();

	p.alpha[0] = 3;
	problem_compute(&p, FUSED);
	p.alpha[0] = 1.5;
	expect_words(&p, "everything", "as if the product was added twice");
	p = usual();
	p.alpha[0] = 0;
	problem_compute(&p, FUSED);
	p.alpha[0] = 1.5;
	expect_words(&p, "everything", "as if the product was not added");
}

Test(explain, not_written)
{
	struct problem p = usual();

	problem_compute(&p, FUSED);
	for (int64_t i = 0; i < 70; i++)
		for (int64_t j = 64; j < 90; j++) {
			double c0[2];

			problem_get(&p, OPERAND_C0, 0, i, j, c0);
			problem_set(&p, OPERAND_C, 0, i, j, c0[0], 0);
		}
	expect_words(&p, "columns 64-89 of every row", "as if it was not written: holds what was there before the call");
}

Test(explain, zeros_and_nans)
{
	struct problem p = usual();

	problem_compute(&p, FUSED);
	for (int64_t i = 0; i < 70; i += 16)
		for (int64_t j = 0; j < 90; j++)
			problem_set(&p, OPERAND_C, 0, i, j, 0, 0);
	expect_words(&p, "every 16th row from 0, whole", "as if nothing was computed there: zeros");
	p = usual();
	problem_compute(&p, FUSED);
	problem_set(&p, OPERAND_C, 0, 69, 89, NAN, 0);
	expect_words(&p, "one element: row 69, column 89", "NaN where numbers belong");
}

Test(explain, neighbours_results)
{
	struct problem p;

	problem_init(&p, EKKA_F32, EKKA_F32, 70, 90, 100, 1, GAUSSIAN, 21);
	problem_compute(&p, FUSED);
	for (int64_t i = 0; i < 69; i++)
		copy(&p, i, 63, i + 1, 63);
	expect_words(&p, NULL, "as if it was the result +1 rows on");
	problem_init(&p, EKKA_F32, EKKA_F32, 70, 90, 100, 1, GAUSSIAN, 21);
	problem_compute(&p, FUSED);
	for (int64_t i = 0; i < 70; i++)
		for (int64_t j = 0; j < 16; j++)
			copy(&p, i, j, i, j + 64);
	expect_words(&p, "columns 0-15 of every row", "as if it was the result +64 columns on");
}

Test(explain, transposed)
{
	struct problem p, q;

	problem_init(&p, EKKA_F64, EKKA_F64, 40, 30, 40, 1, GAUSSIAN, 5);
	problem_init(&q, EKKA_F64, EKKA_F64, 40, 30, 40, 1, GAUSSIAN, 5);
	for (int64_t i = 0; i < 40; i++)
		for (int64_t k = 0; k < 40; k++) {
			double a[2];

			problem_get(&p, OPERAND_A, 0, i, k, a);
			problem_set(&q, OPERAND_A, 0, k, i, a[0], 0);
		}
	problem_compute(&q, FUSED);
	memcpy(p.c, q.c, (size_t)(40 + q.pad) * (30 + q.pad) * 8);
	problem_release(&q);
	expect_words(&p, "everything", "as if the left factor was transposed");
}

Test(explain, wrong_batch_item)
{
	struct problem p, q;

	problem_init(&p, EKKA_F32, EKKA_F32, 10, 12, 20, 5, GAUSSIAN, 3);
	problem_init(&q, EKKA_F32, EKKA_F32, 10, 12, 20, 5, GAUSSIAN, 3);
	for (int64_t b = 0; b < 5; b++)
		for (int64_t k = 0; k < 20; k++)
			for (int64_t j = 0; j < 12; j++) {
				double v[2];

				problem_get(&p, OPERAND_B, 0, k, j, v);
				problem_set(&q, OPERAND_B, b, k, j, v[0], 0);
			}
	problem_compute(&q, FUSED);
	for (int64_t b = 0; b < 5; b++)
		for (int64_t i = 0; i < 10; i++)
			for (int64_t j = 0; j < 12; j++) {
				double v[2];

				problem_get(&q, OPERAND_C, b, i, j, v);
				problem_set(&p, OPERAND_C, b, i, j, v[0], 0);
			}
	problem_release(&q);
	expect_words(&p, "everything, batch items 1-4", "as if the right factor was that of batch item 0");
}

Test(explain, all_of_one_batch_item)
{
	struct problem p;

	problem_init(&p, EKKA_F32, EKKA_F32, 10, 12, 20, 5, GAUSSIAN, 3);
	problem_compute(&p, FUSED);
	for (int64_t i = 0; i < 10; i++)
		for (int64_t j = 0; j < 12; j++) {
			double v[2];

			problem_get(&p, OPERAND_C, 3, i, j, v);
			problem_set(&p, OPERAND_C, 3, i, j, -v[0], 0);
		}
	expect_words(&p, "everything, batch item 3", "as if the sign was turned");
}

Test(explain, narrow_accumulator_and_operands)
{
	struct problem p = usual();

	p.alpha[0] = 1;
	p.beta[0] = 0;
	for (int64_t i = 0; i < 70; i++)
		for (int64_t j = 0; j < 90; j++) {
			float sum = 0;

			for (int64_t k = 0; k < 100; k++) {
				double a[2], b[2];

				problem_get(&p, OPERAND_A, 0, i, k, a);
				problem_get(&p, OPERAND_B, 0, k, j, b);
				sum = ekka_round_f16(sum + (float)(a[0] * b[0]));
			}
			problem_set(&p, OPERAND_C, 0, i, j, sum, 0);
		}
	expect_words(&p, NULL, "as if accumulated in f16, one product after the other");
	p = usual();
	for (int64_t i = 0; i < 70; i++)
		for (int64_t j = 0; j < 90; j++) {
			double sum = 0, c0[2];

			for (int64_t k = 0; k < 100; k++) {
				double a[2], b[2];

				problem_get(&p, OPERAND_A, 0, i, k, a);
				problem_get(&p, OPERAND_B, 0, k, j, b);
				sum += (double)ekka_round_bf16((float)a[0]) * (double)ekka_round_bf16((float)b[0]);
			}
			problem_get(&p, OPERAND_C0, 0, i, j, c0);
			problem_set(&p, OPERAND_C, 0, i, j, 1.5 * sum - 0.5 * c0[0], 0);
		}
	expect_words(&p, NULL, "as if the operands were rounded to bf16");
}

Test(explain, conjugation)
{
	struct problem p;

	problem_init(&p, EKKA_C128, EKKA_C128, 10, 12, 20, 1, GAUSSIAN, 3);
	problem_compute(&p, FUSED);
	p.g.a.conj = true;
	expect_words(&p, "everything", "as if the left factor was not conjugated");
}

/* Puts the product of what `element` says A's elements are into C. */
static void with_other_a(struct problem *p, double (*element)(const struct problem *p, int64_t i, int64_t k))
{
	for (int64_t i = 0; i < p->m; i++)
		for (int64_t j = 0; j < p->n; j++) {
			double sum = 0, b[2];

			for (int64_t k = 0; k < p->k; k++) {
				problem_get(p, OPERAND_B, 0, k, j, b);
				sum += element(p, i, k) * b[0];
			}
			problem_set(p, OPERAND_C, 0, i, j, sum, 0);
		}
}

static double repeated(const struct problem *p, int64_t i, int64_t k)
{
	double a[2];

	problem_get(p, OPERAND_A, 0, i, k % 8 == 2 ? k - 1 : k, a);
	return a[0];
}

static double half_ld(const struct problem *p, int64_t i, int64_t k)
{
	double a;

	memcpy(&a, p->a + (i * 20 + k) * 8, sizeof a);
	return a;
}

static double packed(const struct problem *p, int64_t i, int64_t k)
{
	double a;

	memcpy(&a, p->a + (i * 40 + k) * 8, sizeof a);
	return a;
}

Test(explain, operands_misread)
{
	struct problem p;

	problem_init(&p, EKKA_F64, EKKA_F64, 30, 20, 40, 1, GAUSSIAN, 3);
	with_other_a(&p, repeated);
	expect_words(&p, "everything", "as if every 8th element of the left factor along K, from 2, was a neighbour's");
	problem_init(&p, EKKA_F64, EKKA_F64, 30, 20, 40, 1, GAUSSIAN, 3);
	cr_assert(p.pad == 0 && p.row_a);
	with_other_a(&p, half_ld);
	expect_words(&p, "rows 1-29, whole", "as if the left factor was read with half its leading dimension");
	problem_init(&p, EKKA_F64, EKKA_F64, 30, 20, 40, 1, GAUSSIAN, 5);
	cr_assert(p.pad == 2 && p.row_a);
	with_other_a(&p, packed);
	expect_words(&p, "rows 1-29, whole", "as if the left factor was read without the gaps between its lines");
}

/* Lines that would leave A are right, as of a kernel that checks. */
static double further(const struct problem *p, int64_t i, int64_t k, int64_t ld, int64_t by)
{
	int64_t at = i * ld + k + by;
	double a;

	memcpy(&a, p->a + (at >= 0 && i * ld + by + 39 < 30 * 40 ? at : i * 40 + k) * 8, sizeof a);
	return a;
}

static double larger_ld(const struct problem *p, int64_t i, int64_t k) { return further(p, i, k, 48, 0); }
static double smaller_ld(const struct problem *p, int64_t i, int64_t k) { return further(p, i, k, 39, 0); }
static double ahead(const struct problem *p, int64_t i, int64_t k) { return further(p, i, k, 40, 16); }
static double behind(const struct problem *p, int64_t i, int64_t k) { return further(p, i, k, 40, -2); }

Test(explain, operands_read_from_elsewhere)
{
	static const struct { double (*a)(const struct problem *, int64_t i, int64_t k); const char *text; } cases[] = {
		{ larger_ld, "as if the left factor was read with a leading dimension 8 larger" },
		{ smaller_ld, "as if the left factor was read with a leading dimension 1 smaller" },
		{ ahead, "as if the left factor was read 16 elements further on" }, { behind, "as if the left factor was read 2 elements before" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct problem p;

		problem_init(&p, EKKA_F64, EKKA_F64, 30, 20, 40, 1, GAUSSIAN, 3);
		cr_assert(p.pad == 0 && p.row_a);
		with_other_a(&p, cases[i].a);
		expect_words(&p, NULL, cases[i].text);
	}
}

Test(explain, the_right_operand_read_from_elsewhere)
{
	struct problem p;

	problem_init(&p, EKKA_F64, EKKA_F64, 30, 20, 40, 1, GAUSSIAN, 3);
	cr_assert(p.pad == 0);
	for (int64_t i = 0; i < 30; i++)
		for (int64_t j = 0; j < 20; j++) {
			double sum = 0, a[2], b;

			for (int64_t k = 0; k < 40; k++) {
				int64_t at = p.row_b ? k * 20 + j : j * 40 + k, last = p.row_b ? 39 * 20 + j : j * 40 + 39;

				problem_get(&p, OPERAND_A, 0, i, k, a);
				memcpy(&b, p.b + (last + 4 < 40 * 20 ? at + 4 : at) * 8, sizeof b);
				sum += a[0] * b;
			}
			problem_set(&p, OPERAND_C, 0, i, j, sum, 0);
		}
	expect_words(&p, NULL, "as if the right factor was read 4 elements further on");
}

Test(explain, halves_swapped)
{
	for (int columns = 0; columns <= 1; columns++) {
		struct problem p, right;

		p = usual();
		problem_compute(&p, FUSED);
		right = usual();
		problem_compute(&right, FUSED);
		for (int64_t i = 0; i < 70; i++)
			for (int64_t j = 0; j < 90; j++) {
				double c[2], was[2], theirs[2];
				int64_t from_i = columns ? i : (i + 35) % 70, from_j = columns ? (j + 45) % 90 : j;

				problem_get(&right, OPERAND_C, 0, from_i, from_j, c);
				problem_get(&p, OPERAND_C0, 0, i, j, was);
				problem_get(&p, OPERAND_C0, 0, from_i, from_j, theirs);
				problem_set(&p, OPERAND_C, 0, i, j, c[0] - p.beta[0] * theirs[0] + p.beta[0] * was[0], 0);
			}
		problem_release(&right);
		expect_words(&p, NULL, columns ? "as if the left and the right half of the columns were swapped" : "as if the upper and the lower half of the rows were swapped");
	}
}

Test(explain, another_alpha)
{
	struct problem p = usual();

	p.alpha[0] = 1.625;
	problem_compute(&p, FUSED);
	p.alpha[0] = 1.5;
	expect_words(&p, NULL, "as if alpha was 1.625 instead of 1.5");
}

/* Small whole numbers are of every type: that says nothing. */
Test(explain, values_that_would_be_narrow_anyway)
{
	struct problem p;

	problem_init(&p, EKKA_F32, EKKA_F32, 40, 40, 8, 1, GAUSSIAN, 3);
	for (int64_t i = 0; i < 40; i++)
		for (int64_t k = 0; k < 8; k++) {
			problem_set(&p, OPERAND_A, 0, i, k, (double)((i * 5 + k * 3) % 7 - 3), 0);
			problem_set(&p, OPERAND_B, 0, k, i, (double)((i * 3 + k * 11) % 5 - 2), 0);
		}
	problem_compute(&p, FUSED);
	for (int64_t i = 0; i < 40; i++)
		for (int64_t j = 0; j < 40; j++)
			problem_set(&p, OPERAND_C, 0, i, j, (double)((i * 31 + j * 17 + i * j) % 41 + 100), 0);
	expect_words(&p, NULL, "");
}

Test(explain, one_coarse_value_is_not_enough_to_name_a_fault)
{
	struct problem p;
	double c[2];

	problem_init(&p, EKKA_BF16, EKKA_BF16, 20, 20, 1000, 1, GAUSSIAN, 3);
	problem_bound(&p, &(struct ekka_bound_facts){ .compute = 68, .math = 16, .on_device = true, .cc_major = 9 });
	problem_compute(&p, TENSOR_CORE);
	problem_get(&p, OPERAND_C, 0, 11, 12, c);
	problem_set(&p, OPERAND_C, 0, 11, 12, c[0] + 11.7, 0);
	expect_words(&p, "one element: row 11, column 12", "");
}
