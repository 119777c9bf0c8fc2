/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Graphs that engines run through cuDNN, each checked by the program itself: cudnn_attention.c, cudnn_convolution.c, cudnn_rows.c, and here products,
 * element by element, and one that nobody knows. A graph for which the library has no engine on this device is said to be skipped.
 */
#include "config.h"

#include "tests/gpu/cudnn_buffers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

cudnnHandle_t handle;
cudaStream_t stream;

/* ---- products, and a graph that nobody knows --------------------------- */

static int product(const void *what)
{
	const int with_bias = *(const int *)what;
	enum { B = 2, M = 48, N = 32, K = 64 };
	int64_t da[] = { B, M, K }, db[] = { B, K, N }, dc[] = { B, M, N }, dbias[] = { 1, 1, N };
	struct buffer a = buffer_new(CUDA_R_16BF, B * M * K), b = buffer_new(CUDA_R_16BF, B * K * N), c = buffer_new(CUDA_R_16BF, B * M * N);
	struct buffer bias = buffer_new(CUDA_R_16BF, N);
	struct graph g = { 0 };
	int wrong = 0, t_a = graph_tensor(&g, CUDNN_DATA_BFLOAT16, 3, da, NULL, a.device);
	int t_b = graph_tensor(&g, CUDNN_DATA_BFLOAT16, 3, db, NULL, b.device), t_c = graph_tensor(&g, CUDNN_DATA_BFLOAT16, 3, dc, NULL, c.device);

	if (with_bias) {
		int t = graph_matmul(&g, t_a, t_b, graph_tensor(&g, CUDNN_DATA_FLOAT, 3, dc, NULL, NULL));

		(void)graph_pointwise(&g, CUDNN_POINTWISE_ADD, t, graph_tensor(&g, CUDNN_DATA_BFLOAT16, 3, dbias, NULL, bias.device), -1, t_c, 1, 0);
	} else {
		(void)graph_matmul(&g, t_a, t_b, t_c);
	}
	if (graph_build(&g) != 0)
		return -1;
	graph_run(&g);
	buffer_fetch(&c);
	for (int64_t i = 0; i < c.n && wrong == 0; i++) {
		double sum = with_bias ? buffer_at(&bias, i % N) : 0;

		for (int64_t k = 0; k < K; k++)
			sum += buffer_at(&a, i / N * K + k) * buffer_at(&b, i / (M * N) * K * N + k * N + i % N);
		wrong += compare("c", buffer_at(&c, i), sum, 2e-2);
	}
	graph_release(&g);
	RELEASE(&a, &b, &c, &bias);
	return wrong;
}

static int absolute(const void *what)
{
	int64_t dim[] = { 4, 8, 16 };
	struct buffer x = buffer_new(CUDA_R_32F, 512), y = buffer_new(CUDA_R_32F, 512);
	struct graph g = { 0 };
	int wrong = 0, t_x = graph_tensor(&g, CUDNN_DATA_FLOAT, 3, dim, NULL, x.device);

	(void)graph_pointwise(&g, CUDNN_POINTWISE_ABS, t_x, -1, -1, graph_tensor(&g, CUDNN_DATA_FLOAT, 3, dim, NULL, y.device), 1, 0);
	(void)what;
	if (graph_build(&g) != 0)
		return -1;
	graph_run(&g);
	buffer_fetch(&y);
	for (int64_t i = 0; i < y.n && wrong == 0; i++)
		wrong += compare("abs", buffer_at(&y, i), fabs(buffer_at(&x, i)), 0);
	graph_release(&g);
	RELEASE(&x, &y);
	return wrong;
}

/* Sums alone, which no op says. */
static int sums(const void *what)
{
	int64_t dim[] = { 4, 8, 16 }, rows[] = { 4, 8, 1 };
	struct buffer x = buffer_new(CUDA_R_32F, 512), y = buffer_new(CUDA_R_32F, 32);
	struct graph g = { 0 };
	int wrong = 0, t_x = graph_tensor(&g, CUDNN_DATA_FLOAT, 3, dim, NULL, x.device);

	(void)what;
	(void)graph_reduction(&g, CUDNN_REDUCE_TENSOR_ADD, t_x, graph_tensor(&g, CUDNN_DATA_FLOAT, 3, rows, NULL, y.device));
	if (graph_build(&g) != 0)
		return -1;
	graph_run(&g);
	buffer_fetch(&y);
	for (int64_t i = 0; i < y.n && wrong == 0; i++) {
		double sum = 0;

		for (int64_t j = 0; j < 16; j++)
			sum += buffer_at(&x, i * 16 + j);
		wrong += compare("sum", buffer_at(&y, i), sum, 1e-4);
	}
	graph_release(&g);
	RELEASE(&x, &y);
	return wrong;
}

/*
 * x - mean, times rstd, times a scale, plus a bias, as frontends normalise a batch with given statistics; and its sigmoid. Of four dimensions: with
 * three, cuDNN 9.19 gave wrong results for the second item on an H200.
 */
static int given_statistics(const void *what)
{
	int64_t dim[] = { 2, 8, 5, 6 }, channel[] = { 1, 8, 1, 1 };
	struct buffer x = buffer_new(CUDA_R_16F, 480), y = buffer_new(CUDA_R_16F, 480), z = buffer_new(CUDA_R_32F, 480), c[4];
	struct graph g = { 0 };
	int t = graph_tensor(&g, CUDNN_DATA_HALF, 4, dim, NULL, x.device), wrong = 0, part[4], last;
	static const cudnnPointwiseMode_t modes[] = { CUDNN_POINTWISE_SUB, CUDNN_POINTWISE_MUL, CUDNN_POINTWISE_MUL, CUDNN_POINTWISE_ADD };

	(void)what;
	for (int i = 0; i < 4; i++) {
		c[i] = buffer_new(CUDA_R_32F, 8);
		part[i] = graph_tensor(&g, CUDNN_DATA_FLOAT, 4, channel, NULL, c[i].device);
		last = i < 3 ? graph_tensor(&g, CUDNN_DATA_FLOAT, 4, dim, NULL, NULL) : graph_tensor(&g, CUDNN_DATA_FLOAT, 4, dim, NULL, z.device);
		t = graph_pointwise(&g, modes[i], t, part[i], -1, last, 1, 0);
	}
	(void)graph_pointwise(&g, CUDNN_POINTWISE_SIGMOID_FWD, t, -1, -1, graph_tensor(&g, CUDNN_DATA_HALF, 4, dim, NULL, y.device), 1, 0);
	if (graph_build(&g) != 0)
		return -1;
	graph_run(&g);
	buffer_fetch(&y);
	buffer_fetch(&z);
	for (int64_t i = 0; i < y.n && wrong == 0; i++) {
		int64_t k = i / 30 % 8;
		double want = (buffer_at(&x, i) - buffer_at(&c[0], k)) * buffer_at(&c[1], k) * buffer_at(&c[2], k) + buffer_at(&c[3], k);

		wrong += compare("normalised", buffer_at(&z, i), want, 1e-3) + compare("sigmoid", buffer_at(&y, i), 1 / (1 + exp(-want)), 2e-3);
	}
	graph_release(&g);
	RELEASE(&x, &y, &z, &c[0], &c[1], &c[2], &c[3]);
	return wrong;
}

static const int without = 0, with = 1;

const struct cudnn_case product_cases[] = {
	{ "product", product, &without }, { "product-bias", product, &with }, { "absolute", absolute, NULL },
	{ "given-statistics", given_statistics, NULL }, { "sums", sums, NULL }, { NULL, NULL, NULL },
};

/* ---- main ------------------------------------------------------------- */

#ifdef VIA_DLSYM
#include <dlfcn.h>

#define DEFINE(f) __typeof__(f) *via_##f;
CUDNN_FUNCTIONS(DEFINE)
#undef DEFINE

static void look_up(void)
{
	void *lib = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);

	must(lib == NULL, "dlopen libcudnn.so.9", __FILE__, __LINE__);
#define LOOK_UP(f)                                   \
	*(void **)&via_##f = dlsym(lib, #f);         \
	must(via_##f == NULL, #f, __FILE__, __LINE__);
	CUDNN_FUNCTIONS(LOOK_UP)
#undef LOOK_UP
}
#else
static void look_up(void)
{
}
#endif

static int n_wrong;

static int wanted(const char *name, int argc, char *argv[])
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return 1;
	return argc < 2;
}

static void tell(const char *name, int result)
{
	printf("%s %s\n", result < 0 ? "skipped" : result > 0 ? "WRONG" : "ok", name);
	fflush(stdout);
	n_wrong += result > 0;
}

/* cases_local.c calls it in a plugin. */
int cases_main(int argc, char *argv[]) __attribute__((visibility("default")));
int cases_main(int argc, char *argv[])
{
	const struct cudnn_case *const lists[] = { attention_cases, convolution_cases, product_cases, row_cases };

	look_up();
	MUST(cudaStreamCreate(&stream));
	MUST(CUDNN(cudnnCreate)(&handle));
	MUST(CUDNN(cudnnSetStream)(handle, stream));
	for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const struct cudnn_case *c = lists[i]; c->name != NULL; c++)
			if (wanted(c->name, argc, argv))
				tell(c->name, c->run(c->what));
	MUST(CUDNN(cudnnDestroy)(handle));
	return n_wrong;
}

#ifndef AS_PLUGIN
int main(int argc, char *argv[])
{
	return cases_main(argc, argv) != 0;
}
#endif
