/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/command.h"
#include "tools/message.h"
#include "tools/term.h"

const struct ekka_option ekka_help_options[] = { EKKA_OPTIONS_END };

static void list(FILE *out)
{
	fputs("usage: " EKKA_SYNOPSIS "\n\n", out);
	fputs("Records what a program asks of its numeric libraries, and finds the call that was computed wrongly.\n\n", out);
	for (const struct ekka_command *c = ekka_commands; c->name; c++)
		fprintf(out, "  %s%-8s%s %s\n", ekka_colour(EKKA_BOLD), c->name, ekka_colour(EKKA_PLAIN), c->summary);
	fputs("\n'ekka help COMMAND' explains one; 'man ekka' is the manual.\n", out);
}

int ekka_cmd_help(const struct ekka_command *self, int argc, char **argv)
{
	const struct ekka_command *c;
	int status;
	int i = ekka_command_parse(self, argc, argv, &status);

	if (i < 0)
		return status;
	if (argc - i > 1)
		return ekka_command_usage_error(self, "too many operands");
	if (i == argc) {
		list(stdout);
		return EKKA_EXIT_CLEAN;
	}
	c = ekka_command_find(argv[i]);
	if (!c)
		return ekka_command_usage_error(self, "'%s' is not a command", argv[i]);
	ekka_command_help(c, stdout);
	return EKKA_EXIT_CLEAN;
}
