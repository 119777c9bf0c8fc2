/* SPDX-License-Identifier: Apache-2.0 */
/* bench-gemm CALLS ROUNDS: ns of a real 64x64x64 sgemm, median over rounds: what the shim's nanoseconds are to be compared with. */
#include "bench/bench.h"

#include <cblas.h>
#include <stdio.h>

enum { N = 64 };

int main(int argc, char **argv)
{
	static float a[N * N], b[N * N], c[N * N];
	long calls = argc > 2 ? atol(argv[1]) : 0, rounds = argc > 2 ? atol(argv[2]) : 0;
	double *ns = calloc(rounds > 0 ? (size_t)rounds : 1, sizeof(*ns));
	uint64_t seed = 1;

	if (calls <= 0 || rounds <= 0 || !ns) {
		fprintf(stderr, "usage: bench-gemm CALLS ROUNDS\n");
		return 2;
	}
	bench_fill(a, N * N, &seed);
	bench_fill(b, N * N, &seed);
	for (long r = 0; r < rounds; r++) {
		uint64_t start = bench_ns(CLOCK_MONOTONIC);

		for (long i = 0; i < calls; i++)
			cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, a, N, b, N, 0, c, N);
		ns[r] = (double)(bench_ns(CLOCK_MONOTONIC) - start) / (double)calls;
	}
	printf("%.1f\n", bench_median(ns, (size_t)rounds));
	return 0;
}
