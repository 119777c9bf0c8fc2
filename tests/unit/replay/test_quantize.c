/* SPDX-License-Identifier: Apache-2.0 */
/* Op quantize: kernels that divide and kernels that multiply pass; wrong scales, roundings and zero points do not, and are named. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

enum { ROWS = 24, N = 96 };

struct quantize {
	enum ekka_dtype from, to;
	int64_t r, g;			/* scales: [r, g] */
	bool dynamic, reciprocal, inverse, power2, asymmetric;
	double upper, min_scale;
	enum data data;
	/* faults */
	bool cut, other_way, no_scale, next_row, by_column, no_zero, wraps;
	double off;			/* factor on the scale that is written */
	double times;			/* and on the one that is used; 0: 1 */
	int64_t seen;			/* elements of a row that amax looks at, 0: all */
	int64_t nudge;			/* element, counted from 1, that is one step off */
};

static struct fake_event f;
static float scale[ROWS * N];
static int32_t zero[ROWS * N];

static double largest(enum ekka_dtype t)
{
	return t == EKKA_E4M3 ? 448 : t == EKKA_E5M2 ? 57344 : 127;
}

static float element(const struct quantize *k, const void *x, int64_t row, int64_t c)
{
	return (float)samples_get(k->from, x, row * N + c);
}

/* Scale and zero point of every block. */
static void measure(const struct quantize *k, const void *x)
{
	int64_t rows = ROWS / k->r, columns = N / k->g;

	for (int64_t b = 0; b < k->r * k->g; b++) {
		float amax = 0, low = INFINITY, high = -INFINITY, q = (float)largest(k->to);

		for (int64_t i = 0; i < rows; i++)
			for (int64_t j = 0; j < (k->seen ? k->seen : columns); j++) {
				float v = element(k, x, b / k->g * rows + i, b % k->g * columns + j);

				amax = fmaxf(amax, fabsf(v));
				low = fminf(low, v);
				high = fmaxf(high, v);
			}
		if (k->upper > 0)
			amax = fminf(amax, (float)k->upper);
		scale[b] = k->asymmetric ? (high - low) / 255.0f : k->inverse ? q / amax : fmaxf(amax / q, (float)k->min_scale);
		if (k->power2)
			scale[b] = exp2f(ceilf(log2f(scale[b])));
		if (k->off != 0)
			scale[b] *= (float)k->off;
		zero[b] = k->asymmetric ? (int32_t)rintf(-128 - low / scale[b]) : 3;
	}
}

static void store(const struct quantize *k, void *y, int64_t at, float v, int32_t add)
{
	double limit = largest(k->to);
	float r;

	if (k->to == EKKA_I8) {
		r = k->cut ? truncf(v) : rintf(v);
		r += (float)(k->no_zero ? 0 : add);
		((int8_t *)y)[at] = k->wraps ? (int8_t)(int64_t)r : (int8_t)fminf(fmaxf(r, -128), 127);
		return;
	}
	if (k->wraps && fabsf(v) > limit) {
		((uint8_t *)y)[at] = k->to == EKKA_E4M3 ? 0x7f : v < 0 ? 0xfc : 0x7c;	/* NaN; an infinity */
		return;
	}
	v = (float)fmin(fmax(v, -limit), limit);
	samples_put(k->to, y, at, v);
	if (k->cut && fabs(samples_get(k->to, y, at)) > fabsf(v))
		samples_nudge(k->to, y, at, -1);
}

static void compute(const struct quantize *k, const void *x, void *y)
{
	int64_t rows = ROWS / k->r, columns = N / k->g;

	for (int64_t i = 0; i < ROWS; i++)
		for (int64_t j = 0; j < N; j++) {
			int64_t row = (i / rows + (k->next_row ? 1 : 0)) % k->r, b = k->by_column ? j / columns * k->r + row : row * k->g + j / columns;
			float s = k->no_scale ? 1 : scale[b] * (float)(k->times ? k->times : 1), v = element(k, x, i, j);

			if (k->inverse != k->other_way)
				v *= s;
			else
				v = k->reciprocal ? v * (1 / s) : v / s;
			store(k, y, i * N + j, v, k->asymmetric ? zero[b] : 0);
		}
}

static struct ekka_verdict judge(struct quantize k)
{
	static char dims[32];
	void *x = samples_new(k.from, ROWS * N), *y = samples_new(k.to, ROWS * N);
	float upper = (float)k.upper;
	struct ekka_verdict v;

	samples_fill(k.from, x, ROWS * N, k.data, 3, 21);
	for (int64_t i = 0; i < N; i++)
		if (k.data == GAUSS)
			samples_put(k.from, x, 5 * N + i, 0);	/* a row of nothing */
	measure(&k, x);
	compute(&k, x, y);
	if (k.nudge && k.to == EKKA_I8)
		((int8_t *)y)[k.nudge - 1] ^= 1;
	else if (k.nudge)
		samples_nudge(k.to, y, k.nudge - 1, 1);
	fake_event_init(&f, "quantize");
	(void)snprintf(dims, sizeof dims, "%dx%d", ROWS, N);
	(void)fake_event_tensor(&f, "x", EKKA_IN, k.from, dims, NULL, x, NULL);
	(void)fake_event_tensor(&f, "y", EKKA_OUT, k.to, dims, NULL, NULL, y);
	(void)snprintf(dims, sizeof dims, "%dx%d", (int)k.r, (int)k.g);
	(void)fake_event_tensor(&f, "scale", k.dynamic ? EKKA_OUT : EKKA_IN, EKKA_F32, dims, NULL, k.dynamic ? NULL : scale, k.dynamic ? scale : NULL);
	if (k.asymmetric)
		(void)fake_event_tensor(&f, "zero", k.dynamic ? EKKA_OUT : EKKA_IN, EKKA_I32, dims, NULL, k.dynamic ? NULL : zero,
					k.dynamic ? zero : NULL);
	if (k.upper > 0)
		(void)fake_event_tensor(&f, "scale_ub", EKKA_IN, EKKA_F32, "1", NULL, &upper, NULL);
	if (k.inverse)
		fake_event_int(&f, "inverse", 1);
	if (k.power2)
		fake_event_int(&f, "power2", 1);
	if (k.min_scale > 0)
		fake_event_real(&f, "min_scale", (float)k.min_scale);
	v = fake_event_judge(&f);
	free(x);
	free(y);
	return v;
}

static void passes(const char *what, struct quantize k)
{
	for (int reciprocal = 0; reciprocal <= 1; reciprocal++) {
		struct ekka_verdict v;

		k.reciprocal = reciprocal;
		v = judge(k);
		cr_expect_eq(v.status, EKKA_PASS, "%s, %s: %s, margin %g, %s %s %s: %g for %g", what, ekka_dtype_name(k.to), ekka_status_name(v.status),
			     v.margin, v.reason, v.output, v.where, v.worst_out[0], v.worst_ref[0]);
	}
}

static void fails(const char *what, struct quantize k, const char *output, const char *looks_like)
{
	struct ekka_verdict v = judge(k);

	cr_expect_eq(v.status, EKKA_FAIL, "%s: %s, margin %g", what, ekka_status_name(v.status), v.margin);
	cr_expect_str_eq(v.output, output, "%s: %s", what, v.output);
	cr_expect(strstr(v.looks_like, looks_like), "%s: '%s'", what, v.looks_like);
}

Test(quantize, honest_kernels_pass)
{
	static const enum ekka_dtype to[] = { EKKA_E4M3, EKKA_E5M2, EKKA_I8 }, from[] = { EKKA_BF16, EKKA_F16, EKKA_F32 };

	for (int i = 0; i < 9; i++)
		for (enum data data = GAUSS; data <= FAR_FROM_ZERO; data++) {
			struct quantize k = { .from = from[i % 3], .to = to[i / 3], .r = 1, .g = 1, .data = data };

			passes("static", k);
			k.dynamic = true;
			passes("per tensor", k);
			k.r = ROWS;
			k.min_scale = 1 / (448.0 * 512);
			passes("per token", k);
			k.upper = 0.5;
			passes("per token, limited", k);
			k.upper = 0;
			k.g = 6;
			passes("per group", k);
			k.power2 = true;
			passes("per group, powers of two", k);
			k.power2 = false;
			k.r = 4;
			passes("per block", k);
		}
}

Test(quantize, other_forms_pass)
{
	passes("static, asymmetric", (struct quantize){ .from = EKKA_F16, .to = EKKA_I8, .r = 1, .g = 1, .asymmetric = true, .data = FAR_FROM_ZERO });
	passes("dynamic, asymmetric",
	       (struct quantize){ .from = EKKA_BF16, .to = EKKA_I8, .r = ROWS, .g = 1, .asymmetric = true, .dynamic = true, .data = FAR_FROM_ZERO });
	passes("inverse", (struct quantize){ .from = EKKA_BF16, .to = EKKA_E4M3, .r = 1, .g = 1, .inverse = true, .dynamic = true });
	passes("saturating", (struct quantize){ .from = EKKA_BF16, .to = EKKA_E4M3, .r = 1, .g = 1, .off = 0.1 });
}

#define GROUPS .from = EKKA_BF16, .to = EKKA_E4M3, .r = ROWS, .g = 6, .data = BADLY_SCALED
#define INT8 .from = EKKA_F32, .to = EKKA_I8, .r = ROWS, .g = 1, .data = FAR_FROM_ZERO

Test(quantize, faults_are_named)
{
	fails("cut", (struct quantize){ GROUPS, .cut = true }, "y", "cut toward zero");
	fails("cut", (struct quantize){ INT8, .cut = true }, "y", "cut toward zero");
	fails("other way", (struct quantize){ GROUPS, .other_way = true }, "y", "multiplied by the scale");
	fails("no scale", (struct quantize){ GROUPS, .no_scale = true }, "y", "no scale");
	fails("next row", (struct quantize){ GROUPS, .next_row = true }, "y", "next row's scale");
	fails("by column", (struct quantize){ GROUPS, .by_column = true }, "y", "column by column");
	fails("zero", (struct quantize){ INT8, .asymmetric = true, .no_zero = true }, "y", "no zero point");
	fails("wraps", (struct quantize){ INT8, .wraps = true, .off = 0.5 }, "y", "as if what is beyond the largest number was not cut to it");
	fails("NaN", (struct quantize){ .from = EKKA_BF16, .to = EKKA_E4M3, .r = 1, .g = 1, .wraps = true, .off = 0.5 }, "y", "was not cut to it");
	fails("Inf", (struct quantize){ .from = EKKA_BF16, .to = EKKA_E5M2, .r = 1, .g = 1, .wraps = true, .off = 0.5 }, "y", "was not cut to it");
	fails("twice", (struct quantize){ INT8, .times = 2 }, "y", "as if the scale was 2 times what it is");
	fails("fnuz", (struct quantize){ GROUPS, .times = 448.0 / 240 }, "y", "as if the scale was 1.86667 times what it is");
	fails("scale", (struct quantize){ GROUPS, .dynamic = true, .off = 1.000001 }, "scale", "");
	fails("amax", (struct quantize){ GROUPS, .dynamic = true, .seen = 8 }, "scale", "");
	fails("zero", (struct quantize){ INT8, .asymmetric = true, .dynamic = true, .off = 1.01 }, "scale", "");
}

Test(quantize, one_step_is_too_much)
{
	for (int i = 0; i < 60; i++) {
		struct quantize k = { GROUPS, .nudge = 37 * i + 1 };

		cr_expect_eq(judge(k).status, EKKA_FAIL, "element %d", 37 * i);
		cr_expect_eq(judge((struct quantize){ INT8, .nudge = 37 * i + 1 }).status, EKKA_FAIL, "element %d", 37 * i);
	}
}
