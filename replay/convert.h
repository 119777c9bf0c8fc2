/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every element type of spec/dtypes.def to double. Exact, except that 64-bit
 * integers beyond 2^53 are rounded. NaN stays NaN (payload not kept), infinities and signed zeros stay.
 *
 * FP8 is OCP's: e4m3 is the "fn" form (no infinities, S.1111.111 is NaN, largest 448), e5m2 is IEEE-like.
 * Pure functions, safe from any thread.
 */
#ifndef EKKA_REPLAY_CONVERT_H
#define EKKA_REPLAY_CONVERT_H

#include "trace/model.h"

/*
 * Converts n elements, the first at src and then every `stride` elements (may be negative
 * or 0), into re[0..n-1] and, for complex types, im[0..n-1]; im is not touched for real types and may
 * then be NULL. src needs no alignment. The caller vouches for the range.
 */
void ekka_convert(enum ekka_dtype dtype, const void *src, int64_t stride, size_t n, double *re, double *im);

#endif
