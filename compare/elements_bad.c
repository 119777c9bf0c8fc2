/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/elements_bad.h"

#include "compare/lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t COUNTED = (int64_t)1 << 24;	/* dims up to this long are counted index by index */

void ekka_bad_init(struct ekka_bad *b, const struct ekka_tensor *t)
{
	*b = (struct ekka_bad){ .tensor = t, .n_dims = t->n_dims, .unit = ekka_dtype_unit_roundoff(t->dtype), .random = 0x9e3779b97f4a7c15 };
	b->all = 1;
	for (unsigned d = 0; d < t->n_dims; d++) {
		b->all *= t->dim[d];	/* whoever adds elements has counted them */
		b->dim[d] = t->dim[d];
		b->lo[d] = INT64_MAX;
		b->hi[d] = -1;
	}
}

void ekka_bad_release(struct ekka_bad *b)
{
	for (unsigned d = 0; d < EKKA_MAX_DIMS; d++)
		free(b->count[d]);
	free(b->wanted);
	memset(b, 0, sizeof *b);
}

void ekka_bad_add(struct ekka_bad *b, int64_t index, double out, double ref, double bound)
{
	int64_t rest = index;
	uint64_t slot;

	if (b->n++ == 0)
		for (unsigned d = 0; d < b->n_dims; d++)
			if (b->dim[d] <= COUNTED)
				b->count[d] = calloc((size_t)b->dim[d], sizeof *b->count[d]);
	b->first = b->n == 1 || index < b->first ? index : b->first;
	b->last = b->n == 1 || index > b->last ? index : b->last;
	for (unsigned d = b->n_dims; d-- > 0; rest /= b->dim[d]) {
		int64_t at = rest % b->dim[d];

		b->lo[d] = at < b->lo[d] ? at : b->lo[d];
		b->hi[d] = at > b->hi[d] ? at : b->hi[d];
		if (b->count[d] && b->count[d][at] < UINT32_MAX)
			b->count[d][at]++;
	}
	/* Reservoir sampling, with a fixed seed so that two replays say the same. */
	b->random = b->random * 6364136223846793005u + 1442695040888963407u;
	slot = b->n_samples < EKKA_BAD_SAMPLES ? b->n_samples++ : (b->random >> 33) % b->n;
	if (slot < EKKA_BAD_SAMPLES)
		b->sample[slot] = (struct ekka_bad_sample){ index, out, ref, bound };
}

/* The dims as people call them: the last two are rows and columns, a single one elements. */
static struct ekka_lines lines_of(const struct ekka_bad *b, unsigned d, char names[2][32])
{
	static const char *const last[2][2] = { { "column", "columns" }, { "row", "rows" } };
	unsigned from_end = b->n_dims - 1 - d;
	int64_t range = b->hi[d] - b->lo[d] + 1;

	if (b->n_dims == 1) {
		(void)snprintf(names[0], 32, "element");
		(void)snprintf(names[1], 32, "elements");
	} else if (from_end < 2) {
		(void)snprintf(names[0], 32, "%s", last[from_end][0]);
		(void)snprintf(names[1], 32, "%s", last[from_end][1]);
	} else {
		(void)snprintf(names[0], 32, "index of dimension %u:", d);
		(void)snprintf(names[1], 32, "indices of dimension %u:", d);
	}
	if (b->count[d])
		return ekka_lines_scan(b->count[d], NULL, b->dim[d], 1, names[0], names[1]);
	return (struct ekka_lines){ .one = names[0], .many = names[1], .all = b->dim[d], .bad = range, .first = b->lo[d], .last = b->hi[d],
				    .n_runs = 1, .run_first = { b->lo[d] }, .run_last = { b->hi[d] }, .length = range };
}

/* One run that reaches the end, but not from the beginning: a tail. */
static void put_tail(struct ekka_line_text *t, const struct ekka_lines *l)
{
	if (l->n_runs == 1 && l->bad > 1 && l->run_first[0] > 0 && l->run_last[0] == l->all - 1)
		ekka_lines_put(t, " (the last %lld)", (long long)l->bad);
}

static void put_one(struct ekka_line_text *t, const struct ekka_bad *b)
{
	ekka_lines_put(t, "one element: ");
	for (unsigned d = 0; d < b->n_dims; d++) {
		char names[2][32];
		struct ekka_lines l = lines_of(b, d, names);

		ekka_lines_put(t, "%s", d ? ", " : "");
		ekka_lines_describe(t, &l);
	}
}

/* Everything in row-major order from one element to another, across rows: says so and returns true. */
static bool put_stretch(struct ekka_line_text *t, const struct ekka_bad *b)
{
	int64_t row = b->n_dims ? b->dim[b->n_dims - 1] : 1, n = b->last - b->first + 1;

	if (b->n_dims < 2 || (uint64_t)n != b->n || n <= row || (b->first % row == 0 && n % row == 0))
		return false;
	ekka_lines_put(t, "elements %lld-%lld in row-major order", (long long)b->first, (long long)b->last);
	if (b->last == b->all - 1)
		ekka_lines_put(t, " (the last %lld)", (long long)n);
	return true;
}

void ekka_bad_where(const struct ekka_bad *b, char *ret_text)
{
	struct ekka_line_text t = { ret_text, EKKA_TEXT };
	double filled = 1;
	unsigned said = 0;
	bool every_row = b->n_dims == 2;

	ret_text[0] = '\0';
	if (b->n == 1 && b->all > 1) {
		put_one(&t, b);
		return;
	}
	if (!b->n || put_stretch(&t, b))
		return;
	for (unsigned d = 0; d < b->n_dims; d++) {
		char names[2][32];
		struct ekka_lines l = lines_of(b, d, names);

		filled *= (double)l.bad;
		if (ekka_lines_is_all(&l))
			continue;
		every_row &= d == 1;
		ekka_lines_put(&t, "%s", said++ ? ", " : "");
		ekka_lines_describe(&t, &l);
		put_tail(&t, &l);
	}
	if (!said)
		ekka_lines_put(&t, "everything");
	else if (every_row)
		ekka_lines_put(&t, " of every row");
	if ((double)b->n < 0.95 * filled)
		ekka_lines_put(&t, " (%.2g%% of these elements)", 100 * (double)b->n / filled);
}
