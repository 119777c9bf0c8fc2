/* SPDX-License-Identifier: Apache-2.0 */
/* bench-cache-device TOKENS: bench/cache.h on the fake machine (tests/fake), by cuBLAS; prints ns per token. */
#include "bench/bench.h"
#include "bench/cache.h"

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <stdio.h>

static void check(int status, const char *what)
{
	if (status == 0)
		return;
	fprintf(stderr, "bench-cache-device: %s: %d\n", what, status);
	exit(1);
}

/* n floats on the device, copied from fresh values. */
static float *to_device(size_t n, uint64_t *seed)
{
	float *host = malloc(n * sizeof(*host));
	void *p = NULL;

	check(host ? 0 : 1, "malloc");
	bench_fill(host, n, seed);
	check(cudaMalloc(&p, n * sizeof(*host)), "cudaMalloc");
	check(cudaMemcpy(p, host, n * sizeof(*host), cudaMemcpyHostToDevice), "cudaMemcpy");
	free(host);
	return p;
}

int main(int argc, char **argv)
{
	long tokens = argc > 1 ? atol(argv[1]) : 0;
	const float one = 1, zero = 0;
	static float x_host[HEADS * HIDDEN];
	float *cache, *x, *w, *q, *scores;
	cublasHandle_t handle;
	uint64_t seed = 1, start;

	if (tokens <= 0 || tokens > POSITIONS) {
		fprintf(stderr, "usage: bench-cache-device TOKENS\n");
		return 2;
	}
	check(cublasCreate(&handle), "cublasCreate");
	cache = to_device(CACHE, &seed);
	x = to_device(HEADS * HIDDEN, &seed);
	w = to_device(HIDDEN * DIM, &seed);
	q = to_device(DIM, &seed);
	scores = to_device((size_t)HEADS * POSITIONS, &seed);
	start = bench_ns(CLOCK_MONOTONIC);
	for (long t = 0; t < tokens; t++) {
		bench_fill(x_host, HEADS * HIDDEN, &seed);
		check(cudaMemcpy(x, x_host, sizeof(x_host), cudaMemcpyHostToDevice), "cudaMemcpy");
		/* Columns are what rows are in bench-cache.c. */
		check(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, DIM, HEADS, HIDDEN, &one, w, DIM, x, HIDDEN, &zero, cache + t * DIM,
				  POSITIONS * DIM), "cublasSgemm");
		check(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 1, HEADS * POSITIONS, DIM, &one, q, 1, cache, DIM, &zero, scores, 1), "cublasSgemm");
	}
	check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
	printf("%.0f\n", (double)(bench_ns(CLOCK_MONOTONIC) - start) / (double)tokens);
	return 0;
}
