/* SPDX-License-Identifier: Apache-2.0 */
/* What descriptions say and what references understand are the same: every described launch of a table is one that its op can judge. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/replay/fake_event.h"
#include "tests/unit/spec/launch_table.h"

enum { AT_LEAST = 120 };

static struct fake_event f;
static struct launch_row row;
static struct ekka_meaning meaning;

/* "4x37x256" */
static void dims_text(const int64_t *v, unsigned n, char *ret, size_t cap)
{
	size_t at = 0;

	*ret = '\0';
	for (unsigned i = 0; i < n; i++) {
		at += (size_t)snprintf(ret + at, cap - at, "%s%lld", i ? "x" : "", (long long)v[i]);
		cr_assert(at < cap);
	}
}

/* The event of a launch that finds and leaves zeros. */
static unsigned make_event(void **bytes)
{
	char dims[128], strides[128];

	fake_event_init(&f, meaning.op);
	for (unsigned i = 0; i < meaning.n_tensors; i++) {
		const struct ekka_tensor *t = &meaning.tensors[i];

		bytes[i] = calloc(1, t->span_bytes);
		cr_assert(bytes[i]);
		dims_text(t->dim, t->n_dims, dims, sizeof dims);
		dims_text(t->stride, t->n_dims, strides, sizeof strides);
		fake_event_tensor(&f, t->name, t->dir, t->dtype, dims, strides, t->pre ? bytes[i] : NULL, t->post ? bytes[i] : NULL);
	}
	for (unsigned i = 0; i < meaning.n_attrs; i++) {
		const struct ekka_attr *a = &meaning.attrs[i];

		if (a->value.kind == EKKA_V_STR)
			fake_event_text(&f, a->name, a->value.s);
		else if (a->value.kind == EKKA_V_REAL)
			fake_event_real(&f, a->name, a->value.r[0]);
		else
			fake_event_int(&f, a->name, a->value.i);
	}
	return meaning.n_tensors;
}

Test(described, ops_judge_what_descriptions_say)
{
	struct ekka_descriptions *set = launch_descriptions();
	FILE *table = fopen(LAUNCHES, "r");
	unsigned n = 0;

	cr_assert(table, "cannot read %s", LAUNCHES);
	while (launch_next(table, &row)) {
		void *bytes[EKKA_MAX_TENSORS];
		struct ekka_verdict v;
		unsigned n_tensors;

		/* Made to tell parameters apart, of sizes that no program would pass: what it means is tested, not what it computes. */
		if (!launch_is_op(&row) || strncmp(row.what, "places: ", 8) == 0)
			continue;
		launch_describe(set, &row, &meaning);
		cr_assert(meaning.op, "%s: %s", row.what, meaning.refused);
		if (!ekka_op_find(meaning.op))
			continue;	/* described, and not judged yet: AT_LEAST says how few */
		n_tensors = make_event(bytes);
		v = fake_event_judge(&f);
		if (strcmp(meaning.op, "topk_digit") == 0)	/* zeros are no sums of counts */
			cr_expect(v.status == EKKA_INCOMPLETE && strstr(v.reason, "do not reach k"), "%s: %s", row.what, v.reason);
		else
			cr_expect(v.status == EKKA_PASS || v.status == EKKA_FAIL || v.status == EKKA_UNDECIDED, "%s: %s %s: %s", row.what, meaning.op,
				  ekka_status_name(v.status), v.reason);
		for (unsigned i = 0; i < n_tensors; i++)
			free(bytes[i]);
		n++;
	}
	fclose(table);
	cr_expect_geq(n, AT_LEAST);
}
