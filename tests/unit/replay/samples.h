/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers made up for tests of row-wise ops, in any real type, and the sums that engines form of them in f32. */
#ifndef EKKA_TESTS_SAMPLES_H
#define EKKA_TESTS_SAMPLES_H

#include "trace/model.h"

enum data { GAUSS, ABOVE_ZERO, BADLY_SCALED, FAR_FROM_ZERO, DATA_KINDS };

/* n elements of memory, zeroed; released with free(). */
void *samples_new(enum ekka_dtype t, int64_t n);

/* Element i, rounded to nearest even; read back exactly. */
void samples_put(enum ekka_dtype t, void *bytes, int64_t i, double v);
double samples_get(enum ekka_dtype t, const void *bytes, int64_t i);

/* Fills with random numbers whose largest magnitude is some multiple of `scale`. */
void samples_fill(enum ekka_dtype t, void *bytes, int64_t n, enum data kind, double scale, uint64_t seed);

/* The next number in the type away from zero, in magnitude `steps` further: the lowest bits flipped. */
void samples_nudge(enum ekka_dtype t, void *bytes, int64_t i, int steps);

enum order { FORWARD, BACKWARD, BY_PAIRS, STRIDED, ORDERS };

/* Sum of n floats in f32; float and double arithmetic is the machine's own. */
float samples_sum(int64_t n, const float *x, enum order order);

#endif
