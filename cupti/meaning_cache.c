/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/meaning_cache.h"

#include "cupti/alloc.h"

#include "trace/hash.h"

#include <string.h>
#include <sys/mman.h>

enum { MEANINGS = 1 << 11, KEY_BYTES = 4096 };

struct ekka_meaning_cache { struct { struct ekka_blob_id key; bool set; struct ekka_meaning meaning; } at[MEANINGS]; };

/* All that the meaning depends on. False: too much of it. */
static bool key_of(const struct ekka_binding *binding, const struct ekka_launch_facts *facts, struct ekka_blob_id *ret)
{
	const struct { const struct ekka_binding *binding; uint64_t allocations; unsigned grid[3], block[3], shared, n_params; } head = {
		binding, ekka_alloc_epoch(), { facts->grid[0], facts->grid[1], facts->grid[2] },
		{ facts->block[0], facts->block[1], facts->block[2] }, facts->shared, facts->n_params,
	};
	uint8_t bytes[KEY_BYTES];
	size_t n = sizeof(head);

	memcpy(bytes, &head, n);
	for (unsigned i = 0; i < facts->n_params; i++) {
		if (facts->param_bytes[i] > sizeof(bytes) - n)
			return false;
		memcpy(bytes + n, facts->param[i], facts->param_bytes[i]);
		n += facts->param_bytes[i];
	}
	*ret = ekka_blob_id_of(bytes, n);
	return true;
}

/* The slot's, made when it is needed first; NULL without memory. */
static struct ekka_meaning_cache *cache_of(struct ekka_slot_memory *slot)
{
	void *p;

	if (slot->cache)
		return slot->cache;
	p = mmap(NULL, sizeof(*slot->cache), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p != MAP_FAILED)
		slot->cache = p;
	return slot->cache;
}

struct ekka_meaning *ekka_meaning_of(struct ekka_slot_memory *slot, const struct ekka_binding *binding, const struct ekka_launch_facts *facts)
{
	struct ekka_meaning_cache *cache;
	struct ekka_blob_id key;
	unsigned i;

	if (!key_of(binding, facts, &key) || !(cache = cache_of(slot))) {
		ekka_describe(binding, facts, &slot->meaning);
		return &slot->meaning;
	}
	i = (key.b[0] | (unsigned)key.b[1] << 8) % MEANINGS;
	if (cache->at[i].set && memcmp(&cache->at[i].key, &key, sizeof(key)) == 0)
		return &cache->at[i].meaning;
	ekka_describe(binding, facts, &cache->at[i].meaning);
	cache->at[i].key = key;
	cache->at[i].set = true;
	return &cache->at[i].meaning;
}
