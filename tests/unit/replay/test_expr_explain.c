/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise kernels with one fault each, the faults of real kernels: each is named for what it is. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

enum { ROWS = 24, COLS = 40, N = ROWS * COLS, ROOM = 2 * N };

static struct fake_event f;
static float a[ROOM], b[ROOM], y[N];

static void fill(float *x, uint64_t seed)
{
	for (int i = 0; i < ROOM; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		x[i] = (float)(int32_t)(seed >> 32) / 0x1p30f;
	}
}

/* Judges the event "expr" of two inputs and a scalar `s` whose result is y; the text of what it looks like. */
static const char *looks(const char *expr, double s, uint64_t most_bad)
{
	static struct ekka_verdict v;

	fake_event_init(&f, "elementwise");
	fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "24x40", NULL, a, NULL);
	fake_event_tensor(&f, "in1", EKKA_IN, EKKA_F32, "24x40", NULL, b, NULL);
	fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "24x40", NULL, NULL, y);
	fake_event_text(&f, "expr", expr);
	fake_event_real(&f, "s", s);
	v = fake_event_judge(&f);
	cr_assert_eq(v.status, EKKA_FAIL, "%s", expr);
	cr_assert_leq(v.n_bad, most_bad);
	return v.looks_like;
}

#define EACH(e)                                \
	for (int i = 0; i < N; i++) {          \
		float p = a[i], q = b[i];      \
		(void)p, (void)q, y[i] = (e);  \
	}

Test(expr_explain, faults_of_kernels_are_named)
{
	fill(a, 1), fill(b, 2);
	EACH(p + 1e-3f);
	cr_expect_str_eq(looks("in0 + s", 1e-6, N), "as if s was 0.001 instead of 1e-06");
	EACH(p * 0.3f + q);
	cr_expect_str_eq(looks("in0 * s + in1", 0.25, N), "as if s was 0.3 instead of 0.25");
	EACH(fminf(p, 0.7f) * q);
	cr_expect_str_eq(looks("min(in0, s) * in1", 1.5, N), "as if s was 0.7 instead of 1.5");
	EACH(a[i + 2 < N ? i + 2 : i] * q);
	cr_expect_str_eq(looks("in0 * in1", 0, N), "as if in0 was read 2 elements further on");
	EACH(p * b[i + COLS < N ? i + COLS : i]);
	cr_expect_str_eq(looks("in0 * in1", 0, N), "as if in1 was read 40 elements further on: a row off");
	EACH(p * b[i >= COLS ? i - COLS : i]);
	cr_expect_str_eq(looks("in0 * in1", 0, N), "as if in1 was read 40 elements before: a row off");
	EACH(q - p);
	cr_expect_str_eq(looks("in0 - in1", 0, N), "as if in0 and in1 were swapped");
	EACH(p);
	cr_expect_str_eq(looks("in0 * in1", 0, N), "as if in1 was left out: 1 in its place");
	EACH(p);
	cr_expect_str_eq(looks("in0 + in1", 0, N), "as if in1 was left out: 0 in its place");
	EACH(0.5f * p * (1 + tanhf(0.7978845608f * (p + 0.044715f * p * p * p))));
	cr_expect_str_eq(looks("gelu(in0)", 0, N), "as if gelu was gelu_tanh");
	EACH(cosf(p));
	cr_expect_str_eq(looks("sin(in0)", 0, N), "as if sin was cos");
	EACH(p * p - q);
	cr_expect_str_eq(looks("in0 * in0 + in1", 0, N), "as if of in1 its sign was turned");
	EACH(p / (q + 3));
	cr_expect_str_eq(looks("in0 * (in1 + 3)", 0, N), "as if it was in0 / (in1 + 3)");
}

/* What has many explanations, or none, gets none of these. */
Test(expr_explain, no_explanation_is_made_up)
{
	fill(a, 3), fill(b, 4);
	EACH(p * q + (i == 7 ? 1 : 0));
	cr_expect_str_eq(looks("in0 * in1", 0, 1), "");
	EACH((float)NAN);
	cr_expect_str_eq(looks("in0 * in1", 0, N), "NaN everywhere there");
	EACH(0);
	cr_expect_str_eq(looks("in0 * in1", 0, N), "zeros");
	EACH(sinf(37 * p + (float)i));
	cr_expect_str_eq(looks("in0 * in1", 0, N), "");
}

static int64_t ids[ROWS];
static uint32_t table[64 * COLS], out[ROWS * COLS];

static const char *gather_looks(int64_t shift, int64_t apart)
{
	static struct ekka_verdict v;

	for (int64_t i = 0; i < ROWS; i++) {
		ids[i] = (i * 37 + 5) % 62 + 1;
		for (int64_t c = 0; c < COLS; c++)
			out[i * COLS + c] = table[(ids[i] + shift) * apart + c];
	}
	fake_event_init(&f, "elementwise");
	fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_U32, "24x40", NULL, NULL, out);
	fake_event_tensor(&f, "in0", EKKA_IN, EKKA_I64, "24x40", "1x0", ids, NULL);
	fake_event_tensor(&f, "table", EKKA_IN, EKKA_U32, "64x40", NULL, table, NULL);
	fake_event_text(&f, "expr", "table[in0, i1]");
	v = fake_event_judge(&f);
	cr_assert_eq(v.status, shift || apart != COLS ? EKKA_FAIL : EKKA_PASS);
	return v.looks_like;
}

Test(expr_explain, a_gather_that_takes_other_rows)
{
	for (uint32_t i = 0; i < 64 * COLS; i++)
		table[i] = i * 2654435761u | 1;
	cr_expect_str_eq(gather_looks(0, COLS), "");
	cr_expect_str_eq(gather_looks(1, COLS), "as if of in0 it was one more");
	cr_expect_str_eq(gather_looks(-1, COLS), "as if of in0 it was one less");
	cr_expect_str_eq(gather_looks(0, COLS - 4), "as if the rows of table lay 36 elements apart, not 40");
}
