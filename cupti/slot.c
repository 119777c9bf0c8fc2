/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/slot.h"

#include <stdatomic.h>

enum { SLOTS = 64 };	/* threads that are inside a launch at the same time; a thread that dies there keeps its slot for ever */

static struct { atomic_bool taken; struct ekka_slot_memory memory; } slots[SLOTS];
static _Thread_local unsigned held;	/* number + 1; 0: none */
static _Thread_local unsigned last;	/* where this thread's last slot was: it is warm */

struct ekka_slot_memory *ekka_slot_take(void)
{
	for (unsigned i = 0; i < SLOTS && !held; i++) {
		unsigned at = (last + i) % SLOTS;

		if (!atomic_load_explicit(&slots[at].taken, memory_order_relaxed) && !atomic_exchange(&slots[at].taken, true)) {
			last = at;
			held = at + 1;
		}
	}
	if (!held)
		return NULL;
	slots[held - 1].memory.mark = (struct ekka_launch_mark){ 0 };
	return &slots[held - 1].memory;
}

struct ekka_slot_memory *ekka_slot_of(struct ekka_launch_mark mark)
{
	struct ekka_slot_memory *m = held ? &slots[held - 1].memory : NULL;

	return m && m->mark.event != 0 && m->mark.event == mark.event && m->mark.generation == mark.generation ? m : NULL;
}

void ekka_slot_give(void)
{
	if (held)
		atomic_store_explicit(&slots[held - 1].taken, false, memory_order_release);
	held = 0;
}
