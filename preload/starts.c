/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/starts.h"

#include "preload/lock.h"

#include <string.h>

/* Two ascending lists: when the young one is full it becomes the old one, and the old one is forgotten. */
struct list { unsigned n; uint64_t at[EKKA_STARTS]; };
static struct list lists[2];
static unsigned young;
static struct ekka_lock lock;

/* How many entries are below `addr`. */
static unsigned rank(const struct list *l, uint64_t addr)
{
	unsigned low = 0, high = l->n;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (l->at[mid] < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void insert(struct list *l, unsigned i, uint64_t addr)
{
	memmove(&l->at[i + 1], &l->at[i], (l->n - i) * sizeof(l->at[0]));
	l->at[i] = addr;
	l->n++;
}

void ekka_starts_note(uint64_t addr)
{
	struct list *l;
	unsigned i;

	if (!ekka_lock_take(&lock))
		return;
	l = &lists[young];
	i = rank(l, addr);
	if (i == l->n || l->at[i] != addr) {
		if (l->n == EKKA_STARTS) {
			young = !young;
			l = &lists[young];
			l->n = i = 0;
		}
		insert(l, i, addr);
	}
	ekka_lock_release(&lock);
}

static uint64_t above(const struct list *l, uint64_t addr)
{
	unsigned i = addr == UINT64_MAX ? l->n : rank(l, addr + 1);

	return i < l->n ? l->at[i] : UINT64_MAX;
}

uint64_t ekka_starts_next(uint64_t addr)
{
	uint64_t a, b;

	if (!ekka_lock_take(&lock))
		return UINT64_MAX;
	a = above(&lists[0], addr);
	b = above(&lists[1], addr);
	ekka_lock_release(&lock);
	return a < b ? a : b;
}

bool ekka_starts_known(uint64_t addr)
{
	return addr > 0 && ekka_starts_next(addr - 1) == addr;
}
