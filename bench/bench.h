/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks and medians for the benchmark programs. */
#ifndef EKKA_BENCH_BENCH_H
#define EKKA_BENCH_BENCH_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t bench_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline int bench_order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median of n > 0 values; sorts them. */
static inline double bench_median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), bench_order);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* Fills n floats with values between -1 and 1, all different from run to run of `seed`. */
static inline void bench_fill(float *p, size_t n, uint64_t *seed)
{
	for (size_t i = 0; i < n; i++) {
		*seed = *seed * 6364136223846793005u + 1442695040888963407u;
		p[i] = (float)(int32_t)(*seed >> 32) * 0x1p-31f;
	}
}

#endif
