/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptions of PyTorch's kernels against launches that were recorded: aten.launches says what the program had asked for. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "tests/unit/spec/launch_table.h"

enum { AT_LEAST = 120 };

static struct ekka_descriptions *set;
static FILE *table;
static struct launch_row row;
static struct ekka_meaning meaning;

static void begin(void)
{
	set = launch_descriptions();
	table = fopen(LAUNCHES, "r");
	cr_assert(table, "cannot read %s", LAUNCHES);
}

static void end(void)
{
	fclose(table);
}

static bool next(void)
{
	return launch_next(table, &row);
}

static void describe(void)
{
	launch_describe(set, &row, &meaning);
}

/* ---- a meaning as text --------------------------------------------------------- */

struct text { char s[LAUNCH_LINE_BYTES]; size_t n; };

static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->s + t->n, sizeof t->s - t->n, format, args);
	va_end(args);
	cr_assert(n >= 0 && (size_t)n < sizeof t->s - t->n);
	t->n += (size_t)n;
}

static void put_numbers(struct text *t, const int64_t *v, unsigned n, char open, char close)
{
	put(t, "%c", open);
	for (unsigned i = 0; i < n; i++)
		put(t, "%s%" PRId64, i ? "," : "", v[i]);
	put(t, "%c", close);
}

static void put_tensor(struct text *t, const struct ekka_tensor *x)
{
	put(t, " %s:%s:%s", x->name, x->dir == EKKA_IN ? "in" : x->dir == EKKA_OUT ? "out" : "inout", ekka_dtype_name(x->dtype));
	put_numbers(t, x->dim, x->n_dims, '[', ']');
	put_numbers(t, x->stride, x->n_dims, '(', ')');
	put(t, "@%" PRIx64, x->addr);
	if (x->offset)
		put(t, "+%" PRId64, x->offset);
}

static void put_attr(struct text *t, const struct ekka_attr *a)
{
	if (a->value.kind == EKKA_V_STR)
		put(t, " %s=\"%s\"", a->name, a->value.s);
	else if (a->value.kind == EKKA_V_REAL)
		put(t, " %s=%.9g", a->name, a->value.r[0]);
	else
		put(t, " %s=%" PRId64, a->name, a->value.i);
}

static const char *as_text(const struct ekka_meaning *m)
{
	static struct text t;

	t.n = 0;
	put(&t, "%s", m->nothing ? "nothing" : m->op ? m->op : "refused: ");
	if (!m->nothing && !m->op)
		put(&t, "%s", m->refused);
	for (unsigned i = 0; i < m->n_tensors; i++)
		put_tensor(&t, &m->tensors[i]);
	for (unsigned i = 0; i < m->n_attrs; i++)
		put_attr(&t, &m->attrs[i]);
	return t.s;
}

TestSuite(aten, .init = begin, .fini = end);

/* A row that is refused says with what reason. */
Test(aten, launches_mean_what_the_program_asked_for)
{
	static const char refused[] = "refused: ";
	unsigned n = 0;

	for (; next(); n++) {
		describe();
		if (strncmp(row.means, refused, strlen(refused)) == 0)
			cr_expect(strstr(meaning.refused, row.means + strlen(refused)), "%s\n means %s", row.what, as_text(&meaning));
		else
			cr_expect_str_eq(as_text(&meaning), row.means, "%s\n means %s\nnot   %s", row.what, as_text(&meaning), row.means);
	}
	cr_expect_geq(n, AT_LEAST);
}

/* Wherever the parameters hold this address: 0. Returns how often. */
static unsigned forget(uint64_t addr)
{
	unsigned n = 0;

	for (unsigned i = 0; i < row.facts.n_params; i++)
		for (uint32_t at = 0; at + sizeof addr <= row.param_bytes[i]; at += 8)
			if (memcmp(row.bytes[i] + at, &addr, sizeof addr) == 0) {
				memset(row.bytes[i] + at, 0, sizeof addr);
				n++;
			}
	return n;
}

static bool has_tensor(const char *name)
{
	for (unsigned i = 0; i < meaning.n_tensors; i++)
		if (strcmp(meaning.tensors[i].name, name) == 0)
			return true;
	return false;
}

/* Without its address a tensor is none, and then it must be one that may be absent; what is left has an output. */
Test(aten, null_addresses_are_no_tensors)
{
	unsigned n = 0;

	while (next())
		for (unsigned i = 0;; i++) {
			static struct launch_row kept;
			unsigned found;
			char name[64];

			describe();
			if (i >= meaning.n_tensors)
				break;
			kept = row;
			snprintf(name, sizeof name, "%s", meaning.tensors[i].name);
			if (meaning.tensors[i].offset)
				continue;	/* its address is not that of its first element */
			found = forget(meaning.tensors[i].addr);	/* 0: it begins behind the address that was given */
			n += found;
			describe();
			cr_expect(!found || meaning.refused[0] || !has_tensor(name), "%s, without %s: %s", row.what, name, as_text(&meaning));
			row = kept;
			row.facts.param = row.param;
		}
	cr_expect_geq(n, 2 * AT_LEAST);
}

/* Parameters of other sizes are those of another version. */
Test(aten, parameters_that_are_cut_are_refused)
{
	while (next()) {
		if (!launch_is_op(&row))
			continue;
		for (unsigned i = 0; i < row.facts.n_params; i++)
			row.param_bytes[i] -= row.param_bytes[i] > 8 ? 8 : row.param_bytes[i];
		describe();
		cr_expect(meaning.refused[0], "%s: means %s", row.what, as_text(&meaning));
	}
}

Test(aten, a_parameter_too_few_is_refused)
{
	while (next()) {
		if (!launch_is_op(&row))
			continue;
		row.facts.n_params--;
		describe();
		cr_expect(meaning.refused[0], "%s: means %s", row.what, as_text(&meaning));
	}
}
