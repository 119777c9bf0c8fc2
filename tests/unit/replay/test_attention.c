/* SPDX-License-Identifier: Apache-2.0 */
/* Attention against a simulated kernel that is written differently, rounds as real ones do, and can be faulty. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/replay/attention_sim.h"

#define BASE .dtype = EKKA_BF16, .batch = 2, .heads = 4, .heads_k = 2, .m = 100, .n = 150, .d = 64, .dv = 64, .left = -1, .right = -1, .tile = 64

static void passes(const char *what, struct sim s)
{
	struct ekka_verdict v = sim_judge(s);

	cr_expect_eq(v.status, EKKA_PASS, "%s: %s, margin %g, %s %s %s", what, ekka_status_name(v.status), v.margin, v.reason, v.where, v.output);
	/* f32 is bounded as three tf32 products whose truncations add up, which the simulation is far from. */
	cr_expect_gt(v.margin, s.dtype == EKKA_F32 ? 0.002 : 0.1, "%s: the bound is %g times what is needed", what, 1 / v.margin);
	cr_expect_lt(v.margin, 0.7, "%s: margin %g", what, v.margin);
	cr_log_info("%s: margin %.3f", what, v.margin);
}

static void fails(const char *what, struct sim s, const char *looks_like)
{
	struct ekka_verdict v = sim_judge(s);

	cr_expect_eq(v.status, EKKA_FAIL, "%s: %s, margin %g %s", what, ekka_status_name(v.status), v.margin, v.reason);
	if (looks_like)
		cr_expect(strstr(v.looks_like, looks_like), "%s: '%s'", what, v.looks_like);
}

static const int32_t lengths[] = { 97, 150 }, cu_q[] = { 0, 40, 41, 100 }, cu_k[] = { 0, 130, 150, 280 };

Test(attention, honest_kernels_pass)
{
	static const enum ekka_dtype types[] = { EKKA_BF16, EKKA_F16, EKKA_F32 };

	for (int t = 0; t < 3; t++)
		for (int64_t tile = 64; tile <= 128; tile += 64) {
			struct sim s = { BASE, .lse = true };

			s.dtype = types[t];
			s.tile = tile;
			passes("dense", s);
			s.causal = true;
			passes("causal bottom-right", s);
			s.top_left = s.interleaved = true;
			passes("causal top-left", s);
			s.size = 3;
			passes("large logits", s);
		}
}

Test(attention, every_option)
{
	struct sim s = { BASE };

	s.left = 17;
	s.right = 5;
	passes("window on both sides", s);
	s.right = -1;
	s.causal = true;
	passes("window, causal", s);
	s = (struct sim){ BASE, .base2 = true, .lse = true };
	s.heads_k = 1;
	s.d = 40;
	s.dv = 24;
	passes("MQA, Dv != D", s);
	s = (struct sim){ BASE, .causal = true };
	s.m = 1;
	passes("decode", s);
	s.n = 700;
	s.size = 2;
	passes("more keys than the reference takes at a time", s);
	s.m = 30;
	passes("the same, several queries", s);
	s.scale = 0.3;
	passes("scale", s);
	passes("softcap", (struct sim){ BASE, .softcap = 5, .size = 2 });
	passes("alibi", (struct sim){ BASE, .alibi = true, .lse = true });
	passes("alibi, causal", (struct sim){ BASE, .alibi = true, .causal = true });
	passes("bias", (struct sim){ BASE, .bias = true, .lse = true });
	passes("mask", (struct sim){ BASE, .mask = true, .lse = true });
	passes("lengths", (struct sim){ BASE, .len_k = lengths, .causal = true, .lse = true });
}

Test(attention, additions_to_the_logits_round)
{
	struct sim s = { BASE, .bias = true, .bias_mean = 5000, .size = 0.05 };

	s.dtype = EKKA_F32;
	s.n = 4;
	passes("large bias", s);
	s = (struct sim){ BASE, .softcap = 30, .size = 3 };
	s.dtype = EKKA_F32;
	passes("softcap", s);
}

Test(attention, parts_of_the_keys)
{
	struct sim s = { BASE, .len_k = lengths, .partition = 48, .interleaved = true };

	s.m = 3;
	passes("parts", s);
	s.fault = SIM_WRONG_MAX;
	fails("max", s, NULL);
	s.fault = SIM_WRONG_SUM;
	fails("sum", s, NULL);
	s.fault = SIM_STALE_SCALE;
	fails("scale", s, "as if the scale was 0.068");
}

/* Of small logits the scale matters less than the rounding of out, and shows in lse. */
Test(attention, a_scale_that_out_hardly_shows)
{
	struct sim s = { BASE, .lse = true, .size = 0.15, .fault = SIM_STALE_SCALE };

	fails("small logits", s, "as if the scale was 0.0687");
}

Test(attention, the_scale_may_be_a_tensor)
{
	struct sim s = { BASE, .scale = 0.2, .scale_tensor = true };

	passes("tensor", s);
	s.fault = SIM_STALE_SCALE;
	fails("tensor", s, "as if the scale was 0.11");
}

Test(attention, rows_that_see_nothing)
{
	struct sim s = { BASE, .mask = true, .lse = true };

	passes("zero", s);
	s.fault = SIM_MASKED_NAN;
	passes("NaN", s);
	s.fault = SIM_MASKED_MEAN;
	fails("something", s, NULL);
}

Test(attention, packed_and_paged)
{
	struct sim s = { BASE, .cu_q = cu_q, .cu_k = cu_k, .causal = true, .lse = true };

	s.batch = 3;
	s.m = 59;
	passes("varlen", s);
	s.interleaved = true;
	passes("varlen, tokens first", s);
	s.lse = false;
	s.unit = 96;
	passes("varlen in elements", s);
	s = (struct sim){ BASE, .len_k = lengths, .page = 16, .interleaved = true };
	s.m = 1;
	passes("paged", s);
	s.m = 5;
	s.causal = s.vector_cache = true;
	passes("paged, K in vectors", s);
}

Test(attention, faults_are_convicted_and_named)
{
	struct sim s = { BASE, .causal = true };

	s.fault = SIM_NO_SCALE;
	fails("no scale", s, "no scale was applied");
	s.fault = SIM_SCALE_TWICE;
	fails("scale twice", s, "scale was");
	s.fault = SIM_STALE_SCALE;
	fails("stale scale", s, "as if the scale was 0.068");
	s.fault = SIM_ZERO_SCALE;
	fails("scale of 0", s, "as if the scale was 0: all keys weigh the same");
	s.fault = SIM_MASK_MORE;
	fails("mask", s, "one key more at the mask's end");
	s.fault = SIM_MASK_LESS;
	fails("mask", s, "one key less at the mask's end");
	s.fault = SIM_MASK_ALIGNMENT;
	fails("alignment", s, "top left");
	s.fault = SIM_NO_MASK;
	fails("no mask", s, "no causal mask");
	s.fault = SIM_GROUPS;
	fails("groups", s, "modulo");
	s.fault = SIM_V_HEAD;
	fails("V", s, "V was the next head's");
	s.fault = SIM_NOT_NORMALISED;
	fails("softmax", s, "not normalised");
	s.fault = SIM_NO_RESCALE;
	fails("rescale", s, NULL);
	s.fault = SIM_NAN_ROW;
	fails("NaN", s, "not numbers");
	s.causal = false;
	s.fault = SIM_LAST_TILE;
	fails("tile", s, "last 64 keys were missing");
	s.softcap = 3;
	s.fault = SIM_NO_SOFTCAP;
	fails("softcap", s, "no softcap");
	s.softcap = 0;
	s.alibi = true;
	s.fault = SIM_NO_ALIBI;
	fails("alibi", s, "no ALiBi");
	s.alibi = false;
	s.len_k = lengths;
	s.fault = SIM_LENGTHS;
	fails("lengths", s, "lengths were ignored");
	s = (struct sim){ BASE, .causal = true, .fault = SIM_WINDOW };
	s.left = 20;
	fails("window", s, "window was one key longer");
	s = (struct sim){ BASE, .len_k = lengths, .page = 16, .interleaved = true, .fault = SIM_PAGE };
	s.m = 1;
	fails("page", s, NULL);
}

Test(attention, what_does_not_fit_is_not_judged)
{
	static const int32_t longer[] = { 97, 151 }, backwards[] = { 0, 41, 40, 100 }, beyond[] = { 0, 40, 41, 100 }, negative[] = { -1, 20 };
	struct sim s = { BASE, .len_k = lengths };
	const struct { const char *name; const int32_t *bad; } cases[] = { { "seqlens_k", longer }, { "seqlens_k", negative },
									   { "cu_seqlens_q", backwards }, { "cu_seqlens_q", beyond } };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct ekka_verdict v;

		s.lie = cases[i].name;
		s.lie_numbers = cases[i].bad;
		v = sim_judge(s);
		cr_expect_eq(v.status, EKKA_INCOMPLETE, "%zu: %s, margin %g", i, ekka_status_name(v.status), v.margin);
		cr_expect(v.reason[0]);
	}
	/* Starts between rows; others for the results than for the queries. */
	for (int elsewhere = 0; elsewhere <= 1; elsewhere++) {
		static const int32_t between[] = { 0, 40 * 96, 41 * 96 + 1, 100 * 96 }, other[] = { 0, 40 * 192, 42 * 192, 100 * 192 };
		struct ekka_verdict v;

		s = (struct sim){ BASE, .cu_q = cu_q, .cu_k = cu_k, .unit = 96, .lie = elsewhere ? "cu_seqlens_out" : "cu_seqlens_q",
				  .lie_numbers = elsewhere ? other : between };
		s.batch = 3;
		s.m = 59;
		v = sim_judge(s);
		cr_expect_eq(v.status, elsewhere ? EKKA_UNSUPPORTED : EKKA_INCOMPLETE, "%s: %s", ekka_status_name(v.status), v.reason);
	}
	s = (struct sim){ BASE, .len_k = lengths, .page = 16, .lie_page = true };
	s.m = 1;
	cr_expect_str_eq(sim_judge(s).reason, "block_table leads outside the cache");
}

Test(attention, wrong_statistics_are_convicted)
{
	struct sim s = { BASE, .lse = true, .fault = SIM_WRONG_LSE };
	struct ekka_verdict v = sim_judge(s);

	cr_expect_eq(v.status, EKKA_FAIL);
	cr_expect_str_eq(v.output, "lse");
	s.fault = SIM_LSE_BASE;
	fails("base", s, NULL);
}
