/* SPDX-License-Identifier: Apache-2.0 */
/* The `ekka` command: global options and dispatch. Zone: prints and chooses the exit status. */
#include "config.h"

#include "tools/command.h"
#include "tools/message.h"
#include "tools/term.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What was printed must have arrived: a full disk or a closed pipe is not "nothing found". Only a pager may be left early. */
static int finish(int status)
{
	bool failed;

	ekka_pager_finish();
	if (ekka_pager_used())
		return status;
	failed = ferror(stdout);
	errno = 0;
	if (fflush(stdout) != 0 || (failed && errno == 0 && (errno = EIO)))
		return ekka_fatal_errno("cannot write to standard output");
	return status;
}

static int unknown(const char *word)
{
	ekka_message("'%s' is not a command; 'ekka help' lists them", word);
	return EKKA_EXIT_USAGE;
}

static int version(void)
{
	printf("ekka (%s) %s\n", PACKAGE_NAME, PACKAGE_VERSION);
	return EKKA_EXIT_CLEAN;
}

/* With the shim exported in LD_PRELOAD a replay would record its own BLAS calls; the shim reads its settings at the start. */
static void restart_untraced(char **argv)
{
	const char *preload = getenv("LD_PRELOAD"), *level = getenv("EKKA_LEVEL");

	if (preload && strstr(preload, "libekkatrace") && (!level || strcmp(level, "off") != 0) && setenv("EKKA_LEVEL", "off", 1) == 0)
		execv("/proc/self/exe", argv);
}

static int dispatch(int argc, char **argv)
{
	const struct ekka_command *c;
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--version") == 0)
			return version();
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return ekka_cmd_help(ekka_command_find("help"), 1, (char *[]){ (char[]){ "help" }, NULL });
		if (strcmp(argv[i], "--dump-table") == 0)
			return ekka_dump_table(argc - i - 1, argv + i + 1);
		if (strcmp(argv[i], "--no-pager") == 0) {
			ekka_pager_disable();
			continue;
		}
		ekka_message("unknown option '%s'", argv[i]);
		fputs("usage: " EKKA_SYNOPSIS "\n", stderr);
		return EKKA_EXIT_USAGE;
	}
	if (i == argc) {
		fputs("usage: " EKKA_SYNOPSIS "\n", stderr);
		fputs("'ekka help' lists the commands\n", stderr);
		return EKKA_EXIT_USAGE;
	}
	c = ekka_command_find(argv[i]);
	if (!c)
		return unknown(argv[i]);
	if (!(c->flags & EKKA_CMD_SPAWNS))
		restart_untraced(argv);
	return c->run(c, argc - i, argv + i);
}

int main(int argc, char **argv)
{
	ekka_term_init();
	return finish(dispatch(argc, argv));
}
