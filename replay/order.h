/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorting by keys: numbers as 64-bit integers in the same order, NaN above all (PyTorch's order), -0 equal to 0. Stable, no allocation, thread-safe.
 */
#ifndef EKKA_REPLAY_ORDER_H
#define EKKA_REPLAY_ORDER_H

#include <stddef.h>
#include <stdint.h>

struct ekka_keyed { uint64_t key; int64_t index; };

uint64_t ekka_order_key(double v);
uint64_t ekka_order_key_int(int64_t v);		/* signed */

/* Sorts n items by key, ascending; of equal keys the first stays first. `work`: room for n more. Linear: 11 bits at a time, those that differ. */
void ekka_order_sort(struct ekka_keyed *items, struct ekka_keyed *work, size_t n);

#endif
