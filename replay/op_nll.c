/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "nll": out0 = S, or with `mean` S / W; S = sum over i of -x[i, target[i]] w_i, W = sum of w_i, w_i = weight[target[i]], 1 without weights; rows whose target
 * is `ignore` count nowhere. `total`?: W. Of x only these elements are read.
 *
 * Bounds, with m the number of rows that count, u of f32 (f64 of f64; as much again for the reference's own), v of x's type, in which a product with a weight is rounded:
 *
 *	e_S = (m - 1) u sum |x w| + m tiny, and with weights (v + u) sum |x w| (+ m times v's smallest normal number)
 *	e_W = (m - 1) u sum |w|; 0 without weights while the terms, whole numbers, are counted exactly (m <= 1 / u)
 *	mean	(e_S + |q| e_W) / (|W| - e_W) + 4 u |q| (replay/expr.h); where e_W reaches |W|, nothing is known
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/rows.h"

struct nll {
	struct ekka_rows *rows;
	struct ekka_array *x, *target, *weight, *out, *total;
	int64_t n, classes, ignore;
	bool mean;
	double u, v, tiny, small, largest;
};

struct sums { int64_t m; double s, w, abs_s, abs_w; };

static int take(struct nll *l, struct ekka_error *err)
{
	struct ekka_rows *r = l->rows;
	int n = ekka_rows_take(r, "x", EKKA_PRE, true, &l->x, err);

	if (n == 0 && !r->settled)
		n = ekka_rows_take(r, "target", EKKA_PRE, true, &l->target, err);
	if (n == 0 && !r->settled)
		n = ekka_rows_take(r, "weight", EKKA_PRE, false, &l->weight, err);
	if (n == 0 && !r->settled)
		n = ekka_rows_output(r, "out0", &l->out, err);
	if (n == 0 && !r->settled)
		n = ekka_rows_output(r, "total", &l->total, err);
	return n;
}

static void prepare(struct nll *l)
{
	struct ekka_rows *r = l->rows;
	enum ekka_dtype t = ekka_rows_compute(r, l->x->dtype);

	l->n = l->target->n;
	l->classes = l->x->n_dims == 2 ? l->x->dim[1] : 0;
	l->mean = ekka_rows_number(r, "mean", 0) != 0;
	l->ignore = (int64_t)ekka_rows_number(r, "ignore", -100);
	l->u = ekka_dtype_unit_roundoff(t) * (t == EKKA_F64 ? 2 : 1);
	l->v = ekka_dtype_unit_roundoff(l->x->dtype);
	l->tiny = ekka_dtype_tiny(t);
	l->small = ekka_dtype_tiny(l->x->dtype);
	l->largest = ekka_dtype_largest(t);
	if (!l->classes || l->x->dim[0] != l->n || (l->weight && l->weight->n < l->classes) || !l->out || l->out->n != 1 || (l->total && l->total->n != 1))
		ekka_rows_settle(r, EKKA_INCOMPLETE, "the recorded dimensions do not fit together");
}

/* One row's part; false when its target is no class. */
static bool add(const struct nll *l, int64_t i, int64_t t, struct sums *s)
{
	double x, w = 1;

	if (t == l->ignore)
		return true;
	if (t < 0 || t >= l->classes)
		return false;
	ekka_array_get(l->x, i * l->classes + t, 1, &x);
	if (l->weight)
		ekka_array_get(l->weight, t, 1, &w);
	s->m++;
	s->s -= x * w;
	s->w += w;
	s->abs_s += fabs(x * w);
	s->abs_w += fabs(w);
	return true;
}

static bool add_all(struct nll *l, int64_t n, struct sums *s)
{
	for (int64_t i = 0; i < n; i++) {
		int64_t t;
		char text[EKKA_TEXT];

		ekka_array_get_int(l->target, i, 1, &t);
		if (add(l, i, t, s))
			continue;
		(void)snprintf(text, sizeof text, "target %lld at %lld, of %lld classes", (long long)t, (long long)i, (long long)l->classes);
		ekka_audit_append(l->rows->verdict, text);
		ekka_rows_settle(l->rows, EKKA_UNDECIDED, "a target that is no class");
		return false;
	}
	return true;
}

static double error_of_total(const struct nll *l, const struct sums *s)
{
	double m = (double)s->m;

	if (!l->weight && m * l->u <= 1)
		return 0;
	return s->abs_w >= l->largest ? INFINITY : (m - 1) * l->u * s->abs_w + m * l->tiny;
}

static struct ekka_near result(const struct nll *l, const struct sums *s, bool mean)
{
	double m = (double)s->m, e = m > 1 ? (m - 1) * l->u * s->abs_s + m * l->tiny : 0, e_w = s->m ? error_of_total(l, s) : 0, q = s->s / s->w;

	if (l->weight)
		e += (l->v + l->u) * s->abs_s + m * l->small;
	if (s->abs_s >= l->largest)
		e = INFINITY;
	if (!mean)
		return (struct ekka_near){ s->s, e };
	if (s->m && !(e_w < fabs(s->w)))
		return (struct ekka_near){ q, s->w == 0 && e_w == 0 ? 0 : INFINITY };
	return (struct ekka_near){ q, s->m ? (e + fabs(q) * e_w) / (fabs(s->w) - e_w) + 4 * l->u * fabs(q) : 0 };
}

/* What a wrong result looks like. */
static void explain(struct nll *l, const struct sums *s)
{
	struct sums cut = { 0 };
	struct ekka_near other = result(l, s, !l->mean), shorter;
	double got;

	if (!l->rows->n_wrong || l->rows->wrong[0].output != l->out)
		return;
	got = l->rows->wrong[0].got;
	(void)add_all(l, l->n - 1, &cut);
	shorter = result(l, &cut, l->mean);
	if (ekka_near_holds(l->out->dtype, got, other))
		ekka_rows_looks_like(l->rows, l->mean ? "as if the sum was not divided" : "as if the sum was divided by the weights");
	else if (ekka_near_holds(l->out->dtype, got, shorter))
		ekka_rows_looks_like(l->rows, "as if the last row was lost");
}

static int judge(struct ekka_rows *r, struct ekka_error *err)
{
	struct nll l = { .rows = r };
	struct sums s = { 0 };
	struct ekka_near y;
	int n = take(&l, err);
	double bound;
	char text[EKKA_TEXT];

	if (n == 0 && !r->settled)
		prepare(&l);
	if (n < 0 || r->settled || !add_all(&l, l.n, &s))
		return n;
	y = result(&l, &s, l.mean);
	ekka_rows_compare(r, l.out, 0, 1, &y.value, &y.error);
	bound = error_of_total(&l, &s);
	if (l.total)
		ekka_rows_compare(r, l.total, 0, 1, &s.w, &bound);
	(void)snprintf(text, sizeof text, "any-order sum, u=%g, n=%lld", l.u, (long long)s.m);
	n = ekka_rows_verdict(r, text, err);
	if (n == 0 && r->verdict->status == EKKA_FAIL)
		explain(&l, &s);
	return n;
}

static int judge_nll(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	return ekka_rows_judge(ctx, event, judge, v, err);
}

const struct ekka_op ekka_op_nll = { "nll", judge_nll };
