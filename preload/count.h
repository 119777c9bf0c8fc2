/* SPDX-License-Identifier: Apache-2.0 */
/* Totals for the trailer. Zone: inside the host process; any thread; no locks. */
#ifndef EKKA_PRELOAD_COUNT_H
#define EKKA_PRELOAD_COUNT_H

#include "trace/model.h"

#include <stdatomic.h>

enum { EKKA_COUNT_NAMES = 32 };

struct ekka_totals {
	_Atomic uint64_t events, seen_bytes, known_bytes;
	_Atomic uint64_t left_out;	/* calls not wanted since the last trailer; they come before a segment begins, too */
};
extern struct ekka_totals ekka_totals;

/* Counts something dropped under a static name (see preload/snapshot.h). */
void ekka_count_drop(const char *static_name, uint64_t n);

/* Fills up to EKKA_COUNT_NAMES entries, returns how many are not zero. */
unsigned ekka_count_drops(struct ekka_count ret[EKKA_COUNT_NAMES]);

void ekka_count_reset(void);	/* a new segment */

#endif
