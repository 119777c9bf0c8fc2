/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor statements: layouts, what is refused, which bytes are wanted. */
#include "describe_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const struct ekka_meaning *run(const char *statements)
{
	static char text[4096];
	static struct ekka_describe_case c;
	static const uint64_t null, place = 0x10000;
	const struct ekka_meaning *m;

	snprintf(text, sizeof(text), "kernel \"k\"\nfrom \"t\"\nop x\n%s\n", statements);
	c = (struct ekka_describe_case){ .text = text, .name = "k" };
	PARAM(&c, null);
	PARAM(&c, place);
	m = describe_case_run(&c);
	cr_assert(m, "%s", c.problems);
	return m;
}

Test(describe_tensor, layouts)
{
	const struct ekka_meaning *m = run(
		"out scalar : f32 at ptr(p1)\n"
		"out dense : bf16 at 0x1000 dims 2, 3, 4\n"
		"out gaps : f32 at 0x2000 dims 2, 3 strides 8, 1\n"
		"out turned : f32 at 0x2000 dims 2, 3 strides 1, 2\n"
		"out overlapping : f32 at 0x2000 dims 4, 3 strides 1, 1\n"
		"in back : i64 at 0x3010 dims 3 strides -1\n"
		"in same : f32 at 0x2000 dims 1000000000, 1000000000 strides 0, 0\n"
		"inout both : u8 at 0x4001 dims (I + 1) for I < 3, 7 strides 100 - I for I < 4\n"
		"out none : f32 at 0x2000 dims I for I < 0 strides 5 for I < 0\n");
	const struct ekka_tensor *t;

	cr_assert_str_eq(m->refused, "");
	t = meaning_tensor(m, "scalar");
	cr_assert(t->n_dims == 0 && t->span_bytes == 4 && t->addr == 0x10000 && !t->pre && t->post);
	t = meaning_tensor(m, "dense");
	cr_assert(t->n_dims == 3 && t->stride[0] == 12 && t->stride[1] == 4 && t->stride[2] == 1 && t->span_bytes == 48 && !t->pre);
	t = meaning_tensor(m, "gaps");
	cr_assert(t->span_bytes == 44 && t->pre && t->post, "gaps are compared, so their bytes are wanted before");
	cr_assert(!meaning_tensor(m, "turned")->pre && meaning_tensor(m, "turned")->span_bytes == 24);
	cr_assert(meaning_tensor(m, "overlapping")->pre && meaning_tensor(m, "overlapping")->span_bytes == 24);
	t = meaning_tensor(m, "back");
	cr_assert(t->addr == 0x3000 && t->offset == 2 && t->span_bytes == 24 && t->stride[0] == -1 && t->dir == EKKA_IN);
	cr_assert_eq(meaning_tensor(m, "same")->span_bytes, 4);
	t = meaning_tensor(m, "both");
	cr_assert(t->n_dims == 4 && t->dim[0] == 1 && t->dim[2] == 3 && t->dim[3] == 7 && t->stride[1] == 99 && t->stride[3] == 97);
	cr_assert(t->dir == EKKA_INOUT && t->pre && t->post);
	t = meaning_tensor(m, "none");
	cr_assert(t->n_dims == 0 && t->span_bytes == 4);
}

Test(describe_tensor, conditions_and_null_addresses)
{
	const struct ekka_meaning *m = run("out a : f32 at ptr(p1)\nin b : f32 at ptr(p0) if ptr(p0) != 0\nin c : f32 at 1 / 0 if 0\n");

	cr_assert_str_eq(m->refused, "");
	cr_assert_eq(m->n_tensors, 1);
	cr_assert_str_eq(run("out a : f32 at ptr(p0)\n")->refused, "case.kd:4: the address of tensor a is null");
	cr_assert_str_eq(run("out a : f32 at ptr(p0) if 1\n")->refused, "case.kd:4: the address of tensor a is null");
}

Test(describe_tensor, tensors_without_elements_are_left_away)
{
	const struct ekka_meaning *m = run("out a : f32 at ptr(p1)\nin b : f32 at ptr(p0) dims 3, 0\n");

	cr_assert_eq(m->n_tensors, 1);
	cr_assert_str_eq(m->op, "x");
	m = run("out a : f32 at ptr(p0) dims 0\nin b : f32 at ptr(p1) dims 3\n");
	cr_assert(m->nothing && !m->op, "nothing is written, so there is nothing to judge");
	cr_assert_str_eq(m->refused, "");
}

Test(describe_tensor, two_may_view_the_same_bytes)
{
	const struct ekka_meaning *m = run("out a : f32 at ptr(p1) dims 4\nin b : f32 at ptr(p1) dims 4\n");

	cr_assert_eq(m->n_tensors, 2);
	cr_assert(m->tensors[0].addr == m->tensors[1].addr && m->tensors[1].alias_of == -1);
}

Test(describe_tensor, loops_number_names)
{
	const struct ekka_meaning *m = run("each I < 3 : out out{I} : f32 at ptr(p1) + 16 * I dims 4\neach I < 2 : each J < 2 : attr a{I}_{J}x = 10 * I + J\n"
					   "each I < 2 : check \"no\" I < 2\n");

	cr_assert_str_eq(m->refused, "");
	cr_assert_eq(m->n_tensors, 3);
	cr_assert_eq(meaning_tensor(m, "out2")->addr, 0x10020);
	cr_assert_eq(meaning_attr(m, "a1_0x")->i, 10);
	cr_assert_eq(m->n_attrs, 4);
	cr_assert_str_eq(run("each I < 3 : check \"too many\" I < 2\n")->refused, "case.kd:4: too many");
}

Test(describe_tensor, refusals)
{
	static const struct { const char *statements, *why; } cases[] = {
		{ "in a : f32 at ptr(p1)", "there is no output" }, { "out a : 3 at ptr(p1)", "the type of a tensor is no element type" },
		{ "out a : f32 at 0x1001", "tensor a at 0x1001 is not aligned to its elements" }, { "out a : c128 at 0x1004", "not aligned" },
		{ "out a : f32 at ptr(p1) dims -1", "dimension 0 of tensor a is -1" }, { "out a : f32 at ptr(p1) dims 2, 3 strides 1", "2 dimensions and 1 strides" },
		{ "out a : f32 at ptr(p1) dims 1, 1, 1, 1, 1, 1, 1", "more than 6 dimensions" }, { "out a : f32 at ptr(p1) dims 1.5", "dimensions are whole numbers" },
		{ "out a : f32 at ptr(p1) dims 2 strides \"a\"", "strides are whole numbers" }, { "out a : f32 at ptr(p1) dims 1 for I < 2000", "more than" },
		{ "out a : f32 at ptr(p1) dims 4294967296, 4294967296, 2", "more elements than 64 bits count" },
		{ "out a : f32 at ptr(p1) dims 4294967296 strides 4294967296", "does not fit the address space" },
		{ "out a : f32 at ptr(p1) dims 4611686018427387904", "does not fit the address space" },
		{ "out a : f32 at -4 dims 3", "does not fit the address space" }, { "out a : f32 at 0x1000 dims 2000 strides -1", "does not fit the address space" },
		{ "out a : f32 at ptr(p1) dims 2 strides -9223372036854775807", "does not fit the address space" },
		{ "out a : f32 at ptr(p1)\nin a : f32 at ptr(p1)", "case.kd:5: there are two tensors a" },
		{ "each I < 17 : out a{I} : f32 at ptr(p1)", "more than 16 tensors" }, { "each I < 41 : attr a{I} = 1", "more than 40 attributes" },
		{ "each I < 2000 : attr a = 1", "more than 1024 turns" }, { "attr expr = 3", "expr is no text" },
		{ "each I < 300 : attr a = \"{I}aaaaaaaaaaa\"", "names and texts of more than 2048 bytes" }, { "out a : f32 at \"x\"", "where a whole number belongs" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct ekka_meaning *m = run(cases[i].statements);

		cr_assert(strstr(m->refused, cases[i].why), "%s: '%s'", cases[i].statements, m->refused);
		cr_assert(!m->op && !m->nothing && m->n_tensors == 0 && m->n_attrs == 0);
	}
}

Test(describe_tensor, a_later_attribute_takes_the_place_of_an_earlier_one)
{
	const struct ekka_meaning *m = run("out a : f32 at ptr(p1)\nattr x = 1\nattr x = 2.5 if 1\nattr x = 3 if 0\n");

	cr_assert_eq(m->n_attrs, 1);
	cr_assert_eq(meaning_attr(m, "x")->r[0], 2.5);
}

Test(describe_tensor, conditions_of_other_statements)
{
	const struct ekka_meaning *m = run("out a : f32 at ptr(p1)\nop y if 0\nnothing if 0\nexpr \"a\" if 0\nexpr \"b\" if 1\n");

	cr_assert_str_eq(m->op, "x");
	cr_assert_str_eq(meaning_attr(m, "expr")->s, "b");
	cr_assert(run("nothing if 1\n")->nothing);
}
