/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "scan": out0[i] = kind over in0[0..i], or with `exclusive` over in0[0..i-1] (the first is 0; 1 for prod; for max, min and logsumexp the least of
 * the type, respectively the largest; a sum begins with `init`), along the last dim. With `count` a term is 1 where in0 is not 0. With
 * `parts` in0 is [..., parts, n], integers, and a term the sum of those of all parts. out1 is the place of the maximum or minimum, any of equal ones. Integers are exact, modulo
 * their width. NaN stays: a maximum is NaN from the first NaN on.
 *
 * Bounds, with S_i = sum of |x| so far, h = min(i, `depth`), u of `compute`, by default the type of out0: PyTorch's and
 * CUB's scans round every partial sum to it; parallel scans add partial sums of ranges, which is some tree of additions, and exclusive ones may subtract:
 *
 *	sum	h u S_i + u (|r| + |x_i|) + i tiny
 *	prod	((1 + u)^i - 1) |r| + i tiny P_i, P the product of max(1, |x|) so far
 *	logsumexp: of two, max + log1p(exp(min - max)): what the two are wrong by is weighted by numbers that sum to 1, and u (|r| + 4) is new, with
 *		CUDA's fast functions 2^-20 at most: h (2^-20 (u / 2^-24) + u (max |x| so far + log i + 4))
 *
 * With `order` ("sequence", or "halves" of `threads` threads, replay/scan_order.h) a sum or product of floating numbers of out0's type is followed to the bit from
 * the engine's own results. Other orders agree with that here and there, the more so where sums are exact. So the row is held to it, all elements, only where at
 * least 32 results had to be rounded and 15 of 16 of these agree: then the order is what it is said to be. Else to the bounds above.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "replay/rows.h"
#include "replay/scan_order.h"

enum kind { SUM, PROD, MAX, MIN, LOGSUMEXP, KINDS };
enum { MOST_THREADS = 1024 };

struct scan {
	struct ekka_rows rows;
	struct ekka_array *in, *out, *index;
	enum kind kind;
	bool exclusive, integers, count;
	int64_t parts;
	double init;
	int64_t n, n_rows;
	double u, tiny, largest, additions;
	double *x, *ref, *bound, *places;	/* of a piece; places: as int64_t */
	enum ekka_scan_order order;
	int64_t piece;
	double *row, *got, *exact, *scratch;	/* of a row, and of a piece of it, where the order is known */
	bool *rounded;		/* of a row */
};

/* What is known of a row so far. */
struct state {
	int64_t n, best_index, integer;
	double value, low, abs, big, peak, sum, top;	/* low: what the sum lost to rounding here; peak and sum of logsumexp */
};

/* Is every rounding known. */
static int prepare_order(struct scan *x, struct ekka_error *err)
{
	struct ekka_rows *r = &x->rows;
	double threads = ekka_rows_number(r, "threads", 0);
	double **const buffers[] = { &x->row, &x->got, &x->exact, &x->scratch }, *flags = NULL;

	x->order = ekka_scan_order_from_name(ekka_rows_text(r, "order", ""));
	x->piece = 1;
	if (x->order == EKKA_SCAN_HALVES)
		for (x->piece = 2; (double)x->piece < 2 * threads && x->piece < MOST_THREADS * 2;)
			x->piece *= 2;
	if (x->kind > PROD || x->exclusive || x->count || x->init != 0 || x->integers || x->parts > 1 || x->in->dtype != x->out->dtype || x->n < 2 ||
	    (x->order == EKKA_SCAN_HALVES && (double)x->piece != 2 * threads))
		x->order = EKKA_SCAN_ANY;
	for (size_t i = 0; i < sizeof buffers / sizeof *buffers && x->order != EKKA_SCAN_ANY; i++) {
		*buffers[i] = ekka_rows_buffer(r, i < 3 ? x->n : x->piece, err);
		if (!*buffers[i])
			return EKKA_ERR_NOMEM;
	}
	if (x->order != EKKA_SCAN_ANY && !(flags = ekka_rows_buffer(r, x->n / (int64_t)sizeof *flags + 1, err)))
		return EKKA_ERR_NOMEM;
	x->rounded = (bool *)(void *)flags;
	return 0;
}

static int prepare(void *arg, struct ekka_error *err)
{
	struct scan *x = arg;
	static const char *const names[KINDS] = { "sum", "prod", "max", "min", "logsumexp" };
	double **const buffers[] = { &x->x, &x->ref, &x->bound, &x->places };
	const char *kind = ekka_rows_text(&x->rows, "kind", "");
	struct ekka_rows *r = &x->rows;
	enum ekka_dtype t;
	int n;

	while (x->kind < KINDS && strcmp(kind, names[x->kind]) != 0)
		x->kind++;
	if (x->kind == KINDS)
		ekka_rows_settle(r, EKKA_UNSUPPORTED, "no reference for this kind of scan");
	n = ekka_rows_take(r, "in0", EKKA_PRE, true, &x->in, err);
	if (n == 0)
		n = ekka_rows_output(r, "out0", &x->out, err);
	if (n == 0)
		n = ekka_rows_output(r, "out1", &x->index, err);
	if (n < 0 || r->settled)
		return n;
	x->parts = (int64_t)ekka_rows_number(r, "parts", 1);
	if (!x->out || x->parts < 1 || x->in->n % x->parts != 0 || x->out->n != x->in->n / x->parts || (x->index && x->index->n != x->out->n)) {
		ekka_rows_settle(r, EKKA_INCOMPLETE, "the dimensions of in0 and the outputs do not fit together");
		return 0;
	}
	x->n = ekka_rows_length(x->in, 1);
	x->n_rows = ekka_rows_count(x->out, 1);
	x->exclusive = ekka_rows_number(r, "exclusive", 0) != 0;
	x->count = ekka_rows_number(r, "count", 0) != 0;
	x->init = x->kind == SUM ? ekka_rows_number(r, "init", 0) : 0;
	x->integers = ekka_dtype_is_integer(x->in->dtype) && ekka_dtype_is_integer(x->out->dtype);
	if (x->parts > 1 && !x->integers)
		ekka_rows_settle(r, EKKA_UNSUPPORTED, "no reference for sums of parts that are no integers");
	t = ekka_rows_dtype(r, "compute", ekka_dtype_is_integer(x->out->dtype) ? EKKA_F32 : x->out->dtype);
	x->u = ekka_dtype_unit_roundoff(t) * (t == EKKA_F64 ? 2 : 1);	/* a reference in float64 errs as much */
	x->additions = ekka_rows_additions(r, x->n, x->u);
	x->tiny = ekka_dtype_tiny(t);
	x->largest = ekka_dtype_largest(t);
	for (unsigned i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
		*buffers[i] = ekka_rows_buffer(r, EKKA_ROWS_CHUNK, err);
		if (!*buffers[i])
			return EKKA_ERR_NOMEM;
	}
	return prepare_order(x, err);
}

/* ---- integers ---------------------------------------------------------- */

static bool better(const struct scan *x, int64_t a, int64_t b)
{
	if (x->in->dtype == EKKA_U64)
		return x->kind == MAX ? (uint64_t)a > (uint64_t)b : (uint64_t)a < (uint64_t)b;
	return x->kind == MAX ? a > b : a < b;
}

static int64_t first_integer(const struct scan *x)
{
	enum ekka_dtype t = x->out->dtype;
	unsigned bits = (unsigned)ekka_dtype_bytes(t) * 8;
	bool is_unsigned = t == EKKA_U8 || t == EKKA_U16 || t == EKKA_U32 || t == EKKA_U64;

	if (x->kind != MAX && x->kind != MIN)
		return x->kind == PROD ? 1 : (int64_t)x->init;
	if (is_unsigned)
		return x->kind == MAX ? 0 : (int64_t)(UINT64_MAX >> (64 - bits));
	return x->kind == MAX ? INT64_MIN >> (64 - bits) : INT64_MAX >> (64 - bits);
}

static void step_integer(const struct scan *x, struct state *s, int64_t v)
{
	if (s->n == 0 && x->kind != SUM && x->kind != PROD)
		s->integer = v;
	else if (x->kind == SUM)
		s->integer = (int64_t)((uint64_t)s->integer + (uint64_t)v);
	else if (x->kind == PROD)
		s->integer = (int64_t)((uint64_t)s->integer * (uint64_t)v);
	else if (better(x, v, s->integer))
		s->integer = v;
	else
		return;
	s->best_index = s->n;
}

/* Terms done..done+m-1 of a row. */
static void load_integers(const struct scan *x, int64_t row, int64_t done, int64_t m, int64_t *ret)
{
	int64_t part[EKKA_ROWS_CHUNK];

	ekka_array_get_int(x->in, row * x->parts * x->n + done, (size_t)m, ret);
	for (int64_t p = 1; p < x->parts; p++) {
		ekka_array_get_int(x->in, (row * x->parts + p) * x->n + done, (size_t)m, part);
		for (int64_t i = 0; i < m; i++)
			ret[i] = (int64_t)((uint64_t)ret[i] + (uint64_t)part[i]);
	}
	for (int64_t i = 0; i < m && x->count; i++)
		ret[i] = ret[i] != 0;
}

static void scan_integers(struct scan *x, struct state *s, int64_t row, int64_t done, int64_t m)
{
	int64_t *in = (int64_t *)(void *)x->x, *ref = (int64_t *)(void *)x->ref, *places = (int64_t *)(void *)x->places;

	load_integers(x, row, done, m, in);
	if (s->n == 0)
		s->integer = first_integer(x);
	for (int64_t i = 0; i < m; i++) {
		int64_t before = s->integer;

		step_integer(x, s, in[i]);
		s->n++;
		ref[i] = ekka_dtype_wrap(x->out->dtype, x->exclusive ? before : s->integer);
		places[i] = s->best_index;
	}
}

/* ---- reals ------------------------------------------------------------- */

static double first_value(const struct scan *x)
{
	return x->kind == PROD ? 1 : x->kind == SUM ? x->init : x->kind == MIN ? INFINITY : -INFINITY;
}

static void step(const struct scan *x, struct state *s, double v)
{
	double sum, rest;

	s->abs += fabs(v);
	s->top = isinf(v) ? s->top : fmax(s->top, fabs(v));
	switch (x->kind) {
	case SUM:
		sum = s->value + v;	/* TwoSum: long scans of doubles need the rest */
		rest = sum - s->value;
		rest = (s->value - (sum - rest)) + (v - rest);
		s->low += isfinite(sum) ? rest : 0;
		s->value = sum;
		return;
	case PROD:
		s->value *= v;
		s->big *= fmax(1, fabs(v));
		return;
	case LOGSUMEXP:
		if (v > s->peak) {
			s->sum = s->sum * exp(s->peak - v) + 1;
			s->peak = v;
		} else if (v > -INFINITY || isnan(v)) {
			s->sum += exp(v - s->peak);
		}
		s->value = s->peak + log(s->sum);
		return;
	default:
		if (isnan(s->value) || (s->n > 0 && !isnan(v) && !(x->kind == MAX ? v > s->value : v < s->value)))
			return;
		s->value = v;
		s->best_index = s->n;
	}
}

/* Error of the result of s->n terms, the last of which was v. */
static double error_of(const struct scan *x, const struct state *s, double v)
{
	double n = (double)s->n, h = fmin(n - 1, x->additions), size = fabs(s->value);

	if (s->n == 0 || !isfinite(s->value))
		return 0;
	switch (x->kind) {
	case SUM: return s->abs >= x->largest ? INFINITY : h * x->u * s->abs + x->u * (size + fabs(v)) + n * x->tiny;
	case PROD: return s->big >= x->largest ? INFINITY : expm1(n * x->u) * size + n * x->tiny * s->big;
	case LOGSUMEXP: return (h + 1) * (0x1p-20 * (x->u / 0x1p-24) + x->u * (s->top + log(n) + 4));
	default: return 0;
	}
}

static void scan_reals(struct scan *x, struct state *s, int64_t row, int64_t done, int64_t m)
{
	int64_t *places = (int64_t *)(void *)x->places;

	ekka_array_get(x->in, row * x->n + done, (size_t)m, x->x);
	if (s->n == 0)
		*s = (struct state){ .value = first_value(x), .abs = fabs(x->init), .big = 1, .peak = -INFINITY };
	for (int64_t i = 0; i < m; i++) {
		x->x[i] = x->count ? x->x[i] != 0 : x->x[i];
		if (x->exclusive) {
			x->ref[i] = s->value + s->low;
			x->bound[i] = error_of(x, s, x->x[i]);
		}
		step(x, s, x->x[i]);
		s->n++;
		if (!x->exclusive) {
			x->ref[i] = s->value + s->low;
			x->bound[i] = error_of(x, s, x->x[i]);
		}
		places[i] = s->best_index;
	}
}

/* ---- rows -------------------------------------------------------------- */

/* Of equal elements any up to here will do. */
static void accept_places(struct scan *x, int64_t row, int64_t done, int64_t m)
{
	int64_t *places = (int64_t *)(void *)x->places;

	for (int64_t i = 0; i < m; i++) {
		int64_t got;
		double mine, theirs;

		ekka_array_get_int(x->index, row * x->n + done + i, 1, &got);
		if (got == places[i] || got < 0 || got > done + i)
			continue;
		ekka_array_get(x->in, row * x->n + got, 1, &theirs);
		ekka_array_get(x->in, row * x->n + places[i], 1, &mine);
		if (mine == theirs || (isnan(mine) && isnan(theirs)))
			places[i] = got;
	}
	ekka_rows_compare_int(&x->rows, x->index, row * x->n + done, m, places);
}

/* True when the row is explained by its order, and was judged. */
static bool judge_order(struct scan *x, int64_t row)
{
	int64_t agree = 0, inexact = 0, n = x->n;

	if (x->order == EKKA_SCAN_ANY)
		return false;
	ekka_array_get(x->in, row * n, (size_t)n, x->row);
	ekka_array_get(x->out, row * n, (size_t)n, x->got);
	ekka_scan_follow(x->order, x->out->dtype, x->kind == PROD, n, x->piece, x->row, x->got, x->scratch, x->exact, x->rounded);
	for (int64_t i = 0; i < n; i++) {
		inexact += x->rounded[i];
		agree += x->rounded[i] && x->got[i] == x->exact[i];
	}
	if (inexact < 32 || agree < inexact - inexact / 16)
		return false;
	for (int64_t done = 0; done < n; done += EKKA_ROWS_CHUNK)
		ekka_rows_compare(&x->rows, x->out, row * n + done, n - done < EKKA_ROWS_CHUNK ? n - done : EKKA_ROWS_CHUNK, x->exact + done, NULL);
	return true;
}

static void judge_row(struct scan *x, int64_t row)
{
	bool exact = x->kind == MAX || x->kind == MIN;
	struct state s = { 0 };

	if (judge_order(x, row))
		return;

	for (int64_t done = 0, m; done < x->n; done += m) {
		m = x->n - done < EKKA_ROWS_CHUNK ? x->n - done : EKKA_ROWS_CHUNK;
		if (x->integers)
			scan_integers(x, &s, row, done, m);
		else
			scan_reals(x, &s, row, done, m);
		if (x->integers)
			ekka_rows_compare_int(&x->rows, x->out, row * x->n + done, m, (int64_t *)(void *)x->ref);
		else
			ekka_rows_compare(&x->rows, x->out, row * x->n + done, m, x->ref, exact ? NULL : x->bound);
		if (x->index)
			accept_places(x, row, done, m);
	}
}

static void judge_rows(void *arg)
{
	struct scan *x = arg;

	for (int64_t row = 0; row < x->n_rows; row++)
		judge_row(x, row);
}

/* Are the remembered wrong elements right for a scan that includes the element itself, or for one that does not. */
static void explain(void *arg)
{
	struct scan *x = arg;
	const struct ekka_rows *r = &x->rows;

	if (!r->n_wrong || x->integers)
		return;
	x->exclusive = !x->exclusive;
	for (unsigned i = 0; i < r->n_wrong; i++) {
		int64_t row = r->wrong[i].index / x->n, at = r->wrong[i].index % x->n, m;
		struct state s = { 0 };

		if (r->wrong[i].output != x->out)
			return;
		for (int64_t done = 0; done <= at; done += m) {
			m = at + 1 - done < EKKA_ROWS_CHUNK ? at + 1 - done : EKKA_ROWS_CHUNK;
			scan_reals(x, &s, row, done, m);
			if (done + m == at + 1 &&
			    !ekka_near_holds(x->out->dtype, r->wrong[i].got, (struct ekka_near){ x->ref[m - 1], x->bound[m - 1] }))
				return;
		}
	}
	ekka_rows_looks_like(&x->rows, x->exclusive ? "as if the element itself was not counted" : "as if the element itself was counted");
}

static void say_bound(const void *arg, char text[EKKA_TEXT])
{
	const struct scan *x = arg;

	(void)snprintf(text, EKKA_TEXT, x->integers ? "exact" : "any-order scan, u=%g, n=%lld", x->u, (long long)x->n);
}

static int judge_scan(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	static const struct ekka_rows_op op = { sizeof(struct scan), prepare, judge_rows, say_bound, explain, NULL, NULL };

	return ekka_rows_run(&op, ctx, event, v, err);
}

const struct ekka_op ekka_op_scan = { "scan", judge_scan };
