/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audits by data flow: what is odd about where an event's inputs come from, though the event may be right for them.
 *
 * Findings, certain: bytes that nobody wrote or that changed after they were written (struct ekka_edge), a library's tensor that reaches behind the end of
 * its allocation. Notes, worth a look, told only where writer's and reader's tensor begin at the same place: a matrix that is read with other strides than
 * it was written with; as many elements as were written there, without gaps, read over more memory, into somebody else's; 16-bit or 8-bit floating-point
 * numbers of one format, read as another.
 */
#ifndef EKKA_REPLAY_AUDIT_FLOW_H
#define EKKA_REPLAY_AUDIT_FLOW_H

#include "replay/blame.h"

/* Adds what is found of one judged event to the report: suspects for findings, or to those that it is already. 0, or negative without memory. */
int ekka_audit_flow(const struct ekka_blame *, uint64_t event, struct ekka_report *, struct ekka_error *err);

#endif
