/* SPDX-License-Identifier: Apache-2.0 */
/* bench-copy: this machine's memory copy bandwidth with a thread per core, GB/s counting bytes read and bytes written. */
#include "bench/bench.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 7 };
static const size_t bytes = 256u << 20;	/* per thread, beyond any cache */

static pthread_barrier_t barrier;

struct worker {
	pthread_t thread;
	uint64_t start[ROUNDS], end[ROUNDS];
	int failed;
};

static void *copy(void *arg)
{
	struct worker *w = arg;
	char *from = malloc(bytes), *to = malloc(bytes);

	w->failed = !from || !to;
	if (!w->failed) {
		memset(from, 1, bytes);
		memset(to, 2, bytes);
	}
	for (int r = 0; r < ROUNDS; r++) {
		pthread_barrier_wait(&barrier);
		w->start[r] = bench_ns(CLOCK_MONOTONIC);
		if (!w->failed)
			memcpy(to, from, bytes);
		w->end[r] = bench_ns(CLOCK_MONOTONIC);
	}
	free(from);
	free(to);
	return NULL;
}

int main(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct worker *workers = calloc((size_t)cores, sizeof(*workers));
	double rate[ROUNDS];
	int failed = 0;

	if (!workers || pthread_barrier_init(&barrier, NULL, (unsigned)cores) != 0)
		return 1;
	for (long i = 0; i < cores; i++)
		if (pthread_create(&workers[i].thread, NULL, copy, &workers[i]) != 0)
			return 1;
	for (long i = 0; i < cores; i++) {
		pthread_join(workers[i].thread, NULL);
		failed |= workers[i].failed;
	}
	for (int r = 0; r < ROUNDS; r++) {
		uint64_t first = UINT64_MAX, last = 0;

		for (long i = 0; i < cores; i++) {
			first = workers[i].start[r] < first ? workers[i].start[r] : first;
			last = workers[i].end[r] > last ? workers[i].end[r] : last;
		}
		rate[r] = 2.0 * (double)bytes * (double)cores / (double)(last - first);
	}
	printf("%ld %.2f\n", cores, bench_median(rate, ROUNDS));
	free(workers);
	return failed;
}
