/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of a launch whose bytes are wanted, from before it to after it: two callbacks, with nothing of ours on the stack between them.
 * Zone: inside the host process. Any thread; no allocation: unused slots are pages that were never touched.
 */
#ifndef EKKA_CUPTI_SLOT_H
#define EKKA_CUPTI_SLOT_H

#include "preload/launch.h"
#include "spec/describe.h"

enum {
	EKKA_BUFFER_NAME = 24,		/* "p39+32760[511]" */
	EKKA_EXTENT_NAME = EKKA_BUFFER_NAME + 8,
};

struct ekka_slot_memory {
	struct ekka_launch_mark mark;		/* of the launch that holds the slot */
	struct ekka_call call;
	const void *param[EKKA_MAX_ARGS];	/* where each parameter lies; NULL: not given */
	struct ekka_meaning meaning;
	struct ekka_meaning_cache *cache;	/* stays with the slot, whoever has it */
	struct { char name[EKKA_BUFFER_NAME], extent[EKKA_EXTENT_NAME]; } buffer[EKKA_MAX_TENSORS];
};

/*
 * A slot for the calling thread's launch, or NULL when all are in use. What a launch of this thread that never ended still holds
 * is taken over, and when all are in use what a thread holds that is no more.
 */
struct ekka_slot_memory *ekka_slot_take(void);

/* The slot that the calling thread holds for the launch with that mark, or NULL. */
struct ekka_slot_memory *ekka_slot_of(struct ekka_launch_mark mark);

/* Gives the calling thread's slot back, if it holds one. */
void ekka_slot_give(void);

/* In a forked child: the other threads are gone, and this one has another number. */
void ekka_slots_fork_child(void);

#endif
