/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel launches of a trace, described afterwards: what was recorded of a launch as facts for ekka_describe. */
#ifndef EKKA_REPLAY_REDESCRIBE_H
#define EKKA_REPLAY_REDESCRIBE_H

#include "spec/describe.h"
#include "trace/reader.h"

/* Points into itself and into the event: neither copied nor used longer than the event. */
struct ekka_relaunch {
	struct ekka_launch_facts facts;		/* without allocations */
	const void *param[EKKA_MAX_ARGS];	/* NULL: not recorded */
	uint32_t bytes[EKKA_MAX_ARGS];		/* a parameter that was cut counts with the bytes that are there */
	uint64_t word[EKKA_MAX_ARGS];
};

/* False when the event is no launch or its parameters were not recorded. */
bool ekka_relaunch_init(struct ekka_relaunch *ret, const struct ekka_event *);

/* Size in bytes that argument i of a launch had, from its type "8 bytes at 16"; 0 when that says nothing. */
uint32_t ekka_relaunch_arg_bytes(const struct ekka_event *, unsigned i, uint32_t *ret_offset);

#endif
