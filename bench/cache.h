/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A KV-cache of 4 MiB, [heads, positions, dim] in f32, as an engine writes and reads it: at each token one product writes a position of every head, one
 * in 1024 rows of 512 bytes, and another one reads all of the cache.
 */
#ifndef EKKA_BENCH_CACHE_H
#define EKKA_BENCH_CACHE_H

enum { HEADS = 8, POSITIONS = 1024, DIM = 128, HIDDEN = 512, CACHE = HEADS * POSITIONS * DIM };

#endif
