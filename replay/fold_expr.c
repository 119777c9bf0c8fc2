/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/fold_expr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const input_names[EKKA_FOLD_INPUTS] = { "in0", "in1", "in2", "in3" };

static int take_inputs(struct ekka_fold_expr *x, struct ekka_rows *r, struct ekka_expr_symbol *symbol, unsigned *n_symbols, struct ekka_error *err)
{
	for (unsigned i = 0; i < EKKA_FOLD_INPUTS; i++) {
		struct ekka_array *a;
		int n = ekka_rows_take(r, input_names[i], EKKA_PRE, i == 0, &a, err);

		if (n < 0 || r->settled)
			return n;
		if (!a)
			return 0;
		x->in[i] = *a;
		if (i > 0 && !ekka_array_broadcast(&x->in[i], x->in[0].n_dims, x->in[0].dim)) {
			ekka_rows_settle(r, EKKA_INCOMPLETE, "the inputs of a reduction have different dimensions");
			return 0;
		}
		symbol[(*n_symbols)++] = (struct ekka_expr_symbol){
			.name = input_names[i], .kind = ekka_dtype_is_integer(a->dtype) ? EKKA_EXPR_INT : EKKA_EXPR_REAL, .input = i,
			.is_unsigned = a->dtype == EKKA_U64 };
		x->n_in++;
	}
	return 0;
}

static void name_attributes(const struct ekka_event *e, struct ekka_expr_symbol *symbol, unsigned *n_symbols)
{
	for (unsigned i = 0; i < e->call.n_attrs; i++) {
		const struct ekka_value *v = &e->call.attrs[i].value;
		struct ekka_expr_symbol s = { .name = e->call.attrs[i].name };

		s.kind = v->kind == EKKA_V_REAL ? EKKA_EXPR_NUMBER : EKKA_EXPR_INTEGER;
		s.number = v->kind == EKKA_V_REAL ? v->r[0] : 0;
		s.integer = v->kind == EKKA_V_INT ? v->i : 0;
		if (v->kind == EKKA_V_REAL || v->kind == EKKA_V_INT)
			symbol[(*n_symbols)++] = s;
	}
}

int ekka_fold_expr_init(struct ekka_fold_expr *x, struct ekka_rows *r, const char *name, enum ekka_dtype compute, int64_t n_terms,
			enum ekka_dtype stored, struct ekka_error *err)
{
	struct ekka_expr_symbol symbol[EKKA_FOLD_INPUTS + EKKA_MAX_ATTRS + 2];
	const char *text = ekka_rows_text(r, name, NULL);
	bool is_map = name[0] == 'm';
	unsigned n_symbols = 0;
	struct ekka_error why = { 0 };
	int n = 0;

	if (!text || r->settled)
		return 0;
	if (is_map) {
		n = take_inputs(x, r, symbol, &n_symbols, err);
	} else {
		x->n_in = 1;
		symbol[n_symbols++] = (struct ekka_expr_symbol){ .name = "r", .kind = EKKA_EXPR_REAL };
		symbol[n_symbols++] = (struct ekka_expr_symbol){ .name = "n", .kind = EKKA_EXPR_INTEGER, .integer = n_terms };
	}
	if (n < 0 || r->settled)
		return n;
	name_attributes(r->event, symbol, &n_symbols);
	if (ekka_expr_parse(text, symbol, n_symbols, compute, &x->expr, &why) < 0) {
		ekka_rows_settle(r, EKKA_UNSUPPORTED, why.message);
		return 0;
	}
	for (unsigned d = 0; d < EKKA_MAX_DIMS; d++)
		if (ekka_expr_uses_index(x->expr, d))
			ekka_rows_settle(r, EKKA_UNSUPPORTED, "no reference for reductions that depend on an element's index");
	if (!is_map)
		ekka_expr_stored_as(x->expr, 0, stored);
	x->state = ekka_expr_state_new(x->expr);
	x->block = malloc(x->n_in * sizeof *x->block);
	return x->state && x->block ? 0 : ekka_error_set(err, EKKA_ERR_NOMEM, "no memory to evaluate an expression");
}

void ekka_fold_expr_release(struct ekka_fold_expr *x)
{
	ekka_expr_state_free(x->state);
	ekka_expr_free(x->expr);
	free(x->block);
	memset(x, 0, sizeof *x);
}

static void eval(struct ekka_fold_expr *x, size_t n, const struct ekka_expr_input *input, double *ret, double *ret_error)
{
	const int64_t *const index[EKKA_MAX_DIMS] = { NULL };
	struct ekka_expr_result results[EKKA_EXPR_RESULTS];

	ekka_expr_eval(x->expr, x->state, n, input, index, results);
	for (size_t i = 0; i < n; i++)
		ret[i] = results[0].re ? results[0].re[i] : (double)results[0].ints[i];
	memcpy(ret_error, results[0].error, n * sizeof *ret_error);
}

void ekka_fold_expr_map(struct ekka_fold_expr *x, int64_t first, int64_t n, double *ret, double *ret_error)
{
	for (int64_t done = 0, m; done < n; done += m) {
		struct ekka_expr_input input[EKKA_FOLD_INPUTS] = { 0 };

		m = n - done < EKKA_EXPR_BLOCK ? n - done : EKKA_EXPR_BLOCK;
		for (unsigned i = 0; i < x->n_in; i++)
			if (ekka_dtype_is_integer(x->in[i].dtype)) {
				ekka_array_get_int(&x->in[i], first + done, (size_t)m, x->block[i].ints);
				input[i].ints = x->block[i].ints;
			} else {
				ekka_array_get(&x->in[i], first + done, (size_t)m, x->block[i].re);
				input[i].re = x->block[i].re;
			}
		eval(x, (size_t)m, input, ret + done, ret_error + done);
	}
}

void ekka_fold_expr_finish(struct ekka_fold_expr *x, int64_t n, double *value, double *error)
{
	for (int64_t done = 0, m; done < n; done += m) {
		struct ekka_expr_input input = { .re = x->block->re, .error = error + done };

		m = n - done < EKKA_EXPR_BLOCK ? n - done : EKKA_EXPR_BLOCK;
		memcpy(x->block->re, value + done, (size_t)m * sizeof *value);
		eval(x, (size_t)m, &input, value + done, error + done);
	}
}
