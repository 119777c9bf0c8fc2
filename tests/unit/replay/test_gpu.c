/* SPDX-License-Identifier: Apache-2.0 */
/* The GPU backend against the CPU, twice: on a stand-in and on the machine's own GPU if there is one. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compare/round.h"
#include "replay/convert.h"
#include "replay/gpu.h"
#include "tests/unit/replay/attention_sim.h"
#include "tests/unit/replay/gpu_stand_in.h"
#include "tests/unit/replay/problem.h"

/* The machine's own, or the stand-in; NULL: no GPU here. */
static struct ekka_backend *open_one(bool own)
{
	struct ekka_error err = { 0 };
	struct ekka_backend *b = own ? ekka_gpu_open(EKKA_GPU_ALWAYS, &err) : ekka_gpu_open_with(&gpu_stand_in, &gpu_stand_in, EKKA_GPU_ALWAYS, &err);

	cr_assert(b || own, "%s", err.message);
	return b;
}

/* ---- products --------------------------------------------------------- */

/* The reference's own rounding may show in a margin: 4 K 2^-53 S of a bound that is K 2^-24 S and more; a twofold one has none that shows. */
static bool near(double a, double b, bool tight)
{
	return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-12 * (fabs(a) + fabs(b)) + (tight ? 0 : 0x1p-26);
}

static void compare(struct problem *p, struct ekka_backend *b, const char *what, uint64_t seed)
{
	struct ekka_verdict cpu = problem_judge(p, true), gpu = problem_judge_with(p, &(struct ekka_gemm_options){ .exact = true, .backend = b });

	cr_assert_eq(cpu.status, gpu.status, "%s %llu: %s on the CPU, %s on the GPU: margins %g and %g", what, (unsigned long long)seed,
		     ekka_status_name(cpu.status), ekka_status_name(gpu.status), cpu.margin, gpu.margin);
	cr_expect(near(cpu.margin, gpu.margin, p->g.model.twofold), "%s %llu %s: margins %.17g and %.17g", what, (unsigned long long)seed, ekka_dtype_name(p->ta), cpu.margin,
		  gpu.margin);
	cr_expect(near(cpu.max_bound, gpu.max_bound, true), "%s %llu: bounds %.17g and %.17g", what, (unsigned long long)seed, cpu.max_bound, gpu.max_bound);
	cr_expect_eq(cpu.n_bad, gpu.n_bad);
	cr_expect_str_eq(cpu.looks_like, gpu.looks_like);
}

static void both(bool own, void (*check)(struct ekka_backend *))
{
	struct ekka_backend *b = open_one(own);

	if (!b)
		cr_skip_test("no GPU");
	check(b);
	b->close(b);
}

static const struct { enum ekka_dtype a, c; } types[] = {
	{ EKKA_F32, EKKA_F32 }, { EKKA_F64, EKKA_F64 }, { EKKA_C64, EKKA_C64 }, { EKKA_C128, EKKA_C128 },
	{ EKKA_BF16, EKKA_F32 }, { EKKA_F16, EKKA_F32 }, { EKKA_I8, EKKA_I32 }, { EKKA_BF16, EKKA_BF16 },
};
enum { TYPES = sizeof types / sizeof types[0] };

static void host_products(struct ekka_backend *b)
{
	static const int64_t some_k[] = { 1, 5, 64, 127, 128, 129, 300, 1000, 2500 };

	for (uint64_t seed = 1; seed <= 220; seed++) {
		struct problem p;

		problem_init(&p, types[seed % TYPES].a, types[seed % TYPES].c, 1 + (int64_t)(seed % 23), 1 + (int64_t)(seed % 19), some_k[seed % 9],
			     1 + (int64_t)(seed % 3), (enum values)(seed / TYPES % VALUES_COUNT), seed);
		if (types[seed % TYPES].c == EKKA_BF16 || seed % 5 == 0)
			problem_bound(&p, &(struct ekka_bound_facts){ .compute = types[seed % TYPES].a == EKKA_I8 ? 72 : 68, .math = 0, .on_device = true, .cc_major = 9 });
		if (seed % 3 == 0 && p.ta != EKKA_I8) {
			p.alpha[0] = -0.37;
			p.beta[0] = 1.25;
		}
		p.g.a.conj = seed % 2 && ekka_dtype_is_complex(p.ta);
		p.g.b.conj = seed % 3 == 1 && ekka_dtype_is_complex(p.ta);
		problem_compute(&p, SEQUENTIAL);
		if (seed % 4 == 0) {
			double c[2];

			problem_get(&p, OPERAND_C, 0, 0, 0, c);
			problem_set(&p, OPERAND_C, 0, 0, 0, c[0] + 1, c[1]);
		}
		if (seed % 11 == 0 && p.ta != EKKA_I8)
			problem_set(&p, OPERAND_A, 0, 0, 0, seed % 2 ? NAN : INFINITY, 0);
		compare(&p, b, "product", seed);
		problem_release(&p);
	}
}

Test(gpu, products_are_judged_alike_on_the_stand_in) { both(false, host_products); }
Test(gpu, products_are_judged_alike_on_the_gpu) { both(true, host_products); }

static void large_product(struct ekka_backend *b)
{
	struct problem p;

	problem_init(&p, EKKA_F32, EKKA_F32, 700, 530, 300, 1, GAUSSIAN, 5);	/* several blocks of 512 x 512 */
	problem_compute(&p, SEQUENTIAL);
	compare(&p, b, "large", 5);
	for (int64_t i = 600; i < 700; i++)
		problem_set(&p, OPERAND_C, 0, i, 529, 7, 0);
	compare(&p, b, "large, wrong", 5);
	problem_release(&p);
}

Test(gpu, several_blocks_are_judged_alike_on_the_stand_in) { both(false, large_product); }
Test(gpu, several_blocks_are_judged_alike_on_the_gpu) { both(true, large_product); }

/* Operands scaled by blocks: a result without the factors is as wrong on the GPU, one with them as right. */
static void scaled_product(struct ekka_backend *b)
{
	const double factors[2][2] = { { 1, 1 }, { 2, 0.25 } };

	for (int i = 0; i < 8; i++) {
		struct ekka_gemm_options o = { .exact = true, .backend = i & 1 ? b : NULL };
		struct ekka_verdict v = { 0 };
		struct problem p;
		struct ekka_gemm g;
		struct ekka_matrix *m = i & 2 ? &g.b : &g.a;

		problem_init(&p, EKKA_F32, EKKA_F32, 40, 30, 64, 1, GAUSSIAN, 3);
		problem_compute(&p, SEQUENTIAL);
		g = problem_gemm(&p);
		m->scale_rows = m->scale_cols = 32;
		*(i & 2 ? &m->scale_rs : &m->scale_cs) = 1;	/* along k */
		m->scale = factors[i / 4];
		cr_assert_eq(ekka_gemm_judge(&g, &o, &v, NULL), 0);
		cr_expect_eq(v.status, i / 4 ? EKKA_FAIL : EKKA_PASS, "factors of %c, %s: %s", i & 2 ? 'B' : 'A', i & 1 ? "GPU" : "CPU", ekka_status_name(v.status));
		problem_release(&p);
	}
}

Test(gpu, products_of_scaled_operands_are_judged_alike_on_the_stand_in) { both(false, scaled_product); }
Test(gpu, products_of_scaled_operands_are_judged_alike_on_the_gpu) { both(true, scaled_product); }

/* Whatever fails on the device is done by the CPU. */
Test(gpu, a_device_that_fails_in_between_changes_nothing)
{
	for (int after = 0; after < 40; after += 3) {
		struct ekka_backend *b;
		struct problem p;

		gpu_launches = 0;
		gpu_fail_after = after;
		b = open_one(false);
		problem_init(&p, EKKA_BF16, EKKA_F32, 70, 50, 300, 3, GAUSSIAN, 9);
		problem_compute(&p, SEQUENTIAL);
		compare(&p, b, "failing", (uint64_t)after);
		cr_expect(gpu_launches <= after);
		problem_release(&p);
		b->close(b);
		gpu_fail_after = -1;
	}
}

/* Every bit pattern of the small types, and of the others what matters. */
Test(gpu, kernels_convert_as_the_cpu_does)
{
	static const enum ekka_dtype small[] = { EKKA_E4M3, EKKA_E5M2, EKKA_F16, EKKA_BF16, EKKA_I8, EKKA_U8, EKKA_I16, EKKA_U16, EKKA_CI8 };
	uint16_t all[1 << 16];
	double *want = malloc(3 * sizeof all * 4), *got = want + (1 << 16), *im = got + (1 << 16);

	for (unsigned i = 0; i < 1 << 16; i++)
		all[i] = (uint16_t)i;
	for (size_t t = 0; t < sizeof small / sizeof small[0]; t++) {
		ekka_convert(small[t], all, 1, 1 << 16 >> (ekka_dtype_bytes(small[t]) < 2 ? 1 : 0), want, im);
		gpu_stand_in_convert(got, all, (int)small[t], 1 << 15);
		for (unsigned i = 0; i < 1 << 15; i++)
			cr_assert(want[i] == got[i] ? signbit(want[i]) == signbit(got[i]) : isnan(want[i]) && isnan(got[i]), "%s %x: %g and %g",
				  ekka_dtype_name(small[t]), i, want[i], got[i]);
	}
	free(want);
}

/* ---- attention -------------------------------------------------------- */

static void attention_alike(struct ekka_backend *b, const char *what, struct sim s)
{
	struct ekka_verdict cpu = sim_judge(s), gpu;
	int before = gpu_launches;
	char note[EKKA_TEXT];

	s.backend = b;
	gpu = sim_judge(s);
	cr_expect_eq(cpu.status, gpu.status, "%s: %s on the CPU, %s on the GPU: margins %g and %g", what, ekka_status_name(cpu.status), ekka_status_name(gpu.status),
		     cpu.margin, gpu.margin);
	/* The bound's sums are in float32 on the CPU. */
	cr_expect(cpu.margin == gpu.margin || (isnan(cpu.margin) && isnan(gpu.margin)) || fabs(cpu.margin - gpu.margin) <= 2e-6 * cpu.margin,
		  "%s: margins %.17g and %.17g", what, cpu.margin, gpu.margin);
	cr_expect_eq(cpu.n_bad, gpu.n_bad, "%s", what);
	cr_expect_eq(cpu.n_elements, gpu.n_elements, "%s", what);
	cr_expect_str_eq(cpu.looks_like, gpu.looks_like);
	b->note(b, note);
	cr_expect_str_eq(note, "", "%s", what);
	if (strstr(b->name, "stand-in"))
		cr_expect(gpu_launches > before, "%s: the backend did nothing", what);
}

#define ATTENTION .dtype = EKKA_BF16, .batch = 2, .heads = 4, .heads_k = 2, .m = 60, .n = 300, .d = 64, .dv = 48, .left = -1, .right = -1, .tile = 64

/* Tile by tile, as what is not dense goes. */
static void attentions_by_tiles(struct ekka_backend *b)
{
	static const int32_t lengths[] = { 97, 270 };
	struct sim window = { ATTENTION, .causal = true };

	b->attention_event = NULL;
	attention_alike(b, "dense", (struct sim){ ATTENTION, .lse = true });
	attention_alike(b, "causal", (struct sim){ ATTENTION, .causal = true, .size = 3 });
	attention_alike(b, "top-left", (struct sim){ ATTENTION, .causal = true, .top_left = true });
	window.left = 17;
	attention_alike(b, "window", window);
	attention_alike(b, "softcap", (struct sim){ ATTENTION, .softcap = 5, .size = 2 });
	attention_alike(b, "alibi", (struct sim){ ATTENTION, .alibi = true, .causal = true });
	attention_alike(b, "bias", (struct sim){ ATTENTION, .bias = true, .lse = true });
	attention_alike(b, "mask", (struct sim){ ATTENTION, .mask = true, .lse = true });
	attention_alike(b, "bias and mask", (struct sim){ ATTENTION, .bias = true, .mask = true });
	attention_alike(b, "lengths", (struct sim){ ATTENTION, .len_k = lengths, .causal = true });
	attention_alike(b, "no scale", (struct sim){ ATTENTION, .fault = SIM_NO_SCALE });
	attention_alike(b, "last tile", (struct sim){ ATTENTION, .fault = SIM_LAST_TILE });
	attention_alike(b, "mask more", (struct sim){ ATTENTION, .causal = true, .fault = SIM_MASK_MORE });
	attention_alike(b, "a value of V is infinite", (struct sim){ ATTENTION, .causal = true, .odd_v = 290 });
	attention_alike(b, "NaN", (struct sim){ ATTENTION, .fault = SIM_NAN_ROW });
}

Test(gpu, attention_by_tiles_is_judged_alike_on_the_stand_in) { both(false, attentions_by_tiles); }
Test(gpu, attention_by_tiles_is_judged_alike_on_the_gpu) { both(true, attentions_by_tiles); }

static bool (*whole)(struct ekka_backend *, const struct ekka_attention *, const struct ekka_attention_outputs *, struct ekka_attention_found *);
static int n_whole;
static bool counted(struct ekka_backend *b, const struct ekka_attention *x, const struct ekka_attention_outputs *o, struct ekka_attention_found *ret)
{
	bool good = whole(b, x, o, ret);

	n_whole += good;
	return good;
}

#define DENSE(type, rows, keys) .dtype = (type), .batch = 2, .heads = 4, .heads_k = 2, .m = (rows), .n = (keys), .d = 64, .dv = 48, .tile = 64

/* Whole events: those that are right are judged there altogether, the others not. */
static void whole_attentions(struct ekka_backend *b)
{
	const struct { const char *what; bool there; struct sim s; } event[] = {
		{ "dense", true, { DENSE(EKKA_BF16, 60, 300), .lse = true } }, { "causal", true, { DENSE(EKKA_BF16, 60, 300), .causal = true, .size = 3 } },
		{ "causal, other strides", true, { DENSE(EKKA_BF16, 60, 300), .causal = true, .interleaved = true, .lse = true } },
		{ "base 2", true, { DENSE(EKKA_BF16, 60, 300), .lse = true, .base2 = true } }, { "top-left", true, { DENSE(EKKA_BF16, 60, 300), .causal = true, .top_left = true } },
		{ "window", true, { DENSE(EKKA_BF16, 60, 300), .causal = true, .left = 17 } }, { "both sides", true, { DENSE(EKKA_BF16, 60, 300), .left = 9, .right = 30 } },
		{ "softcap", true, { DENSE(EKKA_BF16, 60, 300), .softcap = 5, .size = 2 } }, { "bias", true, { DENSE(EKKA_BF16, 60, 300), .bias = true, .lse = true } },
		{ "mask", true, { DENSE(EKKA_BF16, 60, 300), .mask = true, .lse = true } }, { "bias and mask", true, { DENSE(EKKA_BF16, 60, 300), .bias = true, .mask = true } },
		{ "f16", true, { DENSE(EKKA_F16, 60, 300), .causal = true } }, { "f32", true, { DENSE(EKKA_F32, 60, 300), .causal = true } },
		{ "f32, other tiles first", true, { DENSE(EKKA_F32, 60, 300), .size = 6, .lse = true } }, { "other tiles first", true, { DENSE(EKKA_BF16, 60, 300), .size = 6, .lse = true } }, { "one row", true, { DENSE(EKKA_BF16, 1, 513), .causal = true } },
		{ "alibi", false, { DENSE(EKKA_BF16, 60, 300), .alibi = true, .causal = true } }, { "no scale", false, { DENSE(EKKA_BF16, 60, 300), .fault = SIM_NO_SCALE } },
		{ "last tile", false, { DENSE(EKKA_BF16, 60, 300), .fault = SIM_LAST_TILE } }, { "mask more", false, { DENSE(EKKA_BF16, 60, 300), .causal = true, .fault = SIM_MASK_MORE } },
		{ "a masked row that is NaN", true, { DENSE(EKKA_BF16, 60, 300), .mask = true, .lse = true, .fault = SIM_MASKED_NAN } },
		{ "a masked row that is a mean", false, { DENSE(EKKA_BF16, 60, 300), .mask = true, .fault = SIM_MASKED_MEAN } }, { "mask less", false, { DENSE(EKKA_BF16, 60, 300), .causal = true, .fault = SIM_MASK_LESS } }, { "groups", false, { DENSE(EKKA_BF16, 60, 300), .fault = SIM_GROUPS } },
		{ "V's head", false, { DENSE(EKKA_BF16, 60, 300), .fault = SIM_V_HEAD } }, { "softcap lost", false, { DENSE(EKKA_BF16, 60, 300), .softcap = 5, .size = 2, .fault = SIM_NO_SOFTCAP } },
		{ "not normalised", false, { DENSE(EKKA_BF16, 60, 300), .fault = SIM_NOT_NORMALISED } }, { "wrong lse", false, { DENSE(EKKA_BF16, 60, 300), .lse = true, .fault = SIM_WRONG_LSE } },
		{ "window lost", false, { DENSE(EKKA_BF16, 60, 300), .causal = true, .left = 17, .fault = SIM_WINDOW } },
		{ "a value of V is infinite", false, { DENSE(EKKA_BF16, 60, 300), .causal = true, .odd_v = 290 } }, { "NaN", false, { DENSE(EKKA_BF16, 60, 300), .fault = SIM_NAN_ROW } },
		{ "rows see nothing", true, { DENSE(EKKA_BF16, 310, 300), .causal = true, .lse = true } },
	};

	whole = b->attention_event;
	b->attention_event = counted;
	for (size_t i = 0; i < sizeof event / sizeof event[0]; i++) {
		struct sim s = event[i].s;

		s.left = event[i].s.left ? event[i].s.left : -1;
		s.right = event[i].s.right ? event[i].s.right : -1;
		n_whole = 0;
		attention_alike(b, event[i].what, s);
		cr_expect_eq(n_whole, event[i].there, "%s", event[i].what);
	}
}

Test(gpu, whole_attention_is_judged_alike_on_the_stand_in) { both(false, whole_attentions); }
Test(gpu, whole_attention_is_judged_alike_on_the_gpu) { both(true, whole_attentions); }

/* Some items, one, or some of its rows at a time. */
static void attention_in_pieces(struct ekka_backend *b)
{
	static const int64_t logits[] = { 80000, 50000, 5000 };
	const struct sim some[] = { { DENSE(EKKA_BF16, 60, 300), .left = -1, .right = -1, .lse = true }, { DENSE(EKKA_F16, 60, 300), .left = -1, .right = -1, .causal = true } };
	int64_t all = ekka_gpu_attention_logits;

	whole = b->attention_event;
	b->attention_event = counted;
	for (size_t i = 0; i < sizeof logits / sizeof logits[0]; i++) {
		ekka_gpu_attention_logits = logits[i];
		n_whole = 0;
		attention_alike(b, "pieces", some[0]);
		attention_alike(b, "causal pieces", some[1]);
		cr_expect_eq(n_whole, 2, "%lld", (long long)logits[i]);
	}
	ekka_gpu_attention_logits = all;
}

Test(gpu, attention_in_pieces_is_judged_alike_on_the_stand_in) { both(false, attention_in_pieces); }
Test(gpu, attention_in_pieces_is_judged_alike_on_the_gpu) { both(true, attention_in_pieces); }

static uint16_t bf16(float v)
{
	uint32_t bits;

	v = ekka_round_bf16(v);
	memcpy(&bits, &v, sizeof bits);
	return (uint16_t)(bits >> 16);
}

/* A key lost among hundreds is within every column's bound; the rows that are looked at column by column are those that the device names. */
static void lost_key(struct ekka_backend *b)
{
	enum { ROWS = 24, KEYS = 800, D = 64, ODD = 17 };
	static uint16_t q[ROWS * D], k[KEYS * D], v[KEYS * D], out[ROWS * D];
	static float values[KEYS * D];
	uint64_t random = 1;
	struct ekka_verdict cpu, gpu;
	struct fake_event f;

	for (int i = 0; i < KEYS * D; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		values[i] = ekka_round_bf16((float)(random >> 40) * 0x1p-22f - 2);
		v[i] = bf16(values[i]);
	}
	for (int r = 0; r < ROWS; r++)		/* q and k are 0: all keys weigh the same */
		for (int c = 0; c < D; c++) {
			double sum = 0;

			for (int j = r == ODD ? 1 : 0; j < KEYS; j++)
				sum += (double)values[j * D + c];
			out[r * D + c] = bf16((float)(sum / (KEYS - (r == ODD))));
		}
	fake_event_init(&f, "attention");
	fake_event_tensor(&f, "q", EKKA_IN, EKKA_BF16, "1x1x24x64", NULL, q, NULL);
	fake_event_tensor(&f, "k", EKKA_IN, EKKA_BF16, "1x1x800x64", NULL, k, NULL);
	fake_event_tensor(&f, "v", EKKA_IN, EKKA_BF16, "1x1x800x64", NULL, v, NULL);
	fake_event_tensor(&f, "out", EKKA_OUT, EKKA_BF16, "1x1x24x64", NULL, NULL, out);
	whole = b->attention_event;
	b->attention_event = counted;
	n_whole = 0;
	cpu = fake_event_judge(&f);
	gpu = fake_event_judge_on(&f, b);
	cr_expect_eq(cpu.status, EKKA_FAIL);
	cr_expect_eq(gpu.status, EKKA_FAIL);
	cr_expect_eq(n_whole, 1, "every element by itself is right");
	cr_expect(strstr(gpu.where, "row 17 of head 0"), "%s", gpu.where);
	cr_expect_str_eq(cpu.where, gpu.where);
}

Test(gpu, rows_of_lost_keys_are_found_on_the_stand_in) { both(false, lost_key); }
Test(gpu, rows_of_lost_keys_are_found_on_the_gpu) { both(true, lost_key); }

Test(gpu, attention_that_fails_in_between_or_finds_no_memory_changes_nothing)
{
	struct sim s = { ATTENTION, .causal = true };
	struct ekka_verdict cpu = sim_judge(s), gpu;
	char note[EKKA_TEXT];

	for (int after = -1; after < 6; after++) {	/* six launches */
		gpu_launches = 0;
		gpu_fail_after = -1;
		s.backend = open_one(false);
		gpu_fail_after = after;
		gpu_memory_lacks = after < 0;
		gpu = sim_judge(s);
		cr_expect(gpu.status == cpu.status && fabs(gpu.margin - cpu.margin) <= 2e-6 * cpu.margin && gpu.n_elements == cpu.n_elements, "after %d: %s, margins %g and %g", after,
			  ekka_status_name(gpu.status), cpu.margin, gpu.margin);
		gpu_memory_lacks = false;
		s.backend->note(s.backend, note);
		cr_expect(strstr(note, after < 0 ? "no memory" : "failed (CUDA error 719)"), "after %d: '%s'", after, note);
		s.backend->close(s.backend);
	}
	gpu_fail_after = -1;
}

/* `auto` looks for a device when something comes that is worth it, and says why it had none. */
Test(gpu, what_was_not_there_is_said)
{
	struct ekka_backend *lazy = ekka_gpu_when_it_pays(), *own;
	struct sim small = { ATTENTION }, large = { ATTENTION };
	struct ekka_error err = { 0 };
	char note[EKKA_TEXT];

	small.backend = large.backend = lazy;
	(void)sim_judge(small);
	lazy->note(lazy, note);
	cr_expect_str_eq(note, "", "nothing was looked for");
	large.heads_k = 1;
	large.m = 140;
	(void)sim_judge(large);		/* 4 * 140 * 300 * 64 > 2^23 */
	own = ekka_gpu_open(0, &err);
	lazy->note(lazy, note);
	cr_expect_str_eq(note, own ? "" : err.message);
	if (own)
		own->close(own);
	lazy->close(lazy);
}

/* Much to do is worth a device from the start; without one the reader is told. */
Test(gpu, much_to_do_opens_the_device_beside)
{
	struct ekka_backend *lazy = ekka_gpu_when_it_pays(), *own;
	struct ekka_error err = { 0 };
	char note[EKKA_TEXT];

	lazy->expect(lazy, (uint64_t)1 << 29);
	lazy->note(lazy, note);
	cr_expect_str_eq(note, "");
	own = ekka_gpu_open(0, &err);
	lazy->expect(lazy, (uint64_t)1 << 30);
	for (int i = 0; i < 2000 && !own && !note[0]; i++) {
		usleep(1000);
		lazy->note(lazy, note);
	}
	cr_expect_str_eq(note, own ? "" : err.message);
	if (own)
		own->close(own);
	lazy->close(lazy);
}
