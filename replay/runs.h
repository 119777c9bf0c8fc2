/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes that a strided tensor's elements occupy, as runs without gaps. Pure; any thread. */
#ifndef EKKA_REPLAY_RUNS_H
#define EKKA_REPLAY_RUNS_H

#include "trace/model.h"

enum { EKKA_RUNS_MAX = 4096 };	/* beyond so many runs a strided tensor counts as its whole span */

/*
 * Calls fn for every run of bytes [start, end) of the tensor until it returns non-zero; returns that, or 0. Never for the items of a pointer array,
 * whose addresses are not recorded.
 */
int ekka_each_run(const struct ekka_tensor *, int (*fn)(void *arg, uint64_t start, uint64_t end), void *arg);

#endif
