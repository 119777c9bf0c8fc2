/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signed_sum.h's loops written out for AVX-512, which compilers get at by half (they convert 16-bit numbers in quarters of a
 * register). Of f32, f16 and bf16 only; where ekka_sums_wide() says no, the portable loops do the same. Pure functions.
 */
#ifndef EKKA_REPLAY_SIGNED_SUM_WIDE_H
#define EKKA_REPLAY_SIGNED_SUM_WIDE_H

#include "replay/signed_sum.h"

/* Has this processor what it takes, and is this a type for it. */
bool ekka_sums_wide(enum ekka_dtype);

/*
 * As ekka_signed_sums without sums of squares: of rows whose columns lie one behind another, of rows that do themselves, both with lines
 * `ld` elements apart. Powers of two are squared in float, those of f32 too: beyond 2^64 that overflows.
 */
void ekka_sums_wide_by_rows(enum ekka_dtype, const void *v, int64_t ld, int64_t rows, const struct ekka_sum_blocks *);
void ekka_sums_wide_by_columns(enum ekka_dtype, const void *v, int64_t ld, int64_t rows, const struct ekka_sum_blocks *);

/* line[i] = signed sum of row i of n columns; line is of doubles for f32, of floats for 16-bit types. */
void ekka_sums_wide_line(enum ekka_dtype, const void *v, int64_t ld, int64_t rows, int64_t n, const double *sign, void *line);

#endif
