/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/expr_event.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOURCE = EKKA_MAX_TENSORS };	/* the input that comes from no tensor */

/* What one block's evaluation reads. */
struct ekka_expr_block {
	struct ekka_expr_input in[EKKA_MAX_TENSORS + 1];
	union { double re[EKKA_EXPR_BLOCK]; int64_t ints[EKKA_EXPR_BLOCK]; } value[EKKA_MAX_TENSORS + 1];
	double error[EKKA_EXPR_BLOCK];	/* of the source's values */
	int64_t index[EKKA_MAX_DIMS][EKKA_EXPR_BLOCK];
	const int64_t *indices[EKKA_MAX_DIMS];
	bool used[EKKA_MAX_TENSORS], uses_index;
};

void ekka_expr_event_settle(struct ekka_expr_event *x, enum ekka_status status, const char *fmt, const char *arg)
{
	x->verdict->status = status;
	(void)snprintf(x->verdict->reason, sizeof x->verdict->reason, "%s%.450s", fmt, arg);
}

const char *ekka_expr_event_text(const struct ekka_event *e, const char *name)
{
	const struct ekka_value *v = ekka_event_attr(e, name);

	return v && v->kind == EKKA_V_STR ? v->s : NULL;
}

/* Is `name` a word of the text. */
static bool mentions(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = n > 0 ? text : NULL; at && (at = strstr(at, name)); at += n) {
		bool begins = at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');

		if (begins && !isalnum((unsigned char)at[n]) && at[n] != '_')
			return true;
	}
	return false;
}

/* Is the tensor read under its name. An output that is not also read is only assigned to. */
static bool is_read(const struct ekka_expr_event *x, const struct ekka_tensor *t, const char *const *texts)
{
	bool found = false;

	for (; *texts && (t->dir & EKKA_IN); texts++)
		found |= mentions(ekka_expr_event_text(x->event, *texts), t->name);
	return found;
}

/* An inout tensor is read only where its name is more than the target of an assignment; reading it costs a blob, no more. */
static int load_tensor(struct ekka_expr_event *x, unsigned i, struct ekka_error *err)
{
	const struct ekka_tensor *t = &x->event->call.tensors[i];
	struct ekka_expr_symbol *s = &x->symbol[x->n_symbols];
	int r;

	if (t->dir == EKKA_INOUT && !ekka_array_recorded(x->ctx, x->event, (int)i, EKKA_PRE))
		return 1;
	if (ekka_dtype_is_complex(t->dtype)) {
		ekka_expr_event_settle(x, EKKA_UNSUPPORTED, "complex numbers: ", t->name);
		return 0;
	}
	r = ekka_array_load(x->ctx, x->event, (int)i, EKKA_PRE, &x->whole[i], x->verdict, err);
	if (r <= 0)
		return r;
	x->input[i] = x->whole[i];
	if (!ekka_array_broadcast(&x->input[i], x->n_dims, x->dim))
		x->input[i].n = 0;
	*s = (struct ekka_expr_symbol){ .name = t->name, .input = i, .table = &x->whole[i] };
	s->is_unsigned = t->dtype == EKKA_U64;
	s->kind = !x->input[i].n ? EKKA_EXPR_TABLE : ekka_dtype_is_integer(t->dtype) ? EKKA_EXPR_INT : EKKA_EXPR_REAL;
	x->block->used[i] = s->kind != EKKA_EXPR_TABLE;
	x->n_symbols++;
	return 1;
}

static void name_attributes(struct ekka_expr_event *x)
{
	for (unsigned i = 0; i < x->event->call.n_attrs; i++) {
		const struct ekka_attr *a = &x->event->call.attrs[i];
		struct ekka_expr_symbol *s = &x->symbol[x->n_symbols];

		*s = (struct ekka_expr_symbol){ .name = a->name };
		if (a->value.kind == EKKA_V_REAL) {
			s->kind = EKKA_EXPR_NUMBER;
			s->number = a->value.r[0];
		} else if (a->value.kind == EKKA_V_INT || a->value.kind == EKKA_V_UINT) {
			s->kind = EKKA_EXPR_INTEGER;
			s->integer = a->value.i;
		} else {
			continue;
		}
		x->n_symbols++;
	}
}

static void name_source(struct ekka_expr_event *x)
{
	struct ekka_expr_input *in = &x->block->in[SOURCE];
	bool integers;

	if (!x->source)
		return;
	integers = x->source->integers;
	x->symbol[x->n_symbols++] = (struct ekka_expr_symbol){ .name = x->source->name, .input = SOURCE, .kind = integers ? EKKA_EXPR_INT : EKKA_EXPR_REAL };
	in->re = integers ? NULL : x->block->value[SOURCE].re;
	in->ints = integers ? x->block->value[SOURCE].ints : NULL;
	in->error = integers ? NULL : x->block->error;
}

/* The arithmetic's type: what the attribute says, else f64 when anything is f64. */
static enum ekka_dtype compute_type(const struct ekka_event *e)
{
	const char *name = ekka_expr_event_text(e, "compute");
	enum ekka_dtype t;

	if (name && ekka_dtype_from_name(name, &t) == 0 && ekka_dtype_unit_roundoff(t) > 0)
		return t;
	for (unsigned i = 0; i < e->call.n_tensors; i++)
		if (e->call.tensors[i].dtype == EKKA_F64)
			return EKKA_F64;
	return EKKA_F32;
}

bool ekka_expr_event_dims(struct ekka_expr_event *x, const struct ekka_tensor *t)
{
	x->n_dims = t->n_dims;
	x->n = 1;
	for (unsigned d = 0; d < t->n_dims; d++) {
		x->dim[d] = t->dim[d];
		if (__builtin_mul_overflow(x->n, t->dim[d], &x->n))
			return false;
	}
	return true;
}

int ekka_expr_event_init(struct ekka_expr_event *x, const char *const *texts, struct ekka_error *err)
{
	x->compute = compute_type(x->event);
	x->block = calloc(1, sizeof *x->block);
	if (!x->block)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for a block of elements");
	for (unsigned i = 0; i < x->event->call.n_tensors; i++) {
		int r = is_read(x, &x->event->call.tensors[i], texts) ? load_tensor(x, i, err) : 1;

		if (r <= 0)
			return r;
	}
	name_attributes(x);
	name_source(x);
	return 1;
}

void ekka_expr_event_release(struct ekka_expr_event *x)
{
	for (unsigned i = 0; i < EKKA_MAX_TENSORS; i++)
		ekka_array_release(&x->whole[i]);
	free(x->block);
	x->block = NULL;
}

bool ekka_expr_event_copy(const struct ekka_expr_event *x, struct ekka_expr_event *copy)
{
	*copy = *x;
	copy->block = malloc(sizeof *copy->block);
	if (copy->block)
		*copy->block = *x->block;
	return copy->block != NULL;
}

void ekka_expr_event_copy_release(struct ekka_expr_event *copy)
{
	free(copy->block);
	copy->block = NULL;
}

int ekka_expr_event_parse(struct ekka_expr_event *x, const char *name, struct ekka_expr **ret, struct ekka_error *err)
{
	const char *text = ekka_expr_event_text(x->event, name);
	struct ekka_error bad = { 0 };
	int r;

	if (!text) {
		ekka_expr_event_settle(x, EKKA_UNSUPPORTED, "the description has no attribute ", name);
		return 0;
	}
	r = ekka_expr_parse(text, x->symbol, x->n_symbols, x->compute, ret, &bad);
	if (r == EKKA_ERR_NOMEM)
		return ekka_error_set(err, r, "%s", bad.message);
	if (r < 0) {
		ekka_expr_event_settle(x, EKKA_UNSUPPORTED, "", bad.message);
		return 0;
	}
	for (unsigned d = 0; d < EKKA_MAX_DIMS; d++)
		if (ekka_expr_uses_index(*ret, d)) {
			x->block->uses_index = true;
			if (d >= x->n_dims) {
				ekka_expr_event_settle(x, EKKA_UNSUPPORTED, "an index of a dimension that there is not: ", text);
				ekka_expr_free(*ret);
				*ret = NULL;
				return 0;
			}
		}
	return 1;
}

static void fill_indices(struct ekka_expr_event *x, int64_t first, size_t n)
{
	int64_t at[EKKA_MAX_DIMS] = { 0 };

	for (unsigned d = x->n_dims; d-- > 0; first /= x->dim[d]) {
		at[d] = first % x->dim[d];
		x->block->indices[d] = x->block->index[d];
	}
	for (size_t i = 0; i < n; i++) {
		for (unsigned d = 0; d < x->n_dims; d++)
			x->block->index[d][i] = at[d];
		for (unsigned d = x->n_dims; d-- > 0;) {
			if (++at[d] < x->dim[d])
				break;
			at[d] = 0;
		}
	}
}

void ekka_expr_event_load(struct ekka_expr_event *x, int64_t first, size_t n)
{
	struct ekka_expr_block *b = x->block;

	for (unsigned i = 0; i < EKKA_MAX_TENSORS; i++) {
		if (!b->used[i])
			continue;
		if (ekka_dtype_is_integer(x->input[i].dtype)) {
			ekka_array_get_int(&x->input[i], first, n, b->value[i].ints);
			b->in[i].ints = b->value[i].ints;
		} else {
			ekka_array_get(&x->input[i], first, n, b->value[i].re);
			b->in[i].re = b->value[i].re;
		}
	}
	if (x->source)
		x->source->fill(x->source->arg, first, n, b->value[SOURCE].re, b->error, b->value[SOURCE].ints);
	if (b->uses_index)
		fill_indices(x, first, n);
}

void ekka_expr_event_eval(struct ekka_expr_event *x, const struct ekka_expr *expr, struct ekka_expr_state *state, size_t n,
			  struct ekka_expr_result *ret)
{
	char text[EKKA_TEXT];

	ekka_expr_eval(expr, state, n, x->block->in, x->block->indices, ret);
	if (x->outside || !ekka_expr_out_of_range(state, text))
		return;
	for (unsigned k = 0; k < ekka_expr_n_results(expr) && !x->outside; k++)
		for (size_t i = 0; i < n && !ret[k].exact; i++)
			x->outside |= isnan(ret[k].error[i]);
}
