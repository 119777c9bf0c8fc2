/* SPDX-License-Identifier: Apache-2.0 */
/* Passes of radix sorts and selections, and compaction: against sorting and counting in plain C; changed results and inputs that do not fit. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

enum { ROWS = 3, N = 400, BINS = 16 };

static struct fake_event f;
static uint16_t keys[ROWS * N], keys_out[ROWS * N];
static uint32_t moved[ROWS * N], moved_out[ROWS * N];
static uint64_t first[BINS];

static uint32_t noise(void)
{
	static uint32_t state = 7;

	state = state * 1664525u + 1013904223u;
	return state >> 8;
}

static unsigned digit_of(uint16_t key, bool descending)
{
	return (descending ? ~key : key) >> 4 & (BINS - 1);
}

/* Bits 4 to 7, rows by themselves. */
static void sort(bool descending)
{
	for (int row = 0; row < ROWS; row++) {
		int at = row * N;

		for (int i = row * N; i < (row + 1) * N; i++) {
			keys[i] = (uint16_t)noise();
			moved[i] = noise();
		}
		for (unsigned d = 0; d < BINS; d++)
			for (int i = row * N; i < (row + 1) * N; i++)
				if (digit_of(keys[i], descending) == d) {
					keys_out[at] = keys[i];
					moved_out[at++] = moved[i];
				}
	}
}

static struct ekka_verdict judge_sort(bool descending, const char *dims, bool with_first)
{
	fake_event_init(&f, "radix");
	fake_event_text(&f, "key", descending ? "~in0 >> 4 & 15" : "in0 >> 4 & 15");
	fake_event_tensor(&f, "in0", EKKA_IN, EKKA_U16, dims, NULL, keys, NULL);
	fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_U16, dims, NULL, NULL, keys_out);
	fake_event_tensor(&f, "in1", EKKA_IN, EKKA_U32, dims, NULL, moved, NULL);
	fake_event_tensor(&f, "out1", EKKA_OUT, EKKA_U32, dims, NULL, NULL, moved_out);
	if (with_first)
		fake_event_tensor(&f, "first", EKKA_IN, EKKA_U64, "16", NULL, first, NULL);
	return fake_event_judge(&f);
}

Test(radix, rows_are_sorted_by_their_digit)
{
	for (int descending = 0; descending < 2; descending++) {
		uint32_t x;

		sort(descending);
		cr_expect_eq(judge_sort(descending, "3x400", false).status, EKKA_PASS);
		cr_expect_eq(judge_sort(!descending, "3x400", false).status, EKKA_FAIL);
		keys_out[2 * N + 5] ^= 1;	/* not a bit of the digit */
		cr_expect_eq(judge_sort(descending, "3x400", false).status, EKKA_FAIL);
		keys_out[2 * N + 5] ^= 1;
		x = moved_out[17];	/* two of one digit in the other order */
		moved_out[17] = moved_out[18];
		moved_out[18] = x;
		cr_expect_eq(judge_sort(descending, "3x400", false).status, EKKA_FAIL);
	}
}

/* Elsewhere than one behind another: digits in the opposite order. */
static void place_backwards(void)
{
	uint64_t n[BINS] = { 0 }, at[BINS];

	for (int i = 0; i < N; i++)
		n[digit_of(keys[i], false)]++;
	for (unsigned d = BINS; d-- > 0;)
		first[d] = d + 1 < BINS ? first[d + 1] + n[d + 1] : 0;
	memcpy(at, first, sizeof at);
	for (int i = 0; i < N; i++) {
		uint64_t to = at[digit_of(keys[i], false)]++;

		keys_out[to] = keys[i];
		moved_out[to] = moved[i];
	}
}

Test(radix, digits_begin_where_earlier_passes_say)
{
	sort(false);
	place_backwards();
	cr_expect_eq(judge_sort(false, "400", true).status, EKKA_PASS);
	cr_expect_eq(judge_sort(false, "400", false).status, EKKA_FAIL);
	first[3]++;	/* one place twice, one not at all */
	cr_expect_eq(judge_sort(false, "400", true).status, EKKA_INCOMPLETE);
	first[3] = N;	/* outside */
	cr_expect_eq(judge_sort(false, "400", true).status, EKKA_INCOMPLETE);
}

Test(radix, keys_are_compared_without_sign)
{
	int64_t x[4] = { -1, 5, INT64_MIN, 0 }, y[4] = { 0, 5, INT64_MIN, -1 };

	fake_event_init(&f, "radix");
	fake_event_text(&f, "key", "in0");
	fake_event_tensor(&f, "in0", EKKA_IN, EKKA_U64, "4", NULL, x, NULL);
	fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_U64, "4", NULL, NULL, y);
	cr_expect_eq(fake_event_judge(&f).status, EKKA_PASS);
	f.attr[1].value.s = "in0 * 0.5";
	cr_expect_eq(fake_event_judge(&f).status, EKKA_UNSUPPORTED);
}

/* ---- select ---------------------------------------------------------------- */

static struct ekka_verdict judge_select(const char *when, const char *expr, enum ekka_dtype t, const char *room, const void *in, const void *out, const int32_t *count)
{
	fake_event_init(&f, "select");
	fake_event_text(&f, "when", when);
	fake_event_text(&f, "expr", expr);
	fake_event_tensor(&f, "in0", EKKA_IN, t, "400", NULL, in, NULL);
	fake_event_tensor(&f, "out0", EKKA_OUT, expr[1] == 'n' ? t : EKKA_I64, room, NULL, NULL, out);
	fake_event_tensor(&f, "count", EKKA_OUT, EKKA_I32, "1", NULL, NULL, count);
	return fake_event_judge(&f);
}

Test(select, elements_come_in_order_and_are_counted)
{
	uint8_t flags[N];
	int64_t at[N];
	int32_t n = 0;

	for (int i = 0; i < N; i++) {
		flags[i] = noise() % 3 == 0;
		at[i] = -7;
		if (flags[i])
			at[n++] = i + 5;
	}
	cr_expect_eq(judge_select("in0 != 0", "i0 + 5", EKKA_U8, "400", flags, at, &n).status, EKKA_PASS);
	cr_expect_eq(judge_select("in0 == 0", "i0 + 5", EKKA_U8, "400", flags, at, &n).status, EKKA_FAIL);
	cr_expect_eq(judge_select("in0 != 0", "i0 + 5", EKKA_U8, "10", flags, at, &n).status, EKKA_INCOMPLETE);
	cr_expect_eq(judge_select("in0 * 0.1 > 0.1", "i0 + 5", EKKA_U8, "400", flags, at, &n).status, EKKA_UNSUPPORTED);
	at[n - 1]++;
	cr_expect_eq(judge_select("in0 != 0", "i0 + 5", EKKA_U8, "400", flags, at, &n).status, EKKA_FAIL);
	at[n - 1]--;
	n++;
	cr_expect_eq(judge_select("in0 != 0", "i0 + 5", EKKA_U8, "400", flags, at, &n).status, EKKA_FAIL);
}

Test(select, the_first_of_equal_neighbours)
{
	float x[N], y[N];
	int32_t n = 0;

	for (int i = 0; i < N; i++) {
		x[i] = (float)(noise() % 3) / 4;
		if (i == 0 || x[i] != x[i - 1])
			y[n++] = x[i];
	}
	cr_expect_eq(judge_select("i0 == 0 ? 1 : in0[i0 == 0 ? 0 : i0 - 1] != in0", "in0", EKKA_F32, "400", x, y, &n).status, EKKA_PASS);
	y[n / 2] += 0x1p-20f;
	cr_expect_eq(judge_select("i0 == 0 ? 1 : in0[i0 == 0 ? 0 : i0 - 1] != in0", "in0", EKKA_F32, "400", x, y, &n).status, EKKA_FAIL);
}

/* ---- topk_digit -------------------------------------------------------------- */

enum { PARTS = 2 };
static int16_t counts[PARTS * 256];
static uint32_t sums[256], known = 0x12000034, known_out, k = 100, k_out, above[PARTS], above_out[PARTS], value;

/* The second digit of four. */
static void step(bool descending, const char *order)
{
	uint32_t sum = 0, d = 0;

	for (unsigned i = 0; i < 256; i++) {
		for (unsigned p = 0; p < PARTS; p++)
			sum += (uint32_t)(counts[p * 256 + i] = (int16_t)(noise() % 3));
		sums[i] = sum;
	}
	while (sums[d] < k)
		d++;
	known_out = (known & 0xff00ffff) | d << 16;
	k_out = k - sums[d - 1];
	value = order[0] == 'u' ? known_out : order[0] == 's' || known_out >> 31 ? known_out ^ 0x80000000 : ~known_out;
	for (unsigned p = 0; p < PARTS; p++) {
		above[p] = above_out[p] = noise() % 50;
		for (unsigned i = 0; i < 256; i++)
			above_out[p] += descending ? (i > d) * (uint32_t)counts[p * 256 + i] : (i < d) * (uint32_t)counts[p * 256 + i];
	}
}

static enum ekka_status judge_step(bool descending, const char *order)
{
	fake_event_init(&f, "topk_digit");
	fake_event_int(&f, "bit", 16);
	fake_event_int(&f, "descending", descending);
	fake_event_text(&f, "order", order);
	fake_event_tensor(&f, "counts", EKKA_IN, EKKA_I16, "1x2x256", NULL, counts, NULL);
	fake_event_tensor(&f, "sums", EKKA_IN, EKKA_U32, "1x256", NULL, sums, NULL);
	fake_event_tensor(&f, "k", EKKA_IN, EKKA_U32, "1", NULL, &k, NULL);
	fake_event_tensor(&f, "known", EKKA_IN, EKKA_U32, "1", NULL, &known, NULL);
	fake_event_tensor(&f, "known_out", EKKA_OUT, EKKA_U32, "1", NULL, NULL, &known_out);
	fake_event_tensor(&f, "k_out", EKKA_OUT, EKKA_U32, "1", NULL, NULL, &k_out);
	fake_event_tensor(&f, "value", EKKA_OUT, EKKA_U32, "1", NULL, NULL, &value);
	fake_event_tensor(&f, "above", EKKA_INOUT, EKKA_U32, "1x2", NULL, above, above_out);
	return fake_event_judge(&f).status;
}

Test(topk_digit, every_output_is_looked_at)
{
	static const char *const orders[] = { "unsigned", "signed", "float" };
	uint32_t *const outputs[] = { &known_out, &k_out, &value, &above_out[1] };

	for (int round = 0; round < 12; round++) {
		const char *order = orders[round % 3];
		bool descending = round / 3 % 2;

		known ^= round / 6 == 1 ? 0x80000000 : 0;
		step(descending, order);
		cr_expect_eq(judge_step(descending, order), EKKA_PASS, "%s %d", order, descending);
		cr_expect_eq(judge_step(!descending, order), EKKA_FAIL);
		cr_expect_eq(judge_step(descending, orders[(round + 1) % 3]), known >> 31 && round % 3 == 1 ? EKKA_PASS : EKKA_FAIL);
		for (int i = 0; i < 4; i++) {
			*outputs[i] += 1;
			cr_expect_eq(judge_step(descending, order), EKKA_FAIL, "output %d", i);
			*outputs[i] -= 1;
		}
		k = 600;
		cr_expect_eq(judge_step(descending, order), EKKA_INCOMPLETE);
		k = 0;
		cr_expect_eq(judge_step(descending, order), EKKA_INCOMPLETE);
		k = 100;
	}
}
