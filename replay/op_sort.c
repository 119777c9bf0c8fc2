/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "sort": y[..., k] are x[..., n]'s k smallest elements in ascending order, or with `descending` its largest in descending order; index their places in
 * the row. k is what y or index has. Without y and with x as inout, x is sorted in place. An index that is inout, too, holds names of x's elements, which
 * move with them. NaN counts as larger than all, as in PyTorch.
 *
 * Values must be exact. Of equal elements any index is right, but none twice in a row; with `stable` equal elements keep their order. With `sorted` = 0 (top-k)
 * the elements may come in any order, and each index must belong to the value beside it. With `at`, y and index are of the element at that place of the order
 * alone; with `median` of the lower median: 1: NaN if there is a NaN, 2: of what is no NaN.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "replay/order.h"
#include "replay/rows.h"

struct sort {
	struct ekka_rows rows;
	struct ekka_array *x, *y, *index, *before;	/* before: the index as it was, when that names the elements */
	bool descending, sorted, stable, integers;
	int64_t n, k, n_rows;
	int64_t from;			/* y's first place in the order */
	int median;
	struct ekka_keyed *items, *mine, *work;	/* x in order; y's values in order */
	double *values, *refs;			/* of the row's x; the results */
	int64_t *ints, *int_refs, *index_refs, *got, *used;	/* used[i]: 1 + the row that took element i last */
	int64_t *names;					/* of the row's elements */
};

static void *room(struct sort *x, int64_t n, size_t size, struct ekka_error *err)
{
	return n > INT64_MAX / 4 ? NULL : ekka_rows_buffer(&x->rows, n * (int64_t)(size / sizeof(double)), err);
}

static int take_buffers(struct sort *x, struct ekka_error *err)
{
	struct ekka_keyed **const keyed[] = { &x->items, &x->mine, &x->work };
	double **const reals[] = { &x->values, &x->refs };
	int64_t **const ints[] = { &x->ints, &x->int_refs, &x->index_refs, &x->got, &x->used, &x->names };

	for (unsigned i = 0; i < 3; i++)
		if (!(*keyed[i] = room(x, x->n, sizeof(struct ekka_keyed), err)))
			return EKKA_ERR_NOMEM;
	for (unsigned i = 0; i < 2; i++)
		if (!(*reals[i] = room(x, x->n, sizeof(double), err)))
			return EKKA_ERR_NOMEM;
	for (unsigned i = 0; i < 6; i++)
		if (!(*ints[i] = room(x, x->n, sizeof(int64_t), err)))
			return EKKA_ERR_NOMEM;
	return 0;
}

static int prepare(void *arg, struct ekka_error *err)
{
	struct sort *x = arg;
	struct ekka_rows *r = &x->rows;
	struct ekka_array *out;
	int n = ekka_rows_take(r, "x", EKKA_PRE, true, &x->x, err);

	if (n == 0)
		n = ekka_rows_output(r, "y", &x->y, err);
	if (n == 0 && !x->y)
		n = ekka_rows_output(r, "x", &x->y, err);
	if (n == 0)
		n = ekka_rows_output(r, "index", &x->index, err);
	if (n == 0 && x->index && x->index->tensor->dir == EKKA_INOUT)
		n = ekka_rows_take(r, "index", EKKA_PRE, true, &x->before, err);
	if (n < 0 || r->settled)
		return n;
	out = x->y ? x->y : x->index;
	x->n = ekka_rows_length(x->x, 1);
	x->n_rows = ekka_rows_count(x->x, 1);
	x->k = out ? ekka_rows_length(out, 1) : 0;
	if (!out || x->k > x->n || ekka_rows_count(out, 1) != x->n_rows || (x->index && x->index->n != out->n) ||
	    (x->before && x->before->n != x->x->n)) {
		ekka_rows_settle(r, EKKA_INCOMPLETE, "the dimensions of x, y and index do not fit together");
		return 0;
	}
	r->row_length = x->k;
	x->descending = ekka_rows_number(r, "descending", 0) != 0;
	x->sorted = ekka_rows_number(r, "sorted", 1) != 0;
	x->stable = ekka_rows_number(r, "stable", 0) != 0;
	x->from = (int64_t)ekka_rows_number(r, "at", 0);
	x->median = (int)ekka_rows_number(r, "median", 0);
	if (x->from < 0 || x->from > x->n - x->k || (x->median && (x->k != 1 || x->from || x->descending))) {
		ekka_rows_settle(r, EKKA_INCOMPLETE, "a place that is not in the order");
		return 0;
	}
	x->integers = ekka_dtype_is_integer(x->x->dtype) && (!x->y || ekka_dtype_is_integer(x->y->dtype));
	n = take_buffers(x, err);
	if (n == 0)
		memset(x->used, 0, (size_t)x->n * sizeof *x->used);
	return n;
}

static uint64_t key_of(const struct sort *x, double value, int64_t integer)
{
	uint64_t key = !x->integers ? ekka_order_key(value) : ekka_order_key_int(integer) ^ (x->x->dtype == EKKA_U64 ? (uint64_t)1 << 63 : 0);

	return x->descending ? ~key : key;
}

/* Keys of n elements of an array from `first` on, in the order asked for. */
static void load_keys(const struct sort *x, const struct ekka_array *a, int64_t first, int64_t n, double *values, int64_t *ints,
		      struct ekka_keyed *ret)
{
	if (x->integers)
		ekka_array_get_int(a, first, (size_t)n, ints);
	else
		ekka_array_get(a, first, (size_t)n, values);
	for (int64_t i = 0; i < n; i++)
		ret[i] = (struct ekka_keyed){ key_of(x, values[i], ints[i]), i };
}

static void set_ref(struct sort *x, int64_t at, int64_t from)
{
	if (x->integers)
		x->int_refs[at] = x->ints[from];
	else
		x->refs[at] = x->values[from];
}

/*
 * Any order: what y has of the k best elements is right where it stands; the others should have been those that are left.
 * Afterwards items[i] is what belongs to place i.
 */
static void match(struct sort *x, int64_t row)
{
	int64_t k = x->k, a = 0, b = 0, left = 0, free_places = 0;
	struct ekka_keyed *best = x->items, *unplaced = x->work, *mine = x->mine;
	int64_t *places = x->got;

	load_keys(x, x->y, row * k, k, x->refs, x->int_refs, mine);
	ekka_order_sort(mine, x->work, (size_t)k);
	while (a < k || b < k) {
		if (b == k || (a < k && best[a].key < mine[b].key))
			unplaced[left++] = best[a++];
		else if (a == k || best[a].key > mine[b].key)
			places[free_places++] = mine[b++].index;
		else
			set_ref(x, mine[b++].index, best[a++].index);
	}
	for (int64_t i = 0; i < left; i++)
		set_ref(x, places[i], unplaced[i].index);
}

/* Is `index` a place whose element has this key, and was it not given in this row yet. */
static bool takes(struct sort *x, int64_t row, int64_t index, uint64_t key)
{
	if (index < 0 || index >= x->n || x->used[index] == row + 1 || key_of(x, x->values[index], x->ints[index]) != key)
		return false;
	x->used[index] = row + 1;
	return true;
}

/* An index that would be right instead: of an element with this key that is not taken; -1 when there is none nearby. */
static int64_t another(const struct sort *x, int64_t row, uint64_t key)
{
	enum { TRIES = 64 };
	int64_t low = 0, high = x->n;

	while (low < high) {
		int64_t mid = low + (high - low) / 2;

		if (x->items[mid].key < key)
			low = mid + 1;
		else
			high = mid;
	}
	for (int64_t i = low; i < x->n && i < low + TRIES && x->items[i].key == key; i++)
		if (x->used[x->items[i].index] != row + 1)
			return x->items[i].index;
	return -1;
}

/* The place of an element with this name; -1 when there is none. mine: names in order. */
static int64_t place_of(const struct sort *x, int64_t name)
{
	uint64_t key = ekka_order_key_int(name);
	int64_t low = 0, high = x->n;

	while (low < high) {
		int64_t mid = low + (high - low) / 2;

		if (x->mine[mid].key < key)
			low = mid + 1;
		else
			high = mid;
	}
	return low < x->n && x->mine[low].key == key ? x->mine[low].index : -1;
}

static void load_names(struct sort *x, int64_t row)
{
	ekka_array_get_int(x->before, row * x->n, (size_t)x->n, x->names);
	for (int64_t i = 0; i < x->n; i++)
		x->mine[i] = (struct ekka_keyed){ ekka_order_key_int(x->names[i]), i };
	ekka_order_sort(x->mine, x->work, (size_t)x->n);
}

static void judge_index(struct sort *x, int64_t row)
{
	ekka_array_get_int(x->index, row * x->k, (size_t)x->k, x->got);
	if (x->before)
		load_names(x, row);
	for (int64_t i = 0; i < x->k; i++) {
		uint64_t key = x->items[x->from + i].key;

		if (!x->sorted && x->y)
			key = key_of(x, x->refs[i], x->int_refs[i]);
		if (x->before)
			x->got[i] = place_of(x, x->got[i]);
		if (x->stable)
			x->index_refs[i] = x->items[x->from + i].index;
		else
			x->index_refs[i] = takes(x, row, x->got[i], key) ? x->got[i] : another(x, row, key);
		if (x->before && x->index_refs[i] >= 0)
			x->index_refs[i] = x->names[x->index_refs[i]];
	}
	ekka_rows_compare_int(&x->rows, x->index, row * x->k, x->k, x->index_refs);
}

/* Top-k in any order without values: each index must be one of the k best. */
static void judge_set(struct sort *x, int64_t row)
{
	uint64_t last = x->items[x->k - 1].key;
	int64_t next = 0, fewer = 0;

	ekka_array_get_int(x->index, row * x->k, (size_t)x->k, x->got);
	for (int64_t i = 0; i < x->k; i++) {
		int64_t at = x->got[i];
		bool right = at >= 0 && at < x->n && x->used[at] != row + 1;

		right = right && key_of(x, x->values[at], x->ints[at]) <= last;
		if (right)
			x->used[at] = row + 1;
		x->index_refs[i] = right ? at : -1;
		fewer += !right;
	}
	for (int64_t i = 0; fewer && i < x->k; i++) {
		while (x->index_refs[i] < 0 && next < x->k - 1 && x->used[x->items[next].index] == row + 1)
			next++;
		if (x->index_refs[i] < 0)
			x->index_refs[i] = x->items[next].index;
	}
	ekka_rows_compare_int(&x->rows, x->index, row * x->k, x->k, x->index_refs);
}

static int64_t median_place(const struct sort *x)
{
	int64_t n_nan = 0;

	for (int64_t i = 0; i < x->n && !x->integers; i++)
		n_nan += isnan(x->values[i]);
	return n_nan && (x->median == 1 || n_nan == x->n) ? x->n - 1 : (x->n - n_nan - 1) / 2;
}

static void judge_row(struct sort *x, int64_t row)
{
	load_keys(x, x->x, row * x->n, x->n, x->values, x->ints, x->items);
	if (x->median)
		x->from = median_place(x);
	ekka_order_sort(x->items, x->work, (size_t)x->n);
	if (x->y && !x->sorted)
		match(x, row);
	else
		for (int64_t i = 0; i < x->k; i++)
			set_ref(x, i, x->items[x->from + i].index);
	if (x->y && x->integers)
		ekka_rows_compare_int(&x->rows, x->y, row * x->k, x->k, x->int_refs);
	else if (x->y)
		ekka_rows_compare(&x->rows, x->y, row * x->k, x->k, x->refs, NULL);
	if (x->index && (x->y || x->sorted))
		judge_index(x, row);
	else if (x->index)
		judge_set(x, row);
}

static void judge_rows(void *arg)
{
	struct sort *x = arg;

	for (int64_t row = 0; row < x->n_rows; row++)
		judge_row(x, row);
}

/* Are the remembered wrong rows right in the opposite order. */
static void explain(void *arg)
{
	struct sort *x = arg;
	const struct ekka_rows *r = &x->rows;

	if (!x->y || !r->n_wrong || x->integers)
		return;
	x->descending = !x->descending;
	for (unsigned i = 0; i < r->n_wrong; i++) {
		int64_t row = r->wrong[i].index / x->k;

		load_keys(x, x->x, row * x->n, x->n, x->values, x->ints, x->items);
		ekka_order_sort(x->items, x->work, (size_t)x->n);
		ekka_array_get(x->y, row * x->k, (size_t)x->k, x->refs);
		for (int64_t j = 0; j < x->k; j++)
			if (key_of(x, x->refs[j], 0) != x->items[x->from + j].key)
				return;
	}
	ekka_rows_looks_like(&x->rows, "as if the order was %s", x->descending ? "descending" : "ascending");
}

static void say_bound(const void *arg, char text[EKKA_TEXT])
{
	(void)arg;
	(void)snprintf(text, EKKA_TEXT, "exact");
}

static int judge_sort(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	static const struct ekka_rows_op op = { sizeof(struct sort), prepare, judge_rows, say_bound, explain, NULL, NULL };

	return ekka_rows_run(&op, ctx, event, v, err);
}

const struct ekka_op ekka_op_sort = { "sort", judge_sort };
