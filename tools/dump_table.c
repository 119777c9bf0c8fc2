/* SPDX-License-Identifier: Apache-2.0 */
/* Man pages and the completion script out of the command table and preload/conf.def, at build time. */
#include "config.h"

#include "tools/command.h"
#include "tools/message.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Text for roff: what it would read as a request or an escape is quoted. */
static void roff(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++) {
		if (*text == '-')
			fputs("\\-", stdout);
		else if (*text == '\\')
			fputs("\\e", stdout);
		else
			putchar(*text);
	}
}

static void roff_from(void (*print)(const void *, FILE *), const void *arg)
{
	char *text = NULL;
	size_t len = 0;
	FILE *mem = open_memstream(&text, &len);

	if (!mem)
		return;
	print(arg, mem);
	if (fclose(mem) == 0)
		roff(text);
	free(text);
}

static void head(const char *page, const char *summary)
{
	printf(".\\\" SPDX-License-Identifier: Apache-2.0\n.TH \"");
	for (const char *p = page; *p; p++)
		putchar(toupper((unsigned char)*p));
	printf("\" 1 \"\" \"%s %s\" \"%s manual\"\n.SH NAME\n", PACKAGE_NAME, PACKAGE_VERSION, PACKAGE_NAME);
	roff(page);
	printf(" \\- ");
	roff(summary);
	printf("\n.SH SYNOPSIS\n.nh\n.ad l\n");
}

static void print_synopsis(const void *arg, FILE *out)
{
	const struct ekka_command *c = arg;

	ekka_options_synopsis(c->options, c->name, c->operands, out);
}

static void print_label(const void *arg, FILE *out)
{
	ekka_option_label(arg, out);
}

static void man_option(const struct ekka_option *o)
{
	printf(".TP\n.B ");
	roff_from(print_label, o);
	putchar('\n');
	roff(o->help);
	putchar('\n');
}

static void man_options(const struct ekka_command *c)
{
	printf(".SH OPTIONS\n");
	man_option(&ekka_option_help);
	for (const struct ekka_option *o = c->options; o->kind != EKKA_OPT_END; o++)
		man_option(o);
}

/* Copies the page's prose from stdin; `tables` replaces its line that says where they belong. */
static void prose(const struct ekka_command *c, void (*tables)(const struct ekka_command *))
{
	char line[1024];

	while (fgets(line, sizeof(line), stdin)) {
		if (strcmp(line, ".\\\" TABLES\n") == 0)
			tables(c);
		else
			fputs(line, stdout);
	}
}

static void man_command(const struct ekka_command *c)
{
	char page[64];

	snprintf(page, sizeof(page), "ekka-%s", c->name);
	head(page, c->summary);
	roff_from(print_synopsis, c);
	printf("\n.ad b\n.hy\n");
	prose(c, man_options);
}

static void man_variable(const char *name, const char *values, const char *def, const char *help)
{
	printf(".TP\n.B ");
	roff(name);
	if (values)
		printf("=\\fI%s\\fP", values);
	putchar('\n');
	roff(help);
	if (*def) {
		printf(" (default: ");
		roff(def);
		putchar(')');
	}
	putchar('\n');
}

static void man_environment(void)
{
	printf(".SH ENVIRONMENT\nWhat the preloaded library is told. A wrong value turns recording off, with one line on standard error;\n"
	       "a name beginning with EKKA_ that is not here is passed over, with one line too.\n"
	       ".BR ekka\\-record (1)\nhas an option for each.\n");
#define VALUES_STRING NULL
#define VALUES_GLOBS "GLOB,..."
#define VALUES_COUNT "N"
#define VALUES_BYTES "SIZE"
#define VALUES_FLAG "0|1"
#define CONF(name, env, type, def, help) man_variable(env, VALUES_##type, def, help);
#define CONF_ENUM(name, env, values, def, help) man_variable(env, values, def, help);
#include "preload/conf.def"
}

static void main_tables(const struct ekka_command *c)
{
	printf(".SH COMMANDS\n");
	for (c = ekka_commands; c->name; c++) {
		printf(".TP\n.BR ekka\\-%s (1)\n", c->name);
		roff(c->summary);
		putchar('\n');
	}
	man_environment();
}

static void man_main(void)
{
	head("ekka", "find the call that a numeric library computed wrongly");
	roff(EKKA_SYNOPSIS);
	printf("\n.ad b\n.hy\n");
	prose(NULL, main_tables);
}

static void completion_options(const struct ekka_command *c)
{
	char name[EKKA_OPTION_NAME_BYTES];

	printf("\t%s) echo \"--help", c->name);
	for (const struct ekka_option *o = c->options; o->kind != EKKA_OPT_END; o++)
		printf("|--%s", ekka_option_name(o, name));
	printf("\" ;;\n");
}

static void completion_values(const struct ekka_command *c)
{
	char name[EKKA_OPTION_NAME_BYTES];

	for (const struct ekka_option *o = c->options; o->kind != EKKA_OPT_END; o++) {
		if (!o->metavar)
			continue;
		printf("\t%s:--%s", c->name, ekka_option_name(o, name));
		if (o->letter)
			printf("|%s:-%c", c->name, o->letter);
		printf(") echo \"%s\" ;;\n", o->complete ? o->complete : "@none");
	}
}

static void completion_operands(const struct ekka_command *c)
{
	const char *what = c->flags & EKKA_CMD_TRACE	? "@trace"
			   : c->flags & EKKA_CMD_SPAWNS ? "@program"
			   : c->flags & EKKA_CMD_COMMANDS ? "@command" : "@none";

	printf("\t%s) echo \"%s\" ;;\n", c->name, what);
}

static void completion_case(const char *function, const char *word, void (*print)(const struct ekka_command *))
{
	printf("%s() {\n\tcase %s in\n", function, word);
	for (const struct ekka_command *c = ekka_commands; c->name; c++)
		print(c);
	printf("\tesac\n}\n\n");
}

static void completion(void)
{
	printf("# SPDX-License-Identifier: Apache-2.0\n# bash completion for ekka, generated from its command table\n\n");
	printf("_ekka_commands=\"");
	for (const struct ekka_command *c = ekka_commands; c->name; c++)
		printf("%s%s", c == ekka_commands ? "" : " ", c->name);
	printf("\"\n\n");
	completion_case("_ekka_options", "$1", completion_options);
	completion_case("_ekka_values", "$1:$2", completion_values);
	completion_case("_ekka_operands", "$1", completion_operands);
}

int ekka_dump_table(int argc, char **argv)
{
	const struct ekka_command *c;

	if (argc == 1 && strcmp(argv[0], "completion") == 0) {
		completion();
		return EKKA_EXIT_CLEAN;
	}
	if (argc == 1 && strcmp(argv[0], "commands") == 0) {
		for (c = ekka_commands; c->name; c++)
			puts(c->name);
		return EKKA_EXIT_CLEAN;
	}
	if (argc == 1 && strcmp(argv[0], "man") == 0) {
		man_main();
		return EKKA_EXIT_CLEAN;
	}
	c = argc == 2 && strcmp(argv[0], "man") == 0 ? ekka_command_find(argv[1]) : NULL;
	if (!c) {
		ekka_message("--dump-table: expected 'man [COMMAND]', 'commands' or 'completion'");
		return EKKA_EXIT_USAGE;
	}
	man_command(c);
	return EKKA_EXIT_CLEAN;
}
