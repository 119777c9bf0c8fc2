/* SPDX-License-Identifier: Apache-2.0 */
/* Attention as cudnn-frontend takes it apart, each row checked against the definition. */
#include "config.h"

#include "tests/gpu/cudnn_buffers.h"

#include <math.h>
#include <string.h>

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
			s[j] += buffer_at(q, ((b * a->m + i) * a->h + h) * a->d + d) * buffer_at(k, ((b * a->n + j) * a->hk + hk) * a->d + d);
		s[j] = s[j] * (double)scale_by_value + (a->bias ? buffer_at(bias, (h * a->m + i) * a->n + j) : 0);
		if (a->causal && j > i)
			s[j] = -INFINITY;
		max = fmax(max, s[j]);
	}
	for (int64_t j = 0; j < a->n; j++)
		sum += exp(s[j] - max);
	for (int64_t d = 0; d < a->d && wrong == 0; d++) {
		double o = 0;

		for (int64_t j = 0; j < a->n; j++)
			o += exp(s[j] - max) / sum * buffer_at(v, ((b * a->n + j) * a->hk + hk) * a->d + d);
		wrong += compare("out", buffer_at(out, ((b * a->m + i) * a->h + h) * a->d + d), o, 2e-2);
	}
	if (a->stats)
		wrong += compare("stats", buffer_at(stats, (b * a->h + h) * a->m + i), max + log(sum), 1e-3);
	return wrong;
}

static int attention(const void *what)
{
	const struct attention *a = what;
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
		buffer_fetch(&out);
		buffer_fetch(&stats);
		for (int64_t b = 0; b < a->b; b++)
			for (int64_t h = 0; h < a->h; h++)
				for (int64_t i = 0; i < a->m && wrong == 0; i += 5)
					wrong += check_row(a, &q, &k, &v, &out, &stats, &bias, b, h, i);
	}
	graph_release(&g);
	RELEASE(&q, &k, &v, &out, &stats, &bias);
	return wrong;
}

static const struct attention attentions[] = {
	{ CUDA_R_16BF, 2, 4, 2, 40, 40, 32, .causal = 1 },
	{ CUDA_R_16BF, 1, 4, 4, 1, 130, 64, .stats = 1 },
	{ CUDA_R_16F, 2, 2, 2, 24, 56, 32, .bias = 1, .stats = 1 },
	{ CUDA_R_16BF, 1, 2, 1, 32, 32, 32, .causal = 1, .scales = 3 },
};

const struct cudnn_case attention_cases[] = {
	{ "attention-causal", attention, &attentions[0] }, { "attention-decode", attention, &attentions[1] },
	{ "attention-bias", attention, &attentions[2] }, { "attention-scales", attention, &attentions[3] }, { NULL, NULL, NULL },
};
