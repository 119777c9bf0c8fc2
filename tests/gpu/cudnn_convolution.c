/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions with their epilogues, and the gradient of an input: a transposed convolution. Checked against the definition. */
#include "config.h"

#include "tests/gpu/cudnn_buffers.h"

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

static int convolution(const void *what)
{
	const struct convolution *x = what;
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
	buffer_fetch(&y);
	for (int64_t i = 0; i < y.n && wrong == 0; i += 7) {
		int64_t n = i / (x->k * out * out), k = i / (out * out) % x->k, h = i / out % out, v = i % out;
		double sum = x->bias ? buffer_at(&bias, k) : 0;

		if (x->beta != 0)
			sum += (double)x->beta * buffer_at(&z, image_at(sy, n, k, h, v));
		for (int64_t c = 0; c < per_group; c++)
			for (int64_t a = 0; a < x->r; a++)
				for (int64_t b = 0; b < x->r; b++) {
					int64_t ih = h * x->stride - x->pad + a * x->dilation, iw = v * x->stride - x->pad + b * x->dilation;

					if (ih >= 0 && ih < x->hw && iw >= 0 && iw < x->hw)
						sum += buffer_at(&in, image_at(sx, n, k / (x->k / x->groups) * per_group + c, ih, iw)) *
						       buffer_at(&w, image_at(sw, k, c, a, b));
				}
		wrong += compare("y", buffer_at(&y, image_at(sy, n, k, h, v)), x->relu && sum < 0 ? 0 : sum, 2e-2);
	}
	graph_release(&g);
	RELEASE(&in, &w, &y, &z, &bias);
	return wrong;
}

/* x->hw is dx's. */
static int gradient(const void *what)
{
	const struct convolution *x = what;
	int64_t out = (x->hw + 2 * x->pad - x->dilation * (x->r - 1) - 1) / x->stride + 1, per_group = x->c / x->groups, rows = x->k / x->groups;
	int64_t d_dx[] = { x->n, x->c, x->hw, x->hw }, dw[] = { x->k, per_group, x->r, x->r }, d_dy[] = { x->n, x->k, out, out }, s_dx[4], sw[4], s_dy[4];
	int64_t pad[] = { x->pad, x->pad }, stride[] = { x->stride, x->stride }, dilation[] = { x->dilation, x->dilation };
	struct buffer dy = buffer_new(x->type, x->n * x->k * out * out), w = buffer_new(x->type, x->k * per_group * x->r * x->r);
	struct buffer dx = buffer_new(x->type, x->n * x->c * x->hw * x->hw);
	double *want = calloc((size_t)dx.n, sizeof(*want));
	struct graph g = { 0 };
	int wrong = 0, t_dy, t_w;

	image_strides(x, d_dx, s_dx);
	image_strides(x, dw, sw);
	image_strides(x, d_dy, s_dy);
	t_dy = graph_tensor(&g, cudnn_type(x->type), 4, d_dy, s_dy, dy.device);
	t_w = graph_tensor(&g, cudnn_type(x->type), 4, dw, sw, w.device);
	(void)graph_gradient(&g, t_dy, t_w, graph_tensor(&g, cudnn_type(x->type), 4, d_dx, s_dx, dx.device), 2, pad, stride, dilation);
	if (graph_build(&g) != 0)
		return -1;
	graph_run(&g);
	buffer_fetch(&dx);
	/* Every product goes to where the convolution read its element. */
	for (int64_t i = 0; i < dy.n * per_group * x->r * x->r; i++) {
		int64_t b = i % x->r, a = i / x->r % x->r, c = i / (x->r * x->r) % per_group, at = i / (x->r * x->r * per_group);
		int64_t v = at % out, h = at / out % out, k = at / (out * out) % x->k, n = at / (out * out * x->k);
		int64_t ih = h * x->stride - x->pad + a * x->dilation, iw = v * x->stride - x->pad + b * x->dilation;

		if (ih >= 0 && ih < x->hw && iw >= 0 && iw < x->hw)
			want[image_at(s_dx, n, k / rows * per_group + c, ih, iw)] +=
				buffer_at(&dy, image_at(s_dy, n, k, h, v)) * buffer_at(&w, image_at(sw, k, c, a, b));
	}
	for (int64_t i = 0; i < dx.n && wrong == 0; i++)
		wrong += compare("dx", buffer_at(&dx, i), want[i], 2e-2);
	free(want);
	graph_release(&g);
	RELEASE(&dy, &w, &dx);
	return wrong;
}

static const struct convolution convolutions[] = {
	{ CUDA_R_16F, 2, 16, 12, 32, 3, 1, 1, 1, 1, .nhwc = 1, .bias = 1, .relu = 1 },
	{ CUDA_R_32F, 1, 8, 11, 16, 3, 1, 1, 2, 1, .nhwc = 0 },
	{ CUDA_R_16F, 1, 16, 10, 16, 3, 2, 2, 1, 2, .nhwc = 0 },
	{ CUDA_R_16F, 1, 16, 9, 16, 3, 1, 1, 1, 1, .nhwc = 1, .bias = 1, .relu = 1, .beta = 0.5f },
	{ CUDA_R_16F, 2, 16, 13, 32, 3, 1, 1, 2, 1, .nhwc = 1 },
	{ CUDA_R_32F, 1, 8, 10, 16, 3, 2, 1, 1, 1, .nhwc = 0 },
};

const struct cudnn_case convolution_cases[] = {
	{ "conv-bias-relu", convolution, &convolutions[0] }, { "conv-stride", convolution, &convolutions[1] },
	{ "conv-groups", convolution, &convolutions[2] }, { "conv-add", convolution, &convolutions[3] },
	{ "transposed", gradient, &convolutions[4] }, { "transposed-groups", gradient, &convolutions[5] }, { NULL, NULL, NULL },
};
