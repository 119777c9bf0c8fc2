/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rounding to narrower types as an interval: where an engine rounds an intermediate value, its own error decides between two neighbours only
 * near the middle between them. Pure functions.
 */
#ifndef EKKA_REPLAY_NARROW_H
#define EKKA_REPLAY_NARROW_H

#include "replay/near.h"
#include "trace/model.h"

/* Largest finite number, and the smallest normal one, below which engines may flush to 0 (binary16 and FP8: smallest subnormal). */
double ekka_dtype_largest(enum ekka_dtype);
double ekka_dtype_tiny(enum ekka_dtype);

/* To the nearest number of a floating type, ties to even; beyond the largest, infinity. Integer types and f64: x itself. */
double ekka_narrow(enum ekka_dtype, double x);

/*
 * Where a number within x.error of x.value lies after it was rounded: the error is 0 when both ends of the interval
 * round to the same number.
 */
struct ekka_near ekka_narrow_near(enum ekka_dtype, struct ekka_near x);

#endif
