/* SPDX-License-Identifier: Apache-2.0 */
/* Which bound is taken for which call, and its size where that can be worked out by hand. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "compare/bound.h"
#include "compare/screen.h"

static struct ekka_bound_model model(enum ekka_dtype a, enum ekka_dtype out, int64_t k, int64_t compute, int64_t math, int cc)
{
	struct ekka_bound_model m;

	cr_assert_eq(ekka_bound_model_init(&m, &(struct ekka_bound_facts){ .a = a, .b = a, .out = out, .k = k, .compute = compute,
									   .math = math, .on_device = cc > 0, .cc_major = cc }), 0);
	return m;
}

static double bound_of_ones(const struct ekka_bound_model *m)
{
	double k = (double)m->k, chunk = fmin(k, EKKA_BOUND_CHUNK);

	return ekka_bound_element(m, &(struct ekka_bound_sums){ .abs = k, .prefix = k, .chunk = chunk, .variation = k,
								.group = ceil(k / EKKA_BOUND_GROUP), .largest = 2 }, 1, k, 0, k);
}

static void expect_kind(struct ekka_bound_model m, enum ekka_bound_kind kind, const char *text, bool policy)
{
	cr_expect_eq(m.kind, kind);
	cr_expect(strstr(m.text, text), "'%s' lacks '%s'", m.text, text);
	cr_expect_eq(m.policy[0] != '\0', policy, "%s: policy '%s'", text, m.policy);
}

Test(bound, the_model_follows_type_compute_type_and_device)
{
	expect_kind(model(EKKA_F32, EKKA_F32, 64, -1, -1, 0), EKKA_BOUND_ANY_ORDER, "fp32 any-order", false);
	expect_kind(model(EKKA_F32, EKKA_F32, 64, 68, 0, 9), EKKA_BOUND_ANY_ORDER, "fp32 any-order", false);
	expect_kind(model(EKKA_F32, EKKA_F32, 64, 68, 3, 9), EKKA_BOUND_TENSOR_CORE, "tf32 tensor core Hopper", true);
	expect_kind(model(EKKA_F32, EKKA_F32, 64, 77, 0, 8), EKKA_BOUND_TENSOR_CORE, "tf32 tensor core Ampere", true);
	expect_kind(model(EKKA_F32, EKKA_F32, 64, 69, 3, 9), EKKA_BOUND_ANY_ORDER, "fp32 any-order", false);
	expect_kind(model(EKKA_BF16, EKKA_BF16, 64, 68, 16, 9), EKKA_BOUND_TENSOR_CORE, "bf16 tensor core Hopper", false);
	expect_kind(model(EKKA_BF16, EKKA_BF16, 1024, 68, 0, 9), EKKA_BOUND_TENSOR_CORE, "8 splits reduced in bf16", false);
	expect_kind(model(EKKA_F16, EKKA_F16, 64, 64, -1, 9), EKKA_BOUND_TENSOR_CORE, "f16 accumulators", true);
	expect_kind(model(EKKA_F64, EKKA_F64, 64, -1, -1, 0), EKKA_BOUND_ANY_ORDER, "fp64", false);
	expect_kind(model(EKKA_F32, EKKA_F64, 64, -1, -1, 0), EKKA_BOUND_ANY_ORDER, "fp64", false);
	expect_kind(model(EKKA_I8, EKKA_I32, 64, 72, -1, 9), EKKA_BOUND_INTEGER, "exact", false);
	expect_kind(model(EKKA_BF16, EKKA_F32, 64, -1, -1, 0), EKKA_BOUND_ANY_ORDER, "bf16 host", false);
	expect_kind(model(EKKA_E4M3, EKKA_BF16, 64, 68, -1, 9), EKKA_BOUND_TENSOR_CORE, "fp8 tensor core Hopper, F=13", false);
	cr_expect(model(EKKA_F64, EKKA_F64, 64, -1, -1, 0).twofold);
}

Test(bound, unknown_combinations_are_refused)
{
	static const enum ekka_dtype wrong[][3] = { { EKKA_F16, EKKA_BF16, EKKA_F32 }, { EKKA_F32, EKKA_F32, EKKA_BF16 },
						    { EKKA_F32, EKKA_F32, EKKA_C64 }, { EKKA_F32, EKKA_F32, EKKA_I32 } };

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct ekka_bound_model m;

		cr_expect_eq(ekka_bound_model_init(&m, &(struct ekka_bound_facts){ .a = wrong[i][0], .b = wrong[i][1],
										   .out = wrong[i][2], .k = 5, .compute = -1, .math = -1 }), -1);
		cr_expect(strstr(m.text, "no bound for"));
	}
}

Test(bound, sizes)
{
	struct ekka_bound_model f32 = model(EKKA_F32, EKKA_F32, 1000, -1, -1, 0), bf16 = model(EKKA_BF16, EKKA_BF16, 1000, 68, 16, 9);
	struct ekka_bound_model split = model(EKKA_BF16, EKKA_BF16, 1000, 68, 0, 9), whole = model(EKKA_I8, EKKA_I32, 9, -1, -1, 0);
	double b = bound_of_ones(&f32);

	/* 1004 roundings of 2^-24 each, of sums up to 1000, and a few more behind. */
	cr_expect(b > 1004 * 0x1p-24 * 1000 && b < 1.02 * 1004 * 0x1p-24 * 1000, "%g", b);
	b = bound_of_ones(&bf16);
	cr_expect(b > 0x1p-8 * 1000 && b < 1.1 * 0x1p-8 * 1000, "%g", b);
	b = bound_of_ones(&split);
	cr_expect(b > 2 * 0x1p-8 * 1000 && b < 2.1 * 0x1p-8 * 1000, "%g", b);
	cr_expect_eq(bound_of_ones(&whole), 0);
}

Test(bound, loss_of_type_range)
{
	struct ekka_bound_model m = model(EKKA_F16, EKKA_F16, 100, 68, 16, 9);
	struct ekka_bound_sums s = { .abs = 70000, .prefix = 70000, .chunk = 70000, .largest = 300 };

	cr_expect(ekka_bound_may_overflow(&m, &s, 1, 0, 65500, 100));
	cr_expect_not(ekka_bound_may_overflow(&m, &s, 1, 0, 60000, 100));
	s.abs = 1e39;
	cr_expect(ekka_bound_may_overflow(&m, &s, 1, 0, 1, 100), "a partial sum can leave f32's range");
}

Test(bound, the_screen_is_far_sharper_than_the_bound)
{
	struct ekka_bound_model m = model(EKKA_F32, EKKA_F32, 4096, -1, -1, 0);
	/* 256 elements of size 64 from sums of 4096 products of size 1. */
	struct ekka_screen_sums s = { .ulp2 = 256 * 32.0 * 32, .out2 = 256 * 64.0 * 64, .product2 = 256 * 4096.0, .n = 256 };
	double t = ekka_screen_threshold(&m, &s, ekka_screen_factor(1e5, 1e-6));
	double b = ekka_bound_element(&m, &(struct ekka_bound_sums){ .abs = 3000, .prefix = 64, .chunk = 100, .largest = 8 }, 1, 64, 0, 64);

	cr_expect_float_eq(ekka_screen_factor(1e5, 1e-6), sqrt(2 * log(2e11)), 1e-9);
	cr_expect(t < b, "a single element beyond the bound escalates: %g, %g", t, b);
	cr_expect_geq(t, ekka_screen_factor(1e5, 1e-6) * 0x1p-24 * sqrt(256 * 32.0 * 32 / 3));
	cr_expect_eq(ekka_screen_width(&m), 256);
}
