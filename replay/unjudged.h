/* SPDX-License-Identifier: Apache-2.0 */
/* What could not be judged, by function and reason. Not shared between threads. */
#ifndef EKKA_REPLAY_UNJUDGED_H
#define EKKA_REPLAY_UNJUDGED_H

#include "replay/replay.h"

/* Beyond so many different ones the events are only counted, in ekka_report.unjudged_elsewhere. */
enum { EKKA_UNJUDGED_GROUPS = 1000 };

/*
 * Counts an event that is neither PASS nor FAIL, and wrote `bytes`, to its group: those of the same function with the same status and reason. 0, or
 * negative without memory.
 */
int ekka_unjudged_add(struct ekka_report *, const struct ekka_event *, const struct ekka_verdict *, uint64_t bytes, struct ekka_error *err);

/* Sorts the groups: most events first, then most bytes, then in the order in which they were met. */
void ekka_unjudged_sort(struct ekka_report *);

#endif
