/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/spec/launch_table.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void problem(void *arg, const char *text)
{
	(void)arg;
	cr_expect_fail("%s", text);
}

struct ekka_descriptions *launch_descriptions(void)
{
	struct ekka_descriptions *set = NULL;
	struct ekka_error err = { 0 };

	cr_assert_eq(ekka_descriptions_load(NULL, &set, problem, NULL, &err), 0, "%s", err.message);
	return set;
}

static void take_launch(struct launch_row *row, const char *text)
{
	unsigned *n[] = { &row->facts.grid[0], &row->facts.grid[1], &row->facts.grid[2], &row->facts.block[0], &row->facts.block[1],
			  &row->facts.block[2], &row->facts.shared };

	for (unsigned i = 0; i < 7; i++) {
		char *behind;

		*n[i] = (unsigned)strtoul(text, &behind, 10);
		cr_assert(behind != text, "%s: seven numbers", row->what);
		text = behind;
	}
}

/* "SIZE OFFSET:HEX OFFSET:HEX..." */
static void take_param(struct launch_row *row, char *text)
{
	unsigned i = row->facts.n_params++, byte;
	char *p = strtok(text, " ");

	cr_assert(i < LAUNCH_PARAMS_MAX && p && strtoul(p, NULL, 10) <= LAUNCH_PARAM_BYTES, "%s: parameters", row->what);
	row->param_bytes[i] = (uint32_t)strtoul(p, NULL, 10);
	row->param[i] = row->bytes[i];
	while ((p = strtok(NULL, " "))) {
		unsigned long at = strtoul(p, &p, 10);

		cr_assert(*p == ':' && strlen(p) % 2 == 1, "%s: OFFSET:HEX", row->what);
		for (p++; *p; p += 2, at++) {
			cr_assert(at < row->param_bytes[i] && sscanf(p, "%2x", &byte) == 1, "%s: parameter %u", row->what, i);
			row->bytes[i][at] = (uint8_t)byte;
		}
	}
}

static void take_line(struct launch_row *row, const char *word, char *rest)
{
	if (strcmp(word, "what") == 0)
		strcpy(row->what, rest);
	else if (strcmp(word, "kernel") == 0)
		strcpy(row->kernel, rest);
	else if (strcmp(word, "means") == 0)
		strcpy(row->means, rest);
	else if (strcmp(word, "launch") == 0)
		take_launch(row, rest);
	else if (strcmp(word, "param") == 0)
		take_param(row, rest);
	else
		cr_assert_fail("unknown line '%s'", word);
}

bool launch_next(FILE *table, struct launch_row *row)
{
	static char line[LAUNCH_LINE_BYTES];

	memset(row, 0, sizeof *row);
	while (fgets(line, sizeof line, table)) {
		char *rest = strchr(line, ' ');

		line[strcspn(line, "\n")] = '\0';
		if (!*line && row->means[0])
			break;
		if (!*line || *line == '#')
			continue;
		cr_assert(rest, "a line without a space: %s", line);
		*rest++ = '\0';
		take_line(row, line, rest);
	}
	row->facts.param = row->param;
	row->facts.param_bytes = row->param_bytes;
	return row->means[0] != '\0';
}

bool launch_is_op(const struct launch_row *row)
{
	return strcmp(row->means, "nothing") != 0 && strncmp(row->means, "refused: ", strlen("refused: ")) != 0;
}

void launch_describe(struct ekka_descriptions *set, const struct launch_row *row, struct ekka_meaning *ret)
{
	const struct ekka_binding *b = ekka_descriptions_bind(set, row->kernel);

	cr_assert(b, "%s: nothing describes %s", row->what, row->kernel);
	ekka_describe(b, &row->facts, ret);
}
