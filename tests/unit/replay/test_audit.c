/* SPDX-License-Identifier: Apache-2.0 */
/* Audits without a reference: planted cases of each, and what must not be reported. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/arguments.h"
#include "replay/audit_bytes.h"
#include "tests/unit/replay/fake_event.h"

enum { N = 1024 };

static uint64_t state;

static double gauss(void)
{
	double sum = -6;

	for (int i = 0; i < 12; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		sum += (double)(state >> 11) * 0x1p-53;
	}
	return sum;
}

/* Numbers of a scale, as f32. */
static void numbers(float *x, size_t n, double scale)
{
	state = 7;
	for (size_t i = 0; i < n; i++)
		x[i] = (float)(gauss() * scale);
}

static void to_bf16(const float *x, size_t n, uint16_t *ret)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t bits;

		memcpy(&bits, &x[i], 4);
		ret[i] = (uint16_t)(bits >> 16);
	}
}

/* Truncated; no number here is too large. */
static void to_f16(const float *x, size_t n, uint16_t *ret)
{
	for (size_t i = 0; i < n; i++) {
		int e;
		double m = frexp(fabs((double)x[i]), &e);
		unsigned bits = e < -13 ? (unsigned)ldexp(m, e + 24) : (unsigned)(e + 14) << 10 | ((unsigned)ldexp(m, 11) & 0x3ff);

		ret[i] = (uint16_t)(x[i] == 0 ? 0 : bits | (x[i] < 0 ? 0x8000u : 0));
	}
}

/* The audit of one input. */
static const char *audit(const char *name, enum ekka_dtype type, const char *dims, const void *bytes)
{
	static struct ekka_verdict v;
	struct fake_event *f = malloc(sizeof(*f));

	v = (struct ekka_verdict){ 0 };
	fake_event_init(f, "elementwise");
	fake_event_tensor(f, name, EKKA_IN, type, dims, NULL, bytes, NULL);
	ekka_audit_bytes(NULL, &f->trace, &f->event, &v);
	free(f);
	return v.audit;
}

Test(audit, a_type_that_the_bits_belie)
{
	float *x = malloc(N * sizeof(*x));
	uint16_t *h = malloc(2 * N * sizeof(*h));
	uint64_t *q = malloc(N * sizeof(*q));

	for (double scale = 1e-3; scale < 2e3; scale *= 1e3) {
		numbers(x, N, scale);
		cr_expect_str_eq(audit("x", EKKA_BF16, "2048", x), "x, taken for bf16, looks like f32 numbers", "%g", scale);
		cr_expect_str_eq(audit("x", EKKA_F16, "2048", x), "x, taken for f16, looks like f32 numbers", "%g", scale);
		cr_expect_str_eq(audit("x", EKKA_F32, "1024", x), "", "%g", scale);
		to_bf16(x, N, h);
		cr_expect_str_eq(audit("x", EKKA_F32, "512", h), "x, taken for f32, looks like 16-bit floating-point numbers");
		cr_expect_str_eq(audit("x", EKKA_BF16, "1024", h), "");
		to_f16(x, N, h);
		cr_expect_str_eq(audit("x", EKKA_F16, "1024", h), "", "%g", scale);
	}
	numbers(x, N, 1);
	to_bf16(x, N, h);
	cr_expect_str_eq(audit("x", EKKA_F16, "1024", h), "x, taken for f16, looks like bf16 numbers");
	to_f16(x, N, h);
	cr_expect_str_eq(audit("x", EKKA_F32, "512", h), "x, taken for f32, looks like 16-bit floating-point numbers");
	for (uint64_t i = 0; i < N; i++)
		q[i] = i * 5 % 1000;
	cr_expect_str_eq(audit("x", EKKA_F64, "1024", q), "x, taken for f64, looks like integers");
	cr_expect_str_eq(audit("x", EKKA_I64, "1024", q), "");
	cr_expect_str_eq(audit("x", EKKA_F32, "2048", q), "x, taken for f32, looks like integers");
	for (uint64_t i = 0; i < N; i++)
		q[i] = (i * 7 % 1000) << 32 | (i * 5 % 1000);
	cr_expect_str_eq(audit("x", EKKA_I64, "1024", q), "x, taken for i64, looks like 32-bit integers");
	cr_expect_str_eq(audit("x", EKKA_I32, "2048", q), "");
	free(x);
	free(h);
	free(q);
}

/* A launch that was described afterwards: the tensor is a part of a raw buffer. */
Test(audit, a_type_in_a_raw_buffer)
{
	struct fake_event *f = malloc(sizeof(*f));
	float *x = malloc(N * sizeof(*x));
	struct ekka_verdict v = { 0 };

	numbers(x, N, 1);
	for (int ahead = 0; ahead < 2; ahead++) {
		memset(&v, 0, sizeof(v));
		fake_event_init(f, "elementwise");
		fake_event_tensor(f, "in0", EKKA_IN, EKKA_BF16, "1792", NULL, NULL, NULL);
		fake_event_tensor(f, "p0", EKKA_IN, EKKA_U8, "4096", NULL, x, NULL);
		f->tensor[0].alias_of = 1;
		f->tensor[0].addr = f->tensor[1].addr + (ahead ? 514 : 512);
		ekka_audit_bytes(NULL, &f->trace, &f->event, &v);
		cr_expect_str_eq(v.audit, ahead ? "" : "in0, taken for bf16, looks like f32 numbers");	/* at odd places they are the low halves */
	}
	f->tensor[0].addr = f->tensor[1].addr + 4096 - 3582;	/* two bytes too far */
	f->tensor[0].span_bytes = 3584;
	v.audit[0] = '\0';
	ekka_audit_bytes(NULL, &f->trace, &f->event, &v);
	cr_expect_str_eq(v.audit, "");
	free(x);
	free(f);
}

/* What real tensors hold that are no plain numbers. */
Test(audit, a_type_that_nothing_belies)
{
	float *x = calloc(N, sizeof(*x));
	uint16_t *h = calloc(2 * N, sizeof(*h));

	cr_expect_str_eq(audit("x", EKKA_F32, "1024", x), "", "zeros");
	for (int i = 0; i < N; i++)
		x[i] = 0.1f;
	cr_expect_str_eq(audit("x", EKKA_BF16, "2048", x), "", "too few different words to tell");
	cr_expect_str_eq(audit("x", EKKA_F32, "1024", x), "", "a constant");
	for (int i = 0; i < N; i++)
		x[i] = (float)i;
	cr_expect_str_eq(audit("x", EKKA_F32, "1024", x), "", "whole numbers");
	for (int i = 0; i < N; i++)
		x[i] = (float)i / 1000 - 0.5f;
	cr_expect_str_eq(audit("x", EKKA_F32, "1024", x), "", "a ramp");
	numbers(x, N, 1);
	to_bf16(x, N, h);
	for (int i = 0; i < N; i++) {
		uint32_t bits = (uint32_t)h[i] << 16;

		memcpy(&x[i], &bits, 4);
	}
	cr_expect_str_eq(audit("x", EKKA_F32, "1024", x), "", "f32 out of bf16");
	for (int i = 0; i < N; i++)
		x[i] *= x[N - 1 - i];
	cr_expect_str_eq(audit("x", EKKA_F32, "1024", x), "", "products of bf16");
	for (int i = 0; i < 2 * N; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		h[i] = (uint16_t)(state >> 40);
	}
	for (enum ekka_dtype t = EKKA_F16; t <= EKKA_BF16; t++)
		cr_expect_str_eq(audit("x", t, "2048", h), "", "random bits");
	cr_expect_str_eq(audit("x", EKKA_F32, "1024", h), "", "random bits");
	for (int i = 0; i < 2 * N; i++)
		h[i] = i % 3 ? 0x3c00 : 0xbc00;
	cr_expect_str_eq(audit("x", EKKA_F16, "2048", h), "", "signs");
	for (int i = 0; i < N; i++)
		x[i] = 0.5f + (float)i / N;
	to_f16(x, N, h);
	cr_expect_str_eq(audit("x", EKKA_F16, "1024", h), "", "weights of a norm");
	for (int i = 0; i < N; i++)
		x[i] = expf((float)i / 64 - 8);
	to_bf16(x, N, h);
	cr_expect_str_eq(audit("x", EKKA_BF16, "1024", h), "", "seven decades");
	free(x);
	free(h);
}

Test(audit, scales)
{
	float nothing[4] = { 0 }, some[4] = { 0, 0.5f, 0, 1 }, nan[4] = { 1, NAN, 1, 1 }, negative[1] = { -1 }, infinite[1] = { INFINITY };

	cr_expect_str_eq(audit("a_scale", EKKA_F32, "4", nothing), "the scale a_scale is zero");
	cr_expect_str_eq(audit("a_scale", EKKA_F32, "4", some), "", "rows of zeros have a scale of 0");
	cr_expect_str_eq(audit("a_scale", EKKA_F32, "4", nan), "the scale a_scale holds NaN");
	cr_expect_str_eq(audit("scale", EKKA_F32, "1", negative), "the scale scale is negative");
	cr_expect_str_eq(audit("scale", EKKA_F32, "1", infinite), "the scale scale is infinite");
	cr_expect_str_eq(audit("x", EKKA_F32, "4", nan), "", "no scale");
}

/* Events of kernel `name` from stack `stack`, each with an eps. */
static struct ekka_report of_eps(const double *eps, size_t n, size_t other_stack)
{
	struct fake_event *f = malloc(sizeof(*f));
	struct ekka_rec_stack stacks[2] = { { .id = 1 }, { .id = 2 } };
	struct ekka_arguments *a = ekka_arguments_new();
	struct ekka_report r = { 0 };
	struct ekka_error err = { 0 };

	for (size_t i = 0; i < n; i++) {
		fake_event_init(f, "norm");
		fake_event_real(f, "eps", eps[i]);
		fake_event_int(f, "reduced", i == 3 ? 100 : 1);
		f->event.number = i + 1;
		f->event.stack = &stacks[i >= other_stack];
		cr_assert_eq(ekka_arguments_add(a, &f->trace, &f->event, &err), 0);
	}
	cr_assert_eq(ekka_arguments_report(a, &r, &err), 0);
	ekka_arguments_free(a);
	free(f);
	return r;
}

static void expect_notes(const double *eps, size_t n, size_t other_stack, size_t n_notes, uint64_t event)
{
	struct ekka_report r = of_eps(eps, n, other_stack);

	cr_expect_eq(r.n_notes, n_notes, "%zu notes", r.n_notes);
	if (r.n_notes && n_notes)
		cr_expect(r.notes[0].event == event && strncmp(r.notes[0].text, "eps is ", 7) == 0, "%s", r.notes[0].text);
	free(r.notes);
}

Test(audit, an_argument_unlike_those_of_its_like)
{
	double eps[16];

	for (int i = 0; i < 16; i++)
		eps[i] = 1e-6;
	expect_notes(eps, 16, 16, 0, 0);
	eps[5] = 1e-3;
	expect_notes(eps, 16, 16, 1, 6);
	expect_notes(eps, 9, 9, 1, 6);
	expect_notes(eps, 8, 8, 0, 0);		/* seven others are too few */
	expect_notes(eps, 16, 5, 1, 6);
	expect_notes(eps, 16, 9, 1, 6);
	expect_notes(eps, 16, 8, 0, 0);		/* the same in two places: neither has enough */
	eps[5] = NAN;
	expect_notes(eps, 16, 16, 1, 6);
	eps[5] = 0;
	expect_notes(eps, 16, 16, 1, 6);
	eps[5] = -1e-6;
	expect_notes(eps, 16, 16, 1, 6);
	eps[5] = 1.5e-6;
	expect_notes(eps, 16, 16, 0, 0);	/* neither like the others nor far from them */
	eps[5] = eps[6] = eps[7] = 1;
	expect_notes(eps, 16, 16, 0, 0);	/* three of 16 are no exception */
}

Test(audit, a_scale_that_was_left_at_its_default)
{
	struct fake_event *f = malloc(sizeof(*f));
	struct ekka_arguments *a = ekka_arguments_new();
	struct ekka_report r = { 0 };
	struct ekka_error err = { 0 };
	float scale[12];

	for (int i = 0; i < 12; i++)
		scale[i] = 0.03f;
	scale[10] = 1;
	for (uint64_t i = 0; i < 12; i++) {
		fake_event_init(f, "quantize");
		fake_event_tensor(f, "scale", EKKA_IN, EKKA_F32, "1", NULL, &scale[i], NULL);
		f->event.number = i + 1;
		cr_assert_eq(ekka_arguments_add(a, &f->trace, &f->event, &err), 0);
	}
	cr_assert_eq(ekka_arguments_report(a, &r, &err), 0);
	cr_assert_eq(r.n_notes, 1);
	cr_expect(r.notes[0].event == 11 && strcmp(r.notes[0].text, "scale is 1, in 11 other calls from the same place 0.03") == 0, "%s", r.notes[0].text);
	free(r.notes);
	ekka_arguments_free(a);
	free(f);
}

/* A kernel with an address and one more parameter, which is a struct where `words` is not NULL. */
static const char *of_indices(int64_t rows, const char *type, const uint32_t words[6])
{
	static struct ekka_verdict v;
	struct fake_event *f = malloc(sizeof(*f));
	struct ekka_arg_info info[2] = { { "p0", "8 bytes at 0" }, { "p1", type } };
	struct ekka_value args[2] = { { .kind = EKKA_V_PTR, .u = 4096 }, { .kind = EKKA_V_INT, .i = 65536 } };

	v = (struct ekka_verdict){ 0 };
	fake_event_init(f, "elementwise");
	f->fn = (struct ekka_rec_fn){ .name = "kern", .library = "kernel", .op = "elementwise", .args = info, .n_args = 2 };
	f->event.fn = &f->fn;
	fake_event_tensor(f, "in0", EKKA_IN, EKKA_BF16, "1x65536", NULL, NULL, NULL);
	f->tensor[0].dim[0] = rows;
	f->tensor[0].span_bytes = (uint64_t)rows * 65536 * 2;
	f->tensor[0].addr = 0x7f0000001000;
	if (words)
		args[1] = (struct ekka_value){ .kind = EKKA_V_BIN, .bin = { (const uint8_t *)words, 24 } };
	f->event.call.args = args;
	f->event.call.n_args = 2;
	ekka_audit_event(&f->event, &v);
	free(f);
	return v.audit;
}

Test(audit, products_that_may_overflow)
{
	static const char found[] = "policy: in0 reaches over 2147483648 elements, and all integers that the kernel takes have 32 bits";
	static const uint32_t pairs[6] = { 0x1000, 0x7f00, 65536, 32768, 0, 0 }, wide[6] = { 0x1000, 0x7f00, 65536, 0, 7, 8 },
			      negative[6] = { 0x1000, 0x7f00, 0xffff0000, 0xffffffff, 7, 8 };

	cr_expect_str_eq(of_indices(32768, "4 bytes at 8", NULL), found);
	cr_expect_str_eq(of_indices(32767, "4 bytes at 8", NULL), "");
	cr_expect_str_eq(of_indices(32768, "8 bytes at 8", NULL), "");
	cr_expect_str_eq(of_indices(32768, "24 bytes at 8", NULL), "", "a struct of which nothing is known");
	cr_expect_str_eq(of_indices(32768, "24 bytes at 8", pairs), found, "an address and 32-bit numbers");
	cr_expect_str_eq(of_indices(32768, "24 bytes at 8", wide), "");
	cr_expect_str_eq(of_indices(32768, "24 bytes at 8", negative), "");
}

static const char *of_expression(const char *expr)
{
	static struct ekka_verdict v;
	struct fake_event *f = malloc(sizeof(*f));

	v = (struct ekka_verdict){ 0 };
	fake_event_init(f, "elementwise");
	fake_event_tensor(f, "out0", EKKA_OUT, EKKA_F32, "64", NULL, NULL, NULL);
	fake_event_tensor(f, "in0", EKKA_IN, EKKA_F32, "64", NULL, NULL, NULL);
	f->tensor[0].addr = f->tensor[1].addr = 4096;
	fake_event_text(f, "expr", expr);
	ekka_audit_event(&f->event, &v);
	free(f);
	return v.audit;
}

Test(audit, in_place_where_an_element_is_read_before_it_is_written)
{
	cr_expect_str_eq(of_expression("in0 * 2"), "");
	cr_expect_str_eq(of_expression("in0[63 - i0] * 2"), "the output out0 overlaps the input in0");
}

static const char *of_output(const char *dims, const char *strides, uint64_t addr)
{
	static struct ekka_verdict v;
	struct fake_event *f = malloc(sizeof(*f));

	v = (struct ekka_verdict){ 0 };
	fake_event_init(f, "elementwise");
	fake_event_tensor(f, "out0", EKKA_OUT, EKKA_F32, dims, strides, NULL, NULL);
	f->tensor[0].addr = addr;
	ekka_audit_event(&f->event, &v);
	free(f);
	return v.audit;
}

Test(audit, an_output_that_lies_on_itself_or_nowhere)
{
	cr_expect_str_eq(of_output("8x8", "8x1", 4096), "");
	cr_expect_str_eq(of_output("8x8", "12x1", 4096), "");
	cr_expect_str_eq(of_output("8x8", "1x8", 4096), "");
	cr_expect_str_eq(of_output("8x8", "7x1", 4096), "elements of the output out0 lie on top of each other");
	cr_expect_str_eq(of_output("8x8", "0x1", 4096), "elements of the output out0 lie on top of each other");
	cr_expect_str_eq(of_output("8x1x8", "8x0x1", 4096), "", "a dimension of one has no stride");
	cr_expect_str_eq(of_output("8x8", "8x1", 0), "out0 is a null pointer");
}
