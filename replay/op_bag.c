/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "bag": out0[b, j] is the sum, mean or maximum of table[ids[i], j] over the ids of bag b: those from offsets[b] to in front of offsets[b + 1], of the first
 * bag from 0, of the last, number `bags`, to the end. `weights`?: factors, one an id, of sums. Ids that are `padding` (-1: none) do not count. What
 * is empty gives 0. `size`? [bags]: how many count; `bag_of`? [ids]: the bag of each; `index`? [bags, j]: the id of a maximum, the first of
 * equal ones, -1 of none.
 *
 * Bounds, with m the number of terms t, u of the type computed in (`compute`, else f64 for f64 and f32 for all others; as much again for the reference's own in f64):
 *
 *	sum	(m - 1) u sum |t|, in any order (Jeannerod and Rump, replay/rows.h); with weights (m + 1) u sum |t|: a product's rounding and what
 *		it adds to the others'; m of the smallest normal numbers for flushing
 *	mean	the same / m, and 4 u |mean| for the division (replay/expr.h)
 *	max	0: a later one takes its place only where it is greater, so that NaN stays where it comes first and gets lost elsewhere
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/rows.h"

enum kind { SUM, MEAN, MAX, KINDS };

struct bag {
	struct ekka_rows *rows;
	struct ekka_array *ids, *offsets, *table, *weights, *out, *size, *bag_of, *index;
	enum kind kind;
	int64_t n, n_bags, width, padding;
	double u, tiny, largest;
	int64_t *id, *first, *best;	/* [n], [n_bags + 1], [width] */
	double *factor, *x, *ref, *abs, *bound;
};

static const char *const kinds[KINDS] = { "sum", "mean", "max" };

static int take(struct bag *b, struct ekka_error *err)
{
	struct { const char *name; struct ekka_array **to; bool output, needed; } const tensors[] = {
		{ "offsets", &b->offsets, false, true }, { "table", &b->table, false, true }, { "ids", &b->ids, false, false },
		{ "weights", &b->weights, false, false }, { "out0", &b->out, true, true }, { "size", &b->size, true, false },
		{ "bag_of", &b->bag_of, true, false }, { "index", &b->index, true, false },
	};
	int n = 0;

	for (size_t i = 0; i < sizeof tensors / sizeof *tensors && n == 0 && !b->rows->settled; i++)
		n = tensors[i].output ? ekka_rows_output(b->rows, tensors[i].name, tensors[i].to, err) :
					ekka_rows_take(b->rows, tensors[i].name, EKKA_PRE, tensors[i].needed, tensors[i].to, err);
	return n;
}

static void prepare(struct bag *b)
{
	struct ekka_rows *r = b->rows;
	const char *kind = ekka_rows_text(r, "kind", "");
	enum ekka_dtype t = ekka_rows_compute(r, b->table->dtype);

	while (b->kind < KINDS && strcmp(kind, kinds[b->kind]) != 0)
		b->kind++;
	b->n = b->ids ? b->ids->n : 0;
	b->n_bags = b->out && b->out->n_dims == 2 ? b->out->dim[0] : 0;
	b->width = b->n_bags ? b->out->dim[1] : 0;
	b->padding = (int64_t)ekka_rows_number(r, "padding", -1);
	b->u = ekka_dtype_unit_roundoff(t) * (t == EKKA_F64 ? 2 : 1);
	b->tiny = ekka_dtype_tiny(t);
	b->largest = ekka_dtype_largest(t);
	if (b->kind == KINDS || (b->weights && b->kind != SUM))
		ekka_rows_settle(r, EKKA_UNSUPPORTED, "no reference for this kind of bags");
	else if (!b->n_bags || b->table->n_dims != 2 || b->table->dim[1] != b->width || b->offsets->n < b->n_bags || (b->weights && b->weights->n != b->n) ||
		 (b->size && b->size->n < b->n_bags) || (b->bag_of && b->bag_of->n != b->n) || (b->index && b->index->n != b->out->n))
		ekka_rows_settle(r, EKKA_INCOMPLETE, "the recorded dimensions do not fit together");
}

static int make_room(struct bag *b, struct ekka_error *err)
{
	struct { void *to; int64_t n; } const buffers[] = {
		{ &b->id, b->n + 1 }, { &b->first, b->n_bags + 1 }, { &b->best, b->width }, { &b->factor, b->n + 1 }, { &b->x, b->width },
		{ &b->ref, b->width }, { &b->abs, b->width }, { &b->bound, b->width },
	};

	for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) {
		void *p = ekka_rows_buffer(b->rows, buffers[i].n, err);

		if (!p)
			return EKKA_ERR_NOMEM;
		memcpy(buffers[i].to, &p, sizeof p);
	}
	return 0;
}

/* Ids, factors and where bags begin; settles what is out of range. */
static void load(struct bag *b)
{
	char text[EKKA_TEXT];

	ekka_array_get_int(b->offsets, 0, (size_t)b->n_bags, b->first);
	b->first[0] = 0;
	b->first[b->n_bags] = b->n;
	for (int64_t i = 0; i < b->n_bags; i++)
		if (b->first[i] < 0 || b->first[i] > b->first[i + 1]) {
			ekka_rows_settle(b->rows, EKKA_UNDECIDED, "the offsets of the bags do not rise, or lead behind the ids");
			return;
		}
	if (b->n)
		ekka_array_get_int(b->ids, 0, (size_t)b->n, b->id);
	for (int64_t i = 0; i < b->n; i++)
		if (b->id[i] < 0 || b->id[i] >= b->table->dim[0]) {
			(void)snprintf(text, sizeof text, "id %lld at %lld, of a table of %lld rows", (long long)b->id[i], (long long)i,
				       (long long)b->table->dim[0]);
			ekka_audit_append(b->rows->verdict, text);
			ekka_rows_settle(b->rows, EKKA_UNDECIDED, "an id out of range");
			return;
		}
	if (b->weights && b->n)
		ekka_array_get(b->weights, 0, (size_t)b->n, b->factor);
}

/* One more id of a bag that has had `count` that count. */
static void add(struct bag *b, int64_t i, int64_t count)
{
	ekka_array_get(b->table, b->id[i] * b->width, (size_t)b->width, b->x);
	for (int64_t j = 0; j < b->width; j++) {
		double t = b->weights ? b->x[j] * b->factor[i] : b->x[j];

		if (b->kind != MAX) {
			b->ref[j] += t;
			b->abs[j] += fabs(t);
		} else if (count == 0 || t > b->ref[j]) {
			b->ref[j] = t;
			b->best[j] = b->id[i];
		}
	}
}

/* Sums, their errors and means of one bag without its last `left` ids; returns how many count. */
static int64_t fold(struct bag *b, int64_t bag, int64_t left, bool mean)
{
	int64_t m = 0, end = b->first[bag + 1] - left;

	for (int64_t j = 0; j < b->width; j++) {
		b->ref[j] = b->abs[j] = 0;
		b->best[j] = -1;
	}
	for (int64_t i = b->first[bag]; i < end; i++)
		if (b->id[i] != b->padding)
			add(b, i, m++);
		else if (b->weights && !isfinite(b->factor[i]))
			for (int64_t j = 0; j < b->width; j++)
				b->ref[j] = NAN;	/* 0 times that */
	for (int64_t j = 0; j < b->width; j++) {
		double terms = (double)m + (b->weights ? 1 : -1);

		b->bound[j] = b->kind == MAX || m == 0 ? 0 : b->abs[j] >= b->largest ? INFINITY : terms * b->u * b->abs[j] + (double)m * b->tiny;
		if (b->kind != MAX && !b->weights && m == 1)
			b->bound[j] = 0;	/* 0 + x */
		if (mean && m > 0) {
			b->ref[j] /= (double)m;
			b->bound[j] = b->bound[j] / (double)m + (m > 1 ? 4 * b->u * fabs(b->ref[j]) : 0);
		}
	}
	return m;
}

static void compare(struct bag *b)
{
	for (int64_t bag = 0; bag < b->n_bags; bag++) {
		int64_t m = fold(b, bag, 0, b->kind == MEAN);

		ekka_rows_compare(b->rows, b->out, bag * b->width, b->width, b->ref, b->kind == MAX ? NULL : b->bound);
		if (b->index)
			ekka_rows_compare_int(b->rows, b->index, bag * b->width, b->width, b->best);
		if (b->size)
			ekka_rows_compare_int(b->rows, b->size, bag, 1, &m);
		for (int64_t i = b->first[bag]; b->bag_of && i < b->first[bag + 1]; i++)
			ekka_rows_compare_int(b->rows, b->bag_of, i, 1, &bag);
	}
}

/* Are the wrong results those of bags without their last id, or of sums in place of means. */
static bool holds(struct bag *b, int64_t left, bool mean)
{
	const struct ekka_rows *r = b->rows;

	for (unsigned i = 0; i < r->n_wrong; i++) {
		int64_t bag = r->wrong[i].index / b->width, j = r->wrong[i].index % b->width;

		if (r->wrong[i].output != b->out || b->first[bag] + left > b->first[bag + 1])
			return false;
		fold(b, bag, left, mean);
		if (!ekka_near_holds(b->out->dtype, r->wrong[i].got, (struct ekka_near){ b->ref[j], b->bound[j] }))
			return false;
	}
	return r->n_wrong > 0;
}

static void explain(struct bag *b)
{
	if (holds(b, 1, b->kind == MEAN))
		ekka_rows_looks_like(b->rows, "as if the last id of the bag was lost");
	else if (b->kind == MEAN && holds(b, 0, false))
		ekka_rows_looks_like(b->rows, "as if sums were not divided");
}

static int judge(struct ekka_rows *r, struct ekka_error *err)
{
	struct bag b = { .rows = r };
	int n = take(&b, err);
	char text[EKKA_TEXT];

	if (n == 0 && !r->settled)
		prepare(&b);
	if (n == 0 && !r->settled)
		n = make_room(&b, err);
	if (n == 0 && !r->settled)
		load(&b);
	if (n < 0 || r->settled)
		return n;
	r->row_length = b.width;
	compare(&b);
	(void)snprintf(text, sizeof text, b.kind == MAX ? "exact" : "any-order sum of a bag, u=%g", b.u);
	n = ekka_rows_verdict(r, text, err);
	if (n == 0 && r->verdict->status == EKKA_FAIL)
		explain(&b);
	return n;
}

static int judge_bag(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	return ekka_rows_judge(ctx, event, judge, v, err);
}

const struct ekka_op ekka_op_bag = { "bag", judge_bag };
