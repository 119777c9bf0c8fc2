/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/shared.h"

#include "cupti/alloc.h"

#include "preload/lock.h"
#include "preload/versions.h"

enum { MAPPINGS = 1 << 14, FOREIGN = 1 << 10 };

/* All guarded by `lock`. An allocation whose handle's value has come to mean another one goes by a number of ours, from `nameless` down. */
static struct ekka_lock lock;
static uint64_t nameless = UINT64_MAX;
static struct mapping { uint64_t handle, offset, addr, bytes; } mappings[MAPPINGS];
static uint64_t foreign[FOREIGN];
static unsigned n_mappings, n_foreign;

/* False: then nothing is known of anything any more. */
static bool take(void)
{
	bool ok = ekka_lock_take(&lock);

	if (!ok)
		ekka_versions_disable();
	return ok;
}

static bool is_foreign(uint64_t handle)
{
	for (unsigned i = 0; i < n_foreign; i++)
		if (foreign[i] == handle)
			return true;
	return false;
}

static bool overlap(const struct mapping *a, const struct mapping *b)
{
	return a->handle == b->handle && a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

static void rename_all(uint64_t from, uint64_t to)
{
	for (unsigned i = 0; i < n_mappings; i++)
		if (mappings[i].handle == from)
			mappings[i].handle = to;
}

void ekka_shared_created(uint64_t handle)
{
	if (!take())
		return;
	rename_all(handle, nameless--);
	for (unsigned i = 0; i < n_foreign; i++)
		if (foreign[i] == handle)
			foreign[i--] = foreign[--n_foreign];
	ekka_lock_release(&lock);
}

void ekka_shared_foreign(uint64_t handle)
{
	if (!take())
		return;
	for (unsigned i = 0; i < n_mappings; i++)
		if (mappings[i].handle == handle)
			ekka_versions_share(mappings[i].addr, mappings[i].bytes);
	if (!is_foreign(handle)) {
		if (n_foreign < FOREIGN)
			foreign[n_foreign++] = handle;
		else
			ekka_versions_disable();
	}
	ekka_lock_release(&lock);
}

void ekka_shared_map(uint64_t handle, uint64_t offset, uint64_t addr, uint64_t bytes)
{
	const struct mapping new = { handle, offset, addr, bytes };
	bool shared;

	if (!take())
		return;
	shared = is_foreign(handle);
	for (unsigned i = 0; i < n_mappings; i++)
		if (overlap(&mappings[i], &new)) {
			ekka_versions_share(mappings[i].addr, mappings[i].bytes);
			shared = true;
		}
	if (shared)
		ekka_versions_share(addr, bytes);
	if (n_mappings < MAPPINGS)
		mappings[n_mappings++] = new;
	else
		ekka_versions_disable();
	ekka_lock_release(&lock);
}

void ekka_shared_unmap(uint64_t addr, uint64_t bytes)
{
	if (!take())
		return;
	for (unsigned i = 0; i < n_mappings; i++)
		if (mappings[i].addr >= addr && mappings[i].addr - addr < bytes)
			mappings[i--] = mappings[--n_mappings];
	ekka_versions_own(addr, bytes);
	ekka_lock_release(&lock);
}

void ekka_shared_retained(uint64_t handle, uint64_t addr)
{
	unsigned i = 0;

	if (!take())
		return;
	while (i < n_mappings && addr - mappings[i].addr >= mappings[i].bytes)
		i++;
	if (i < n_mappings)
		rename_all(mappings[i].handle, handle);
	ekka_lock_release(&lock);
}

void ekka_shared_allocation(uint64_t addr)
{
	uint64_t start, bytes;

	if (ekka_alloc_range(addr, &start, &bytes))
		ekka_versions_share(start, bytes);
	else
		ekka_versions_disable();
}

void ekka_shared_fork_child(void)
{
	lock = (struct ekka_lock){ 0 };
	n_mappings = n_foreign = 0;
}
