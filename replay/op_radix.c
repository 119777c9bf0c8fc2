/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "radix": a pass of a radix sort. out0 is in0 [rows..., n] with every row in ascending order of `key`, an expression of in0 that gives an integer (compared
 * without sign), and elements of one key in the order in which they were; out1 is in1, whose elements move with those of in0, and so on to in3.
 * `first` [keys]: where a key's elements begin, as the passes before found; without it they follow one another from the row's begin.
 *
 * Elements are compared bit for bit. Where `first` gives two elements one place, or one outside of the row, nothing can be said: INCOMPLETE.
 */
#include <string.h>

#include "replay/expr_event.h"
#include "replay/order.h"
#include "replay/rows.h"

enum { MOVED = 4 };	/* in0 and what moves with it */

struct radix {
	struct ekka_expr_event x;
	struct ekka_rows rows;
	struct ekka_expr *key;
	struct ekka_expr_state *state;
	struct ekka_array *in[MOVED], *out[MOVED], *first;
	unsigned n_moved;
	int64_t n, n_rows;
	struct ekka_keyed *items, *work;
	int64_t *place, *value, *ref, *begin;	/* place[i]: of the i-th element in order; begin: of every key */
};

static int take_arrays(struct radix *x, struct ekka_error *err)
{
	static const char *const in[MOVED] = { "in0", "in1", "in2", "in3" }, *const out[MOVED] = { "out0", "out1", "out2", "out3" };
	struct ekka_rows *r = &x->rows;
	int n = 0;

	for (unsigned i = 0; i < MOVED && n == 0 && !r->settled; i++) {
		n = ekka_rows_take(r, in[i], EKKA_PRE, i == 0, &x->in[i], err);
		if (n == 0 && !r->settled)
			n = ekka_rows_output(r, out[i], &x->out[i], err);
		if (n < 0 || r->settled)
			return n;
		if (!x->in[i] && !x->out[i])
			break;
		x->n_moved++;
		if (!x->in[i] || !x->out[i] || x->in[i]->n != x->in[0]->n || x->out[i]->n != x->in[0]->n || x->in[i]->dtype != x->out[i]->dtype ||
		    !ekka_dtype_is_integer(x->in[i]->dtype))
			ekka_rows_settle(r, EKKA_INCOMPLETE, "inputs and outputs are no integers of one number and size");
	}
	if (n == 0 && !r->settled)
		n = ekka_rows_take(r, "first", EKKA_PRE, false, &x->first, err);
	return n;
}

static int take_buffers(struct radix *x, struct ekka_error *err)
{
	struct ekka_rows *r = &x->rows;
	int64_t n_keys = x->first ? x->first->n : 1;
	double *memory;

	x->n = ekka_rows_length(x->in[0], 1);
	x->n_rows = ekka_rows_count(x->in[0], 1);
	memory = x->n > INT64_MAX / 64 || n_keys > INT64_MAX / 64 ? NULL : ekka_rows_buffer(r, 7 * x->n + n_keys, err);
	if (!memory)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory to sort %lld elements", (long long)x->n);
	x->items = (struct ekka_keyed *)(void *)memory;
	x->work = x->items + x->n;
	x->place = (int64_t *)(void *)(x->work + x->n);
	x->value = x->place + x->n;
	x->ref = x->value + x->n;
	x->begin = x->ref + x->n;
	return 0;
}

/* The row's elements in order. */
static void sort_row(struct radix *x, int64_t row)
{
	struct ekka_expr_result key[EKKA_EXPR_RESULTS];

	for (int64_t done = 0; done < x->n; done += EKKA_EXPR_BLOCK) {
		size_t n = x->n - done < EKKA_EXPR_BLOCK ? (size_t)(x->n - done) : EKKA_EXPR_BLOCK;

		ekka_expr_event_load(&x->x, row * x->n + done, n);
		ekka_expr_event_eval(&x->x, x->key, x->state, n, key);
		for (size_t i = 0; i < n; i++)
			x->items[done + (int64_t)i] = (struct ekka_keyed){ (uint64_t)key[0].ints[i], done + (int64_t)i };
	}
	ekka_order_sort(x->items, x->work, (size_t)x->n);
}

/* The place of every element in order; false when they are not one each. */
static bool find_places(struct radix *x)
{
	bool *taken = (bool *)x->value;	/* not needed yet */

	for (int64_t i = 0; i < x->n; i++)
		x->place[i] = i;
	if (!x->first)
		return true;
	ekka_array_get_int(x->first, 0, (size_t)x->first->n, x->begin);
	memset(taken, 0, (size_t)x->n);
	for (int64_t i = 0; i < x->n; i++) {
		uint64_t key = x->items[i].key;

		if (key >= (uint64_t)x->first->n || x->begin[key] < 0 || x->begin[key] >= x->n || taken[x->begin[key]])
			return false;
		taken[x->begin[key]] = true;
		x->place[i] = x->begin[key]++;
	}
	return true;
}

static void judge_row(struct radix *x, int64_t row)
{
	sort_row(x, row);
	if (!find_places(x)) {
		ekka_rows_settle(&x->rows, EKKA_INCOMPLETE, "where the digits begin does not fit how many there are of each");
		return;
	}
	for (unsigned k = 0; k < x->n_moved; k++) {
		ekka_array_get_int(x->in[k], row * x->n, (size_t)x->n, x->value);
		for (int64_t i = 0; i < x->n; i++)
			x->ref[x->place[i]] = x->value[x->items[i].index];
		ekka_rows_compare_int(&x->rows, x->out[k], row * x->n, x->n, x->ref);
	}
}

static int judge(struct radix *x, struct ekka_error *err)
{
	static const char *const texts[] = { "key", NULL };
	int r = take_arrays(x, err);

	if (r < 0 || x->rows.settled)
		return r;
	if (!ekka_expr_event_dims(&x->x, x->in[0]->tensor))
		return 0;
	r = ekka_expr_event_init(&x->x, texts, err);
	if (r > 0)
		r = ekka_expr_event_parse(&x->x, "key", &x->key, err);
	if (r > 0 && !ekka_expr_is_integer(x->key, 0)) {
		ekka_expr_event_settle(&x->x, EKKA_UNSUPPORTED, "the key is no integer", "");
		r = 0;
	}
	if (r <= 0)
		return r;
	x->state = ekka_expr_state_new(x->key);
	if (!x->state)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for an expression");
	r = take_buffers(x, err);
	for (int64_t row = 0; r == 0 && row < x->n_rows && !x->rows.settled; row++)
		judge_row(x, row);
	return r == 0 && !x->rows.settled ? ekka_rows_verdict(&x->rows, "exact", err) : r;
}

static int judge_radix(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	struct radix x = { .x = { .ctx = ctx, .event = event, .verdict = v } };
	int r = ekka_rows_init(&x.rows, ctx, event, v, err);

	if (r == 0)
		r = judge(&x, err);
	ekka_expr_state_free(x.state);
	ekka_expr_free(x.key);
	ekka_expr_event_release(&x.x);
	ekka_rows_release(&x.rows);
	return r;
}

const struct ekka_op ekka_op_radix = { "radix", judge_radix };
