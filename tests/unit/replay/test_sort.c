/* SPDX-License-Identifier: Apache-2.0 */
/* Op sort: every valid order of equal elements passes, every other result fails. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "replay/order.h"
#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

static struct fake_event f;

struct sorted {
	enum ekka_dtype type;
	int64_t rows, n, k;
	bool descending, unsorted, stable, no_values;
	void *x, *y;
	int64_t *index;
};

static struct sorted make(enum ekka_dtype type, int64_t rows, int64_t n, int64_t k, bool ties)
{
	struct sorted s = { .type = type, .rows = rows, .n = n, .k = k, .x = samples_new(type, rows * n), .y = samples_new(type, rows * k) };

	s.index = samples_new(EKKA_I64, rows * k);
	samples_fill(type, s.x, rows * n, GAUSS, ties ? 3 : 100, 17);
	for (int64_t i = 0; ties && i < rows * n; i++)
		samples_put(type, s.x, i, rint(samples_get(type, s.x, i)));
	return s;
}

static void release(struct sorted *s)
{
	free(s->x);
	free(s->y);
	free(s->index);
}

static const struct sorted *sorting;
static int64_t sorting_row;

/* PyTorch's order: NaN last when ascending. Of equal elements the later first: legitimate, and not stable. */
static int by_value(const void *pa, const void *pb)
{
	int64_t i = *(const int64_t *)pa, j = *(const int64_t *)pb;
	double a = samples_get(sorting->type, sorting->x, sorting_row * sorting->n + i);
	double b = samples_get(sorting->type, sorting->x, sorting_row * sorting->n + j);
	int order = isnan(a) || isnan(b) ? isnan(a) - isnan(b) : (a > b) - (a < b);

	if (sorting->descending)
		order = -order;
	return order ? order : sorting->stable ? (i > j) - (i < j) : (i < j) - (i > j);
}

static void compute(struct sorted *s)
{
	int64_t *order = malloc((size_t)s->n * sizeof *order);

	sorting = s;
	for (int64_t row = 0; row < s->rows; row++) {
		sorting_row = row;
		for (int64_t i = 0; i < s->n; i++)
			order[i] = i;
		qsort(order, (size_t)s->n, sizeof *order, by_value);
		for (int64_t i = 0; i < s->k; i++) {
			int64_t from = s->unsorted ? order[(i * 7 + 3) % s->k] : order[i];

			samples_put(s->type, s->y, row * s->k + i, samples_get(s->type, s->x, row * s->n + from));
			s->index[row * s->k + i] = from;
		}
	}
	free(order);
}

static struct ekka_verdict judge(const struct sorted *s)
{
	char in[64], out[64];

	(void)snprintf(in, sizeof in, "%lldx%lld", (long long)s->rows, (long long)s->n);
	(void)snprintf(out, sizeof out, "%lldx%lld", (long long)s->rows, (long long)s->k);
	fake_event_init(&f, "sort");
	fake_event_tensor(&f, "x", EKKA_IN, s->type, in, NULL, s->x, NULL);
	if (!s->no_values)
		fake_event_tensor(&f, "y", EKKA_OUT, s->type, out, NULL, NULL, s->y);
	fake_event_tensor(&f, "index", EKKA_OUT, EKKA_I64, out, NULL, NULL, s->index);
	fake_event_int(&f, "descending", s->descending);
	if (s->unsorted)
		fake_event_int(&f, "sorted", 0);
	if (s->stable)
		fake_event_int(&f, "stable", 1);
	return fake_event_judge(&f);
}

#define EXPECT(status_, v)                                                                                                               \
	cr_expect_eq((v).status, status_, "%s: %s, out %g, ref %g, %s", ekka_status_name((v).status), (v).output, (v).worst_out[0], \
		     (v).worst_ref[0], (v).reason)

Test(sort, keys_order_as_numbers_do)
{
	static const double numbers[] = { -INFINITY, -1e300, -2, -1, -1e-320, 0, 1e-320, 1, 2, 1e300, INFINITY, NAN };

	for (unsigned i = 0; i + 1 < sizeof numbers / sizeof numbers[0]; i++)
		cr_expect_lt(ekka_order_key(numbers[i]), ekka_order_key(numbers[i + 1]));
	cr_expect_eq(ekka_order_key(-0.0), ekka_order_key(0.0));
	cr_expect_eq(ekka_order_key(-NAN), ekka_order_key(NAN));
	cr_expect_lt(ekka_order_key_int(-1), ekka_order_key_int(0));
	cr_expect_lt(ekka_order_key_int(INT64_MIN), ekka_order_key_int(INT64_MAX));
}

Test(sort, valid_orders_pass)
{
	static const enum ekka_dtype types[] = { EKKA_F32, EKKA_BF16, EKKA_I64, EKKA_F64, EKKA_U8 };
	static const int64_t sizes[][2] = { { 1, 1 }, { 7, 3 }, { 40, 40 }, { 3000, 50 }, { 9001, 9001 } };

	for (unsigned t = 0; t < 5; t++)
		for (unsigned z = 0; z < 5; z++)
			for (int flags = 0; flags < 32; flags++) {
				struct sorted s = make(types[t], 2, sizes[z][0], sizes[z][1], flags & 1);

				s.descending = flags & 2;
				s.unsorted = flags & 4;
				s.stable = flags & 8 && !s.unsorted;
				s.no_values = flags & 16;
				if (types[t] == EKKA_F32 && s.n > 5) {
					samples_put(EKKA_F32, s.x, 2, NAN);
					samples_put(EKKA_F32, s.x, 4, NAN);
					samples_put(EKKA_F32, s.x, 3, -0.0);
				}
				compute(&s);
				EXPECT(EKKA_PASS, judge(&s));
				release(&s);
			}
}

Test(sort, one_wrong_value_or_index_fails)
{
	for (int flags = 0; flags < 8; flags++) {
		struct sorted s = make(EKKA_BF16, 3, 200, 60, flags & 1);

		s.descending = flags & 2;
		s.unsorted = flags & 4;
		compute(&s);
		samples_nudge(EKKA_BF16, s.y, 2 * 60 + 33, 1);
		EXPECT(EKKA_FAIL, judge(&s));
		compute(&s);
		s.index[60 + 20] = s.index[60 + 21];	/* one element twice */
		EXPECT(EKKA_FAIL, judge(&s));
		compute(&s);
		s.index[60 + 20] = 200;
		EXPECT(EKKA_FAIL, judge(&s));
		s.index[60 + 20] = -1;
		EXPECT(EKKA_FAIL, judge(&s));
		s.no_values = true;
		EXPECT(EKKA_FAIL, judge(&s));
		compute(&s);
		s.index[60 + 20] = s.index[60 + 21];
		EXPECT(EKKA_FAIL, judge(&s));
		release(&s);
	}
}

Test(sort, an_element_twice_among_equals_fails)
{
	struct sorted s = make(EKKA_F32, 1, 10, 10, true);

	for (int i = 0; i < 10; i++)
		samples_put(EKKA_F32, s.x, i, 1);
	compute(&s);
	EXPECT(EKKA_PASS, judge(&s));
	for (int i = 0; i < 10; i++)
		s.index[i] = i == 5 ? 4 : i;
	EXPECT(EKKA_FAIL, judge(&s));
	release(&s);
}

Test(sort, values_exchanged_with_their_neighbours_fail)
{
	struct sorted s = make(EKKA_F32, 1, 100, 100, false);
	float *y = s.y, t;

	compute(&s);
	t = y[40];
	y[40] = y[41];
	y[41] = t;
	EXPECT(EKKA_FAIL, judge(&s));
	s.unsorted = true;
	EXPECT(EKKA_FAIL, judge(&s));		/* the values may, but the indices belong to others now */
	int64_t i = s.index[40];

	s.index[40] = s.index[41];
	s.index[41] = i;
	EXPECT(EKKA_PASS, judge(&s));
	release(&s);
}

Test(sort, a_value_that_is_not_of_the_best_fails_in_any_order)
{
	struct sorted s = make(EKKA_F32, 1, 100, 10, false);

	s.unsorted = true;
	compute(&s);
	EXPECT(EKKA_PASS, judge(&s));
	sorting = &s;
	/* The 11th smallest, with its index, instead of one of the best. */
	for (int64_t j = 0; j < 100; j++) {
		int below = 0;

		for (int64_t i = 0; i < 100; i++)
			below += samples_get(EKKA_F32, s.x, i) < samples_get(EKKA_F32, s.x, j);
		if (below == 10) {
			s.index[4] = j;
			samples_put(EKKA_F32, s.y, 4, samples_get(EKKA_F32, s.x, j));
		}
	}
	EXPECT(EKKA_FAIL, judge(&s));
	cr_expect_eq(judge(&s).worst[1], 4);
	s.no_values = true;
	EXPECT(EKKA_FAIL, judge(&s));
	release(&s);
}

Test(sort, stable_means_stable)
{
	struct sorted s = make(EKKA_F32, 2, 300, 300, true);

	compute(&s);
	EXPECT(EKKA_PASS, judge(&s));
	s.stable = true;
	EXPECT(EKKA_FAIL, judge(&s));
	compute(&s);
	EXPECT(EKKA_PASS, judge(&s));
	release(&s);
}

Test(sort, the_opposite_order_is_recognised)
{
	struct sorted s = make(EKKA_F32, 2, 300, 300, false);

	s.descending = true;
	compute(&s);
	s.descending = false;
	EXPECT(EKKA_FAIL, judge(&s));
	cr_expect_str_eq(judge(&s).looks_like, "as if the order was descending");
	release(&s);
}

Test(sort, in_place)
{
	float before[50], after[50];

	for (int i = 0; i < 50; i++) {
		before[i] = (float)(i * 37 % 50);
		after[i] = (float)i;
	}
	fake_event_init(&f, "sort");
	fake_event_tensor(&f, "x", EKKA_INOUT, EKKA_F32, "50", NULL, before, after);
	EXPECT(EKKA_PASS, fake_event_judge(&f));
	after[20] = 21;
	EXPECT(EKKA_FAIL, fake_event_judge(&f));
}

static enum ekka_status sort_names(const int64_t *before, const int64_t *after)
{
	static const float x[] = { 3, 1, 2, 1, 7 }, sorted_x[] = { 1, 1, 2, 3, 7 };

	fake_event_init(&f, "sort");
	fake_event_tensor(&f, "x", EKKA_INOUT, EKKA_F32, "5", NULL, x, sorted_x);
	fake_event_tensor(&f, "index", EKKA_INOUT, EKKA_I64, "5", NULL, before, after);
	return fake_event_judge(&f).status;
}

/* Names that are no places. */
Test(sort, names_move_with_the_elements)
{
	const int64_t names[] = { 50, 40, 30, 20, -5 }, right[][5] = { { 40, 20, 30, 50, -5 }, { 20, 40, 30, 50, -5 } };
	const int64_t wrong[][5] = { { 40, 40, 30, 50, -5 }, { 40, 20, 50, 30, -5 }, { 1, 3, 2, 0, 4 }, { 50, 40, 30, 20, -5 } };
	const int64_t twice[] = { 50, 40, 30, 40, -5 }, sorted_twice[] = { 40, 40, 30, 50, -5 };

	for (unsigned i = 0; i < 2; i++)
		cr_expect_eq(sort_names(names, right[i]), EKKA_PASS, "case %u", i);
	for (unsigned i = 0; i < 4; i++)
		cr_expect_eq(sort_names(names, wrong[i]), EKKA_FAIL, "case %u", i);
	cr_expect_eq(sort_names(twice, sorted_twice), EKKA_PASS);
}

/* The k-th of every row, and medians with and without NaN. */
Test(sort, one_place_of_the_order)
{
	enum { W = 9 };
	static const float nan_row[W] = { 5, 1, NAN, 3, 4, NAN, 0, 8, 2 };	/* 0 1 2 3 4 5 8 NaN NaN */
	static const float plain[W] = { 5, 1, 7, 3, 3, 9, 0, 8, 2 };		/* 0 1 2 3 3 5 7 8 9 */
	static const struct { const float *x; const char *attr; int64_t value; float y; int64_t index; enum ekka_status status; } cases[] = {
		{ plain, "at", 3, 3, 3, EKKA_PASS }, { plain, "at", 3, 3, 4, EKKA_PASS }, { plain, "at", 4, 3, 3, EKKA_PASS }, { plain, "at", 5, 5, 0, EKKA_PASS },
		{ plain, "at", 5, 3, 3, EKKA_FAIL }, { plain, "at", 5, 5, 1, EKKA_FAIL }, { plain, "at", 9, 9, 5, EKKA_INCOMPLETE },
		{ plain, "median", 1, 3, 4, EKKA_PASS }, { plain, "median", 1, 5, 0, EKKA_FAIL }, { nan_row, "median", 1, NAN, 5, EKKA_PASS },
		{ nan_row, "median", 1, NAN, 2, EKKA_PASS }, { nan_row, "median", 1, 3, 3, EKKA_FAIL }, { nan_row, "median", 2, 3, 3, EKKA_PASS },
		{ nan_row, "median", 2, 2, 8, EKKA_FAIL },
	};

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		fake_event_init(&f, "sort");
		fake_event_tensor(&f, "x", EKKA_IN, EKKA_F32, "1x9", NULL, cases[i].x, NULL);
		fake_event_tensor(&f, "y", EKKA_OUT, EKKA_F32, "1x1", NULL, NULL, &cases[i].y);
		fake_event_tensor(&f, "index", EKKA_OUT, EKKA_I64, "1x1", NULL, NULL, &cases[i].index);
		fake_event_int(&f, cases[i].attr, cases[i].value);
		cr_expect_eq(fake_event_judge(&f).status, cases[i].status, "%u", i);
	}
}
