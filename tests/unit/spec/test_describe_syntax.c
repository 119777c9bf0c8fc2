/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a description file is said with file and line, and the file is left away whole. */
#include "describe_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define K "kernel \"k<$T>\"\nfrom \"a test\"\n"		/* two lines */

static const char *problem(const char *text)
{
	static struct ekka_describe_case c;

	c = (struct ekka_describe_case){ .text = text, .name = "k<int>" };
	cr_assert_null(describe_case_run(&c), "it was used: %s", text);
	return c.problems;
}

Test(describe_syntax, errors_name_file_line_and_cause)
{
	static const struct { const char *text, *why; } cases[] = {
		{ "op norm\n", "case.kd:1: a file begins with 'kernel' or 'functor'" },
		{ "kernel\n", "case.kd:1: the pattern is missing" },
		{ "kernel \"\"\nfrom \"t\"\nnothing\n", "the pattern is empty" },
		{ "kernel \"a$<\"\nfrom \"t\"\nnothing\n", "case.kd:1: the pattern has a '$' without a name" },
		{ "kernel \"k\"\nnothing\n", "case.kd:3: the description before has no 'from'" },
		{ "kernel \"k\"\nfrom \"t\"\n", "case.kd:3: the description before has neither 'op' nor 'nothing'" },
		{ "kernel \"k\"\nfrom \"t\"\nkernel \"l\"\nfrom \"t\"\nnothing\n", "case.kd:3: the description before has neither" },
		{ "kernel \"k\nfrom", "case.kd:1: a text without its closing quote" },
		{ K "from t\n", "case.kd:3: version and file is missing" },
		{ K "frobnicate 3\n", "case.kd:3: there is no statement 'frobnicate'" },
		{ K "3\n", "case.kd:3: a statement is missing" },
		{ K "nothing 3\n", "case.kd:3: the statement is complete, but the line goes on" },
		{ K "\n\n# comment\nlet = 3\nnothing\n", "case.kd:6: the name of the value is missing" },
		{ K "let a 3\n", "case.kd:3: '=' and the value is missing" },
		{ K "let a =\n", "case.kd:3: a value is missing" },
		{ K "let a = 3\nlet a = 4\n", "case.kd:4: 'a' has a value already" },
		{ K "let p3 = 1\n", "'p3' has a meaning of its own" }, { K "let f32 = 1\n", "'f32' has a meaning of its own" },
		{ K "let min = 1\n", "'min' has a meaning of its own" }, { K "let grid_x = 1\n", "'grid_x' has a meaning of its own" },
		{ K "let if = 1\n", "'if' has a meaning of its own" },
		{ K "let a = b\n", "case.kd:3: nothing is called 'b'" }, { K "let a = $U\n", "case.kd:3: the pattern has no $U" },
		{ K "let a = $\n", "a '$' without a name" }, { K "let a = frob(3)\n", "there is no function 'frob'" },
		{ K "let a = min(3)\n", "',' and another argument is missing" }, { K "let a = abs(3, 4)\n", "')' behind the arguments is missing" },
		{ K "let a = (3\n", "')' is missing" }, { K "let a = 3 +\n", "a value is missing" }, { K "let a = 1 ? 2\n", "':' of a '?' is missing" },
		{ K "let a = 12x\n", "a number with 'x' in it" }, { K "let a = 99999999999999999999\n", "does not fit 64 bits" },
		{ K "let a = 3 @ 4\n", "a character that means nothing here (byte 64)" }, { K "let a = \"{b}\"\n", "nothing is called 'b'" },
		{ K "let a = sum(3)\n", "a loop's variable is missing" }, { K "let a = sum(I : 3)\n", "'<' behind a loop's variable is missing" },
		{ K "let a = sum(I < 3 I)\n", "':' behind a loop's range is missing" }, { K "let a = sum(I < 3 : J)\n", "nothing is called 'J'" },
		{ K "let a = sum(I < 3 : 1) + I\n", "nothing is called 'I'" }, { K "let I = 1\nlet a = sum(I < 3 : 1)\n", "case.kd:4: 'I' has a value already" },
		{ K "facts\n", "a value is missing" }, { K "check 3\n", "the reason is missing: a text in quotes" }, { K "check \"r\"\n", "a value is missing" },
		{ K "op\n", "the op's name is missing" }, { K "attr = 3\n", "the attribute's name is missing" }, { K "attr a 3\n", "'=' and the attribute's value" },
		{ K "attr a{I} = 3\n", "nothing is called 'I'" }, { K "attr a{ = 3\n", "'a{' is no name" },
		{ K "in\n", "the tensor's name is missing" }, { K "in x\n", "':' and the tensor's type is missing" },
		{ K "in x : f32\n", "'at' and the tensor's address are missing" }, { K "in x : f32 at ptr(p0) strides 1\n", "strides without dims" },
		{ K "in x : f32 at ptr(p0) dims\n", "a value is missing" }, { K "in x : f32 at ptr(p0) dims 1,\n", "a value is missing" },
		{ K "in x : f32 at ptr(p0) dims J for J 3\n", "'<' behind a loop's variable is missing" },
		{ K "in x : f32 at ptr(p0) if\n", "a value is missing" }, { K "use $T\n", "'functor' is missing" },
		{ K "use functor $T\n", "'at' and the functor's place are missing" }, { K "use functor $T at p0 with\n", "the name that is replaced is missing" },
		{ K "use functor $T at p0 with a\n", "'=' and what replaces the name is missing" },
		{ K "each I < 2 op x\n", "':' behind the range is missing" }, { K "each I < 2 : op x\n", "a loop takes in, out, inout, attr, check or each" },
		{ K "each I < 2 : each J < 2 : each K < 2 : each L < 2 : each M < 2 : attr a = 1\n", "more than 4 loops in each other" },
		{ K "ret\n", "a value is missing" }, { K "args f32,\n", "a value is missing" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		cr_assert(strstr(problem(cases[i].text), cases[i].why), "%s: '%s'", cases[i].text, problem(cases[i].text));
}

Test(describe_syntax, one_error_in_a_file_leaves_all_of_it_away)
{
	cr_assert(strstr(problem("kernel \"k<*>\"\nfrom \"t\"\nnothing\nkernel \"l\"\nfrom \"t\"\nfrob\n"), "case.kd:6: "));
}

Test(describe_syntax, comments_continued_lines_and_blanks)
{
	struct ekka_describe_case c = { .name = "k<int>", .text =
		"# a comment\r\n\n  # another\n\tkernel \"k<$T>\" # behind a statement\nfrom \"t # no comment\"\r\n"
		"out out0 : \\\n  f32 \\  \r\n at 4096 # the end\nop x\nlet a = 1 / 0" };

	cr_assert_str_eq(describe_case_run(&c)->refused, "case.kd:10: a division by zero");
	cr_assert_str_eq(c.problems, "");
}

/* A text of `n` copies of `part` between `head` and `tail`. */
static char *repeated(const char *head, const char *part, unsigned n, const char *tail)
{
	static char text[1 << 20];
	char *p = text + strlen(head);

	cr_assert_lt(strlen(head) + n * strlen(part) + strlen(tail), sizeof(text));
	strcpy(text, head);
	for (unsigned i = 0; i < n; i++, p += strlen(part))
		strcpy(p, part);
	strcpy(p, tail);
	return text;
}

Test(describe_syntax, depths_and_numbers_are_limited)
{
	cr_assert(strstr(problem(repeated(K "let a = ", "(", 100000, "1\n")), "an expression more than 64 deep"));
	cr_assert(strstr(problem(repeated(K "let a = ", "-", 100000, "1\n")), "an expression more than 64 deep"));
	cr_assert(strstr(problem(repeated(K "let a = ", "1+", 100000, "1\n")), "an expression more than 64 deep"));
	cr_assert(strstr(problem(repeated(K "let a = ", "1?", 100000, "1\n")), "an expression more than 64 deep"));
	cr_assert(strstr(problem(repeated(K "let a = ", "1?1:", 100000, "1\n")), "an expression more than 64 deep"));
	cr_assert(strstr(problem(repeated(K "let a = ", "abs(", 100000, "1\n")), "an expression more than 64 deep"));
	cr_assert(strstr(problem(repeated("kernel \"", "*a", 64, "\"\nfrom \"t\"\nnothing\n")), "the pattern has too many wildcards"));
	cr_assert(strstr(problem(repeated("kernel \"", "a", 100000, "")), "a text without its closing quote"));
}

Test(describe_syntax, more_names_than_there_are_places_for)
{
	char text[4096] = K;

	for (int i = 0; i < 65; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "let a%d = %d\n", i, i);
	cr_assert(strstr(problem(text), "case.kd:67: more than 64 names"));
}

Test(describe_syntax, places_of_loop_variables_are_used_again)
{
	char *text = repeated(K "out out0 : f32 at 4096\nop x\n", "attr v = sum(I < 3 : I)\n", 200, "");
	struct ekka_describe_case c = { .text = text, .name = "k<int>" };
	const struct ekka_meaning *m = describe_case_run(&c);

	cr_assert(m, "%s", c.problems);
	cr_assert_eq(meaning_attr(m, "v")->i, 3);
	cr_assert_eq(m->n_attrs, 1);
}
