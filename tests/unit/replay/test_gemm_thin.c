/* SPDX-License-Identifier: Apache-2.0 */
/* Products with few rows or columns are judged line by line; the verdict is that of the general way, which the other layout takes. */
#include <criterion/criterion.h>
#include <math.h>

#include "replay/gemm_thin.h"
#include "tests/unit/replay/problem.h"

static const struct { int64_t m, n, k; } shapes[] = {
	{ 150, 2, 300 }, { 2, 150, 300 }, { 90, 1, 128 }, { 1, 90, 65 }, { 40, 8, 1000 }, { 8, 40, 129 },
	{ 11, 2, 16384 + 200 }, { 2, 11, 16384 + 128 },		/* more k than are held at a time */
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static void copy(const struct problem *from, struct problem *to, enum operand x, int64_t rows, int64_t cols)
{
	double v[2];

	for (int64_t i = 0; i < rows; i++)
		for (int64_t j = 0; j < cols; j++) {
			problem_get(from, x, 0, i, j, v);
			problem_set(to, x, 0, i, j, v[0], v[1]);
		}
}

/* One problem twice: *thin with its wide operand contiguous along k, *general not. */
static void make(unsigned shape, bool bf16, enum values values, struct problem *thin, struct problem *general)
{
	int64_t m = shapes[shape].m, n = shapes[shape].n, k = shapes[shape].k;

	for (int which = 0; which < 2; which++) {
		struct problem *p = which ? general : thin;

		problem_init(p, bf16 ? EKKA_BF16 : EKKA_F32, bf16 ? EKKA_BF16 : EKKA_F32, m, n, k, 1, values, 3 * shape + 1);
		if (bf16)
			problem_bound(p, &(struct ekka_bound_facts){ .compute = 68, .math = 0, .on_device = true, .cc_major = 9 });
		if (n < m)
			p->row_a = !which;
		else
			p->row_b = which;
	}
	copy(thin, general, OPERAND_A, m, k);
	copy(thin, general, OPERAND_B, k, n);
	problem_compute(thin, bf16 ? TENSOR_CORE : LANES);
	copy(thin, general, OPERAND_C, m, n);
}

static void same_verdict(struct problem *thin, struct problem *general, unsigned shape, const char *what)
{
	struct ekka_verdict a = problem_judge(thin, true), b = problem_judge(general, true);

	cr_expect_eq(a.status, b.status, "shape %u, %s: %s, not %s", shape, what, ekka_status_name(a.status), ekka_status_name(b.status));
	cr_expect_eq(a.n_bad, b.n_bad, "shape %u, %s", shape, what);
	cr_expect_eq(a.worst[0], b.worst[0], "shape %u, %s", shape, what);
	cr_expect_eq(a.worst[1], b.worst[1], "shape %u, %s", shape, what);
	cr_expect((isnan(a.margin) && isnan(b.margin)) || a.margin == b.margin || fabs(a.margin - b.margin) <= 1e-6 * fabs(b.margin),
		  "shape %u, %s: margin %.9g, not %.9g", shape, what, a.margin, b.margin);
}

static void damage(struct problem *p, double error)
{
	int64_t i = p->m - 1, j = p->n / 2;
	double c[2];

	problem_get(p, OPERAND_C, 0, i, j, c);
	problem_set(p, OPERAND_C, 0, i, j, isfinite(error) ? c[0] + error : error, 0);
}

Test(thin, verdicts_and_margins_are_those_of_the_general_way)
{
	static const enum values values[] = { GAUSSIAN, POSITIVE, WIDE, CANCELLING };
	static const double errors[] = { 0.3, -50, INFINITY, NAN };

	for (unsigned shape = 0; shape < SHAPES; shape++)
		for (unsigned v = 0; v < sizeof values / sizeof values[0]; v++) {
			struct problem thin, general;

			make(shape, v & 1, values[v], &thin, &general);
			same_verdict(&thin, &general, shape, "right");
			cr_expect_eq(problem_judge(&thin, true).n_bad, 0u);
			for (unsigned e = 0; e < sizeof errors / sizeof errors[0]; e++) {
				damage(&thin, errors[e]);
				damage(&general, errors[e]);
				same_verdict(&thin, &general, shape, "damaged");
			}
			problem_release(&thin);
			problem_release(&general);
		}
}

Test(thin, infinite_and_nan_operands_are_seen)
{
	for (unsigned shape = 0; shape < SHAPES; shape += 3) {
		struct problem thin, general;

		make(shape, shape & 1, GAUSSIAN, &thin, &general);
		for (int nan = 0; nan < 2; nan++) {
			problem_set(&thin, OPERAND_A, 0, 0, 7, nan ? NAN : INFINITY, 0);
			problem_set(&general, OPERAND_A, 0, 0, 7, nan ? NAN : INFINITY, 0);
			same_verdict(&thin, &general, shape, "operand not finite");
			cr_expect_eq(problem_judge(&thin, true).status, EKKA_FAIL);
			cr_expect_eq(problem_judge(&thin, true).n_bad, (uint64_t)thin.n);
		}
		problem_release(&thin);
		problem_release(&general);
	}
}

Test(thin, only_few_vectors_and_lines_along_k_are_its_case)
{
	struct ekka_gemm g = { .a = { .rs = 100, .cs = 1 }, .b = { .rs = 50, .cs = 1 }, .model = { .out = EKKA_F32 } };

	cr_expect(ekka_gemm_thin_can(&g, 50, 8));
	cr_expect_not(ekka_gemm_thin_can(&g, 50, 9));
	cr_expect_not(ekka_gemm_thin_can(&g, 8, 50), "B is not contiguous along k");
	g.b.rs = 1;
	cr_expect(ekka_gemm_thin_can(&g, 8, 50));
	g.model.twofold = true;
	cr_expect_not(ekka_gemm_thin_can(&g, 8, 50));
	g.model = (struct ekka_bound_model){ .out = EKKA_C64 };
	cr_expect_not(ekka_gemm_thin_can(&g, 8, 50));
}
