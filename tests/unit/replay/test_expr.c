/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions against the same arithmetic in plain C floats, which must lie within the bounds; against exact values; and bounds that must
 * not be wider than their derivation.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/round.h"
#include "replay/expr_function.h"
#include "replay/expr_internal.h"

enum { N = EKKA_EXPR_BLOCK };

static const struct ekka_expr_symbol reals[] = {
	{ "a", EKKA_EXPR_REAL, 0, 0, 0, NULL, false }, { "b", EKKA_EXPR_REAL, 1, 0, 0, NULL, false }, { "c", EKKA_EXPR_REAL, 2, 0, 0, NULL, false },
	{ "i", EKKA_EXPR_INT, 3, 0, 0, NULL, false },	{ "j", EKKA_EXPR_INT, 4, 0, 0, NULL, false },	{ "alpha", EKKA_EXPR_NUMBER, 0, 0.1, 0, NULL, false },
	{ "k", EKKA_EXPR_INTEGER, 0, 0, 7, NULL, false },
};
static const unsigned n_reals = sizeof reals / sizeof reals[0];

static struct ekka_expr *parse(const char *text, enum ekka_dtype compute)
{
	struct ekka_error err = { 0 };
	struct ekka_expr *x = NULL;

	cr_assert_eq(ekka_expr_parse(text, reals, n_reals, compute, &x, &err), 0, "%s", err.message);
	return x;
}

/* One element: value and error of the first result. */
static double real_at(const char *text, double a, double ea, double b, double eb, double *ret_error)
{
	struct ekka_expr *x = parse(text, EKKA_F32);
	struct ekka_expr_state *s = ekka_expr_state_new(x);
	int64_t i[1] = { 5 }, j[1] = { -3 }, zero[1] = { 0 };
	const int64_t *const index[EKKA_MAX_DIMS] = { zero, zero, zero, zero, zero, zero };
	const struct ekka_expr_input in[5] = { { &a, &ea, NULL }, { &b, &eb, NULL }, { &b, &eb, NULL }, { .ints = i }, { .ints = j } };
	struct ekka_expr_result r[EKKA_EXPR_RESULTS];
	double v;

	ekka_expr_eval(x, s, 1, in, index, r);
	v = r[0].re ? r[0].re[0] : (double)r[0].ints[0];
	if (ret_error)
		*ret_error = r[0].error[0];
	ekka_expr_state_free(s);
	ekka_expr_free(x);
	return v;
}

static double exact(const char *text)
{
	double e, v = real_at(text, 0.75, 0, -2.5, 0, &e);

	cr_expect_eq(e, 0, "%s: error %g", text, e);
	return v;
}

Test(expr, c_operators_bind_as_in_c)
{
	cr_expect_eq(exact("1 + 2 * 3"), 7);
	cr_expect_eq(exact("(1 + 2) * 3"), 9);
	cr_expect_eq(exact("10 - 4 - 3"), 3);
	cr_expect_eq(exact("-7 / 2"), -3);
	cr_expect_eq(exact("-7 % 3"), -1);
	cr_expect_eq(exact("1 << 3 + 1"), 16);
	cr_expect_eq(exact("6 & 3 == 3"), 6 & (3 == 3));
	cr_expect_eq(exact("1 | 6 ^ 2 & 3"), 1 | (6 ^ (2 & 3)));
	cr_expect_eq(exact("1 < 2 && 2 >= 3 || !0"), 1);
	cr_expect_eq(exact("i > 4 ? j : 9"), -3);
	cr_expect_eq(exact("i < 4 ? 1 : j == -3 ? 2 : 3"), 2);
	cr_expect_eq(exact("~i + k"), 1);
	cr_expect_eq(exact("1 != 2 != 0"), 1);
	cr_expect_eq(exact("0x10 + 010"), 26);
	cr_expect_eq(exact("where(a < b, i, j)"), -3);
	cr_expect_eq(exact("max(i, j) - min(i, j) + abs(j) + sign(j)"), 10);
	cr_expect_eq(exact("clamp(a, b, 0.5)"), 0.5);
	cr_expect_eq(exact("u8(j) + i8(200) + u16(-1)"), 253 - 56 + 65535);
	cr_expect_eq(exact("i32(-b)"), 2);
	cr_expect_eq(exact("i1 + i0"), 0);
	cr_expect_eq(exact("floor(f32(i * 0.25) * 4 - i)"), 0);
	cr_expect_eq(exact("u64(j) > 5 && u64(j) / 2 > 5 && max(u64(j), 7) == j && !(min(u64(j), i) < 0)"), 1);
	cr_expect_eq(exact("(u64(j) >> 60) + u64(j) % 10 + (j >> 60)"), 15 + 3 - 1);
	cr_expect_eq(exact("f32(u64(-1))"), 0x1p64);
	cr_expect_eq(exact("bool(a) + isnan(nan) + isinf(-inf) + isfinite(a)"), 4);
	cr_expect(isnan(exact("max(a, nan)")) && isnan(exact("min(nan, a)")) && isnan(exact("clamp(nan, a, 2.0)")));
}

Test(expr, what_is_no_expression_is_refused)
{
	static const char *const wrong[] = { "", "1 +", "(1", "a b", "foo(a)", "foo", "exp(a, b)", "where(a, b)", "out0 = ", "1 ? 2", "a[1]",
					     "@", "1, , 2", "c64(a)" };
	struct ekka_error err = { 0 };
	struct ekka_expr *x;
	char deep[2000];

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		cr_expect(ekka_expr_parse(wrong[i], reals, n_reals, EKKA_F32, &x, &err) < 0, "'%s'", wrong[i]);
	memset(deep, '(', sizeof deep - 1);
	deep[sizeof deep - 1] = '\0';
	cr_expect(ekka_expr_parse(deep, reals, n_reals, EKKA_F32, &x, &err) < 0);
	for (size_t i = 0; i + 2 < sizeof deep; i += 3)
		memcpy(deep + i, "a+1", 3);
	cr_expect(ekka_expr_parse(deep, reals, n_reals, EKKA_F32, &x, &err) < 0);
	(void)ekka_expr_parse("foo(a)", reals, n_reals, EKKA_F32, &x, &err);
	cr_expect(strstr(err.message, "'foo'"), "%s", err.message);
}

Test(expr, several_results_by_name_or_by_order)
{
	struct ekka_expr *x = parse("t = a * 2; out0 = t + 1; out1 = i;", EKKA_F32);

	cr_expect_eq(ekka_expr_n_results(x), 3u);
	cr_expect(ekka_expr_result_index(x, "out1") == 2 && ekka_expr_result_index(x, "out2") == -1);
	cr_expect(ekka_expr_is_integer(x, 2) && !ekka_expr_is_integer(x, 1));
	ekka_expr_free(x);
	x = parse("i0, i2 * 8 + 1, -1", EKKA_F32);
	cr_expect(ekka_expr_n_results(x) == 3 && ekka_expr_uses_index(x, 2) && !ekka_expr_uses_index(x, 1));
	ekka_expr_free(x);
}

/* ---- floats ----------------------------------------------------------------- */

static float pick(uint64_t *seed)
{
	static const float special[] = { 0, -0.0f, 1, -1, INFINITY, -INFINITY, NAN, 0x1p-126f, 0x1p-149f, 3e38f, -3e38f, 1e-30f, 88.5f, -88.5f, 0.5f };
	uint32_t u;
	float f;

	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	u = (uint32_t)(*seed >> 32);
	if (u % 8 == 0)
		return special[u / 8 % (sizeof special / sizeof special[0])];
	if (u % 8 == 1) {	/* any bits */
		u = (uint32_t)(*seed >> 20);
		memcpy(&f, &u, sizeof f);
		return f;
	}
	return ((float)(u >> 8) * 0x1p-24f - 0.5f) * (u % 3 ? 8 : 200);
}

#define F(name, e) static float name(float a, float b, float c) { (void)b; (void)c; return e; }
F(f_add, a + b)
F(f_axpy, a + b * c)
F(f_axpy_fma, fmaf(b, c, a))
F(f_lerp, a + c * (b - a))
F(f_div, a / b)
F(f_poly, (a * b - c) * (a + c) / 3.0f)
F(f_silu, a / (1.0f + expf(-a)))
F(f_silu2, a * (1.0f / (1.0f + expf(-a))))
F(f_gated, a / (1.0f + expf(-a)) * b)
F(f_gelu, a * 0.5f * (1.0f + erff(a * 0.70710678f)))
F(f_gelu_tanh, 0.5f * a * (1.0f + tanhf(0.79788456f * (a + 0.044715f * a * a * a))))
F(f_quick, a / (1.0f + expf(-1.702f * a)))
F(f_exp, expf(a))
F(f_exp_of, expf(a * b))
F(f_log_of, logf(a * a + 1.0f))
F(f_rsqrt, 1.0f / sqrtf(a * a + 1e-5f))
F(f_tanh, tanhf(a * 3.0f))
F(f_sin, sinf(a + b))
F(f_where, a < b ? a * c : b)
F(f_max, isnan(a) || isnan(b) ? NAN : fmaxf(a, b))
F(f_softplus, a > 20.0f ? a : log1pf(expf(a)))
F(f_sigmoid, 1.0f / (1.0f + expf(-a)))
F(f_round, ekka_round_bf16(a + b) * c)
F(f_relu, isnan(a) ? a : a > 0 ? a : 0)
F(f_hyper, sinhf(a * 0.01f) + coshf(b * 0.01f))
F(f_sqrt, sqrtf(a))
F(f_log, logf(a))
F(f_pow, powf(a, b))
F(f_fmod, fmodf(a, b))
F(f_alpha, a * 0.1f)

static const struct { const char *text; float (*f)(float, float, float); } checks[] = {
	{ "a + b", f_add }, { "a + b * c", f_axpy }, { "a + b * c", f_axpy_fma }, { "fma(b, c, a)", f_axpy_fma }, { "a + c * (b - a)", f_lerp },
	{ "a / b", f_div }, { "(a * b - c) * (a + c) / 3", f_poly }, { "silu(a)", f_silu }, { "silu(a)", f_silu2 },
	{ "a / (1 + exp(-a))", f_silu }, { "silu(a) * b", f_gated }, { "gelu(a)", f_gelu }, { "gelu_tanh(a)", f_gelu_tanh },
	{ "gelu_quick(a)", f_quick }, { "exp(a)", f_exp }, { "exp(a * b)", f_exp_of }, { "log(a * a + 1)", f_log_of },
	{ "rsqrt(a * a + 1e-5)", f_rsqrt }, { "tanh(a * 3)", f_tanh }, { "sin(a + b)", f_sin }, { "a < b ? a * c : b", f_where },
	{ "max(a, b)", f_max }, { "softplus(a)", f_softplus }, { "sigmoid(a)", f_sigmoid }, { "bf16(a + b) * c", f_round },
	{ "relu(a)", f_relu }, { "sinh(a * 0.01) + cosh(b * 0.01)", f_hyper }, { "sqrt(a)", f_sqrt }, { "log(a)", f_log },
	{ "pow(a, b)", f_pow }, { "fmod(a, b)", f_fmod }, { "a * alpha", f_alpha },
};

/* Does the float lie within value +- error; an unknown error admits everything and is counted. */
static bool within(double v, double e, float got, unsigned *n_unknown)
{
	if (!(e < INFINITY)) {
		++*n_unknown;
		return true;
	}
	return isnan(v) ? isnan(got) : isinf(v) || isinf(got) ? v == got : fabs(v - got) <= e;
}

Test(expr, honest_floats_lie_within_the_bound)
{
	for (size_t t = 0; t < sizeof checks / sizeof checks[0]; t++) {
		struct ekka_expr *x = parse(checks[t].text, EKKA_F32);
		struct ekka_expr_state *s = ekka_expr_state_new(x);
		double a[N], b[N], c[N];
		int64_t ints[N] = { 0 };
		const struct ekka_expr_input in[5] = { { a, NULL, NULL }, { b, NULL, NULL }, { c, NULL, NULL }, { .ints = ints }, { .ints = ints } };
		const int64_t *const index[EKKA_MAX_DIMS] = { 0 };
		struct ekka_expr_result r[EKKA_EXPR_RESULTS];
		unsigned unknown = 0, bad = 0;
		uint64_t seed = t + 1;

		for (int round = 0; round < 200; round++) {
			for (int i = 0; i < N; i++) {
				a[i] = pick(&seed);
				b[i] = pick(&seed);
				c[i] = pick(&seed);
			}
			ekka_expr_eval(x, s, N, in, index, r);
			for (int i = 0; i < N; i++) {
				float got = checks[t].f((float)a[i], (float)b[i], (float)c[i]);

				if (!within(r[0].re[i], r[0].error[i], got, &unknown) && bad++ < 3)
					cr_expect(false, "%s at %.9g %.9g %.9g: %.9g +- %g, not %.9g", checks[t].text, a[i], b[i], c[i],
						  r[0].re[i], r[0].error[i], (double)got);
			}
		}
		cr_expect(bad == 0 && unknown < 200 * N / 25, "%s: %u wrong, %u unknown of %d", checks[t].text, bad, unknown, 200 * N);
		ekka_expr_state_free(s);
		ekka_expr_free(x);
	}
}

Test(expr, bounds_are_no_wider_than_their_derivation)
{
	static const struct { const char *text; double a, b, units; } bounds[] = {	/* error / (2^-24 |r|); 3.1 is no float, so that sums are rounded */
		{ "a + b", 3.1, 4, 1 }, { "a * b", 3.1, 3.3, 1 }, { "a / b", 3, 5, 4 }, { "a * b + a", 3.1, 5, 2 }, { "exp(a)", 1, 0, 7.4 },
		{ "sqrt(a)", 2, 0, 3 }, { "tanh(a)", 1, 0, 5 }, { "silu(a)", 1, 0, 19.4 }, { "gelu(a)", 2, 0, 9.2 }, { "neg(a)", 2, 0, 0 },
		{ "max(a, b)", 2, 1, 0 }, { "a * 0.1", 1, 0, 2 }, { "a * 0.5", 1, 0, 0 }, { "a * b - 15", 3, 5.5, 0 }, { "floor(k * 2.0) + floor(a * 0.5)", 4, 0, 0 },
		/* As a float, 3 times the float next to 1/3 is 1. */
		{ "floor(f32(a * b))", 3, 0x1.555556p-2, 0 }, { "a / 2", 4, 0, 4 }, { "bf16(a)", 1.001, 0, 0 },
	};

	for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
		double e, r = real_at(bounds[i].text, bounds[i].a, 0, bounds[i].b, 0, &e);

		cr_expect(e <= bounds[i].units * 0x1p-24 * fabs(r) * 1.01 && e >= bounds[i].units * 0x1p-24 * fabs(r) * 0.5, "%s: %.3g units", bounds[i].text,
			  e / fabs(r) * 0x1p24);
	}
}

Test(expr, the_last_rounding_can_be_the_stores)
{
	double a = 3, b = 0.1;
	const struct ekka_expr_input in[2] = { { &a, NULL, NULL }, { &b, NULL, NULL } };
	const int64_t *const index[EKKA_MAX_DIMS] = { 0 };
	struct ekka_expr_result r[EKKA_EXPR_RESULTS];

	for (int k = 0; k < 2; k++) {
		struct ekka_expr *x = parse("a + b", EKKA_F32);
		struct ekka_expr_state *s;

		ekka_expr_stored_as(x, 0, k ? EKKA_BF16 : EKKA_F32);
		s = ekka_expr_state_new(x);
		ekka_expr_eval(x, s, 1, in, index, r);
		cr_expect(k ? r[0].error[0] > 0x1p-24 : r[0].error[0] < 0x1p-40);
		ekka_expr_state_free(s);
		ekka_expr_free(x);
	}
}

/* ---- uncertain values -------------------------------------------------------- */

Test(expr, uncertain_operands_widen_the_result)
{
	double e;

	(void)real_at("exp(a)", 1, 0.01, 0, 0, &e);
	cr_expect(e >= exp(1.01) - exp(1) && e < 0.028);
	(void)real_at("a * b", 2, 0.1, 3, 0.2, &e);
	cr_expect(e >= 2.1 * 3.2 - 6 && e < 0.73);
	(void)real_at("a / b", 2, 0.1, 3, 0.2, &e);
	cr_expect(e >= 2.1 / 2.8 - 2.0 / 3 && e < 0.09);
	(void)real_at("a / b", 2, 0, 0.1, 0.2, &e);
	cr_expect(isinf(e), "the divisor may be 0");
	(void)real_at("log(a)", 0.1, 0.2, 0, 0, &e);
	cr_expect(isinf(e));
	(void)real_at("max(a, b)", 1, 0.5, 5, 0.25, &e);
	cr_expect_eq(e, 0.25);
	(void)real_at("floor(a)", 1.95, 0.1, 0, 0, &e);
	cr_expect_eq(e, 1);
	(void)real_at("floor(a)", 1.5, 0.1, 0, 0, &e);
	cr_expect_eq(e, 0);
	(void)real_at("i32(a)", 2, 0.001, 0, 0, &e);
	cr_expect_eq(e, 1);
	(void)real_at("bf16(a)", 1.001, 0.001, 0, 0, &e);
	cr_expect_eq(e, 0, "all of it rounds to 1");
	(void)real_at("bf16(a)", 1.0038, 0.001, 0, 0, &e);
	cr_expect_eq(e, 0x1p-7);
	(void)real_at("fmod(a, b)", 6, 0.1, 3, 0, &e);
	cr_expect(e >= 2.9);
	(void)real_at("a + b", 1, INFINITY, 1, 0, &e);
	cr_expect(isinf(e));
	(void)real_at("a * 0 + 1", 1, INFINITY, 1, 0, &e);
	cr_expect(isinf(e));
}

Test(expr, a_comparison_that_is_open_admits_both_branches)
{
	double e, v = real_at("a < b ? 10 : 20", 1, 0.2, 1.1, 0, &e);

	cr_expect(v == 10 && e == 10);
	v = real_at("a < b ? 10 : 20", 1, 0.05, 1.1, 0, &e);
	cr_expect(v == 10 && e == 0);
	v = real_at("where(a < b && i == 4, a, b)", 1, 0.2, 1.1, 0, &e);
	cr_expect(v == 1.1 && e == 0, "and is certain where one side is false");
	v = real_at("where(a < b || i == 5, a, b)", 1, 0.2, 1.1, 0, &e);
	cr_expect(v == 1 && e == 0.2);
	v = real_at("where(!(a == b), 3.0, nan)", 1, 0.2, 1.1, 0, &e);
	cr_expect(isinf(e) && v == 3);
	v = real_at("isnan(a) ? 1.0 : 2.0", NAN, 0, 0, 0, &e);
	cr_expect(v == 1 && e == 0);
}

Test(expr, overflow_is_infinity_unless_a_sum_may_swallow_it)
{
	double e, v = real_at("a * b", 3e38, 0, 3, 0, &e);

	cr_expect(v == INFINITY && e == 0);
	v = real_at("a * b + a", 3e38, 0, 3, 0, &e);
	cr_expect(v == INFINITY && e == 0, "the sum overflows too");
	(void)real_at("a * b - a", 3e38, 0, 1.5, 0, &e);
	cr_expect(isinf(e));
	(void)real_at("a + b", 0x1.fffffep127, 0, 0x1p103, 0, &e);
	cr_expect(isinf(e), "either way at the edge");
	v = real_at("e4m3(a)", 1000, 0, 0, 0, &e);
	cr_expect(v == 448 && e == 0);
	v = real_at("f16(a)", 70000, 0, 0, 0, &e);
	cr_expect(v == INFINITY && e == 0);
	v = real_at("a / b", 1, 0, 0, 0, &e);
	cr_expect(v == INFINITY && e == 0);
	v = real_at("a / b", -1, 0, INFINITY, 0, &e);
	cr_expect(v == 0 && e == 0);
}

static int64_t ints_of(struct ekka_array *t, const char *text, int64_t index, double *ret_error, bool *ret_outside)
{
	const struct ekka_expr_symbol symbols[] = { { "table", EKKA_EXPR_TABLE, 0, 0, 0, t, false }, { "i", EKKA_EXPR_INT, 0, 0, 0, NULL, false } };
	const struct ekka_expr_input in[1] = { { .ints = &index } };
	const int64_t *const none[EKKA_MAX_DIMS] = { 0 };
	struct ekka_expr_result r[EKKA_EXPR_RESULTS];
	struct ekka_expr_state *s;
	struct ekka_expr *x;
	char said[EKKA_TEXT] = "";
	int64_t v;

	cr_assert_eq(ekka_expr_parse(text, symbols, 2, EKKA_F32, &x, NULL), 0);
	s = ekka_expr_state_new(x);
	ekka_expr_eval(x, s, 1, in, none, r);
	v = r[0].ints[0];
	*ret_error = r[0].error[0];
	*ret_outside = ekka_expr_out_of_range(s, said);
	cr_expect(!*ret_outside || !strcmp(said, "table is read at index 9 of dimension 0, which has 2"), "%s", said);
	ekka_expr_state_free(s);
	ekka_expr_free(x);
	return v;
}

Test(expr, tables_are_indexed_and_their_ends_are_known)
{
	int32_t bytes[6] = { 10, 11, 12, 20, 21, 22 };
	struct ekka_array t = { .dtype = EKKA_I32, .n_dims = 2, .dim = { 2, 3 }, .stride = { 3, 1 }, .n = 6, .bytes = (unsigned char *)bytes,
				.n_bytes = sizeof bytes };
	double e;
	bool outside;

	cr_expect(ints_of(&t, "table[i, 2]", 1, &e, &outside) == 22 && e == 0 && !outside);
	(void)ints_of(&t, "table[i, 2]", 9, &e, &outside);
	cr_expect(isnan(e) && outside);
	cr_expect(ints_of(&t, "i < 2 ? table[i, 2] : -1", 9, &e, &outside) == -1 && e == 0, "not taken");
}

/* The block loops for exact operands say what is said of one element. */
Test(expr, blocks_of_functions_are_their_elements)
{
	static const double special[] = { 0, -0.0, 1e-45, -1e-39, 1e-8, 88, -86.9, -87.1, -89, 104, -700, -709, 710, -720, 1e10, -1e10, 3e38, -3e38, INFINITY, -INFINITY, NAN };
	static const double units[] = { 0x1p-24, 0x1p-11, 0x1p-53 };
	static struct ekka_expr_register a, r;

	for (int id = 0; id < EKKA_N_FUNCTIONS; id++)
		for (int k = 0; k < 6; k++) {
			static const char *const names[] = {
#define NAME(name, value, kind, k, lipschitz, low, high) #name,
				EKKA_EXPR_FUNCTIONS(NAME)
#undef NAME
			};
			const struct ekka_expr_function *f = ekka_expr_function_find(names[id]);
			struct ekka_expr_rounding p = { .unit = units[k % 3] + 0x1p-52, .normal = 0x1p-126, .overflow = k % 3 == 2 ? INFINITY : 0x1p128, .ieee = k % 3 == 2 };
			size_t n = EKKA_EXPR_BLOCK - 3;

			a.exact = true;
			for (size_t i = 0; i < n; i++)
				a.re[i] = k >= 3 && i % 50 == 7 ? special[i / 50 % (sizeof special / sizeof special[0])] : ((double)(i * 7919 % n) / (double)n - 0.5) * (k % 2 ? 20 : 400);
			ekka_expr_apply(f, n, &a, &r, &p);
			for (size_t i = 0; i < n; i++) {
				double v = ekka_function_value(f->f.id, a.re[i]);
				struct ekka_real want = ekka_function_apply(&f->f, (struct ekka_real){ a.re[i], 0 }, v, &p);
				double error = r.exact ? 0 : r.error[i];

				cr_assert(r.re[i] == want.v || (isnan(r.re[i]) && isnan(want.v)) || fabs(r.re[i] - want.v) <= 0x1p-49 * fabs(want.v), "%s(%g) is %g, not %g", names[id], a.re[i], r.re[i], want.v);
				cr_assert(error == want.e || (isnan(error) && isnan(want.e)) || fabs(error - want.e) <= 1e-12 * want.e, "%s(%g): error %g, not %g", names[id], a.re[i], error, want.e);
			}
		}
}
