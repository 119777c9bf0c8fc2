/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise kernels in plain C floats pass, whatever the data; the smallest change of one output element does not. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/format.h"
#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

enum { N = 3000 };

static struct fake_event f;

/* Overflow is infinity. */
static void put(enum ekka_dtype t, void *bytes, int64_t i, double v)
{
	struct ekka_format format = ekka_format_of(t);
	uint16_t inf = t == EKKA_F16 ? 0x7c00 : 0x7f80;

	if (t == EKKA_F32 || !isinf(ekka_format_round(&format, v, false))) {
		samples_put(t, bytes, i, v);
		return;
	}
	inf |= v < 0 ? 0x8000 : 0;
	memcpy((uint16_t *)bytes + i, &inf, sizeof inf);
}

/* Every kind of number: random ones of several scales, and what is special. */
static void fill(enum ekka_dtype t, void *bytes, uint64_t seed)
{
	static const double special[] = { 0, -0.0, INFINITY, -INFINITY, NAN, 1e-40, -3e-39, 0x1p-149, 6e-8, 65504, -65520, 3.3e38, -1e38, 1, -1, 100 };

	samples_fill(t, bytes, N, (enum data)(seed % DATA_KINDS), seed % 2 ? 3 : 40, seed);
	for (int i = 0; i < 400; i++)
		put(t, bytes, (int64_t)((unsigned)i * 7 + seed % 7), special[(unsigned)i * (seed + 3) % 16]);
}

#define F(name, e) static float name(float a, float b) { (void)b; return e; }
F(add, a + b)
F(scaled, a + 0.3f * b)
F(mul, a * b)
F(divide, a / b)
F(silu_and_mul, a / (1.0f + expf(-a)) * b)
F(gelu, a * 0.5f * (1.0f + erff(a * 0.70710678f)))
F(copy, a)
F(square, a * a)
F(rsqrt, 1.0f / sqrtf(a))
F(maximum, isnan(a) || isnan(b) ? NAN : a > b ? a : b)
F(threshold, a <= 0.3f ? 0.0f : a)

static const struct kernel { const char *expr; float (*f)(float, float); } kernels[] = {
	{ "in0 + in1", add }, { "in0 + 0.3 * in1", scaled }, { "in0 * in1", mul }, { "in0 / in1", divide }, { "silu(in0) * in1", silu_and_mul },
	{ "gelu(in0)", gelu }, { "in0", copy }, { "in0 * in0", square }, { "rsqrt(in0)", rsqrt }, { "max(in0, in1)", maximum },
	{ "in0 <= 0.3 ? 0 : in0", threshold },
};

/* The kernel on these inputs; the event is complete but for what a test does to it. */
static void compute(const struct kernel *k, enum ekka_dtype in, enum ekka_dtype out, void *a, void *b, void *y, uint64_t seed)
{
	fill(in, a, seed);
	fill(in, b, seed * 31 + 7);
	for (int i = 0; i < N; i++)
		put(out, y, i, k->f((float)samples_get(in, a, i), (float)samples_get(in, b, i)));
	fake_event_init(&f, "elementwise");
	fake_event_text(&f, "expr", k->expr);
	fake_event_tensor(&f, "out0", EKKA_OUT, out, "30x100", NULL, NULL, y);
	fake_event_tensor(&f, "in0", EKKA_IN, in, "30x100", NULL, a, NULL);
	fake_event_tensor(&f, "in1", EKKA_IN, in, "30x100", NULL, b, NULL);
}

static const struct { enum ekka_dtype in, out; } types[] = {
	{ EKKA_F32, EKKA_F32 }, { EKKA_BF16, EKKA_BF16 }, { EKKA_F16, EKKA_F16 }, { EKKA_F32, EKKA_BF16 }, { EKKA_BF16, EKKA_F32 },
};
enum { TYPES = sizeof types / sizeof types[0], KERNELS = sizeof kernels / sizeof kernels[0] };

Test(elementwise, honest_kernels_pass_with_any_data)
{
	unsigned n_open = 0;

	for (unsigned t = 0; t < TYPES; t++)
		for (unsigned k = 0; k < KERNELS; k++)
			for (uint64_t seed = 1; seed <= 4; seed++) {
				void *a = samples_new(types[t].in, N), *b = samples_new(types[t].in, N), *y = samples_new(types[t].out, N);
				struct ekka_verdict v;

				compute(&kernels[k], types[t].in, types[t].out, a, b, y, seed);
				v = fake_event_judge(&f);
				cr_expect(v.status == EKKA_PASS || (v.status == EKKA_UNDECIDED && strstr(v.reason, "tells nothing")),
					  "%s, %s to %s, seed %d: %s, %s: %g is not %g +- %g", kernels[k].expr, ekka_dtype_name(types[t].in),
					  ekka_dtype_name(types[t].out), (int)seed, ekka_status_name(v.status), v.reason, v.worst_out[0],
					  v.worst_ref[0], v.max_bound);
				cr_expect_eq(v.n_elements, N);
				n_open += v.status == EKKA_UNDECIDED;
				free(a);
				free(b);
				free(y);
			}
	/* Only the edge of overflow, and an infinity times what may have been flushed to 0. */
	cr_expect(n_open <= TYPES * KERNELS * 4 / 15, "%u events undecided", n_open);
}

/* Two of the output type's steps: one may be allowed, where the value in double lies near the middle of two numbers. */
Test(elementwise, a_step_more_than_rounding_is_a_fault)
{
	for (unsigned t = 0; t < TYPES; t++)
		for (unsigned k = 0; k < KERNELS; k++) {
			void *a = samples_new(types[t].in, N), *b = samples_new(types[t].in, N), *y = samples_new(types[t].out, N);
			bool narrow = types[t].out != EKKA_F32, exact = k == 6 || k == 9 || k == 10;
			struct ekka_verdict v;
			int at;

			compute(&kernels[k], types[t].in, types[t].out, a, b, y, 2);
			for (at = 100; at < N; at++) {
				double r = fabs(samples_get(types[t].out, y, at));

				if (r > 0.01 && r < 100 && fabs(samples_get(types[t].in, a, at)) < 3)
					break;
			}
			/* In f32 exp and the like may be many ulps off; other kernels few. */
			samples_nudge(types[t].out, y, at, exact ? 1 : narrow ? 2 : 40);
			v = fake_event_judge(&f);
			cr_expect(v.status == EKKA_FAIL && v.n_bad == 1, "%s, %s to %s: %s", kernels[k].expr, ekka_dtype_name(types[t].in),
				  ekka_dtype_name(types[t].out), ekka_status_name(v.status));
			cr_expect(v.n_worst == 2 && v.worst[0] == at / 100 && v.worst[1] == at % 100);
			free(a);
			free(b);
			free(y);
		}
}

Test(elementwise, an_f32_sum_must_be_rounded_right)
{
	float a[4] = { 1, 2, 3, 0.1f }, b[4] = { 0x1p-20f, 0.3f, -7, 0.2f }, y[4];

	for (int bad = 0; bad < 2; bad++) {
		for (int i = 0; i < 4; i++)
			y[i] = a[i] + b[i];
		y[3] = bad ? nextafterf(y[3], 1) : y[3];
		fake_event_init(&f, "elementwise");
		fake_event_text(&f, "expr", "out0 = in0 + in1");
		fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "4", NULL, NULL, y);
		fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "4", NULL, a, NULL);
		fake_event_tensor(&f, "in1", EKKA_IN, EKKA_F32, "4", NULL, b, NULL);
		cr_expect_eq(fake_event_judge(&f).status, bad ? EKKA_FAIL : EKKA_PASS);
	}
}

Test(elementwise, integers_casts_and_scalars)
{
	int64_t a[5] = { 1, -7, INT64_MAX, 3, 100 };
	float x[5] = { 1.5f, -2.9f, 0, 1e6f, -0.5f };
	int32_t y[5];
	uint8_t m[5];
	struct ekka_verdict v;

	for (int i = 0; i < 5; i++) {
		y[i] = (int32_t)((uint64_t)a[i] * 3 + 5) + (int32_t)x[i];
		m[i] = x[i] < 0 || a[i] == 3;
	}
	fake_event_init(&f, "elementwise");
	fake_event_text(&f, "expr", "out0 = in0 * 3 + five + i32(in1); out1 = in1 < 0 || in0 == 3");
	fake_event_int(&f, "five", 5);
	fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_I32, "5", NULL, NULL, y);
	fake_event_tensor(&f, "out1", EKKA_OUT, EKKA_U8, "5", NULL, NULL, m);
	fake_event_tensor(&f, "in0", EKKA_IN, EKKA_I64, "5", NULL, a, NULL);
	fake_event_tensor(&f, "in1", EKKA_IN, EKKA_F32, "5", NULL, x, NULL);
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_PASS && v.n_elements == 10, "%s", v.reason);
	m[3] ^= 1;
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_FAIL && !strcmp(v.output, "out1") && v.worst[0] == 3);
	m[3] ^= 1;
	y[2]++;
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_FAIL && !strcmp(v.output, "out0") && v.worst[0] == 2);
}

/* What engines do with whole numbers: bools add up to a bool, types wrap, shifts and quotients have their own ends. */
Test(elementwise, integers_wrap_as_their_types_do)
{
	static const struct { const char *expr; enum ekka_dtype t; int64_t a, b, y; } rows[] = {
		{ "in0 + 1 * in1 != 0", EKKA_U8, 1, 1, 1 }, { "in0 + in1", EKKA_U8, 200, 100, 44 }, { "in0 - in1", EKKA_U8, 3, 5, 254 },
		{ "-in0", EKKA_U8, 1, 0, 255 },		    { "-in0", EKKA_I8, -128, 0, -128 },	    { "abs(in0)", EKKA_I8, -128, 0, -128 },
		{ "in0 * in1", EKKA_I32, 1 << 20, 1 << 12, 0 }, { "in0 + in1", EKKA_I32, INT32_MAX, 1, INT32_MIN },
		{ "in0 + in1", EKKA_I64, INT64_MAX, 1, INT64_MIN }, { "in0 << in1", EKKA_I32, 1, 32, 0 }, { "in0 >> in1", EKKA_I32, -5, 40, -1 },
		{ "in0 / in1", EKKA_I32, -7, 2, -3 },	    { "in0 % in1", EKKA_I32, -7, 2, -1 },   { "in0 / in1", EKKA_I32, INT32_MIN, -1, INT32_MIN },
		{ "~in0", EKKA_U8, 5, 0, 250 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		unsigned char a[8], b[8], y[8];
		struct ekka_verdict v;

		memcpy(a, &rows[i].a, 8);	/* little-endian: the low bytes come first */
		memcpy(b, &rows[i].b, 8);
		memcpy(y, &rows[i].y, 8);
		fake_event_init(&f, "elementwise");
		fake_event_text(&f, "expr", rows[i].expr);
		fake_event_tensor(&f, "out0", EKKA_OUT, rows[i].t, "1", NULL, NULL, y);
		fake_event_tensor(&f, "in0", EKKA_IN, rows[i].t, "1", NULL, a, NULL);
		fake_event_tensor(&f, "in1", EKKA_IN, rows[i].t, "1", NULL, b, NULL);
		v = fake_event_judge(&f);
		cr_expect(v.status == EKKA_PASS, "%s of %lld, %lld: %s %s", rows[i].expr, (long long)rows[i].a, (long long)rows[i].b,
			  ekka_status_name(v.status), v.reason);
		y[0] ^= 1;
		cr_expect_eq(fake_event_judge(&f).status, EKKA_FAIL, "%s", rows[i].expr);
	}
}

/* What the hardware makes of these is its own affair; a zero may have either sign. */
Test(elementwise, what_no_standard_settles_is_no_fault)
{
	static const struct { const char *expr; float a, b, y; enum ekka_status status; } rows[] = {
		{ "in0 * in1", -0.0f, 1, 0.0f, EKKA_PASS },	{ "in0 / in1", 1, 0, INFINITY, EKKA_PASS }, { "in0 / in1", 0, 0, NAN, EKKA_PASS },
		{ "in0 + in1", NAN, 1, NAN, EKKA_PASS },	{ "in0 * in1", 1e-30f, 1e-10f, 0, EKKA_PASS },	/* flushed */
		{ "in0 * in1", 1e-30f, 1e-10f, 1e-40f, EKKA_PASS }, { "exp(in0)", 1000, 0, INFINITY, EKKA_PASS }, { "exp(in0)", -1000, 0, 0, EKKA_PASS },
		{ "log(in0)", 0, 0, -INFINITY, EKKA_PASS },	{ "log(in0)", -1, 0, NAN, EKKA_PASS },	    { "sqrt(in0)", -1, 0, NAN, EKKA_PASS },
		{ "in0 - in1", INFINITY, INFINITY, NAN, EKKA_PASS }, { "rsqrt(in0)", 0, 0, INFINITY, EKKA_PASS }, { "max(in0, in1)", NAN, 1, NAN, EKKA_PASS },
		{ "in0 / in1", 1, 0, 5, EKKA_FAIL },		{ "in0 + in1", NAN, 1, 1, EKKA_FAIL },	    { "exp(in0)", 1000, 0, 3, EKKA_FAIL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		float a = rows[i].a, b = rows[i].b, y = rows[i].y;
		struct ekka_verdict v;

		fake_event_init(&f, "elementwise");
		fake_event_text(&f, "expr", rows[i].expr);
		fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "1", NULL, NULL, &y);
		fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "1", NULL, &a, NULL);
		fake_event_tensor(&f, "in1", EKKA_IN, EKKA_F32, "1", NULL, &b, NULL);
		v = fake_event_judge(&f);
		cr_expect(v.status == rows[i].status, "%s of %g, %g: %s %s", rows[i].expr, (double)a, (double)b, ekka_status_name(v.status), v.reason);
	}
}

/* A trace may say anything. */
Test(elementwise, a_tensor_without_a_name_is_not_read, .timeout = 10)
{
	float x = 1, y = 1;

	fake_event_init(&f, "elementwise");
	fake_event_text(&f, "expr", "in0");
	fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "1", NULL, NULL, &y);
	fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "1", NULL, &x, NULL);
	fake_event_tensor(&f, "", EKKA_IN, EKKA_F32, "1", NULL, &x, NULL);
	cr_expect_eq(fake_event_judge(&f).status, EKKA_PASS);
}

Test(elementwise, inputs_are_broadcast_and_indices_known)
{
	float x[6] = { 1, 2, 3, 4, 5, 6 }, bias[3] = { 10, 20, 30 }, y[6];
	struct ekka_verdict v;

	for (int i = 0; i < 6; i++)
		y[i] = x[i] + bias[i % 3] + (float)(i / 3 * 100 + i % 3);
	fake_event_init(&f, "elementwise");
	fake_event_text(&f, "expr", "in0 + in1 + i0 * 100 + i1");
	fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "2x3", NULL, NULL, y);
	fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "2x3", NULL, x, NULL);
	fake_event_tensor(&f, "in1", EKKA_IN, EKKA_F32, "2x3", "0x1", bias, NULL);
	v = fake_event_judge(&f);
	cr_expect_eq(v.status, EKKA_PASS, "%s", v.reason);
	y[4] += 1;
	cr_expect_eq(fake_event_judge(&f).status, EKKA_FAIL);
}

Test(elementwise, an_embedding_is_a_table_read_by_index)
{
	float weight[12], y[8];
	int64_t token[4] = { 2, 0, 1, 3 };
	struct ekka_verdict v;

	for (int i = 0; i < 12; i++)
		weight[i] = (float)i * 0.1f;
	for (int i = 0; i < 8; i++)
		y[i] = weight[token[i / 2] * 2 + i % 2];
	fake_event_init(&f, "elementwise");
	fake_event_text(&f, "expr", "weight[in0, i1]");
	fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "4x2", NULL, NULL, y);
	fake_event_tensor(&f, "in0", EKKA_IN, EKKA_I64, "4x2", "1x0", token, NULL);
	fake_event_tensor(&f, "weight", EKKA_IN, EKKA_F32, "6x2", NULL, weight, NULL);
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_PASS && !v.audit[0], "%s", v.reason);
	token[1] = 6;
	v = fake_event_judge(&f);
	cr_expect(v.status == EKKA_UNDECIDED && strstr(v.audit, "weight is read at index 6 of dimension 0, which has 6"), "%s: %s",
		  ekka_status_name(v.status), v.audit);
	token[1] = 0;
	y[5] = weight[0];
	cr_expect_eq(fake_event_judge(&f).status, EKKA_FAIL);
}

Test(elementwise, in_place_and_what_lies_between)
{
	float before[10] = { 1, -1, 2, -1, 3, -1, 4, -1, 5 }, after[10];
	struct ekka_verdict v;

	for (int i = 0; i < 10; i++)
		after[i] = i % 2 || i == 9 ? before[i] : before[i] * 2;
	fake_event_init(&f, "elementwise");
	fake_event_text(&f, "expr", "out0 = out0 * 2");
	fake_event_tensor(&f, "out0", EKKA_INOUT, EKKA_F32, "5", "2", before, after);
	v = fake_event_judge(&f);
	cr_expect_eq(v.status, EKKA_PASS, "%s", v.reason);
	after[3] = 0;
	v = fake_event_judge(&f);
	cr_expect(v.status != EKKA_PASS && strstr(v.reason, "outside the output"), "%s %s", ekka_status_name(v.status), v.reason);
	/* The stride of a dimension of one element may be anything, and is never added (the sanitizers would see it). */
	f.tensor[0].n_dims = 2;
	f.tensor[0].dim[1] = f.tensor[0].dim[0];
	f.tensor[0].stride[1] = f.tensor[0].stride[0];
	f.tensor[0].dim[0] = 1;
	f.tensor[0].stride[0] = INT64_MAX;
	v = fake_event_judge(&f);
	cr_expect(v.status != EKKA_PASS && strstr(v.reason, "1 place changed"), "%s %s", ekka_status_name(v.status), v.reason);
}

Test(elementwise, a_description_that_does_not_fit_is_unsupported)
{
	static const struct { const char *expr, *why; } wrong[] = {
		{ "in7", "'in7'" }, { "out0 = in0; in1 = 2", "out1" }, { "out0 = in0; out1 = in0 +", "ends too early" },
		{ "out0 = in0; out1 = table", "expected '['" }, { "out0 = i4; out1 = 0", "index" },
	};
	float x[4] = { 0 };

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct ekka_verdict v;

		fake_event_init(&f, "elementwise");
		fake_event_text(&f, "expr", wrong[i].expr);
		fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, "4", NULL, NULL, x);
		fake_event_tensor(&f, "out1", EKKA_OUT, EKKA_F32, "4", NULL, NULL, x);
		fake_event_tensor(&f, "in0", EKKA_IN, EKKA_F32, "4", NULL, x, NULL);
		fake_event_tensor(&f, "table", EKKA_IN, EKKA_F32, "3", NULL, x, NULL);
		v = fake_event_judge(&f);
		cr_expect(v.status == EKKA_UNSUPPORTED && strstr(v.reason, wrong[i].why), "%s: %s", wrong[i].expr, v.reason);
	}
}

/* As aten-upsample.kd says it, of a row of W pixels; places come of one rounding or of two. */
static float between(const float *x, int w, float scale, bool aligned, bool contracted, int i)
{
	float twice = scale * ((float)i + 0.5f), at = aligned ? scale * (float)i : contracted ? fmaf(scale, (float)i + 0.5f, -0.5f) : twice - 0.5f;
	int l = (int)(at = fmaxf(at, 0)), r = l < w - 1 ? l + 1 : l;
	float v = at - (float)l;

	return (1 - v) * x[l] + v * x[r];
}

Test(elementwise, interpolation_has_any_scale)
{
	static const struct { int in, out; } sizes[] = { { 20, 40 }, { 20, 50 }, { 37, 100 }, { 100, 37 }, { 10, 91 } };

	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		for (int mode = 0; mode < 8; mode++) {
			bool aligned = mode & 1, contracted = mode & 2, wrong = mode & 4;
			int w = sizes[i].in, n = sizes[i].out;
			float x[128], y[128], scale = aligned ? (float)(w - 1) / (float)(n - 1) : (float)w / (float)n;
			struct ekka_verdict v;
			char dims[2][16];

			samples_fill(EKKA_F32, x, w, GAUSS, 10, i + 1);
			for (int j = 0; j < n; j++)
				y[j] = between(x, w, scale, aligned, contracted, wrong && j == n / 2 ? j + 1 : j);
			(void)snprintf(dims[0], sizeof dims[0], "%d", w);
			(void)snprintf(dims[1], sizeof dims[1], "%d", n);
			fake_event_init(&f, "elementwise");
			fake_event_text(&f, "expr", aligned ? "x = rw * i0; l = i32(f32(fma(rw, i0, 0))); r = min(l + 1, w - 1); v = x - l; out0 = (1 - v) * source[l] + v * source[r]" :
						"x = max(rw * (i0 + 0.5) - 0.5, 0); l = i32(max(f32(fma(rw, i0 + 0.5, -0.5)), 0)); r = min(l + 1, w - 1); v = x - l; "
						"out0 = (1 - v) * source[l] + v * source[r]");
			fake_event_real(&f, "rw", (double)scale);
			fake_event_int(&f, "w", w);
			fake_event_tensor(&f, "out0", EKKA_OUT, EKKA_F32, dims[1], NULL, NULL, y);
			fake_event_tensor(&f, "source", EKKA_IN, EKKA_F32, dims[0], NULL, x, NULL);
			v = fake_event_judge(&f);
			cr_expect_eq(v.status, wrong ? EKKA_FAIL : EKKA_PASS, "%d to %d, mode %d: %s: %s, %g is not %g", w, n, mode, ekka_status_name(v.status),
				     v.reason, v.worst_out[0], v.worst_ref[0]);
		}
}
