/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptions of PyTorch's kernels against launches that were recorded: aten.launches says what the program had asked for. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec/describe.h"

enum { LINE_BYTES = 8192, PARAMS_MAX = 32, PARAM_BYTES = 4096, AT_LEAST = 90 };

struct row {
	char what[LINE_BYTES], kernel[LINE_BYTES], means[LINE_BYTES];
	struct ekka_launch_facts facts;
	const void *param[PARAMS_MAX];
	uint32_t param_bytes[PARAMS_MAX];
	uint8_t bytes[PARAMS_MAX][PARAM_BYTES];
};

static struct ekka_descriptions *set;
static FILE *table;
static struct row row;
static struct ekka_meaning meaning;

static void problem(void *arg, const char *text)
{
	(void)arg;
	cr_expect_fail("%s", text);
}

static void begin(void)
{
	struct ekka_error err = { 0 };

	cr_assert_eq(ekka_descriptions_load(NULL, &set, problem, NULL, &err), 0, "%s", err.message);
	table = fopen(LAUNCHES, "r");
	cr_assert(table, "cannot read %s", LAUNCHES);
}

static void end(void)
{
	fclose(table);
}

/* ---- the table -------------------------------------------------------------- */

static void take_launch(const char *text)
{
	unsigned *n[] = { &row.facts.grid[0], &row.facts.grid[1], &row.facts.grid[2], &row.facts.block[0], &row.facts.block[1],
			  &row.facts.block[2], &row.facts.shared };

	for (unsigned i = 0; i < 7; i++) {
		char *behind;

		*n[i] = (unsigned)strtoul(text, &behind, 10);
		cr_assert(behind != text, "%s: seven numbers", row.what);
		text = behind;
	}
}

/* "SIZE OFFSET:HEX OFFSET:HEX..." */
static void take_param(char *text)
{
	unsigned i = row.facts.n_params++, byte;
	char *p = strtok(text, " ");

	cr_assert(i < PARAMS_MAX && p && strtoul(p, NULL, 10) <= PARAM_BYTES, "%s: parameters", row.what);
	row.param_bytes[i] = (uint32_t)strtoul(p, NULL, 10);
	row.param[i] = row.bytes[i];
	while ((p = strtok(NULL, " "))) {
		unsigned long at = strtoul(p, &p, 10);

		cr_assert(*p == ':' && strlen(p) % 2 == 1, "%s: OFFSET:HEX", row.what);
		for (p++; *p; p += 2, at++) {
			cr_assert(at < row.param_bytes[i] && sscanf(p, "%2x", &byte) == 1, "%s: parameter %u", row.what, i);
			row.bytes[i][at] = (uint8_t)byte;
		}
	}
}

/* The next record; false behind the last. */
static bool next(void)
{
	static char line[LINE_BYTES];

	memset(&row, 0, sizeof row);
	while (fgets(line, sizeof line, table)) {
		char *rest = strchr(line, ' ');

		line[strcspn(line, "\n")] = '\0';
		if (!*line && row.means[0])
			break;
		if (!*line || *line == '#')
			continue;
		cr_assert(rest, "a line without a space: %s", line);
		*rest++ = '\0';
		if (strcmp(line, "what") == 0)
			strcpy(row.what, rest);
		else if (strcmp(line, "kernel") == 0)
			strcpy(row.kernel, rest);
		else if (strcmp(line, "means") == 0)
			strcpy(row.means, rest);
		else if (strcmp(line, "launch") == 0)
			take_launch(rest);
		else if (strcmp(line, "param") == 0)
			take_param(rest);
		else
			cr_assert_fail("unknown line '%s'", line);
	}
	row.facts.param = row.param;
	row.facts.param_bytes = row.param_bytes;
	return row.means[0] != '\0';
}

/* ---- a meaning as text --------------------------------------------------------- */

struct text { char s[LINE_BYTES]; size_t n; };

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

static const char refused[] = "refused: ";

/* Is the row's meaning an op with tensors. */
static bool is_op(void)
{
	return strcmp(row.means, "nothing") != 0 && strncmp(row.means, refused, strlen(refused)) != 0;
}

static void describe(void)
{
	const struct ekka_binding *b = ekka_descriptions_bind(set, row.kernel);

	cr_assert(b, "%s: nothing describes %s", row.what, row.kernel);
	ekka_describe(b, &row.facts, &meaning);
}

TestSuite(aten, .init = begin, .fini = end);

/* A row that is refused says with what reason. */
Test(aten, launches_mean_what_the_program_asked_for)
{
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
			static struct row kept;
			char name[64];

			describe();
			if (i >= meaning.n_tensors)
				break;
			kept = row;
			snprintf(name, sizeof name, "%s", meaning.tensors[i].name);
			if (meaning.tensors[i].offset)
				continue;	/* its address is not that of its first element */
			n += forget(meaning.tensors[i].addr);
			describe();
			cr_expect(meaning.refused[0] || !has_tensor(name), "%s, without %s: %s", row.what, name, as_text(&meaning));
			row = kept;
			row.facts.param = row.param;
		}
	cr_expect_geq(n, 2 * AT_LEAST);
}

/* Parameters of other sizes are those of another version. */
Test(aten, parameters_that_are_cut_are_refused)
{
	while (next()) {
		if (!is_op())
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
		if (!is_op())
			continue;
		row.facts.n_params--;
		describe();
		cr_expect(meaning.refused[0], "%s: means %s", row.what, as_text(&meaning));
	}
}
