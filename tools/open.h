/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the trace that a command is about, with everything a user should hear about it. */
#ifndef EKKA_TOOLS_OPEN_H
#define EKKA_TOOLS_OPEN_H

#include "tools/command.h"
#include "trace/reader.h"

/*
 * Opens `path`, or the youngest *.ekka here when it is NULL. Warns about damage. Returns 0 with *ret_trace (close it) and *ret_path (static) set,
 * or the exit status after having said why.
 */
int ekka_open_trace(const char *path, struct ekka_trace **ret_trace, const char **ret_path);

/* The same without the warnings: for fsck, which tells all itself. */
int ekka_open_trace_quietly(const char *path, struct ekka_trace **ret_trace, const char **ret_path);

/* Takes [TRACE] from the operands from argv[i] on: 0 with *ret_path NULL or set, or the exit status. */
int ekka_operand_trace(const struct ekka_command *, int argc, char **argv, int i, const char **ret_path);

/* Takes EVENT [TRACE], also in the other order, likewise. */
int ekka_operand_event(const struct ekka_command *, int argc, char **argv, int i, uint64_t *ret_event, const char **ret_path);

/* Reads event `number`, or says why not and returns the exit status. */
int ekka_open_event(struct ekka_trace *, const char *path, uint64_t number, struct ekka_event *);

#endif
