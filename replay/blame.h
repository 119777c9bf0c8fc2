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

/* What the events turned out to be, EKKA_STATUS_COUNT for those that are no op; and what is known of them otherwise. */
struct ekka_blame {
	uint8_t *status;	/* by event number, enum ekka_status; owned by the caller, as is what follows */
	uint64_t n_events;
	struct ekka_trace *trace;
	const struct ekka_replay_options *options;
	const struct ekka_lineage *lineage;
};

/*
 * Completes a report: fills the sources and `infected` of the first suspects and the report's `infected`, adds what replay/audit_flow.h finds, and says of
 * outputs that were not written whose bytes they hold (replay/stale.h), of others whether an operand was another tensor (replay/operands.h). 0, or negative without memory.
 */
int ekka_blame_report(const struct ekka_blame *, struct ekka_report *, struct ekka_error *err);

#endif
