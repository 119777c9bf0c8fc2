/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "replay/op_conv.h"

/* What may be wrong. */
struct form { bool flip, bias, activation; int64_t channels; };

/* The plain sum of one element and the sum of its magnitudes, by the definition. */
static void sum_of(const struct ekka_conv *x, const struct form *f, int64_t image, int64_t k, int64_t position, double *ret, double *ret_abs)
{
	const struct ekka_conv_shape *s = &x->shape;
	int64_t channels = s->c / s->groups, group = k / (s->k / s->groups);
	double v, w;

	*ret = *ret_abs = 0;
	for (int64_t r = 0; r < s->n_window; r++) {
		int64_t place = ekka_conv_place(x, position, r, f->flip);

		for (int64_t c = 0; place >= 0 && c < f->channels; c++) {
			ekka_array_get(x->x, (image * s->c + group * channels + c) * s->n_in + place, 1, &v);
			ekka_array_get(x->w, ekka_conv_weight(x, k, c, r), 1, &w);
			*ret += v * w;
			*ret_abs += fabs(v * w);
		}
	}
}

static bool explains(struct ekka_conv *x, const struct form *f)
{
	const struct ekka_rows *r = &x->rows;
	const struct ekka_conv_shape *s = &x->shape;

	for (unsigned i = 0; i < r->n_wrong; i++) {
		int64_t position = r->wrong[i].index % s->n_out, k = r->wrong[i].index / s->n_out % s->k, image = r->wrong[i].index / s->n_out / s->k;
		double ref, bound;

		sum_of(x, f, image, k, position, &ref, &bound);
		ekka_conv_finish(x, image, k, position, 1, &ref, &bound, f->bias, f->activation);
		if (!(bound < INFINITY) || !ekka_near_holds(x->y->dtype, r->wrong[i].got, (struct ekka_near){ ref, bound }))
			return false;
	}
	return r->n_wrong > 0;
}

void ekka_conv_explain(void *conv)
{
	struct ekka_conv *x = conv;
	int64_t channels = x->shape.c / x->shape.groups;
	struct form whole = { x->flip, true, true, channels }, f = whole;

	if (!x->rows.n_wrong)
		return;
	f.bias = false;
	if (x->bias && explains(x, &f))
		ekka_rows_looks_like(&x->rows, "as if there was no bias");
	f = whole;
	f.activation = false;
	if (x->activation && explains(x, &f))
		ekka_rows_looks_like(&x->rows, "as if there was no activation");
	f = whole;
	f.flip = !f.flip;
	if (x->shape.n_window > 1 && explains(x, &f))
		ekka_rows_looks_like(&x->rows, f.flip ? "as if the window was mirrored" : "as if the window was not mirrored");
	f = whole;
	for (int64_t step = 1; step <= 64 && step < channels; step *= 2) {
		f.channels = step == 1 ? channels - 1 : channels - channels % step;
		if (f.channels < channels && explains(x, &f))
			ekka_rows_looks_like(&x->rows, "as if only the first %lld of %lld channels were summed", (long long)f.channels, (long long)channels);
	}
}
