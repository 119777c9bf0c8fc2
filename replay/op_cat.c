/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "cat": out0 is in0, in1... one behind another along dimension `dim`; in{I} begins at index offset{I} (absent: behind the one before). All
 * have out0's rank, its type's size, and its dims but for `dim`; inputs without elements may be absent. The inputs must fill the output and
 * not overlap. Elements are compared as bits: there is no bound.
 */
#include <stdio.h>
#include <string.h>

#include "compare/elements_bad.h"
#include "replay/rows_device.h"

enum { CHUNK = 1024, FURTHEST = 1 << 20 /* elements that a pointer may be off */ };

struct part {
	struct ekka_array *a;
	unsigned number;		/* of in{number} */
	int64_t at, length;		/* along dim */
};

struct cat {
	struct ekka_rows rows;
	struct ekka_array *out;
	struct part part[EKKA_MAX_TENSORS];
	unsigned n_parts;
	int64_t length, inner;		/* of the output along dim; elements behind one index of it */
};

/* An integer type of the same size, as which bits are compared; false for none. */
static bool as_bits(struct ekka_array *a)
{
	switch (ekka_dtype_bytes(a->dtype)) {
	case 1: a->dtype = EKKA_U8; return true;
	case 2: a->dtype = EKKA_U16; return true;
	case 4: a->dtype = EKKA_U32; return true;
	case 8: a->dtype = EKKA_I64; return true;
	default: return false;
	}
}

static bool fits(const struct cat *x, const struct ekka_array *a, unsigned dim)
{
	if (a->n_dims != x->out->n_dims || a->dtype != x->out->dtype)
		return false;
	for (unsigned d = 0; d < a->n_dims; d++)
		if (d != dim && a->dim[d] != x->out->dim[d])
			return false;
	return true;
}

/* Every index along dim belongs to one input. */
static bool tiles(const struct cat *x)
{
	int64_t end = 0;

	for (unsigned found = 0; found < x->n_parts; found++) {
		unsigned i = 0;

		while (i < x->n_parts && x->part[i].at != end)
			i++;
		if (i == x->n_parts)
			return false;
		end += x->part[i].length;
	}
	return end == x->length;
}

static int take_parts(struct cat *x, unsigned dim, struct ekka_error *err)
{
	int64_t end = 0;

	for (unsigned i = 0; i < EKKA_MAX_TENSORS; i++) {
		char name[24], offset[24];
		struct ekka_array *a;
		int r;

		(void)snprintf(name, sizeof name, "in%u", i);
		(void)snprintf(offset, sizeof offset, "offset%u", i);
		r = ekka_rows_take(&x->rows, name, EKKA_PRE, false, &a, err);
		if (r < 0 || x->rows.settled)
			return r;
		if (!a)
			continue;
		if (!as_bits(a) || !fits(x, a, dim)) {
			ekka_rows_settle(&x->rows, EKKA_INCOMPLETE, "the inputs' dimensions or types do not fit the output's");
			return 0;
		}
		x->part[x->n_parts] = (struct part){ a, i, (int64_t)ekka_rows_number(&x->rows, offset, (double)end), a->dim[dim] };
		end = x->part[x->n_parts].at + a->dim[dim];
		x->n_parts++;
	}
	return 0;
}

static int prepare(void *arg, struct ekka_error *err)
{
	struct cat *x = arg;
	double dim = ekka_rows_number(&x->rows, "dim", -1);
	int r = ekka_rows_output(&x->rows, "out0", &x->out, err);

	if (r < 0 || x->rows.settled)
		return r;
	if (!x->out || !(dim >= 0 && dim < x->out->n_dims) || dim != (unsigned)dim || !as_bits(x->out)) {
		ekka_rows_settle(&x->rows, EKKA_INCOMPLETE, "there is no out0 or no dimension of it called dim");
		return 0;
	}
	x->length = x->out->dim[(unsigned)dim];
	x->inner = ekka_rows_length(x->out, x->out->n_dims - (unsigned)dim - 1);
	r = take_parts(x, (unsigned)dim, err);
	if (r == 0 && !x->rows.settled && !tiles(x))
		ekka_rows_settle(&x->rows, EKKA_INCOMPLETE, "the inputs do not fill the output, or overlap");
	return r;
}

static void judge_parts(void *arg)
{
	struct cat *x = arg;
	int64_t n_outer = x->out->n / (x->length * x->inner), ref[CHUNK];

	for (int64_t outer = 0; outer < n_outer; outer++)
		for (unsigned i = 0; i < x->n_parts; i++) {
			const struct part *p = &x->part[i];
			int64_t n = p->length * x->inner, to = (outer * x->length + p->at) * x->inner;

			for (int64_t done = 0, m; done < n; done += m) {
				m = n - done < CHUNK ? n - done : CHUNK;
				ekka_array_get_int(p->a, outer * n + done, (size_t)m, ref);
				ekka_rows_compare_int(&x->rows, x->out, to + done, m, ref);
			}
		}
}

static bool judge_on_device(void *arg)
{
	struct cat *x = arg;
	struct ekka_cat_job job = { .n_parts = (int32_t)x->n_parts, .length = x->length, .inner = x->inner };
	struct ekka_rows_work w = { .job = &job, .bytes = sizeof job, .n_steps = 1, .step = { { EKKA_ROWS_cat, ekka_rows_teams(x->out->n) } } };

	if (x->n_parts > EKKA_ROWS_TENSORS)
		return false;
	ekka_rows_work_out(&w, x->out, &job.out);
	for (unsigned i = 0; i < x->n_parts; i++) {
		ekka_rows_work_in(&w, x->part[i].a, &job.part[i].array);
		job.part[i].at = x->part[i].at;
		job.part[i].length = x->part[i].length;
	}
	return ekka_rows_on_device(&x->rows, &w);
}

/* ---- what a wrong result looks like ------------------------------------------ */

static const struct part *part_of(const struct cat *x, int64_t along)
{
	for (unsigned i = 0; i < x->n_parts; i++)
		if (along >= x->part[i].at && along < x->part[i].at + x->part[i].length)
			return &x->part[i];
	return NULL;
}

/* Is most of the sample of wrong elements, all in input `to`'s place, input `from`, read `by` elements further on. */
static bool explains(const struct cat *x, const struct ekka_bad *bad, const struct part *to, const struct part *from, int64_t by)
{
	unsigned n = 0;

	for (unsigned i = 0; i < bad->n_samples; i++) {
		int64_t index = bad->sample[i].index, along = index / x->inner % x->length, outer = index / (x->inner * x->length), at, got, other;

		if (part_of(x, along) != to || along - to->at >= from->length)
			return false;
		at = (outer * from->length + along - to->at) * x->inner + index % x->inner + by;
		if (at < 0 || at >= from->a->n)
			continue;
		n++;
		ekka_array_get_int(x->out, index, 1, &got);
		ekka_array_get_int(from->a, at, 1, &other);
		if (got != other)
			return false;
	}
	return n > 0 && 2 * n >= bad->n_samples;
}

static void explain(void *arg)
{
	struct cat *x = arg;
	const struct ekka_bad *bad = ekka_elements_bad(x->rows.elements, x->out->tensor);
	const struct part *to = bad ? part_of(x, bad->sample[0].index / x->inner % x->length) : NULL;

	if (!to)
		return;
	for (unsigned i = 0; i < x->n_parts; i++)
		if (&x->part[i] != to && explains(x, bad, to, &x->part[i], 0))
			ekka_rows_looks_like(&x->rows, "in%u where in%u belongs", x->part[i].number, to->number);
	for (int shift = -1; shift <= 1; shift += 2)
		if (explains(x, bad, to, to, shift * x->inner))
			ekka_rows_looks_like(&x->rows, "in%u shifted by one along the dimension", to->number);
	for (int64_t by = 1; by <= FURTHEST; by *= 2)
		for (int sign = -1; sign <= 1; sign += 2)
			if (explains(x, bad, to, to, sign * by))
				ekka_rows_looks_like(&x->rows, "as if in%u was read %lld elements %s", to->number, (long long)by, sign > 0 ? "further on" : "before");
}

static void say_bound(const void *arg, char text[EKKA_TEXT])
{
	(void)arg;
	(void)snprintf(text, EKKA_TEXT, "a copy: equal to the bit");
}

static int judge_cat(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	static const struct ekka_rows_op op = { sizeof(struct cat), prepare, judge_parts, say_bound, explain, NULL, judge_on_device };

	return ekka_rows_run(&op, ctx, event, v, err);
}

const struct ekka_op ekka_op_cat = { "cat", judge_cat };
