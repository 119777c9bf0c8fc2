/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "elementwise": out0 = f(in0, in1, ..., attributes, i0, i1...), and so for every output; the expression is attribute `expr`.
 *
 * Inputs are broadcast to the outputs' dims, which are all the same, but that outputs of a single element have the first element's result; inputs of other shapes are read by index. The bound of each
 * element is the expression's (replay/expr.h) and half an ulp of the output's dtype; copies and casts have none but that, and a value that the
 * output can hold exactly must be there exactly. Integers are compared to the bit. A table that is read out of its range makes a finding of
 * the audit, and its value unknown. What lies between an output's elements must not change.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/backend.h"
#include "replay/expr_explain.h"
#include "replay/expr_work.h"
#include "replay/op_elementwise.h"
#include "replay/rows.h"
#include "replay/team.h"

static const int64_t PART = 1 << 16, WORTH = 8;	/* elements that a thread takes of a larger event; parts below which splitting costs too much */

struct job {
	struct ekka_expr_event x;
	struct ekka_rows rows;
	struct ekka_expr *expr;
	struct ekka_expr_state *state;
	struct ekka_array *out[EKKA_EXPR_RESULTS];	/* NULL: a result that is no output */
};

/* The tensor that result k is stored to. */
static const char *target_of(const struct ekka_expr *x, unsigned k)
{
	const char *name = ekka_expr_result_name(x, k);

	return name[0] ? name : "out0";
}

static bool same_dims(const struct ekka_expr_event *x, const struct ekka_array *a)
{
	return a->n_dims == x->n_dims && !memcmp(a->dim, x->dim, x->n_dims * sizeof x->dim[0]);
}

/* Is every output among the results. */
static bool all_assigned(struct job *j)
{
	const struct ekka_rec_call *call = &j->x.event->call;

	for (unsigned i = 0; i < call->n_tensors; i++) {
		bool found = call->tensors[i].dir == EKKA_IN;

		for (unsigned k = 0; k < ekka_expr_n_results(j->expr) && !found; k++)
			found = !strcmp(target_of(j->expr, k), call->tensors[i].name);
		if (!found) {
			ekka_expr_event_settle(&j->x, EKKA_UNSUPPORTED, "the expression says nothing of the output ", call->tensors[i].name);
			return false;
		}
	}
	return true;
}

static int take_outputs(struct job *j, struct ekka_error *err)
{
	unsigned n = 0;

	if (!all_assigned(j))
		return 0;
	for (unsigned k = 0; k < ekka_expr_n_results(j->expr); k++) {
		int r = ekka_rows_output(&j->rows, target_of(j->expr, k), &j->out[k], err);

		if (r < 0 || j->rows.settled)
			return r;
		if (!j->out[k])
			continue;
		n++;
		if (!same_dims(&j->x, j->out[k]) && j->out[k]->n != 1) {
			ekka_expr_event_settle(&j->x, EKKA_UNSUPPORTED, "not of the other outputs' dimensions: ", j->out[k]->tensor->name);
			return 0;
		}
		ekka_expr_stored_as(j->expr, k, j->out[k]->dtype);
	}
	if (!n)
		ekka_expr_event_settle(&j->x, EKKA_UNSUPPORTED, "there is no output", "");
	return n > 0;
}

static void compare_ints(struct ekka_elements *e, const struct ekka_array *out, const struct ekka_expr_result *ref, int64_t first, size_t n)
{
	int64_t got[EKKA_EXPR_BLOCK];
	double got_re[EKKA_EXPR_BLOCK], ref_re[EKKA_EXPR_BLOCK];

	ekka_array_get_int(out, first, n, got);
	if (ref->exact) {
		ekka_elements_add_int(e, first, n, got, ref->ints);
		return;
	}
	/* Uncertain ones go as doubles: exact up to 2^53, and beyond that a difference is kept as one. */
	for (size_t i = 0; i < n; i++) {
		got_re[i] = (double)got[i];
		ref_re[i] = (double)ref->ints[i];
		if (got[i] != ref->ints[i] && got_re[i] == ref_re[i])
			got_re[i] = nextafter(got_re[i], got[i] > ref->ints[i] ? INFINITY : -INFINITY);
	}
	ekka_elements_add(e, first, n, got_re, ref_re, ref->error, false);
}

static void compare_result(struct ekka_elements *e, const struct ekka_array *out, const struct ekka_expr_result *ref, int64_t first, size_t n)
{
	double got[EKKA_EXPR_BLOCK];

	ekka_elements_output(e, out->tensor);
	if (ref->ints) {
		compare_ints(e, out, ref, first, n);
		return;
	}
	ekka_array_get(out, first, n, got);
	ekka_elements_add(e, first, n, got, ref->re, ref->exact ? NULL : ref->error, false);
}

static void compare_some(const struct job *j, struct ekka_expr_event *x, struct ekka_expr_state *state, struct ekka_elements *e, int64_t from, int64_t end)
{
	struct ekka_expr_result result[EKKA_EXPR_RESULTS];

	for (int64_t first = from; first < end; first += EKKA_EXPR_BLOCK) {
		size_t n = end - first < EKKA_EXPR_BLOCK ? (size_t)(end - first) : EKKA_EXPR_BLOCK;

		ekka_expr_event_load(x, first, n);
		ekka_expr_event_eval(x, j->expr, state, n, result);
		for (unsigned k = 0; k < ekka_expr_n_results(j->expr); k++)
			if (j->out[k] && first < j->out[k]->n)
				compare_result(e, j->out[k], &result[k], first, j->out[k]->n == 1 ? 1 : n);
	}
}

static void go_through(struct job *j)
{
	compare_some(j, &j->x, j->state, j->rows.elements, 0, j->x.n);
}

/* ---- a large event on several threads --------------------------------- */

struct lane {
	struct ekka_expr_event x;
	struct ekka_expr_state *state;
	struct ekka_elements *elements;
};

/* What the threads find is only taken when nothing of it is wrong: one of them alone describes that. */
struct split {
	const struct job *j;
	struct lane lane[EKKA_TEAM_SLOTS];
	struct ekka_elements *all;
	bool odd;
};

static int compare_part(void *arg, int64_t part, unsigned slot, struct ekka_error *err)
{
	struct split *s = arg;
	struct lane *l = &s->lane[slot];
	int64_t first = part * PART, end = s->j->x.n - first < PART ? s->j->x.n : first + PART;

	ekka_elements_free(l->elements);
	l->elements = ekka_elements_new();
	if (!l->elements)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for a comparison");
	compare_some(s->j, &l->x, l->state, l->elements, first, end);
	return 0;
}

static int take_part(void *arg, int64_t part, unsigned slot, struct ekka_error *err)
{
	struct split *s = arg;

	(void)part;
	(void)err;
	s->odd |= s->lane[slot].x.outside || !ekka_elements_merge(s->all, s->lane[slot].elements);
	return 0;
}

/* True when all elements were compared and none is wrong; otherwise nothing was done. */
static bool compare_together(const struct job *j)
{
	int64_t n = (j->x.n + PART - 1) / PART;
	struct ekka_parts parts = { .n = n, .slots = ekka_team_slots(j->x.ctx->team, n, 0, 0), .compute = compare_part, .take = take_part };
	struct split *s = n >= WORTH && parts.slots > 1 && !j->x.source ? calloc(1, sizeof *s) : NULL;
	bool good;

	if (!s)
		return false;
	s->j = j;
	s->all = ekka_elements_new();
	good = s->all != NULL;
	for (unsigned i = 0; good && i < parts.slots; i++)
		good = ekka_expr_event_copy(&j->x, &s->lane[i].x) && (s->lane[i].state = ekka_expr_state_new(j->expr)) != NULL;
	parts.arg = s;
	good = good && ekka_team_run(j->x.ctx->team, &parts, NULL) == 0 && !s->odd && ekka_elements_merge(j->rows.elements, s->all);
	for (unsigned i = 0; i < parts.slots; i++) {
		ekka_expr_event_copy_release(&s->lane[i].x);
		ekka_expr_state_free(s->lane[i].state);
		ekka_elements_free(s->lane[i].elements);
	}
	ekka_elements_free(s->all);
	free(s);
	return good;
}

/* The same on a backend. */
static bool compare_elsewhere(const struct job *j)
{
	struct ekka_backend *b = j->x.ctx->backend;
	struct ekka_expr_work w = { &j->x, j->expr, (const struct ekka_array *const *)j->out };

	return b && b->elementwise && !j->x.source && b->elementwise(b, &w, j->rows.elements);
}

/* What was not written needs no other explanation; a factor or the like is worth one. */
static void explain(struct job *j)
{
	struct ekka_verdict *v = j->x.verdict;
	char text[EKKA_TEXT] = "";

	for (unsigned k = 0; k < ekka_expr_n_results(j->expr) && !text[0] && !ekka_not_written(v); k++) {
		const struct ekka_bad *bad = j->out[k] ? ekka_elements_bad(j->rows.elements, j->out[k]->tensor) : NULL;

		if (bad)
			ekka_expr_explain(&j->x, k, j->out[k], bad, text);
	}
	if (text[0])
		memcpy(v->looks_like, text, sizeof text);
}

static int judge(struct job *j, struct ekka_error *err)
{
	char bound[EKKA_TEXT], text[EKKA_TEXT];
	int r;

	j->state = ekka_expr_state_new(j->expr);
	if (!j->state)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for an expression");
	if (!compare_elsewhere(j) && !compare_together(j))
		go_through(j);
	if (ekka_elements_again(j->rows.elements))
		go_through(j);
	(void)snprintf(bound, sizeof bound, "running error of %.200s, computed in %s", ekka_expr_event_text(j->x.event, "expr"),
		       ekka_dtype_name(j->x.compute));
	r = ekka_rows_verdict(&j->rows, bound, err);
	if (j->x.verdict->status == EKKA_FAIL)
		explain(j);
	if (j->x.outside && ekka_expr_out_of_range(j->state, text))
		ekka_audit_append(j->x.verdict, text);
	return r;
}

static const struct ekka_tensor *first_output(const struct ekka_event *e)
{
	int i = ekka_event_tensor_index(e, "out0");

	return i >= 0 && e->call.tensors[i].dir != EKKA_IN ? &e->call.tensors[i] : NULL;
}

int ekka_elementwise_judge(const struct ekka_op_context *ctx, const struct ekka_event *event, const struct ekka_expr_source *source,
			   struct ekka_verdict *v, struct ekka_error *err)
{
	static const char *const texts[] = { "expr", NULL };
	struct job j = { .x = { .ctx = ctx, .event = event, .verdict = v, .source = source } };
	const struct ekka_tensor *out = first_output(event);
	int r = ekka_rows_init(&j.rows, ctx, event, v, err);

	if (r == 0)
		r = 1;
	if (r > 0 && (!out || !ekka_expr_event_dims(&j.x, out))) {
		ekka_expr_event_settle(&j.x, EKKA_UNSUPPORTED, "there is no output out0", "");
		r = 0;
	}
	if (r > 0)
		r = ekka_expr_event_init(&j.x, texts, err);
	if (r > 0)
		r = ekka_expr_event_parse(&j.x, "expr", &j.expr, err);
	if (r > 0)
		r = take_outputs(&j, err);
	if (r > 0)
		r = judge(&j, err);
	ekka_expr_state_free(j.state);
	ekka_expr_free(j.expr);
	ekka_expr_event_release(&j.x);
	ekka_rows_release(&j.rows);
	return r < 0 ? r : 0;
}

static int judge_elementwise(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	return ekka_elementwise_judge(ctx, event, NULL, v, err);
}

const struct ekka_op ekka_op_elementwise = { "elementwise", judge_elementwise };
