/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of the sum over K: terms lost, counted twice, rounded, or begun from the wrong C. */
#include "element.h"
#include "fault.h"

#include <math.h>

/* ---- part of K lost ---- */

/* flashinfer-ai/flashinfer#1148: the number of tiles is rounded down, the last one dropped. */
static bool tail_of_k(const struct product *p)
{
	return forward(p) && p->k > 16 && p->k % 16;
}

static void run_k_tail(const struct product *p)
{
	struct product q = *p;

	q.k -= q.k % 16;
	q.run(&q);
}

/* flashinfer-ai/flashinfer#448: the second half of K starts from 0 instead of from the sum of the first half. */
static bool halves_of_k(const struct product *p)
{
	return forward(p) && p->k > 1;
}

static void run_half_k(const struct product *p)
{
	struct product q = *p;
	long half = p->k / 2;

	q.k -= half;
	q.a.p = advance(p, &p->a, half * p->a.col_stride);
	q.b.p = advance(p, &p->b, half * p->b.row_stride);
	q.run(&q);
}

/* ---- C started from something else ---- */

static bool adds(const struct product *p)
{
	return forward(p) && p->beta != 0 && p->entry != DOT;
}

/* The same change as above, seen from outside: what was in C is not added. */
static void run_beta_lost(const struct product *p)
{
	struct product q = *p;

	q.beta = 0;
	q.run(&q);
}

/* NVIDIA/cutlass#1989: the upper half of the outputs adds C[0] instead of C[1]. */
static bool adds_halves(const struct product *p)
{
	return adds(p) && p->entry != SYRK && p->m * p->n > 1;
}

static void run_c_half(const struct product *p)
{
	bool rows = p->m > 1;
	long half = (rows ? p->m : p->n) / 2;

	/* From the end, so that nothing is read after it was replaced. */
	for (long i = p->m - 1; i >= (rows ? half : 0); i--)
		for (long j = p->n - 1; j >= (rows ? 0 : half); j--)
			set(p, &p->c, i, j, get(p, &p->c, rows ? i - half : i, rows ? j : j - half));
	p->run(p);
}

/* InternLM/lmdeploy#3618: tried out more than once, each time added to the same C. */
static void run_twice(const struct product *p)
{
	struct product q = *p;

	q.alpha *= 2;
	q.run(&q);
}

/* ---- rounding ---- */

static double to_half(double x)
{
	int exponent;

	if (x == 0 || !isfinite(x))
		return x;
	frexp(x, &exponent);
	if (exponent < -13)
		exponent = -13;			/* subnormal */
	double step = ldexp(1, exponent - 11), rounded = nearbyint(x / step) * step;
	return fabs(rounded) > 65504 ? copysign(INFINITY, x) : rounded;
}

/* vllm-project/vllm#6795: the partial sums of split K are added up in fp16. */
static bool splits(const struct product *p)
{
	return forward(p) && p->entry != SYRK && p->k > 32;
}

static void run_fp16_sum(const struct product *p)
{
	for (long i = 0; i < p->m; i++)
		for (long j = 0; j < p->n; j++) {
			double sum = 0;
			for (long begin = 0; begin < p->k; begin += 32) {
				double part = 0;
				for (long k = begin; k < begin + 32 && k < p->k; k++)
					part += get(p, &p->a, i, k) * get(p, &p->b, k, j);
				sum = to_half(sum + to_half(part));
			}
			/* beta 0: C may hold anything, NaN too. */
			set(p, &p->c, i, j, p->alpha * sum + (p->beta == 0 ? 0 : p->beta * get(p, &p->c, i, j)));
		}
}

const struct fault fault_k_tail = { "k-tail", tail_of_k, run_k_tail, NULL };
const struct fault fault_half_k = { "half-k", halves_of_k, run_half_k, NULL };
const struct fault fault_beta_lost = { "beta-lost", adds, run_beta_lost, NULL };
const struct fault fault_c_half = { "c-half", adds_halves, run_c_half, NULL };
const struct fault fault_twice = { "twice", forward, run_twice, NULL };
const struct fault fault_fp16_sum = { "fp16-sum", splits, run_fp16_sum, NULL };
