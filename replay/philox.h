/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011), with cuRAND's use of
 * it: the 128-bit counter is a thread's subsequence (high half) and its block of four words (low half), the key is the seed.
 */
#ifndef EKKA_REPLAY_PHILOX_H
#define EKKA_REPLAY_PHILOX_H

#include <stddef.h>
#include <stdint.h>

enum { EKKA_PHILOX_BLOCKS = 256 };

/* Four words of each of n <= EKKA_PHILOX_BLOCKS counters; word w of counter i is ret[w][i]. Pure. */
void ekka_philox(uint64_t key, size_t n, const uint64_t *low, const uint64_t *high, uint32_t ret[4][EKKA_PHILOX_BLOCKS]);

#endif
