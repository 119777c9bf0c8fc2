/* SPDX-License-Identifier: Apache-2.0 */
/* Functors: looked up by captured text, read at their place, composed. */
#include "describe_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define ELEMENTWISE \
	"kernel \"vec<$F, $N>\"\nfrom \"t\"\nlet n = i32(p0)\nuse functor $F at p1 + 4\n" \
	"out out0 : ret at ptr(p2) dims n\neach I < arity : in in{I} : arg(I) at ptr(p2 + 8 + 8 * I) dims n\nop elementwise\n"
#define ADD "functor \"Add<$T>\"\nfrom \"t\"\nlet bytes_of_it = 8\nargs dtype($T), dtype($T)\nret dtype($T)\nattr alpha = f32(self + 4)\nexpr \"in0 + alpha * in1\"\n"

struct functor { int before, first; float alpha; };
static const struct functor functor = { 0, 5, 2.5f };
static const int n = 100;
static const uint64_t data[3] = { 0x1000, 0x2000, 0x3000 };

static const struct ekka_meaning *run(const char *name, const char *a, const char *b)
{
	static char text[8192];
	static struct ekka_describe_case c;
	const struct ekka_meaning *m;

	snprintf(text, sizeof(text), "%s%s", a, b);
	c = (struct ekka_describe_case){ .text = text, .name = name };
	PARAM(&c, n);
	PARAM(&c, functor);
	PARAM(&c, data);
	m = describe_case_run(&c);
	cr_assert(m, "%s", c.problems);
	return m;
}

Test(describe_functor, gives_types_scalars_and_the_expression)
{
	const struct ekka_meaning *m = run("void vec<Add<c10::Half>, 3ul>(int)", ELEMENTWISE, ADD);

	cr_assert_str_eq(m->refused, "");
	cr_assert_str_eq(m->op, "elementwise");
	cr_assert_str_eq(m->description, "case.kd:1");
	cr_assert_eq(m->n_tensors, 3);
	cr_assert(meaning_tensor(m, "out0")->dtype == EKKA_F16 && meaning_tensor(m, "out0")->addr == 0x1000);
	cr_assert(meaning_tensor(m, "in1")->dtype == EKKA_F16 && meaning_tensor(m, "in1")->addr == 0x3000 && meaning_tensor(m, "in1")->dim[0] == 100);
	cr_assert_str_eq(meaning_attr(m, "expr")->s, "in0 + alpha * in1");
	cr_assert_eq(meaning_attr(m, "alpha")->r[0], 2.5);
}

Test(describe_functor, one_that_nobody_describes_is_named)
{
	cr_assert_str_eq(run("vec<Sub<float>, 3>", ELEMENTWISE, ADD)->refused, "case.kd:4: no functor describes 'Sub<float>'");
}

Test(describe_functor, its_names_are_known_to_who_uses_it)
{
	const struct ekka_meaning *m = run("vec<Add<float>, 3>", ELEMENTWISE "attr size = bytes_of_it\nattr all = expr + \"!\"\n", ADD);

	cr_assert_eq(meaning_attr(m, "size")->i, 8);
	cr_assert_str_eq(meaning_attr(m, "all")->s, "in0 + alpha * in1!");
	cr_assert_str_eq(run("vec<Add<float>, 3>", ELEMENTWISE "attr size = other\n", ADD)->refused, "case.kd:8: the functor says nothing of 'other'");
}

Test(describe_functor, the_first_whose_facts_hold_is_taken)
{
	cr_assert_str_eq(meaning_attr(run("vec<Add<float>, 3>", ELEMENTWISE "functor \"Add<*>\"\nfrom \"t\"\nfacts i32(self) == 6\nret f32\nexpr \"no\"\n", ADD), "expr")->s,
			 "in0 + alpha * in1");
	cr_assert_str_eq(meaning_attr(run("vec<Add<float>, 3>", ELEMENTWISE "functor \"Add<*>\"\nfrom \"t\"\nfacts i32(self) == 5\nret f32\nexpr \"yes\"\n", ADD), "expr")->s,
			 "yes");
	cr_assert_str_eq(run("vec<Add<float>, 3>", ELEMENTWISE "functor \"Add<*>\"\nfrom \"t\"\nfacts 0\n", "")->refused,
			 "case.kd:4: the facts of no functor for 'Add<float>' hold");
	cr_assert_str_eq(run("vec<Add<float>, 3>", ELEMENTWISE "functor \"Add<*>\"\nfrom \"t\"\nlet a = 1 / 0\n", ADD)->refused, "case.kd:10: a division by zero");
}

Test(describe_functor, functors_of_functors_replace_words)
{
	static const char wrapped[] = ELEMENTWISE
		"functor \"BUnary<$A, $F>\"\nfrom \"t\"\nuse functor $F at self with in1 = \"b\", in0 = \"in0 * {two}\", in11 = \"no\"\nargs dtype($A)\nattr b = i32(self)\n";
	const struct ekka_meaning *m;

	m = run("vec<BUnary<float, Add<float>>, 3>", ELEMENTWISE
		"functor \"BUnary<$A, $F>\"\nfrom \"t\"\nlet two = 2\nuse functor $F at self with in1 = \"b\", in0 = \"in0 * {two}\", in11 = \"no\"\nargs dtype($A)\nattr b = i32(self)\n",
		ADD);
	cr_assert_str_eq(m->refused, "");
	cr_assert_str_eq(meaning_attr(m, "expr")->s, "(in0 * 2) + alpha * b");
	cr_assert_eq(meaning_attr(m, "b")->i, 5);
	cr_assert_eq(m->n_tensors, 2, "args of the outer functor take the place of the inner one's");
	struct ekka_describe_case c = { .text = wrapped, .name = "vec<BUnary<float, Add<float>>, 3>" };
	cr_assert_null(describe_case_run(&c));
	cr_assert(strstr(c.problems, "nothing is called 'two'"));
	cr_assert(strstr(run("vec<A, 3>", ELEMENTWISE "functor \"A\"\nfrom \"t\"\nuse functor \"B\" at self with a = \"b\"\n", "functor \"B\"\nfrom \"t\"\n")->refused,
			 "'with' for a functor without expr"));
}

Test(describe_functor, words_may_depend_on_what_the_functor_said)
{
	const struct ekka_meaning *m = run("vec<Add<float>, 3>", "kernel \"vec<$F, 3>\"\nfrom \"t\"\nuse functor $F at p1 with "
		"in0 = arg(0) == f32 ? name(arg(1)) + \"(in0)\" : \"no\", in1 = expr == \"in0 + alpha * in1\" && arity == 2 ? \"two\" : \"no\"\n"
		"out out0 : ret at ptr(p2)\nop x\n", ADD);

	cr_assert_str_eq(m->refused, "");
	cr_assert_str_eq(meaning_attr(m, "expr")->s, "(f32(in0)) + alpha * two");
}

Test(describe_functor, one_that_uses_itself_ends)
{
	cr_assert(strstr(run("vec<A, 3>", ELEMENTWISE "functor \"$X\"\nfrom \"t\"\nuse functor $X at self\n", "")->refused, "no functor describes 'A'"));
}

Test(describe_functor, some_that_use_each_other_twice_end, .timeout = 10)
{
	cr_assert(strstr(run("vec<A, 3>", ELEMENTWISE "functor \"$X\"\nfrom \"t\"\nuse functor $X at self\nuse functor $X at self\n", "")->refused, "no functor describes 'A'"));
}

Test(describe_functor, its_name_may_be_made_of_captured_texts_only)
{
	cr_assert_eq(meaning_attr(run("vec<float, 3>", "kernel \"vec<$F, 3>\"\nfrom \"t\"\nlet all = \"A\" + \"dd<\" + $F + \">\"\nuse functor all at p1\nout out0 : ret at ptr(p2)\nop x\n", ADD),
				      "alpha")->r[0], 0x1.4p-147, "it lies where it was said to lie");
	cr_assert_str_eq(run("vec<float, 3>", "kernel \"vec<$F, 3>\"\nfrom \"t\"\nuse functor i32(p0) ? \"Add<float>\" : \"\" at p1\nout out0 : ret at ptr(p2)\nop x\n", ADD)->refused,
			 "case.kd:3: the functor's name is not known before the launch");
	cr_assert_str_eq(run("vec<Add<float>, 3>", "kernel \"vec<$F, 3>\"\nfrom \"t\"\nuse functor $F at 3\nop x\n", ADD)->refused,
			 "case.kd:3: a functor lies at a place in a parameter");
}

Test(describe_functor, args_and_ret_are_types)
{
	cr_assert(strstr(run("vec<A, 3>", ELEMENTWISE, "functor \"A\"\nfrom \"t\"\nargs 3\n")->refused, "args are element types"));
	cr_assert(strstr(run("vec<A, 3>", ELEMENTWISE, "functor \"A\"\nfrom \"t\"\nret 3\n")->refused, "ret is an element type"));
	cr_assert(strstr(run("vec<A, 3>", ELEMENTWISE, "functor \"A\"\nfrom \"t\"\nargs f32 for I < 17\n")->refused, "more than 16 arguments"));
	cr_assert(strstr(run("vec<A, 3>", ELEMENTWISE, "functor \"A\"\nfrom \"t\"\nargs\n")->refused, "no functor said what it returns"));
}

Test(describe_functor, an_op_is_needed_in_the_end)
{
	cr_assert_str_eq(run("k<A>", "kernel \"k<$F>\"\nfrom \"t\"\nuse functor $F at p1\nout a : f32 at ptr(p2)\n", "functor \"A\"\nfrom \"t\"\n")->refused,
			 "case.kd:4: neither op nor nothing was said");
	cr_assert_str_eq(run("k<A>", "kernel \"k<$F>\"\nfrom \"t\"\nuse functor $F at p1\nout a : f32 at ptr(p2)\n", "functor \"A\"\nfrom \"t\"\nop y\n")->op, "y");
}
