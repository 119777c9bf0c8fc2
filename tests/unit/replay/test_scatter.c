/* SPDX-License-Identifier: Apache-2.0 */
/* Writes to computed places: into caches, with duplicates, summed, and what was not written. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

static struct fake_event f;

/* A cache of 6 slots of 3 numbers; 4 tokens go to their slots, -1: none. */
static float cache[18], after[18], key[12];
static int64_t slot[4];

static void cache_write(void)
{
	static const int64_t slots[4] = { 4, -1, 0, 2 };

	memcpy(slot, slots, sizeof slot);
	for (int i = 0; i < 18; i++)
		after[i] = cache[i] = (float)-i;
	for (int i = 0; i < 12; i++) {
		key[i] = 100 + (float)i;
		if (slot[i / 3] >= 0)
			after[slot[i / 3] * 3 + i % 3] = key[i];
	}
	fake_event_init(&f, "scatter");
	fake_event_text(&f, "expr", "in0");
	fake_event_text(&f, "at", "in1, i1");
	fake_event_text(&f, "when", "in1 >= 0");
	fake_event_tensor(&f, "out0", EKKA_INOUT, EKKA_F32, "6x3", NULL, cache, after);
	fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "4x3", NULL, key, NULL);
	fake_event_tensor(&f, "in1", EKKA_IN, EKKA_I64, "4x3", "1x0", slot, NULL);
}

Test(scatter, a_cache_write_passes_and_its_mutants_do_not)
{
	struct ekka_verdict v;

	cache_write();
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_PASS && v.n_elements == 18, "%s", v.reason);
	for (int i = 0; i < 18; i++) {
		float was = after[i];

		after[i] = nextafterf(was, 1e9f);
		v = fake_event_judge(&f);
		cr_expect(v.status == EKKA_FAIL && v.n_bad == 1 && v.worst[0] == i / 3 && v.worst[1] == i % 3, "element %d", i);
		after[i] = was;
	}
}

Test(scatter, a_place_outside_is_found)
{
	struct ekka_verdict v;

	cache_write();
	slot[1] = 6;
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_UNDECIDED && strstr(v.audit, "out0 is written at index 6 of dimension 0, which has 6"), "%s: %s",
		  ekka_status_name(v.status), v.audit);
}

Test(scatter, of_duplicates_any_may_come_last)
{
	for (int last = 0; last < 3; last++) {
		cache_write();
		slot[1] = 4;
		for (int i = 0; i < 3; i++)
			after[12 + i] = last < 2 ? key[last * 3 + i] : key[i] + 1.5f;
		cr_expect_eq(fake_event_judge(&f).status, last < 2 ? EKKA_PASS : EKKA_FAIL, "%d", last);
	}
}

Test(scatter, integers_are_exact)
{
	int64_t before[4] = { (int64_t)1 << 60, 5, 6, 7 }, out[4], x[3] = { ((int64_t)1 << 60) + 1, 50, 60 }, at[3] = { 1, 3, 1 };
	struct ekka_verdict v;

	for (int how = 0; how < 4; how++) {
		memcpy(out, before, sizeof out);
		if (how == 0) {
			out[1] = x[0];
			out[3] = x[1];
		} else {
			for (int i = 0; i < 3; i++)
				out[at[i]] = how == 1 ? out[at[i]] + x[i] : (how == 2) == (out[at[i]] > x[i]) ? out[at[i]] : x[i];
		}
		fake_event_init(&f, "scatter");
		fake_event_text(&f, "expr", "in0");
		fake_event_text(&f, "at", "in1");
		if (how)
			fake_event_text(&f, "reduce", how == 1 ? "add" : how == 2 ? "max" : "min");
		fake_event_tensor(&f, "out0", EKKA_INOUT, EKKA_I64, "4", NULL, before, out);
		fake_event_tensor(&f, "in0", EKKA_IN, EKKA_I64, "3", NULL, x, NULL);
		fake_event_tensor(&f, "in1", EKKA_IN, EKKA_I64, "3", NULL, at, NULL);
		v = fake_event_judge(&f);
		cr_expect_eq(v.status, EKKA_PASS, "%d: %s", how, v.reason);
		for (int i = 0; i < 4; i++) {
			out[i] ^= 1;
			cr_expect_eq(fake_event_judge(&f).status, EKKA_FAIL, "%d %d", how, i);
			out[i] ^= 1;
		}
	}
}

/* Sums in any order, rounded to the output's dtype at each step as atomics do. */
Test(scatter, sums_may_come_in_any_order)
{
	enum { N = 600, BINS = 7 };
	static const enum ekka_dtype types[] = { EKKA_F32, EKKA_BF16, EKKA_F16 };
	float x[N];
	int64_t at[N];

	samples_fill(EKKA_F32, x, N, GAUSS, 1, 9);
	for (int i = 0; i < N; i++)
		at[i] = i * i % BINS;
	for (int t = 0; t < 3; t++)
		for (int backward = 0; backward < 2; backward++) {
			float before[BINS], out[BINS];	/* bytes of any of the types */
			struct ekka_verdict v;

			for (int b = 0; b < BINS; b++) {
				samples_put(types[t], before, b, b * 0.25);
				samples_put(types[t], out, b, b * 0.25);
			}
			for (int k = 0; k < N; k++) {
				int i = backward ? N - 1 - k : k;

				samples_put(types[t], out, at[i], (float)samples_get(types[t], out, at[i]) + x[i]);
			}
			fake_event_init(&f, "scatter");
			fake_event_text(&f, "expr", "in0");
			fake_event_text(&f, "at", "in1");
			fake_event_text(&f, "reduce", "add");
			fake_event_tensor(&f, "out0", EKKA_INOUT, types[t], "7", NULL, before, out);
			fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "600", NULL, x, NULL);
			fake_event_tensor(&f, "in1", EKKA_IN, EKKA_I64, "600", NULL, at, NULL);
			v = fake_event_judge(&f);
			cr_expect(v.status == EKKA_PASS || (types[t] == EKKA_BF16 && v.status == EKKA_UNDECIDED), "%s: %s %s",
				  ekka_dtype_name(types[t]), ekka_status_name(v.status), v.reason);
			samples_put(types[t], out, 2, samples_get(types[t], out, 2) + (types[t] == EKKA_F32 ? 0.01 : 800));
			cr_expect_eq(fake_event_judge(&f).status, EKKA_FAIL);
			samples_put(types[t], out, 3, samples_get(types[t], before, 3) + 1);
			v = fake_event_judge(&f);
			cr_expect(v.n_bad >= 2 || types[t] != EKKA_F32, "no square is 3 modulo 7: bin 3 keeps what it had");
		}
}

Test(scatter, two_outputs_have_their_own_places)
{
	float k[2] = { 1, 2 }, v_in[2] = { 3, 4 }, zero[4] = { 0 }, kc[4] = { 0, 1, 0, 2 }, vc[4] = { 3, 0, 4, 0 };
	int32_t slot_of[2] = { 0, 1 };
	struct ekka_verdict v;

	fake_event_init(&f, "scatter");
	fake_event_text(&f, "expr", "out0 = in0; out1 = in1");
	fake_event_text(&f, "at", "in2 * 2 + 1");
	fake_event_text(&f, "at1", "in2 * 2");
	fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "2", NULL, k, NULL);
	fake_event_tensor(&f, "in1", EKKA_IN, EKKA_F32, "2", NULL, v_in, NULL);
	fake_event_tensor(&f, "in2", EKKA_IN, EKKA_I32, "2", NULL, slot_of, NULL);
	fake_event_tensor(&f, "out0", EKKA_INOUT, EKKA_F32, "4", NULL, zero, kc);
	fake_event_tensor(&f, "out1", EKKA_INOUT, EKKA_F32, "4", NULL, zero, vc);
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_PASS && v.n_elements == 8, "%s", v.reason);
	vc[2] = 5;
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_FAIL && !strcmp(v.output, "out1"));
}

/* The cache when a kernel did something else with the tokens. */
enum fault { ROW_ON, COLUMN_ON, ANYWAY, ADDED, NOT_RUN };

static const char *looks(enum fault fault)
{
	static struct ekka_verdict v;

	cache_write();
	memcpy(after, cache, sizeof after);
	for (int i = 0; i < 12 && fault != NOT_RUN; i++) {
		int64_t row = (slot[i / 3] < 0 ? fault == ANYWAY ? 5 : -9 : slot[i / 3]) + (fault == ROW_ON), column = i % 3 + (fault == COLUMN_ON);

		if (row >= 0 && column < 3)
			after[row * 3 + column] = key[i] + (fault == ADDED ? cache[row * 3 + column] : 0);
	}
	if (fault == ROW_ON)	/* commas within an index */
		f.attr[2].value.s = "max(in1, -1), i1";
	if (fault == ANYWAY)	/* the token that is to be left out has a slot, the last one */
		slot[1] = 5, f.attr[3].value.s = "in1 < 5";
	v = fake_event_judge(&f);
	cr_assert_eq(v.status, EKKA_FAIL, "fault %d: %s %s", (int)fault, ekka_status_name(v.status), v.reason);
	return v.looks_like;
}

Test(scatter, faults_are_named)
{
	cr_expect_str_eq(looks(ROW_ON), "as if index 0 of out0 was one more");
	cr_expect_str_eq(looks(ANYWAY), "as if it was written wherever, not only where it should");
	cr_expect_str_eq(looks(ADDED), "as if it was added, not stored");
	cr_expect_str_eq(looks(NOT_RUN), "not written: as before the call");
	cr_expect_str_eq(looks(COLUMN_ON), "as if shifted: each holds its left neighbour's result");
}

/* A histogram that begins with zeros, whatever lay there: also where nothing is counted. */
Test(scatter, fresh_outputs_begin_as_zeros)
{
	uint8_t in[50];
	int32_t was[8], counted[8] = { 0 };

	for (int i = 0; i < 8; i++)
		was[i] = 77;
	for (int i = 0; i < 50; i++) {
		in[i] = (uint8_t)(i % 5);
		counted[in[i]]++;
	}
	for (int changed = 0; changed < 4; changed++) {
		fake_event_init(&f, "scatter");
		fake_event_text(&f, "reduce", "add");
		fake_event_text(&f, "at", "in0");
		fake_event_text(&f, "expr", "1");
		fake_event_int(&f, "fresh", changed != 1);
		fake_event_tensor(&f, "in0", EKKA_IN, EKKA_U8, "50", NULL, in, NULL);
		fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_I32, "8", NULL, changed ? was : NULL, counted);
		counted[6] = changed == 2 ? 77 : 0;
		cr_expect_eq(fake_event_judge(&f).status, changed % 3 ? EKKA_FAIL : EKKA_PASS, "%d", changed);
	}
}
