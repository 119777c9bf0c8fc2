/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another tensor in an operand's place: the bias of another layer, the buffer of the last step. What an event was given is known; what it should
 * not have read is among what other events of the trace read or wrote.
 */
#ifndef EKKA_REPLAY_OPERANDS_H
#define EKKA_REPLAY_OPERANDS_H

#include "replay/blame.h"

/*
 * Judges a failed event, of which nothing else is known to say, again with tensors of other events in the place of one input each: same type, dims and
 * strides, other bytes; the smallest input first, the nearest events first, at most 64 of each input and as much work as a few seconds allow. Where all elements are
 * right with one of them, and with no other, v->looks_like names it. 0, or negative with err filled when there is no memory.
 */
int ekka_operands_explain(const struct ekka_blame *, struct ekka_verdict *v, struct ekka_error *err);

#endif
