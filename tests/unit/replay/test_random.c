/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers: Philox against its authors' known answers, cuRAND's and PyTorch's use of it against numbers that PyTorch printed on NVIDIA GPUs, and
 * kernels in plain C that go step by step through their generators, and through changed ones.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/philox.h"
#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

static struct fake_event f;

/* The file kat_vectors of the authors' library Random123. */
Test(random, philox_gives_the_known_answers)
{
	static const struct { uint64_t key, low, high; uint32_t answer[4]; } known[] = {
		{ 0, 0, 0, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
		{ UINT64_MAX, UINT64_MAX, UINT64_MAX, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
		{ 0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e, { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
	};

	for (unsigned k = 0; k < 3; k++) {
		uint32_t got[4][EKKA_PHILOX_BLOCKS];

		ekka_philox(known[k].key, 1, &known[k].low, &known[k].high, got);
		for (unsigned w = 0; w < 4; w++)
			cr_expect_eq(got[w][0], known[k].answer[w]);
	}
}

static struct ekka_verdict judge(const char *kind, uint64_t seed, uint64_t offset, int64_t threads, int64_t lanes, const char *expr,
				 enum ekka_dtype dtype, const char *dims, const void *out)
{
	fake_event_init(&f, "random");
	fake_event_text(&f, "kind", kind);
	fake_event_int(&f, "seed", (int64_t)seed);
	fake_event_int(&f, "offset", (int64_t)offset);
	fake_event_int(&f, "threads", threads);
	fake_event_int(&f, "lanes", lanes);
	fake_event_text(&f, "expr", expr);
	fake_event_tensor(&f, "out0", EKKA_OUT, dtype, dims, NULL, NULL, out);
	return fake_event_judge(&f);
}

/* torch.rand and torch.randn after torch.manual_seed(seed), to four places. */
Test(random, numbers_are_those_that_pytorch_prints)
{
	static const struct { const char *kind; uint64_t seed; float printed[5]; } known[] = {
		{ "uniform", 0, { 0.3990f, 0.5167f, 0.0249f, 0.9401f, 0.9459f } }, { "uniform", 42, { 0.6130f, 0.0101f, 0.3984f, 0.0403f, 0.1563f } },
		{ "normal", 0, { -0.9247f, -0.4253f, -2.6438f, 0.1452f, -0.1209f } }, { "normal", 42, { 0.1940f, 2.1614f, -0.1721f, 0.8491f, -1.9244f } },
	};

	for (unsigned k = 0; k < 4; k++) {
		static const char expr[] = "rint(r * 10000) / 10000";

		cr_expect_eq(judge(known[k].kind, known[k].seed, 0, 256, 4, expr, EKKA_F32, "5", known[k].printed).status, EKKA_PASS, "%u", k);
		cr_expect_eq(judge(known[k].kind, known[k].seed + 1, 0, 256, 4, expr, EKKA_F32, "5", known[k].printed).status, EKKA_FAIL, "%u", k);
		cr_expect_eq(judge(known[k].kind, known[k].seed, 4, 256, 4, expr, EKKA_F32, "5", known[k].printed).status, EKKA_FAIL, "%u", k);
	}
}

/* ---- kernels ------------------------------------------------------------ */

enum { BLOCKS = 2, BLOCK = 32, THREADS = BLOCKS * BLOCK, N = 1500 };

struct launch {
	const char *kind;
	uint64_t seed, offset;
	int lanes;
	double coarse, coarser;	/* how much of what its functions may err the kernel makes use of; of the logarithm below 0.5 */
	enum mutant { RIGHT, NEXT_OFFSET, SAME_WORDS, LANES_SWAPPED, ONE_THREAD, HIGH_SEED, MUTANTS } mutant;
};

static void words_of(const struct launch *k, uint64_t thread, uint64_t taken, uint32_t x[4])
{
	uint64_t low = k->offset / 4 + (k->mutant == SAME_WORDS ? 0 : taken) + (k->mutant == NEXT_OFFSET), high = k->mutant == ONE_THREAD ? 0 : thread;
	uint32_t all[4][EKKA_PHILOX_BLOCKS];

	ekka_philox(k->mutant == HIGH_SEED ? k->seed & UINT32_MAX : k->seed, 1, &low, &high, all);
	for (int w = 0; w < 4; w++)
		x[w] = all[w][0];
}

static void normal_pair(const struct launch *k, uint32_t a, uint32_t b, double ret[2])
{
	float u = (float)a * 2.3283064e-10f + 2.3283064e-10f / 2, v = (float)b * (2.3283064e-10f * 6.2831855f) + 2.3283064e-10f * 6.2831855f / 2;
	float s = sqrtf(-2 * logf(u)), off = (float)(k->coarse * 0x1p-20 * 0.8);

	ret[0] = s * (sinf(v) + off);
	ret[1] = s * (cosf(v) - off);
}

static void take(const struct launch *k, const uint32_t x[4], double ret[4])
{
	for (int i = 0; i < k->lanes; i++) {
		uint64_t wide = (uint64_t)x[2 * (i % 2)] ^ (uint64_t)x[2 * (i % 2) + 1] << 21;
		double u = k->lanes == 2 ? (double)wide * 1.1102230246251565e-16 + 1.1102230246251565e-16 / 2
					 : (double)((float)x[i] * 2.3283064e-10f + 2.3283064e-10f / 2);

		ret[i] = u;
		if (k->kind[0] == 'e' && k->lanes == 4)
			ret[i] = u >= 1 - 0x1p-24 ? 0x1p-24 :
				 u >= 0.5 ? -(logf((float)u) + (float)(k->coarse * 0x1p-21 * 0.7)) : -logf((float)u) * (1 + k->coarser * 0x1p-23 * 2);
		else if (k->kind[0] == 'e')
			ret[i] = -log(u);
		else if (k->kind[0] == 'b')
			ret[i] = x[i] % 1000;
	}
	if (k->kind[0] == 'n' && k->lanes == 4) {
		normal_pair(k, x[0], x[1], ret);
		normal_pair(k, x[2], x[3], ret + 2);
	} else if (k->kind[0] == 'n') {
		double s = sqrt(-2 * log(ret[0])), v = 2 * M_PI * ret[1];

		ret[0] = s * sin(v);
		ret[1] = s * cos(v);
	}
}

/* A grid that strides over its elements, as PyTorch's does. */
static void run(const struct launch *k, enum ekka_dtype t, double (*finish)(double), void *out)
{
	for (int64_t thread = 0; thread < THREADS; thread++)
		for (int64_t first = thread, taken = 0; first < N; first += THREADS * k->lanes, taken++) {
			uint32_t x[4];
			double r[4];

			words_of(k, (uint64_t)thread, (uint64_t)taken, x);
			take(k, x, r);
			for (int i = 0; i < k->lanes; i++) {
				int64_t at = first + THREADS * i;

				if (at < N)
					samples_put(t, out, at, finish(r[k->mutant == LANES_SWAPPED ? k->lanes - 1 - i : i]));
			}
		}
}

static double itself(double r) { return r; }
static double moved(double r) { return (double)((float)r * 0.02f + 0.5f); }
static double in_range(double r)
{
	float u = (float)r * 6.0f + -3.0f;

	return u == 3.0f ? -3.0f : u;
}
static double tenth(double r) { return r < 0.1f; }
static double third(double r) { return (double)(-1.0f / 3.0f * -(float)r); }

static const struct known { const char *kind; int lanes; enum ekka_dtype t; const char *expr; double (*finish)(double); } kernels[] = {
	{ "uniform", 4, EKKA_F32, "u = r * range + from; out0 = u == to ? from : u", in_range }, { "uniform", 4, EKKA_BF16, "r", itself },
	{ "uniform", 2, EKKA_F64, "r", itself }, { "uniform", 4, EKKA_U8, "r < 0.1", tenth }, { "normal", 4, EKKA_F32, "r * 0.02 + 0.5", moved },
	{ "normal", 4, EKKA_BF16, "r", itself }, { "normal", 4, EKKA_F16, "r", itself }, { "normal", 2, EKKA_F64, "r", itself },
	{ "exponential", 4, EKKA_F32, "1 / 3.0 * r", third }, { "exponential", 2, EKKA_F64, "r", itself }, { "bits", 4, EKKA_I64, "r", itself },
};
enum { KERNELS = sizeof kernels / sizeof kernels[0] };

static struct ekka_verdict judge_kernel(const struct known *what, const struct launch *k, const void *out)
{
	fake_event_init(&f, "random");
	fake_event_text(&f, "kind", k->kind);
	fake_event_int(&f, "seed", (int64_t)k->seed);
	fake_event_int(&f, "offset", (int64_t)k->offset);
	fake_event_int(&f, "threads", THREADS);
	fake_event_int(&f, "lanes", k->lanes);
	if (k->kind[0] == 'b')
		fake_event_int(&f, "modulo", 1000);
	fake_event_text(&f, "expr", what->expr);
	fake_event_real(&f, "range", 6);
	fake_event_real(&f, "from", -3);
	fake_event_real(&f, "to", 3);
	fake_event_tensor(&f, "out0", EKKA_OUT, what->t, "3x500", NULL, NULL, out);
	return fake_event_judge(&f);
}

Test(random, honest_kernels_pass_however_coarse_their_functions)
{
	for (unsigned i = 0; i < KERNELS; i++)
		for (int coarse = -1; coarse <= 1; coarse++) {
			struct launch k = { kernels[i].kind, UINT64_C(0x123456789abcdef0) * (i + 1), 4 * i, kernels[i].lanes, coarse, coarse, RIGHT };
			void *out = samples_new(kernels[i].t, N);
			struct ekka_verdict v;

			run(&k, kernels[i].t, kernels[i].finish, out);
			v = judge_kernel(&kernels[i], &k, out);
			cr_expect_eq(v.status, EKKA_PASS, "%u, %d: %s, %s, %g is not %g", i, coarse, ekka_status_name(v.status), v.reason, v.worst_out[0],
				     v.worst_ref[0]);
			cr_expect_eq(v.n_elements, N);
			free(out);
		}
}

Test(random, other_numbers_are_wrong)
{
	for (unsigned i = 0; i < KERNELS; i++)
		for (int mutant = RIGHT + 1; mutant < MUTANTS; mutant++) {
			struct launch k = { kernels[i].kind, UINT64_C(0x123456789abcdef0) * (i + 1), 4 * i, kernels[i].lanes, 0, 0, (enum mutant)mutant };
			void *out = samples_new(kernels[i].t, N);

			run(&k, kernels[i].t, kernels[i].finish, out);
			cr_expect_eq(judge_kernel(&kernels[i], &k, out).status, EKKA_FAIL, "kernel %u, mutant %d", i, mutant);
			free(out);
		}
}

/* Sixteen times what the functions may err is seen in f32, a step of the type in bits and uniform numbers. */
Test(random, small_errors_are_seen)
{
	for (unsigned round = 0, i = 0; round < 2; i = (i + 1) % KERNELS, round += i == 0) {
		struct launch k = { kernels[i].kind, i, 8, kernels[i].lanes, 0, 0, RIGHT };
		bool exact = kernels[i].finish != moved && strcmp(k.kind, "normal") && strcmp(k.kind, "exponential") && kernels[i].finish != in_range;
		void *out = samples_new(kernels[i].t, N);

		run(&k, kernels[i].t, kernels[i].finish, out);
		if (exact || kernels[i].t != EKKA_F32) {
			samples_nudge(kernels[i].t, out, 700, exact ? 1 : kernels[i].t == EKKA_F64 ? 200 : 2);
		} else {
			k.coarse = kernels[i].kind[0] == 'e' && round ? 0 : 16;
			k.coarser = 16 - k.coarse;
			run(&k, kernels[i].t, kernels[i].finish, out);
		}
		if (kernels[i].finish != in_range)
			cr_expect_eq(judge_kernel(&kernels[i], &k, out).status, EKKA_FAIL, "kernel %u", i);
		free(out);
	}
}

/* A number for each probability, four to a thread: PyTorch's bernoulli. */
Test(random, packed_numbers_are_a_threads_neighbours)
{
	float p[N];
	uint8_t out[N];

	for (int changed = 0; changed < 2; changed++) {
		for (int64_t i = 0; i < N; i++) {
			struct launch k = { .seed = 7, .offset = 12 };
			uint32_t x[4];

			p[i] = (float)(i % 10) / 10;
			words_of(&k, (uint64_t)i / 4, 0, x);
			out[i] = (float)x[i % 4] * 2.3283064e-10f + 2.3283064e-10f / 2 <= p[i];
		}
		out[1001] ^= changed;
		fake_event_init(&f, "random");
		fake_event_text(&f, "kind", "uniform");
		fake_event_int(&f, "seed", 7);
		fake_event_int(&f, "offset", 12);
		fake_event_int(&f, "packed", 1);
		fake_event_text(&f, "expr", "r <= in0");
		fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_U8, "1500", NULL, NULL, out);
		fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "1500", NULL, p, NULL);
		cr_expect_eq(fake_event_judge(&f).status, changed ? EKKA_FAIL : EKKA_PASS);
	}
}

Test(random, what_is_no_generator_is_unsupported)
{
	float out[4] = { 0 };

	cr_expect_eq(judge("poisson", 0, 0, 1, 4, "r", EKKA_F32, "4", out).status, EKKA_UNSUPPORTED);
	cr_expect_eq(judge("uniform", 0, 2, 1, 4, "r", EKKA_F32, "4", out).status, EKKA_UNSUPPORTED);
	cr_expect_eq(judge("uniform", 0, 0, 0, 4, "r", EKKA_F32, "4", out).status, EKKA_UNSUPPORTED);
	cr_expect_eq(judge("uniform", 0, 0, 1, 3, "r", EKKA_F32, "4", out).status, EKKA_UNSUPPORTED);
}
