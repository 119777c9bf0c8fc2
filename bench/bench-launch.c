/* SPDX-License-Identifier: Apache-2.0 */
/* bench-launch LAUNCHES ROUNDS: prints bench/launches.h's figure. */
#include "bench/launches.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	long launches = argc > 2 ? atol(argv[1]) : 0, rounds = argc > 2 ? atol(argv[2]) : 0;

	if (launches <= 0 || rounds <= 0) {
		fprintf(stderr, "usage: bench-launch LAUNCHES ROUNDS\n");
		return 2;
	}
	printf("%.0f\n", bench_launch(launches, rounds));
	return 0;
}
