/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "random": op elementwise with one name more in `expr`: `r`, this element's random number. Numbers are those of cuRAND's Philox4x32-10 for `seed` and
 * `offset`, so that a kernel that makes others, the same ones twice, or those of another step, fails.
 *
 * `threads` threads have a subsequence each and take four words (`lanes` numbers) at a time, from word `offset` on, a multiple of 4. The numbers go
 * to elements `threads` apart: element e is number (e % (threads lanes)) / threads of taking e / (threads lanes) of thread e % threads. With `packed`
 * a thread takes once, for `lanes` elements side by side. `kind`, with lanes 4 (words x0...x3) or 2 (64-bit words x0 + x1 2^32... as cuRAND's functions
 * for doubles put them together):
 *
 *	bits		the word itself; of two words x0 2^32 + x1; with `modulo` the rest of it
 *	uniform		in (0, 1]: x 2^-32 + 2^-33 in f32; z 2^-53 + 2^-54, z = x0 ^ x1 2^21, in f64. Exact
 *	normal		Box and Muller: s sin v, s cos v, s = sqrt(-2 log u), u uniform of the first, v = 2 pi uniform of the second word
 *	exponential	-log of uniform, and 2^-24 (f64: 2^-53) where that is not below 1 - 2^-24 (1 - 2^-53), as PyTorch has it
 *
 * Error of `r` in f32, with the errors of the CUDA C++ Programming Guide, "Mathematical Functions": v is rounded twice, 2^-23 v; __sincosf errs by 2^-21.19
 * up to pi, and by twice that up to 2 pi, where the argument's reduction is as coarse again; logf (1 ulp), sqrtf (1 ulp) and the product 2^-21 |r|
 * in all. exponential: __logf errs by 2^-21.41 in [0.5, 1], by 3 ulp below. In f64: 16 u s, and 4 u |r|: the functions' 2 ulp, and the reference's own.
 */
#include <math.h>
#include <string.h>

#include "replay/op_elementwise.h"
#include "replay/op_job.h"
#include "replay/philox.h"

enum kind { BITS, UNIFORM, NORMAL, EXPONENTIAL, KINDS };

struct generator {
	enum kind kind;
	uint64_t seed, offset, threads, lanes, modulo;
	bool packed;
	uint32_t word[4][EKKA_PHILOX_BLOCKS];
	unsigned lane[EKKA_PHILOX_BLOCKS];
};

/* The words and lane of every element. */
static void draw(struct generator *g, uint64_t first, size_t n)
{
	uint64_t block[EKKA_PHILOX_BLOCKS], thread[EKKA_PHILOX_BLOCKS];

	for (size_t i = 0; i < n; i++) {
		uint64_t e = first + i, a_time = g->threads * g->lanes;

		g->lane[i] = (unsigned)(g->packed ? e % g->lanes : e % a_time / g->threads);
		thread[i] = g->packed ? e / g->lanes : e % g->threads;
		block[i] = g->offset / 4 + (g->packed ? 0 : e / a_time);
	}
	ekka_philox(g->seed, n, block, thread, g->word);
}

static double uniform32(uint32_t x)
{
	return (double)((float)x * 0x1p-32f + 0x1p-33f);
}

static uint64_t z53(uint32_t low, uint32_t high)
{
	return (uint64_t)low ^ (uint64_t)high << 21;
}

static double uniform53(uint64_t z)
{
	return (double)z * 0x1p-53 + 0x1p-54;
}

/* One number that is not of whole bits. x: the element's four words. */
static double number_of(const struct generator *g, const uint32_t x[4], unsigned lane, double *error)
{
	double u, v, s, r;

	*error = 0;
	if (g->lanes == 2) {
		u = uniform53(z53(x[2 * lane], x[2 * lane + 1]));
		if (g->kind == UNIFORM)
			return u;
		if (g->kind == EXPONENTIAL) {
			r = u >= 1 - 0x1p-53 ? 0x1p-53 : -log(u);
			*error = 0x1p-51 * r;
			return r;
		}
		s = sqrt(-2 * log(uniform53(z53(x[0], x[1]))));
		v = 2 * M_PI * uniform53(z53(x[2], x[3]));
		r = s * (lane == 0 ? sin(v) : cos(v));
		*error = 0x1p-49 * s + 0x1p-51 * fabs(r);
		return r;
	}
	u = uniform32(x[lane]);
	if (g->kind == UNIFORM)
		return u;
	if (g->kind == EXPONENTIAL) {
		r = u >= 1 - 0x1p-24 ? 0x1p-24 : -log(u);
		*error = u >= 1 - 0x1p-24 ? 0 : u >= 0.5 ? 0x1p-21 * 0.76 : 3 * 0x1p-23 * r;
		return r;
	}
	s = sqrt(-2 * log(uniform32(x[lane & ~1u])));
	v = (double)(float)x[lane | 1] * (0x1p-32 * 6.2831855f) + 0x1p-33 * 6.2831855f;
	r = s * (lane % 2 == 0 ? sin(v) : cos(v));
	*error = s * (0x1p-20 * 0.877 + 0x1p-23 * v) + 0x1p-21 * fabs(r);
	return r;
}

static int64_t bits_of(const struct generator *g, const uint32_t x[4], unsigned lane)
{
	uint64_t bits = g->lanes == 2 ? (uint64_t)x[2 * lane] << 32 | x[2 * lane + 1] : x[lane];

	return (int64_t)(g->modulo ? bits % g->modulo : bits);
}

static void fill(void *arg, int64_t first, size_t n, double *re, double *error, int64_t *ints)
{
	struct generator *g = arg;

	draw(g, (uint64_t)first, n);
	for (size_t i = 0; i < n; i++) {
		const uint32_t x[4] = { g->word[0][i], g->word[1][i], g->word[2][i], g->word[3][i] };

		if (g->kind == BITS)
			ints[i] = bits_of(g, x, g->lane[i]);
		else
			re[i] = number_of(g, x, g->lane[i], &error[i]);
	}
}

/* NULL, or why there is no such generator. */
static const char *prepare(struct generator *g, const struct ekka_event *e)
{
	static const char *const names[KINDS] = { "bits", "uniform", "normal", "exponential" };
	const char *kind = ekka_expr_event_text(e, "kind");

	while (g->kind < KINDS && (!kind || strcmp(kind, names[g->kind]) != 0))
		g->kind++;
	g->seed = (uint64_t)ekka_job_attr(e, "seed", 0);
	g->offset = (uint64_t)ekka_job_attr(e, "offset", 0);
	g->threads = (uint64_t)ekka_job_attr(e, "threads", 0);
	g->lanes = (uint64_t)ekka_job_attr(e, "lanes", 4);
	g->modulo = (uint64_t)ekka_job_attr(e, "modulo", 0);
	g->packed = ekka_job_attr(e, "packed", 0) != 0;
	if (g->kind == KINDS)
		return "no reference for this kind of random numbers";
	if ((g->threads == 0 && !g->packed) || g->threads > UINT32_MAX || (g->lanes != 2 && g->lanes != 4) || g->offset % 4 != 0)
		return "threads, lanes or offset are none that random numbers are made with";
	return NULL;
}

static int judge_random(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	struct generator g = { .kind = BITS };
	const char *problem = prepare(&g, event);
	const struct ekka_expr_source source = { "r", g.kind == BITS, fill, &g };

	if (problem) {
		struct ekka_expr_event x = { .verdict = v };

		ekka_expr_event_settle(&x, EKKA_UNSUPPORTED, problem, "");
		return 0;
	}
	return ekka_elementwise_judge(ctx, event, &source, v, err);
}

const struct ekka_op ekka_op_random = { "random", judge_random };
