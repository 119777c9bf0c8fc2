/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Graphs that engines run through cuDNN, each checked by the program itself: attention as cudnn-frontend takes it apart, convolutions
 * with their epilogues, products. A graph for which the library has no engine on this device is said to be skipped.
 */
#include "config.h"

#include "tests/gpu/cudnn_graph.h"

#include <stdio.h>
#include <string.h>

#include "tests/gpu/number.h"

cudnnHandle_t handle;
cudaStream_t stream;
static unsigned seed = 1;

struct buffer { cudaDataType type; int64_t n; void *host, *device; };

static cudnnDataType_t cudnn_type(cudaDataType type)
{
	return type == CUDA_R_16BF ? CUDNN_DATA_BFLOAT16 : type == CUDA_R_16F ? CUDNN_DATA_HALF : CUDNN_DATA_FLOAT;
}

static double random_number(void)
{
	seed = seed * 1664525u + 1013904223u;
	return (double)(seed >> 8) / (1 << 23) - 1;
}

/* Random numbers, on the host and the device. */
static struct buffer buffer_new(cudaDataType type, int64_t n)
{
	struct buffer b = { .type = type, .n = n, .host = malloc((size_t)n * number_size(type)) };

	must(b.host == NULL, "malloc", __FILE__, __LINE__);
	for (int64_t i = 0; i < n; i++)
		number_store(type, b.host, i, random_number());
	MUST(cudaMalloc(&b.device, (size_t)n * number_size(type)));
	MUST(cudaMemcpyAsync(b.device, b.host, (size_t)n * number_size(type), cudaMemcpyHostToDevice, stream));
	MUST(cudaStreamSynchronize(stream));
	return b;
}

static void fetch(struct buffer *b)
{
	MUST(cudaMemcpyAsync(b->host, b->device, (size_t)b->n * number_size(b->type), cudaMemcpyDeviceToHost, stream));
	MUST(cudaStreamSynchronize(stream));
}

static void buffer_release(struct buffer *b)
{
	MUST(cudaFree(b->device));
	free(b->host);
}

static double at(const struct buffer *b, int64_t i)
{
	return number_load(b->type, b->host, i);
}

static int compare(const char *what, double got, double want, double tolerance)
{
	if (fabs(got - want) <= tolerance * (1 + fabs(want)))
		return 0;
	fprintf(stderr, "%s: %g instead of %g\n", what, got, want);
	return 1;
}

/* ---- attention -------------------------------------------------------- */

struct attention {
	cudaDataType type;
	int64_t b, h, hk, m, n, d;
	int causal, stats, bias, scales;	/* scales: runs with so many of them, by the same plan */
};

static float scale_by_value, minus_infinity = -INFINITY;

/* [b, m, h, d] in memory, seen as [b, h, m, d]. */
static void transposed(const int64_t *dim, int64_t *stride)
{
	stride[3] = 1;
	stride[2] = dim[1] * dim[3];
	stride[1] = dim[3];
	stride[0] = dim[2] * dim[1] * dim[3];
}

static void build_attention(struct graph *g, const struct attention *a, struct buffer *q, struct buffer *k, struct buffer *v, struct buffer *out,
			    struct buffer *stats, struct buffer *bias)
{
	int64_t dq[] = { a->b, a->h, a->m, a->d }, dk[] = { a->b, a->hk, a->n, a->d }, logits[] = { a->b, a->h, a->m, a->n };
	int64_t rows[] = { a->b, a->h, a->m, 1 }, db[] = { 1, a->h, a->m, a->n }, sq[4], sk[4], kt[4], dkt[] = { a->b, a->hk, a->d, a->n };
	cudnnDataType_t type = cudnn_type(a->type), f32 = CUDNN_DATA_FLOAT;
	int t_q, t_k, t_v, t_out, s, max, sum, e;

	transposed(dq, sq);
	transposed(dk, sk);
	memcpy(kt, sk, sizeof(kt));
	kt[2] = sk[3], kt[3] = sk[2];
	t_q = graph_tensor(g, type, 4, dq, sq, q->device);
	t_k = graph_tensor(g, type, 4, dkt, kt, k->device);
	t_v = graph_tensor(g, type, 4, dk, sk, v->device);
	t_out = graph_tensor(g, type, 4, dq, sq, out->device);
	s = graph_matmul(g, t_q, t_k, graph_tensor(g, f32, 4, logits, NULL, NULL));
	s = graph_pointwise(g, CUDNN_POINTWISE_MUL, s, graph_number(g, f32, 4, &scale_by_value), -1, graph_like(g, f32, s), 1, 0);
	if (a->bias)
		s = graph_pointwise(g, CUDNN_POINTWISE_ADD, s, graph_tensor(g, type, 4, db, NULL, bias->device), -1, graph_like(g, f32, s), 1, 0);
	if (a->causal) {
		int col = graph_pointwise(g, CUDNN_POINTWISE_GEN_INDEX, s, -1, -1, graph_like(g, CUDNN_DATA_INT32, s), 1, 3);
		int row = graph_pointwise(g, CUDNN_POINTWISE_GEN_INDEX, s, -1, -1, graph_like(g, CUDNN_DATA_INT32, s), 1, 2);
		int mask = graph_pointwise(g, CUDNN_POINTWISE_CMP_GE, row, col, -1, graph_like(g, CUDNN_DATA_BOOLEAN, s), 1, 0);
		int fill = graph_number(g, f32, 4, &minus_infinity);

		s = graph_pointwise(g, CUDNN_POINTWISE_BINARY_SELECT, s, fill, mask, graph_like(g, f32, s), 1, 0);
	}
	max = graph_reduction(g, CUDNN_REDUCE_TENSOR_MAX, s, graph_tensor(g, f32, 4, rows, NULL, NULL));
	s = graph_pointwise(g, CUDNN_POINTWISE_SUB, s, max, -1, graph_like(g, f32, s), 1, 0);
	e = graph_pointwise(g, CUDNN_POINTWISE_EXP, s, -1, -1, graph_like(g, f32, s), 1, 0);
	sum = graph_reduction(g, CUDNN_REDUCE_TENSOR_ADD, e, graph_tensor(g, f32, 4, rows, NULL, NULL));
	s = graph_pointwise(g, CUDNN_POINTWISE_LOG, sum, -1, -1, graph_like(g, f32, sum), 1, 0);
	(void)graph_pointwise(g, CUDNN_POINTWISE_ADD, max, s, -1, graph_tensor(g, f32, 4, rows, NULL, a->stats ? stats->device : NULL), 1, 0);
	e = graph_pointwise(g, CUDNN_POINTWISE_DIV, e, sum, -1, graph_like(g, type, e), 1, 0);
	(void)graph_matmul(g, e, t_v, t_out);
}

/* One row against the definition. */
static int check_row(const struct attention *a, const struct buffer *q, const struct buffer *k, const struct buffer *v, const struct buffer *out,
		     const struct buffer *stats, const struct buffer *bias, int64_t b, int64_t h, int64_t i)
{
	int64_t hk = h * a->hk / a->h;
	double s[512], max = -INFINITY, sum = 0;
	int wrong = 0;

	for (int64_t j = 0; j < a->n; j++) {
		s[j] = 0;
		for (int64_t d = 0; d < a->d; d++)
			s[j] += at(q, ((b * a->m + i) * a->h + h) * a->d + d) * at(k, ((b * a->n + j) * a->hk + hk) * a->d + d);
		s[j] = s[j] * (double)scale_by_value + (a->bias ? at(bias, (h * a->m + i) * a->n + j) : 0);
		if (a->causal && j > i)
			s[j] = -INFINITY;
		max = fmax(max, s[j]);
	}
	for (int64_t j = 0; j < a->n; j++)
		sum += exp(s[j] - max);
	for (int64_t d = 0; d < a->d && wrong == 0; d++) {
		double o = 0;

		for (int64_t j = 0; j < a->n; j++)
			o += exp(s[j] - max) / sum * at(v, ((b * a->n + j) * a->hk + hk) * a->d + d);
		wrong += compare("out", at(out, ((b * a->m + i) * a->h + h) * a->d + d), o, 2e-2);
	}
	if (a->stats)
		wrong += compare("stats", at(stats, (b * a->h + h) * a->m + i), max + log(sum), 1e-3);
	return wrong;
}

static int attention(const struct attention *a)
{
	struct buffer q = buffer_new(a->type, a->b * a->h * a->m * a->d), k = buffer_new(a->type, a->b * a->hk * a->n * a->d);
	struct buffer v = buffer_new(a->type, k.n), out = buffer_new(a->type, q.n), stats = buffer_new(CUDA_R_32F, a->b * a->h * a->m);
	struct buffer bias = buffer_new(a->type, a->h * a->m * a->n);
	struct graph g = { 0 };
	int wrong = 0;

	build_attention(&g, a, &q, &k, &v, &out, &stats, &bias);
	if (graph_build(&g) != 0)
		return -1;
	for (int run = 0; run < (a->scales ? a->scales : 1); run++) {
		scale_by_value = (float)((1 + run) / sqrt((double)a->d));
		graph_run(&g);
		fetch(&out);
		fetch(&stats);
		for (int64_t b = 0; b < a->b; b++)
			for (int64_t h = 0; h < a->h; h++)
				for (int64_t i = 0; i < a->m && wrong == 0; i += 5)
					wrong += check_row(a, &q, &k, &v, &out, &stats, &bias, b, h, i);
	}
	graph_release(&g);
	for (struct buffer **b = (struct buffer *[]){ &q, &k, &v, &out, &stats, &bias, NULL }; *b != NULL; b++)
		buffer_release(*b);
	return wrong;
}

/* ---- convolution ------------------------------------------------------ */

struct convolution {
	cudaDataType type;
	int64_t n, c, hw, k, r, groups, pad, stride, dilation;
	int nhwc, bias, relu;
	float beta;			/* of an addend of the result's shape; 0 without one */
};

static void image_strides(const struct convolution *x, const int64_t *dim, int64_t *stride)
{
	if (x->nhwc) {
		stride[1] = 1, stride[3] = dim[1], stride[2] = dim[3] * dim[1], stride[0] = dim[2] * dim[3] * dim[1];
	} else {
		stride[3] = 1, stride[2] = dim[3], stride[1] = dim[2] * dim[3], stride[0] = dim[1] * dim[2] * dim[3];
	}
}

static int64_t image_at(const int64_t *stride, int64_t n, int64_t c, int64_t h, int64_t w)
{
	return n * stride[0] + c * stride[1] + h * stride[2] + w * stride[3];
}

static int convolution(const struct convolution *x)
{
	int64_t out = (x->hw + 2 * x->pad - x->dilation * (x->r - 1) - 1) / x->stride + 1, per_group = x->c / x->groups;
	int64_t dx[] = { x->n, x->c, x->hw, x->hw }, dw[] = { x->k, per_group, x->r, x->r }, dy[] = { x->n, x->k, out, out };
	int64_t db[] = { 1, x->k, 1, 1 }, sb[] = { x->k, 1, x->k, x->k }, sx[4], sw[4], sy[4];
	int64_t pad[] = { x->pad, x->pad }, stride[] = { x->stride, x->stride }, dilation[] = { x->dilation, x->dilation };
	struct buffer in = buffer_new(x->type, x->n * x->c * x->hw * x->hw), w = buffer_new(x->type, x->k * per_group * x->r * x->r);
	struct buffer y = buffer_new(x->type, x->n * x->k * out * out), z = buffer_new(x->type, y.n), bias = buffer_new(x->type, x->k);
	cudnnDataType_t type = cudnn_type(x->type);
	struct graph g = { 0 };
	int t, t_x, t_w, last = 1 + (x->beta != 0) + x->bias + x->relu, wrong = 0;

	image_strides(x, dx, sx);
	image_strides(x, dw, sw);
	image_strides(x, dy, sy);
	/* The last node's result leaves the graph. */
#define RESULT() (last--, graph_tensor(&g, last == 0 ? type : CUDNN_DATA_FLOAT, 4, dy, sy, last == 0 ? y.device : NULL))
	t_x = graph_tensor(&g, type, 4, dx, sx, in.device);
	t_w = graph_tensor(&g, type, 4, dw, sw, w.device);
	t = graph_convolution(&g, t_x, t_w, RESULT(), 2, pad, stride, dilation);
	if (x->beta != 0)
		t = graph_pointwise(&g, CUDNN_POINTWISE_ADD, t, graph_tensor(&g, type, 4, dy, sy, z.device), -1, RESULT(), x->beta, 0);
	if (x->bias)
		t = graph_pointwise(&g, CUDNN_POINTWISE_ADD, t, graph_tensor(&g, type, 4, db, sb, bias.device), -1, RESULT(), 1, 0);
	if (x->relu)
		(void)graph_pointwise(&g, CUDNN_POINTWISE_RELU_FWD, t, -1, -1, RESULT(), 1, 0);
#undef RESULT
	if (graph_build(&g) != 0)
		return -1;
	graph_run(&g);
	fetch(&y);
	for (int64_t i = 0; i < y.n && wrong == 0; i += 7) {
		int64_t n = i / (x->k * out * out), k = i / (out * out) % x->k, h = i / out % out, v = i % out;
		double sum = x->bias ? at(&bias, k) : 0;

		if (x->beta != 0)
			sum += (double)x->beta * at(&z, image_at(sy, n, k, h, v));
		for (int64_t c = 0; c < per_group; c++)
			for (int64_t a = 0; a < x->r; a++)
				for (int64_t b = 0; b < x->r; b++) {
					int64_t ih = h * x->stride - x->pad + a * x->dilation, iw = v * x->stride - x->pad + b * x->dilation;

					if (ih >= 0 && ih < x->hw && iw >= 0 && iw < x->hw)
						sum += at(&in, image_at(sx, n, k / (x->k / x->groups) * per_group + c, ih, iw)) *
						       at(&w, image_at(sw, k, c, a, b));
				}
		wrong += compare("y", at(&y, image_at(sy, n, k, h, v)), x->relu && sum < 0 ? 0 : sum, 2e-2);
	}
	graph_release(&g);
	for (struct buffer **b = (struct buffer *[]){ &in, &w, &y, &z, &bias, NULL }; *b != NULL; b++)
		buffer_release(*b);
	return wrong;
}

/* ---- products, and a graph that nobody knows --------------------------- */

static int product(int with_bias)
{
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
	fetch(&c);
	for (int64_t i = 0; i < c.n && wrong == 0; i++) {
		double sum = with_bias ? at(&bias, i % N) : 0;

		for (int64_t k = 0; k < K; k++)
			sum += at(&a, i / N * K + k) * at(&b, i / (M * N) * K * N + k * N + i % N);
		wrong += compare("c", at(&c, i), sum, 2e-2);
	}
	graph_release(&g);
	for (struct buffer **p = (struct buffer *[]){ &a, &b, &c, &bias, NULL }; *p != NULL; p++)
		buffer_release(*p);
	return wrong;
}

static int absolute(void)
{
	int64_t dim[] = { 4, 8, 16 };
	struct buffer x = buffer_new(CUDA_R_32F, 512), y = buffer_new(CUDA_R_32F, 512);
	struct graph g = { 0 };
	int wrong = 0, t_x = graph_tensor(&g, CUDNN_DATA_FLOAT, 3, dim, NULL, x.device);

	(void)graph_pointwise(&g, CUDNN_POINTWISE_ABS, t_x, -1, -1, graph_tensor(&g, CUDNN_DATA_FLOAT, 3, dim, NULL, y.device), 1, 0);
	if (graph_build(&g) != 0)
		return -1;
	graph_run(&g);
	fetch(&y);
	for (int64_t i = 0; i < y.n && wrong == 0; i++)
		wrong += compare("abs", at(&y, i), fabs(at(&x, i)), 0);
	graph_release(&g);
	buffer_release(&x);
	buffer_release(&y);
	return wrong;
}

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

static const struct attention attentions[] = {
	{ CUDA_R_16BF, 2, 4, 2, 40, 40, 32, .causal = 1 },
	{ CUDA_R_16BF, 1, 4, 4, 1, 130, 64, .stats = 1 },
	{ CUDA_R_16F, 2, 2, 2, 24, 56, 32, .bias = 1, .stats = 1 },
	{ CUDA_R_16BF, 1, 2, 1, 32, 32, 32, .causal = 1, .scales = 3 },
};
static const char *const attention_names[] = { "attention-causal", "attention-decode", "attention-bias", "attention-scales" };

static const struct convolution convolutions[] = {
	{ CUDA_R_16F, 2, 16, 12, 32, 3, 1, 1, 1, 1, .nhwc = 1, .bias = 1, .relu = 1 },
	{ CUDA_R_32F, 1, 8, 11, 16, 3, 1, 1, 2, 1, .nhwc = 0 },
	{ CUDA_R_16F, 1, 16, 10, 16, 3, 2, 2, 1, 2, .nhwc = 0 },
	{ CUDA_R_16F, 1, 16, 9, 16, 3, 1, 1, 1, 1, .nhwc = 1, .bias = 1, .relu = 1, .beta = 0.5f },
};
static const char *const convolution_names[] = { "conv-bias-relu", "conv-stride", "conv-groups", "conv-add" };

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
	look_up();
	MUST(cudaStreamCreate(&stream));
	MUST(CUDNN(cudnnCreate)(&handle));
	MUST(CUDNN(cudnnSetStream)(handle, stream));
	for (unsigned i = 0; i < sizeof(attentions) / sizeof(attentions[0]); i++)
		if (wanted(attention_names[i], argc, argv))
			tell(attention_names[i], attention(&attentions[i]));
	for (unsigned i = 0; i < sizeof(convolutions) / sizeof(convolutions[0]); i++)
		if (wanted(convolution_names[i], argc, argv))
			tell(convolution_names[i], convolution(&convolutions[i]));
	if (wanted("product", argc, argv))
		tell("product", product(0));
	if (wanted("product-bias", argc, argv))
		tell("product-bias", product(1));
	if (wanted("absolute", argc, argv))
		tell("absolute", absolute());
	MUST(CUDNN(cudnnDestroy)(handle));
	return n_wrong;
}

#ifndef AS_PLUGIN
int main(int argc, char *argv[])
{
	return cases_main(argc, argv) != 0;
}
#endif
