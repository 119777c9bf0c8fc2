/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/count.h"

#include "preload/snapshot.h"

#include <string.h>

struct ekka_totals ekka_totals;

static struct {
	_Atomic(const char *) name;
	_Atomic uint64_t n;
} drops[EKKA_COUNT_NAMES];

void ekka_count_drop(const char *static_name, uint64_t n)
{
	for (unsigned i = 0; i < EKKA_COUNT_NAMES; i++) {
		const char *name = atomic_load(&drops[i].name);
		if (!name) {
			if (atomic_compare_exchange_strong(&drops[i].name, &name, static_name))
				name = static_name;
		}
		/* The last entry takes what has no room of its own. */
		if (strcmp(name, static_name) == 0 || i == EKKA_COUNT_NAMES - 1) {
			atomic_fetch_add(&drops[i].n, n);
			return;
		}
	}
}

unsigned ekka_count_drops(struct ekka_count ret[EKKA_COUNT_NAMES])
{
	unsigned n = 0;

	for (unsigned i = 0; i < EKKA_COUNT_NAMES; i++) {
		uint64_t count = atomic_load(&drops[i].n);
		if (count)
			ret[n++] = (struct ekka_count){ .name = atomic_load(&drops[i].name), .n = count };
	}
	return n;
}

void ekka_count_reset(void)
{
	for (unsigned i = 0; i < EKKA_COUNT_NAMES; i++)
		atomic_store(&drops[i].n, 0);
	atomic_store(&ekka_totals.events, 0);
	atomic_store(&ekka_totals.seen_bytes, 0);
	atomic_store(&ekka_totals.known_bytes, 0);
}
