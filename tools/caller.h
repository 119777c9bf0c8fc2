/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who called, in one line: the innermost Python frame that is no array library's own, else the native one. Symbols are
 * looked up once per distinct stack. One thread at a time.
 */
#ifndef EKKA_TOOLS_CALLER_H
#define EKKA_TOOLS_CALLER_H

#include "tools/symbolize.h"

struct ekka_callers;

struct ekka_callers *ekka_callers_new(void);		/* NULL when out of memory */
void ekka_callers_free(struct ekka_callers *);		/* NULL is fine */

/* The line for an event's stack, "" when it has none. Borrowed until the callers are freed. */
const char *ekka_callers_line(struct ekka_callers *, const struct ekka_event *);

/* The symbolizer of a segment; NULL when out of memory. Borrowed. */
struct ekka_symbolizer *ekka_callers_symbolizer(struct ekka_callers *, const struct ekka_segment *);

#endif
