/* SPDX-License-Identifier: Apache-2.0 */
/* Op rope: honest kernels in f32 and in the data's own arithmetic pass; what is turned wrongly does not, and is named. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

enum { TOKENS = 13, HEADS = 3, D = 16, POSITIONS = 40, PAIRED_HEADS = 2 };

struct rope {
	enum ekka_dtype type, table;
	int64_t rot;
	bool interleaved, own_arithmetic, cache, in_place, full_tables, computed, second;
	/* faults */
	bool other_style, backwards, no_positions, touches_rest;
	int64_t shift, wrong_rot, said_rot;
};

static struct fake_event f;
static int32_t positions[TOKENS];

static float rounded(enum ekka_dtype t, float v)
{
	unsigned char b[8];

	samples_put(t, b, 0, v);
	return (float)samples_get(t, b, 0);
}

static double angle(int64_t position, int64_t pair, int64_t rot)
{
	return (double)position * pow(10000, -2.0 * (double)pair / (double)rot);
}

/* The kernel: one pair after another, through complex numbers. */
static void compute(const struct rope *k, int64_t heads, const void *x, void *y)
{
	bool interleaved = k->interleaved != k->other_style;
	int64_t rot = k->wrong_rot ? k->wrong_rot : k->rot;

	for (int64_t row = 0; row < TOKENS * heads; row++) {
		int64_t token = row / heads, at = (k->no_positions ? token : positions[token]) + k->shift;

		for (int64_t c = 0; c < D; c++)
			samples_put(k->type, y, row * D + c, samples_get(k->type, x, row * D + c) * (k->touches_rest && c >= rot ? 1.01 : 1));
		for (int64_t pair = 0; pair < rot / 2; pair++) {
			int64_t i = interleaved ? 2 * pair : pair, j = interleaved ? i + 1 : i + rot / 2;
			float a = (float)samples_get(k->type, x, row * D + i), b = (float)samples_get(k->type, x, row * D + j);
			float turn = k->computed ? (float)at * powf(10000, -2.0f * (float)pair / (float)k->rot) : 0;
			float cosine = k->computed ? cosf(turn) : rounded(k->table, (float)cos(angle(at, pair, k->rot)));
			float sine = k->computed ? sinf(turn) : rounded(k->table, (float)sin(angle(at, pair, k->rot)));
			enum ekka_dtype own = k->own_arithmetic ? k->type : EKKA_F32;

			cosine = rounded(own, cosine);
			sine = rounded(own, k->backwards ? -sine : sine);
			samples_put(k->type, y, row * D + i, rounded(own, a * cosine) - rounded(own, b * sine));
			samples_put(k->type, y, row * D + j, rounded(own, b * cosine) + rounded(own, a * sine));
		}
	}
}

static void *table(const struct rope *k, int which, char dims[32])
{
	int64_t half = k->rot / 2, width = k->cache || k->full_tables ? k->rot : half;
	void *t = samples_new(k->table, POSITIONS * width);

	for (int64_t p = 0; p < POSITIONS; p++)
		for (int64_t c = 0; c < width; c++) {
			int64_t pair = c < half ? c : c - half;
			bool sine = k->cache ? c >= half : which == 1;

			if (k->full_tables && k->interleaved)
				pair = c / 2;
			samples_put(k->table, t, p * width + c, sine ? sin(angle(p, pair, k->rot)) : cos(angle(p, pair, k->rot)));
		}
	(void)snprintf(dims, 32, "%dx%d", POSITIONS, (int)width);
	return t;
}

static void describe(const struct rope *k, int which, int64_t heads, void *memory[2])
{
	char dims[32];
	const char *x = which ? "x2" : "x", *y = which ? "y2" : "y";

	memory[0] = samples_new(k->type, TOKENS * heads * D);
	memory[1] = samples_new(k->type, TOKENS * heads * D);
	samples_fill(k->type, memory[0], TOKENS * heads * D, GAUSS, 2, 11);
	compute(k, heads, memory[0], memory[1]);
	(void)snprintf(dims, sizeof dims, "%dx%dx%d", TOKENS, (int)heads, D);
	if (k->in_place) {
		(void)fake_event_tensor(&f, x, EKKA_INOUT, k->type, dims, NULL, memory[0], memory[1]);
		return;
	}
	(void)fake_event_tensor(&f, x, EKKA_IN, k->type, dims, NULL, memory[0], NULL);
	(void)fake_event_tensor(&f, y, EKKA_OUT, k->type, dims, NULL, NULL, memory[1]);
}

static struct ekka_verdict judge(struct rope k)
{
	void *memory[6] = { NULL };
	char dims[32];
	struct ekka_verdict v;

	for (int i = 0; i < TOKENS; i++)
		positions[i] = (i * 7 + 5) % (POSITIONS - 1);
	fake_event_init(&f, "rope");
	describe(&k, 0, HEADS, memory);
	if (k.second)
		describe(&k, 1, PAIRED_HEADS, memory + 2);
	if (!k.computed) {
		memory[4] = table(&k, 0, dims);
		(void)fake_event_tensor(&f, k.cache ? "cache" : "cos", EKKA_IN, k.table, dims, NULL, memory[4], NULL);
		if (!k.cache) {
			memory[5] = table(&k, 1, dims);
			(void)fake_event_tensor(&f, "sin", EKKA_IN, k.table, dims, NULL, memory[5], NULL);
		}
	} else {
		fake_event_real(&f, "theta", 10000);
	}
	(void)snprintf(dims, sizeof dims, "%d", TOKENS);
	(void)fake_event_tensor(&f, "positions", EKKA_IN, EKKA_I32, dims, NULL, positions, NULL);
	fake_event_text(&f, "style", k.interleaved ? "interleaved" : "neox");
	fake_event_int(&f, "rotary_dim", k.said_rot ? k.said_rot : k.rot);
	if (k.own_arithmetic)
		fake_event_text(&f, "compute", ekka_dtype_name(k.type));
	v = fake_event_judge(&f);
	for (int i = 0; i < 6; i++)
		free(memory[i]);
	return v;
}

#define PLAIN .type = EKKA_BF16, .table = EKKA_BF16, .rot = 16

static void passes(const char *what, struct rope k)
{
	struct ekka_verdict v = judge(k);

	cr_expect_eq(v.status, EKKA_PASS, "%s: %s, margin %g, %s %s", what, ekka_status_name(v.status), v.margin, v.reason, v.where);
	cr_expect_gt(v.margin, 0.1, "%s: margin %g", what, v.margin);
}

static void fails(const char *what, struct rope k, const char *looks_like)
{
	struct ekka_verdict v = judge(k);

	cr_expect_eq(v.status, EKKA_FAIL, "%s: %s, margin %g", what, ekka_status_name(v.status), v.margin);
	cr_expect(strstr(v.looks_like, looks_like), "%s: '%s'", what, v.looks_like);
}

Test(rope, honest_kernels_pass)
{
	static const enum ekka_dtype types[] = { EKKA_BF16, EKKA_F16, EKKA_F32 };

	for (int i = 0; i < 24; i++) {
		struct rope k = { PLAIN };

		k.type = types[i % 3];
		k.interleaved = i / 3 & 1;
		k.in_place = i / 6 & 1;
		k.cache = i / 12;
		k.own_arithmetic = i % 3 == 0;
		k.table = k.own_arithmetic ? EKKA_F32 : k.type;
		k.full_tables = !k.cache && k.in_place;
		k.rot = i & 4 ? 16 : 8;
		passes("rope", k);
	}
	passes("angles in f32", (struct rope){ .type = EKKA_F32, .table = EKKA_F32, .rot = 16, .computed = true });
	passes("queries and keys", (struct rope){ PLAIN, .cache = true, .in_place = true, .second = true });
}

Test(rope, faults_are_named)
{
	fails("style", (struct rope){ PLAIN, .other_style = true }, "neighbours (interleaved)");
	fails("style", (struct rope){ PLAIN, .interleaved = true, .other_style = true }, "(neox)");
	fails("sign", (struct rope){ PLAIN, .backwards = true }, "backwards");
	fails("positions", (struct rope){ PLAIN, .no_positions = true }, "the tokens' numbers");
	fails("shift", (struct rope){ PLAIN, .shift = 1, .in_place = true, .cache = true }, "one more");
	fails("shift", (struct rope){ PLAIN, .shift = -1 }, "one less");
	fails("part", (struct rope){ .type = EKKA_F32, .table = EKKA_F32, .rot = 16, .wrong_rot = 8 }, "8 elements of a head were rotated, not 16");
	fails("rest", (struct rope){ .type = EKKA_BF16, .table = EKKA_BF16, .rot = 8, .touches_rest = true }, "");
}

Test(rope, the_second_tensor_is_judged_too)
{
	struct rope k = { PLAIN, .second = true };
	struct ekka_verdict v;

	cr_expect_eq(judge(k).status, EKKA_PASS);
	k.in_place = k.backwards = true;
	v = judge(k);
	cr_expect_eq(v.status, EKKA_FAIL);
	cr_expect_eq(v.n_elements, (uint64_t)(TOKENS * (HEADS + PAIRED_HEADS) * D));
}

Test(rope, what_does_not_fit_is_not_judged)
{
	cr_expect_eq(judge((struct rope){ PLAIN, .said_rot = 24 }).status, EKKA_UNSUPPORTED);	/* more than a head has */
	cr_expect_eq(judge((struct rope){ PLAIN, .said_rot = 7 }).status, EKKA_UNSUPPORTED);
	cr_expect_eq(judge((struct rope){ PLAIN, .shift = 0, .cache = true, .said_rot = 16 }).status, EKKA_PASS);
}
