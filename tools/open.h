/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the trace that a command is about, with everything a user should hear about it. */
#ifndef EKKA_TOOLS_OPEN_H
#define EKKA_TOOLS_OPEN_H

#include "replay/redescribe.h"
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

/*
 * Descriptions for launches that were recorded without one: those of `paths`, then those that are built in. NULL with *ret_status set when there is an
 * error in them, which was said.
 */
struct ekka_redescriber *ekka_open_kernels(const char *paths, int *ret_status);

/*
 * Opens the trace, reads event `number`, describes it by `kernels` (NULL: as it was recorded), and hands it to fn. Returns its exit status, or what kept
 * it from being called, after having said it.
 */
int ekka_on_event(const char *path, uint64_t number, const char *kernels, int (*fn)(struct ekka_trace *, const struct ekka_event *));

/* Reads event `number`, or says why not and returns the exit status. */
int ekka_open_event(struct ekka_trace *, const char *path, uint64_t number, struct ekka_event *);

#endif
