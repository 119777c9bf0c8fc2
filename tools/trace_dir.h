/* SPDX-License-Identifier: Apache-2.0 */
/* Trace directories as files, without reading what is in them. */
#ifndef EKKA_TOOLS_TRACE_DIR_H
#define EKKA_TOOLS_TRACE_DIR_H

#include <stdbool.h>
#include <stddef.h>

enum ekka_dir_kind {
	EKKA_DIR_NONE,		/* nothing there */
	EKKA_DIR_EMPTY,
	EKKA_DIR_TRACE,		/* nothing but files of a trace */
	EKKA_DIR_OTHER,		/* holds, or is, something else */
	EKKA_DIR_ERROR,		/* cannot be looked at: errno */
};

enum ekka_dir_kind ekka_trace_dir_kind(const char *path);

/* Removes a directory that is a trace or empty; -1 with errno otherwise. */
int ekka_trace_dir_remove(const char *path);

/* The *.ekka directory in the current directory that was written to last: -1 when there is none. */
int ekka_trace_dir_newest(char *path, size_t len);

#endif
