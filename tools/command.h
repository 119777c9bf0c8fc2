/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of subcommands. Dispatch, help, completion and man pages all read it.
 *
 * To add a command: a file tools/cmd_NAME.c that defines `ekka_cmd_NAME` and
 * `ekka_NAME_options`, a row in tools/commands.c, the prose tools/man/NAME.roff, and
 * its lines in tools/local.mk.
 */
#ifndef EKKA_TOOLS_COMMAND_H
#define EKKA_TOOLS_COMMAND_H

#include "tools/options.h"

/* Exit statuses; `record` returns its child's instead. */
enum ekka_exit {
	EKKA_EXIT_CLEAN = 0,		/* nothing found */
	EKKA_EXIT_FAULT = 1,		/* a fault was found */
	EKKA_EXIT_UNJUDGED = 2,		/* --strict, and something could not be judged */
	EKKA_EXIT_FATAL = 128,
	EKKA_EXIT_USAGE = 129,
};

enum ekka_command_flags {
	EKKA_CMD_TRACE = 1,		/* operands name a trace: completion offers them */
	EKKA_CMD_SPAWNS = 2,		/* operands are a program: options end at the first one */
	EKKA_CMD_COMMANDS = 4,		/* operands name commands */
};

struct ekka_command {
	const char *name;
	/* Gets its own name in argv[0]; returns the exit status. */
	int (*run)(const struct ekka_command *self, int argc, char **argv);
	unsigned flags;
	const char *operands;		/* as in the synopsis: "EVENT [TRACE]" */
	const char *summary;		/* lower case, no period */
	const struct ekka_option *options;
};

#define EKKA_SYNOPSIS "ekka [-h] [--version] [--no-pager] COMMAND [OPTION...] [OPERAND...]"

extern const struct ekka_command ekka_commands[];	/* ends with a NULL name */

const struct ekka_command *ekka_command_find(const char *name);	/* NULL when there is none */

/*
 * Parses argv by the command's options and stores values where they point. Returns the index of the first operand,
 * or -1 with *ret_status set when the command is to end at once: help was asked for, or the usage was wrong.
 */
int ekka_command_parse(const struct ekka_command *, int argc, char **argv, int *ret_status);

/* Prints `ekka: NAME: ` and the message, then the usage line, to stderr. Returns EKKA_EXIT_USAGE. */
int ekka_command_usage_error(const struct ekka_command *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints what -h prints: synopsis, summary, options. */
void ekka_command_help(const struct ekka_command *, FILE *out);

/* Hidden `ekka --dump-table man|completion [COMMAND]`: what the build makes man pages and the completion script from. */
int ekka_dump_table(int argc, char **argv);

int ekka_cmd_record(const struct ekka_command *, int, char **);
int ekka_cmd_log(const struct ekka_command *, int, char **);
int ekka_cmd_kernels(const struct ekka_command *, int, char **);
int ekka_cmd_show(const struct ekka_command *, int, char **);
int ekka_cmd_replay(const struct ekka_command *, int, char **);
int ekka_cmd_export(const struct ekka_command *, int, char **);
int ekka_cmd_fsck(const struct ekka_command *, int, char **);
int ekka_cmd_doctor(const struct ekka_command *, int, char **);
int ekka_cmd_help(const struct ekka_command *, int, char **);

extern const struct ekka_option ekka_record_options[], ekka_log_options[], ekka_kernels_options[], ekka_show_options[], ekka_replay_options_table[],
	ekka_export_options[], ekka_fsck_options_table[], ekka_doctor_options[], ekka_help_options[];

#endif
