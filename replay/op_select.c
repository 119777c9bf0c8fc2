/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "select": out0 are the values `expr` of those elements of in0 [n] for which `when` is not 0, in their order, one behind another; `count`? [1] is how many
 * there are. Both expressions as in op elementwise. out0 may be longer than that: no parameter of a kernel says how many will be selected, and what
 * lies behind them may be another tensor's. It is not looked at.
 *
 * Values must be exact. One that cannot be computed exactly is not judged (UNSUPPORTED).
 */
#include <string.h>

#include "replay/expr_event.h"
#include "replay/rows.h"

struct select {
	struct ekka_expr_event x;
	struct ekka_rows rows;
	struct ekka_expr *value, *when;
	struct ekka_expr_state *value_state, *when_state;
	struct ekka_array *out, *count;
	bool integers;
	int64_t n_selected;
	double *re;			/* [out->n], or as integers */
	int64_t *ints;
};

static int prepare(struct select *x, struct ekka_error *err)
{
	static const char *const texts[] = { "expr", "when", NULL };
	int in0 = ekka_event_tensor_index(x->x.event, "in0"), r;

	if (in0 < 0 || !ekka_expr_event_dims(&x->x, &x->x.event->call.tensors[in0])) {
		ekka_expr_event_settle(&x->x, EKKA_UNSUPPORTED, "there is no in0 to say how many elements there are", "");
		return 0;
	}
	r = ekka_expr_event_init(&x->x, texts, err);
	if (r > 0)
		r = ekka_expr_event_parse(&x->x, "expr", &x->value, err);
	if (r > 0)
		r = ekka_expr_event_parse(&x->x, "when", &x->when, err);
	return r;
}

static int take_outputs(struct select *x, struct ekka_error *err)
{
	struct ekka_rows *r = &x->rows;
	int n = ekka_rows_output(r, "out0", &x->out, err);

	if (n == 0 && !r->settled)
		n = ekka_rows_output(r, "count", &x->count, err);
	if (n < 0 || r->settled)
		return n;
	if (!x->out || (x->count && x->count->n != 1)) {
		ekka_rows_settle(r, EKKA_UNSUPPORTED, "there is no output out0, or not one count");
		return 0;
	}
	x->integers = ekka_dtype_is_integer(x->out->dtype) && ekka_expr_is_integer(x->value, 0);
	ekka_expr_stored_as(x->value, 0, x->out->dtype);
	x->value_state = ekka_expr_state_new(x->value);
	x->when_state = ekka_expr_state_new(x->when);
	x->re = x->value_state && x->when_state ? ekka_rows_buffer(r, x->out->n, err) : NULL;
	x->ints = (int64_t *)(void *)x->re;
	return x->re ? 1 : ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %lld elements", (long long)x->out->n);
}

/* One block's selected values; false when something is not exact. */
static bool select_block(struct select *x, int64_t first, size_t n)
{
	struct ekka_expr_result value[EKKA_EXPR_RESULTS], when[EKKA_EXPR_RESULTS];

	ekka_expr_event_load(&x->x, first, n);
	ekka_expr_event_eval(&x->x, x->when, x->when_state, n, when);
	ekka_expr_event_eval(&x->x, x->value, x->value_state, n, value);
	for (size_t i = 0; i < n; i++) {
		int64_t at = x->n_selected;

		if (when[0].error[i] != 0)
			return false;
		if (!(when[0].ints ? when[0].ints[i] != 0 : when[0].re[i] != 0))
			continue;
		if (value[0].error[i] != 0)
			return false;
		x->n_selected++;
		if (at >= x->out->n)
			continue;
		if (x->integers)
			x->ints[at] = value[0].ints[i];
		else
			x->re[at] = value[0].ints ? (double)value[0].ints[i] : value[0].re[i];
	}
	return true;
}

static int judge(struct select *x, struct ekka_error *err)
{
	bool exact = true;

	for (int64_t first = 0; first < x->x.n && exact; first += EKKA_EXPR_BLOCK)
		exact = select_block(x, first, x->x.n - first < EKKA_EXPR_BLOCK ? (size_t)(x->x.n - first) : EKKA_EXPR_BLOCK);
	if (!exact || x->n_selected > x->out->n) {
		ekka_rows_settle(&x->rows, exact ? EKKA_INCOMPLETE : EKKA_UNSUPPORTED,
				 exact ? "more elements are selected than the output was recorded with" : "a selection that is not exact");
		return 0;
	}
	if (x->integers)
		ekka_rows_compare_int(&x->rows, x->out, 0, x->n_selected, x->ints);
	else
		ekka_rows_compare(&x->rows, x->out, 0, x->n_selected, x->re, NULL);
	if (x->count)
		ekka_rows_compare_int(&x->rows, x->count, 0, 1, &x->n_selected);
	return ekka_rows_verdict(&x->rows, "exact", err);
}

static int judge_select(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	struct select x = { .x = { .ctx = ctx, .event = event, .verdict = v } };
	int r = ekka_rows_init(&x.rows, ctx, event, v, err);

	r = r < 0 ? r : prepare(&x, err);
	if (r > 0)
		r = take_outputs(&x, err);
	if (r > 0)
		r = judge(&x, err);
	ekka_expr_state_free(x.value_state);
	ekka_expr_state_free(x.when_state);
	ekka_expr_free(x.value);
	ekka_expr_free(x.when);
	ekka_expr_event_release(&x.x);
	ekka_rows_release(&x.rows);
	return r < 0 ? r : 0;
}

const struct ekka_op ekka_op_select = { "select", judge_select };
