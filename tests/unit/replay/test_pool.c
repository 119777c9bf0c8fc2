/* SPDX-License-Identifier: Apache-2.0 */
/* Op pool against a simulation in the kernels' order and type; what is wrong does not pass. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/samples.h"

static struct fake_event f;

struct pool {
	const char *name, *kind, *x, *y, *strides_x;	/* dims; strides NULL: contiguous */
	int planes, in[2], out[2], window[2], pad[2], pad_end, stride[2], dilation;	/* pad_end: of the last dim; else as pad */
	enum ekka_dtype type;
	float alpha, beta;
	double divisor;
	int last;			/* channels of an NHWC x */
};

static const struct pool pools[] = {
	{ "max", "max", "2x3x7x8", "2x3x4x4", NULL, 6, { 7, 8 }, { 4, 4 }, { 3, 2 }, { 1, 0 }, 0, { 2, 2 }, 1, EKKA_F32, 1, 0, 0, 0 },
	{ "max dilated", "max", "1x2x9x9", "1x2x5x5", NULL, 2, { 9, 9 }, { 5, 5 }, { 3, 3 }, { 0, 0 }, 0, { 1, 1 }, 2, EKKA_BF16, 1, 0, 0, 0 },
	{ "max, last", "max", "2x4x6x6", "2x4x3x3", "144x1x24x4", 8, { 6, 6 }, { 3, 3 }, { 2, 2 }, { 0, 0 }, 0, { 2, 2 }, 1, EKKA_F16, 1, 0, 0, 4 },
	{ "avg", "avg", "2x3x7x8", "2x3x4x4", NULL, 6, { 7, 8 }, { 4, 4 }, { 3, 3 }, { 1, 1 }, 1, { 2, 2 }, 1, EKKA_F32, 1, 0, 0, 0 },
	{ "avg padded", "avg_padded", "2x3x7x8", "2x3x4x4", NULL, 6, { 7, 8 }, { 4, 4 }, { 3, 3 }, { 1, 1 }, 1, { 2, 2 }, 1, EKKA_F16, 1, 0, 0, 0 },
	{ "avg, rounded up", "avg_padded", "1x2x7x7", "1x2x4x4", NULL, 2, { 7, 7 }, { 4, 4 }, { 2, 2 }, { 0, 0 }, 0, { 2, 2 }, 1, EKKA_F32, 1, 0, 0, 0 },
	{ "avg, unlike padding", "avg_padded", "1x2x7x8", "1x2x4x4", NULL, 2, { 7, 8 }, { 4, 4 }, { 3, 3 }, { 1, 0 }, 1, { 2, 2 }, 1, EKKA_F32, 1, 0, 0, 0 },
	{ "blended", "avg", "1x2x6x6", "1x2x3x3", NULL, 2, { 6, 6 }, { 3, 3 }, { 2, 2 }, { 0, 0 }, 0, { 2, 2 }, 1, EKKA_F32, 0.5f, 2, 0, 0 },
	{ "divisor", "avg_padded", "1x2x6x6", "1x2x3x3", NULL, 2, { 6, 6 }, { 3, 3 }, { 2, 2 }, { 0, 0 }, 0, { 2, 2 }, 1, EKKA_F32, 1, 0, 3, 0 },
};
enum { POOLS = sizeof pools / sizeof pools[0] };

struct bytes { void *x, *y, *old; };

static int64_t size(const struct pool *p, const int *dims)
{
	return (int64_t)p->planes * dims[0] * dims[1];
}

static int64_t place(const struct pool *p, int plane, int h, int w)
{
	return p->last ? ((int64_t)(plane / p->last * p->in[0] + h) * p->in[1] + w) * p->last + plane % p->last :
			 ((int64_t)plane * p->in[0] + h) * p->in[1] + w;
}

/* As a kernel would: a running maximum or sum in f32. */
static float element(const struct pool *p, const struct bytes *b, const char *kind, int plane, int i, int j)
{
	float best = -INFINITY, sum = 0;
	int n = 0, padded = 0;

	for (int r = 0; r < p->window[0]; r++)
		for (int s = 0; s < p->window[1]; s++) {
			int h = i * p->stride[0] - p->pad[0] + r * p->dilation, w = j * p->stride[1] - p->pad[1] + s * p->dilation;

			padded += h < p->in[0] + p->pad[0] && w < p->in[1] + p->pad_end;
			if (h < 0 || h >= p->in[0] || w < 0 || w >= p->in[1])
				continue;
			n++;
			best = fmaxf(best, (float)samples_get(p->type, b->x, place(p, plane, h, w)));
			sum += (float)samples_get(p->type, b->x, place(p, plane, h, w));
		}
	return kind[0] == 'm' ? best : sum / (float)(p->divisor != 0 ? p->divisor : kind[3] == '\0' ? n : padded);
}

static struct bytes make(const struct pool *p, const char *kind, enum data data)
{
	struct bytes b = { samples_new(p->type, size(p, p->in)), samples_new(p->type, size(p, p->out)), samples_new(p->type, size(p, p->out)) };

	samples_fill(p->type, b.x, size(p, p->in), data, 1, 5);
	samples_fill(p->type, b.old, size(p, p->out), GAUSS, 1, 6);
	for (int plane = 0; plane < p->planes; plane++)
		for (int i = 0; i < p->out[0]; i++)
			for (int j = 0; j < p->out[1]; j++) {
				int64_t at = ((int64_t)plane * p->out[0] + i) * p->out[1] + j;
				float v = p->alpha * element(p, &b, kind, plane, i, j);

				samples_put(p->type, b.y, at, p->beta != 0 ? v + p->beta * (float)samples_get(p->type, b.old, at) : v);
			}
	return b;
}

static void release(struct bytes *b)
{
	free(b->x);
	free(b->y);
	free(b->old);
}

static struct ekka_verdict judge(const struct pool *p, const struct bytes *b)
{
	static char lists[5][16];
	const int values[5][2] = { { p->window[0], p->window[1] }, { p->pad[0], p->pad[1] }, { p->stride[0], p->stride[1] }, { p->dilation, p->dilation },
				   { p->pad[0], p->pad_end } };
	static const char *const names[] = { "window", "pad", "stride", "dilation", "pad_end" };

	fake_event_init(&f, "pool");
	fake_event_tensor(&f, "x", EKKA_IN, p->type, p->x, p->strides_x, b->x, NULL);
	fake_event_tensor(&f, "y", p->beta != 0 ? EKKA_INOUT : EKKA_OUT, p->type, p->y, NULL, p->beta != 0 ? b->old : NULL, b->y);
	fake_event_text(&f, "kind", p->kind);
	for (int i = 0; i < 5; i++) {
		(void)snprintf(lists[i], sizeof lists[i], "%d,%d", values[i][0], values[i][1]);
		fake_event_text(&f, names[i], lists[i]);
	}
	fake_event_real(&f, "alpha", p->alpha);
	fake_event_real(&f, "beta", p->beta);
	if (p->divisor != 0)
		fake_event_real(&f, "divisor", p->divisor);
	return fake_event_judge(&f);
}

#define EXPECT(status_, v, name)                                                                                                    \
	cr_expect_eq((v).status, status_, "%s: %s: margin %g, out %g, ref %g, %s", name, ekka_status_name((v).status), (v).margin, \
		     (v).worst_out[0], (v).worst_ref[0], (v).reason)

Test(pool, honest_results_pass)
{
	for (unsigned i = 0; i < POOLS; i++)
		for (enum data d = 0; d < DATA_KINDS; d++) {
			struct bytes b = make(&pools[i], pools[i].kind, d);

			EXPECT(EKKA_PASS, judge(&pools[i], &b), pools[i].name);
			release(&b);
		}
}

Test(pool, one_wrong_element_fails)
{
	for (unsigned i = 0; i < POOLS; i++) {
		struct bytes b = make(&pools[i], pools[i].kind, GAUSS);

		samples_nudge(pools[i].type, b.y, 5, pools[i].type == EKKA_F32 && pools[i].kind[0] == 'a' ? 200 : 2);
		EXPECT(EKKA_FAIL, judge(&pools[i], &b), pools[i].name);
		release(&b);
	}
}

Test(pool, what_a_wrong_one_looks_like)
{
	static const struct { unsigned pool; const char *kind, *text; } wrong[] = {
		{ 3, "avg_padded", "as if padding was counted" }, { 4, "avg", "as if padding was not counted" }, { 3, "max", "as if the largest was taken" },
		{ 0, "avg", "as if the mean was taken" },
	};

	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct bytes b = make(&pools[wrong[i].pool], wrong[i].kind, GAUSS);
		struct ekka_verdict v = judge(&pools[wrong[i].pool], &b);

		EXPECT(EKKA_FAIL, v, wrong[i].text);
		cr_expect_str_eq(v.looks_like, wrong[i].text, "'%s'", v.looks_like);
		release(&b);
	}
}

Test(pool, special_numbers)
{
	float x[] = { 1, NAN, 3, 4, -INFINITY, -INFINITY, INFINITY, 1 }, y[] = { 1, 4, -INFINITY, INFINITY }, mean[] = { NAN, 3.5, -INFINITY, INFINITY };

	for (int kind = 0; kind < 3; kind++) {
		fake_event_init(&f, "pool");
		fake_event_tensor(&f, "x", EKKA_IN, EKKA_F32, "1x1x8", NULL, x, NULL);
		fake_event_tensor(&f, "y", EKKA_OUT, EKKA_F32, "1x1x4", NULL, NULL, kind == 2 ? mean : y);
		fake_event_text(&f, "kind", kind == 2 ? "avg" : "max");
		fake_event_text(&f, "window", "2");
		fake_event_text(&f, "stride", "2");
		if (kind == 1)
			fake_event_int(&f, "nan", 0);
		/* A NaN that is lost is wrong unless it may be. */
		EXPECT(kind == 0 ? EKKA_FAIL : kind == 1 ? EKKA_UNDECIDED : EKKA_PASS, fake_event_judge(&f), "special");
	}
	y[0] = NAN;
	fake_event_init(&f, "pool");
	fake_event_tensor(&f, "x", EKKA_IN, EKKA_F32, "1x1x8", NULL, x, NULL);
	fake_event_tensor(&f, "y", EKKA_OUT, EKKA_F32, "1x1x4", NULL, NULL, y);
	fake_event_text(&f, "kind", "max");
	fake_event_text(&f, "window", "2");
	fake_event_text(&f, "stride", "2");
	EXPECT(EKKA_PASS, fake_event_judge(&f), "NaN kept");
}

Test(pool, what_does_not_fit_is_refused)
{
	struct bytes b = make(&pools[0], "max", GAUSS);
	struct pool p = pools[0];

	p.kind = "median";
	EXPECT(EKKA_UNSUPPORTED, judge(&p, &b), "kind");
	p = pools[0];
	p.window[0] = 40;
	EXPECT(EKKA_INCOMPLETE, judge(&p, &b), "window");
	p = pools[0];
	p.stride[0] = 4;
	EXPECT(EKKA_INCOMPLETE, judge(&p, &b), "more rows than there is room for");
	release(&b);
}

/* Places of maxima of three neighbours: any of equal ones, and of NaN. */
Test(pool, places_of_maxima)
{
	enum { W = 12, OUT = 10 };
	float x[W] = { 1, 5, 5, 2, 5, NAN, NAN, 0, -INFINITY, -INFINITY, -INFINITY, 3 }, y[OUT];
	int64_t index[OUT];

	for (int i = 0; i < OUT; i++) {
		int best = i;

		for (int j = i; j < i + 3; j++)
			if (x[j] > x[best] || isnan(x[j]))
				best = j;
		y[i] = x[best];
		index[i] = best;
	}
	for (int change = 0; change < 7; change++) {
		static const struct { int at, to; enum ekka_status status; } changes[] = {
			{ 0, 1, EKKA_PASS }, { 0, 2, EKKA_PASS }, { 0, 4, EKKA_FAIL }, { 4, 5, EKKA_PASS }, { 8, 9, EKKA_PASS }, { 3, -1, EKKA_FAIL }, { 8, 11, EKKA_FAIL },
		};
		int64_t was = index[changes[change].at];

		index[changes[change].at] = changes[change].to;
		fake_event_init(&f, "pool");
		fake_event_tensor(&f, "x", EKKA_IN, EKKA_F32, "1x1x12", NULL, x, NULL);
		fake_event_tensor(&f, "y", EKKA_OUT, EKKA_F32, "1x1x10", NULL, NULL, y);
		fake_event_tensor(&f, "index", EKKA_OUT, EKKA_I64, "1x1x10", NULL, NULL, index);
		fake_event_text(&f, "kind", "max");
		fake_event_text(&f, "window", "3");
		cr_expect_eq(fake_event_judge(&f).status, changes[change].status, "%d", change);
		index[changes[change].at] = was;
	}
}
