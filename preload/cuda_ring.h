/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hands out ranges of one slab in ring order. Ranges may be given back in any order; room appears as the oldest ones are.
 * Pure bookkeeping: knows no memory, takes no lock (the owner does), never allocates.
 */
#ifndef EKKA_PRELOAD_CUDA_RING_H
#define EKKA_PRELOAD_CUDA_RING_H

#include <stdbool.h>
#include <stdint.h>

enum { EKKA_RING_SLOTS = 4096, EKKA_RING_ALIGN = 512 /* bytes; as cuMemAlloc aligns, so that copies stay fast */ };

struct ekka_ring {
	uint64_t bytes;				/* of the slab */
	uint64_t head, tail;			/* running offsets; used = head - tail, padding at the wrap included */
	unsigned first, n;			/* slots in use, oldest first */
	struct { uint64_t end; bool released; } slot[EKKA_RING_SLOTS];
};

void ekka_ring_init(struct ekka_ring *, uint64_t bytes);

/* What a range of `bytes` takes: the next one begins behind it, or at the slab's start. */
uint64_t ekka_ring_round(uint64_t bytes);

/* Takes `bytes` in one piece: the slot's number and the range's offset in the slab, or -1 when there is no room now. */
int ekka_ring_take(struct ekka_ring *, uint64_t bytes, uint64_t *ret_offset);
void ekka_ring_release(struct ekka_ring *, int slot);

/* Could `bytes` fit if the ring were empty. */
bool ekka_ring_could_fit(const struct ekka_ring *, uint64_t bytes);

#endif
