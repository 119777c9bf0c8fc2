/* SPDX-License-Identifier: Apache-2.0 */
/* Op softmax: what engines compute in f32 passes, with exact and with fast exponentials; what is wrong does not. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "replay/exp.h"
#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

static struct fake_event f;

struct softmax {
	enum ekka_dtype in, out, mask_type;
	int64_t rows, n;
	float scale;
	bool log, fast, keep, empty_zero;
	int shift;			/* the mask read this far to the right: a fault */
	int64_t summed;			/* 0: all */
	float wrong_scale;		/* 0: none */
	bool no_mask;
	void *x, *y, *mask;
};

static struct softmax make(enum ekka_dtype in, enum ekka_dtype out, int64_t rows, int64_t n, enum data data, double size)
{
	struct softmax s = { .in = in, .out = out, .rows = rows, .n = n, .scale = 1, .mask_type = EKKA_F32 };

	s.x = samples_new(in, rows * n);
	s.y = samples_new(out, rows * n);
	samples_fill(in, s.x, rows * n, data, size, 11);
	return s;
}

static void release(struct softmax *s)
{
	free(s->x);
	free(s->y);
	free(s->mask);
}

/* Fast: by exp2 of the logit in units of ln 2, as FlashAttention and Triton do. */
static float power(const struct softmax *s, float v, float max)
{
	const float log2e = 1.44269504f;

	return s->fast ? exp2f(fmaf(v, log2e, -max * log2e)) : expf(v - max);
}

static void compute(struct softmax *s, enum order order)
{
	float *v = malloc((size_t)s->n * sizeof *v), *p = malloc((size_t)s->n * sizeof *p);

	for (int64_t row = 0; row < s->rows; row++) {
		float max = -INFINITY, sum;

		for (int64_t j = 0; j < s->n; j++) {
			int64_t at = row * s->n + (j + s->shift < s->n && j + s->shift >= 0 ? j + s->shift : j);

			v[j] = (float)samples_get(s->in, s->x, row * s->n + j) * (s->wrong_scale != 0 ? s->wrong_scale : s->scale);
			if (s->mask && !s->no_mask && s->keep)
				v[j] = samples_get(s->mask_type, s->mask, at) != 0 ? v[j] : -INFINITY;
			else if (s->mask && !s->no_mask)
				v[j] += (float)samples_get(s->mask_type, s->mask, at);
			max = fmaxf(max, v[j]);
		}
		for (int64_t j = 0; j < s->n; j++)
			p[j] = power(s, v[j], max);
		sum = samples_sum(s->summed ? s->summed : s->n, p, order);
		for (int64_t j = 0; j < s->n; j++)
			samples_put(s->out, s->y, row * s->n + j,
				    s->log ? v[j] - max - logf(sum) : s->empty_zero && max == -INFINITY ? 0 : p[j] / sum);
	}
	free(v);
	free(p);
}

static struct ekka_verdict judge(const struct softmax *s)
{
	char dims[64];

	(void)snprintf(dims, sizeof dims, "%lldx%lld", (long long)s->rows, (long long)s->n);
	fake_event_init(&f, "softmax");
	fake_event_tensor(&f, "x", EKKA_IN, s->in, dims, NULL, s->x, NULL);
	fake_event_tensor(&f, "y", EKKA_OUT, s->out, dims, NULL, NULL, s->y);
	if (s->mask)
		fake_event_tensor(&f, "mask", EKKA_IN, s->mask_type, dims, NULL, s->mask, NULL);
	if (s->scale != 1)
		fake_event_real(&f, "scale", s->scale);
	if (s->log)
		fake_event_int(&f, "log", 1);
	if (s->keep)
		fake_event_int(&f, "mask_keep", 1);
	if (s->empty_zero)
		fake_event_text(&f, "empty", "zero");
	return fake_event_judge(&f);
}

#define EXPECT(status_, v, ...)                                                                                                          \
	cr_expect_eq((v).status, status_, "%s: margin %g, out %g, ref %g, %s", ekka_status_name((v).status), (v).margin, (v).worst_out[0], \
		     (v).worst_ref[0], (v).reason)

Test(softmax, the_exponential_is_nearly_as_good_as_the_machines)
{
	double worst = 0;

	for (double x = -708; x <= 700; x += 0.37) {
		long double e = expl(x);

		worst = fmax(worst, (double)fabsl((ekka_exp(x) - e) / e));
	}
	cr_expect_lt(worst, EKKA_EXP_ERROR, "%g", worst);
	cr_expect(isnan(ekka_exp(NAN)) && ekka_exp(-INFINITY) == 0 && ekka_exp(-710) == 0 && ekka_exp(0) == 1);
}

Test(softmax, honest_results_pass)
{
	static const struct { enum ekka_dtype in, out; } types[] = {
		{ EKKA_F32, EKKA_F32 }, { EKKA_BF16, EKKA_BF16 }, { EKKA_F16, EKKA_F16 }, { EKKA_BF16, EKKA_F32 },
	};
	static const int64_t lengths[] = { 1, 3, 64, 1000, 9001 };
	static const double sizes[] = { 0.01, 1, 20 };

	for (unsigned t = 0; t < 4; t++)
		for (unsigned l = 0; l < 5; l++)
			for (unsigned z = 0; z < 3; z++)
				for (int flags = 0; flags < 8; flags++) {
					struct softmax s = make(types[t].in, types[t].out, 3, lengths[l], z == 1 ? FAR_FROM_ZERO : GAUSS, sizes[z]);
					struct ekka_verdict v;

					s.log = flags & 1 && s.n > 1;	/* the logarithm of 1 has no digits to judge */
					s.fast = flags & 2;
					s.scale = flags & 4 ? 0.125f : 1;
					compute(&s, l % 2 ? STRIDED : FORWARD);
					v = judge(&s);
					cr_expect_eq(v.status, EKKA_PASS, "type %u, n %lld, size %g, flags %d: margin %g, %g for %g", t,
						     (long long)s.n, sizes[z], flags, v.margin, v.worst_out[0], v.worst_ref[0]);
					if (l % 2) {
						fake_event_int(&f, "depth", (s.n + 31) / 32 + 5);
						if (!s.fast)
							fake_event_int(&f, "exp2", 0);
						cr_expect_eq(fake_event_judge(&f).status, EKKA_PASS, "type %u, n %lld, flags %d: %g", t,
							     (long long)s.n, flags, fake_event_judge(&f).margin);
					}
					if (l == 2 && t == 0)
						cr_expect_gt(v.margin, 1e-3, "a bound that says little: flags %d, size %g, %g", flags, sizes[z], v.margin);
					release(&s);
				}
}

Test(softmax, lowest_bits_beyond_the_bound_fail)
{
	for (int log = 0; log <= 1; log++) {
		struct softmax s = make(EKKA_BF16, EKKA_BF16, 30, 200, GAUSS, 2);

		s.log = log;
		compute(&s, STRIDED);
		samples_nudge(EKKA_BF16, s.y, 17 * 200 + 33, 2);
		EXPECT(EKKA_FAIL, judge(&s));
		cr_expect(judge(&s).worst[0] == 17 && judge(&s).worst[1] == 33);
		release(&s);
		s = make(EKKA_F32, EKKA_F32, 30, 200, GAUSS, 2);
		s.log = log;
		compute(&s, STRIDED);
		samples_put(EKKA_F32, s.y, 33, samples_get(EKKA_F32, s.y, 33) * (1 + 1e-4));
		EXPECT(EKKA_FAIL, judge(&s));
		release(&s);
	}
}

static void causal(struct softmax *s, enum ekka_dtype t, double kept, double dropped)
{
	s->mask_type = t;
	s->mask = samples_new(t, s->rows * s->n);
	for (int64_t i = 0; i < s->rows; i++)
		for (int64_t j = 0; j < s->n; j++)
			samples_put(t, s->mask, i * s->n + j, j <= i + 5 ? kept : dropped);
}

Test(softmax, masks_are_added_or_keep)
{
	for (int keep = 0; keep <= 1; keep++) {
		struct softmax s = make(EKKA_BF16, EKKA_BF16, 40, 60, GAUSS, 3);
		struct ekka_verdict v;

		s.keep = keep;
		causal(&s, keep ? EKKA_U8 : EKKA_BF16, keep, keep ? 0 : -INFINITY);
		compute(&s, STRIDED);
		EXPECT(EKKA_PASS, judge(&s));
		s.shift = 1;
		compute(&s, STRIDED);
		v = judge(&s);
		EXPECT(EKKA_FAIL, v);
		cr_expect_str_eq(v.looks_like, "as if the mask was off by one, shifted to the left");
		s.shift = -1;
		compute(&s, STRIDED);
		cr_expect_str_eq(judge(&s).looks_like, "as if the mask was off by one, shifted to the right");
		s.shift = 0;
		s.no_mask = true;
		compute(&s, STRIDED);
		v = judge(&s);
		EXPECT(EKKA_FAIL, v);
		cr_expect_str_eq(v.looks_like, "as if there was no mask");
		release(&s);
	}
}

Test(softmax, a_finite_mask_that_swallows_the_logits)
{
	struct softmax s = make(EKKA_F32, EKKA_F32, 4, 50, GAUSS, 3);

	causal(&s, EKKA_F32, 0, -3.4028234663852886e38);
	for (int64_t j = 0; j < 50; j++)
		samples_put(EKKA_F32, s.mask, j, -3.4028234663852886e38);
	compute(&s, STRIDED);
	judge(&s);
	fake_event_int(&f, "exp2", 0);
	EXPECT(EKKA_PASS, fake_event_judge(&f));
	for (int64_t j = 0; j < 50; j++)		/* takes half of the digits */
		samples_put(EKKA_F32, s.mask, j, -10000);
	compute(&s, STRIDED);
	judge(&s);
	fake_event_int(&f, "exp2", 0);
	EXPECT(EKKA_PASS, fake_event_judge(&f));
	release(&s);
}

Test(softmax, rows_of_which_nothing_is_left)
{
	struct softmax s = make(EKKA_F32, EKKA_F32, 4, 50, GAUSS, 3);

	s.keep = true;
	causal(&s, EKKA_U8, 1, 0);
	memset(s.mask, 0, 50);
	compute(&s, STRIDED);
	EXPECT(EKKA_PASS, judge(&s));
	samples_put(EKKA_F32, s.y, 3, 0);
	EXPECT(EKKA_FAIL, judge(&s));
	s.empty_zero = true;
	EXPECT(EKKA_FAIL, judge(&s));
	compute(&s, STRIDED);
	EXPECT(EKKA_PASS, judge(&s));
	release(&s);
}

Test(softmax, nan_and_infinities)
{
	struct softmax s = make(EKKA_F32, EKKA_F32, 5, 50, GAUSS, 3);

	samples_put(EKKA_F32, s.x, 1 * 50 + 3, NAN);
	samples_put(EKKA_F32, s.x, 2 * 50 + 3, -INFINITY);
	samples_put(EKKA_F32, s.x, 3 * 50 + 3, INFINITY);
	for (int log = 0; log <= 1; log++) {
		s.log = log;
		compute(&s, STRIDED);
		EXPECT(EKKA_PASS, judge(&s));
		samples_put(EKKA_F32, s.y, 1 * 50 + 9, 0.25);
		EXPECT(EKKA_FAIL, judge(&s));
	}
	release(&s);
}

Test(softmax, what_a_wrong_one_looks_like)
{
	struct softmax s = make(EKKA_F32, EKKA_F32, 40, 100, GAUSS, 2);
	struct ekka_verdict v;

	s.scale = 0.125f;
	s.summed = 96;
	compute(&s, STRIDED);
	v = judge(&s);
	EXPECT(EKKA_FAIL, v);
	cr_expect_str_eq(v.looks_like, "as if the sum ended at element 96 of 100");
	s.summed = 99;
	compute(&s, STRIDED);
	cr_expect_str_eq(judge(&s).looks_like, "as if the sum ended at element 99 of 100");
	s.summed = 0;
	s.wrong_scale = 1;
	compute(&s, STRIDED);
	cr_expect_str_eq(judge(&s).looks_like, "as if there was no scale");
	s.wrong_scale = 0.0884f;
	compute(&s, STRIDED);
	cr_expect_str_eq(judge(&s).looks_like, "as if the scale was 0.0884 instead of 0.125");
	s.wrong_scale = 0;
	s.log = true;
	compute(&s, STRIDED);
	s.log = false;
	cr_expect_str_eq(judge(&s).looks_like, "as if the logarithm was taken");
	release(&s);
}

Test(softmax, one_in_place_that_did_not_run)
{
	float x[4 * 10], y[4 * 10];
	struct ekka_verdict v;

	for (int i = 0; i < 40; i++)
		x[i] = y[i] = 0.25f * (float)(i * 7 % 11);
	fake_event_init(&f, "softmax");
	fake_event_tensor(&f, "x", EKKA_INOUT, EKKA_F32, "4x10", NULL, x, y);
	fake_event_real(&f, "scale", 2);
	v = fake_event_judge(&f);
	EXPECT(EKKA_FAIL, v);
	cr_expect_str_eq(v.looks_like, "not written: as before the call");
}

Test(softmax, doubles_are_judged_as_doubles)
{
	struct softmax s = make(EKKA_F64, EKKA_F64, 3, 40, GAUSS, 2);

	for (int64_t row = 0; row < 3; row++) {
		double sum = 0, max = -INFINITY, *x = (double *)s.x + row * 40, *y = (double *)s.y + row * 40;

		for (int j = 0; j < 40; j++)
			max = fmax(max, x[j]);
		for (int j = 0; j < 40; j++)
			sum += exp(x[j] - max);
		for (int j = 0; j < 40; j++)
			y[j] = exp(x[j] - max) / sum;
	}
	EXPECT(EKKA_PASS, judge(&s));
	((double *)s.y)[50] *= 1 + 1e-13;
	EXPECT(EKKA_FAIL, judge(&s));
	release(&s);
}
