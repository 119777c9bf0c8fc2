/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions of descriptions: every operator and function, and what refuses. */
#include "describe_case.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Two parameters of all kinds of bytes. */
static const struct {
	int8_t i8; uint8_t u8; int16_t i16; uint16_t f16; int32_t i32; float f32; int64_t i64; double f64; uint64_t ptr;
} block = { -3, 250, -300, 0x3e00 /* 1.5 */, -70000, 0.5f, -5000000000, 2.25, 0x7f0000001000 };
static const uint16_t bf16 = 0xc040;	/* -3 */

static const struct ekka_meaning *evaluate(const char *expr)
{
	static char text[4096];
	static struct ekka_describe_case c;
	const struct ekka_meaning *m;

	snprintf(text, sizeof(text),
		 "kernel \"k<$T, $N, $E>\"\nfrom \"a test\"\nlet seven = 7\nlet word = \"w\"\nout out0 : f32 at 4096\nattr v = %s\nop elementwise\n",
		 expr);
	c = (struct ekka_describe_case){ .text = text, .name = "k<c10::BFloat16, -12ul, (ns::E)3>",
		.facts = { .grid = { 2, 3, 4 }, .block = { 32, 5, 6 }, .shared = 1024 } };
	PARAM(&c, block);
	PARAM(&c, bf16);
	m = describe_case_run(&c);
	cr_assert(m, "%s: %s", expr, c.problems);
	return m;
}

static const struct ekka_value *value(const char *expr)
{
	const struct ekka_meaning *m = evaluate(expr);

	cr_assert_str_eq(m->refused, "", "%s: %s", expr, m->refused);
	return meaning_attr(m, "v");
}

Test(describe_expr, whole_numbers)
{
	static const struct { const char *expr; int64_t v; } cases[] = {
		{ "1 + 2 * 3", 7 }, { "(1 + 2) * 3", 9 }, { "10 - 4 - 3", 3 }, { "7 / 2", 3 }, { "-7 / 2", -3 }, { "7 % 4", 3 }, { "-7 % 4", -3 },
		{ "0x1F", 31 }, { "~0", -1 }, { "-(3)", -3 }, { "!3", 0 }, { "!0", 1 }, { "6 & 3", 2 }, { "6 | 3", 7 }, { "6 ^ 3", 5 },
		{ "1 << 4", 16 }, { "-16 >> 2", -4 }, { "1 == 1", 1 }, { "1 != 1", 0 }, { "2 < 3", 1 }, { "3 <= 3", 1 }, { "3 > 3", 0 }, { "3 >= 4", 0 },
		{ "1 && 2", 1 }, { "1 && 0", 0 }, { "0 || 5", 1 }, { "0 || 0", 0 }, { "0 && 1 / 0", 0 }, { "1 || 1 / 0", 1 },
		{ "1 ? 5 : 1 / 0", 5 }, { "0 ? 1 / 0 : 6", 6 }, { "0 ? 1 : 0 ? 2 : 3", 3 }, { "1 | 2 == 2", 1 }, { "1 + 1 << 2", 8 },
		{ "seven", 7 }, { "min(3, 2)", 2 }, { "max(3, 2)", 3 }, { "abs(-4)", 4 }, { "ceil_div(7, 2)", 4 }, { "ceil_div(0, 2)", 0 },
		{ "sum(I < 4 : I * I)", 14 }, { "prod(I < 4 : I + 1)", 24 }, { "sum(I < 0 : 1 / 0)", 0 }, { "prod(I < 0 : 9)", 1 },
		{ "sum(I < 3 : sum(J < I : J + 1))", 4 },
		{ "params", 2 }, { "bytes(p0)", sizeof(block) }, { "bytes(p1)", 2 }, { "bytes(p7)", 0 }, { "bytes(param(1))", 2 },
		{ "grid_x", 2 }, { "grid_y", 3 }, { "grid_z", 4 }, { "block_x", 32 }, { "block_y", 5 }, { "block_z", 6 }, { "shared", 1024 },
		{ "int($N)", -12 }, { "int($E)", 3 }, { "int(\"true\")", 1 }, { "int(\"false\")", 0 },
		{ "has($T, \"BFloat\")", 1 }, { "has($T, \"Half\")", 0 }, { "$T == \"c10 :: BFloat16\"", 1 }, { "$T != \"float\"", 1 },
		{ "dtype($T) == bf16", 1 }, { "dtype($T) == \"bf16\"", 1 }, { "dtype($T) != dtype(\"float\")", 1 }, { "size(dtype($T))", 2 },
		{ "size(scalar_type(7))", 8 }, { "size(bool)", 1 }, { "9223372036854775807", INT64_MAX },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct ekka_value *v = value(cases[i].expr);

		cr_assert_eq(v->kind, EKKA_V_INT, "%s", cases[i].expr);
		cr_assert_eq(v->i, cases[i].v, "%s is %lld", cases[i].expr, (long long)v->i);
	}
}

Test(describe_expr, reads_of_parameters)
{
	static const struct { const char *expr; int64_t v; } cases[] = {
		{ "i8(p0)", -3 }, { "u8(p0 + 1)", 250 }, { "i16(p0 + 2)", -300 }, { "u16(p0 + 2)", 65236 }, { "i32(p0 + 8)", -70000 },
		{ "u32(p0 + 8)", 4294897296 }, { "i64(p0 + 16)", -5000000000 }, { "u64(p0 + 2 * 8)", -5000000000 }, { "ptr(p0 + 32)", 0x7f0000001000 },
		{ "bool(p0)", 1 }, { "bool(p0 + 38)", 0 }, { "i8(8 + p0 - 8)", -3 }, { "value(i8, p0)", -3 }, { "value(dtype(\"int\"), p0 + 8)", -70000 },
		{ "value(u16, p0 + 2)", 65236 }, { "i8(param(2 - 2))", -3 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		cr_assert_eq(value(cases[i].expr)->i, cases[i].v, "%s is %lld", cases[i].expr, (long long)value(cases[i].expr)->i);
}

Test(describe_expr, real_numbers)
{
	static const struct { const char *expr; double v; } cases[] = {
		{ "1.5 + 1", 2.5 }, { "3 - 0.5", 2.5 }, { "1.0 / 4", 0.25 }, { "2 * .5", 1 }, { "-1.5", -1.5 }, { "1e3", 1000 }, { "1e-5", 1e-5 },
		{ "0.044715", 0.044715 }, { "12345678.9e-2", 123456.789 }, { "1e30", 1e30 }, { "2.5e-30", 2.5e-30 }, { "min(1.5, 2)", 1.5 },
		{ "max(1.5, -2)", 1.5 }, { "abs(-1.5)", 1.5 }, { "f32(p0 + 12)", 0.5 }, { "f64(p0 + 24)", 2.25 }, { "f16(p0 + 4)", 1.5 }, { "bf16(p1)", -3 },
		{ "value(bf16, p1)", -3 }, { "value(f64, p0 + 24)", 2.25 }, { "real($N)", -12 }, { "0.1 + 0.2", 0.1 + 0.2 }, { "1 ? 1.5 : 2", 1.5 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct ekka_value *v = value(cases[i].expr);

		cr_assert_eq(v->kind, EKKA_V_REAL, "%s", cases[i].expr);
		cr_assert(fabs(v->r[0] - cases[i].v) <= 2e-16 * fabs(cases[i].v), "%s is %.17g", cases[i].expr, v->r[0]);
	}
	cr_assert_eq(value("1.5 < 2")->i, 1);
	cr_assert_eq(value("1.5 == 1.5")->i, 1);
	cr_assert_eq(value("0.0 || 0")->i, 0);
}

Test(describe_expr, half_precision_subnormals_and_infinities)
{
	static const uint16_t bits[] = { 0x0001, 0x0400, 0x7c00, 0xfc00, 0x7e00, 0x7bff };
	struct ekka_describe_case c = { .text = "kernel \"k\"\nfrom \"a test\"\nout out0 : f32 at 4096\nop x\n"
		"attr a = f16(p0)\nattr b = f16(p0 + 2)\nattr c = f16(p0 + 4)\nattr d = f16(p0 + 6)\nattr e = f16(p0 + 8)\nattr f = f16(p0 + 10)\n", .name = "k" };
	const struct ekka_meaning *m;

	PARAM(&c, bits);
	m = describe_case_run(&c);
	cr_assert_eq(meaning_attr(m, "a")->r[0], 0x1p-24);
	cr_assert_eq(meaning_attr(m, "b")->r[0], 0x1p-14);
	cr_assert_eq(meaning_attr(m, "c")->r[0], INFINITY);
	cr_assert_eq(meaning_attr(m, "d")->r[0], -INFINITY);
	cr_assert(isnan(meaning_attr(m, "e")->r[0]));
	cr_assert_eq(meaning_attr(m, "f")->r[0], 65504);
}

Test(describe_expr, texts)
{
	static const struct { const char *expr, *v; } cases[] = {
		{ "\"a\" + \"b\" + $N", "ab-12" }, { "\"x{seven}y\"", "x7y" }, { "\"{$N}{word}\"", "-12w" }, { "\"{lambda()#1}\"", "{lambda()#1}" },
		{ "dtype($T)", "bf16" }, { "f32", "f32" }, { "\"a\" + dtype($T)", "abf16" }, { "name(dtype(\"unsigned char\"))", "u8" },
		{ "\"q\\\"\\\\\"", "q\"\\" }, { "\"a # b\"", "a # b" }, { "1 ? word : 0", "w" }, { "\"\"", "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct ekka_value *v = value(cases[i].expr);

		cr_assert_eq(v->kind, EKKA_V_STR, "%s", cases[i].expr);
		cr_assert_str_eq(v->s, cases[i].v, "%s", cases[i].expr);
	}
}

Test(describe_expr, what_has_no_value_refuses_with_file_and_line)
{
	static const struct { const char *expr, *why; } cases[] = {
		{ "1 / 0", "a division by zero" }, { "1 % 0", "a division by zero" }, { "9223372036854775807 + 1", "does not fit 64 bits" },
		{ "-9223372036854775807 - 2", "does not fit 64 bits" }, { "4611686018427387904 * 2", "does not fit 64 bits" },
		{ "(-9223372036854775807 - 1) / -1", "does not fit 64 bits" }, { "-(-9223372036854775807 - 1)", "does not fit 64 bits" },
		{ "abs(-9223372036854775807 - 1)", "does not fit 64 bits" }, { "1 << 64", "a shift by 64" }, { "1 >> -1", "a shift by -1" },
		{ "prod(I < 64 : 2)", "does not fit 64 bits" }, { "i32(p2)", "there is no parameter p2" }, { "i32(param(-1))", "there is no parameter p-1" },
		{ "i32(p1)", "4 bytes at 0 of parameter p1, which has 2" }, { "i8(p0 - 1)", "1 bytes at -1 of parameter p0" },
		{ "i64(p0 + 33)", "8 bytes at 33 of parameter p0, which has 40" }, { "i8(p0 + 9223372036854775807)", "1 bytes at 9223372036854775807" },
		{ "i8(p0 + 9223372036854775807 + 1)", "does not fit 64 bits" }, { "i32(3)", "a whole number where a parameter's place belongs" },
		{ "p0", "attribute v is a place" }, { "p0 * 2", "a place takes + and -" }, { "1 - p0", "a place takes + and -" },
		{ "\"a\" * 2", "do not go together" }, { "\"a\" < \"b\"", "==, != and + alone" }, { "\"a\" ? 1 : 2", "where yes or no belongs" },
		{ "!\"a\"", "where yes or no belongs" }, { "~1.5", "where a number belongs" }, { "1.5 % 2", "real numbers do not have" },
		{ "int($T)", "'c10::BFloat16' is no whole number" }, { "int(\"99999999999999999999\")", "is no whole number" },
		{ "int(3)", "where a text belongs" }, { "dtype(\"quux\")", "'quux' is no known element type" }, { "scalar_type(12)", "no element type for scalar type 12" },
		{ "size(3)", "where an element type belongs" }, { "min(\"a\", 2)", "min and max take numbers" }, { "abs(\"a\")", "abs takes a number" },
		{ "ceil_div(3, 0)", "ceil_div takes" }, { "ceil_div(-3, 2)", "ceil_div takes" }, { "sum(I < 2000 : 1)", "more than 1024 turns" },
		{ "sum(I < 1000 : sum(J < 1000 : 1))", "more than 100000 steps" }, { "sum(I < 2 : \"a\")", "where a whole number belongs" },
		{ "arg(0)", "the functor has no argument 0" }, { "ret", "no functor said what it returns" }, { "expr", "there is no expr yet" },
		{ "self", "not known yet" }, { "value(c64, p0)", "not c64" }, { "value(3, p0)", "not a whole number" }, { "has($T, 3)", "where a text belongs" },
		{ "\"{seven}\" + 1.5", "do not go together" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct ekka_meaning *m = evaluate(cases[i].expr);

		cr_assert(strstr(m->refused, cases[i].why), "%s: '%s'", cases[i].expr, m->refused);
		cr_assert_eq(strncmp(m->refused, "case.kd:6: ", 11), 0, "%s: '%s'", cases[i].expr, m->refused);
		cr_assert_null(m->op);
	}
}

Test(describe_expr, element_types_by_name_and_number)
{
	static const struct { const char *name; enum ekka_dtype t; } names[] = {
		{ "float", EKKA_F32 }, { "double", EKKA_F64 }, { "c10::Half", EKKA_F16 }, { "__half", EKKA_F16 }, { "__nv_bfloat16", EKKA_BF16 },
		{ "c10::Float8_e4m3fn", EKKA_E4M3 }, { "__nv_fp8_e5m2", EKKA_E5M2 }, { "cutlass::half_t", EKKA_F16 }, { "long", EKKA_I64 },
		{ "long long", EKKA_I64 }, { "unsigned long", EKKA_U64 }, { "unsigned int", EKKA_U32 }, { "int", EKKA_I32 }, { "short", EKKA_I16 },
		{ "unsigned short", EKKA_U16 }, { "signed char", EKKA_I8 }, { "unsigned char", EKKA_U8 }, { "bool", EKKA_U8 },
		{ "c10::complex<float>", EKKA_C64 }, { "c10::complex<double>", EKKA_C128 }, { "e4m3", EKKA_E4M3 },
	};
	static const enum ekka_dtype scalars[] = { EKKA_U8, EKKA_I8, EKKA_I16, EKKA_I32, EKKA_I64, EKKA_F16, EKKA_F32, EKKA_F64, EKKA_DTYPE_COUNT,
		EKKA_C64, EKKA_C128, EKKA_U8, EKKA_DTYPE_COUNT, EKKA_DTYPE_COUNT, EKKA_DTYPE_COUNT, EKKA_BF16 };
	char expr[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(expr, sizeof(expr), "dtype(\"%s\")", names[i].name);
		cr_assert_str_eq(value(expr)->s, ekka_dtype_name(names[i].t), "%s", expr);
	}
	for (int i = 0; i < (int)(sizeof(scalars) / sizeof(*scalars)); i++) {
		snprintf(expr, sizeof(expr), "scalar_type(%d)", i);
		if (scalars[i] == EKKA_DTYPE_COUNT)
			cr_assert(strstr(evaluate(expr)->refused, "no element type"), "%s", expr);
		else
			cr_assert_str_eq(value(expr)->s, ekka_dtype_name(scalars[i]), "%s", expr);
	}
	cr_assert_str_eq(value("scalar_type(24)")->s, "e4m3");
	cr_assert_str_eq(value("scalar_type(23)")->s, "e5m2");
}
