/* SPDX-License-Identifier: Apache-2.0 */
/* bench-cache TOKENS: bench/cache.h on the CPU; prints ns per token. */
#include "bench/bench.h"
#include "bench/cache.h"

#include <cblas.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	static float cache[CACHE], x[HEADS * HIDDEN], w[HIDDEN * DIM], q[DIM], scores[HEADS * POSITIONS];
	long tokens = argc > 1 ? atol(argv[1]) : 0;
	uint64_t seed = 1, start;

	if (tokens <= 0 || tokens > POSITIONS) {
		fprintf(stderr, "usage: bench-cache TOKENS\n");
		return 2;
	}
	bench_fill(cache, CACHE, &seed);
	bench_fill(w, HIDDEN * DIM, &seed);
	bench_fill(q, DIM, &seed);
	start = bench_ns(CLOCK_MONOTONIC);
	for (long t = 0; t < tokens; t++) {
		bench_fill(x, HEADS * HIDDEN, &seed);
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, HEADS, DIM, HIDDEN, 1, x, HIDDEN, w, DIM, 0, cache + t * DIM, POSITIONS * DIM);
		cblas_sgemv(CblasRowMajor, CblasNoTrans, HEADS * POSITIONS, DIM, 1, cache, DIM, q, 1, 0, scores, 1);
	}
	printf("%.0f\n", (double)(bench_ns(CLOCK_MONOTONIC) - start) / (double)tokens);
	return 0;
}
