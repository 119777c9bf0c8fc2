/* SPDX-License-Identifier: Apache-2.0 */
/* Ops bag and search: what a kernel in f32, or one that halves, gives passes; lost ids, wrong bags, the other side do not. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

enum { IDS = 30, BAGS = 6, WIDTH = 20, ROWS = 50, PADDING = 7 };

static struct fake_event f;

struct bags {
	enum ekka_dtype type;
	const char *kind;
	bool weighted, padded, backward;
	/* faults */
	bool last_lost, not_divided, padding_counted, wrong_bag, wrong_size, wrong_index, off;
};

static const int64_t offsets[BAGS] = { 0, 4, 4, 15, 16, 29 };	/* the second one is empty */
static int64_t given[BAGS] = { 2, 4, 4, 15, 16, 29 };		/* the first is taken for 0 */
static int64_t ids[IDS], bag_of[IDS], sizes[BAGS];
static int64_t best[BAGS * WIDTH];

static double fold(const struct bags *k, const void *table, const void *weights, int64_t b, int64_t j, int64_t *at)
{
	int64_t end = (b + 1 < BAGS ? offsets[b + 1] : IDS) - (k->last_lost && b == 4), begin = offsets[b];
	bool max = strcmp(k->kind, "max") == 0;
	int64_t count = 0;
	float sum = 0;

	*at = -1;
	for (int64_t n = 0; n < end - begin; n++) {
		int64_t i = k->backward && !max ? end - 1 - n : begin + n;
		float v = (float)samples_get(k->type, table, ids[i] * WIDTH + j);

		if (k->padded && ids[i] == PADDING && !k->padding_counted) {
			sum += k->weighted ? 0 * (float)samples_get(k->type, weights, i) : 0;
			continue;
		}
		if (max && (count == 0 || v > sum)) {
			sum = v;
			*at = ids[i];
		}
		if (!max)
			sum += k->weighted ? v * (float)samples_get(k->type, weights, i) : v;
		count++;
	}
	if (strcmp(k->kind, "mean") == 0 && count && !k->not_divided)
		sum /= (float)count;
	return sum;
}

/* The event stays, with what it reads, until the next one. */
static struct ekka_verdict judge_bags(struct bags k)
{
	static void *table, *weights, *out;

	free(table);
	free(weights);
	free(out);
	table = samples_new(k.type, ROWS * WIDTH);
	weights = samples_new(k.type, IDS);
	out = samples_new(k.type, BAGS * WIDTH);
	samples_fill(k.type, table, ROWS * WIDTH, GAUSS, 3, 5);
	samples_fill(k.type, weights, IDS, GAUSS, 1, 6);
	if (k.padded)
		samples_put(k.type, weights, 2, INFINITY);	/* of a padding id: 0 times that */
	for (int64_t i = 0; i < IDS; i++)
		ids[i] = i % 5 == 2 ? PADDING : i * 17 % ROWS;
	for (int64_t b = 0; b < BAGS; b++) {
		for (int64_t j = 0; j < WIDTH; j++)
			samples_put(k.type, out, b * WIDTH + j, fold(&k, table, weights, b, j, &best[b * WIDTH + j]));
		sizes[b] = 0;
		for (int64_t i = offsets[b]; i < (b + 1 < BAGS ? offsets[b + 1] : IDS); i++) {
			bag_of[i] = b;
			sizes[b] += !k.padded || ids[i] != PADDING;
		}
	}
	bag_of[20] -= k.wrong_bag;
	sizes[3] += k.wrong_size;
	best[5] += k.wrong_index;
	if (k.off)
		samples_nudge(k.type, out, 4 * WIDTH + 3, 400);
	fake_event_init(&f, "bag");
	(void)fake_event_tensor(&f, "ids", EKKA_IN, EKKA_I64, "30", NULL, ids, NULL);
	(void)fake_event_tensor(&f, "offsets", EKKA_IN, EKKA_I64, "6", NULL, given, NULL);
	(void)fake_event_tensor(&f, "table", EKKA_IN, k.type, "50x20", NULL, table, NULL);
	if (k.weighted)
		(void)fake_event_tensor(&f, "weights", EKKA_IN, k.type, "30", NULL, weights, NULL);
	(void)fake_event_tensor(&f, "out0", EKKA_OUT, k.type, "6x20", NULL, NULL, out);
	(void)fake_event_tensor(&f, "size", EKKA_OUT, EKKA_I64, "6", NULL, NULL, sizes);
	(void)fake_event_tensor(&f, "bag_of", EKKA_OUT, EKKA_I64, "30", NULL, NULL, bag_of);
	if (strcmp(k.kind, "max") == 0)
		(void)fake_event_tensor(&f, "index", EKKA_OUT, EKKA_I64, "6x20", NULL, NULL, best);
	fake_event_text(&f, "kind", k.kind);
	if (k.padded)
		fake_event_int(&f, "padding", PADDING);
	return fake_event_judge(&f);
}

static const char *const kinds[] = { "sum", "mean", "max" };

Test(bag, honest_kernels_pass)
{
	for (int i = 0; i < 48; i++) {
		struct bags k = { .type = i & 1 ? EKKA_BF16 : EKKA_F32, .kind = kinds[i >> 4], .padded = i & 2, .backward = i & 4, .weighted = (i & 8) && i < 16 };
		struct ekka_verdict v = judge_bags(k);

		cr_expect_eq(v.status, EKKA_PASS, "%d: %s, margin %g, %s %s: %g for %g %s", i, ekka_status_name(v.status), v.margin, v.output, v.where,
			     v.worst_out[0], v.worst_ref[0], v.reason);
		cr_expect(i >= 32 ? v.margin == 0 : v.margin > 0.02, "%d: margin %g", i, v.margin);
	}
}

static void bags_fail(const char *what, struct bags k, const char *output, const char *looks_like)
{
	struct ekka_verdict v = judge_bags(k);

	cr_expect_eq(v.status, EKKA_FAIL, "%s: %s, margin %g", what, ekka_status_name(v.status), v.margin);
	cr_expect_str_eq(v.output, output, "%s: %s", what, v.output);
	cr_expect(strstr(v.looks_like, looks_like), "%s: '%s'", what, v.looks_like);
}

#define SUM .type = EKKA_F32, .kind = "sum"

Test(bag, faults_fail)
{
	bags_fail("last id", (struct bags){ SUM, .last_lost = true }, "out0", "last id of the bag");
	bags_fail("not divided", (struct bags){ .type = EKKA_BF16, .kind = "mean", .not_divided = true }, "out0", "not divided");
	bags_fail("padding", (struct bags){ SUM, .padded = true, .padding_counted = true }, "out0", "");
	bags_fail("bag", (struct bags){ SUM, .wrong_bag = true }, "bag_of", "");
	bags_fail("size", (struct bags){ SUM, .wrong_size = true }, "size", "");
	bags_fail("index", (struct bags){ .type = EKKA_F32, .kind = "max", .wrong_index = true }, "index", "");
	bags_fail("maximum", (struct bags){ .type = EKKA_F32, .kind = "max", .off = true }, "out0", "");
	bags_fail("value", (struct bags){ SUM, .off = true }, "out0", "");
	bags_fail("weighted value", (struct bags){ SUM, .weighted = true, .off = true }, "out0", "");
}

Test(bag, ids_and_offsets_out_of_range_are_told)
{
	struct ekka_verdict v;
	int64_t bad[BAGS] = { 0, 4, 3, 15, 16, 29 };

	(void)judge_bags((struct bags){ SUM });
	ids[3] = ROWS;
	v = fake_event_judge(&f);
	cr_expect_eq(v.status, EKKA_UNDECIDED);
	cr_expect(strstr(v.audit, "id 50 at 3, of a table of 50 rows"), "'%s'", v.audit);
	ids[3] = 0;
	fake_event_init(&f, "bag");
	(void)fake_event_tensor(&f, "ids", EKKA_IN, EKKA_I64, "30", NULL, ids, NULL);
	(void)fake_event_tensor(&f, "offsets", EKKA_IN, EKKA_I64, "6", NULL, bad, NULL);
	(void)fake_event_tensor(&f, "table", EKKA_IN, EKKA_F64, "50x2", NULL, best, NULL);
	(void)fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F64, "6x2", NULL, NULL, best);
	fake_event_text(&f, "kind", "sum");
	v = fake_event_judge(&f);
	cr_expect_eq(v.status, EKKA_UNDECIDED);
	cr_expect(strstr(v.reason, "do not rise"), "'%s'", v.reason);
}

/* ---- search ------------------------------------------------------------- */

enum { N = 33, EACH = 25, TABLES = 3 };

static double table[TABLES * N], value[TABLES * EACH];
static int64_t order[TABLES * N], place[TABLES * EACH];

/* Of rising rows with equal elements; counts instead of halving. */
static struct ekka_verdict judge_search(bool right, bool ordered, bool integers, int64_t wrong, bool other_side)
{
	static int32_t table_int[TABLES * N], value_int[TABLES * EACH];

	for (int64_t r = 0; r < TABLES; r++) {
		for (int64_t i = 0; i < N; i++) {
			int64_t at = ordered ? (i * 10 + r) % N : i;

			table[r * N + at] = (double)(i / 3 + r);
			table_int[r * N + at] = (int32_t)(i / 3 + r);
			order[r * N + i] = at;
		}
		for (int64_t i = 0; i < EACH; i++) {
			double x = integers ? (double)(i - 2) : (double)(i - 4) * 0.5;

			value[r * EACH + i] = x;
			value_int[r * EACH + i] = (int32_t)x;
			place[r * EACH + i] = 0;
			for (int64_t j = 0; j < N; j++)
				place[r * EACH + i] += right != other_side ? table[r * N + j] <= x : table[r * N + j] < x;
		}
	}
	place[40] += wrong;
	fake_event_init(&f, "search");
	(void)fake_event_tensor(&f, "x", EKKA_IN, integers ? EKKA_I32 : EKKA_F64, "3x25", NULL, integers ? (void *)value_int : value, NULL);
	(void)fake_event_tensor(&f, "table", EKKA_IN, integers ? EKKA_I32 : EKKA_F64, "3x33", NULL, integers ? (void *)table_int : table, NULL);
	if (ordered)
		(void)fake_event_tensor(&f, "order", EKKA_IN, EKKA_I64, "3x33", NULL, order, NULL);
	(void)fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_I64, "3x25", NULL, NULL, place);
	fake_event_int(&f, "right", right);
	return fake_event_judge(&f);
}

Test(search, places_are_found)
{
	for (int i = 0; i < 8; i++) {
		struct ekka_verdict v = judge_search(i & 1, i & 2, i & 4, 0, false);

		cr_expect_eq(v.status, EKKA_PASS, "%d: %s, %s %s", i, ekka_status_name(v.status), v.where, v.reason);
		cr_expect_eq(judge_search(i & 1, i & 2, i & 4, 1, false).status, EKKA_FAIL, "%d", i);
		cr_expect_eq(judge_search(i & 1, i & 2, i & 4, -1, false).status, EKKA_FAIL, "%d", i);
	}
}

Test(search, the_other_side_is_recognised)
{
	cr_expect(strstr(judge_search(false, false, false, 0, true).looks_like, "from the right"));
	cr_expect(strstr(judge_search(true, true, true, 0, true).looks_like, "from the left"));
}

/* What does not rise is searched by halves all the same: NaN is neither less nor greater. */
Test(search, a_table_that_does_not_rise_has_a_place_too)
{
	double odd[5] = { 3, NAN, 1, NAN, 2 }, x[3] = { 2, NAN, 0 };
	int64_t left[3] = { 4, 5, 2 }, right[3] = { 5, 5, 2 };

	for (int r = 0; r < 2; r++) {
		fake_event_init(&f, "search");
		(void)fake_event_tensor(&f, "x", EKKA_IN, EKKA_F64, "3", NULL, x, NULL);
		(void)fake_event_tensor(&f, "table", EKKA_IN, EKKA_F64, "5", NULL, odd, NULL);
		(void)fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_I64, "3", NULL, NULL, r ? right : left);
		fake_event_int(&f, "right", r);
		cr_expect_eq(fake_event_judge(&f).status, EKKA_PASS, "%d: %s", r, fake_event_judge(&f).where);
	}
}

Test(search, long_rows_are_gone_through)
{
	enum { LONG = 20000 };
	static uint8_t rising[256], x[LONG], out[LONG];

	for (int i = 0; i < 256; i++)
		rising[i] = (uint8_t)i;
	for (int i = 0; i < LONG; i++)
		x[i] = out[i] = (uint8_t)(i * 7);
	fake_event_init(&f, "search");
	(void)fake_event_tensor(&f, "x", EKKA_IN, EKKA_U8, "20000", NULL, x, NULL);
	(void)fake_event_tensor(&f, "table", EKKA_IN, EKKA_U8, "256", NULL, rising, NULL);
	(void)fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_U8, "20000", NULL, NULL, out);
	cr_expect_eq(fake_event_judge(&f).status, EKKA_PASS);
	out[LONG - 1]++;
	cr_expect_eq(fake_event_judge(&f).status, EKKA_FAIL);
}

Test(search, an_order_out_of_its_row_is_told)
{
	(void)judge_search(false, true, false, 0, false);
	order[4] = N;
	cr_expect_eq(fake_event_judge(&f).status, EKKA_INCOMPLETE);
}
