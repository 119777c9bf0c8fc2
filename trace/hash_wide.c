/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/hash_wide.h"

#if defined(__x86_64__)

/* All headers that xxHash includes, before code generation is switched: their functions are not to be compiled for AVX2. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

#define XXH_INLINE_ALL
#define XXH_VECTOR 2	/* XXH_AVX2, a name that xxHash defines only later */
#include <xxhash.h>

uint64_t ekka_hash_wide64(const void *p, size_t n)
{
	return XXH3_64bits(p, n);
}

struct ekka_hash128 ekka_hash_wide128(const void *p, size_t n)
{
	XXH128_hash_t h = XXH3_128bits(p, n);

	return (struct ekka_hash128){ h.low64, h.high64 };
}

void ekka_hash_wide_update(void *state, const void *p, size_t n)
{
	(void)XXH3_128bits_update(state, p, n);
}

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

bool ekka_hash_wide(void)
{
	return __builtin_cpu_supports("avx2");
}

#endif
