/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/event_map.h"

#include "trace/error.h"

#include <stdlib.h>
#include <sys/random.h>

void ekka_event_map_init(struct event_map *m)
{
	*m = (struct event_map){ 0 };
	if (getrandom(&m->seed, sizeof m->seed, GRND_NONBLOCK) != (ssize_t)sizeof m->seed)
		m->seed = (uintptr_t)m;
}

void ekka_event_map_release(struct event_map *m)
{
	free(m->slots);
	*m = (struct event_map){ 0 };
}

/* Neighbouring events share cache lines; which blocks of eight meet is up to the seed. */
static size_t slot_of(const struct event_map *m, uint64_t event)
{
	uint64_t h = ((event >> 3) ^ m->seed) * 0x9e3779b97f4a7c15u;

	h = (h ^ (h >> 32)) * 0xbf58476d1ce4e5b9u;
	return (size_t)(((h >> 29) << 3 | (event & 7)) & (m->n_slots - 1));
}

static struct event_slot *find_slot(const struct event_map *m, uint64_t event)
{
	size_t i = slot_of(m, event);

	while (m->slots[i].index != 0 && m->slots[i].event != event)
		i = (i + 1) & (m->n_slots - 1);
	return &m->slots[i];
}

int64_t ekka_event_map_find(const struct event_map *m, uint64_t event)
{
	return m->n_slots == 0 ? -1 : (int64_t)find_slot(m, event)->index - 1;
}

static int grow(struct event_map *m)
{
	size_t old_n = m->n_slots;
	struct event_slot *old = m->slots;

	m->n_slots = old_n ? old_n * 2 : 1024;
	m->slots = calloc(m->n_slots, sizeof *m->slots);
	if (!m->slots) {
		m->slots = old;
		m->n_slots = old_n;
		return EKKA_ERR_NOMEM;
	}
	for (size_t i = 0; i < old_n; i++) {
		if (old[i].index != 0)
			*find_slot(m, old[i].event) = old[i];
	}
	free(old);
	return 0;
}

int ekka_event_map_add(struct event_map *m, uint64_t event, uint32_t index)
{
	if (2 * m->n >= m->n_slots && grow(m) < 0)
		return EKKA_ERR_NOMEM;
	*find_slot(m, event) = (struct event_slot){ event, index + 1 };
	m->n++;
	return 0;
}
