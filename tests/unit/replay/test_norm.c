/* SPDX-License-Identifier: Apache-2.0 */
/* Op norm: what engines compute in f32 passes; what is wrong does not, and is named. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

static struct fake_event f;

struct norm {
	bool layer, fused, one_pass, gemma;
	enum ekka_dtype type;		/* of x, y, weight */
	int64_t rows, n;
	float eps;
	bool weighted, biased, round_first;	/* round_first: the product with rstd is rounded before it is weighted */
	/* faults */
	float wrong_eps;
	bool no_weight, no_bias, no_mean, no_residual, by_n_minus_1;
	int64_t summed;			/* 0: all */
	void *x, *y, *weight, *bias, *residual, *stored, *mean, *rstd;
};

static struct norm make(bool layer, enum ekka_dtype type, int64_t rows, int64_t n, enum data data, double size)
{
	struct norm k = { .layer = layer, .type = type, .rows = rows, .n = n, .eps = 1e-5f, .weighted = true, .biased = layer };

	k.x = samples_new(type, rows * n);
	k.y = samples_new(type, rows * n);
	k.residual = samples_new(type, rows * n);
	k.stored = samples_new(type, rows * n);
	k.weight = samples_new(type, n);
	k.bias = samples_new(type, n);
	k.mean = samples_new(EKKA_F32, rows);
	k.rstd = samples_new(EKKA_F32, rows);
	samples_fill(type, k.x, rows * n, data, size, 5);
	samples_fill(type, k.residual, rows * n, GAUSS, size, 6);
	samples_fill(type, k.weight, n, ABOVE_ZERO, 1, 7);
	samples_fill(type, k.bias, n, GAUSS, 0.3, 8);
	return k;
}

static void release(struct norm *k)
{
	void *all[] = { k->x, k->y, k->weight, k->bias, k->residual, k->stored, k->mean, k->rstd };

	for (unsigned i = 0; i < 8; i++)
		free(all[i]);
}

static float rounded(enum ekka_dtype t, float v)
{
	unsigned char b[8];

	samples_put(t, b, 0, v);
	return (float)samples_get(t, b, 0);
}

static void compute_row(struct norm *k, int64_t row, enum order order, float *h, float *sq)
{
	int64_t n = k->summed ? k->summed : k->n;
	float mean = 0, var, r, divisor = (float)(k->by_n_minus_1 ? n - 1 : k->n);

	for (int64_t i = 0; i < k->n; i++) {
		h[i] = (float)samples_get(k->type, k->x, row * k->n + i);
		if (k->fused) {
			float sum = h[i] + (float)samples_get(k->type, k->residual, row * k->n + i);

			samples_put(k->type, k->stored, row * k->n + i, sum);
			h[i] = k->no_residual ? h[i] : rounded(k->type, sum);
		}
	}
	if (k->layer && !k->no_mean)
		mean = samples_sum(n, h, order) / divisor;
	for (int64_t i = 0; i < k->n; i++)
		sq[i] = k->one_pass ? h[i] * h[i] : (h[i] - mean) * (h[i] - mean);
	var = samples_sum(n, sq, order) / divisor - (k->one_pass ? mean * mean : 0);
	r = 1 / sqrtf(var + (k->wrong_eps != 0 ? k->wrong_eps : k->eps));
	samples_put(EKKA_F32, k->mean, row, mean);
	samples_put(EKKA_F32, k->rstd, row, r);
	for (int64_t i = 0; i < k->n; i++) {
		float y = (h[i] - mean) * r;

		if (k->round_first)
			y = rounded(k->type, y);
		if (k->weighted && !k->no_weight)
			y *= (float)samples_get(k->type, k->weight, i) + (float)k->gemma;
		if (k->biased && !k->no_bias)
			y += (float)samples_get(k->type, k->bias, i);
		samples_put(k->type, k->y, row * k->n + i, y);
	}
}

static void compute(struct norm *k, enum order order)
{
	float *h = malloc((size_t)k->n * sizeof *h), *sq = malloc((size_t)k->n * sizeof *sq);

	for (int64_t row = 0; row < k->rows; row++)
		compute_row(k, row, order, h, sq);
	free(h);
	free(sq);
}

static struct ekka_verdict judge(const struct norm *k)
{
	char dims[64], n[32], rows[32];

	(void)snprintf(dims, sizeof dims, "%lldx%lld", (long long)k->rows, (long long)k->n);
	(void)snprintf(n, sizeof n, "%lld", (long long)k->n);
	(void)snprintf(rows, sizeof rows, "%lld", (long long)k->rows);
	fake_event_init(&f, "norm");
	fake_event_tensor(&f, "x", EKKA_IN, k->type, dims, NULL, k->x, NULL);
	fake_event_tensor(&f, "y", EKKA_OUT, k->type, dims, NULL, NULL, k->y);
	if (k->weighted)
		fake_event_tensor(&f, "weight", EKKA_IN, k->type, n, NULL, k->weight, NULL);
	if (k->biased)
		fake_event_tensor(&f, "bias", EKKA_IN, k->type, n, NULL, k->bias, NULL);
	if (k->fused)
		fake_event_tensor(&f, "residual", EKKA_INOUT, k->type, dims, NULL, k->residual, k->stored);
	if (k->layer)
		fake_event_tensor(&f, "mean", EKKA_OUT, EKKA_F32, rows, NULL, NULL, k->mean);
	fake_event_tensor(&f, "rstd", EKKA_OUT, EKKA_F32, rows, NULL, NULL, k->rstd);
	fake_event_text(&f, "kind", k->layer ? "layer" : "rms");
	fake_event_real(&f, "eps", k->eps);
	if (k->gemma)
		fake_event_int(&f, "weight_plus", 1);
	if (k->fused)
		fake_event_text(&f, "round_residual", ekka_dtype_name(k->type));
	if (k->round_first)
		fake_event_text(&f, "round_before_weight", ekka_dtype_name(k->type));
	if (k->one_pass)
		fake_event_int(&f, "one_pass", 1);
	return fake_event_judge(&f);
}

#define EXPECT(status_, v)                                                                                                               \
	cr_expect_eq((v).status, status_, "%s: margin %g, out %g, ref %g, %s", ekka_status_name((v).status), (v).margin, (v).worst_out[0], \
		     (v).worst_ref[0], (v).reason)

Test(norm, honest_results_pass)
{
	static const enum ekka_dtype types[] = { EKKA_F32, EKKA_BF16, EKKA_F16 };
	static const int64_t lengths[] = { 2, 64, 1000, 9001 };
	static const double sizes[] = { 0.001, 1, 100 };

	for (unsigned t = 0; t < 3; t++)
		for (unsigned l = 0; l < 4; l++)
			for (unsigned z = 0; z < 3; z++)
				for (int flags = 0; flags < 16; flags++) {
					struct norm k = make(flags & 1, types[t], 3, lengths[l], z == 1 ? (enum data)(flags / 4) : GAUSS, sizes[z]);
					struct ekka_verdict v;

					k.fused = flags & 2;
					k.gemma = flags & 4;
					k.round_first = flags & 8;
					compute(&k, (enum order)((unsigned)flags % ORDERS));
					v = judge(&k);
					cr_expect_eq(v.status, EKKA_PASS, "%s, n %lld, size %g, flags %d: margin %g, %s %g for %g %s",
						     ekka_dtype_name(k.type), (long long)k.n, sizes[z], flags, v.margin, v.output,
						     v.worst_out[0], v.worst_ref[0], v.reason);
					compute(&k, STRIDED);
					judge(&k);
					fake_event_int(&f, "depth", (k.n + 31) / 32 + 5);
					v = fake_event_judge(&f);
					cr_expect_eq(v.status, EKKA_PASS, "%s, n %lld, size %g, flags %d, with depth: margin %g, %s %g for %g %s",
						     ekka_dtype_name(k.type), (long long)k.n, sizes[z], flags, v.margin, v.output,
						     v.worst_out[0], v.worst_ref[0], v.reason);
					release(&k);
				}
}

Test(norm, a_variance_of_squares_passes_where_it_is_named)
{
	struct norm k = make(true, EKKA_F32, 10, 500, FAR_FROM_ZERO, 10);

	k.one_pass = true;
	compute(&k, STRIDED);
	EXPECT(EKKA_PASS, judge(&k));
	release(&k);
}

Test(norm, lowest_bits_beyond_the_bound_fail_in_every_output)
{
	for (int output = 0; output < 4; output++) {
		struct norm k = make(true, EKKA_BF16, 30, 200, GAUSS, 1);
		static const char *const names[] = { "y", "residual", "mean", "rstd" };
		void *const bytes[] = { k.y, k.stored, k.mean, k.rstd };

		k.fused = true;
		compute(&k, STRIDED);
		EXPECT(EKKA_PASS, judge(&k));
		if (output < 2)
			samples_nudge(EKKA_BF16, bytes[output], 7 * 200 + 12, output == 0 ? 2 : 1);
		else
			samples_put(EKKA_F32, bytes[output], 7, samples_get(EKKA_F32, bytes[output], 7) * 1.01);
		EXPECT(EKKA_FAIL, judge(&k));
		cr_expect_str_eq(judge(&k).output, names[output]);
		release(&k);
	}
}

Test(norm, the_order_of_roundings_matters)
{
	struct norm k = make(false, EKKA_BF16, 30, 200, GAUSS, 1);

	k.round_first = true;
	compute(&k, STRIDED);
	EXPECT(EKKA_PASS, judge(&k));
	cr_expect_lt(judge(&k).margin, 1.0);
	k.round_first = false;
	EXPECT(EKKA_FAIL, judge(&k));
	release(&k);
}

#define LOOKS(fault, text)                                                                        \
	do {                                                                                      \
		struct norm wrong = k;                                                            \
		struct ekka_verdict v;                                                            \
		wrong.fault;                                                                      \
		compute(&wrong, STRIDED);                                                         \
		v = judge(&k);                                                                    \
		EXPECT(EKKA_FAIL, v);                                                             \
		cr_expect_str_eq(v.looks_like, text, "%s %s: '%s'", layer ? "layer" : "rms", #fault, v.looks_like); \
	} while (0)

Test(norm, what_a_wrong_one_looks_like)
{
	for (int layer = 0; layer <= 1; layer++)
		for (int narrow = 0; narrow <= 1; narrow++) {
			struct norm k = make(layer, narrow ? EKKA_BF16 : EKKA_F32, 30, 100, narrow ? FAR_FROM_ZERO : GAUSS,
					     layer && narrow ? 0.1 : 0.005);

			k.fused = layer;
			compute(&k, STRIDED);
			EXPECT(EKKA_PASS, judge(&k));
			LOOKS(wrong_eps = narrow ? 1e-3f : 1e-6f, narrow ? "as if eps was 0.001 instead of 1e-05" : "as if eps was 1e-06 instead of 1e-05");
			LOOKS(no_weight = true, "as if there was no weight");
			LOOKS(gemma = true, "as if 1 was added to the weight instead of 0");
			LOOKS(summed = 64, "as if the moments were over the first 64 of 100 elements");
			if (layer) {
				LOOKS(no_bias = true, "as if there was no bias");
				LOOKS(no_mean = true, "as if the mean was not subtracted");
				LOOKS(no_residual = true, "as if the residual was not added");
			}
			release(&k);
		}
}

Test(norm, an_unusual_eps_is_fitted)
{
	struct norm k = make(false, EKKA_F32, 30, 100, GAUSS, 0.01), wrong;

	wrong = k;
	wrong.wrong_eps = 3.7e-5f;
	compute(&wrong, STRIDED);
	cr_expect_str_eq(judge(&k).looks_like, "as if eps was 3.7e-05 instead of 1e-05");
	release(&k);
}

Test(norm, a_nan_spoils_its_row_alone)
{
	for (int layer = 0; layer <= 1; layer++) {
		struct norm k = make(layer, EKKA_F32, 5, 40, GAUSS, 1);

		samples_put(EKKA_F32, k.x, 2 * 40 + 7, NAN);
		compute(&k, STRIDED);
		EXPECT(EKKA_PASS, judge(&k));
		samples_put(EKKA_F32, k.y, 2 * 40 + 9, 0.5);
		EXPECT(EKKA_FAIL, judge(&k));
		compute(&k, STRIDED);
		for (int i = 0; i < 40; i++)
			samples_put(EKKA_F32, k.y, 3 * 40 + i, NAN);
		EXPECT(EKKA_FAIL, judge(&k));
		release(&k);
	}
}

Test(norm, zeros_are_zeros_and_constant_rows_do_not_convict)
{
	for (int layer = 0; layer <= 1; layer++) {
		struct norm k = make(layer, EKKA_F32, 5, 40, GAUSS, 1);

		for (int i = 0; i < 40; i++) {
			samples_put(EKKA_F32, k.x, 40 + i, 0);
			samples_put(EKKA_F32, k.x, 80 + i, 1.1);
		}
		compute(&k, FORWARD);
		EXPECT(EKKA_PASS, judge(&k));
		k.eps = 0;
		compute(&k, FORWARD);
		cr_expect_neq(judge(&k).status, EKKA_FAIL, "%g for %g", judge(&k).worst_out[0], judge(&k).worst_ref[0]);
		release(&k);
	}
}

Test(norm, in_place)
{
	struct norm k = make(false, EKKA_BF16, 6, 64, GAUSS, 1);

	compute(&k, STRIDED);
	for (int wrong = 0; wrong <= 1; wrong++) {
		samples_nudge(EKKA_BF16, k.y, 70, 2 * wrong);
		fake_event_init(&f, "norm");
		fake_event_tensor(&f, "x", EKKA_INOUT, EKKA_BF16, "6x64", NULL, k.x, k.y);
		fake_event_tensor(&f, "weight", EKKA_IN, EKKA_BF16, "64", NULL, k.weight, NULL);
		fake_event_text(&f, "kind", "rms");
		fake_event_real(&f, "eps", k.eps);
		EXPECT(wrong ? EKKA_FAIL : EKKA_PASS, fake_event_judge(&f));
	}
	release(&k);
}

/* [2 images, 3 channels, 8 positions], a scale and bias of each channel: instance norm; and of each channel and position. */
Test(norm, weights_of_more_dims_than_the_rows)
{
	static const float scale[3] = { 2, -1, 0.5f }, bias[3] = { 0, 1, -2 };
	float x[48], y[48], all[24];

	samples_fill(EKKA_F32, x, 48, GAUSS, 1, 3);
	for (int i = 0; i < 24; i++)
		all[i] = scale[i / 8];
	for (int row = 0; row < 6; row++) {
		double mean = 0, m = 0;

		for (int i = 0; i < 8; i++)
			mean += (double)x[row * 8 + i] / 8;
		for (int i = 0; i < 8; i++)
			m += pow((double)x[row * 8 + i] - mean, 2) / 8;
		for (int i = 0; i < 8; i++)
			y[row * 8 + i] = (float)(((double)x[row * 8 + i] - mean) / sqrt(m + 1e-5) * (double)scale[row % 3] + (double)bias[row % 3]);
	}
	for (int wrong = 0; wrong <= 1; wrong++)
		for (int broadcast = 0; broadcast <= 1; broadcast++) {
			y[20] += (float)(wrong && broadcast == 0);
			fake_event_init(&f, "norm");
			fake_event_tensor(&f, "x", EKKA_IN, EKKA_F32, "2x3x8", NULL, x, NULL);
			fake_event_tensor(&f, "y", EKKA_OUT, EKKA_F32, "2x3x8", NULL, NULL, y);
			fake_event_tensor(&f, "weight", EKKA_IN, EKKA_F32, "3x8", broadcast ? "1x0" : NULL, broadcast ? (const void *)scale : all, NULL);
			fake_event_tensor(&f, "bias", EKKA_IN, EKKA_F32, "3x8", "1x0", bias, NULL);
			fake_event_text(&f, "kind", "layer");
			fake_event_real(&f, "eps", 1e-5);
			cr_expect_eq(fake_event_judge(&f).status, wrong ? EKKA_FAIL : EKKA_PASS, "wrong %d, broadcast %d: %s", wrong, broadcast,
				     fake_event_judge(&f).reason);
		}
	/* Without the bias, in every row. */
	for (int i = 0; i < 48; i++)
		y[i] -= bias[i / 8 % 3] + (float)(i == 20 ? 1 : 0);
	cr_expect_str_eq(fake_event_judge(&f).looks_like, "as if there was no bias");
	/* Dims that are not x's last ones. */
	fake_event_init(&f, "norm");
	fake_event_tensor(&f, "x", EKKA_IN, EKKA_F32, "2x3x8", NULL, x, NULL);
	fake_event_tensor(&f, "y", EKKA_OUT, EKKA_F32, "2x3x8", NULL, NULL, y);
	fake_event_tensor(&f, "weight", EKKA_IN, EKKA_F32, "8x3", NULL, all, NULL);
	fake_event_text(&f, "kind", "layer");
	cr_expect_eq(fake_event_judge(&f).status, EKKA_INCOMPLETE);
}
