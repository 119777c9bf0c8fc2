/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a kernel that did not write leaves: what was there before. Outputs that are only written have no bytes from before the call in a trace; whoever
 * wrote there last has (replay/lineage.h).
 */
#ifndef EKKA_REPLAY_STALE_H
#define EKKA_REPLAY_STALE_H

#include "replay/blame.h"

/*
 * Where the wrong elements of v->output, or all, are to the bit what earlier events left there: says so in v->looks_like, in the place of what values alone
 * make of it. Elements count in the order in which they lie in memory. 0, or negative with err filled when there is no memory.
 */
int ekka_stale_explain(const struct ekka_blame *, struct ekka_verdict *v, struct ekka_error *err);

#endif
