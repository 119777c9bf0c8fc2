/* SPDX-License-Identifier: Apache-2.0 */
/* Op scan: sequential and parallel scans in f32 pass, what is wrong does not. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

static struct fake_event f;

struct scan {
	const char *kind;
	enum ekka_dtype in, out;
	int64_t rows, n;
	bool exclusive;
	void *x, *y, *index;
};

static struct scan make(const char *kind, enum ekka_dtype in, enum ekka_dtype out, int64_t rows, int64_t n, enum data data, double size)
{
	struct scan s = { kind, in, out, rows, n, false, samples_new(in, rows * n), samples_new(out, rows * n), NULL };

	samples_fill(in, s.x, rows * n, data, size, 2);
	return s;
}

static void release(struct scan *s)
{
	free(s->x);
	free(s->y);
	free(s->index);
}

static float combine(const char *kind, float a, float b)
{
	switch (kind[0] == 'm' ? kind[1] : kind[0]) {
	case 's': return a + b;
	case 'p': return a * b;
	case 'a': return isnan(a) || a > b ? a : b;
	case 'i': return isnan(a) || a < b ? a : b;
	default: return a == -INFINITY ? b : fmaxf(a, b) + log1pf(expf(fminf(a, b) - fmaxf(a, b)));
	}
}

/* Parallel: blocks of 16 are scanned, then their totals, as GPU scans do. */
static void compute(struct scan *s, bool parallel)
{
	float first = s->kind[0] == 'p' ? 1 : s->kind[0] == 's' ? 0 : !strcmp(s->kind, "min") ? INFINITY : -INFINITY;

	for (int64_t row = 0; row < s->rows; row++) {
		float before = first, block = first;
		int64_t best = 0;

		for (int64_t i = 0; i < s->n; i++) {
			float v = (float)samples_get(s->in, s->x, row * s->n + i), was = parallel ? combine(s->kind, before, block) : block, now;

			block = parallel && i % 16 == 0 ? v : combine(s->kind, block, v);
			now = parallel && i >= 16 ? combine(s->kind, before, block) : block;
			if (i == 0)
				now = block = s->kind[0] == 'l' || s->kind[0] == 'm' ? v : block;
			if (parallel && i % 16 == 15) {
				before = now;
				was = i == 0 ? first : was;
			}
			if (now != (float)samples_get(s->in, s->x, row * s->n + best) && !isnan(samples_get(s->in, s->x, row * s->n + best)))
				best = i;
			if (s->exclusive && i + 1 < s->n)
				samples_put(s->out, s->y, row * s->n + i + 1, now);
			if (s->exclusive && i == 0)
				samples_put(s->out, s->y, row * s->n, first);
			if (!s->exclusive)
				samples_put(s->out, s->y, row * s->n + i, now);
			if (s->index)
				samples_put(EKKA_I64, s->index, row * s->n + i, (double)best);
		}
	}
}

static struct ekka_verdict judge(const struct scan *s)
{
	char dims[64];

	(void)snprintf(dims, sizeof dims, "%lldx%lld", (long long)s->rows, (long long)s->n);
	fake_event_init(&f, "scan");
	fake_event_tensor(&f, "in0", EKKA_IN, s->in, dims, NULL, s->x, NULL);
	fake_event_tensor(&f, "out0", EKKA_OUT, s->out, dims, NULL, NULL, s->y);
	if (s->index)
		fake_event_tensor(&f, "out1", EKKA_OUT, EKKA_I64, dims, NULL, NULL, s->index);
	fake_event_text(&f, "kind", s->kind);
	if (s->exclusive)
		fake_event_int(&f, "exclusive", 1);
	return fake_event_judge(&f);
}

#define EXPECT(status_, v)                                                                                                               \
	cr_expect_eq((v).status, status_, "%s: margin %g, out %g, ref %g, %s", ekka_status_name((v).status), (v).margin, (v).worst_out[0], \
		     (v).worst_ref[0], (v).reason)

static const char *const kinds[] = { "sum", "prod", "max", "min", "logsumexp" };

Test(scan, honest_results_pass)
{
	static const struct { enum ekka_dtype in, out; } types[] = { { EKKA_F32, EKKA_F32 }, { EKKA_BF16, EKKA_F32 }, { EKKA_F16, EKKA_F16 } };
	static const int64_t lengths[] = { 1, 5, 64, 1000, 9001 };

	for (unsigned k = 0; k < 5; k++)
		for (unsigned t = 0; t < 3; t++)
			for (unsigned l = 0; l < 5; l++)
				for (enum data d = 0; d < DATA_KINDS; d++)
					for (int flags = 0; flags < 4; flags++) {
						struct scan s = make(kinds[k], types[t].in, types[t].out, 3, lengths[l], d,
								     k == 1 ? 0.01 : d == FAR_FROM_ZERO && t == 2 ? 0.001 : 1);
						struct ekka_verdict v;

						s.exclusive = flags & 2;
						compute(&s, flags & 1);
						v = judge(&s);
						cr_expect(v.status == EKKA_PASS || v.status == EKKA_UNDECIDED,
							  "%s, type %u, n %lld, data %d, flags %d: margin %g at %lld, %g for %g", s.kind, t,
							  (long long)s.n, d, flags, v.margin, (long long)v.worst[1], v.worst_out[0], v.worst_ref[0]);
						if (k == 0 && d == ABOVE_ZERO && t < 2)
							EXPECT(EKKA_PASS, v);
						release(&s);
					}
}

Test(scan, a_wrong_element_fails)
{
	for (unsigned k = 0; k < 5; k++) {
		struct scan s = make(kinds[k], EKKA_F32, EKKA_F32, 5, 50, ABOVE_ZERO, 1);

		compute(&s, true);
		EXPECT(EKKA_PASS, judge(&s));
		samples_put(EKKA_F32, s.y, 2 * 50 + 30, samples_get(EKKA_F32, s.y, 2 * 50 + 30) * 1.0001 + 1e-4);
		EXPECT(EKKA_FAIL, judge(&s));
		cr_expect(judge(&s).worst[0] == 2 && judge(&s).worst[1] == 30);
		release(&s);
	}
}

Test(scan, exclusive_for_inclusive_is_recognised)
{
	struct scan s = make("sum", EKKA_F32, EKKA_F32, 5, 50, ABOVE_ZERO, 1);

	s.exclusive = true;
	compute(&s, true);
	s.exclusive = false;
	EXPECT(EKKA_FAIL, judge(&s));
	cr_expect_str_eq(judge(&s).looks_like, "as if the element itself was not counted");
	compute(&s, true);
	s.exclusive = true;
	cr_expect_str_eq(judge(&s).looks_like, "as if the element itself was counted");
	release(&s);
}

Test(scan, places_of_maxima)
{
	struct scan s = make("max", EKKA_F32, EKKA_F32, 3, 200, GAUSS, 1);

	s.index = samples_new(EKKA_I64, 600);
	samples_put(EKKA_F32, s.x, 10, 50);
	samples_put(EKKA_F32, s.x, 90, 50);
	samples_put(EKKA_F32, s.x, 200 + 120, NAN);
	compute(&s, false);
	EXPECT(EKKA_PASS, judge(&s));
	for (int i = 90; i < 200; i++)
		((int64_t *)s.index)[i] = 90;	/* the later one of two equal */
	EXPECT(EKKA_PASS, judge(&s));
	((int64_t *)s.index)[50] = 90;		/* not seen yet */
	EXPECT(EKKA_FAIL, judge(&s));
	release(&s);
}

Test(scan, integers_wrap)
{
	int32_t x[100], y[100];

	for (int exclusive = 0; exclusive <= 1; exclusive++) {
		uint32_t sum = 0;

		for (int i = 0; i < 100; i++) {
			x[i] = i * 1234567 - 20000000;
			y[i] = (int32_t)(exclusive ? sum : sum + (uint32_t)x[i]);
			sum += (uint32_t)x[i];
		}
		fake_event_init(&f, "scan");
		fake_event_tensor(&f, "in0", EKKA_IN, EKKA_I32, "100", NULL, x, NULL);
		fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_I32, "100", NULL, NULL, y);
		fake_event_text(&f, "kind", "sum");
		fake_event_int(&f, "exclusive", exclusive);
		EXPECT(EKKA_PASS, fake_event_judge(&f));
		y[77]++;
		EXPECT(EKKA_FAIL, fake_event_judge(&f));
	}
}

Test(scan, nan_and_infinities_go_on)
{
	for (unsigned k = 0; k < 5; k++) {
		struct scan s = make(kinds[k], EKKA_F32, EKKA_F32, 2, 50, GAUSS, 1);

		samples_put(EKKA_F32, s.x, 20, k == 1 ? NAN : INFINITY);
		samples_put(EKKA_F32, s.x, 70, NAN);
		if (k == 4)
			samples_put(EKKA_F32, s.x, 20, -INFINITY);
		compute(&s, false);
		if (k == 4)
			for (int i = 20; i < 50; i++)
				samples_put(EKKA_F32, s.y, 50 + i, NAN);
		EXPECT(EKKA_PASS, judge(&s));
		samples_put(EKKA_F32, s.y, 80, 1);
		EXPECT(EKKA_FAIL, judge(&s));
		release(&s);
	}
}

/* What is counted, from 5 on, and the sums of three parts. */
Test(scan, counts_initial_values_and_parts)
{
	uint8_t mask[40];
	int16_t part[2 * 3 * 40];
	int64_t before[40], n = 5;
	uint32_t total[2 * 40];

	for (int i = 0; i < 40; i++) {
		mask[i] = i % 3 ? 0 : (uint8_t)(i + 1);
		before[i] = n;
		n += mask[i] != 0;
	}
	for (int changed = 0; changed < 3; changed++) {
		fake_event_init(&f, "scan");
		fake_event_tensor(&f, "in0", EKKA_IN, EKKA_U8, "40", NULL, mask, NULL);
		fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_I64, "40", NULL, NULL, before);
		fake_event_text(&f, "kind", "sum");
		fake_event_int(&f, "exclusive", 1);
		fake_event_int(&f, "count", changed != 1);
		fake_event_int(&f, "init", changed == 2 ? 4 : 5);
		cr_expect_eq(fake_event_judge(&f).status, changed ? EKKA_FAIL : EKKA_PASS);
	}
	for (int row = 0; row < 2; row++)
		for (uint32_t i = 0, sum = 0; i < 40; i++) {
			for (int p = 0; p < 3; p++)
				sum += (uint32_t)(part[(row * 3 + p) * 40 + (int)i] = (int16_t)((int)i * 7 % 11 + p + row));
			total[row * 40 + (int)i] = sum;
		}
	for (int changed = 0; changed < 3; changed++) {
		fake_event_init(&f, "scan");
		fake_event_tensor(&f, "in0", EKKA_IN, EKKA_I16, "2x3x40", NULL, part, NULL);
		fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_U32, "2x40", NULL, NULL, total);
		fake_event_text(&f, "kind", "sum");
		fake_event_int(&f, "parts", changed == 2 ? 2 : 3);
		part[200] = (int16_t)(part[200] + (changed == 1));
		cr_expect_eq(fake_event_judge(&f).status, changed == 2 ? EKKA_INCOMPLETE : changed ? EKKA_FAIL : EKKA_PASS);
	}
}

Test(scan, a_sum_of_reals_begins_with_its_initial_value)
{
	float x[20], y[20], sum = 100;

	for (int i = 0; i < 20; i++) {
		x[i] = 0.37f * (float)(i - 8);
		y[i] = sum += x[i];
	}
	for (int with = 0; with < 2; with++) {
		fake_event_init(&f, "scan");
		fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "20", NULL, x, NULL);
		fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "20", NULL, NULL, y);
		fake_event_text(&f, "kind", "sum");
		fake_event_real(&f, "init", with ? 100 : 99.9);
		cr_expect_eq(fake_event_judge(&f).status, with ? EKKA_PASS : EKKA_FAIL);
	}
}
