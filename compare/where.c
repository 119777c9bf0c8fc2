/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bad elements are described as a product of a set of rows, a set of columns and a set of batch items, each in words, and
 * by how densely they fill it. Only counts per row, column and item are known, not the elements themselves.
 */
#include "compare/where.h"

#include "compare/lines.h"

static bool is_tile(const struct ekka_lines *l)
{
	return l->n_runs == 1 && l->bad > 1 && !ekka_lines_is_all(l);
}

static void put_product(struct ekka_line_text *t, const struct ekka_lines *rows, const struct ekka_lines *cols)
{
	if (ekka_lines_is_all(rows) && ekka_lines_is_all(cols)) {
		ekka_lines_put(t, "everything");
	} else if (rows->all == 1 || cols->all == 1) {	/* a vector */
		ekka_lines_describe(t, rows->all == 1 ? cols : rows);
	} else if (ekka_lines_is_all(rows)) {
		ekka_lines_describe(t, cols);
		ekka_lines_put(t, " of every row");
	} else if (ekka_lines_is_all(cols)) {
		ekka_lines_describe(t, rows);
		ekka_lines_put(t, ", whole");
	} else {
		ekka_lines_describe(t, rows);
		ekka_lines_put(t, ", ");
		ekka_lines_describe(t, cols);
		if (is_tile(rows) && is_tile(cols))
			ekka_lines_put(t, " (one %lldx%lld tile)", (long long)rows->bad, (long long)cols->bad);
	}
}

static void put_batch(struct ekka_line_text *t, const struct ekka_lines *items)
{
	if (items->all == 1)
		return;
	ekka_lines_put(t, ", ");
	if (ekka_lines_is_all(items))
		ekka_lines_put(t, "in every batch item");
	else
		ekka_lines_describe(t, items);
}

static uint64_t most(const uint32_t *count, int64_t n)
{
	uint64_t m = 0;

	for (int64_t i = 0; i < n; i++)
		m = count[i] > m ? count[i] : m;
	return m;
}

/* Elements of rows x cols that the call defines; of a triangle about half, exact for none. */
static double capacity(const struct ekka_lines *rows, const struct ekka_lines *cols, const struct ekka_lines *items, char triangle)
{
	double n = (double)rows->bad * (double)cols->bad * (double)items->bad;

	return triangle && ekka_lines_is_all(rows) && ekka_lines_is_all(cols) ? n / 2 * (1 + 1 / (double)rows->all) : n;
}

void ekka_where_describe(const struct ekka_tally *t, char triangle, char *ret_text)
{
	struct ekka_line_text text = { ret_text, EKKA_TEXT };
	struct ekka_lines rows = ekka_lines_scan(t->row_bad, NULL, t->rows, 1, "row", "rows"), cols, items;
	double dense;
	bool mostly = false;

	cols = ekka_lines_scan(t->col_bad, NULL, t->cols, 1, "column", "columns");
	items = ekka_lines_scan(NULL, t->batch_bad, t->batch, 1, "batch item", "batch items");
	ret_text[0] = '\0';
	if (!t->n_bad)
		return;
	if (t->n_bad == 1) {
		ekka_lines_put(&text, "one element: row %lld, column %lld", (long long)t->lo[1], (long long)t->lo[2]);
		if (t->batch > 1)
			ekka_lines_put(&text, ", batch item %lld", (long long)t->lo[0]);
		return;
	}
	dense = (double)t->n_bad / capacity(&rows, &cols, &items, triangle);
	if (dense < 0.4) {	/* a few strays may hide the pattern of the many */
		struct ekka_lines r = ekka_lines_scan(t->row_bad, NULL, t->rows, most(t->row_bad, t->rows) / 2 + 1, "row", "rows");
		struct ekka_lines c = ekka_lines_scan(t->col_bad, NULL, t->cols, most(t->col_bad, t->cols) / 2 + 1, "column", "columns");
		const struct { const struct ekka_lines *r, *c; } core[] = { { &rows, &c }, { &r, &cols }, { &r, &c } };

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
		ekka_lines_put(&text, "mostly ");
	put_product(&text, &rows, &cols);
	put_batch(&text, &items);
	if (dense < 0.95)
		ekka_lines_put(&text, " (%.2g%% of these elements)", 100 * dense);
}
