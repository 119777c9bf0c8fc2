/* SPDX-License-Identifier: Apache-2.0 */
/* Op conv against the definition in f32, in several orders; what is wrong does not pass. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

static struct fake_event f;

struct conv {
	const char *name;
	unsigned dims;
	int64_t n, c, k, groups, in[3], window[3], pad[3], stride[3], dilation[3], out[3];
	enum ekka_dtype in_type, type;		/* of x and w; of y, bias and z */
	bool last;			/* channels last: NHWC */
	bool biased, relu, added;
	float alpha;
	/* faults */
	bool no_bias, no_relu, mirrored;
	int64_t channels;		/* 0: all */
	void *x, *w, *y, *z, *bias;
	bool transposed;
};

static const struct conv shapes[] = {
	{ "1d", 1, 2, 6, 4, 1, { 30 }, { 5 }, { 2 }, { 1 }, { 1 }, { 0 }, EKKA_F32, EKKA_F32, false, false, false, false, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
	{ "2d", 2, 2, 8, 6, 1, { 9, 12 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 0 }, EKKA_F32, EKKA_F32, false, true, true, false, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
	{ "2d strided", 2, 1, 16, 8, 1, { 14, 15 }, { 3, 5 }, { 1, 0 }, { 2, 3 }, { 2, 1 }, { 0 }, EKKA_BF16, EKKA_BF16, true, true, false, true, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
	{ "depthwise", 2, 2, 12, 12, 12, { 8, 8 }, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 0 }, EKKA_F16, EKKA_F16, true, true, true, false, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
	{ "groups", 2, 1, 12, 9, 3, { 8, 7 }, { 2, 3 }, { 0, 1 }, { 1, 1 }, { 1, 2 }, { 0 }, EKKA_F32, EKKA_F32, true, false, false, true, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
	{ "3d", 3, 1, 4, 5, 1, { 5, 6, 7 }, { 3, 2, 3 }, { 1, 0, 1 }, { 1, 2, 1 }, { 1, 1, 2 }, { 0 }, EKKA_BF16, EKKA_F32, false, true, false, false, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
	{ "1x1", 2, 1, 300, 20, 1, { 6, 6 }, { 1, 1 }, { 0, 0 }, { 1, 1 }, { 1, 1 }, { 0 }, EKKA_BF16, EKKA_BF16, true, true, false, false, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
	{ .name = "transposed 1d", .dims = 1, .n = 2, .c = 6, .k = 4, .groups = 1, .in = { 13 }, .window = { 5 }, .pad = { 2 }, .stride = { 3 }, .dilation = { 1 },
	  .in_type = EKKA_F32, .type = EKKA_F32, .alpha = 1, .transposed = true },
	{ .name = "transposed 2d", .dims = 2, .n = 2, .c = 12, .k = 6, .groups = 3, .in = { 5, 6 }, .window = { 3, 4 }, .pad = { 1, 0 }, .stride = { 2, 1 },
	  .dilation = { 1, 2 }, .in_type = EKKA_BF16, .type = EKKA_BF16, .last = true, .biased = true, .relu = true, .alpha = 1, .transposed = true },
	{ .name = "transposed 3d", .dims = 3, .n = 1, .c = 4, .k = 5, .groups = 1, .in = { 3, 4, 3 }, .window = { 3, 2, 3 }, .pad = { 1, 0, 1 },
	  .stride = { 2, 2, 1 }, .dilation = { 1, 1, 1 }, .in_type = EKKA_F16, .type = EKKA_F16, .added = true, .alpha = 0.5, .transposed = true },
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static int64_t product(const int64_t *v, unsigned n)
{
	int64_t p = 1;

	for (unsigned i = 0; i < n; i++)
		p *= v[i];
	return p;
}

/* Where element (a, b, spatial...) of an [A, B, spatial...] tensor lies. */
static int64_t place(const struct conv *v, int64_t a, int64_t b, int64_t b_size, int64_t spatial, const int64_t *dims)
{
	int64_t n = product(dims, v->dims);

	return v->last ? (a * n + spatial) * b_size + b : (a * b_size + b) * n + spatial;
}

static struct conv make(unsigned shape, enum data data, double size)
{
	struct conv v = shapes[shape];
	int64_t in, out, w;

	for (unsigned d = 0; d < v.dims; d++)
		v.out[d] = v.transposed ? (v.in[d] - 1) * v.stride[d] - 2 * v.pad[d] + v.dilation[d] * (v.window[d] - 1) + 1 + (v.stride[d] > 2) :
			   (v.in[d] + 2 * v.pad[d] - v.dilation[d] * (v.window[d] - 1) - 1) / v.stride[d] + 1;
	in = v.n * v.c * product(v.in, v.dims);
	out = v.n * v.k * product(v.out, v.dims);
	w = v.k * v.c / v.groups * product(v.window, v.dims);
	v.x = samples_new(v.in_type, in);
	v.w = samples_new(v.in_type, w);
	v.y = samples_new(v.type, out);
	v.z = samples_new(v.type, out);
	v.bias = samples_new(v.type, v.k);
	samples_fill(v.in_type, v.x, in, data, size, 1);
	samples_fill(v.in_type, v.w, w, GAUSS, 1, 2);
	samples_fill(v.type, v.z, out, GAUSS, 1, 3);
	samples_fill(v.type, v.bias, v.k, GAUSS, 1, 4);
	return v;
}

static void release(struct conv *v)
{
	free(v->x);
	free(v->w);
	free(v->y);
	free(v->z);
	free(v->bias);
}

/* The products that make one element; their number. */
static int64_t terms_of(const struct conv *v, int64_t image, int64_t k, const int64_t *o, float *ret)
{
	int64_t channels = v->c / v->groups, group = k / (v->k / v->groups), count = 0;

	for (int64_t r = 0; r < product(v->window, v->dims); r++) {
		int64_t rest = v->mirrored ? product(v->window, v->dims) - 1 - r : r, at = 0, i[3];
		bool inside = true;

		for (unsigned d = v->dims; d-- > 0; rest /= v->window[d]) {
			i[d] = o[d] * v->stride[d] - v->pad[d] + rest % v->window[d] * v->dilation[d];
			inside &= i[d] >= 0 && i[d] < v->in[d];
		}
		for (unsigned d = 0; d < v->dims; d++)
			at = at * v->in[d] + i[d];
		for (int64_t c = 0; inside && c < (v->channels ? v->channels : channels); c++)
			ret[count++] = (float)(samples_get(v->in_type, v->x, place(v, image, group * channels + c, v->c, at, v->in)) *
					       samples_get(v->in_type, v->w, place(v, k, c, channels, r, v->window)));
	}
	return count;
}

/* The same where it is the convolution from y to x whose gradient is taken: by its definition, whatever touches the element. */
static int64_t transposed_terms(const struct conv *v, int64_t image, int64_t k, const int64_t *o, float *ret)
{
	int64_t channels = v->c / v->groups, rows = v->k / v->groups, group = k / rows, count = 0;

	for (int64_t at = 0; at < product(v->in, v->dims); at++)
		for (int64_t r = 0; r < product(v->window, v->dims); r++) {
			int64_t rest = at, tap = v->mirrored ? product(v->window, v->dims) - 1 - r : r;
			bool meets = true;

			for (unsigned d = v->dims; d-- > 0; rest /= v->in[d], tap /= v->window[d])
				meets &= rest % v->in[d] * v->stride[d] - v->pad[d] + tap % v->window[d] * v->dilation[d] == o[d];
			for (int64_t c = 0; meets && c < (v->channels ? v->channels : channels); c++)
				ret[count++] = (float)(samples_get(v->in_type, v->x, place(v, image, group * channels + c, v->c, at, v->in)) *
						       samples_get(v->in_type, v->w, place(v, group * channels + c, k % rows, rows, r, v->window)));
		}
	return count;
}

static void compute(struct conv *v, enum order order)
{
	float *terms = malloc((size_t)(v->c * product(v->window, v->dims)) * sizeof *terms);

	for (int64_t image = 0; image < v->n; image++)
		for (int64_t k = 0; k < v->k; k++)
			for (int64_t p = 0; p < product(v->out, v->dims); p++) {
				int64_t o[3], rest = p, at = place(v, image, k, v->k, p, v->out);
				float y;

				for (unsigned d = v->dims; d-- > 0; rest /= v->out[d])
					o[d] = rest % v->out[d];
				y = v->alpha * samples_sum((v->transposed ? transposed_terms : terms_of)(v, image, k, o, terms), terms, order);
				if (v->added)
					y += 0.75f * (float)samples_get(v->type, v->z, at);
				if (v->biased && !v->no_bias)
					y += (float)samples_get(v->type, v->bias, k);
				if (v->relu && !v->no_relu)
					y = fmaxf(y, 0);
				samples_put(v->type, v->y, at, y);
			}
	free(terms);
}

static void add_tensor(const struct conv *v, const char *name, enum ekka_dir dir, enum ekka_dtype t, int64_t a, int64_t b, const int64_t *dims,
		       void *pre, void *post)
{
	char shape[96], strides[96];
	int64_t n = product(dims, v->dims), step = v->last ? b : 1;
	int at = snprintf(shape, sizeof shape, "%lldx%lld", (long long)a, (long long)b);
	int to = snprintf(strides, sizeof strides, "%lldx%lld", (long long)(n * b), (long long)(v->last ? 1 : n));
	int64_t inner = n;

	for (unsigned d = 0; d < v->dims; d++) {
		inner /= dims[d];
		at += snprintf(shape + at, sizeof shape - (size_t)at, "x%lld", (long long)dims[d]);
		to += snprintf(strides + to, sizeof strides - (size_t)to, "x%lld", (long long)(inner * step));
	}
	fake_event_tensor(&f, name, dir, t, shape, strides, pre, post);
}

static struct ekka_verdict judge(const struct conv *v)
{
	static char lists[3][64];
	const int64_t *const values[] = { v->pad, v->stride, v->dilation };
	static const char *const names[] = { "pad", "stride", "dilation" };
	char k[32];

	(void)snprintf(k, sizeof k, "%lld", (long long)v->k);
	fake_event_init(&f, "conv");
	add_tensor(v, "x", EKKA_IN, v->in_type, v->n, v->c, v->in, v->x, NULL);
	add_tensor(v, "w", EKKA_IN, v->in_type, v->transposed ? v->c : v->k, (v->transposed ? v->k : v->c) / v->groups, v->window, v->w, NULL);
	add_tensor(v, "y", EKKA_OUT, v->type, v->n, v->k, v->out, NULL, v->y);
	if (v->added)
		add_tensor(v, "z", EKKA_IN, v->type, v->n, v->k, v->out, v->z, NULL);
	if (v->biased)
		fake_event_tensor(&f, "bias", EKKA_IN, v->type, k, NULL, v->bias, NULL);
	for (unsigned i = 0; i < 3; i++) {
		int at = 0;

		for (unsigned d = 0; d < v->dims; d++)
			at += snprintf(lists[i] + at, sizeof lists[i] - (size_t)at, "%s%lld", d ? "," : "", (long long)values[i][d]);
		fake_event_text(&f, names[i], lists[i]);
	}
	fake_event_int(&f, "groups", v->groups);
	fake_event_real(&f, "alpha", v->alpha);
	if (v->added)
		fake_event_real(&f, "beta", 0.75);
	if (v->relu)
		fake_event_text(&f, "activation", "relu");
	if (v->transposed)
		fake_event_int(&f, "transposed", 1);
	return fake_event_judge(&f);
}

#define EXPECT(status_, v, name)                                                                                                    \
	cr_expect_eq((v).status, status_, "%s: %s: margin %g, out %g, ref %g, %s", name, ekka_status_name((v).status), (v).margin, \
		     (v).worst_out[0], (v).worst_ref[0], (v).reason)

Test(conv, honest_results_pass)
{
	for (unsigned s = 0; s < SHAPES; s++)
		for (enum data d = 0; d < DATA_KINDS; d++)
			for (enum order o = 0; o < ORDERS; o++) {
				struct conv v = make(s, d, d == FAR_FROM_ZERO ? 0.1 : 1);

				compute(&v, o);
				EXPECT(EKKA_PASS, judge(&v), v.name);
				release(&v);
			}
}

Test(conv, one_wrong_element_fails)
{
	for (unsigned s = 0; s < SHAPES; s++) {
		struct conv v = make(s, ABOVE_ZERO, 1);
		int64_t at;

		v.relu = false;
		compute(&v, STRIDED);
		at = place(&v, v.n - 1, 2, v.k, 7, v.out);
		samples_put(v.type, v.y, at, samples_get(v.type, v.y, at) * 1.05 + copysign(0.05, samples_get(v.type, v.y, at)));
		EXPECT(EKKA_FAIL, judge(&v), v.name);
		cr_expect(judge(&v).worst[0] == v.n - 1 && judge(&v).worst[1] == 2, "%s", v.name);
		release(&v);
	}
}

#define LOOKS(fault, text)                                                            \
	do {                                                                          \
		struct conv wrong = v;                                                \
		wrong.fault;                                                          \
		compute(&wrong, STRIDED);                                             \
		EXPECT(EKKA_FAIL, judge(&v), v.name);                                 \
		cr_expect_str_eq(judge(&v).looks_like, text, "%s: '%s'", v.name, judge(&v).looks_like); \
	} while (0)

Test(conv, what_a_wrong_one_looks_like)
{
	for (unsigned s = 1; s < 3; s++) {
		struct conv v = make(s, GAUSS, 1);

		LOOKS(no_bias = true, "as if there was no bias");
		LOOKS(mirrored = true, "as if the window was mirrored");
		if (v.relu)
			LOOKS(no_relu = true, "as if there was no activation");
		LOOKS(channels = v.c - 1, s == 1 ? "as if only the first 7 of 8 channels were summed" : "as if only the first 15 of 16 channels were summed");
		release(&v);
	}
}

Test(conv, what_a_wrong_transposed_one_looks_like)
{
	struct conv v = make(SHAPES - 2, GAUSS, 1);

	LOOKS(no_bias = true, "as if there was no bias");
	LOOKS(mirrored = true, "as if the window was mirrored");
	LOOKS(channels = 3, "as if only the first 3 of 4 channels were summed");
	release(&v);
}

Test(conv, transforms_of_short_types_are_neither_excused_nor_blamed)
{
	struct conv v = make(2, GAUSS, 1);
	uint16_t *y = v.y;

	v.relu = false;
	compute(&v, STRIDED);
	EXPECT(EKKA_PASS, judge(&v), v.name);
	fake_event_text(&f, "algorithm", "winograd");
	EXPECT(EKKA_PASS, fake_event_judge(&f), "winograd");
	samples_put(v.type, y, 9, samples_get(v.type, y, 9) + 1);
	EXPECT(EKKA_UNDECIDED, fake_event_judge(&f), "winograd");
	samples_put(v.type, y, 9, samples_get(v.type, y, 9) + 20);
	EXPECT(EKKA_FAIL, fake_event_judge(&f), "winograd, far off");
	samples_put(v.type, y, 9, samples_get(v.type, y, 9) - 20);
	f.attr[f.event.call.n_attrs - 1].value.s = "gemm";
	EXPECT(EKKA_FAIL, fake_event_judge(&f), "gemm");
	release(&v);
}

Test(conv, a_librarys_f32_may_have_been_cut_or_transformed)
{
	struct conv v = make(1, GAUSS, 1);
	float *y = v.y;

	v.relu = false;
	compute(&v, STRIDED);
	for (int i = 0; i < 40; i++)
		y[i] += (i & 1 ? 1 : -1) * 2e-4f;
	EXPECT(EKKA_FAIL, judge(&v), "a kernel of one's own");
	f.fn.library = "cudnn";
	EXPECT(EKKA_PASS, fake_event_judge(&f), "tf32");
	fake_event_text(&f, "compute", "f32");
	EXPECT(EKKA_UNDECIDED, fake_event_judge(&f), "any algorithm");
	fake_event_text(&f, "algorithm", "direct");
	EXPECT(EKKA_FAIL, fake_event_judge(&f), "direct");
	f.attr[f.event.call.n_attrs - 1].value.s = "fft";
	EXPECT(EKKA_PASS, fake_event_judge(&f), "fft");
	y[7] += 0.5f;
	EXPECT(EKKA_FAIL, fake_event_judge(&f), "fft");
	release(&v);
}

Test(conv, a_mirrored_window_where_it_is_asked_for)
{
	struct conv v = make(2, GAUSS, 1);

	v.mirrored = true;
	compute(&v, STRIDED);
	EXPECT(EKKA_FAIL, judge(&v), v.name);
	fake_event_int(&f, "flip", 1);
	EXPECT(EKKA_PASS, fake_event_judge(&f), v.name);
	release(&v);
}

Test(conv, doubles_and_integers)
{
	double x[6] = { 1, 2, 3, 4, 5, 6 }, w[3] = { 1, 10, 100 }, y[4];
	int8_t xi[6] = { 1, -2, 3, 4, -5, 6 }, wi[3] = { 1, -10, 100 };
	int32_t yi[4];

	for (int i = 0; i < 4; i++) {
		y[i] = x[i] * w[0] + x[i + 1] * w[1] + x[i + 2] * w[2];
		yi[i] = xi[i] * wi[0] + xi[i + 1] * wi[1] + xi[i + 2] * wi[2];
	}
	for (int wrong = 0; wrong <= 1; wrong++) {
		y[2] *= wrong ? 1 + 1e-12 : 1;
		yi[2] += wrong;
		fake_event_init(&f, "conv");
		fake_event_tensor(&f, "x", EKKA_IN, EKKA_F64, "1x1x6", NULL, x, NULL);
		fake_event_tensor(&f, "w", EKKA_IN, EKKA_F64, "1x1x3", NULL, w, NULL);
		fake_event_tensor(&f, "y", EKKA_OUT, EKKA_F64, "1x1x4", NULL, NULL, y);
		EXPECT(wrong ? EKKA_FAIL : EKKA_PASS, fake_event_judge(&f), "f64");
		fake_event_init(&f, "conv");
		fake_event_tensor(&f, "x", EKKA_IN, EKKA_I8, "1x1x6", NULL, xi, NULL);
		fake_event_tensor(&f, "w", EKKA_IN, EKKA_I8, "1x1x3", NULL, wi, NULL);
		fake_event_tensor(&f, "y", EKKA_OUT, EKKA_I32, "1x1x4", NULL, NULL, yi);
		EXPECT(wrong ? EKKA_FAIL : EKKA_PASS, fake_event_judge(&f), "i8");
	}
}

Test(conv, beta_without_z_is_of_what_was_there)
{
	float x[6] = { 1, 2, 3, 4, 5, 6 }, w[3] = { 1, 10, 100 }, before[4] = { 1, 1, 2, 2 }, y[4];

	for (int i = 0; i < 4; i++)
		y[i] = 2 * (x[i] * w[0] + x[i + 1] * w[1] + x[i + 2] * w[2]) + 3 * before[i];
	for (int wrong = 0; wrong <= 1; wrong++) {
		before[1] += (float)wrong;
		fake_event_init(&f, "conv");
		fake_event_tensor(&f, "x", EKKA_IN, EKKA_F32, "1x1x6", NULL, x, NULL);
		fake_event_tensor(&f, "w", EKKA_IN, EKKA_F32, "1x1x3", NULL, w, NULL);
		fake_event_tensor(&f, "y", EKKA_INOUT, EKKA_F32, "1x1x4", NULL, before, y);
		fake_event_real(&f, "alpha", 2);
		fake_event_real(&f, "beta", 3);
		EXPECT(wrong ? EKKA_FAIL : EKKA_PASS, fake_event_judge(&f), "beta");
	}
}

Test(conv, what_does_not_fit_is_refused)
{
	struct conv v = make(1, GAUSS, 1);

	compute(&v, STRIDED);
	judge(&v);
	f.attr[1].value.s = "1,0";	/* pad */
	EXPECT(EKKA_INCOMPLETE, fake_event_judge(&f), "pad");
	f.attr[1].value.s = "1,1,1";
	EXPECT(EKKA_INCOMPLETE, fake_event_judge(&f), "pad");
	f.attr[1].value.s = "1,x";
	EXPECT(EKKA_INCOMPLETE, fake_event_judge(&f), "pad");
	f.attr[1].value.s = "1,1";
	EXPECT(EKKA_PASS, fake_event_judge(&f), "pad");
	f.attr[4].value.i = 3;		/* groups */
	EXPECT(EKKA_INCOMPLETE, fake_event_judge(&f), "groups");
	release(&v);
}
