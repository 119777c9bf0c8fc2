/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which bytes were last seen at a place in memory, and where they are stored. Zone: inside the host process. Only one thread changes it, and
 * while it does nobody else looks.
 *
 * Memory is looked at in pieces that begin at multiples of EKKA_PIECE_BYTES, so that two tensors that are views of the same memory share them; the
 * first and the last piece of a tensor may be shorter. A table of fixed size: a piece that gives way to another one, or that finds no memory, is stored again.
 */
#ifndef EKKA_PRELOAD_PLACES_H
#define EKKA_PRELOAD_PLACES_H

#include <stdbool.h>
#include <stdint.h>

enum { EKKA_PIECE_BYTES = 4096 };

/* What is at a place, and where it is stored: `bytes` bytes from byte `from` of the chunk whose frame begins at `at` of the blobs file. */
struct ekka_piece {
	uint64_t addr;
	uint64_t hash;			/* of the bytes: ekka_check64 */
	uint64_t at;
	uint32_t from;
	uint32_t bytes;			/* 0: nothing is known */
};

/* What is stored of the bytes at addr; NULL when they are not the `bytes` bytes with that hash. */
const struct ekka_piece *ekka_places_find(uint64_t addr, uint32_t bytes, uint64_t hash);

/*
 * Counts a visit to the memory at addr, of up to 1 MiB: is it time to look for what is stored of it? Looking takes a hash of all bytes, which is for nothing where memory is seen once,
 * as weights are, or always with other bytes, as activations are: not at the first visit, then at those numbered 1, 2, 4... from the last one
 * that ekka_places_useful was told of, but at every 32nd at least.
 */
bool ekka_places_due(uint64_t addr);
void ekka_places_useful(uint64_t addr);

void ekka_places_note(const struct ekka_piece *);

void ekka_places_clear(void);		/* another blobs file */

#endif
