/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "scatter": for every element e of in0's dims for which `when` is not 0, out0[at(e)] = expr(e), or with `reduce` out0[at(e)] += expr(e), or the
 * larger one ("max", "min"). A second output out1 takes its value from `out1 = ...` in the expression, and its place from `at1`, else `at`; and so on.
 *
 * Elements that nothing is written to must be what they were, where that was recorded; with `fresh` outputs begin as zeros instead. Where several writes meet, any of them may be
 * the last: the one that fits best is taken as the reference. A sum of n terms (with what was there) is taken in any order and every addition
 * rounded to the output's dtype or the compute type, whichever is the coarser: bound (n - 1) u sum |x| + sum e, e the terms' own errors
 * (Jeannerod and Rump, as in replay/rows.h), + (n - 1) times the smallest normal number, for flushing. A write of which it is open whether or
 * where it happens may or may not have happened. A place outside the output is a finding of the audit, and the event UNDECIDED.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/op_scatter.h"

/* Element of the output that the indices mean: -1 outside, -2 not certain. */
static int64_t target_of(struct ekka_scatter *j, const struct ekka_expr_result *at, size_t i)
{
	int64_t target = 0;

	for (unsigned d = 0; d < j->out->n_dims; d++) {
		int64_t index = at[d].ints[i];

		if (!at[d].exact && at[d].error[i] != 0)
			return -2;
		if (index < 0 || index >= j->out->dim[d]) {
			if (!j->outside[0])
				(void)snprintf(j->outside, sizeof j->outside, "%.64s is written at index %lld of dimension %u, which has %lld",
					       j->out->tensor->name, (long long)index, d, (long long)j->out->dim[d]);
			return -1;
		}
		target = target * j->out->dim[d] + index;
	}
	return target;
}

static void collect_block(struct ekka_scatter *j, int64_t first, size_t n)
{
	struct ekka_expr_result value[EKKA_EXPR_RESULTS], when[EKKA_EXPR_RESULTS], at[EKKA_EXPR_RESULTS];
	const struct ekka_expr_result *v = &value[j->k];

	ekka_expr_event_load(&j->x, first, n);
	if (j->when && !j->everywhere)
		ekka_expr_event_eval(&j->x, j->when, j->when_state, n, when);
	ekka_expr_event_eval(&j->x, j->at, j->at_state, n, at);
	ekka_expr_event_eval(&j->x, j->value, j->value_state, n, value);
	for (size_t i = 0; i < n; i++) {
		bool asks = j->when && !j->everywhere;
		double w = !asks ? 1 : when[0].ints ? (double)when[0].ints[i] : when[0].re[i], ew = asks ? when[0].error[i] : 0;
		struct ekka_write *to = &j->writes[j->n_writes];

		if (w == 0 && ew == 0)
			continue;
		to->target = target_of(j, at, i);
		to->maybe = ew != 0 && !(fabs(w) > ew);
		to->error = v->error[i];
		if (v->ints && ekka_dtype_is_integer(j->out->dtype))
			to->i = v->ints[i];
		else
			to->re = v->ints ? (double)v->ints[i] : v->re[i];
		j->lost |= to->target < 0;
		j->n_writes += to->target >= 0;
	}
}

static int by_target(const void *pa, const void *pb)
{
	const struct ekka_write *a = pa, *b = pb;

	return a->target < b->target ? -1 : a->target > b->target;
}

static int collect(struct ekka_scatter *j, struct ekka_error *err)
{
	bool sorted = true;

	j->n_writes = 0;
	if ((uint64_t)j->x.n > SIZE_MAX / 2 / sizeof *j->writes)
		j->writes = NULL;
	else
		j->writes = malloc((size_t)j->x.n * sizeof *j->writes);
	if (!j->writes)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %lld writes", (long long)j->x.n);
	for (int64_t first = 0; first < j->x.n; first += EKKA_EXPR_BLOCK)
		collect_block(j, first, j->x.n - first < EKKA_EXPR_BLOCK ? (size_t)(j->x.n - first) : EKKA_EXPR_BLOCK);
	for (size_t i = 1; i < j->n_writes && sorted; i++)
		sorted = j->writes[i - 1].target <= j->writes[i].target;
	if (!sorted)
		qsort(j->writes, j->n_writes, sizeof *j->writes, by_target);
	return 0;
}

static void judge_reals(struct ekka_scatter *j, int64_t first, size_t n, const struct ekka_write **at, const struct ekka_write *end)
{
	double got[EKKA_EXPR_BLOCK], ref[EKKA_EXPR_BLOCK], bound[EKKA_EXPR_BLOCK], before[EKKA_EXPR_BLOCK] = { 0 };
	bool known = j->before || j->fresh;

	ekka_array_get(j->out, first, n, got);
	if (j->before)
		ekka_array_get(j->before, first, n, before);
	for (size_t i = 0; i < n; i++) {
		const struct ekka_write *w = *at;
		struct ekka_expected e = { known ? before[i] : got[i], 0 };	/* not recorded: nothing to say */
		size_t k;

		while (*at < end && (*at)->target == first + (int64_t)i)
			++*at;
		k = (size_t)(*at - w);
		if (k > 0)
			e = ekka_scatter_expect(j, w, k, before[i], got[i]);
		ref[i] = e.ref;
		bound[i] = j->lost && got[i] != e.ref ? INFINITY : e.bound;
	}
	ekka_elements_add(j->rows.elements, first, n, got, ref, bound, false);
}

/* Integers are exact; one that is open makes its element so. */
static bool judge_ints(struct ekka_scatter *j, int64_t first, size_t n, const struct ekka_write **at, const struct ekka_write *end)
{
	int64_t got[EKKA_EXPR_BLOCK], ref[EKKA_EXPR_BLOCK], before[EKKA_EXPR_BLOCK] = { 0 };
	bool open = false;

	ekka_array_get_int(j->out, first, n, got);
	if (j->before)
		ekka_array_get_int(j->before, first, n, before);
	for (size_t i = 0; i < n; i++) {
		bool fits = false, any = false;

		ref[i] = j->before || j->fresh ? before[i] : got[i];
		for (; *at < end && (*at)->target == first + (int64_t)i; ++*at) {
			bool unknown = (*at)->maybe || (*at)->error != 0;

			open |= unknown;
			any |= unknown;
			if (fits && j->reduction == EKKA_SCATTER_STORE)
				continue;
			ref[i] = ekka_scatter_reduce(j->reduction, ref[i], (*at)->i);
			fits = ref[i] == got[i];
		}
		ref[i] = ekka_dtype_wrap(j->out->dtype, ref[i]);
		if (any || (j->lost && got[i] != ref[i])) {
			ref[i] = got[i];
			open = true;
		}
	}
	ekka_elements_add_int(j->rows.elements, first, n, got, ref);
	return open;
}

static bool judge_output(struct ekka_scatter *j)
{
	const struct ekka_write *at = j->writes, *end = j->writes + j->n_writes;
	bool open = false;

	ekka_elements_output(j->rows.elements, j->out->tensor);
	for (int64_t first = 0; first < j->out->n; first += EKKA_EXPR_BLOCK) {
		size_t n = j->out->n - first < EKKA_EXPR_BLOCK ? (size_t)(j->out->n - first) : EKKA_EXPR_BLOCK;

		if (ekka_dtype_is_integer(j->out->dtype))
			open |= judge_ints(j, first, n, &at, end);
		else
			judge_reals(j, first, n, &at, end);
	}
	return open;
}

/* The result of the expression for this output: by name, or the only one for out0. */
static int result_for(const struct ekka_scatter *j, const char *output)
{
	int k = ekka_expr_result_index(j->value, output);

	return k < 0 && !strcmp(output, "out0") ? ekka_expr_result_index(j->value, "") : k;
}

static int take_output(struct ekka_scatter *j, const char *name, struct ekka_error *err)
{
	char at[16] = "at";
	int r, k = result_for(j, name), index = ekka_event_tensor_index(j->x.event, name);

	if (k < 0) {
		ekka_expr_event_settle(&j->x, EKKA_UNSUPPORTED, "the expression says nothing of the output ", name);
		return 0;
	}
	j->k = (unsigned)k;
	r = ekka_rows_output(&j->rows, name, &j->out, err);
	if (r < 0 || !j->out)
		return r;
	j->before = NULL;
	if (!j->fresh && ekka_array_recorded(j->x.ctx, j->x.event, index, EKKA_PRE))
		r = ekka_rows_take(&j->rows, name, EKKA_PRE, false, &j->before, err);
	if (r < 0 || j->rows.settled)
		return r;
	if (!j->before && !j->fresh && j->reduction != EKKA_SCATTER_STORE) {
		ekka_expr_event_settle(&j->x, EKKA_INCOMPLETE, "not recorded as it was before the call: ", name);
		return 0;
	}
	(void)snprintf(at, sizeof at, "at%.8s", strncmp(name, "out", 3) ? "" : name + 3);
	if (j->other_at)
		return ekka_expr_parse(j->other_at, j->x.symbol, j->x.n_symbols, j->x.compute, &j->at, err) < 0 ? 0 : 1;
	r = ekka_expr_event_parse(&j->x, ekka_expr_event_text(j->x.event, at) ? at : "at", &j->at, err);
	if (r > 0 && ekka_expr_n_results(j->at) != j->out->n_dims) {
		ekka_expr_event_settle(&j->x, EKKA_UNSUPPORTED, "as many indices are needed as there are dimensions of ", name);
		r = 0;
	}
	return r;
}

int ekka_scatter_one(struct ekka_scatter *j, const char *name, bool *open, struct ekka_error *err)
{
	int r = take_output(j, name, err);

	if (r <= 0)
		return r;
	for (unsigned d = 0; d < j->out->n_dims; d++)
		ekka_expr_stored_as(j->at, d, EKKA_I64);
	if (!j->stored[j->k] && (ekka_dtype_is_integer(j->out->dtype) || j->reduction != EKKA_SCATTER_ADD))
		ekka_expr_stored_as(j->value, j->k, j->out->dtype);
	j->stored[j->k] = true;
	j->at_state = ekka_expr_state_new(j->at);
	j->value_state = ekka_expr_state_new(j->value);
	if (!j->at_state || !j->value_state)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for an expression");
	r = collect(j, err);
	if (r == 0)
		*open |= judge_output(j);
	if (!j->outside[0] && j->x.outside && !ekka_expr_out_of_range(j->value_state, j->outside))
		(void)ekka_expr_out_of_range(j->at_state, j->outside);
	free(j->writes);
	j->writes = NULL;
	ekka_expr_state_free(j->at_state);
	ekka_expr_state_free(j->value_state);
	ekka_expr_free(j->at);
	j->at = NULL;
	j->at_state = j->value_state = NULL;
	return r < 0 ? r : 1;
}

static void conclude(struct ekka_scatter *j, bool open)
{
	struct ekka_verdict *v = j->x.verdict;

	if (j->outside[0])
		ekka_audit_append(v, j->outside);
	if (v->status == EKKA_PASS && (j->lost || open)) {
		v->status = EKKA_UNDECIDED;
		(void)snprintf(v->reason, sizeof v->reason, "%s", j->outside[0] ? "an index is out of its range" :
			       "it is open whether or where some elements were written");
	}
}

static int judge_outputs(struct ekka_scatter *j, struct ekka_error *err)
{
	const struct ekka_rec_call *call = &j->x.event->call;
	bool open = false;
	char bound[EKKA_TEXT];
	int r = 1;

	if (j->when) {
		j->when_state = ekka_expr_state_new(j->when);
		if (!j->when_state)
			return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for an expression");
	}
	do {
		for (unsigned i = 0; i < call->n_tensors && r > 0; i++)
			if (call->tensors[i].dir != EKKA_IN)
				r = ekka_scatter_one(j, call->tensors[i].name, &open, err);
	} while (r > 0 && ekka_elements_again(j->rows.elements));
	if (r <= 0)
		return r;
	(void)snprintf(bound, sizeof bound, "running error of %.200s%s", ekka_expr_event_text(j->x.event, "expr"),
		       j->reduction == EKKA_SCATTER_ADD ? ", sums in any order" : "");
	r = ekka_rows_verdict(&j->rows, bound, err);
	conclude(j, open);
	if (r == 0 && j->x.verdict->status == EKKA_FAIL && !ekka_not_written(j->x.verdict))
		r = ekka_scatter_explain(j, j->x.verdict->output, err);
	return r;
}

static int parse_all(struct ekka_scatter *j, struct ekka_error *err)
{
	static const char *const texts[] = { "expr", "when", "at", "at0", "at1", "at2", "at3", NULL };
	const char *how = ekka_expr_event_text(j->x.event, "reduce");
	int in0 = ekka_event_tensor_index(j->x.event, "in0"), r;

	j->fresh = ekka_rows_number(&j->rows, "fresh", 0) != 0;
	j->reduction = !how ? EKKA_SCATTER_STORE : !strcmp(how, "add") ? EKKA_SCATTER_ADD : !strcmp(how, "max") ? EKKA_SCATTER_MAX : EKKA_SCATTER_MIN;
	if (how && j->reduction == EKKA_SCATTER_MIN && strcmp(how, "min")) {
		ekka_expr_event_settle(&j->x, EKKA_UNSUPPORTED, "no reduction ", how);
		return 0;
	}
	if (in0 < 0 || !ekka_expr_event_dims(&j->x, &j->x.event->call.tensors[in0])) {
		ekka_expr_event_settle(&j->x, EKKA_UNSUPPORTED, "there is no in0 to say how many elements are written", "");
		return 0;
	}
	r = ekka_expr_event_init(&j->x, texts, err);
	if (r > 0)
		r = ekka_expr_event_parse(&j->x, "expr", &j->value, err);
	if (r > 0 && ekka_expr_event_text(j->x.event, "when"))
		r = ekka_expr_event_parse(&j->x, "when", &j->when, err);
	return r;
}

static int judge_scatter(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	struct ekka_scatter j = { .x = { .ctx = ctx, .event = event, .verdict = v } };
	int r = ekka_rows_init(&j.rows, ctx, event, v, err);

	r = r < 0 ? r : parse_all(&j, err);
	if (r > 0)
		r = judge_outputs(&j, err);
	free(j.writes);
	ekka_expr_state_free(j.value_state);
	ekka_expr_state_free(j.when_state);
	ekka_expr_state_free(j.at_state);
	ekka_expr_free(j.value);
	ekka_expr_free(j.when);
	ekka_expr_free(j.at);
	ekka_expr_event_release(&j.x);
	ekka_rows_release(&j.rows);
	return r < 0 ? r : 0;
}

const struct ekka_op ekka_op_scatter = { "scatter", judge_scatter };
