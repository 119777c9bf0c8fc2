/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/gaps.h"

#include <stdio.h>
#include <string.h>

struct walk {
	const unsigned char *before, *after;
	uint64_t at;			/* everything below was compared or is an element */
	struct ekka_gaps *gaps;
};

static void compare(struct walk *w, uint64_t end, int64_t b, int64_t line)
{
	uint64_t n = end - w->at;

	if (memcmp(w->before + w->at, w->after + w->at, n) != 0)
		for (uint64_t i = w->at; i < end; i++) {
			if (w->before[i] == w->after[i])
				continue;
			if (w->gaps->changed++ == 0) {
				w->gaps->first = i;
				w->gaps->b = b;
				w->gaps->line = line;
			}
		}
	w->at = end;
}

/* Elements [from, to) of a line; false when they overlap what was before. */
static bool step_line(struct walk *w, uint64_t start, int64_t from, int64_t to, uint64_t stride, uint64_t size, int64_t b, int64_t line,
		      int64_t behind)
{
	int64_t runs = stride == size ? (from < to) : to - from;
	uint64_t length = stride == size ? (uint64_t)(to - from) * size : size;

	for (int64_t r = 0; r < runs; r++) {
		uint64_t element = start + (uint64_t)(from + r) * stride;

		if (element < w->at)
			return false;
		compare(w, element, b, r ? line : behind);
		w->at = element + length;
	}
	return true;
}

bool ekka_gaps_compare(const struct ekka_gemm *g, const unsigned char *before, struct ekka_gaps *ret)
{
	const struct ekka_matrix *c = &g->c;
	bool by_row = c->rows > 1 && c->cols > 1 ? c->rs >= c->cs : c->cols > 1;
	int64_t lines = by_row ? c->rows : c->cols, length = by_row ? c->cols : c->rows;
	int64_t step = by_row ? c->rs : c->cs, stride = by_row ? c->cs : c->rs, size = (int64_t)ekka_dtype_bytes(c->dtype);
	struct walk w = { before, c->bytes, 0, ret };

	*ret = (struct ekka_gaps){ .line = -1, .by_row = by_row };
	if (!c->bytes || c->offset || step < 0 || stride < 0 || c->bs < 0)
		return false;
	for (int64_t b = 0; b < c->batch; b++)
		for (int64_t l = 0; l < lines; l++) {
			uint64_t start = c->item_bytes * (uint64_t)b + (uint64_t)((b * c->bs + l * step) * size);
			/* Of a row, an upper triangle has what follows the diagonal; of a column what precedes it. */
			bool tail = (g->uplo == 'U') == by_row;
			int64_t from = g->uplo && tail ? l : 0, to = g->uplo && !tail ? l + 1 : length;

			if (!step_line(&w, start, from, to, (uint64_t)(stride * size), (uint64_t)size, b, l, l - 1))
				return false;
		}
	compare(&w, c->n_bytes, c->batch - 1, lines - 1);
	return true;
}

void ekka_gaps_describe(const struct ekka_gaps *gaps, const struct ekka_gemm *g, char text[EKKA_TEXT])
{
	int n = snprintf(text, EKKA_TEXT, "outside the output: %llu byte%s changed, the first ", (unsigned long long)gaps->changed,
			 gaps->changed == 1 ? "" : "s");

	n += snprintf(text + n, EKKA_TEXT - (size_t)n, "%s %s %lld", gaps->line < 0 ? "before" : "behind", gaps->by_row ? "row" : "column",
		      (long long)(gaps->line < 0 ? 0 : gaps->line));
	if (g->batch > 1)
		(void)snprintf(text + n, EKKA_TEXT - (size_t)n, " of batch item %lld", (long long)gaps->b);
}
