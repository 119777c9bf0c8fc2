/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-call BATCH ROUNDS seen|fresh: ns of one call of a 64x64x64 sgemm that computes nothing, unwrapped and (under
 * the shim) wrapped. Rounds of BATCH calls of either kind alternate; prints both medians. With `fresh` an element of A
 * differs in every call, so that no bytes have been seen before.
 */
#include "bench/bench.h"

#include <cblas.h>
#include <stdio.h>
#include <string.h>

enum { N = 64 };

extern void bench_sgemm(CBLAS_LAYOUT, CBLAS_TRANSPOSE, CBLAS_TRANSPOSE, blasint, blasint, blasint, float, const float *, blasint,
			const float *, blasint, float, float *, blasint);

static float a[N * N], b[N * N], c[N * N];

static double plain_round(long calls, float fresh)
{
	uint64_t start = bench_ns(CLOCK_MONOTONIC);

	for (long i = 0; i < calls; i++) {
		a[0] += fresh;
		bench_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, a, N, b, N, 0, c, N);
	}
	return (double)(bench_ns(CLOCK_MONOTONIC) - start) / (double)calls;
}

static double wrapped_round(long calls, float fresh)
{
	uint64_t start = bench_ns(CLOCK_MONOTONIC);

	for (long i = 0; i < calls; i++) {
		a[0] += fresh;
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, a, N, b, N, 0, c, N);
	}
	return (double)(bench_ns(CLOCK_MONOTONIC) - start) / (double)calls;
}

int main(int argc, char **argv)
{
	long calls = argc > 3 ? atol(argv[1]) : 0, rounds = argc > 3 ? atol(argv[2]) : 0;
	float fresh = argc > 3 && strcmp(argv[3], "fresh") == 0 ? 1.0f : 0.0f;
	double *plain = calloc(rounds > 0 ? (size_t)rounds : 1, sizeof(*plain));
	double *wrapped = calloc(rounds > 0 ? (size_t)rounds : 1, sizeof(*wrapped));
	uint64_t seed = 1;

	if (calls <= 0 || rounds <= 0 || !plain || !wrapped) {
		fprintf(stderr, "usage: bench-call CALLS ROUNDS seen|fresh\n");
		return 2;
	}
	bench_fill(a, N * N, &seed);
	bench_fill(b, N * N, &seed);
	plain_round(calls, fresh);
	wrapped_round(calls, fresh);
	for (long r = 0; r < rounds; r++) {
		plain[r] = plain_round(calls, fresh);
		wrapped[r] = wrapped_round(calls, fresh);
	}
	printf("%.1f %.1f\n", bench_median(plain, (size_t)rounds), bench_median(wrapped, (size_t)rounds));
	return 0;
}
