/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-capture MIB call|FILE: hands MIB mebibytes of fresh fp32 data, 4 MiB at a time, to a product that computes nothing (whose
 * inputs the shim records), or writes the same bytes to FILE. Prints CLOCK_REALTIME in ns when the data are ready:
 * what the caller measures from there to the end of the process includes everything the shim still has to write.
 */
#include "bench/bench.h"

#include <cblas.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { N = 1024, PIECE = N * N };	/* floats: 4 MiB */

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n < 1 << 20 ? n : 1 << 20);

		if (done <= 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

int main(int argc, char **argv)
{
	size_t pieces = argc > 2 ? (size_t)atol(argv[1]) / 4 : 0;
	float *data = malloc(pieces * PIECE * sizeof(*data)), *weights = malloc(PIECE * sizeof(*data));
	float *out = calloc(PIECE, sizeof(*out));
	uint64_t seed = 1;
	int fd = -1;

	if (pieces == 0 || !data || !weights || !out) {
		fprintf(stderr, "usage: bench-capture MIB call|FILE\n");
		return 2;
	}
	bench_fill(data, pieces * PIECE, &seed);
	bench_fill(weights, PIECE, &seed);
	if (strcmp(argv[2], "call") != 0) {
		fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (fd < 0) {
			perror(argv[2]);
			return 1;
		}
	}
	printf("%llu\n", (unsigned long long)bench_ns(CLOCK_REALTIME));
	fflush(stdout);
	for (size_t i = 0; i < pieces; i++) {
		const float *piece = data + i * PIECE;

		if (fd < 0)
			cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, piece, N, weights, N, 0, out, N);
		else if (write_all(fd, (const char *)piece, PIECE * sizeof(*piece)) != 0) {
			perror(argv[2]);
			return 1;
		}
	}
	return 0;
}
