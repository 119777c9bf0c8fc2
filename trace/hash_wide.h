/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hashing of trace/hash.c for processors with AVX2: the same results, nearly twice as fast. Private to trace/.
 * `state` is an XXH3_state_t. Only where ekka_hash_wide() is true.
 */
#ifndef EKKA_TRACE_HASH_WIDE_H
#define EKKA_TRACE_HASH_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ekka_hash128 { uint64_t low, high; };

#if defined(__x86_64__)
bool ekka_hash_wide(void);
uint64_t ekka_hash_wide64(const void *p, size_t n);
struct ekka_hash128 ekka_hash_wide128(const void *p, size_t n);
void ekka_hash_wide_update(void *state, const void *p, size_t n);
#else
static inline bool ekka_hash_wide(void) { return false; }
static inline uint64_t ekka_hash_wide64(const void *p, size_t n) { (void)p; return n; }
static inline struct ekka_hash128 ekka_hash_wide128(const void *p, size_t n) { (void)p; return (struct ekka_hash128){ n, 0 }; }
static inline void ekka_hash_wide_update(void *state, const void *p, size_t n) { (void)state; (void)p; (void)n; }
#endif

#endif
