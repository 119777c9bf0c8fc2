/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the event that a record belongs to while a file is being scanned. Numbers come almost in order, from
 * whoever wrote the file; they may also be anything else. Private to trace/.
 */
#ifndef EKKA_TRACE_EVENT_MAP_H
#define EKKA_TRACE_EVENT_MAP_H

#include <stddef.h>
#include <stdint.h>

struct event_map {
	struct event_slot { uint64_t event; uint32_t index; /* + 1 */ } *slots;
	size_t n, n_slots;	/* n_slots: power of two */
	uint64_t seed;
};

void ekka_event_map_init(struct event_map *);
void ekka_event_map_release(struct event_map *);

/* Index that was stored for an event, or -1. */
int64_t ekka_event_map_find(const struct event_map *, uint64_t event);

/* Stores an event that is not there yet. 0 or EKKA_ERR_NOMEM. */
int ekka_event_map_add(struct event_map *, uint64_t event, uint32_t index);

#endif
