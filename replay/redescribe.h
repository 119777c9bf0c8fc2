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

/* What an event is given to point to: one for each event that is in use at a time. */
struct ekka_redescription {
	struct ekka_meaning meaning;
	struct ekka_attr attrs[EKKA_MAX_ATTRS];
	struct ekka_tensor tensors[EKKA_MAX_TENSORS];
};

/* Descriptions, and which of them each kernel of a trace has. Thread-safe. */
struct ekka_redescriber;
int ekka_redescriber_new(struct ekka_descriptions *, struct ekka_redescriber **ret, struct ekka_error *err);	/* the set is borrowed */
void ekka_redescriber_free(struct ekka_redescriber *);

/*
 * Gives a launch that was recorded without an op, or whose description did not fit then, the meaning that it has now: attributes as in
 * FORMAT.md, and the described tensors as views (alias_of) of the raw buffers that were recorded, which follow them. Attribute "refused" says why
 * not, also when a tensor lies in no buffer. Other events, and kernels without a description, stay as they are. The event points into
 * `memory` afterwards.
 */
void ekka_redescribe(struct ekka_redescriber *, struct ekka_event *, struct ekka_redescription *memory);

#endif
