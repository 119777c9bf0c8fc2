/* SPDX-License-Identifier: Apache-2.0 */
/* Op reduce: what engines compute in f32 passes in every order, whatever the data; what is wrong does not. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

static struct fake_event f;

/* Reductions of [rows, n] over n. */
struct reduction {
	const char *kind;
	enum ekka_dtype in, out;
	int64_t rows, n;
	void *x, *y, *second;
};

static struct reduction make(const char *kind, enum ekka_dtype in, enum ekka_dtype out, int64_t rows, int64_t n, enum data data)
{
	struct reduction r = { kind, in, out, rows, n, samples_new(in, rows * n), samples_new(out, rows), NULL };

	samples_fill(in, r.x, rows * n, data, in == EKKA_I32 || in == EKKA_I64 ? 1e5 : 1, 3);
	return r;
}

static void release(struct reduction *r)
{
	free(r->x);
	free(r->y);
	free(r->second);
}

static float *row_of(const struct reduction *r, int64_t row)
{
	float *x = malloc((size_t)r->n * sizeof *x);

	cr_assert(x);
	for (int64_t i = 0; i < r->n; i++)
		x[i] = (float)samples_get(r->in, r->x, row * r->n + i);
	return x;
}

/* Welford's updates over every 32nd element, then Chan's merges. */
static double welford(int64_t n, const float *x, double correction, float *ret_mean)
{
	float mean[32] = { 0 }, m2[32] = { 0 }, count[32] = { 0 };

	for (int64_t i = 0; i < n; i++) {
		float d = x[i] - mean[i % 32];

		count[i % 32]++;
		mean[i % 32] += d / count[i % 32];
		m2[i % 32] += d * (x[i] - mean[i % 32]);
	}
	for (int step = 16; step > 0; step /= 2)
		for (int l = 0; l < step; l++) {
			float d = mean[l + step] - mean[l], total = count[l] + count[l + step];

			if (count[l + step] == 0)
				continue;
			mean[l] += d * count[l + step] / total;
			m2[l] += m2[l + step] + d * d * count[l] * count[l + step] / total;
			count[l] = total;
		}
	*ret_mean = mean[0];
	return m2[0] / (count[0] - (float)correction);
}

static double engine(const struct reduction *r, int64_t row, enum order order)
{
	float *x = row_of(r, row), best = x[0], mean;
	double result = 0;
	int64_t at = 0;

	if (!strcmp(r->kind, "sum")) {
		result = samples_sum(r->n, x, order);
	} else if (!strcmp(r->kind, "mean")) {
		result = samples_sum(r->n, x, order) * (1 / (float)r->n);
	} else if (!strcmp(r->kind, "norm2")) {
		for (int64_t i = 0; i < r->n; i++)
			x[i] *= x[i];
		result = sqrtf(samples_sum(r->n, x, order));
	} else if (!strcmp(r->kind, "prod")) {
		float p = 1;

		for (int64_t i = 0; i < r->n; i++)
			p *= x[order == BACKWARD ? r->n - 1 - i : i];
		result = p;
	} else if (!strcmp(r->kind, "var") || !strcmp(r->kind, "std")) {
		result = welford(order == FORWARD ? r->n : r->n, x, 1, &mean);
		result = r->kind[0] == 's' ? sqrtf((float)result) : result;
		if (r->second)
			samples_put(r->out, r->second, row, mean);
	} else {	/* max argmax min argmin */
		bool least = strstr(r->kind, "min");

		for (int64_t i = 0; i < r->n; i++)
			if (!isnan(best) && (isnan(x[i]) || (least ? x[i] < best : order == BACKWARD ? x[i] >= best : x[i] > best))) {
				best = x[i];
				at = i;
			}
		result = r->kind[0] == 'a' ? (double)at : best;
	}
	free(x);
	return result;
}

static void compute(struct reduction *r, enum order order)
{
	for (int64_t row = 0; row < r->rows; row++)
		samples_put(r->out, r->y, row, engine(r, row, order));
}

static struct ekka_verdict judge(const struct reduction *r)
{
	char dims[64], kept[64];

	(void)snprintf(dims, sizeof dims, "%lldx%lld", (long long)r->rows, (long long)r->n);
	(void)snprintf(kept, sizeof kept, "%lld", (long long)r->rows);
	fake_event_init(&f, "reduce");
	fake_event_tensor(&f, "in0", EKKA_IN, r->in, dims, NULL, r->x, NULL);
	fake_event_tensor(&f, "out0", EKKA_OUT, r->out, kept, NULL, NULL, r->y);
	if (r->second)
		fake_event_tensor(&f, "out1", EKKA_OUT, r->out, kept, NULL, NULL, r->second);
	fake_event_text(&f, "kind", r->kind);
	fake_event_int(&f, "reduced", 1);
	return fake_event_judge(&f);
}

#define EXPECT(status_, v, ...)                                                                                                          \
	cr_expect_eq((v).status, status_, "%s: margin %g, out %g, ref %g, %s", ekka_status_name((v).status), (v).margin, (v).worst_out[0], \
		     (v).worst_ref[0], (v).reason)

static const char *const kinds[] = { "sum", "mean", "norm2", "max", "min", "argmax", "argmin", "var", "std" };

Test(reduce, honest_sums_pass_in_every_order_for_all_data)
{
	static const struct { enum ekka_dtype in, out; } types[] = {
		{ EKKA_F32, EKKA_F32 }, { EKKA_BF16, EKKA_BF16 }, { EKKA_F16, EKKA_F32 }, { EKKA_BF16, EKKA_F32 },
	};
	static const int64_t lengths[] = { 1, 3, 64, 1000, 9001 };

	for (unsigned k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
		for (unsigned t = 0; t < 4; t++)
			for (unsigned l = 0; l < 5; l++)
				for (enum data d = 0; d < DATA_KINDS; d++) {
					bool arg = kinds[k][0] == 'a', spread = !strcmp(kinds[k], "var") || !strcmp(kinds[k], "std");
					struct reduction r = make(kinds[k], types[t].in, arg ? EKKA_I64 : types[t].out, 5,
								  spread && lengths[l] == 1 ? 2 : lengths[l], d);

					r.second = spread ? samples_new(r.out, 5) : NULL;
					for (enum order o = 0; o < ORDERS; o++) {
						struct ekka_verdict v;

						compute(&r, o);
						v = judge(&r);
						cr_expect_eq(v.status, EKKA_PASS, "%s of %lld %s, data %d, order %d: margin %g, %g for %g", r.kind,
							     (long long)r.n, ekka_dtype_name(r.in), d, o, v.margin, v.worst_out[0], v.worst_ref[0]);
						if (o != STRIDED && !spread)
							continue;
						fake_event_int(&f, "depth", (r.n + 31) / 32 + 5);
						v = fake_event_judge(&f);
						cr_expect_eq(v.status, EKKA_PASS, "%s of %lld %s, data %d, with depth: margin %g, %g for %g", r.kind,
							     (long long)r.n, ekka_dtype_name(r.in), d, v.margin, v.worst_out[0], v.worst_ref[0]);
					}
					release(&r);
				}
}

Test(reduce, a_wrong_element_fails)
{
	for (unsigned k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		struct reduction r = make(kinds[k], EKKA_BF16, kinds[k][0] == 'a' ? EKKA_I64 : EKKA_BF16, 40, 300, ABOVE_ZERO);

		compute(&r, STRIDED);
		EXPECT(EKKA_PASS, judge(&r));
		samples_nudge(r.out, r.y, 17, kinds[k][0] == 'm' && kinds[k][1] != 'e' ? 1 : 2);
		EXPECT(EKKA_FAIL, judge(&r));
		cr_expect_eq(judge(&r).worst[0], 17);
		release(&r);
	}
}

Test(reduce, exact_results_have_no_slack_below_a_power_of_two)
{
	struct reduction r = make("max", EKKA_F32, EKKA_F32, 1, 10, GAUSS);

	samples_put(EKKA_F32, r.x, 4, 8);
	samples_put(EKKA_F32, r.y, 0, 8);
	EXPECT(EKKA_PASS, judge(&r));
	samples_nudge(EKKA_F32, r.y, 0, -1);
	EXPECT(EKKA_FAIL, judge(&r));
	release(&r);
}

Test(reduce, what_is_left_out_is_recognised)
{
	struct reduction r = make("sum", EKKA_F32, EKKA_F32, 20, 1003, ABOVE_ZERO);
	struct ekka_verdict v;

	r.n--;
	for (int64_t row = 0; row < 20; row++) {
		float *x = malloc(1003 * sizeof *x);

		for (int64_t i = 0; i < 1003; i++)
			x[i] = (float)samples_get(EKKA_F32, r.x, row * 1003 + i);
		samples_put(EKKA_F32, r.y, row, samples_sum(1002, x, STRIDED));
		free(x);
	}
	r.n++;
	v = judge(&r);
	EXPECT(EKKA_FAIL, v);
	cr_expect_str_eq(v.looks_like, "as if the last element of every row was left out");
	for (int64_t row = 0; row < 20; row++) {
		float *x = row_of(&r, row);

		samples_put(EKKA_F32, r.y, row, samples_sum(1003 - 1003 % 64, x, STRIDED));
		free(x);
	}
	cr_expect(strstr(judge(&r).looks_like, "as if the reduction ended at element 960 of 1003"), "%s", judge(&r).looks_like);
	r.kind = "mean";
	r.n = 1003;
	for (int64_t row = 0; row < 20; row++) {
		float *x = row_of(&r, row);

		samples_put(EKKA_F32, r.y, row, samples_sum(1003, x, STRIDED));
		free(x);
	}
	v = judge(&r);
	cr_expect_eq(v.status, EKKA_FAIL);
	cr_expect(strstr(v.looks_like, "1003"), "%s", v.looks_like);
	release(&r);
}

Test(reduce, a_wrong_divisor_is_recognised)
{
	struct reduction r = make("var", EKKA_F32, EKKA_F32, 20, 50, GAUSS);
	struct ekka_verdict v;
	float mean;

	for (int64_t row = 0; row < 20; row++) {
		float *x = row_of(&r, row);

		samples_put(EKKA_F32, r.y, row, welford(50, x, 0, &mean));
		free(x);
	}
	v = judge(&r);
	EXPECT(EKKA_FAIL, v);
	cr_expect(strstr(v.looks_like, "divisor") || strstr(v.looks_like, "0.98"), "%s", v.looks_like);
	fake_event_real(&f, "correction", 0);
	EXPECT(EKKA_PASS, fake_event_judge(&f));
	release(&r);
}

Test(reduce, nan_is_the_largest_and_the_smallest)
{
	for (unsigned k = 3; k < 7; k++) {
		struct reduction r = make(kinds[k], EKKA_F32, kinds[k][0] == 'a' ? EKKA_I64 : EKKA_F32, 9, 33, GAUSS);

		samples_put(EKKA_F32, r.x, 4 * 33 + 20, NAN);
		samples_put(EKKA_F32, r.x, 5 * 33 + 20, INFINITY);
		samples_put(EKKA_F32, r.x, 6 * 33 + 20, -INFINITY);
		compute(&r, FORWARD);
		EXPECT(EKKA_PASS, judge(&r));
		samples_put(r.out, r.y, 4, 3);
		EXPECT(EKKA_FAIL, judge(&r));
		release(&r);
	}
}

Test(reduce, nan_rows_of_sums_must_be_nan)
{
	struct reduction r = make("sum", EKKA_F32, EKKA_F32, 9, 33, GAUSS);

	samples_put(EKKA_F32, r.x, 4 * 33 + 20, NAN);
	samples_put(EKKA_F32, r.x, 5 * 33 + 20, INFINITY);
	compute(&r, STRIDED);
	EXPECT(EKKA_PASS, judge(&r));
	samples_put(EKKA_F32, r.y, 4, 1);
	EXPECT(EKKA_FAIL, judge(&r));
	compute(&r, STRIDED);
	samples_put(EKKA_F32, r.y, 2, NAN);
	EXPECT(EKKA_FAIL, judge(&r));
	release(&r);
}

Test(reduce, any_of_equal_values_is_right_unless_the_first_is_asked_for)
{
	struct reduction r = make("argmax", EKKA_BF16, EKKA_I64, 3, 40, GAUSS);

	for (int64_t row = 0; row < 3; row++) {
		samples_put(EKKA_BF16, r.x, row * 40 + 7, 50);
		samples_put(EKKA_BF16, r.x, row * 40 + 30, 50);
		samples_put(EKKA_I64, r.y, row, row == 1 ? 30 : 7);
	}
	EXPECT(EKKA_PASS, judge(&r));
	fake_event_text(&f, "ties", "first");
	EXPECT(EKKA_FAIL, fake_event_judge(&f));
	samples_put(EKKA_I64, r.y, 1, 8);
	EXPECT(EKKA_FAIL, judge(&r));
	samples_put(EKKA_I64, r.y, 1, -1);
	EXPECT(EKKA_FAIL, judge(&r));
	samples_put(EKKA_BF16, r.x, 2 * 40, 50);	/* the next row's */
	samples_put(EKKA_I64, r.y, 2, 0);
	samples_put(EKKA_I64, r.y, 1, 40);
	EXPECT(EKKA_FAIL, judge(&r));
	samples_put(EKKA_I64, r.y, 1, 7);
	samples_put(EKKA_BF16, r.x, 7, NAN);
	samples_put(EKKA_BF16, r.x, 9, NAN);
	samples_put(EKKA_I64, r.y, 0, 9);
	EXPECT(EKKA_PASS, judge(&r));
	release(&r);
}

Test(reduce, integers_are_exact_and_wrap)
{
	static const char *const names[] = { "sum", "max", "min", "argmax", "any", "all", "prod" };

	for (unsigned k = 0; k < 7; k++) {
		struct reduction r = make(names[k], EKKA_I32, EKKA_I64, 4, 9000, GAUSS);

		for (int64_t row = 0; row < 4; row++) {
			const int32_t *x = (const int32_t *)r.x + row * 9000;
			int64_t sum = 0, best = 0, all = 1, least = 0;
			uint64_t prod = 1;
			int64_t results[7];

			for (int64_t i = 0; i < 9000; i++) {
				sum += x[i];
				best = x[i] > x[best] ? i : best;
				least = x[i] < x[least] ? i : least;
				all &= x[i] != 0;
				prod *= (uint64_t)(int64_t)x[i];
			}
			memcpy(results, (int64_t[]){ sum, x[best], x[least], best, 1, all, (int64_t)prod }, sizeof results);
			((int64_t *)r.y)[row] = results[k];
		}
		EXPECT(EKKA_PASS, judge(&r));
		((int64_t *)r.y)[2] ^= 1;
		EXPECT(EKKA_FAIL, judge(&r));
		release(&r);
	}
}

Test(reduce, integers_that_were_left_out)
{
	struct reduction r = make("sum", EKKA_I32, EKKA_I64, 4, 9000, GAUSS);

	for (int64_t row = 0; row < 4; row++) {
		int64_t *sum = (int64_t *)r.y + row;

		for (int64_t i = *sum = 0; i < 8960; i++)
			*sum += ((const int32_t *)r.x + row * 9000)[i];
	}
	cr_expect(strstr(judge(&r).looks_like, "as if the reduction ended at element 8960 of 9000"), "%s", judge(&r).looks_like);
	release(&r);
}

Test(reduce, an_index_beside_the_value)
{
	struct reduction r = make("max", EKKA_F32, EKKA_F32, 6, 50, GAUSS);
	struct reduction index = { "argmax", EKKA_F32, EKKA_I64, 6, 50, r.x, samples_new(EKKA_I64, 6), NULL };

	compute(&r, FORWARD);
	compute(&index, FORWARD);
	for (int wrong = 0; wrong <= 1; wrong++) {
		if (wrong)
			((int64_t *)index.y)[3] = (((int64_t *)index.y)[3] + 1) % 50;
		fake_event_init(&f, "reduce");
		fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "6x50", NULL, r.x, NULL);
		fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "6", NULL, NULL, r.y);
		fake_event_tensor(&f, "out1", EKKA_OUT, EKKA_I64, "6", NULL, NULL, index.y);
		fake_event_text(&f, "kind", "max");
		fake_event_int(&f, "reduced", 1);
		fake_event_int(&f, "index", 1);
		EXPECT(wrong ? EKKA_FAIL : EKKA_PASS, fake_event_judge(&f));
	}
	free(index.y);
	release(&r);
}

Test(reduce, several_dims_and_strides_and_gaps)
{
	float x[2 * 3 * 4 * 5], y[2 * 10], before[20];

	samples_fill(EKKA_F32, x, 120, GAUSS, 1, 1);
	for (int i = 0; i < 20; i++)
		y[i] = before[i] = (float)i;
	/* [2, 4] kept of [2, 3, 4, 5]; the output's elements are 2 apart */
	for (int i = 0; i < 2; i++)
		for (int k = 0; k < 4; k++) {
			float sum = 0;

			for (int j = 0; j < 3; j++)
				for (int l = 0; l < 5; l++)
					sum += x[((i * 3 + j) * 4 + k) * 5 + l];
			y[i * 10 + 2 * k] = sum;
		}
	for (int changed = 0; changed <= 1; changed++) {
		if (changed)
			y[3] = 77;
		fake_event_init(&f, "reduce");
		fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "2x4x3x5", "60x5x20x1", x, NULL);
		fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "2x4", "10x2", before, y);
		fake_event_text(&f, "kind", "sum");
		fake_event_int(&f, "reduced", 2);
		EXPECT(changed ? EKKA_UNDECIDED : EKKA_PASS, fake_event_judge(&f));
	}
	cr_expect(strstr(fake_event_judge(&f).reason, "1 place changed, the first 12 bytes"), "%s", fake_event_judge(&f).reason);
}

Test(reduce, the_depth_of_the_tree_tightens_the_bound)
{
	struct reduction r = make("sum", EKKA_F32, EKKA_F32, 3, 100000, ABOVE_ZERO);

	compute(&r, STRIDED);
	samples_put(EKKA_F32, r.y, 1, samples_get(EKKA_F32, r.y, 1) * (1 + 1e-3));
	EXPECT(EKKA_PASS, judge(&r));	/* in the worst of all orders */
	fake_event_int(&f, "depth", 100000 / 32 + 6);
	EXPECT(EKKA_FAIL, fake_event_judge(&f));
	compute(&r, STRIDED);
	EXPECT(EKKA_PASS, fake_event_judge(&f));
	release(&r);
}

Test(reduce, what_does_not_fit_is_refused)
{
	float x[12] = { 0 }, y[4] = { 0 };

	fake_event_init(&f, "reduce");
	fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "3x4", NULL, x, NULL);
	fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "4", NULL, NULL, y);
	fake_event_text(&f, "kind", "sum");
	fake_event_int(&f, "reduced", 1);
	EXPECT(EKKA_INCOMPLETE, fake_event_judge(&f));
	fake_event_init(&f, "reduce");
	fake_event_text(&f, "kind", "median");
	EXPECT(EKKA_UNSUPPORTED, fake_event_judge(&f));
}

/* sqrt(sum(|x - y|^2) / n), as a loss or a distance is computed. */
Test(reduce, terms_and_results_by_expressions)
{
	float x[5 * 1000], y[1000], r[5], terms[1000];
	uint8_t truth[5 * 1000];
	int64_t count[5];

	samples_fill(EKKA_F32, x, 5000, GAUSS, 1, 1);
	samples_fill(EKKA_F32, y, 1000, FAR_FROM_ZERO, 1, 2);
	for (int row = 0; row < 5; row++) {
		count[row] = 0;
		for (int i = 0; i < 1000; i++) {
			terms[i] = (x[row * 1000 + i] - y[i]) * (x[row * 1000 + i] - y[i]);
			truth[row * 1000 + i] = x[row * 1000 + i] > 0 ? 3 : 0;
			count[row] += truth[row * 1000 + i] != 0;
		}
		r[row] = sqrtf(samples_sum(1000, terms, STRIDED) / 1000);
	}
	for (int wrong = 0; wrong <= 1; wrong++) {
		r[3] *= wrong ? 1.001f : 1;
		fake_event_init(&f, "reduce");
		fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "5x1000", NULL, x, NULL);
		fake_event_tensor(&f, "in1", EKKA_IN, EKKA_F32, "1000", NULL, y, NULL);
		fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "5", NULL, NULL, r);
		fake_event_text(&f, "kind", "sum");
		fake_event_int(&f, "reduced", 1);
		fake_event_text(&f, "map", "(in0 - in1) * (in0 - in1) * weight");
		fake_event_text(&f, "finish", "sqrt(r / n)");
		fake_event_real(&f, "weight", 1);
		EXPECT(wrong ? EKKA_FAIL : EKKA_PASS, fake_event_judge(&f));
		count[1] += wrong;
		fake_event_init(&f, "reduce");
		fake_event_tensor(&f, "in0", EKKA_IN, EKKA_U8, "5x1000", NULL, truth, NULL);
		fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_I64, "5", NULL, NULL, count);
		fake_event_text(&f, "kind", "sum");
		fake_event_int(&f, "reduced", 1);
		fake_event_text(&f, "map", "in0 != 0");
		EXPECT(wrong ? EKKA_FAIL : EKKA_PASS, fake_event_judge(&f));
	}
	fake_event_text(&f, "finish", "nonsense(r)");
	EXPECT(EKKA_UNSUPPORTED, fake_event_judge(&f));
}
