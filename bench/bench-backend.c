/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-backend N THREADS: recomputes every element of a right product of N x N matrices in bf16, once on the CPU with that many threads and, if there is one, on the
 * GPU with the same threads for what is left to them. Prints the seconds of both, "-" without a GPU. Fails when the verdicts differ.
 */
#include "bench/bench.h"
#include "replay/backend.h"
#include "replay/gemm.h"
#include "replay/team.h"

#include <cblas.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 3, MOST_THREADS = 64 };

static struct ekka_team team = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
static bool over;

static void *help(void *arg)
{
	pthread_mutex_lock(&team.lock);
	while (!over)
		if (!ekka_team_help(&team))
			pthread_cond_wait(&team.changed, &team.lock);
	pthread_mutex_unlock(&team.lock);
	return arg;
}

static int matrix(struct ekka_matrix *m, enum ekka_dtype dtype, const void *data, int n, struct ekka_error *err)
{
	struct ekka_tensor t = { .dtype = dtype, .n_dims = 2, .dim = { n, n }, .stride = { n, 1 }, .alias_of = -1 };

	if (ekka_matrix_init(m, &t, (uint64_t)n * (uint64_t)n * ekka_dtype_bytes(dtype), err) != 0)
		return -1;
	m->bytes = data;
	return 0;
}

static double judge(int n, const uint16_t *a, const float *c, struct ekka_backend *backend, struct ekka_verdict *v)
{
	struct ekka_bound_facts facts = { .a = EKKA_BF16, .b = EKKA_BF16, .out = EKKA_F32, .k = n, .compute = -1, .math = -1 };
	struct ekka_gemm g = { .m = n, .n = n, .k = n, .batch = 1, .has_product = true, .alpha = { 1 }, .output = "C" };
	struct ekka_gemm_options o = { .exact = true, .memory_bytes = (uint64_t)4 << 30, .team = &team, .backend = backend };
	struct ekka_error err = { 0 };
	uint64_t start = bench_ns(CLOCK_MONOTONIC);

	if (matrix(&g.a, EKKA_BF16, a, n, &err) || matrix(&g.b, EKKA_BF16, a, n, &err) || matrix(&g.c, EKKA_F32, c, n, &err) ||
	    ekka_bound_model_init(&g.model, &facts) != 0 || ekka_gemm_judge(&g, &o, v, &err) != 0) {
		fprintf(stderr, "bench-backend: %s\n", err.message);
		exit(1);
	}
	return (double)(bench_ns(CLOCK_MONOTONIC) - start) * 1e-9;
}

/* A matrix all rows of which are one period: the product's rows are known without a product. */
static void fill(int n, uint16_t *a, float *c)
{
	double *value = malloc((size_t)n * sizeof *value), sum = 0;

	for (int k = 0; value && k < n; k++) {
		float x = 0.5F + (float)(k * 37 % 128) / 256;
		uint32_t bits;

		memcpy(&bits, &x, sizeof bits);
		for (int i = 0; i < n; i++)
			a[(size_t)i * (size_t)n + (size_t)k] = (uint16_t)(bits >> 16);
		bits &= 0xffff0000U;
		memcpy(&x, &bits, sizeof x);
		value[k] = x;
		sum += x;
	}
	for (size_t e = 0; value && e < (size_t)n * (size_t)n; e++)
		c[e] = (float)(sum * value[e % (size_t)n]);
	free(value);
}

static double best(int n, const uint16_t *a, const float *c, struct ekka_backend *backend, struct ekka_verdict *v)
{
	double seconds[ROUNDS];

	for (int r = 0; r < ROUNDS; r++)
		seconds[r] = judge(n, a, c, backend, v);
	return bench_median(seconds, ROUNDS);
}

int main(int argc, char **argv)
{
	int n = argc == 3 ? atoi(argv[1]) : 0, threads = argc == 3 ? atoi(argv[2]) : 0;
	size_t elems = (size_t)n * (size_t)n;
	uint16_t *a = malloc(elems * sizeof *a);
	float *c = malloc(elems * sizeof *c);
	struct ekka_verdict cpu = { 0 }, gpu = { 0 };
	struct ekka_error err = { 0 };
	struct ekka_backend *backend;
	pthread_t thread[MOST_THREADS];
	int started = 0;

	if (n <= 0 || threads <= 0 || threads > MOST_THREADS || !a || !c) {
		fprintf(stderr, "usage: bench-backend N THREADS\n");
		return 2;
	}
	team.threads = (unsigned)threads;
	while (started + 1 < threads && pthread_create(&thread[started], NULL, help, NULL) == 0)
		started++;
	openblas_set_num_threads(1);	/* as replay does: the threads are the team's */
	fill(n, a, c);
	printf("%.3f ", best(n, a, c, NULL, &cpu));
	backend = ekka_gpu_open(EKKA_GPU_ALWAYS, &err);
	if (backend) {
		printf("%.3f %s, margins %.9g and %.9g\n", best(n, a, c, backend, &gpu), backend->name, cpu.margin, gpu.margin);
		backend->close(backend);
	} else {
		printf("- (%s)\n", err.message);
	}
	pthread_mutex_lock(&team.lock);
	over = true;
	pthread_cond_broadcast(&team.changed);
	pthread_mutex_unlock(&team.lock);
	while (started > 0)
		pthread_join(thread[--started], NULL);
	return cpu.status != EKKA_PASS || (backend && (gpu.status != cpu.status || gpu.n_elements != cpu.n_elements));
}
