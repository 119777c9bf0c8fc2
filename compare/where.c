/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bad elements are described as a product of a set of rows, a set of columns and a set of batch items, each in words, and
 * by how densely they fill it. Only counts per row, column and item are known, not the elements themselves.
 */
#include "compare/where.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Runs of consecutive bad lines. */
struct lines {
	const char *one, *many;		/* "row", "rows" */
	int64_t all, bad;		/* how many there are */
	int64_t first, last;
	int64_t n_runs, run_first[4], run_last[4];
	int64_t period, length;		/* all runs `length` long, `period` apart; 0 when not so */
};

struct text { char *at; size_t room; };

static void __attribute__((format(printf, 2, 3))) put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->at, t->room, fmt, ap);
	va_end(ap);
	if (n > 0) {
		size_t used = (size_t)n < t->room ? (size_t)n : t->room - 1;

		t->at += used;
		t->room -= used;
	}
}

static void end_run(struct lines *l, int64_t first, int64_t last)
{
	int64_t length = last - first + 1;

	if (l->n_runs < 4) {
		l->run_first[l->n_runs] = first;
		l->run_last[l->n_runs] = last;
	}
	if (l->n_runs == 0) {
		l->length = length;
	} else {
		int64_t period = first - (l->last - l->length + 1);

		if (l->n_runs == 1)
			l->period = period;
		/* The last run may be cut off by the matrix's end. */
		if (period != l->period || length > l->length || (length < l->length && last != l->all - 1))
			l->period = -1;
	}
	l->n_runs++;
	if (length == l->length)
		l->last = last;
}

/* Lines count as bad when they hold at least `least` bad elements. */
static struct lines scan(const uint32_t *narrow, const uint64_t *wide, int64_t n, uint64_t least, const char *one, const char *many)
{
	struct lines l = { .one = one, .many = many, .all = n, .first = -1 };
	int64_t start = -1;

	for (int64_t i = 0; i <= n; i++) {
		bool bad = i < n && (narrow ? narrow[i] : wide[i]) >= least;

		if (bad) {
			l.bad++;
			if (l.first < 0)
				l.first = i;
			if (start < 0)
				start = i;
		} else if (start >= 0) {
			end_run(&l, start, i - 1);
			start = -1;
		}
	}
	if (l.n_runs < 3 || l.period < 0)
		l.period = 0;
	return l;
}

static bool is_all(const struct lines *l)
{
	return l->bad == l->all;
}

static void put_lines(struct text *t, const struct lines *l)
{
	if (l->bad == 1) {
		put(t, "%s %lld", l->one, (long long)l->first);
	} else if (l->n_runs == 1) {
		put(t, "%s %lld-%lld", l->many, (long long)l->run_first[0], (long long)l->run_last[0]);
	} else if (l->period && l->length == 1) {
		put(t, "every %lldth %s from %lld", (long long)l->period, l->one, (long long)l->first);
	} else if (l->period) {
		put(t, "%lld %s of every %lld, from %lld", (long long)l->length, l->many, (long long)l->period, (long long)l->first);
	} else if (l->n_runs <= 4) {
		put(t, "%s ", l->many);
		for (int64_t i = 0; i < l->n_runs; i++) {
			put(t, "%s%lld", i ? ", " : "", (long long)l->run_first[i]);
			if (l->run_last[i] > l->run_first[i])
				put(t, "-%lld", (long long)l->run_last[i]);
		}
	} else {
		put(t, "%lld of %lld %s", (long long)l->bad, (long long)l->all, l->many);
	}
}

static bool is_tile(const struct lines *l)
{
	return l->n_runs == 1 && l->bad > 1 && !is_all(l);
}

static void put_product(struct text *t, const struct lines *rows, const struct lines *cols)
{
	if (is_all(rows) && is_all(cols)) {
		put(t, "everything");
	} else if (rows->all == 1 || cols->all == 1) {	/* a vector */
		put_lines(t, rows->all == 1 ? cols : rows);
	} else if (is_all(rows)) {
		put_lines(t, cols);
		put(t, " of every row");
	} else if (is_all(cols)) {
		put_lines(t, rows);
		put(t, ", whole");
	} else {
		put_lines(t, rows);
		put(t, ", ");
		put_lines(t, cols);
		if (is_tile(rows) && is_tile(cols))
			put(t, " (one %lldx%lld tile)", (long long)rows->bad, (long long)cols->bad);
	}
}

static void put_batch(struct text *t, const struct lines *items)
{
	if (items->all == 1)
		return;
	put(t, ", ");
	if (is_all(items))
		put(t, "in every batch item");
	else
		put_lines(t, items);
}

static uint64_t most(const uint32_t *count, int64_t n)
{
	uint64_t m = 0;

	for (int64_t i = 0; i < n; i++)
		m = count[i] > m ? count[i] : m;
	return m;
}

/* Elements of rows x cols that the call defines; of a triangle about half, exact for none. */
static double capacity(const struct lines *rows, const struct lines *cols, const struct lines *items, char triangle)
{
	double n = (double)rows->bad * (double)cols->bad * (double)items->bad;

	return triangle && is_all(rows) && is_all(cols) ? n / 2 * (1 + 1 / (double)rows->all) : n;
}

void ekka_where_describe(const struct ekka_tally *t, char triangle, char *ret_text)
{
	struct text text = { ret_text, EKKA_TEXT };
	struct lines rows = scan(t->row_bad, NULL, t->rows, 1, "row", "rows"), cols, items;
	double dense;
	bool mostly = false;

	cols = scan(t->col_bad, NULL, t->cols, 1, "column", "columns");
	items = scan(NULL, t->batch_bad, t->batch, 1, "batch item", "batch items");
	ret_text[0] = '\0';
	if (!t->n_bad)
		return;
	if (t->n_bad == 1) {
		put(&text, "one element: row %lld, column %lld", (long long)t->lo[1], (long long)t->lo[2]);
		if (t->batch > 1)
			put(&text, ", batch item %lld", (long long)t->lo[0]);
		return;
	}
	dense = (double)t->n_bad / capacity(&rows, &cols, &items, triangle);
	if (dense < 0.4) {	/* a few strays may hide the pattern of the many */
		struct lines r = scan(t->row_bad, NULL, t->rows, most(t->row_bad, t->rows) / 2 + 1, "row", "rows");
		struct lines c = scan(t->col_bad, NULL, t->cols, most(t->col_bad, t->cols) / 2 + 1, "column", "columns");
		const struct { const struct lines *r, *c; } core[] = { { &rows, &c }, { &r, &cols }, { &r, &c } };

		for (size_t i = 0; i < 3 && !mostly; i++) {
			double inner = (double)t->n_bad / capacity(core[i].r, core[i].c, &items, triangle);

			if (inner > 0.8 && inner < 1.3) {
				rows = *core[i].r;
				cols = *core[i].c;
				dense = 1;
				mostly = true;
			}
		}
	}
	if (mostly)
		put(&text, "mostly ");
	put_product(&text, &rows, &cols);
	put_batch(&text, &items);
	if (dense < 0.95)
		put(&text, " (%.2g%% of these elements)", 100 * dense);
}
