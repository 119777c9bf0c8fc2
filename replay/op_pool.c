/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "pool": y[n, c, o...] = alpha f(x[n, c, i...] for i = o * stride - pad + r * dilation, r within the window) + beta y[n, c, o...], for one to three spatial dims.
 *
 *	max		the largest that lies within x; a NaN among them is the result, unless `nan` is 0, when nothing is known of such windows
 *	avg		the sum of those within x, divided by how many there are
 *	avg_padded	the same sum, divided by how many lie within x and its padding; by `divisor` where that is given
 *
 * `index`?, as y: of a maximum, its place in the plane i... of x, row-major; any of equal ones, of NaN any NaN's.
 *
 * A window without an element of x has no result that is known. Layouts are whatever the strides say. Padding behind x is `pad_end`, which defaults to `pad`;
 * windows may reach beyond it (rounding up, as frameworks offer), where they count for nothing.
 *
 * Bound: a maximum is exact. With S = sum |x| over n elements, u the unit roundoff computed in (replay/rows.h): (n - 1) u S for sums in any order, 2 u of the mean
 * for the division or the product with the reciprocal, u for each product and sum with alpha and beta. Means of integers go to a neighbouring integer.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/op_conv.h"

enum kind { MAX, AVERAGE, AVERAGE_PADDED, KINDS };
static const char *const kind_names[] = { "max", "avg", "avg_padded" };

struct pool {
	struct ekka_rows rows;
	struct ekka_array *x, *y, *before, *index;	/* before: y's bytes, where beta is not 0; index: NULL: none */
	enum kind kind;
	bool nan;
	double alpha, beta, divisor, u;
	int64_t in[EKKA_CONV_DIMS], out[EKKA_CONV_DIMS], window[EKKA_CONV_DIMS], pad[EKKA_CONV_DIMS], pad_end[EKKA_CONV_DIMS];
	int64_t stride[EKKA_CONV_DIMS], dilation[EKKA_CONV_DIMS];
	int64_t planes, n_in, n_out, n_window;
	double *image, *ref, *bound, *old;	/* of one plane */
	int64_t *place;			/* where the maxima are */
};

static bool take_settings(struct pool *x)
{
	const struct { const char *name; int64_t fallback, least; int64_t *to; } lists[] = {
		{ "window", 1, 1, x->window }, { "pad", 0, 0, x->pad }, { "stride", 1, 1, x->stride }, { "dilation", 1, 1, x->dilation },
		{ "pad_end", 0, 0, x->pad_end },
	};
	unsigned dims = x->x->n_dims - 2;

	if (x->x->n_dims < 3 || dims > EKKA_CONV_DIMS || x->y->n_dims != x->x->n_dims)
		return false;
	for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++)
		if (!ekka_conv_list(&x->rows, lists[i].name, dims, lists[i].fallback, lists[i].least, lists[i].to))
			return false;
	if (!ekka_rows_text(&x->rows, "pad_end", NULL))
		memcpy(x->pad_end, x->pad, sizeof x->pad);
	x->planes = x->x->dim[0] * x->x->dim[1];
	x->n_in = x->n_out = x->n_window = 1;
	for (unsigned d = 0; d < EKKA_CONV_DIMS; d++) {
		bool is_real = d >= EKKA_CONV_DIMS - dims;
		unsigned from = is_real ? d + 2 - (EKKA_CONV_DIMS - dims) : 0;
		int64_t room;

		x->in[d] = is_real ? x->x->dim[from] : 1;
		x->out[d] = is_real ? x->y->dim[from] : 1;
		x->n_in *= x->in[d];
		x->n_out *= x->out[d];
		x->n_window *= x->window[d];
		room = x->in[d] + x->pad[d] + x->pad_end[d] - x->dilation[d] * (x->window[d] - 1) - 1;
		if (room < 0 || x->out[d] > (room + x->stride[d] - 1) / x->stride[d] + 1)
			return false;
	}
	return x->y->dim[0] == x->x->dim[0] && x->y->dim[1] == x->x->dim[1];
}

static int prepare(void *arg, struct ekka_error *err)
{
	struct pool *x = arg;
	struct ekka_rows *r = &x->rows;
	const char *kind = ekka_rows_text(r, "kind", "");
	int n = ekka_rows_take(r, "x", EKKA_PRE, true, &x->x, err);

	x->alpha = ekka_rows_number(r, "alpha", 1);
	x->beta = ekka_rows_number(r, "beta", 0);
	x->divisor = ekka_rows_number(r, "divisor", 0);
	x->nan = ekka_rows_number(r, "nan", 1) != 0;
	while (x->kind < KINDS && strcmp(kind, kind_names[x->kind]) != 0)
		x->kind++;
	if (x->kind == KINDS)
		ekka_rows_settle(r, EKKA_UNSUPPORTED, "no reference for this kind of pooling");
	if (n == 0)
		n = ekka_rows_output(r, "y", &x->y, err);
	if (n == 0)
		n = ekka_rows_output(r, "index", &x->index, err);
	if (n == 0 && x->beta != 0)
		n = ekka_rows_take(r, "y", EKKA_PRE, true, &x->before, err);
	if (n < 0 || r->settled)
		return n;
	if (!x->y || !take_settings(x) || (x->index && (x->index->n != x->y->n || x->kind != MAX))) {
		ekka_rows_settle(r, EKKA_INCOMPLETE, "the dimensions of x, y and the window do not fit together");
		return 0;
	}
	x->u = ekka_dtype_unit_roundoff(ekka_rows_compute(r, x->x->dtype));
	x->u *= ekka_rows_compute(r, x->x->dtype) == EKKA_F64 ? 2 : 1;	/* a reference in float64 errs as much */
	r->row_length = x->n_out;
	x->image = ekka_rows_buffer(r, x->n_in, err);
	x->ref = x->image ? ekka_rows_buffer(r, x->n_out, err) : NULL;
	x->bound = x->ref ? ekka_rows_buffer(r, x->n_out, err) : NULL;
	x->old = x->bound ? ekka_rows_buffer(r, x->n_out, err) : NULL;
	x->place = x->old ? (int64_t *)(void *)ekka_rows_buffer(r, x->n_out, err) : NULL;
	return x->place ? 0 : EKKA_ERR_NOMEM;
}

/* What a window holds. */
struct seen { double largest, sum, abs; int64_t n, padded, place; bool has_nan; };

/* Is x[place] as good as what `s` has, as a maximum. */
static bool as_large(const struct seen *s, double v)
{
	return s->has_nan ? isnan(v) : v == s->largest;
}

/* place of the result: `wanted` where that holds a maximum, too, else the first that does. */
static struct seen look(const struct pool *x, int64_t position, int64_t wanted)
{
	struct seen s = { .largest = -INFINITY, .place = -1 };
	bool saw_wanted = false;
	int64_t first[EKKA_CONV_DIMS];

	for (unsigned d = EKKA_CONV_DIMS; d-- > 0; position /= x->out[d])
		first[d] = position % x->out[d] * x->stride[d] - x->pad[d];
	for (int64_t r = 0; r < x->n_window; r++) {
		int64_t rest = r, place = 0, step = 1;
		bool inside = true, padded = true;

		for (unsigned d = EKKA_CONV_DIMS; d-- > 0; rest /= x->window[d]) {
			int64_t i = first[d] + rest % x->window[d] * x->dilation[d];

			inside &= i >= 0 && i < x->in[d];
			padded &= i < x->in[d] + x->pad_end[d];
			place += i * step;
			step *= x->in[d];
		}
		s.padded += padded;
		if (!inside)
			continue;
		s.n++;
		saw_wanted |= place == wanted;
		if (s.place < 0 || (!s.has_nan && (isnan(x->image[place]) || x->image[place] > s.largest)))
			s.place = place;
		s.has_nan |= isnan(x->image[place]);
		s.largest = x->image[place] > s.largest ? x->image[place] : s.largest;
		s.sum += x->image[place];
		s.abs += fabs(x->image[place]);
	}
	if (saw_wanted && as_large(&s, x->image[wanted]))
		s.place = wanted;
	return s;
}

/* One element as that kind of pooling has it; old: what y held. */
static void compute(const struct pool *x, enum kind kind, int64_t position, double old, double *ret, double *ret_bound)
{
	struct seen s = look(x, position, -1);
	double n = kind == AVERAGE ? (double)s.n : x->divisor != 0 ? x->divisor : (double)s.padded, tiny = ekka_dtype_tiny(x->x->dtype), v, b;
	bool integers = ekka_dtype_is_integer(x->y->dtype);

	if (kind == MAX) {
		v = s.has_nan ? NAN : s.largest;
		b = fabs(v) < tiny && !integers ? tiny : 0;
	} else {
		v = s.sum / n;
		b = ((double)(s.n - 1) * x->u * s.abs) / fabs(n) + 2 * x->u * fabs(v) + (integers ? 1 : 0);
	}
	if (x->alpha != 1 || x->beta != 0) {
		double a = x->alpha * v, c = x->beta != 0 ? x->beta * old : 0;

		b = fabs(x->alpha) * b + 2 * x->u * fabs(a) + 2 * x->u * fabs(c) + (integers ? 1 : 0);
		v = a + c;
	}
	*ret = v;
	*ret_bound = s.n == 0 || (kind == MAX && s.has_nan && !x->nan) || (kind != MAX && isfinite(s.sum) && s.abs >= ekka_dtype_largest(EKKA_F32)) ? INFINITY :
		     isfinite(v) ? b : 0;
}

static void judge_places(struct pool *x, int64_t plane)
{
	ekka_array_get_int(x->index, plane * x->n_out, (size_t)x->n_out, x->place);
	for (int64_t p = 0; p < x->n_out; p++) {
		struct seen s = look(x, p, x->place[p]);

		if (s.n > 0)	/* of an empty window nothing is known */
			x->place[p] = s.place;
	}
	ekka_rows_compare_int(&x->rows, x->index, plane * x->n_out, x->n_out, x->place);
}

static void judge_planes(void *arg)
{
	struct pool *x = arg;

	for (int64_t plane = 0; plane < x->planes; plane++) {
		ekka_array_get(x->x, plane * x->n_in, (size_t)x->n_in, x->image);
		if (x->before)
			ekka_array_get(x->before, plane * x->n_out, (size_t)x->n_out, x->old);
		for (int64_t p = 0; p < x->n_out; p++)
			compute(x, x->kind, p, x->old[p], &x->ref[p], &x->bound[p]);
		ekka_rows_compare(&x->rows, x->y, plane * x->n_out, x->n_out, x->ref, x->bound);
		if (x->index)
			judge_places(x, plane);
	}
}

/* Every wrong element is what that kind would have made of it. */
static bool explains(struct pool *x, enum kind kind)
{
	const struct ekka_rows *r = &x->rows;

	for (unsigned i = 0; i < r->n_wrong; i++) {
		int64_t plane = r->wrong[i].index / x->n_out;
		double old = 0, ref, bound;

		if (r->wrong[i].output != x->y)
			return false;
		ekka_array_get(x->x, plane * x->n_in, (size_t)x->n_in, x->image);
		if (x->before)
			ekka_array_get(x->before, r->wrong[i].index, 1, &old);
		compute(x, kind, r->wrong[i].index % x->n_out, old, &ref, &bound);
		if (!(bound < INFINITY) || !ekka_near_holds(x->y->dtype, r->wrong[i].got, (struct ekka_near){ ref, bound }))
			return false;
	}
	return r->n_wrong > 0;
}

static void explain(void *arg)
{
	static const char *const as_if[] = { "as if the largest was taken", "as if padding was not counted", "as if padding was counted" };
	struct pool *x = arg;

	for (enum kind kind = MAX; kind < KINDS; kind++)
		if (kind != x->kind && explains(x, kind))
			ekka_rows_looks_like(&x->rows, "%s", x->kind == MAX ? "as if the mean was taken" : as_if[kind]);
}

static void say_bound(const void *arg, char text[EKKA_TEXT])
{
	const struct pool *x = arg;

	(void)snprintf(text, EKKA_TEXT, "%s of %lld elements, u = %g", kind_names[x->kind], (long long)x->n_window, x->u);
}

static int judge_pool(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	static const struct ekka_rows_op op = { sizeof(struct pool), prepare, judge_planes, say_bound, explain, NULL, NULL };

	return ekka_rows_run(&op, ctx, event, v, err);
}

const struct ekka_op ekka_op_pool = { "pool", judge_pool };
