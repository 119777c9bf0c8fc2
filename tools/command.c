/* SPDX-License-Identifier: Apache-2.0 */
/* What all commands share: parsing their options and explaining them. */
#include "tools/command.h"

#include "tools/message.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_WIDTH = 79, HELP_COLUMN = 26 };

const struct ekka_command *ekka_command_find(const char *name)
{
	for (const struct ekka_command *c = ekka_commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

int ekka_command_parse(const struct ekka_command *c, int argc, char **argv, int *ret_status)
{
	char why[256];
	int first = ekka_options_parse(c->options, c->flags & EKKA_CMD_SPAWNS, argc, argv, why, sizeof(why));

	if (first == -2) {
		ekka_command_help(c, stdout);
		*ret_status = EKKA_EXIT_CLEAN;
		return -1;
	}
	if (first < 0)
		*ret_status = ekka_command_usage_error(c, "%s", why);
	return first;
}

static void print_synopsis(const struct ekka_command *c, FILE *out)
{
	char *text = NULL;
	size_t len = 0;
	FILE *mem = open_memstream(&text, &len);

	if (!mem)
		return;
	ekka_options_synopsis(c->options, c->name, c->operands, mem);
	if (fclose(mem) == 0) {
		fputs("usage: ", out);
		ekka_wrap(out, text, strlen("usage: "), strlen("usage: "), HELP_WIDTH);
	}
	free(text);
}

int ekka_command_usage_error(const struct ekka_command *c, const char *fmt, ...)
{
	va_list ap;
	char text[512];

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ekka_message("%s: %s", c->name, text);
	print_synopsis(c, stderr);
	return EKKA_EXIT_USAGE;
}

static void print_option(const struct ekka_option *o, FILE *out)
{
	char *label = NULL;
	size_t len = 0;
	FILE *mem = open_memstream(&label, &len);

	if (!mem)
		return;
	ekka_option_label(o, mem);
	if (fclose(mem) == 0) {
		fprintf(out, "  %s", label);
		if (len + 4 > HELP_COLUMN)
			fprintf(out, "\n%*s", HELP_COLUMN, "");
		else
			fprintf(out, "%*s", (int)(HELP_COLUMN - 2 - len), "");
		ekka_wrap(out, o->help, HELP_COLUMN, HELP_COLUMN, HELP_WIDTH);
	}
	free(label);
}

void ekka_command_help(const struct ekka_command *c, FILE *out)
{
	print_synopsis(c, out);
	fprintf(out, "\n%s\n\noptions:\n", c->summary);
	print_option(&ekka_option_help, out);
	for (const struct ekka_option *o = c->options; o->kind != EKKA_OPT_END; o++)
		print_option(o, out);
	fprintf(out, "\nThe manual is 'man ekka-%s'.\n", c->name);
}
