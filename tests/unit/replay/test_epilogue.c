/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Epilogues: products in float that are finished in float as a library would, judged clean and with one step wrong; and the parts against
 * values worked out by hand.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/round.h"
#include "replay/gemm.h"

enum { M = 24, N = 20, K = 96 };

struct finish {
	enum ekka_activation activation;
	bool bias, rows, cols, mask;
	double scale;
	enum ekka_dtype out;
};

/* What the pretended library does wrong. */
enum wrong { NOTHING, NO_BIAS, BIAS_BY_COLUMN, BIAS_ROUNDED, NO_ACTIVATION, NO_SCALE, NO_ROW_SCALE, NO_COL_SCALE, WRONG_MASK, WRAPS };

static struct problem { float a[M * K], b[K * N], d[M * N]; uint16_t half[M * N]; int8_t bytes[M * N]; unsigned char mask[N * M / 8];
	double bias[M], rows[M], cols[N]; } p;

static double noise(unsigned *seed)
{
	return (rand_r(seed) % 2001 - 1000) / 1000.0;
}


static float gelu_tanh(float x)
{
	return 0.5f * x * (1 + tanhf(0.7978846f * (x + 0.044715f * x * x * x)));
}

static void store(const struct finish *f, enum wrong wrong, int at, float t)
{
	uint32_t bits;

	if (f->out == EKKA_F32) {
		p.d[at] = t;
	} else if (f->out == EKKA_I8) {
		p.bytes[at] = (int8_t)(wrong == WRAPS ? (int)rintf(t) : (int)rintf(fminf(127, fmaxf(-128, t))));
	} else {
		t = ekka_round_bf16(t);
		memcpy(&bits, &t, sizeof bits);
		p.half[at] = (uint16_t)(bits >> 16);
	}
}

static void compute(const struct finish *f, enum wrong wrong, unsigned seed)
{
	for (int i = 0; i < M * K; i++)
		p.a[i] = ekka_round_bf16((float)noise(&seed));
	for (int i = 0; i < K * N; i++)
		p.b[i] = ekka_round_bf16((float)noise(&seed));
	for (int i = 0; i < M; i++) {
		p.bias[i] = (float)(4 * noise(&seed));
		p.rows[i] = 1 + i % 3;
	}
	for (int j = 0; j < N; j++)
		p.cols[j] = 0.5 + j % 2;
	memset(p.mask, 0, sizeof p.mask);
	for (int i = 0; i < M; i++)
		for (int j = 0; j < N; j++) {
			float t = 0;

			for (int k = 0; k < K; k++)
				t += p.a[i * K + k] * p.b[k * N + j];
			t *= f->rows && wrong != NO_ROW_SCALE ? (float)p.rows[i] : 1;
			t *= f->cols && wrong != NO_COL_SCALE ? (float)p.cols[j] : 1;
			t = wrong == BIAS_ROUNDED ? ekka_round_bf16(t) : t;
			if (f->bias && wrong != NO_BIAS)
				t += (float)p.bias[wrong == BIAS_BY_COLUMN ? j : i];
			if ((t > 0) != (wrong == WRONG_MASK && i == 5 && j == 7))
				p.mask[j * (M / 8) + i / 8] |= (unsigned char)(1 << i % 8);
			if (f->activation == EKKA_ACT_RELU && wrong != NO_ACTIVATION)
				t = fmaxf(t, 0);
			else if (f->activation == EKKA_ACT_GELU && wrong != NO_ACTIVATION)
				t = gelu_tanh(t);
			store(f, wrong, i * N + j, t * (wrong == NO_SCALE ? 1 : (float)f->scale));
		}
}

static struct ekka_matrix matrix(const void *bytes, enum ekka_dtype type, int64_t rows, int64_t cols)
{
	return (struct ekka_matrix){ .dtype = type, .batch = 1, .rows = rows, .cols = cols, .rs = cols, .cs = 1,
				     .n_bytes = (uint64_t)(rows * cols) * ekka_dtype_bytes(type), .bytes = bytes };
}

static struct ekka_verdict judge(const struct finish *f, struct ekka_epilogue *e)
{
	const void *d = f->out == EKKA_F32 ? (const void *)p.d : f->out == EKKA_I8 ? (const void *)p.bytes : p.half;
	struct ekka_gemm g = { .m = M, .n = N, .k = K, .batch = 1, .a = matrix(p.a, EKKA_F32, M, K), .b = matrix(p.b, EKKA_F32, K, N),
			       .c = matrix(d, f->out, M, N), .has_product = true, .alpha = { 1, 0 }, .output = "D", .epilogue = e };
	/* bf16 values in f32 operands: the model of the types that are pretended. */
	struct ekka_bound_facts facts = { .a = f->out == EKKA_BF16 ? EKKA_BF16 : EKKA_F32, .out = f->out == EKKA_I8 ? EKKA_F32 : f->out, .k = K,
					  .compute = 68, .math = -1, .on_device = f->out == EKKA_BF16, .cc_major = 9, .splits_known = true };
	struct ekka_verdict v = { 0 };
	struct ekka_error err;

	facts.b = facts.a;
	cr_assert_eq(ekka_bound_model_init(&g.model, &facts), 0);
	g.model.out = f->out;
	*e = (struct ekka_epilogue){ .activation = f->activation, .bias = f->bias ? p.bias : NULL, .row_scale = f->rows ? p.rows : NULL,
				     .col_scale = f->cols ? p.cols : NULL, .scale = f->scale, .saturates = f->out == EKKA_I8,
				     .mask = f->mask ? p.mask : NULL, .mask_column = M / 8 };
	cr_assert_eq(ekka_gemm_judge(&g, &(struct ekka_gemm_options){ 0 }, &v, &err), 0);
	return v;
}

static const struct { struct finish finish; enum wrong wrong[5]; } table[] = {
	{ { EKKA_ACT_NONE, .bias = true, .scale = 1, .out = EKKA_F32 }, { NO_BIAS, BIAS_BY_COLUMN, BIAS_ROUNDED } },
	{ { EKKA_ACT_NONE, .bias = true, .scale = 1, .out = EKKA_BF16 }, { NO_BIAS, BIAS_BY_COLUMN, BIAS_ROUNDED } },
	{ { EKKA_ACT_RELU, .bias = true, .mask = true, .scale = 1, .out = EKKA_BF16 }, { NO_BIAS, NO_ACTIVATION } },
	{ { EKKA_ACT_GELU, .bias = true, .scale = 1, .out = EKKA_F32 }, { NO_BIAS, BIAS_BY_COLUMN, NO_ACTIVATION } },
	{ { EKKA_ACT_GELU, .bias = true, .scale = 1, .out = EKKA_BF16 }, { NO_BIAS, NO_ACTIVATION } },
	{ { EKKA_ACT_NONE, .rows = true, .cols = true, .scale = 0.375, .out = EKKA_BF16 }, { NO_ROW_SCALE, NO_COL_SCALE, NO_SCALE } },
	{ { EKKA_ACT_RELU, .bias = true, .scale = 20, .out = EKKA_I8 }, { NO_SCALE, NO_BIAS, WRAPS } },
};

Test(epilogue, right_ones_pass_and_each_wrong_step_fails)
{
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const struct finish *f = &table[i].finish;
		struct ekka_epilogue e;
		struct ekka_verdict v;

		for (unsigned seed = 1; seed <= 5; seed++) {
			compute(f, NOTHING, seed);
			v = judge(f, &e);
			cr_expect_eq(v.status, EKKA_PASS, "row %zu seed %u: margin %g %s", i, seed, v.margin, v.reason);
			cr_expect_eq(v.n_elements, (uint64_t)M * N);
		}
		for (unsigned k = 0; k < 5 && table[i].wrong[k] != NOTHING; k++) {
			compute(f, table[i].wrong[k], 3);
			v = judge(f, &e);
			cr_expect_eq(v.status, EKKA_FAIL, "row %zu, wrong %d: margin %g", i, table[i].wrong[k], v.margin);
		}
	}
}

Test(epilogue, mask_is_judged_bit_by_bit)
{
	const struct finish f = { EKKA_ACT_RELU, .bias = true, .mask = true, .scale = 1, .out = EKKA_BF16 };
	struct ekka_epilogue e;

	compute(&f, NOTHING, 1);
	(void)judge(&f, &e);
	cr_expect_eq(e.n_mask_bad, 0u);
	cr_expect_gt(e.n_mask, (uint64_t)M * N * 9 / 10);
	compute(&f, WRONG_MASK, 1);
	(void)judge(&f, &e);
	cr_expect_eq(e.n_mask_bad, 1u);
	cr_expect(e.mask_bad[1] == 5 && e.mask_bad[2] == 7);
}

Test(epilogue, amax_is_that_of_the_elements_before_the_scale)
{
	const struct finish f = { EKKA_ACT_NONE, .scale = 0.25, .out = EKKA_F32 };
	struct ekka_epilogue e;
	double most = 0;

	compute(&f, NOTHING, 2);
	(void)judge(&f, &e);
	for (int i = 0; i < M * N; i++)
		most = fmax(most, fabs(4.0 * p.d[i]));
	cr_expect(e.amax_low <= most && most <= e.amax_high);
	cr_expect(e.amax_high < 1.001 * most && e.amax_low > 0.999 * most);
}

Test(epilogue, gelu_is_the_approximation_by_tanh)
{
	cr_expect_float_eq(ekka_gelu(1), 0.841191990608276, 1e-12);
	cr_expect_float_eq(ekka_gelu(-2), -0.045402305912224966, 1e-12);
	cr_expect_eq(ekka_gelu(-INFINITY), 0);
	cr_expect_eq(ekka_gelu(INFINITY), INFINITY);
}

Test(epilogue, what_activations_make_of_nan_is_not_promised)
{
	struct ekka_bound_model model;
	struct ekka_epilogue relu = { .activation = EKKA_ACT_RELU, .scale = 1 }, none = { .scale = 1 };
	double bound = 0, unusual = 0;
	long double t = NAN;

	cr_assert_eq(ekka_bound_model_init(&model, &(struct ekka_bound_facts){ .a = EKKA_F32, .b = EKKA_F32, .out = EKKA_F32, .k = 1 }), 0);
	cr_expect(ekka_epilogue_apply(&relu, &model, (const int64_t[]){ 0, 0, 0 }, &t, &bound, &unusual));
	t = NAN;
	cr_expect_not(ekka_epilogue_apply(&none, &model, (const int64_t[]){ 0, 0, 0 }, &t, &bound, &unusual));
	cr_expect(none.nonfinite);
}
