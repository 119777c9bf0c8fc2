/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/expr_explain.h"

#include "replay/expr_edit.h"
#include "replay/rows.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double ENOUGH = 0.9;
enum { FURTHEST = 1 << 20 /* elements that a pointer may be off */ };

struct look {
	struct ekka_expr_event *x;
	unsigned k;
	const struct ekka_array *out;
	const struct ekka_bad *bad;
	const char *expr;
	int moved;			/* input that is read `by` elements further on; -1: none */
	int64_t by;
	double best;			/* share of the sample that the best one so far explains */
	char *text;
};

/* ---- one hypothesis --------------------------------------------------- */

/* Where an element of the array lies among its bytes, in elements. */
static int64_t place_of(const struct ekka_array *a, int64_t index)
{
	int64_t at = a->offset;

	for (unsigned d = a->n_walk; d-- > 0; index /= a->walk_dim[d])
		at += index % a->walk_dim[d] * a->walk_stride[d];
	return at;
}

/* Is what the sample's element would be read from among the recorded bytes. */
static bool within(const struct look *l, int64_t index)
{
	const struct ekka_array *a = l->moved >= 0 ? &l->x->input[l->moved] : NULL;
	int64_t at;

	if (!a)
		return true;
	at = place_of(a, index);	/* of the moved array: it may lie outside */
	return at >= 0 && at < (int64_t)(a->n_bytes / ekka_dtype_bytes(a->dtype));
}

/* The sample's element as this expression gives it. False: unknown. */
static bool predict(struct look *l, const struct ekka_expr *expr, struct ekka_expr_state *state, const struct ekka_bad_sample *s, bool *ret_fits)
{
	struct ekka_expr_result result[EKKA_EXPR_RESULTS], *r = &result[l->k];
	struct ekka_near near;

	ekka_expr_event_load(l->x, s->index, 1);
	ekka_expr_event_eval(l->x, expr, state, 1, result);
	near = (struct ekka_near){ r->ints ? (double)r->ints[0] : r->re[0], r->exact ? 0 : r->error[0] };
	*ret_fits = ekka_near_holds(l->out->dtype, s->out, near);
	return near.error < INFINITY;
}

/* The expression with the symbols' present meaning; NULL where there is none. *ret_expr is to be freed in any case. */
static struct ekka_expr_state *prepare(struct look *l, const char *text, struct ekka_expr **ret_expr)
{
	struct ekka_error ignored = { 0 };

	*ret_expr = NULL;
	if (ekka_expr_parse(text, l->x->symbol, l->x->n_symbols, l->x->compute, ret_expr, &ignored) < 0 || l->k >= ekka_expr_n_results(*ret_expr))
		return NULL;
	ekka_expr_stored_as(*ret_expr, l->k, l->out->dtype);
	return ekka_expr_state_new(*ret_expr);
}

/* Part of the sample that this expression gives; 0 when it says too little of it. */
static double share(struct look *l, const char *text)
{
	struct ekka_expr *expr;
	struct ekka_expr_state *state = prepare(l, text, &expr);
	unsigned n = 0, good = 0, bad = 0, most;

	most = (unsigned)((1 - ENOUGH) * l->bad->n_samples);
	for (unsigned i = 0; state && i < l->bad->n_samples && bad <= most; i++) {
		bool fits;

		if (!within(l, l->bad->sample[i].index) || !predict(l, expr, state, &l->bad->sample[i], &fits))
			continue;
		n++;
		good += fits;
		bad += !fits;
	}
	ekka_expr_state_free(state);
	ekka_expr_free(expr);
	return bad <= most && n >= 4 && 2 * n >= l->bad->n_samples ? (double)good / n : 0;
}

static void __attribute__((format(printf, 3, 4))) attempt(struct look *l, const char *expr, const char *format, ...)
{
	double s = share(l, expr);
	va_list args;

	if (s < ENOUGH || s <= l->best)
		return;
	l->best = s;
	va_start(args, format);
	(void)vsnprintf(l->text, EKKA_TEXT, format, args);
	va_end(args);
}

/* How much of the deviation is left, 0 to 1, on average. */
static double residue(struct look *l)
{
	struct ekka_expr *expr;
	struct ekka_expr_state *state = prepare(l, l->expr, &expr);
	struct ekka_expr_result result[EKKA_EXPR_RESULTS];
	double sum = 0;

	for (unsigned i = 0; state && i < l->bad->n_samples; i++) {
		const struct ekka_bad_sample *s = &l->bad->sample[i];
		double left, was = fabs(s->out - s->ref);

		ekka_expr_event_load(l->x, s->index, 1);
		ekka_expr_event_eval(l->x, expr, state, 1, result);
		left = fabs((result[l->k].ints ? (double)result[l->k].ints[0] : result[l->k].re[0]) - s->out) / was;
		sum += left < 1 ? left : 1;
	}
	ekka_expr_free(expr);
	sum = state ? sum / l->bad->n_samples : 1;
	ekka_expr_state_free(state);
	return sum;
}

/* ---- what may be wrong ------------------------------------------------ */

/*
 * The number that fits best in the place of symbol s, from 2^-20 to 2^20 times its own: the best of a grid that is as coarse as the distance from it,
 * refined by golden section.
 */
static void fit_number(struct look *l, struct ekka_expr_symbol *s, double old)
{
	static const double part = 0.6180339887498949;
	double best = 1, at = 0, lo, hi, x[2], left[2];

	for (double e = 0x1p-12; e <= 20; e = e > 0 ? -e : -1.5 * e) {
		double r;

		s->number = old * exp2(e);
		r = residue(l);
		at = r < best ? e : at;
		best = fmin(r, best);
	}
	if (best > 0.5)
		return;
	lo = fmin(at / 1.6, at * 1.6);
	hi = fmax(at / 1.6, at * 1.6);
	for (int step = 0; step < 40; step++) {
		for (int i = 0; i < 2; i++) {
			x[i] = i == 0 ? hi - part * (hi - lo) : lo + part * (hi - lo);
			s->number = old * exp2(x[i]);
			left[i] = residue(l);
		}
		*(left[0] < left[1] ? &hi : &lo) = x[left[0] < left[1]];
	}
	s->number = old * exp2((lo + hi) / 2);
	attempt(l, l->expr, "as if %s was %.6g instead of %.6g", s->name, s->number, old);
}

static void try_moved(struct look *l, unsigned i, int64_t by, const char *what)
{
	struct ekka_array *a = &l->x->input[i];

	l->moved = (int)i;
	a->offset += by;
	attempt(l, l->expr, "as if %s was read %lld element%s %s%s", l->x->event->call.tensors[i].name, (long long)llabs(by), llabs(by) == 1 ? "" : "s",
		by > 0 ? "further on" : "before", what);
	a->offset -= by;
	l->moved = -1;
}

/* A pointer or an index off. */
static void try_places(struct look *l)
{
	for (unsigned i = 0; i < l->x->event->call.n_tensors; i++) {
		const struct ekka_array *a = &l->x->input[i];

		if (a->n < 2)
			continue;
		for (int sign = 1; sign >= -1; sign -= 2) {
			for (unsigned d = 0; d + 1 < a->n_dims; d++)
				if (a->dim[d] > 1 && a->stride[d] > 1)
					try_moved(l, i, sign * a->stride[d], d + 2 == a->n_dims ? ": a row off" : ": an index off");
			for (int64_t by = 1; by <= FURTHEST; by *= 2)
				try_moved(l, i, sign * by, "");
		}
	}
}

/* A symbol of the event by another meaning. */
static void try_symbols(struct look *l)
{
	static const double factors[] = { 0, -1, 2, 0.5, 10, 0.1, 100, 0.01, 1000, 0.001, 1e6, 1e-6 };
	struct ekka_expr_event *x = l->x;

	for (unsigned i = 0; i < x->n_symbols; i++) {
		struct ekka_expr_symbol *s = &x->symbol[i], was = *s;

		for (unsigned j = i + 1; j < x->n_symbols && (was.kind == EKKA_EXPR_REAL || was.kind == EKKA_EXPR_INT); j++) {
			struct ekka_expr_symbol *t = &x->symbol[j];

			if (t->kind != was.kind)
				continue;
			s->name = t->name;
			t->name = was.name;
			attempt(l, l->expr, "as if %s and %s were swapped", was.name, s->name);
			t->name = s->name;
			s->name = was.name;
		}
		for (int value = 0; value <= 1 && was.kind == EKKA_EXPR_REAL; value++) {
			*s = (struct ekka_expr_symbol){ .name = was.name, .kind = EKKA_EXPR_NUMBER, .number = value };
			attempt(l, l->expr, "as if %s was left out: %d in its place", was.name, value);
		}
		for (size_t k = 0; k < sizeof factors / sizeof factors[0] && (was.kind == EKKA_EXPR_NUMBER || was.kind == EKKA_EXPR_INTEGER); k++) {
			double old = was.kind == EKKA_EXPR_NUMBER ? was.number : (double)was.integer, other = factors[k] * old;

			*s = (struct ekka_expr_symbol){ .name = was.name, .kind = EKKA_EXPR_NUMBER, .number = other };
			if (other != old)
				attempt(l, l->expr, "as if %s was %.6g instead of %.6g", was.name, other, old);
		}
		if (was.kind == EKKA_EXPR_NUMBER && was.number != 0 && l->best < 1) {
			*s = was;
			fit_number(l, s, was.number);
		}
		*s = was;
	}
}

/* Other functions in their place. */
static void try_functions(struct look *l)
{
	static const char *const pairs[][2] = {
		{ "sin", "cos" }, { "gelu", "gelu_tanh" }, { "gelu", "gelu_quick" }, { "gelu_tanh", "gelu_quick" }, { "silu", "gelu" }, { "silu", "sigmoid" },
		{ "silu", "relu" }, { "exp", "exp2" }, { "log", "log2" }, { "rsqrt", "sqrt" }, { "min", "max" }, { "tanh", "sigmoid" }, { "floor", "ceil" },
		{ "rint", "floor" }, { "round", "floor" }, { "rint", "round" },
	};
	char text[EKKA_EXPR_LONGEST];

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		for (int way = 0; way < 2; way++)
			if (ekka_expr_replaced(l->expr, pairs[i][way], pairs[i][1 - way], text))
				attempt(l, text, "as if %s was %s", pairs[i][way], pairs[i][1 - way]);
}

/* Ends of a range that were left out. */
static void try_clamps(struct look *l)
{
	static const struct { const char *function, *form, *says; } changes[] = {
		/* One end alone first: wrong elements beyond it fit the loss of both as well. */
		{ "clamp", "max($0, $1)", "as if clamp had no upper end" }, { "clamp", "min($0, $2)", "as if clamp had no lower end" },
		{ "clamp", "($0)", "as if nothing was clamped" }, { "min", "($0)", "as if there was no min" }, { "min", "($1)", "as if there was no min" },
		{ "max", "($0)", "as if there was no max" }, { "max", "($1)", "as if there was no max" }, { "relu", "($0)", "as if there was no relu" },
	};
	char text[EKKA_EXPR_LONGEST];

	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
		for (unsigned n = 0; ekka_expr_recalled(l->expr, changes[i].function, n, changes[i].form, text); n++)
			attempt(l, text, "%s", changes[i].says);
}

/* Another operator in the place of one. */
static void try_operators(struct look *l)
{
	static const char pairs[][2] = { { '+', '-' }, { '*', '+' }, { '/', '*' }, { '<', '>' } };
	size_t n = strlen(l->expr);
	char text[EKKA_EXPR_LONGEST];

	for (size_t at = 1; at + 1 < n && n < EKKA_EXPR_LONGEST; at++)
		for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
			for (int way = 0; way < 2; way++) {
				if (l->expr[at] != pairs[i][way] || l->expr[at - 1] != ' ')
					continue;
				memcpy(text, l->expr, n + 1);
				text[at] = pairs[i][1 - way];
				attempt(l, text, "as if it was %.300s", text);
			}
}

/* What is done to an input first. */
static void try_inputs(struct look *l)
{
	char text[EKKA_EXPR_LONGEST], by[3 * EKKA_EXPR_NAME];

	for (unsigned i = 0; i < l->x->n_symbols; i++) {
		static const struct { enum ekka_expr_kind kind; const char *before, *behind, *says; } changes[] = {
			{ EKKA_EXPR_REAL, "(-", ")", "its sign was turned" }, { EKKA_EXPR_REAL, "bf16(", ")", "it was rounded to bf16 first" },
			{ EKKA_EXPR_REAL, "f16(", ")", "it was rounded to f16 first" }, { EKKA_EXPR_REAL, "(", " + 0.5)", "0.5 was added" },
			{ EKKA_EXPR_INT, "(", " + 1)", "it was one more" }, { EKKA_EXPR_INT, "(", " - 1)", "it was one less" },
			{ EKKA_EXPR_INT, "(", " & 255)", "it had 8 bits" }, { EKKA_EXPR_INT, "(", " & 65535)", "it had 16 bits" },
		};
		const struct ekka_expr_symbol *s = &l->x->symbol[i];

		for (size_t c = 0; c < sizeof changes / sizeof changes[0]; c++) {
			int n = changes[c].kind == s->kind ? snprintf(by, sizeof by, "%s%s%s", changes[c].before, s->name, changes[c].behind) : 0;

			if (n > 0 && (size_t)n < sizeof by && ekka_expr_replaced(l->expr, s->name, by, text))
				attempt(l, text, "as if of %s %s", s->name, changes[c].says);
		}
	}
}

/* The most rows that a table has with this stride among its bytes. */
static int64_t rows_within(const struct ekka_array *t, int64_t stride)
{
	int64_t rest = t->offset;

	for (unsigned d = 1; d < t->n_dims; d++)
		rest += (t->dim[d] - 1) * (t->stride[d] > 0 ? t->stride[d] : 0);
	rest = (int64_t)(t->n_bytes / ekka_dtype_bytes(t->dtype)) - 1 - rest;
	return rest < 0 ? 0 : rest / stride + 1;
}

/* Rows that lie closer together or further apart. */
static void try_tables(struct look *l)
{
	for (unsigned i = 0; i < l->x->event->call.n_tensors; i++) {
		struct ekka_array *t = &l->x->whole[i], was = *t;

		for (int64_t by = 1; t->n > 1 && t->n_dims > 1 && by < was.stride[0]; by *= 2)
			for (int sign = -1; sign <= 1; sign += 2) {
				t->stride[0] = was.stride[0] + sign * by;
				t->dim[0] = rows_within(&was, t->stride[0]);
				t->dim[0] = t->dim[0] < was.dim[0] ? t->dim[0] : was.dim[0];
				attempt(l, l->expr, "as if the rows of %s lay %lld elements apart, not %lld", l->x->event->call.tensors[i].name,
					(long long)t->stride[0], (long long)was.stride[0]);
				*t = was;
			}
	}
}

/* Zeros and NaN are what many changes give. */
static bool tells_something(const struct ekka_bad *b)
{
	unsigned plain = 0;

	for (unsigned i = 0; i < b->n_samples; i++)
		plain += b->sample[i].out == 0 || !isfinite(b->sample[i].out);
	return 2 * plain < b->n_samples;
}

void ekka_expr_explain(struct ekka_expr_event *x, unsigned k, const struct ekka_array *out, const struct ekka_bad *bad, char *text)
{
	struct look l = { .x = x, .k = k, .out = out, .bad = bad, .expr = ekka_expr_event_text(x->event, "expr"), .moved = -1, .text = text };

	text[0] = '\0';
	if (!tells_something(bad))
		return;
	try_symbols(&l);
	try_places(&l);
	try_tables(&l);
	try_clamps(&l);
	try_inputs(&l);
	try_functions(&l);
	try_operators(&l);
}
