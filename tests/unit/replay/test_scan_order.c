/* SPDX-License-Identifier: Apache-2.0 */
/* Op scan where the order is known: a kernel of that order passes to the bit, one that is off by the last bit fails, one of another order is not blamed. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

enum { ROWS = 3 };

static struct fake_event f;

struct scan { enum ekka_dtype type; bool product; int64_t n, threads; const char *order; bool backwards; double lost; /* of the first piece's total, for good */ };

/* As the type holds it. */
static double rounded(enum ekka_dtype t, double v)
{
	unsigned char bytes[8];

	samples_put(t, bytes, 0, v);
	return samples_get(t, bytes, 0);
}

static double combine(const struct scan *s, double a, double b)
{
	float x = (float)a, y = (float)b;

	if (s->type == EKKA_F64)
		return s->product ? a * b : a + b;
	return rounded(s->type, s->product ? x * y : x + y);
}

/* Thread by thread, as the kernel has it. */
static void by_halves(const struct scan *s, const double *x, double *y)
{
	double buffer[2 * 64], total = s->product;
	int64_t threads = s->threads;

	for (int64_t at = 0; at < s->n; at += 2 * threads) {
		for (int64_t t = 0; t < 2 * threads; t++)
			buffer[t] = at + t < s->n ? x[at + t] : s->product;
		buffer[0] = combine(s, buffer[0], total);
		for (int m = 0; 1 << m <= threads; m++)
			for (int64_t t = 0; t < threads; t++) {
				int64_t half = 1 << m, a = ((t >> m) << (m + 1)) | half, to = a + t % half;

				buffer[to] = combine(s, buffer[to], buffer[a - 1]);
			}
		buffer[2 * threads - 1] = at == 0 ? rounded(s->type, buffer[2 * threads - 1] * (1 - s->lost)) : buffer[2 * threads - 1];
		for (int64_t t = 0; t < 2 * threads && at + t < s->n; t++)
			y[at + t] = buffer[t];
		total = buffer[2 * threads - 1];
	}
}

static void in_sequence(const struct scan *s, const double *x, double *y)
{
	double total = s->product;

	for (int64_t i = 0; i < s->n; i++) {
		total = combine(s, total, x[i]);
		y[i] = total = i == 31 ? rounded(s->type, total * (1 - s->lost)) : total;
	}
}

/* `wrong`: element of the second row that is moved by `steps`; -1: none. */
static struct ekka_verdict judge_scan(struct scan s, int64_t wrong, int steps)
{
	void *in = samples_new(s.type, ROWS * s.n), *out = samples_new(s.type, ROWS * s.n);
	double *x = calloc((size_t)s.n, sizeof *x), *y = calloc((size_t)s.n, sizeof *y);
	struct ekka_verdict v;
	char dims[32];

	samples_fill(s.type, in, ROWS * s.n, GAUSS, 2, 8);
	for (int64_t row = 0; row < ROWS; row++) {
		for (int64_t i = 0; i < s.n; i++) {
			if (s.product)	/* about 1, lest the product vanish */
				samples_put(s.type, in, row * s.n + i, 1 + samples_get(s.type, in, row * s.n + i) / 16);
			x[i] = samples_get(s.type, in, row * s.n + i);
		}
		(strcmp(s.order, "sequence") == 0 ? in_sequence : by_halves)(&s, x, y);
		for (int64_t i = 0; i < s.n; i++)
			samples_put(s.type, out, row * s.n + i, y[i]);
	}
	if (wrong >= 0)
		samples_nudge(s.type, out, s.n + wrong, steps);
	(void)snprintf(dims, sizeof dims, "3x%lld", (long long)s.n);
	fake_event_init(&f, "scan");
	(void)fake_event_tensor(&f, "in0", EKKA_IN, s.type, dims, NULL, in, NULL);
	(void)fake_event_tensor(&f, "out0", EKKA_OUT, s.type, dims, NULL, NULL, out);
	fake_event_text(&f, "kind", s.product ? "prod" : "sum");
	fake_event_text(&f, "order", !s.backwards ? s.order : strcmp(s.order, "halves") == 0 ? "sequence" : "halves");
	fake_event_int(&f, "threads", s.threads);
	v = fake_event_judge(&f);
	free(in);
	free(out);
	free(x);
	free(y);
	return v;
}

static const enum ekka_dtype types[] = { EKKA_BF16, EKKA_F16, EKKA_F32, EKKA_F64 };
static const int64_t lengths[] = { 2, 31, 32, 33, 600, 9000 };

static struct scan a_scan(int i)
{
	return (struct scan){ .type = types[i & 3], .product = i & 4, .order = i & 8 ? "sequence" : "halves", .threads = i & 16 ? 64 : 16, .n = lengths[(i >> 5) % 6] };
}

Test(scan_order, kernels_of_that_order_pass_to_the_bit)
{
	for (int i = 0; i < 192; i++) {
		struct ekka_verdict v = judge_scan(a_scan(i), -1, 0);

		cr_expect_eq(v.status, EKKA_PASS, "%d: %s %s %s", i, ekka_status_name(v.status), v.reason, v.where);
		cr_expect(v.margin == 0 || a_scan(i).n < 40, "%d: %g", i, v.margin);
	}
}

/* The last of a piece is what the next one begins with: that element, not all behind it, is wrong. */
Test(scan_order, the_last_bit_of_one_element_fails)
{
	for (int i = 0; i < 192; i++) {
		struct scan s = a_scan(i);
		int64_t wrong = s.n / 3;
		struct ekka_verdict v;

		if (s.n < 40)	/* too few to tell the order by */
			continue;
		v = judge_scan(s, wrong, 1);
		cr_expect_eq(v.status, EKKA_FAIL, "%d: %s", i, ekka_status_name(v.status));
		cr_expect(v.n_worst == 2 && v.worst[0] == 1 && v.worst[1] >= wrong && v.worst[1] <= wrong + 1, "%d: %lld", i, (long long)v.worst[1]);
		cr_expect(v.n_bad <= 2, "%d: %llu", i, (unsigned long long)v.n_bad);
	}
}

Test(scan_order, a_wrong_last_element_of_a_piece_is_alone_wrong)
{
	struct ekka_verdict v = judge_scan((struct scan){ EKKA_BF16, true, 600, 16, "halves", false, 0 }, 31, 3);

	cr_expect_eq(v.status, EKKA_FAIL);
	cr_expect(v.n_bad < 40, "%llu", (unsigned long long)v.n_bad);
	for (int i = 0; i < 2; i++) {
		v = judge_scan((struct scan){ EKKA_BF16, true, 600, 16, i ? "sequence" : "halves", false, 0.1 }, -1, 0);
		cr_expect_eq(v.status, EKKA_FAIL);
		cr_expect_eq(v.n_bad, ROWS, "%llu", (unsigned long long)v.n_bad);
		cr_expect_eq(v.worst[1], 31);
	}
}

Test(scan_order, another_order_is_not_blamed)
{
	for (int i = 0; i < 192; i++) {
		struct scan s = a_scan(i);
		struct ekka_verdict v;

		s.backwards = true;
		v = judge_scan(s, -1, 0);
		cr_expect_neq(v.status, EKKA_FAIL, "%d: %s, %s", i, v.where, v.bound);
	}
}

/* Without the order this says nothing. */
Test(scan_order, it_decides_what_is_undecided)
{
	struct scan s = { EKKA_BF16, true, 9000, 16, "halves", false, 0 };

	cr_expect_eq(judge_scan(s, -1, 0).status, EKKA_PASS);
	s.threads = 48;		/* no power of 2: of no known order */
	s.order = "sequence";
	s.backwards = true;
	cr_expect_eq(judge_scan(s, -1, 0).status, EKKA_UNDECIDED);
}

/* What is not rounded to the output's type each time is judged as ever. */
Test(scan_order, other_scans_have_no_order)
{
	static float x[64], y[64], sum;

	for (int i = 0; i < 64; i++) {
		x[i] = (float)(i * 37 % 11) / 3;
		y[i] = sum;
		sum += x[i];
	}
	fake_event_init(&f, "scan");
	(void)fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "64", NULL, x, NULL);
	(void)fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "64", NULL, NULL, y);
	fake_event_text(&f, "kind", "sum");
	fake_event_text(&f, "order", "sequence");
	fake_event_int(&f, "exclusive", 1);
	cr_expect_eq(fake_event_judge(&f).status, EKKA_PASS, "%s", fake_event_judge(&f).where);
}
