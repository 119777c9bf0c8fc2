/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments that stand out among those of their like: the numbers that an op takes (attributes that are no integers, scales of one element) of the same
 * function called from the same stack. Not shared between threads.
 *
 * An event is noted when at least eight others of its kind agree (all within 1 % of the median), at most one in eight does not, and its own number is less than
 * half or more than twice the median, zero, NaN, or of the other sign. This is worth a look and no fault: nobody knows what was meant.
 */
#ifndef EKKA_REPLAY_ARGUMENTS_H
#define EKKA_REPLAY_ARGUMENTS_H

#include "replay/replay.h"

struct ekka_arguments;

struct ekka_arguments *ekka_arguments_new(void);	/* NULL: no memory */
void ekka_arguments_free(struct ekka_arguments *);	/* NULL is fine */

/* Takes the numbers of one event. 0, or negative without memory. */
int ekka_arguments_add(struct ekka_arguments *, struct ekka_trace *, const struct ekka_event *, struct ekka_error *err);

/* Adds a note for each that stands out, in the order of events. 0, or negative without memory. */
int ekka_arguments_report(struct ekka_arguments *, struct ekka_report *, struct ekka_error *err);

#endif
