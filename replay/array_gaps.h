/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes within an output's range that are no element of it: what strides leap over. For tensors of any rank; replay/gaps.h is for matrices. */
#ifndef EKKA_REPLAY_ARRAY_GAPS_H
#define EKKA_REPLAY_ARRAY_GAPS_H

#include "replay/array.h"

/* Are there any. */
bool ekka_array_has_gaps(const struct ekka_array *);

/*
 * Compares them before and after. 1: some changed, and text says how many and where; 0: none, or the two are of different sizes; negative: no
 * memory (a bit per element of the range).
 */
int ekka_array_gaps(const struct ekka_array *before, const struct ekka_array *after, char text[EKKA_TEXT], struct ekka_error *err);

#endif
