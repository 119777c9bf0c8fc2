/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "rope": rotary position embedding. x [tokens, heads, D] becomes y, or is overwritten; x2 (y2), with heads of its own, is rotated
 * the same way (one kernel often takes queries and keys). Of every head the first rot = rotary_dim (default: what the tables are made for)
 * elements are turned in pairs (a, b) by the angle of their token's position,
 *
 *	a' = a cos - b sin	b' = b cos + a sin
 *
 * pairs being (i, i + rot / 2) ("neox") or (2 i, 2 i + 1) ("interleaved"); the others stay, bit for bit. cos and sin come from tables [positions,
 * rot / 2 or rot] or from a cache [positions, rot] whose first half holds cosines; or, with attribute `theta` and none of them, from the
 * angle position * theta^(-2 i / rot) / `scaling`. positions [tokens] defaults to the token's number; `offsets`? [tokens] is added to it.
 *
 * Bound: u (|a cos| + |b sin|) for the products, plus u (|a'| + that) for the sum, u of the type computed in (attribute `compute`, f32 by
 * default; the data's own in kernels that multiply c10::BFloat16). A fused multiplication saves one rounding. Tables of a wider type than that
 * are rounded to it first: another u. Computed angles: four roundings in f32 and sincosf's 2 ulp, 2^-22 (4 angle + 2) (|a| + |b|).
 */
#include <math.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/rows_device.h"

struct rope {
	const struct ekka_array *cos, *sin, *cache, *positions, *offsets;	/* NULL where absent */
	int64_t tokens, rot;
	double theta, scaling, u, roundings;	/* roundings: of a product */
	/* What hypotheses change. */
	bool interleaved, no_positions, no_offsets, backwards, swapped;
	int64_t shift;			/* added to positions */
};

/* The angle of one pair of a token. False when the position is outside the tables. */
static bool angle_of(const struct rope *p, int64_t token, int64_t pair, int64_t c, struct ekka_rope_angle *ret)
{
	const struct ekka_array *table = p->cache ? p->cache : p->cos;
	int64_t at = token, offset = 0, index[2];

	if (p->positions && !p->no_positions)
		ekka_array_get_int(p->positions, token, 1, &at);
	if (p->offsets && !p->no_offsets)
		ekka_array_get_int(p->offsets, token, 1, &offset);
	at += offset;
	at += p->shift;
	ret->error = 0;
	if (!table) {
		*ret = ekka_rope_computed(at, pair, p->rot, p->theta, p->scaling);
	} else {
		index[0] = at;
		index[1] = p->cache || table->dim[1] < p->rot ? pair : c;
		if (at < 0 || !ekka_array_at(table, index, &ret->cos))
			return false;
		index[1] += p->cache ? p->cache->dim[1] / 2 : 0;
		if (!ekka_array_at(p->cache ? p->cache : p->sin, index, &ret->sin))
			return false;
	}
	ret->sin = p->backwards ? -ret->sin : ret->sin;
	return true;
}

/* What element c of a head x becomes. False as above. */
static bool element(const struct rope *p, const double *x, int64_t token, int64_t c, struct ekka_near *ret)
{
	int64_t other;
	struct ekka_rope_angle t;

	*ret = (struct ekka_near){ x[c], 0 };
	if (c >= p->rot)
		return true;
	other = ekka_rope_other(c, p->rot, p->interleaved);
	if (!angle_of(p, token, ekka_rope_pair(c, p->rot, p->interleaved), c, &t))
		return false;
	*ret = ekka_rope_turned(x[p->swapped ? other : c], x[p->swapped ? c : other], other > c, &t, p->u, p->roundings);
	return true;
}

/* Do all wrong elements hold what this reading of the operands would give. */
static bool fits(struct ekka_rows *r, const struct rope *p, const struct ekka_array *x, const struct ekka_array *y, double *line)
{
	int64_t heads = y->dim[1], d = y->dim[2];
	unsigned seen = 0;

	for (unsigned i = 0; i < r->n_wrong; i++) {
		const struct ekka_wrong *w = &r->wrong[i];
		struct ekka_near near;

		if (w->output != y)
			continue;
		ekka_array_get(x, w->index / d * d, (size_t)d, line);
		if (!element(p, line, w->index / d / heads, w->index % d, &near) || !ekka_near_holds(y->dtype, w->got, near))
			return false;
		seen++;
	}
	return seen > 0;
}

static int explain(struct ekka_rows *r, const struct rope *p, const struct ekka_array *x, const struct ekka_array *y, struct ekka_error *err)
{
	double *line = y ? ekka_rows_buffer(r, y->dim[2], err) : NULL;
	struct rope alt = *p;

	if (!line)
		return y ? EKKA_ERR_NOMEM : 0;
	alt.interleaved = !p->interleaved;
	if (fits(r, &alt, x, y, line))
		ekka_rows_looks_like(r, "as if pairs were %s", alt.interleaved ? "neighbours (interleaved)" : "half the rotated part apart (neox)");
	alt = *p;
	alt.backwards = true;
	if (fits(r, &alt, x, y, line))
		ekka_rows_looks_like(r, "as if it was rotated backwards");
	alt = *p;
	alt.swapped = true;
	if (fits(r, &alt, x, y, line))
		ekka_rows_looks_like(r, "as if the two elements of every pair were swapped");
	alt = *p;
	alt.no_offsets = true;
	if (p->offsets && fits(r, &alt, x, y, line))
		ekka_rows_looks_like(r, "as if the offsets were not added to the positions");
	alt = *p;
	alt.no_positions = true;
	if (p->positions && fits(r, &alt, x, y, line))
		ekka_rows_looks_like(r, "as if the positions were the tokens' numbers");
	for (alt = *p, alt.shift = -1; alt.shift <= 1; alt.shift += 2)
		if (fits(r, &alt, x, y, line))
			ekka_rows_looks_like(r, "as if every position was one %s", alt.shift > 0 ? "more" : "less");
	for (alt = *p, alt.rot = 2; alt.rot <= y->dim[2] && (!p->cache || alt.rot <= p->rot); alt.rot += 2)
		if (alt.rot != p->rot && (p->cache || (p->cos && p->cos->dim[1] * 2 >= alt.rot)) && fits(r, &alt, x, y, line))
			ekka_rows_looks_like(r, "as if %lld elements of a head were rotated, not %lld", (long long)alt.rot, (long long)p->rot);
	return 0;
}

/* One tensor: every head of every token. */
static int judge_one(struct ekka_rows *r, const struct rope *p, const struct ekka_array *x, struct ekka_array *y, struct ekka_error *err)
{
	int64_t heads = y->dim[1], d = y->dim[2];
	double *line = ekka_rows_buffer(r, 3 * d, err), *ref = line + d, *bound = ref + d;

	if (!line)
		return EKKA_ERR_NOMEM;
	for (int64_t row = 0; row < y->dim[0] * heads; row++) {
		ekka_array_get(x, row * d, (size_t)d, line);
		for (int64_t c = 0; c < d; c++) {
			struct ekka_near near;

			if (!element(p, line, row / heads, c, &near)) {
				ekka_rows_settle(r, EKKA_INCOMPLETE, "a position lies outside the tables");
				return 0;
			}
			ref[c] = near.value;
			bound[c] = near.error;
		}
		ekka_rows_compare(r, y, row * d, p->rot < d ? p->rot : d, ref, bound);
		if (p->rot < d)
			ekka_rows_compare(r, y, row * d + p->rot, d - p->rot, ref + p->rot, NULL);
	}
	return 0;
}

/* x with its y; in place when there is no y. *ret_y NULL: the event has no such pair. */
static int take_pair(struct ekka_rows *r, const char *in, const char *out, bool needed, struct ekka_array **ret_x, struct ekka_array **ret_y,
		     struct ekka_error *err)
{
	int n = ekka_rows_take(r, in, EKKA_PRE, needed, ret_x, err);

	*ret_y = NULL;
	if (n == 0 && *ret_x)
		n = ekka_rows_output(r, out, ret_y, err);
	if (n == 0 && *ret_x && !*ret_y && !r->settled)
		n = ekka_rows_output(r, in, ret_y, err);
	if (n < 0 || r->settled || !*ret_x)
		return n;
	if (!*ret_y || (*ret_x)->n_dims != 3 || (*ret_y)->n_dims != 3 || (*ret_x)->n != (*ret_y)->n ||
	    memcmp((*ret_x)->dim, (*ret_y)->dim, 3 * sizeof (*ret_x)->dim[0]) != 0 ||
	    (*ret_y)->n != (*ret_y)->dim[0] * (*ret_y)->dim[1] * (*ret_y)->dim[2])
		ekka_rows_settle(r, EKKA_INCOMPLETE, "x and y are not both of dimensions tokens, heads, D");
	return 0;
}

static int take_tables(struct ekka_rows *r, struct rope *p, struct ekka_error *err)
{
	static const char *const names[] = { "cos", "sin", "cache", "positions", "offsets" };
	struct ekka_array *found[5] = { NULL };
	int n = 0;

	for (int i = 0; i < 5 && n == 0 && !r->settled; i++)
		n = ekka_rows_take(r, names[i], EKKA_PRE, false, &found[i], err);
	p->cos = found[0];
	p->sin = found[1];
	p->cache = found[2];
	p->positions = found[3];
	p->offsets = found[4];
	return n;
}

/* Everything that is not a tensor's bytes. False: the verdict is settled. */
static bool complete(struct ekka_rows *r, struct rope *p, const struct ekka_array *x)
{
	const struct ekka_array *table = p->cache ? p->cache : p->cos;
	const char *style = ekka_rows_text(r, "style", "neox");
	enum ekka_dtype compute = ekka_rows_compute(r, x->dtype);
	int64_t widest = x->dim[2];

	p->tokens = x->dim[0];
	p->theta = ekka_rows_number(r, "theta", 0);
	p->scaling = ekka_rows_number(r, "scaling", 1);
	p->interleaved = !strcmp(style, "interleaved");
	p->u = ekka_dtype_unit_roundoff(compute);
	p->roundings = table && ekka_dtype_unit_roundoff(table->dtype) < p->u ? 2 : 1;
	if (p->cache)
		widest = p->cache->dim[p->cache->n_dims - 1];
	p->rot = (int64_t)ekka_rows_number(r, "rotary_dim", (double)(widest < x->dim[2] ? widest : x->dim[2]));
	if (!table && !(p->theta > 0))
		ekka_rows_settle(r, EKKA_INCOMPLETE, "neither cosines nor theta are known");
	else if ((!p->interleaved && strcmp(style, "neox") != 0) || p->rot < 2 || p->rot % 2 || p->rot > x->dim[2] || !(p->scaling != 0))
		ekka_rows_settle(r, EKKA_UNSUPPORTED, "no reference for this style or part of a rotation");
	else if (p->offsets && (p->offsets->n < p->tokens || !ekka_dtype_is_integer(p->offsets->dtype)))
		ekka_rows_settle(r, EKKA_INCOMPLETE, "there are fewer offsets than tokens, or they are no integers");
	else if (p->positions && (p->positions->n < p->tokens || !ekka_dtype_is_integer(p->positions->dtype)))
		ekka_rows_settle(r, EKKA_INCOMPLETE, "there are fewer positions than tokens, or they are no integers");
	else if (table && (table->n_dims != 2 || table->dim[1] < (p->cache ? p->rot : p->rot / 2) ||
			   (!p->cache && (!p->sin || p->sin->n_dims != 2 || p->sin->dim[1] != table->dim[1]))))
		ekka_rows_settle(r, EKKA_INCOMPLETE, "the tables of cosines and sines do not fit");
	return !r->settled;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static bool on_device(struct ekka_rows *r, const struct rope *p, const struct ekka_array *x, const struct ekka_array *y, const struct ekka_array *x2,
		      const struct ekka_array *y2)
{
	const struct ekka_array *table = p->cache ? p->cache : p->cos, *sin = p->cache ? p->cache : p->sin;
	struct ekka_rope_job job = { .rot = p->rot, .theta = p->theta, .scaling = p->scaling, .u = p->u, .roundings = p->roundings,
				     .interleaved = p->interleaved, .tensor[0] = { .heads = y->dim[1], .d = y->dim[2] } };
	struct ekka_rows_work w = { .job = &job, .bytes = sizeof job, .n_steps = 1, .step[0].kernel = EKKA_ROWS_rope };

	if (table) {
		job.columns = table->dim[1];
		job.positions_known = least(table->dim[0], sin->dim[0]);
		job.by_pair = p->cache || table->dim[1] < p->rot;
		job.sines = p->cache ? table->dim[1] / 2 : 0;
	}
	if (y2) {
		job.tensor[1].heads = y2->dim[1];
		job.tensor[1].d = y2->dim[2];
	}
	w.step[0].teams = ekka_rows_teams(y2 && y2->n > y->n ? y2->n : y->n);
	ekka_rows_work_in(&w, x, &job.tensor[0].x);
	ekka_rows_work_in(&w, y2 ? x2 : NULL, &job.tensor[1].x);
	ekka_rows_work_in(&w, table, &job.cos);
	ekka_rows_work_in(&w, table ? sin : NULL, &job.sin);
	ekka_rows_work_in(&w, p->positions, &job.positions);
	ekka_rows_work_in(&w, p->offsets, &job.offsets);
	ekka_rows_work_out(&w, y, &job.tensor[0].y);
	ekka_rows_work_out(&w, y2, &job.tensor[1].y);
	return ekka_rows_on_device(r, &w);
}

static int judge(struct ekka_rows *r, struct ekka_error *err)
{
	struct ekka_array *x, *y, *x2, *y2;
	struct rope p = { 0 };
	int n = take_pair(r, "x", "y", true, &x, &y, err);

	if (n == 0 && !r->settled)
		n = take_pair(r, "x2", "y2", false, &x2, &y2, err);
	if (n == 0 && !r->settled)
		n = take_tables(r, &p, err);
	if (n < 0 || r->settled || !complete(r, &p, x))
		return n;
	r->row_length = y->dim[2];
	if (x2 && (x2->dim[0] != x->dim[0] || x2->dim[2] < p.rot)) {
		ekka_rows_settle(r, EKKA_INCOMPLETE, "x2 does not fit x");
		return 0;
	}
	if (!on_device(r, &p, x, y, x2, y2))
		do {
			r->n_wrong = 0;
			n = judge_one(r, &p, x, y, err);
			if (n == 0 && x2 && !r->settled)
				n = judge_one(r, &p, x2, y2, err);
		} while (n == 0 && !r->settled && ekka_elements_again(r->elements));
	if (n == 0 && !r->settled)
		n = ekka_rows_verdict(r, p.cache || p.cos ? "rope: products and sum rounded" : "rope: angles in f32", err);
	return n == 0 && r->verdict->status == EKKA_FAIL ? explain(r, &p, r->wrong[0].output == y ? x : x2, r->wrong[0].output == y ? y : y2, err) : n;
}

static int judge_rope(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	return ekka_rows_judge(ctx, event, judge, v, err);
}

const struct ekka_op ekka_op_rope = { "rope", judge_rope };
