/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-screen TYPE N THREADS: each thread judges a right product of N x N matrices in memory, as replay does, the second one transposed as engines have it; TYPE is
 * f32, bf16 or f16. Prints the GB of operands and outputs judged per second. Fails when the screen did not do: then something else was measured.
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
	enum ekka_dtype dtype;
	void *data;			/* A, B, C one after another */
	uint64_t start[ROUNDS], end[ROUNDS];
	int failed;
	char why[EKKA_TEXT];
};

/* Operand `index` of the three. */
static int square(struct ekka_matrix *m, const struct worker *w, int index, struct ekka_error *err)
{
	struct ekka_tensor t = { .dtype = w->dtype, .n_dims = 2, .dim = { w->n, w->n }, .stride = { index == 1 ? 1 : w->n, index == 1 ? w->n : 1 }, .alias_of = -1 };
	uint64_t bytes = (uint64_t)w->n * (uint64_t)w->n * ekka_dtype_bytes(w->dtype);

	if (ekka_matrix_init(m, &t, bytes, err) != 0)
		return -1;
	m->bytes = (const unsigned char *)w->data + (uint64_t)index * bytes;
	return 0;
}

static int judge(struct worker *w)
{
	struct ekka_bound_facts facts = { .a = w->dtype, .b = w->dtype, .out = w->dtype, .k = w->n, .compute = -1, .math = -1 };
	struct ekka_gemm g = { .m = w->n, .n = w->n, .k = w->n, .batch = 1, .has_product = true, .alpha = { 1 }, .output = "C" };
	struct ekka_gemm_options options = { 0 };
	struct ekka_verdict verdict = { 0 };
	struct ekka_error err = { 0 };
	int r = square(&g.a, w, 0, &err) | square(&g.b, w, 1, &err) | square(&g.c, w, 2, &err);

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

/* To nearest even; of numbers that are finite and no subnormals. */
static uint16_t narrow(enum ekka_dtype t, float v)
{
	int drop = t == EKKA_BF16 ? 16 : 13;
	uint32_t u;

	memcpy(&u, &v, sizeof u);
	u += (1u << (drop - 1)) - 1 + (u >> drop & 1);
	if (t == EKKA_BF16)
		return (uint16_t)(u >> 16);
	return (uint16_t)((u >> 16 & 0x8000) | ((u & 0x7fffffff) < 0x38800000u ? 0 : ((u & 0x7fffffff) - 0x38000000u) >> 13));
}

static float widen(enum ekka_dtype t, uint16_t h)
{
	uint32_t u = t == EKKA_BF16 ? (uint32_t)h << 16 : (uint32_t)(h & 0x8000) << 16 | (h & 0x7fff ? ((uint32_t)(h & 0x7fff) << 13) + 0x38000000u : 0);
	float v;

	memcpy(&v, &u, sizeof v);
	return v;
}

static int prepare(struct worker *w, enum ekka_dtype dtype, int n, pthread_barrier_t *barrier, uint64_t seed)
{
	size_t elems = (size_t)n * (size_t)n;
	float *data = malloc(3 * elems * sizeof *data);
	uint16_t *half = dtype == EKKA_F32 ? NULL : malloc(3 * elems * sizeof *half);

	w->n = n;
	w->barrier = barrier;
	w->dtype = dtype;
	w->data = half ? (void *)half : data;
	if (!data || (dtype != EKKA_F32 && !half))
		return -1;
	bench_fill(data, 2 * elems, &seed);
	for (size_t i = 0; half && i < 2 * elems; i++)
		data[i] = widen(dtype, half[i] = narrow(dtype, data[i]));
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, n, n, 1, data, n, data + elems, n, 0, data + 2 * elems, n);
	for (size_t i = 2 * elems; half && i < 3 * elems; i++)
		half[i] = narrow(dtype, data[i]);
	if (half)
		free(data);
	return 0;
}

int main(int argc, char **argv)
{
	int n = argc == 4 ? atoi(argv[2]) : 0, threads = argc == 4 ? atoi(argv[3]) : 0;
	enum ekka_dtype dtype = EKKA_F32;
	struct worker *w = calloc(threads > 0 ? (size_t)threads : 1, sizeof(*w));
	pthread_barrier_t barrier;
	double rate[ROUNDS];

	if (n <= 0 || threads <= 0 || !w || ekka_dtype_from_name(argv[1], &dtype) != 0 || (dtype != EKKA_F32 && dtype != EKKA_BF16 && dtype != EKKA_F16) ||
	    pthread_barrier_init(&barrier, NULL, (unsigned)threads) != 0) {
		fprintf(stderr, "usage: bench-screen f32|bf16|f16 N THREADS\n");
		return 2;
	}
	for (int i = 0; i < threads; i++)
		if (prepare(&w[i], dtype, n, &barrier, (uint64_t)i + 1) != 0)
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
		rate[r] = 3.0 * (double)ekka_dtype_bytes(dtype) * n * n * threads / (double)(last - first);
	}
	printf("%.3f\n", bench_median(rate, ROUNDS));
	return 0;
}
