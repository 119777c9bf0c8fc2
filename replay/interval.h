/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map from byte ranges to numbers, where a later range replaces what it covers of earlier ones. A treap: every operation is
 * O(log n) expected, whatever the order of ranges. Not shared between threads.
 */
#ifndef EKKA_REPLAY_INTERVAL_H
#define EKKA_REPLAY_INTERVAL_H

#include <stdint.h>

struct ekka_interval_map { struct ekka_interval_node *root; uint64_t random; };

/* One piece of the map: bytes [start, end) belong to `value`. */
struct ekka_interval { uint64_t start, end, value; };

/* Gives [start, end) to `value`; nothing when it is empty. 0, or -1 when there is no memory (the map is then unchanged). */
int ekka_interval_set(struct ekka_interval_map *, uint64_t start, uint64_t end, uint64_t value);

/*
 * Calls fn for every piece that overlaps [start, end), in order of addresses and cut to it, until it returns non-zero; returns that, or 0.
 * Bytes that belong to nobody are in no piece.
 */
int ekka_interval_each(const struct ekka_interval_map *, uint64_t start, uint64_t end,
		       int (*fn)(void *arg, const struct ekka_interval *), void *arg);

void ekka_interval_release(struct ekka_interval_map *);	/* zeroed or filled; zeroed afterwards */

#endif
