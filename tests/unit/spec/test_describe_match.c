/* SPDX-License-Identifier: Apache-2.0 */
/* Names of kernels: the normal form, patterns, several descriptions for one name, files and folders. */
#include "describe_case.h"
#include "spec/kd.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *normal(const char *name, bool kernel)
{
	static char text[1024];

	strcpy(text, name);
	kd_normalise(text, kernel);
	return text;
}

Test(describe_match, names_lose_return_type_parameters_blanks_and_suffixes)
{
	static const struct { const char *name, *normal; } cases[] = {
		{ "void a::k<int, 3ul>(int, a::F<3ul>)", "a::k<int,3>" },
		{ "void (anonymous namespace)::k<4>(int)", "(anonymousnamespace)::k<4>" },
		{ "void a::k<f(T&)::{lambda()#1}::operator()() const::{lambda(float)#2}>(int)", "a::k<f(T&)::{lambda()#1}::operator()()const::{lambda(float)#2}>" },
		{ "void a::f(X&)::{lambda()#1}::operator()() const::k<3>(int) [clone .kd]", "a::f(X&)::{lambda()#1}::operator()()const::k<3>" },
		{ "nvjet_sm90_tst_8x64_64x16_4x1_v_bz_TNN", "nvjet_sm90_tst_8x64_64x16_4x1_v_bz_TNN" }, { "k(int)", "k" }, { "k", "k" },
		{ "void k<(E)2, -7l, x3u, a3ul>(int) const", "k<(E)2,-7,x3u,a3ul>" }, { "(anonymous namespace)::k", "(anonymousnamespace)::k" },
		{ "void k<(bool)1, unsigned int>(unsigned int)", "k<(bool)1,unsignedint>" },
		{ "std::enable_if<(((8)>(0)))&&a::C<c10::Half>::exists, void>::type a::k<c10::Half, 8>(c10::Half*)", "a::k<c10::Half,8>" },
		{ "std::enable_if<((0)==(0))||(!a::C<float>::exists), void>::type a::k<float, 0>(float*)", "a::k<float,0>" },
		{ "std::enable_if<((1)<(2)), void>::type k<3>(int)", "k<3>" }, { "std::enable_if<true, void>::kind", "std::enable_if<true,void>::kind" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		cr_assert_str_eq(normal(cases[i].name, true), cases[i].normal);
	cr_assert_str_eq(normal("f<3ul>( int )", false), "f<3>(int)");
	cr_assert_str_eq(normal("$N2ul<$3u>", false), "$N2ul<$3u>", "what a $ begins is no number");
}

/* The captured texts between semicolons; "no" when it does not match. */
static const char *match(const char *pattern, const char *name)
{
	static struct ekka_arena arena;
	static char text[4096];
	struct kd_span spans[KD_CAPTURES_MAX];
	struct kd_pattern p;

	cr_assert_null(kd_pattern_compile(&arena, pattern, &p));
	if (!kd_pattern_match(&p, name, spans))
		return "no";
	text[0] = '\0';
	for (unsigned i = 0; i < p.n_captures; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s=%.*s;", p.captures[i], (int)spans[i].n, spans[i].p);
	return text;
}

Test(describe_match, wildcards)
{
	static const struct { const char *pattern, *name, *result; } cases[] = {
		{ "k<int>", "k<int>", "" }, { "k<int>", "k<int>x", "no" }, { "k<int>", "k<in>", "no" }, { "*", "anything<a,b>", "" },
		{ "k<*>", "k<a>", "" }, { "k<*>", "k<a,b>", "no" }, { "k<**>", "k<a,b>", "" }, { "k<*>", "k<>", "" }, { "k<*>", "k<f<a,b>>", "" },
		{ "k<$A,$B>", "k<x<1,2>,y(3,4)>", "A=x<1,2>;B=y(3,4);" }, { "k<$A,$$B>", "k<a,b,c>", "A=a;B=b,c;" }, { "k<$A,$B>", "k<a>", "no" },
		{ "k<$A,$A>", "k<a,a>", "A=a;" }, { "k<$A,$A>", "k<a,b>", "no" }, { "k<$$A,$$A>", "k<a,b,a,b>", "A=a,b;" },
		{ "k$V<*>", "k_aligned<3>", "V=_aligned;" }, { "$W<$A>", "n::w<a>", "W=n::w;A=a;" }, { "*::k", "a::b::k", "" },
		{ "f(**)::*::{lambda($T)#1}", "f(a&,b)::{lambda()#3}::operator()()const::{lambda(c10::Half)#1}", "T=c10::Half;" },
		{ "k<$A>", "k<a>b>", "no" }, { "k<$A>", "k<a->b>", "A=a->b;" }, { "k<(anonymousnamespace)::$A>", "k<(anonymousnamespace)::x>", "A=x;" },
		{ "k<*>", "k<a", "no" }, { "k<*", "k<a>", "no" }, { "$A$B", "xy", "A=;B=xy;" }, { "a*", "a", "" }, { "std::array<char*,$N>", "std::array<char*,3>", "N=3;" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		cr_assert_str_eq(match(cases[i].pattern, cases[i].name), cases[i].result, "%s and %s: %s", cases[i].pattern, cases[i].name,
				 match(cases[i].pattern, cases[i].name));
}

Test(describe_match, a_pattern_that_would_take_for_ever_does_not_match, .timeout = 10)
{
	static char name[20000];

	memset(name, 'a', sizeof(name) - 1);
	cr_assert_str_eq(match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", name), "no");
}

Test(describe_match, the_first_description_whose_facts_hold_is_taken)
{
	struct ekka_describe_case c = { .name = "void k<int>(int)", .text =
		"kernel \"k<*>\"\nfrom \"t\"\nfacts params == 2\nnothing\n"
		"kernel \"void k<int>\"\nfrom \"t\"\nfacts i32(p0) == 7\nfacts bytes(p0) == 4\nlet a = 1 / 0\nnothing\n"
		"kernel \"k<$T>\"\nfrom \"t\"\nfacts i64(p0) == 7\nnothing\n"
		"kernel \"k<$T>\"\nfrom \"t\"\nnothing\n" };
	int n = 7;
	const struct ekka_meaning *m;

	PARAM(&c, n);
	m = describe_case_run(&c);
	cr_assert(m, "%s", c.problems);
	cr_assert_str_eq(m->refused, "case.kd:9: a division by zero", "a refusal does not pass on to the next");
	cr_assert_str_eq(m->description, "case.kd:5");
	n = 8;
	m = describe_case_run(&c);
	cr_assert(m->nothing && !m->op && !m->refused[0]);
	cr_assert_str_eq(m->description, "case.kd:15", "what a fact cannot read does not hold");
}

Test(describe_match, no_facts_hold)
{
	struct ekka_describe_case c = { .name = "k", .text = "kernel \"k\"\nfrom \"t\"\nfacts params == 2\nnothing\n" };

	cr_assert_str_eq(describe_case_run(&c)->refused, "the facts of no description hold");
	cr_assert_null(describe_case_run(&c)->op);
}

Test(describe_match, names_are_demangled)
{
	static const struct { const char *name, *text; } cases[] = {
		{ "_Z1fi", "f(int)" }, { "plain", "plain" }, { "_Znonsense", "_Znonsense" }, { "_ZN2at6native1kILi4EEEvT_", "void at::native::k<4>(" },
		{ "", "" }, { "_Z", "_Z" },
	};
	char text[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases) - 3; i++) {
		cr_assert(ekka_demangle(cases[i].name, text, sizeof(text)));
		cr_assert_str_eq(text, cases[i].text);
	}
	cr_assert(!ekka_demangle("_ZN2at6native1kILi4EEEvT_", text, 5));
	cr_assert_str_eq(text, "void");
	cr_assert(!ekka_demangle("plain", text, 5));
	cr_assert_str_eq(text, "plai");
}

Test(describe_match, long_and_hostile_names_end, .timeout = 10)
{
	static char name[8192], text[1 << 16];
	char *p;

	/* Longer than what the demangler takes from a stack of a megabyte: f(int****...). */
	strcpy(name, "_Z1f");
	memset(name + 4, 'P', 900);
	strcpy(name + 904, "i");
	cr_assert(ekka_demangle(name, text, sizeof(text)));
	cr_assert_eq(strlen(text), strlen("f(int)") + 900);
	/* 3000 characters of template arguments. */
	p = name + sprintf(name, "_Z1fI");
	for (int i = 0; i < 1000; i++)
		p += sprintf(p, "3abc");
	strcpy(p, "Evv");
	cr_assert(!ekka_demangle(name, text, 1000));
	cr_assert(ekka_demangle(name, text, sizeof(text)));
	cr_assert_eq(strncmp(text, "void f<abc, abc", 15), 0);
	/* Every type has the one before twice: 2^30 of them. */
	p = name + sprintf(name, "_Z1fFviiEFvS_S_E");
	for (int i = 0; i < 30; i++) {
		char c = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i];

		p += sprintf(p, "FvS%c_S%c_E", c, c);
	}
	cr_assert(!ekka_demangle(name, text, sizeof(text)));
	memset(name, 'P', sizeof(name) - 1);
	memcpy(name, "_Z1f", 4);
	cr_assert(ekka_demangle(name, text, sizeof(text)));
	cr_assert_str_eq(text, name);
}

/* ---- files and folders ---------------------------------------------------------- */

static char dir[64], problems[4096];

static void make_dir(void)
{
	strcpy(dir, "/tmp/ekka-kd-XXXXXX");
	cr_assert(mkdtemp(dir));
}

static void remove_dir(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	cr_assert_eq(system(command), 0);
}

static void put(const char *name, const char *text, size_t n)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	cr_assert(f);
	cr_assert_eq(fwrite(text, 1, n, f), n);
	cr_assert_eq(fclose(f), 0);
}

static void note(void *arg, const char *text)
{
	(void)arg;
	snprintf(problems + strlen(problems), sizeof(problems) - strlen(problems), "%s\n", text);
}

static const char *place_of(const char *paths, const char *kernel)
{
	struct ekka_launch_facts facts = { .n_params = 0 };
	static struct ekka_meaning m;
	struct ekka_descriptions *set;
	struct ekka_error err = { 0 };
	const struct ekka_binding *b;

	problems[0] = '\0';
	cr_assert_eq(ekka_descriptions_load(paths, &set, note, NULL, &err), 0);
	b = ekka_descriptions_bind(set, kernel);
	if (!b)
		return "none";
	ekka_describe(b, &facts, &m);
	return m.description;
}

#define TEXT "\nkernel \"k\"\nfrom \"t\"\nnothing\n"

Test(describe_match, folders_are_read_in_the_order_of_names_and_paths_in_theirs, .init = make_dir, .fini = remove_dir)
{
	char paths[1024], sub[128];

	put("b.kd", TEXT, strlen(TEXT));
	put("a.kd", "\n" TEXT, strlen(TEXT) + 1);
	for (char c = 'z'; c > 'b'; c--)
		put((char[]){ c, '.', 'k', 'd', '\0' }, TEXT, strlen(TEXT));
	put(".hidden.kd", "frob", 4);
	put("a.txt", "frob", 4);
	snprintf(paths, sizeof(paths), "::%s:", dir);
	cr_assert_str_eq(place_of(paths, "k"), "a.kd:3");
	cr_assert_str_eq(problems, "");
	snprintf(paths, sizeof(paths), "%s/b.kd:%s/a.kd", dir, dir);
	cr_assert_str_eq(place_of(paths, "k"), "b.kd:2");
	snprintf(sub, sizeof(sub), "%s/sub.kd", dir);
	cr_assert_eq(mkdir(sub, 0700), 0);
	cr_assert_str_eq(place_of(dir, "k"), "a.kd:3");
	cr_assert(strstr(problems, "/sub.kd': "), "a folder within a folder is no file: %s", problems);
	cr_assert_str_eq(place_of(NULL, "k"), "none");
}

Test(describe_match, what_cannot_be_read_is_said_and_the_rest_is_used, .init = make_dir, .fini = remove_dir)
{
	char paths[1024];

	put("a.kd", TEXT, strlen(TEXT));
	put("bad.kd", "kernel \"k\"\nfrob", 15);
	put("zero.kd", "kernel \"\0k\"", 11);
	snprintf(paths, sizeof(paths), "%s/missing.kd:%s/bad.kd:%s/zero.kd:%s/a.kd:/dev/zero", dir, dir, dir, dir);
	cr_assert_str_eq(place_of(paths, "k"), "a.kd:2");
	cr_assert(strstr(problems, "missing.kd': No such file or directory\nbad.kd:2: there is no statement 'frob'\n"), "%s", problems);
	cr_assert(strstr(problems, "zero.kd: it has bytes of zero: no text\n"), "%s", problems);
	cr_assert(strstr(problems, "cannot read '/dev/zero'"), "%s", problems);
}
