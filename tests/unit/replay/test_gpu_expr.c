/* SPDX-License-Identifier: Apache-2.0 */
/* Op elementwise on the GPU backend against the CPU: on the stand-in, and on the machine's own GPU if there is one. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/format.h"
#include "replay/expr_event.h"
#include "replay/gpu.h"
#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/gpu_stand_in.h"
#include "tests/unit/replay/samples.h"

/* ---- backends ---------------------------------------------------------- */

static bool own_gpu;
static bool (*real_elementwise)(struct ekka_backend *, const struct ekka_expr_work *, struct ekka_elements *);
static unsigned n_asked, n_taken;

static bool counted(struct ekka_backend *b, const struct ekka_expr_work *w, struct ekka_elements *e)
{
	bool took = real_elementwise(b, w, e);

	n_asked++;
	n_taken += took;
	return took;
}

static struct ekka_backend *open_one(bool own)
{
	struct ekka_error err = { 0 };
	struct ekka_backend *b = own ? ekka_gpu_open(EKKA_GPU_ALWAYS, &err) : ekka_gpu_open_with(&gpu_stand_in, &gpu_stand_in, EKKA_GPU_ALWAYS, &err);

	cr_assert(b || own, "%s", err.message);
	if (b) {
		real_elementwise = b->elementwise;
		b->elementwise = counted;
	}
	return b;
}

static void both(bool own, void (*check)(struct ekka_backend *))
{
	struct ekka_backend *b = open_one(own);

	if (!b)
		cr_skip_test("no GPU");
	own_gpu = own;
	check(b);
	b->close(b);
}

/* ---- random numbers ---------------------------------------------------- */

static uint64_t state;

static unsigned pick(unsigned n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % n;
}

static double between(double lo, double hi)
{
	return lo + (hi - lo) * pick(1 << 20) / (1 << 20);
}

/* ---- random expressions ------------------------------------------------- */

static char text[4000];

static void say(const char *s)
{
	strcat(text, s);
}

static void integer(unsigned depth);
static void real(unsigned depth);

/* A function of operands of one kind: between the parts of `form`, split at %. */
static void compose(const char *form, void (*operand)(unsigned), unsigned depth)
{
	for (; *form; form++) {
		char c[2] = { *form, 0 };

		if (*form == '%')
			operand(depth);
		else
			say(*form == '@' ? "%" : c);
	}
}

static void condition(unsigned depth)
{
	static const char *const of_reals[] = { "% < %", "% >= %", "% == %", "% != %", "isnan(%)", "isfinite(%)", "isinf(%)" };
	static const char *const of_ints[] = { "% <= %", "% > %", "% != %", "% && %", "% || %", "!%" };

	say("(");
	if (pick(2))
		compose(of_reals[pick(sizeof of_reals / sizeof *of_reals)], real, depth);
	else
		compose(of_ints[pick(sizeof of_ints / sizeof *of_ints)], integer, depth);
	say(")");
}

static void integer(unsigned depth)
{
	static const char *const leaves[] = { "k", "i0", "i1", "i2", "3", "k", "u", "count" };
	static const char *const forms[] = { "(% + %)", "(% - %)", "(% * %)", "(% & %)", "(% | %)", "(% ^ %)", "(% @ %)", "(% / %)", "(% << 2)", "(% >> 1)",
					     "min(%, %)", "max(%, %)", "(~%)", "abs(%)", "sign(%)", "(-%)", "u8(%)", "i16(%)", "u32(%)", "u64(%)", "i64(%)" };

	if (depth == 0 || pick(4) == 0) {
		say(leaves[pick(sizeof leaves / sizeof *leaves)]);
	} else if (pick(5) == 0) {
		condition(depth - 1);
		say(" ? ");
		integer(depth - 1);
		say(" : ");
		integer(depth - 1);
	} else if (pick(5) == 0) {
		compose("i32(%)", real, depth - 1);
	} else {
		compose(forms[pick(sizeof forms / sizeof *forms)], integer, depth - 1);
	}
}

static void real(unsigned depth)
{
	static const char *const leaves[] = { "a", "b", "c", "a", "b", "0.5", "alpha", "1.3", "2", "t[i1]" };
	static const char *const forms[] = { "(% + %)", "(% - %)", "(% * %)", "(% / %)", "(% * % + %)", "fma(%, %, %)", "max(%, %)", "min(%, %)", "(-%)", "abs(%)",
					     "sign(%)", "fmod(%, %)", "clamp(%, -1, %)", "relu(%)", "bf16(%)", "f16(%)", "e4m3(%)", "e5m2(%)", "f32(%)", "pow(abs(%), 1.5)",
					     "pow(%, 3)" };
	static const char *const functions[] = { "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh",
						 "asin", "acos", "atan", "erf", "erfc", "sigmoid", "silu", "softplus", "gelu", "gelu_tanh", "gelu_quick", "floor", "ceil",
						 "trunc", "rint", "round" };

	if (depth == 0 || pick(5) == 0) {
		say(leaves[pick(sizeof leaves / sizeof *leaves)]);
	} else if (pick(3) == 0) {
		say(functions[pick(sizeof functions / sizeof *functions)]);
		compose("(%)", real, depth - 1);
	} else if (pick(6) == 0) {
		condition(depth - 1);
		say(" ? ");
		real(depth - 1);
		say(" : ");
		real(depth - 1);
	} else if (pick(6) == 0) {
		compose("f32(%)", integer, depth - 1);
	} else if (pick(8) == 0) {
		compose("m[abs(%) @ 4, i0]", integer, depth - 1);
	} else {
		compose(forms[pick(sizeof forms / sizeof *forms)], real, depth - 1);
	}
}

/* ---- events ------------------------------------------------------------ */

/* 7 x 6 x 5 elements: the ways in which tensors lie, and are repeated. Room for all of them. */
enum { N = 7 * 6 * 5, ROOM = 2 * N };
static const struct { const char *dims, *strides; } layouts[] = {
	{ "7x6x5", NULL }, { "7x6x5", "1x7x42" }, { "7x6x5", "60x10x2" }, { "7x6x5", "-30x5x1" }, { "6x1", NULL }, { "5", NULL }, { "7x1x1", NULL }, { "1", NULL },
	{ "6x5", "1x6" }, { "7x1x5", "5x5x1" },
};
enum { LAYOUTS = sizeof layouts / sizeof layouts[0], DENSE = 4 };

static const enum ekka_dtype floats[] = { EKKA_F32, EKKA_BF16, EKKA_F16, EKKA_F64, EKKA_E4M3, EKKA_E5M2 };
static const enum ekka_dtype wholes[] = { EKKA_I64, EKKA_I32, EKKA_U8, EKKA_I8, EKKA_I16, EKKA_U32 };

static struct fake_event f;
static unsigned char bytes[8][ROOM * 8];

/* Overflow is infinity, or NaN. */
static void put(enum ekka_dtype t, void *to, int64_t i, double v)
{
	struct ekka_format format = ekka_format_of(t);

	samples_put(t, to, i, ekka_dtype_is_integer(t) ? v : ekka_format_round(&format, v, t == EKKA_E4M3));
}

static void fill(enum ekka_dtype t, void *to, unsigned n, bool odd)
{
	static const double special[] = { 0, -0.0, INFINITY, -INFINITY, NAN, 1e-40, 0x1p-149, 6e-8, 65504, 3.3e38, -1e38, 1, -1, 100 };

	for (unsigned i = 0; i < n; i++)
		put(t, to, i, odd && pick(8) == 0 ? special[pick(14)] : between(-3, 3));
}

static void fill_ints(enum ekka_dtype t, void *to, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		samples_put(t, to, i, pick(9) == 0 ? 0 : (double)pick(200) - (t == EKKA_U8 || t == EKKA_U32 ? 0 : t == EKKA_I8 ? 100 : 50));
}

static void input(const char *name, enum ekka_dtype t, unsigned layout, void *from)
{
	fake_event_tensor(&f, name, EKKA_IN, t, layouts[layout].dims, layouts[layout].strides, from, NULL);
}

/* Where element e of the output `t` lies. */
static int64_t place(const struct ekka_tensor *t, int64_t e)
{
	int64_t at = t->offset;

	for (unsigned d = t->n_dims; d-- > 0; e /= t->dim[d])
		at += e % t->dim[d] * t->stride[d];
	return at;
}

/* What an honest kernel might have stored to output k: within the errors, most of the time well within. */
static void store(const struct ekka_expr_result *r, size_t i, const struct ekka_tensor *t, unsigned char *to, int64_t e)
{
	double err = r->error[i] < INFINITY ? r->error[i] : 0, v = r->ints ? (double)r->ints[i] : r->re[i] + (isfinite(r->re[i]) ? between(-0.9, 0.9) * err : 0);

	if (r->ints && ekka_dtype_is_integer(t->dtype))
		memcpy(to + place(t, e) * (int64_t)ekka_dtype_bytes(t->dtype), &r->ints[i], ekka_dtype_bytes(t->dtype));
	else
		put(t->dtype, to, place(t, e), ekka_dtype_is_integer(t->dtype) ? trunc(v) : v);
}

/* Fills the outputs out0, out1... of the event, which are its first tensors; false: the expression is refused. */
static bool compute(unsigned n_outputs)
{
	static const char *const texts[] = { "expr", NULL };
	struct ekka_replay_options o = { 0 };
	struct ekka_op_context ctx = { .trace = &f.trace, .options = &o };
	struct ekka_verdict v = { 0 };
	struct ekka_error err = { 0 };
	struct ekka_expr_event x = { .ctx = &ctx, .event = &f.event, .verdict = &v };
	struct ekka_expr *expr = NULL;
	struct ekka_expr_result result[EKKA_EXPR_RESULTS];
	bool good = ekka_expr_event_dims(&x, &f.tensor[0]) && ekka_expr_event_init(&x, texts, &err) > 0 && ekka_expr_event_parse(&x, "expr", &expr, &err) > 0;

	if (good) {
		struct ekka_expr_state *s = ekka_expr_state_new(expr);

		ekka_expr_event_load(&x, 0, N);
		ekka_expr_event_eval(&x, expr, s, N, result);
		for (unsigned k = 0; k < n_outputs; k++)
			for (int64_t e = 0; e < (f.tensor[k].n_dims ? N : 1); e++)
				store(&result[k], (size_t)e, &f.tensor[k], bytes[k], e);
		ekka_expr_state_free(s);
	}
	ekka_expr_free(expr);
	ekka_expr_event_release(&x);
	return good;
}

/*
 * Margins, errors, bounds. The CPU's exp of blocks is not the stand-in's, a GPU's functions are neither: references differ in their last places, which operands' errors
 * outweigh by far.
 */
static bool near(double a, double b)
{
	return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= (own_gpu ? 1e-6 : 1e-8 * (fabs(a) + fabs(b)));
}

/* Judged alike on both; was it judged on the device. */
static bool alike(struct ekka_backend *b, struct ekka_verdict *ret)
{
	struct ekka_verdict cpu = fake_event_judge(&f), gpu;
	unsigned taken = n_taken;
	char note[EKKA_TEXT];

	gpu = fake_event_judge_on(&f, b);
	cr_expect_eq(cpu.status, gpu.status, "%s: %s on the CPU, %s on the GPU: margins %g and %g", text, ekka_status_name(cpu.status), ekka_status_name(gpu.status),
		     cpu.margin, gpu.margin);
	cr_expect(near(cpu.margin, gpu.margin), "%s: margins %.17g and %.17g", text, cpu.margin, gpu.margin);
	cr_expect(own_gpu || (near(cpu.max_abs_error, gpu.max_abs_error) && (cpu.margin == 0 || near(cpu.max_bound, gpu.max_bound))),
		  "%s: errors %.17g and %.17g, bounds %.17g and %.17g", text, cpu.max_abs_error, gpu.max_abs_error, cpu.max_bound, gpu.max_bound);
	cr_expect(cpu.n_elements == gpu.n_elements && cpu.n_bad == gpu.n_bad, "%s: %llu and %llu elements, %llu and %llu bad", text,
		  (unsigned long long)cpu.n_elements, (unsigned long long)gpu.n_elements, (unsigned long long)cpu.n_bad, (unsigned long long)gpu.n_bad);
	if (!own_gpu)
		cr_expect_str_eq(cpu.reason, gpu.reason, "%s", text);
	cr_expect_str_eq(cpu.bound, gpu.bound);
	cr_expect_str_eq(cpu.where, gpu.where);
	cr_expect_str_eq(cpu.looks_like, gpu.looks_like);
	cr_expect_str_eq(cpu.audit, gpu.audit);
	b->note(b, note);
	cr_expect_str_eq(note, "");
	*ret = cpu;
	return n_taken > taken;
}

/* An event with a random expression in `text`. */
static bool random_event(uint64_t seed)
{
	enum ekka_dtype t = floats[pick(4) ? pick(3) : pick(6)], k = wholes[pick(6)], out = pick(4) ? t : pick(3) ? EKKA_F32 : wholes[pick(6)];
	bool odd = seed % 3 == 0, is_int = pick(6) == 0;

	text[0] = '\0';
	(is_int ? integer : real)(1 + pick(3));
	out = is_int && pick(3) ? wholes[pick(6)] : out;
	fill(t, bytes[2], ROOM, odd);
	fill(t, bytes[3], ROOM, odd);
	fill(EKKA_F32, bytes[4], ROOM, odd);
	fill_ints(k, bytes[5], ROOM);
	fill(EKKA_BF16, bytes[6], ROOM, false);
	memset(bytes[7], (int)(seed & 0xff), sizeof bytes[7]);
	fake_event_init(&f, "elementwise");
	fake_event_text(&f, "expr", text);
	fake_event_real(&f, "alpha", 0.3);
	fake_event_int(&f, "count", 5);
	fake_event_tensor(&f, "out0", EKKA_OUT, out, "7x6x5", layouts[pick(DENSE)].strides, NULL, bytes[0]);
	input("a", t, pick(LAYOUTS), bytes[2]);
	input("b", t, pick(LAYOUTS), bytes[3]);
	input("c", EKKA_F32, pick(LAYOUTS), bytes[4]);
	input("k", k, pick(LAYOUTS), bytes[5]);
	input("u", EKKA_U64, pick(LAYOUTS), bytes[7]);
	fake_event_tensor(&f, "t", EKKA_IN, EKKA_BF16, "6", "3", bytes[6], NULL);
	fake_event_tensor(&f, "m", EKKA_IN, EKKA_F32, "4x7", "1x4", bytes[4], NULL);
	return compute(1);
}

static void random_expressions(struct ekka_backend *b)
{
	unsigned n = 0, n_pass = 0, n_taken_here = 0, n_fit = 0;

	for (uint64_t seed = 1; seed <= 1500; seed++) {
		struct ekka_verdict v;
		bool took;

		state = seed * 977;
		if (!random_event(seed))
			continue;
		n++;
		took = alike(b, &v);
		n_pass += v.status == EKKA_PASS;
		n_taken_here += took;
		n_fit += v.status == EKKA_PASS || v.status == EKKA_UNDECIDED;
		cr_expect(!took || v.status == EKKA_PASS || v.status == EKKA_UNDECIDED);
	}
	cr_expect(n > 1300 && n_pass > n / 2, "%u of %u events pass", n_pass, n);
	/* The others: f64, and tables that are read out of range where the value is not used. */
	cr_expect(n_taken_here > n_fit * 97 / 100, "%u of %u were judged on the device", n_taken_here, n_fit);
}

Test(gpu_expr, expressions_are_judged_alike_on_the_stand_in) { both(false, random_expressions); }
Test(gpu_expr, expressions_are_judged_alike_on_the_gpu) { both(true, random_expressions); }

/* ---- what is special ---------------------------------------------------- */

/* An event of f32 tensors a [7, 6, 5], b [5] and integers k [7, 6, 5] with this expression. */
static void event_in(const char *compute_type, const char *expr, const char *out1_dims)
{
	memmove(text, expr, strlen(expr) + 1);
	state = 17;
	fill(EKKA_F32, bytes[2], ROOM, false);
	fill(EKKA_F32, bytes[3], ROOM, false);
	fill_ints(EKKA_I32, bytes[5], ROOM);
	fake_event_init(&f, "elementwise");
	fake_event_text(&f, "expr", text);
	fake_event_text(&f, "compute", compute_type);
	fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "7x6x5", NULL, NULL, bytes[0]);
	if (out1_dims)
		fake_event_tensor(&f, "out1", EKKA_OUT, EKKA_I32, out1_dims, NULL, NULL, bytes[1]);
	input("a", EKKA_F32, 0, bytes[2]);
	input("b", EKKA_F32, 5, bytes[3]);
	input("k", EKKA_I32, 0, bytes[5]);
	memset(bytes[7], 0xf1, sizeof bytes[7]);
	input("u", EKKA_U64, 0, bytes[7]);
	cr_assert(compute(out1_dims ? 2 : 1));
}

static void event(const char *expr, const char *out1_dims)
{
	event_in("f32", expr, out1_dims);
}

static void outputs(struct ekka_backend *b)
{
	static const char *const dims[] = { "7x6x5", "" };

	for (unsigned i = 0; i < 2; i++) {
		struct ekka_verdict v;

		event("out0 = exp(a) * b; out1 = k * 3 + i2", dims[i]);
		cr_expect(alike(b, &v), "two outputs");
		cr_expect_eq(v.status, EKKA_PASS);
		cr_expect_eq(v.n_elements, i ? N + 1 : 2 * N);
		bytes[1][0] ^= 1;
		cr_expect(!alike(b, &v), "the second one is wrong");
		cr_expect(v.status == EKKA_FAIL && v.n_bad == 1 && !strcmp(v.output, "out1"));
	}
}

Test(gpu_expr, several_outputs_are_judged_on_the_stand_in) { both(false, outputs); }
Test(gpu_expr, several_outputs_are_judged_on_the_gpu) { both(true, outputs); }

/* What chance finds seldom: an operand's error where there is but one operand, contracted products of doubles, those that overflow before a sum, integers without sign. */
static void seldom(struct ekka_backend *b)
{
	static const struct { const char *compute, *expr; } cases[] = {
		{ "f32", "exp(a) * (~k)" }, { "f32", "exp(a) * (!k)" }, { "f64", "a * b * a + b" }, { "f64", "a * b * a" }, { "f32", "a * 1e30 * 1e30 - b" },
		{ "f32", "a * 3e38 + b * 3e38" }, { "f32", "u / 3 > 5" }, { "f32", "u % 1000" }, { "f32", "max(u, 5) == u" }, { "f32", "f32(u >> 3)" },
	};

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ekka_verdict v;

		event_in(cases[i].compute, cases[i].expr, NULL);
		cr_expect(alike(b, &v), "%s: %s", cases[i].expr, ekka_status_name(v.status));
	}
}

Test(gpu_expr, what_is_seldom_is_judged_alike_on_the_stand_in) { both(false, seldom); }
Test(gpu_expr, what_is_seldom_is_judged_alike_on_the_gpu) { both(true, seldom); }

static void wrong_elements(struct ekka_backend *b)
{
	struct ekka_verdict v;

	event("silu(a) * b", NULL);
	cr_expect(alike(b, &v));
	samples_nudge(EKKA_F32, bytes[0], 77, 400);
	cr_expect(!alike(b, &v));
	cr_expect(v.status == EKKA_FAIL && v.n_bad == 1 && v.n_worst == 3 && v.worst[0] == 2 && v.worst[1] == 3 && v.worst[2] == 2);
	event("a * b", NULL);
	for (int i = 0; i < N; i++)
		samples_put(EKKA_F32, bytes[0], i, 2 * samples_get(EKKA_F32, bytes[0], i));
	cr_expect(!alike(b, &v));
	cr_expect(v.looks_like[0], "a factor is seen");
}

Test(gpu_expr, what_is_wrong_the_cpu_explains_on_the_stand_in) { both(false, wrong_elements); }
Test(gpu_expr, what_is_wrong_the_cpu_explains_on_the_gpu) { both(true, wrong_elements); }

/* What a table has not is a finding, and the result unknown; where the value is not used it does not matter. */
static void outside(struct ekka_backend *b)
{
	static const struct { const char *expr; bool used; } cases[] = { { "b[i2 + (i0 == 3) * 1000000000]", true }, { "i0 == 3 ? 0.5 : b[i2 + (i0 == 3) * 1000000000]", false } };

	for (unsigned i = 0; i < 2; i++) {
		struct ekka_verdict v;

		event(cases[i].expr, NULL);
		cr_expect_eq(alike(b, &v), !cases[i].used, "%s", cases[i].expr);
		cr_expect_eq(v.audit[0] != 0, cases[i].used);
	}
}

Test(gpu_expr, reads_out_of_range_are_told_on_the_stand_in) { both(false, outside); }
Test(gpu_expr, reads_out_of_range_are_told_on_the_gpu) { both(true, outside); }

/* Functions of doubles have bounds of a few of their last places, and programs may be too large: the CPU does them. */
static void declined(struct ekka_backend *b)
{
	static const char *const sums[] = { "exp(a)", "pow(abs(a), 1.5)" };
	struct ekka_verdict v;

	for (unsigned i = 0; i < 2; i++) {
		event(sums[i], NULL);
		cr_expect(alike(b, &v));
		event_in("f64", sums[i], NULL);
		cr_expect(!alike(b, &v), "%s in f64", sums[i]);
	}
	event_in("f64", "sqrt(abs(a)) + floor(b)", NULL);
	cr_expect(alike(b, &v), "these are exact in f64");
	memset(text, 0, sizeof text);
	for (int i = 0; i < 26; i++)
		(void)sprintf(text + strlen(text), "(a * %d.5 + ", i);
	say("b");
	for (int i = 0; i < 26; i++)
		say(")");
	event(text, NULL);
	cr_expect(!alike(b, &v), "more registers than there are");
	cr_expect_eq(v.status, EKKA_PASS);
}

Test(gpu_expr, what_does_not_fit_is_left_to_the_cpu) { both(false, declined); }

/* Whatever fails on the device is done by the CPU, and said. */
Test(gpu_expr, a_device_that_fails_or_has_no_memory_changes_nothing)
{
	for (int after = -1; after < 3; after++) {
		struct ekka_verdict cpu, gpu;
		struct ekka_backend *b;
		char note[EKKA_TEXT];

		event("out0 = gelu(a); out1 = k + 1", "7x6x5");
		cpu = fake_event_judge(&f);
		gpu_launches = 0;
		gpu_fail_after = -1;
		b = open_one(false);
		gpu_fail_after = after;
		gpu_memory_lacks = after < 0;
		gpu = fake_event_judge_on(&f, b);
		gpu_memory_lacks = false;
		gpu_fail_after = -1;
		cr_expect(gpu.status == EKKA_PASS && near(gpu.margin, cpu.margin) && gpu.n_elements == cpu.n_elements, "after %d: %s", after, ekka_status_name(gpu.status));
		b->note(b, note);
		cr_expect(after == 2 || strstr(note, after < 0 ? "no memory" : "failed (CUDA error 719)"), "after %d: '%s'", after, note);
		cr_expect_eq(n_taken, after == 2, "after %d", after);
		b->close(b);
	}
}
