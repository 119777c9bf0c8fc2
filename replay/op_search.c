/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "search": out0[i] is where x[i] belongs among `table` [n] or, row by row, [rows, n], whose elements rise: in front of those that are equal, or with `right`
 * behind them. `order`?, of table's shape: the table's elements in rising order are table[order[0]], table[order[1]]... of each row.
 *
 * Exact. Where the table does not rise, or has NaN among its elements, the place depends on how it is searched: by halves, of an odd rest the lower middle first, as
 * PyTorch does (aten/src/ATen/native/cuda/Bucketization.cu); NaN is neither less than anything nor greater.
 */
#include <string.h>

#include "replay/rows.h"

struct search {
	struct ekka_rows *rows;
	struct ekka_array *x, *table, *order, *out;
	int64_t n, each, n_rows;	/* elements of a row of the table, of x; rows */
	bool right, integers;
	double *row, *value;		/* of the table, and EKKA_ROWS_CHUNK of x; or as integers */
	int64_t *place, *ref;
};

static int take(struct search *s, struct ekka_error *err)
{
	struct ekka_rows *r = s->rows;
	int n = ekka_rows_take(r, "x", EKKA_PRE, true, &s->x, err);

	if (n == 0 && !r->settled)
		n = ekka_rows_take(r, "table", EKKA_PRE, true, &s->table, err);
	if (n == 0 && !r->settled)
		n = ekka_rows_take(r, "order", EKKA_PRE, false, &s->order, err);
	if (n == 0 && !r->settled)
		n = ekka_rows_output(r, "out0", &s->out, err);
	if (n < 0 || r->settled)
		return n;
	s->n = ekka_rows_length(s->table, 1);
	s->n_rows = ekka_rows_count(s->table, 1);
	s->each = s->x->n / s->n_rows;
	s->right = ekka_rows_number(r, "right", 0) != 0;
	s->integers = ekka_dtype_is_integer(s->table->dtype);
	if (!s->out || s->out->n != s->x->n || s->each * s->n_rows != s->x->n || (s->order && s->order->n != s->table->n) ||
	    s->integers != ekka_dtype_is_integer(s->x->dtype))
		ekka_rows_settle(r, EKKA_INCOMPLETE, "the recorded dimensions do not fit together");
	else if (s->integers && (s->table->dtype == EKKA_U64 || s->x->dtype == EKKA_U64))
		ekka_rows_settle(r, EKKA_UNSUPPORTED, "no reference for searches among u64");
	return 0;
}

static int make_room(struct search *s, struct ekka_error *err)
{
	s->row = ekka_rows_buffer(s->rows, s->n, err);
	s->value = s->row ? ekka_rows_buffer(s->rows, EKKA_ROWS_CHUNK, err) : NULL;
	s->ref = s->value ? (int64_t *)(void *)ekka_rows_buffer(s->rows, EKKA_ROWS_CHUNK, err) : NULL;
	s->place = s->ref && s->order ? (int64_t *)(void *)ekka_rows_buffer(s->rows, s->n, err) : NULL;
	return s->ref && (s->place || !s->order) ? 0 : EKKA_ERR_NOMEM;
}

/* Does x[i] of the values belong behind table element `at`. */
static bool behind(const struct search *s, int64_t at, int64_t i)
{
	const int64_t *row = (const int64_t *)(const void *)s->row, *value = (const int64_t *)(const void *)s->value;

	if (s->integers)
		return s->right ? row[at] <= value[i] : row[at] < value[i];
	return s->right ? !(s->row[at] > s->value[i]) : !(s->row[at] >= s->value[i]);
}

static int64_t place_of(const struct search *s, int64_t i)
{
	int64_t start = 0, end = s->n;

	while (start < end) {
		int64_t middle = start + ((end - start) >> 1);

		if (behind(s, s->place ? s->place[middle] : middle, i))
			start = middle + 1;
		else
			end = middle;
	}
	return start;
}

static void load(const struct ekka_array *a, bool integers, int64_t first, int64_t n, double *to)
{
	if (integers)
		ekka_array_get_int(a, first, (size_t)n, (int64_t *)(void *)to);
	else
		ekka_array_get(a, first, (size_t)n, to);
}

/* Row `row` of the table; false when its order leads out of it. */
static bool load_row(struct search *s, int64_t row)
{
	load(s->table, s->integers, row * s->n, s->n, s->row);
	if (!s->place)
		return true;
	ekka_array_get_int(s->order, row * s->n, (size_t)s->n, s->place);
	for (int64_t i = 0; i < s->n; i++)
		if (s->place[i] < 0 || s->place[i] >= s->n)
			return false;
	return true;
}

static bool judge_row(struct search *s, int64_t row)
{
	if (!load_row(s, row))
		return false;
	for (int64_t done = 0, m; done < s->each; done += m) {
		m = s->each - done < EKKA_ROWS_CHUNK ? s->each - done : EKKA_ROWS_CHUNK;
		load(s->x, s->integers, row * s->each + done, m, s->value);
		for (int64_t i = 0; i < m; i++)
			s->ref[i] = ekka_dtype_wrap(s->out->dtype, place_of(s, i));
		ekka_rows_compare_int(s->rows, s->out, row * s->each + done, m, s->ref);
	}
	return true;
}

/* Were the remembered wrong elements searched for from the other side. */
static void explain(struct search *s)
{
	const struct ekka_rows *r = s->rows;
	bool other = r->n_wrong > 0;

	s->right = !s->right;
	for (unsigned i = 0; i < r->n_wrong && other; i++) {
		int64_t at = r->wrong[i].index;

		other = load_row(s, at / s->each);
		load(s->x, s->integers, at, 1, s->value);
		other = other && (double)place_of(s, 0) == r->wrong[i].got;
	}
	if (other)
		ekka_rows_looks_like(s->rows, s->right ? "as if looked for from the right" : "as if looked for from the left");
}

static int judge(struct ekka_rows *r, struct ekka_error *err)
{
	struct search s = { .rows = r };
	int n = take(&s, err);

	if (n == 0 && !r->settled)
		n = make_room(&s, err);
	if (n < 0 || r->settled)
		return n;
	for (int64_t row = 0; row < s.n_rows; row++)
		if (!judge_row(&s, row)) {
			ekka_rows_settle(r, EKKA_INCOMPLETE, "the order of the table's elements leads out of their row");
			return 0;
		}
	n = ekka_rows_verdict(r, "exact", err);
	if (n == 0 && r->verdict->status == EKKA_FAIL)
		explain(&s);
	return n;
}

static int judge_search(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	return ekka_rows_judge(ctx, event, judge, v, err);
}

const struct ekka_op ekka_op_search = { "search", judge_search };
