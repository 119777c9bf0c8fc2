/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blame from data flow: what the verdicts of single events mean for each other.
 *
 * An event was judged with its inputs as captured. So one that fails is guilty whatever it was fed; one that passes is exonerated, even if its output
 * is garbage, and *infected* when something guilty wrote, directly or through others, what it read. Between them may lie events
 * that nobody could judge: then the infection is only possible.
 */
#ifndef EKKA_REPLAY_BLAME_H
#define EKKA_REPLAY_BLAME_H

#include "replay/lineage.h"
#include "replay/replay.h"

/* What one event turned out to be; for those that are no op, EKKA_STATUS_COUNT. */
struct ekka_blame {
	uint8_t *status;	/* by event number, enum ekka_status; owned by the caller */
	uint64_t n_events;
};

/*
 * Completes a report: fills the sources and `infected` of the first suspects and the report's `infected`, and adds findings about bytes that nobody wrote or
 * that changed after they were written, and notes about matrices that are read with other strides than they were written with. 0, or negative
 * without memory.
 */
int ekka_blame_report(struct ekka_trace *, const struct ekka_lineage *, const struct ekka_blame *, struct ekka_report *,
		      struct ekka_error *err);

#endif
