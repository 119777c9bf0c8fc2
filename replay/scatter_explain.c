/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "replay/op_scatter.h"

enum { MOST = 1 << 22 /* writes that are gone through again and again */ };

/* Is the output right if the kernel did what `j` says now: 1, 0, or negative with err filled. */
static int is_right(struct ekka_scatter *j, const char *output, struct ekka_error *err)
{
	struct ekka_elements *elements = j->rows.elements;
	bool open = false;
	struct ekka_error ignored = { 0 };
	int r;

	j->rows.elements = ekka_elements_new();
	if (!j->rows.elements) {
		j->rows.elements = elements;
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory to compare elements");
	}
	j->lost = false;
	r = ekka_scatter_one(j, output, &open, &ignored);
	r = r > 0 && !open && !j->lost && !ekka_elements_bad(j->rows.elements, j->out->tensor);
	ekka_elements_free(j->rows.elements);
	j->rows.elements = elements;
	return r;
}

/* Text `at` with `by` added to its component d; false when it has none, or is too long. */
static bool changed_place(const char *at, unsigned d, int by, char *ret, size_t len)
{
	unsigned depth = 0, component = 0, begin = 0, end = 0, i = 0;
	int n;

	for (; at[i] && component <= d; i++) {
		depth += at[i] == '(' || at[i] == '[';
		depth -= depth && (at[i] == ')' || at[i] == ']');
		if (at[i] == ',' && !depth && component++ < d)
			begin = i + 1;
		else if (component == d)
			end = i + 1;
	}
	n = snprintf(ret, len, "%.*s(%.*s) %+d%s", (int)begin, at, (int)(end - begin), at + begin, by, at + end);
	return end > begin && n > 0 && (size_t)n < len;
}

static int try_places(struct ekka_scatter *j, const char *output, struct ekka_error *err)
{
	char name[16], place[1024];
	const char *at;
	int r = 0;

	(void)snprintf(name, sizeof name, "at%.8s", strncmp(output, "out", 3) ? "" : output + 3);
	at = ekka_expr_event_text(j->x.event, name);
	at = at ? at : ekka_expr_event_text(j->x.event, "at");
	for (unsigned d = 0; at && d < j->out->n_dims && r == 0; d++)
		for (int by = -1; by <= 1 && r == 0; by += 2) {
			if (!changed_place(at, d, by, place, sizeof place))
				continue;
			j->other_at = place;
			r = is_right(j, output, err);
			if (r > 0)
				ekka_rows_looks_like(&j->rows, "as if index %u of %s was one %s", d, output, by > 0 ? "more" : "less");
		}
	j->other_at = NULL;
	return r;
}

static int try_reductions(struct ekka_scatter *j, const char *output, struct ekka_error *err)
{
	static const char *const does[] = { "stored", "added", "the largest taken", "the least taken" };
	enum ekka_reduction was = j->reduction, other;
	int r = 0;

	for (other = EKKA_SCATTER_STORE; other <= EKKA_SCATTER_MIN && r == 0; other++) {
		if (other == was || (other != EKKA_SCATTER_STORE && !j->before))
			continue;
		j->reduction = other;
		r = is_right(j, output, err);
		if (r > 0)
			ekka_rows_looks_like(&j->rows, "as if it was %s, not %s", does[other], does[was]);
	}
	j->reduction = was;
	return r;
}

int ekka_scatter_explain(struct ekka_scatter *j, const char *output, struct ekka_error *err)
{
	int r = 0;

	if (j->x.n > MOST)
		return 0;
	if (j->when) {
		j->everywhere = true;
		r = is_right(j, output, err);
		j->everywhere = false;
		if (r > 0)
			ekka_rows_looks_like(&j->rows, "as if it was written wherever, not only where it should");
	}
	if (r == 0)
		r = try_places(j, output, err);
	if (r == 0)
		r = try_reductions(j, output, err);
	return r < 0 ? r : 0;
}
