/* SPDX-License-Identifier: Apache-2.0 */
/* Op nll: what a kernel of 32 threads gives passes; a lost row, a sum that is not divided, what should be ignored do not. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

enum { N = 70, CLASSES = 9, THREADS = 32, IGNORED = 4 };

static struct fake_event f;
static int64_t target[N];

struct loss {
	enum ekka_dtype type;
	bool mean, weighted, ignores, bare;	/* bare: without the total */
	/* faults */
	bool last_lost, divided, counts_ignored, wrong_total;
	int off;
};

static struct ekka_verdict judge_loss(struct loss k)
{
	void *x = samples_new(k.type, N * CLASSES), *w = samples_new(k.type, CLASSES), *out = samples_new(k.type, 1), *total = samples_new(k.type, 1);
	float s[THREADS] = { 0 }, c[THREADS] = { 0 }, sum = 0, count = 0;
	struct ekka_verdict v;

	samples_fill(k.type, x, N * CLASSES, ABOVE_ZERO, 5, 3);
	samples_fill(k.type, w, CLASSES, ABOVE_ZERO, 1, 4);
	for (int i = 0; i < N; i++)
		target[i] = i * 7 % CLASSES;
	for (int i = 0; i < N - k.last_lost; i++) {
		float weight = k.weighted ? (float)samples_get(k.type, w, target[i]) : 1, y = (float)samples_get(k.type, x, i * CLASSES + target[i]) * weight;

		if (k.ignores && !k.counts_ignored && target[i] == IGNORED)
			continue;
		samples_put(k.type, out, 0, y);	/* rounded to the type */
		s[i % THREADS] -= (float)samples_get(k.type, out, 0);
		c[i % THREADS] += weight;
	}
	for (int i = 0; i < THREADS; i++) {
		sum += s[i];
		count += c[i];
	}
	samples_put(k.type, out, 0, k.mean != k.divided ? sum / count : sum);
	samples_put(k.type, total, 0, count + (k.wrong_total ? 1 : 0));
	samples_nudge(k.type, out, 0, k.off);
	fake_event_init(&f, "nll");
	(void)fake_event_tensor(&f, "x", EKKA_IN, k.type, "70x9", NULL, x, NULL);
	(void)fake_event_tensor(&f, "target", EKKA_IN, EKKA_I64, "70", NULL, target, NULL);
	if (k.weighted)
		(void)fake_event_tensor(&f, "weight", EKKA_IN, k.type, "9", NULL, w, NULL);
	(void)fake_event_tensor(&f, "out0", EKKA_OUT, k.type, "1", NULL, NULL, out);
	if (!k.bare)
		(void)fake_event_tensor(&f, "total", EKKA_OUT, k.type, "1", NULL, NULL, total);
	if (k.mean)
		fake_event_int(&f, "mean", 1);
	if (k.ignores)
		fake_event_int(&f, "ignore", IGNORED);
	v = fake_event_judge(&f);
	free(x);
	free(w);
	free(out);
	free(total);
	return v;
}

Test(nll, honest_kernels_pass)
{
	for (int i = 0; i < 24; i++) {
		static const enum ekka_dtype types[] = { EKKA_F32, EKKA_BF16, EKKA_F16 };
		struct loss k = { .type = types[i % 3], .mean = i / 3 & 1, .weighted = i / 3 & 2, .ignores = i / 3 & 4 };
		struct ekka_verdict v = judge_loss(k);

		cr_expect_eq(v.status, EKKA_PASS, "%d: %s, margin %g, %s: %g for %g %s", i, ekka_status_name(v.status), v.margin, v.output, v.worst_out[0],
			     v.worst_ref[0], v.reason);
	}
}

static void loss_fails(const char *what, struct loss k, const char *output, const char *looks_like)
{
	struct ekka_verdict v = judge_loss(k);

	cr_expect_eq(v.status, EKKA_FAIL, "%s: %s, margin %g", what, ekka_status_name(v.status), v.margin);
	cr_expect_str_eq(v.output, output, "%s: %s", what, v.output);
	cr_expect(strstr(v.looks_like, looks_like), "%s: '%s'", what, v.looks_like);
}

#define F32 .type = EKKA_F32

Test(nll, faults_fail)
{
	loss_fails("last row", (struct loss){ F32, .mean = true, .weighted = true, .last_lost = true }, "total", "");
	loss_fails("last row, no total", (struct loss){ F32, .bare = true, .last_lost = true }, "out0", "last row was lost");
	loss_fails("not divided", (struct loss){ F32, .mean = true, .divided = true }, "out0", "not divided");
	loss_fails("divided", (struct loss){ F32, .weighted = true, .divided = true }, "out0", "divided by the weights");
	loss_fails("ignored", (struct loss){ F32, .ignores = true, .counts_ignored = true }, "total", "");
	loss_fails("total", (struct loss){ F32, .wrong_total = true }, "total", "");
	loss_fails("value", (struct loss){ F32, .mean = true, .off = 200 }, "out0", "");
	loss_fails("weighted value", (struct loss){ F32, .weighted = true, .mean = true, .off = 400 }, "out0", "");
	loss_fails("value, bf16", (struct loss){ .type = EKKA_BF16, .mean = true, .off = 3 }, "out0", "");
}

Test(nll, targets_that_are_no_class_are_told)
{
	struct ekka_verdict v;

	for (int64_t bad = -1; bad <= CLASSES; bad += CLASSES + 1) {
		static float x[N * CLASSES], out[1], total[1];

		for (int i = 0; i < N; i++)
			target[i] = i == 3 ? bad : 1;
		fake_event_init(&f, "nll");
		(void)fake_event_tensor(&f, "x", EKKA_IN, EKKA_F32, "70x9", NULL, x, NULL);
		(void)fake_event_tensor(&f, "target", EKKA_IN, EKKA_I64, "70", NULL, target, NULL);
		(void)fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "1", NULL, NULL, out);
		(void)fake_event_tensor(&f, "total", EKKA_OUT, EKKA_F32, "1", NULL, NULL, total);
		v = fake_event_judge(&f);
		cr_expect_eq(v.status, EKKA_UNDECIDED);
		cr_expect(strstr(v.audit, "at 3, of 9 classes"), "'%s'", v.audit);
	}
}

/* Nothing counts: 0, or as a mean 0 / 0. */
Test(nll, what_is_empty_has_no_mean)
{
	for (int mean = 0; mean < 2; mean++) {
		static float x[N * CLASSES], total[1];
		float out[1] = { mean ? NAN : 0 };

		for (int i = 0; i < N; i++)
			target[i] = -100;
		fake_event_init(&f, "nll");
		(void)fake_event_tensor(&f, "x", EKKA_IN, EKKA_F32, "70x9", NULL, x, NULL);
		(void)fake_event_tensor(&f, "target", EKKA_IN, EKKA_I64, "70", NULL, target, NULL);
		(void)fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "1", NULL, NULL, out);
		(void)fake_event_tensor(&f, "total", EKKA_OUT, EKKA_F32, "1", NULL, NULL, total);
		fake_event_int(&f, "mean", mean);
		cr_expect_eq(fake_event_judge(&f).status, EKKA_PASS, "%d", mean);
		out[0] = mean ? 0 : NAN;
		cr_expect_eq(fake_event_judge(&f).status, EKKA_FAIL, "%d", mean);
	}
}

static struct ekka_verdict judge_two(enum ekka_dtype type, const double x[4], const double w[2], int mean, double y, double sum)
{
	static const int64_t both[2] = { 0, 1 };
	static unsigned char in[64], weight[64], out[16], total[16];

	for (int i = 0; i < 4; i++)
		samples_put(type, in, i, x[i]);
	for (int i = 0; i < 2; i++)
		samples_put(type, weight, i, w[i]);
	samples_put(type, out, 0, y);
	samples_put(type, total, 0, sum);
	fake_event_init(&f, "nll");
	(void)fake_event_tensor(&f, "x", EKKA_IN, type, "2x2", NULL, in, NULL);
	(void)fake_event_tensor(&f, "target", EKKA_IN, EKKA_I64, "2", NULL, both, NULL);
	(void)fake_event_tensor(&f, "weight", EKKA_IN, type, "2", NULL, weight, NULL);
	(void)fake_event_tensor(&f, "out0", EKKA_OUT, type, "1", NULL, NULL, out);
	(void)fake_event_tensor(&f, "total", EKKA_OUT, type, "1", NULL, NULL, total);
	fake_event_int(&f, "mean", mean);
	return fake_event_judge(&f);
}

/* 1.0078125 squared is 1.015625 in bf16: nothing is left of the sum, whose value is 2^-14. */
Test(nll, products_are_rounded_to_the_type)
{
	static const double x[4] = { 1.0078125, 0, 0, -1.015625 }, w[2] = { 1.0078125, 1 };

	cr_expect_eq(judge_two(EKKA_BF16, x, w, 0, 0, 2.0078125).status, EKKA_PASS);
	cr_expect_eq(judge_two(EKKA_BF16, x, w, 0, 0.0625, 2.0078125).status, EKKA_FAIL);
}

Test(nll, weights_that_cancel_tell_nothing)
{
	static const double x[4] = { 1, 0, 0, 2 }, w[2] = { 1, -1 };

	cr_expect_eq(judge_two(EKKA_F32, x, w, 1, 12345, 0).status, EKKA_UNDECIDED);
	cr_expect_eq(judge_two(EKKA_F32, x, w, 0, 12345, 0).status, EKKA_FAIL);
}
