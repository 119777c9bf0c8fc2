/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/slot.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SLOTS = 64 };	/* threads that are inside a launch at the same time */

static struct { _Atomic int owner; struct ekka_slot_memory memory; } slots[SLOTS];	/* owner: the thread's number; 0: free */
static _Thread_local int self;
static _Thread_local unsigned held;	/* number + 1; 0: none */
static _Thread_local unsigned last;	/* where this thread's last slot was: it is warm */

static int number(void)
{
	if (!self)
		self = (int)syscall(SYS_gettid);
	return self;
}

/* A thread that holds nothing and has an owner's number has it from one that is gone. */
static bool is_gone(int owner)
{
	return owner == self || (syscall(SYS_tgkill, syscall(SYS_getpid), owner, 0) != 0 && errno == ESRCH);
}

static bool take(unsigned i, int owner)
{
	if (!atomic_compare_exchange_strong(&slots[i].owner, &owner, number()))
		return false;
	last = i;
	held = i + 1;
	return true;
}

/* What threads hold that have died inside a launch. Asked for only when there is no other. */
static void take_from_the_dead(void)
{
	int saved = errno;

	for (unsigned i = 0; i < SLOTS && !held; i++) {
		int owner = atomic_load(&slots[i].owner);

		if (owner == 0 || is_gone(owner))
			(void)take(i, owner);
	}
	errno = saved;
}

struct ekka_slot_memory *ekka_slot_take(void)
{
	for (unsigned i = 0; i < SLOTS && !held; i++) {
		unsigned at = (last + i) % SLOTS;

		if (atomic_load_explicit(&slots[at].owner, memory_order_relaxed) == 0)
			(void)take(at, 0);
	}
	if (!held)
		take_from_the_dead();
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
		atomic_store_explicit(&slots[held - 1].owner, 0, memory_order_release);
	held = 0;
}

void ekka_slots_fork_child(void)
{
	self = 0;
	for (unsigned i = 0; i < SLOTS; i++)
		atomic_store(&slots[i].owner, i + 1 == held ? number() : 0);
}
