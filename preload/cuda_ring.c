/* SPDX-License-Identifier: Apache-2.0 */
#include "preload/cuda_ring.h"

uint64_t ekka_ring_round(uint64_t bytes)
{
	return bytes == 0 ? EKKA_RING_ALIGN : (bytes + EKKA_RING_ALIGN - 1) / EKKA_RING_ALIGN * EKKA_RING_ALIGN;
}

void ekka_ring_init(struct ekka_ring *ring, uint64_t bytes)
{
	ring->bytes = bytes / EKKA_RING_ALIGN * EKKA_RING_ALIGN;
	ring->head = ring->tail = 0;
	ring->first = ring->n = 0;
}

bool ekka_ring_could_fit(const struct ekka_ring *ring, uint64_t bytes)
{
	return bytes <= ring->bytes;
}

int ekka_ring_take(struct ekka_ring *ring, uint64_t bytes, uint64_t *ret_offset)
{
	uint64_t at, pad = 0;
	unsigned slot;

	if (bytes > ring->bytes || ring->n == EKKA_RING_SLOTS)
		return -1;
	bytes = ekka_ring_round(bytes);
	if (ring->n == 0)	/* empty: start over, so that a range as large as the slab fits */
		ring->head = ring->tail = 0;
	at = ring->bytes ? ring->head % ring->bytes : 0;
	if (at + bytes > ring->bytes) {	/* does not fit before the slab's end: skip to its start */
		pad = ring->bytes - at;
		at = 0;
	}
	if (ring->head + pad + bytes - ring->tail > ring->bytes)
		return -1;
	ring->head += pad + bytes;
	slot = (ring->first + ring->n++) % EKKA_RING_SLOTS;
	ring->slot[slot].end = ring->head;
	ring->slot[slot].released = false;
	*ret_offset = at;
	return (int)slot;
}

void ekka_ring_release(struct ekka_ring *ring, int slot)
{
	ring->slot[slot].released = true;
	while (ring->n > 0 && ring->slot[ring->first].released) {
		ring->tail = ring->slot[ring->first].end;
		ring->first = (ring->first + 1) % EKKA_RING_SLOTS;
		ring->n--;
	}
}
