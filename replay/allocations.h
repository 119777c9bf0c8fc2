/* SPDX-License-Identifier: Apache-2.0 */
/* Which device memory lives, by the events that allocate and free it; and what a library scribbles over. Not shared between threads. */
#ifndef EKKA_REPLAY_ALLOCATIONS_H
#define EKKA_REPLAY_ALLOCATIONS_H

#include "replay/interval.h"
#include "trace/reader.h"

struct ekka_allocations { struct ekka_interval_map live; /* by which event; 0: freed */ };

bool ekka_allocates(const struct ekka_event *);

/* The next event of the segment. What may end memory unseen ends all. 0, or -1 when there is no memory. */
int ekka_allocations_follow(struct ekka_allocations *, const struct ekka_event *);
void ekka_allocations_release(struct ekka_allocations *);	/* zeroed or in use; zeroed afterwards */

/* How many bytes of a device tensor lie behind the end of the allocation that it begins in, and the event that made that. 0: none, or not known. */
uint64_t ekka_allocations_beyond(const struct ekka_allocations *, const struct ekka_tensor *, uint64_t *ret_event);

/*
 * A library call's workspace: by the attributes workspace and workspace_bytes, or the arguments of those names or much like them. False: none. Bytes are
 * UINT64_MAX where they are not known.
 */
bool ekka_workspace_of(const struct ekka_event *, uint64_t *ret_addr, uint64_t *ret_bytes);

#endif
