/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far right results lie from their references: the margins of events that passed, by op and element types. What bounds are calibrated with: a
 * margin is max |out - ref| / bound over an event's elements. One thread at a time.
 */
#ifndef EKKA_TOOLS_MARGINS_H
#define EKKA_TOOLS_MARGINS_H

#include <json-c/json.h>

#include "compare/verdict.h"
#include "trace/reader.h"

struct ekka_margins;

struct ekka_margins *ekka_margins_new(void);	/* NULL when out of memory */
void ekka_margins_free(struct ekka_margins *);	/* NULL is fine */

/* Counts an event that passed; others are passed over. -1 when out of memory. */
int ekka_margins_add(struct ekka_margins *, const struct ekka_event *, const struct ekka_verdict *);

/*
 * A table, or an array of objects: op, dtype, events (that passed), measured (those with a margin: screened ones have none), median, p99 (the least margin
 * that 99 % of them do not exceed) and max, by op and dtype in strcmp order; the last three null where nothing was measured.
 */
void ekka_margins_print(struct ekka_margins *);
struct json_object *ekka_margins_json(struct ekka_margins *);

#endif
