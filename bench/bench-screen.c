/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-screen N THREADS: each thread judges a right fp32 product of N x N matrices in memory, as replay does; prints the GB of operands
 * and outputs judged per second. Fails when the screen did not do: then something else was measured.
 */
#include "bench/bench.h"
#include "replay/gemm.h"

#include <cblas.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 5 };

struct worker {
	pthread_t thread;
	pthread_barrier_t *barrier;
	int n;
	float *data;			/* A, B, C one after another */
	uint64_t start[ROUNDS], end[ROUNDS];
	int failed;
	char why[EKKA_TEXT];
};

static int square(struct ekka_matrix *m, const float *data, int n, struct ekka_error *err)
{
	struct ekka_tensor t = { .dtype = EKKA_F32, .n_dims = 2, .dim = { n, n }, .stride = { n, 1 }, .alias_of = -1 };
	uint64_t bytes = (uint64_t)n * (uint64_t)n * sizeof(*data);

	if (ekka_matrix_init(m, &t, bytes, err) != 0)
		return -1;
	m->bytes = (const unsigned char *)data;
	return 0;
}

static int judge(struct worker *w)
{
	size_t elems = (size_t)w->n * (size_t)w->n;
	struct ekka_bound_facts facts = { .a = EKKA_F32, .b = EKKA_F32, .out = EKKA_F32, .k = w->n, .compute = -1, .math = -1 };
	struct ekka_gemm g = { .m = w->n, .n = w->n, .k = w->n, .batch = 1, .has_product = true, .alpha = { 1 }, .output = "C" };
	struct ekka_gemm_options options = { 0 };
	struct ekka_verdict verdict = { 0 };
	struct ekka_error err = { 0 };
	int r = square(&g.a, w->data, w->n, &err) | square(&g.b, w->data + elems, w->n, &err) |
		square(&g.c, w->data + 2 * elems, w->n, &err);

	if (r == 0 && ekka_bound_model_init(&g.model, &facts) == 0)
		r = ekka_gemm_judge(&g, &options, &verdict, &err);
	if (r != 0)
		snprintf(w->why, sizeof(w->why), "%s", err.message);
	else if (verdict.status != EKKA_PASS || !verdict.screened)
		snprintf(w->why, sizeof(w->why), "%s, %s", ekka_status_name(verdict.status),
			 verdict.screened ? "screened" : "not by the screen");
	ekka_matrix_release(&g.a);
	ekka_matrix_release(&g.b);
	ekka_matrix_release(&g.c);
	return w->why[0] ? -1 : 0;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (int r = 0; r < ROUNDS; r++) {
		pthread_barrier_wait(w->barrier);
		w->start[r] = bench_ns(CLOCK_MONOTONIC);
		w->failed |= judge(w);
		w->end[r] = bench_ns(CLOCK_MONOTONIC);
	}
	return NULL;
}

static int prepare(struct worker *w, int n, pthread_barrier_t *barrier, uint64_t seed)
{
	size_t elems = (size_t)n * (size_t)n;

	w->n = n;
	w->barrier = barrier;
	w->data = malloc(3 * elems * sizeof(*w->data));
	if (!w->data)
		return -1;
	bench_fill(w->data, 2 * elems, &seed);
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, w->data, n, w->data + elems, n, 0, w->data + 2 * elems, n);
	return 0;
}

int main(int argc, char **argv)
{
	int n = argc == 3 ? atoi(argv[1]) : 0, threads = argc == 3 ? atoi(argv[2]) : 0;
	struct worker *w = calloc(threads > 0 ? (size_t)threads : 1, sizeof(*w));
	pthread_barrier_t barrier;
	double rate[ROUNDS];

	if (n <= 0 || threads <= 0 || !w || pthread_barrier_init(&barrier, NULL, (unsigned)threads) != 0) {
		fprintf(stderr, "usage: bench-screen N THREADS\n");
		return 2;
	}
	for (int i = 0; i < threads; i++)
		if (prepare(&w[i], n, &barrier, (uint64_t)i + 1) != 0)
			return 1;
	for (int i = 0; i < threads; i++)
		if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
			return 1;
	for (int i = 0; i < threads; i++) {
		pthread_join(w[i].thread, NULL);
		if (w[i].failed) {
			fprintf(stderr, "bench-screen: %s\n", w[i].why);
			return 1;
		}
	}
	for (int r = 0; r < ROUNDS; r++) {
		uint64_t first = UINT64_MAX, last = 0;

		for (int i = 0; i < threads; i++) {
			first = w[i].start[r] < first ? w[i].start[r] : first;
			last = w[i].end[r] > last ? w[i].end[r] : last;
		}
		rate[r] = 12.0 * n * n * threads / (double)(last - first);
	}
	printf("%.3f\n", bench_median(rate, ROUNDS));
	return 0;
}
