/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EKKA_CLONES: compiles a hot loop also for AVX2 and AVX-512 machines, chosen at load time by what the CPU can do. (By "arch=" the
 * choice would be by model: most Xeons and every AMD would get the slow one.)
 * Sanitized builds go without: their runtime is not up yet when the choice is made.
 */
#ifndef EKKA_COMPARE_CLONES_H
#define EKKA_COMPARE_CLONES_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define EKKA_CLONES __attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3")))
#else
#define EKKA_CLONES
#endif

#endif
