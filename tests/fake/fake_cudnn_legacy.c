/* SPDX-License-Identifier: Apache-2.0 */
/* libcudnn_graph.so.9: the legacy calls that the subjects make, computed late on the stream's thread. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/fake_cudnn_legacy.h"

enum { INPUTS = 5 };

/* y = alpha f(in...) + beta y, element by element; f looks at whatever it wants of its inputs. */
struct job {
	double (*f)(const struct job *, const int64_t *index);
	struct fake_tensor in[INPUTS], y;
	double alpha, beta, extra;
	int which;
	struct cudnnConvolutionStruct convolution;
	struct cudnnActivationStruct activation;
	struct cudnnPoolingStruct pooling;
};

static double in_at(const struct job *j, int i, const int64_t *index)
{
	int64_t at[FAKE_DIMS];

	for (int d = 0; d < j->in[i].n; d++)
		at[d] = j->in[i].dim[d] == 1 ? 0 : index[d];
	return fake_load(&j->in[i], at);
}

static void run(void *arg)
{
	const struct job *j = arg;
	int64_t index[FAKE_DIMS] = { 0 };
	size_t n = 1, at = 0;
	double *result;

	for (int d = 0; d < j->y.n; d++)
		n *= (size_t)j->y.dim[d];
	result = malloc(n * sizeof(*result));
	/* All of them first: y may be an input. */
	do {
		double v = j->alpha * j->f(j, index);

		result[at++] = j->beta != 0 ? v + j->beta * fake_load(&j->y, index) : v;
	} while (fake_next_index(j->y.dim, j->y.n, index));
	at = 0;
	do {
		fake_store(&j->y, index, result[at++]);
	} while (fake_next_index(j->y.dim, j->y.n, index));
	free(result);
}

static struct fake_tensor tensor(const struct cudnnTensorStruct *d, const void *p)
{
	struct fake_tensor t = { .type = d->type, .n = d->n, .data = fake_bytes((uint64_t)p) };

	for (int i = 0; i < d->n; i++) {
		t.dim[i] = d->dim[i];
		t.stride[i] = d->stride[i];
	}
	return t;
}

static cudnnStatus_t start(cudnnHandle_t handle, struct job *j, const void *alpha, const void *beta)
{
	j->alpha = alpha != NULL ? (double)*(const float *)alpha : 1;
	j->beta = beta != NULL ? (double)*(const float *)beta : 0;
	return fake_enqueue(fake_stream_of((CUstream)handle->stream), run, j, sizeof(*j)) == CUDA_SUCCESS ? CUDNN_STATUS_SUCCESS :
													    CUDNN_STATUS_EXECUTION_FAILED;
}

static double activate(const struct cudnnActivationStruct *a, double x)
{
	switch (a->mode) {
	case CUDNN_ACTIVATION_SIGMOID: return 1 / (1 + exp(-x));
	case CUDNN_ACTIVATION_RELU: return fmax(x, 0);
	case CUDNN_ACTIVATION_TANH: return tanh(x);
	case CUDNN_ACTIVATION_CLIPPED_RELU: return fmin(fmax(x, 0), a->coef);
	case CUDNN_ACTIVATION_ELU: return x > 0 ? x : a->coef * ((float)exp(x) - 1.0f);	/* as the real one, with the error of the difference */
	default: return x;
	}
}

static double do_activation(const struct job *j, const int64_t *index)
{
	return activate(&j->activation, in_at(j, 0, index));
}

FAKE_EXPORT cudnnStatus_t cudnnActivationForward(cudnnHandle_t handle, cudnnActivationDescriptor_t activation, const void *alpha,
						 const cudnnTensorDescriptor_t xDesc, const void *x, const void *beta,
						 const cudnnTensorDescriptor_t yDesc, void *y)
{
	struct job j = { .f = do_activation, .in = { tensor(xDesc, x) }, .y = tensor(yDesc, y), .activation = *activation };

	return start(handle, &j, alpha, beta);
}

static double first(const struct job *j, const int64_t *index)
{
	return in_at(j, 0, index);
}

FAKE_EXPORT cudnnStatus_t cudnnAddTensor(cudnnHandle_t handle, const void *alpha, const cudnnTensorDescriptor_t aDesc, const void *A, const void *beta,
					 const cudnnTensorDescriptor_t cDesc, void *C)
{
	struct job j = { .f = first, .in = { tensor(aDesc, A) }, .y = tensor(cDesc, C) };

	return start(handle, &j, alpha, beta);
}

FAKE_EXPORT cudnnStatus_t cudnnTransformTensor(cudnnHandle_t handle, const void *alpha, const cudnnTensorDescriptor_t xDesc, const void *x,
					       const void *beta, const cudnnTensorDescriptor_t yDesc, void *y)
{
	return cudnnAddTensor(handle, alpha, xDesc, x, beta, yDesc, y);
}

FAKE_EXPORT cudnnStatus_t cudnnScaleTensor(cudnnHandle_t handle, const cudnnTensorDescriptor_t yDesc, void *y, const void *alpha)
{
	struct job j = { .f = first, .in = { tensor(yDesc, y) }, .y = tensor(yDesc, y) };

	return start(handle, &j, alpha, NULL);
}

static double constant(const struct job *j, const int64_t *index)
{
	(void)index;
	return j->extra;
}

FAKE_EXPORT cudnnStatus_t cudnnSetTensor(cudnnHandle_t handle, const cudnnTensorDescriptor_t yDesc, void *y, const void *value)
{
	struct job j = { .f = constant, .y = tensor(yDesc, y), .extra = (double)*(const float *)value };

	return start(handle, &j, NULL, NULL);
}

static double two(const struct job *j, const int64_t *index)
{
	double a = in_at(j, 0, index), b = j->extra * in_at(j, 1, index);

	return j->which == CUDNN_OP_TENSOR_ADD ? a + b : j->which == CUDNN_OP_TENSOR_MUL ? a * b : j->which == CUDNN_OP_TENSOR_MIN ? fmin(a, b) : fmax(a, b);
}

FAKE_EXPORT cudnnStatus_t cudnnOpTensor(cudnnHandle_t handle, const cudnnOpTensorDescriptor_t op, const void *alpha1, const cudnnTensorDescriptor_t aDesc,
					const void *A, const void *alpha2, const cudnnTensorDescriptor_t bDesc, const void *B, const void *beta,
					const cudnnTensorDescriptor_t cDesc, void *C)
{
	struct job j = { .f = two, .in = { tensor(aDesc, A), tensor(bDesc, B) }, .y = tensor(cDesc, C), .extra = (double)*(const float *)alpha2,
			 .which = (int)op->op };

	return start(handle, &j, alpha1, beta);
}

static double softmax(const struct job *j, const int64_t *index)
{
	const struct fake_tensor *x = &j->in[0];
	int64_t at[FAKE_DIMS];
	double max = -INFINITY, sum = 0, own = in_at(j, 0, index);

	memcpy(at, index, sizeof(at));
	for (at[1] = 0; at[1] < x->dim[1]; at[1]++)
		max = fmax(max, fake_load(x, at));
	for (at[1] = 0; at[1] < x->dim[1]; at[1]++)
		sum += exp(fake_load(x, at) - max);
	return j->which == CUDNN_SOFTMAX_LOG ? own - max - log(sum) : exp(own - max) / sum;
}

FAKE_EXPORT cudnnStatus_t cudnnSoftmaxForward(cudnnHandle_t handle, cudnnSoftmaxAlgorithm_t algo, cudnnSoftmaxMode_t mode, const void *alpha,
					      const cudnnTensorDescriptor_t xDesc, const void *x, const void *beta,
					      const cudnnTensorDescriptor_t yDesc, void *y)
{
	struct job j = { .f = softmax, .in = { tensor(xDesc, x) }, .y = tensor(yDesc, y), .which = (int)algo };

	return mode == CUDNN_SOFTMAX_MODE_CHANNEL ? start(handle, &j, alpha, beta) : CUDNN_STATUS_NOT_SUPPORTED; /* by this stand-in */
}

static double reduce(const struct job *j, const int64_t *index)
{
	const struct fake_tensor *x = &j->in[0];
	int64_t at[FAKE_DIMS], inner[FAKE_DIMS] = { 0 }, dim[FAKE_DIMS];
	double r = j->which == CUDNN_REDUCE_TENSOR_AMAX ? 0 : 0, n = 0;

	for (int d = 0; d < x->n; d++)
		dim[d] = j->y.dim[d] == 1 ? x->dim[d] : 1;
	do {
		for (int d = 0; d < x->n; d++)
			at[d] = index[d] + inner[d];
		n++;
		r = j->which == CUDNN_REDUCE_TENSOR_AMAX ? fmax(r, fabs(fake_load(x, at))) : r + fake_load(x, at);
	} while (fake_next_index(dim, x->n, inner));
	return j->which == CUDNN_REDUCE_TENSOR_AVG ? r / n : r;
}

FAKE_EXPORT cudnnStatus_t cudnnReduceTensor(cudnnHandle_t handle, const cudnnReduceTensorDescriptor_t desc, void *indices, size_t indicesSizeInBytes,
					    void *workspace, size_t workspaceSizeInBytes, const void *alpha, const cudnnTensorDescriptor_t aDesc,
					    const void *A, const void *beta, const cudnnTensorDescriptor_t cDesc, void *C)
{
	struct job j = { .f = reduce, .in = { tensor(aDesc, A) }, .y = tensor(cDesc, C), .which = (int)desc->op };

	(void)indices, (void)indicesSizeInBytes, (void)workspace, (void)workspaceSizeInBytes;
	return start(handle, &j, alpha, beta);
}

static double normalize(const struct job *j, const int64_t *index)
{
	float factor = (float)(in_at(j, 1, index) / sqrt(in_at(j, 4, index) + j->extra));
	float summand = (float)in_at(j, 2, index) - (float)in_at(j, 3, index) * factor;

	return (float)in_at(j, 0, index) * factor + summand;	/* as the real one, with the error of both terms */
}

FAKE_EXPORT cudnnStatus_t cudnnBatchNormalizationForwardInference(cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void *alpha, const void *beta,
								  const cudnnTensorDescriptor_t xDesc, const void *x,
								  const cudnnTensorDescriptor_t yDesc, void *y,
								  const cudnnTensorDescriptor_t sDesc, const void *scale, const void *bias,
								  const void *mean, const void *variance, double epsilon)
{
	struct job j = { .f = normalize, .in = { tensor(xDesc, x), tensor(sDesc, scale), tensor(sDesc, bias), tensor(sDesc, mean), tensor(sDesc, variance) },
			 .y = tensor(yDesc, y), .extra = epsilon };

	(void)mode;
	return start(handle, &j, alpha, beta);
}

static double convolve(const struct job *j, const int64_t *index)
{
	const struct fake_tensor *x = &j->in[0], *w = &j->in[1];
	const struct cudnnConvolutionStruct *c = &j->convolution;
	int64_t tap[FAKE_DIMS] = { 0 }, dim[FAKE_DIMS], at[FAKE_DIMS], at_w[FAKE_DIMS];
	int64_t group = index[1] / (j->y.dim[1] / c->groups);
	double sum = 0;

	memcpy(dim, w->dim, sizeof(dim));
	dim[0] = 1;
	do {
		bool inside = true;

		memcpy(at_w, tap, sizeof(at_w));
		at_w[0] = index[1];
		at[0] = index[0];
		at[1] = group * w->dim[1] + tap[1];
		for (int d = 2; d < x->n; d++) {
			int64_t k = c->mode == CUDNN_CONVOLUTION ? w->dim[d] - 1 - tap[d] : tap[d];

			at[d] = index[d] * c->stride[d - 2] - c->pad[d - 2] + k * c->dilation[d - 2];
			inside &= at[d] >= 0 && at[d] < x->dim[d];
		}
		if (inside)
			sum += fake_load(x, at) * fake_load(w, at_w);
	} while (fake_next_index(dim, w->n, tap));
	return sum;
}

static double convolve_bias(const struct job *j, const int64_t *index)
{
	return activate(&j->activation, j->extra * convolve(j, index) + in_at(j, 2, index) + (j->which ? j->which / 16.0 * in_at(j, 3, index) : 0));
}

FAKE_EXPORT cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void *alpha, const cudnnTensorDescriptor_t xDesc, const void *x,
						  const cudnnFilterDescriptor_t wDesc, const void *w, const cudnnConvolutionDescriptor_t convDesc,
						  cudnnConvolutionFwdAlgo_t algo, void *workSpace, size_t workSpaceSizeInBytes, const void *beta,
						  const cudnnTensorDescriptor_t yDesc, void *y)
{
	struct job j = { .f = convolve, .in = { tensor(xDesc, x), tensor(&wDesc->t, w) }, .y = tensor(yDesc, y), .convolution = *convDesc };

	(void)algo, (void)workSpace, (void)workSpaceSizeInBytes;
	return start(handle, &j, alpha, beta);
}

/* alpha2 in sixteenths: that is all a subject needs. */
FAKE_EXPORT cudnnStatus_t cudnnConvolutionBiasActivationForward(cudnnHandle_t handle, const void *alpha1, const cudnnTensorDescriptor_t xDesc, const void *x,
								const cudnnFilterDescriptor_t wDesc, const void *w,
								const cudnnConvolutionDescriptor_t convDesc, cudnnConvolutionFwdAlgo_t algo,
								void *workSpace, size_t workSpaceSizeInBytes, const void *alpha2,
								const cudnnTensorDescriptor_t zDesc, const void *z,
								const cudnnTensorDescriptor_t biasDesc, const void *bias,
								const cudnnActivationDescriptor_t activation,
								const cudnnTensorDescriptor_t yDesc, void *y)
{
	struct job j = { .f = convolve_bias, .in = { tensor(xDesc, x), tensor(&wDesc->t, w), tensor(biasDesc, bias), tensor(zDesc, z) },
			 .y = tensor(yDesc, y), .convolution = *convDesc, .activation = *activation, .extra = (double)*(const float *)alpha1,
			 .which = (int)(*(const float *)alpha2 * 16) };

	(void)algo, (void)workSpace, (void)workSpaceSizeInBytes;
	return start(handle, &j, NULL, NULL);
}

/* What every output of the convolution that has this index among its inputs hands back. */
static double hand_back(const struct job *j, const int64_t *index)
{
	const struct fake_tensor *dy = &j->in[0], *w = &j->in[1];
	const struct cudnnConvolutionStruct *c = &j->convolution;
	int64_t at[FAKE_DIMS] = { index[0] }, tap[FAKE_DIMS] = { 0 }, dim[FAKE_DIMS], at_w[FAKE_DIMS], rows = w->dim[0] / c->groups;
	double sum = 0;

	memcpy(dim, w->dim, sizeof(dim));
	dim[0] = rows;
	dim[1] = 1;
	do {
		bool inside = true;

		memcpy(at_w, tap, sizeof(at_w));
		at_w[0] = at[1] = index[1] / w->dim[1] * rows + tap[0];
		at_w[1] = index[1] % w->dim[1];
		for (int d = 2; d < dy->n; d++) {
			int64_t from = index[d] + c->pad[d - 2] - tap[d] * c->dilation[d - 2];

			at[d] = from / c->stride[d - 2];
			inside &= from >= 0 && from % c->stride[d - 2] == 0 && at[d] < dy->dim[d];
		}
		if (inside)
			sum += fake_load(dy, at) * fake_load(w, at_w);
	} while (fake_next_index(dim, w->n, tap));
	return sum;
}

FAKE_EXPORT cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void *alpha, const cudnnFilterDescriptor_t wDesc, const void *w,
						       const cudnnTensorDescriptor_t dyDesc, const void *dy,
						       const cudnnConvolutionDescriptor_t convDesc, cudnnConvolutionBwdDataAlgo_t algo, void *workSpace,
						       size_t workSpaceSizeInBytes, const void *beta, const cudnnTensorDescriptor_t dxDesc, void *dx)
{
	struct job j = { .f = hand_back, .in = { tensor(dyDesc, dy), tensor(&wDesc->t, w) }, .y = tensor(dxDesc, dx), .convolution = *convDesc };

	(void)algo, (void)workSpace, (void)workSpaceSizeInBytes;
	return start(handle, &j, alpha, beta);
}

static double pool(const struct job *j, const int64_t *index)
{
	const struct cudnnPoolingStruct *p = &j->pooling;
	int64_t at[FAKE_DIMS] = { index[0], index[1] }, tap[FAKE_DIMS] = { 0 }, window[FAKE_DIMS];
	double largest = -INFINITY, sum = 0, inside = 0, all = 0;

	for (int d = 0; d < p->n; d++)
		window[d] = p->window[d];
	do {
		bool is_inside = true;

		for (int d = 0; d < p->n; d++) {
			at[d + 2] = index[d + 2] * p->stride[d] - p->pad[d] + tap[d];
			is_inside &= at[d + 2] >= 0 && at[d + 2] < j->in[0].dim[d + 2];
		}
		all++;
		if (!is_inside)
			continue;
		largest = fmax(largest, fake_load(&j->in[0], at));
		sum += fake_load(&j->in[0], at);
		inside++;
	} while (fake_next_index(window, p->n, tap));
	return p->mode == CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING ? sum / all : p->mode == CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING ? sum / inside : largest;
}

FAKE_EXPORT cudnnStatus_t cudnnPoolingForward(cudnnHandle_t handle, const cudnnPoolingDescriptor_t desc, const void *alpha,
					      const cudnnTensorDescriptor_t xDesc, const void *x, const void *beta,
					      const cudnnTensorDescriptor_t yDesc, void *y)
{
	struct job j = { .f = pool, .in = { tensor(xDesc, x) }, .y = tensor(yDesc, y), .pooling = *desc };

	return start(handle, &j, alpha, beta);
}
