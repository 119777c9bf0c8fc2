/* SPDX-License-Identifier: Apache-2.0 */
/* Norms and pooling as graphs of one node, checked against the definition. */
#include "config.h"

#include "tests/gpu/cudnn_buffers.h"

#include <math.h>

/* ---- norms ------------------------------------------------------------- */

struct norm {
	cudnnBackendNormMode_t mode;
	cudaDataType type, weights;
	int64_t n, c, hw;		/* x is [n, c, hw, hw], channels last */
	int bias;
};

static float epsilon = 1e-3f;

/* Mean and variance of what element (n, c, ...) is normalised with: all channels of one position, or all positions of one channel. */
static void moments(const struct norm *v, const struct buffer *x, int64_t n, int64_t c, double *ret_mean, double *ret_variance)
{
	int64_t hw = v->hw * v->hw, first = v->mode == CUDNN_INSTANCE_NORM ? n * hw * v->c + c : n * hw * v->c;
	int64_t count = v->mode == CUDNN_INSTANCE_NORM ? hw : hw * v->c, step = v->mode == CUDNN_INSTANCE_NORM ? v->c : 1;
	double sum = 0, squares = 0;

	for (int64_t i = 0; i < count; i++)
		sum += buffer_at(x, first + i * step);
	*ret_mean = v->mode == CUDNN_RMS_NORM ? 0 : sum / (double)count;
	for (int64_t i = 0; i < count; i++)
		squares += pow(buffer_at(x, first + i * step) - *ret_mean, 2);
	*ret_variance = squares / (double)count;
}

static int norm(const void *what)
{
	const struct norm *v = what;
	int64_t dx[] = { v->n, v->c, v->hw, v->hw }, dw[] = { 1, v->c, 1, 1 }, ds[] = { 1, v->c, 1, 1 };
	int64_t sx[] = { v->hw * v->hw * v->c, 1, v->hw * v->c, v->c }, sw[] = { v->c, 1, v->c, v->c };
	struct buffer x = buffer_new(v->type, v->n * v->c * v->hw * v->hw), y = buffer_new(v->type, x.n), weight = buffer_new(v->weights, v->c);
	struct buffer bias = buffer_new(v->weights, v->c), mean = buffer_new(CUDA_R_32F, v->c), rstd = buffer_new(CUDA_R_32F, v->c);
	int given = v->mode == CUDNN_BATCH_NORM, wrong = 0, t_x, t_w, t_b = -1, t_m = -1, t_r = -1, t_e = -1;
	struct graph g = { 0 };

	t_x = graph_tensor(&g, cudnn_type(v->type), 4, dx, sx, x.device);
	t_w = graph_tensor(&g, cudnn_type(v->weights), 4, dw, sw, weight.device);
	if (v->bias)
		t_b = graph_tensor(&g, cudnn_type(v->weights), 4, dw, sw, bias.device);
	if (given) {
		t_m = graph_tensor(&g, CUDNN_DATA_FLOAT, 4, ds, sw, mean.device);
		t_r = graph_tensor(&g, CUDNN_DATA_FLOAT, 4, ds, sw, rstd.device);
	} else {
		t_e = graph_number(&g, CUDNN_DATA_FLOAT, 4, &epsilon);
	}
	(void)graph_norm(&g, v->mode, t_x, t_m, t_r, t_w, t_b, t_e, graph_tensor(&g, cudnn_type(v->type), 4, dx, sx, y.device));
	if (graph_build(&g) != 0)
		return -1;
	graph_run(&g);
	buffer_fetch(&y);
	for (int64_t i = 0; i < y.n && wrong == 0; i++) {
		int64_t c = i % v->c, n = i / (v->c * v->hw * v->hw);
		double m = buffer_at(&mean, c), variance, r = buffer_at(&rstd, c);

		if (!given) {
			moments(v, &x, n, c, &m, &variance);
			r = 1 / sqrt(variance + (double)epsilon);
		}
		wrong += compare("norm", buffer_at(&y, i), (buffer_at(&x, i) - m) * r * buffer_at(&weight, c) + (v->bias ? buffer_at(&bias, c) : 0), 2e-2);
	}
	graph_release(&g);
	RELEASE(&x, &y, &weight, &bias, &mean, &rstd);
	return wrong;
}

/* ---- pooling ------------------------------------------------------------ */

struct pool { cudnnResampleMode_t mode; cudaDataType type; int64_t n, c, hw, window, stride, pad; };

static double pooled(const struct pool *p, const struct buffer *x, int64_t n, int64_t c, int64_t i, int64_t j)
{
	double largest = -INFINITY, sum = 0, count = 0;

	for (int64_t r = 0; r < p->window * p->window; r++) {
		int64_t h = i * p->stride - p->pad + r / p->window, w = j * p->stride - p->pad + r % p->window;
		double v;

		if (h < 0 || h >= p->hw || w < 0 || w >= p->hw)
			continue;
		v = buffer_at(x, ((n * p->hw + h) * p->hw + w) * p->c + c);
		largest = fmax(largest, v);
		sum += v;
		count++;
	}
	return p->mode == CUDNN_RESAMPLE_MAXPOOL ? largest : p->mode == CUDNN_RESAMPLE_AVGPOOL_INCLUDE_PADDING ? sum / (double)(p->window * p->window) : sum / count;
}

static int pool(const void *what)
{
	const struct pool *p = what;
	int64_t out = (p->hw + 2 * p->pad - p->window) / p->stride + 1, dx[] = { p->n, p->c, p->hw, p->hw }, dy[] = { p->n, p->c, out, out };
	int64_t sx[] = { p->hw * p->hw * p->c, 1, p->hw * p->c, p->c }, sy[] = { out * out * p->c, 1, out * p->c, p->c };
	int64_t window[] = { p->window, p->window }, stride[] = { p->stride, p->stride }, pad[] = { p->pad, p->pad };
	struct buffer x = buffer_new(p->type, p->n * p->c * p->hw * p->hw), y = buffer_new(p->type, p->n * p->c * out * out);
	struct graph g = { 0 };
	int wrong = 0, t_x = graph_tensor(&g, cudnn_type(p->type), 4, dx, sx, x.device);

	(void)graph_resample(&g, p->mode, t_x, graph_tensor(&g, cudnn_type(p->type), 4, dy, sy, y.device), 2, window, stride, pad);
	if (graph_build(&g) != 0)
		return -1;
	graph_run(&g);
	buffer_fetch(&y);
	for (int64_t i = 0; i < y.n && wrong == 0; i++)
		wrong += compare("pool", buffer_at(&y, i), pooled(p, &x, i / (p->c * out * out), i % p->c, i / (p->c * out) % out, i / p->c % out), 2e-2);
	graph_release(&g);
	RELEASE(&x, &y);
	return wrong;
}

static const struct norm norms[] = {
	{ CUDNN_LAYER_NORM, CUDA_R_16BF, CUDA_R_16BF, 48, 256, 1, 1 },
	{ CUDNN_RMS_NORM, CUDA_R_16BF, CUDA_R_16BF, 48, 256, 1, 0 },
	{ CUDNN_INSTANCE_NORM, CUDA_R_16F, CUDA_R_32F, 2, 16, 8, 1 },
	{ CUDNN_BATCH_NORM, CUDA_R_16F, CUDA_R_32F, 2, 16, 8, 1 },
};
static const struct pool pools[] = {
	{ CUDNN_RESAMPLE_MAXPOOL, CUDA_R_16F, 2, 16, 13, 3, 2, 1 },
	{ CUDNN_RESAMPLE_AVGPOOL_INCLUDE_PADDING, CUDA_R_16F, 2, 16, 13, 3, 2, 1 },
	{ CUDNN_RESAMPLE_AVGPOOL_EXCLUDE_PADDING, CUDA_R_16F, 2, 16, 13, 3, 2, 1 },
};

const struct cudnn_case row_cases[] = {
	{ "layer-norm", norm, &norms[0] }, { "rms-norm", norm, &norms[1] }, { "instance-norm", norm, &norms[2] }, { "batch-norm", norm, &norms[3] },
	{ "max-pool", pool, &pools[0] }, { "mean-pool-padded", pool, &pools[1] }, { "mean-pool", pool, &pools[2] }, { NULL, NULL, NULL },
};
