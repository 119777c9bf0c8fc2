/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/blobset.h"

#include "preload/lock.h"

#include <string.h>
#include <sys/mman.h>

enum { FIRST_SLOTS = 4096 };

struct slot { struct ekka_blob_id id; const char *lost; bool used; };

static struct {
	struct ekka_lock lock;
	struct slot *slots;
	size_t n_slots, n_used;		/* n_slots is a power of two */
} set;

static struct slot *find(struct slot *slots, size_t n_slots, const struct ekka_blob_id *id)
{
	size_t i;

	memcpy(&i, id->b + sizeof(id->b) - sizeof(i), sizeof(i));
	for (i &= n_slots - 1; slots[i].used; i = (i + 1) & (n_slots - 1))
		if (memcmp(&slots[i].id, id, sizeof(*id)) == 0)
			break;
	return &slots[i];
}

static bool grow(void)
{
	size_t n = set.n_slots ? set.n_slots * 2 : FIRST_SLOTS;
	struct slot *p = mmap(NULL, n * sizeof(*p), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return false;
	for (size_t i = 0; i < set.n_slots; i++)
		if (set.slots[i].used)
			*find(p, n, &set.slots[i].id) = set.slots[i];
	if (set.slots)
		munmap(set.slots, set.n_slots * sizeof(*p));
	set.slots = p;
	set.n_slots = n;
	return true;
}

bool ekka_blobset_has(const struct ekka_blob_id *id, const char **ret_lost)
{
	bool has = false;

	if (ret_lost)
		*ret_lost = NULL;
	if (!ekka_lock_take(&set.lock))
		return false;
	if (set.n_used) {
		struct slot *s = find(set.slots, set.n_slots, id);
		has = s->used;
		if (has && ret_lost)
			*ret_lost = s->lost;
	}
	ekka_lock_release(&set.lock);
	return has;
}

bool ekka_blobset_add(const struct ekka_blob_id *id, bool *ret_full)
{
	bool added = false;

	*ret_full = true;
	if (!ekka_lock_take(&set.lock))
		return false;
	if ((set.n_used + 1) * 2 <= set.n_slots || grow()) {
		struct slot *s = find(set.slots, set.n_slots, id);
		*ret_full = false;
		added = !s->used;
		if (added) {
			*s = (struct slot){ .id = *id, .used = true };
			set.n_used++;
		}
	}
	ekka_lock_release(&set.lock);
	return added;
}

void ekka_blobset_lose(const struct ekka_blob_id *id, const char *why)
{
	if (!ekka_lock_take(&set.lock))
		return;
	if (set.n_used) {
		struct slot *s = find(set.slots, set.n_slots, id);
		if (s->used)
			s->lost = why;
	}
	ekka_lock_release(&set.lock);
}

void ekka_blobset_clear(void)
{
	if (!ekka_lock_take(&set.lock))
		return;
	if (set.slots)
		memset(set.slots, 0, set.n_slots * sizeof(*set.slots));
	set.n_used = 0;
	ekka_lock_release(&set.lock);
}

void ekka_blobset_forget(void)
{
	/* The table may be half moved: leave its pages to the parent's memory image and start another. */
	memset(&set, 0, sizeof(set));
}
