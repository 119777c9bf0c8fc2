/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuDNN's legacy calls as inference makes them; what they compute is left to replay to say. Knows nothing of ekkatrace. Prints the
 * number of calls.
 */
#include "config.h"

#include <cuda_runtime_api.h>
#include <cudnn.h>
#include <stdio.h>
#include <string.h>

#include "tests/gpu/number.h"

static cudnnHandle_t handle;
static cudaStream_t stream;
static int n_calls;

#define MUST(call) must((int)(call), #call)
static void must(int status, const char *what)
{
	if (status == 0)
		return;
	fprintf(stderr, "%s: %d\n", what, status);
	exit(3);
}

/* A call that counts. What this device's library does not take is said and left out. */
#define RUN(call) run((int)(call), #call)
static void run(int status, const char *what)
{
	if (status == CUDNN_STATUS_NOT_SUPPORTED)
		printf("skipped %.*s\n", (int)strcspn(what, "("), what);
	else
		must(status, what);
	n_calls++;
}

enum { N = 2, C = 8, H = 6, W = 5, K = 16, R = 3 };

static const float one = 1, none = 0, half = 0.5f;

static void *numbers(int n, double from, double to)
{
	static unsigned seed = 7;
	float *host = malloc((size_t)n * sizeof(float));
	void *device;

	for (int i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		host[i] = (float)(from + (to - from) * (seed >> 8) / (1 << 24));
	}
	MUST(cudaMalloc(&device, (size_t)n * sizeof(float)));
	MUST(cudaMemcpyAsync(device, host, (size_t)n * sizeof(float), cudaMemcpyHostToDevice, stream));
	MUST(cudaStreamSynchronize(stream));
	free(host);
	return device;
}

static cudnnTensorDescriptor_t shape(int n, int c, int h, int w, int nhwc)
{
	int dim[] = { n, c, h, w }, nchw[] = { c * h * w, h * w, w, 1 }, last[] = { h * w * c, 1, w * c, c };
	cudnnTensorDescriptor_t d;

	MUST(cudnnCreateTensorDescriptor(&d));
	MUST(cudnnSetTensorNdDescriptor(d, CUDNN_DATA_FLOAT, 4, dim, nhwc ? last : nchw));
	return d;
}

static void convolutions(void)
{
	int pad[] = { 1, 0 }, stride[] = { 1, 2 }, dilation[] = { 1, 1 }, dim[] = { K, C / 2, R, R }, dim_nhwc[] = { K, C, R, R };
	int same_pad[] = { 1, 1 }, by_one[] = { 1, 1 };
	cudnnTensorDescriptor_t x = shape(N, C, H, W, 0), y = shape(N, K, H, (W - R) / 2 + 1, 0);
	cudnnTensorDescriptor_t x2 = shape(N, C, H, W, 1), y2 = shape(N, K, H, W, 1), bias = shape(1, K, 1, 1, 0);
	void *px = numbers(N * C * H * W, -1, 1), *pw = numbers(K * C * R * R, -1, 1), *py = numbers(N * K * H * W, -1, 1);
	void *pz = numbers(N * K * H * W, -1, 1), *pb = numbers(K, -1, 1), *work = numbers(1 << 20, 0, 0);
	cudnnFilterDescriptor_t w, w2;
	cudnnConvolutionDescriptor_t conv, conv2;
	cudnnActivationDescriptor_t relu;

	MUST(cudnnCreateFilterDescriptor(&w));
	MUST(cudnnSetFilterNdDescriptor(w, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, 4, dim));
	MUST(cudnnCreateFilterDescriptor(&w2));
	MUST(cudnnSetFilterNdDescriptor(w2, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, 4, dim_nhwc));
	MUST(cudnnCreateConvolutionDescriptor(&conv));
	MUST(cudnnSetConvolutionNdDescriptor(conv, 2, pad, stride, dilation, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
	MUST(cudnnSetConvolutionGroupCount(conv, 2));
	MUST(cudnnCreateConvolutionDescriptor(&conv2));
	MUST(cudnnSetConvolutionNdDescriptor(conv2, 2, same_pad, by_one, by_one, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
	MUST(cudnnSetConvolutionMathType(conv2, CUDNN_FMA_MATH));
	MUST(cudnnCreateActivationDescriptor(&relu));
	MUST(cudnnSetActivationDescriptor(relu, CUDNN_ACTIVATION_RELU, CUDNN_PROPAGATE_NAN, 0));
	RUN(cudnnConvolutionForward(handle, &one, x, px, w, pw, conv, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, work, 1 << 22, &none, y, py));
	RUN(cudnnConvolutionForward(handle, &one, x, px, w, pw, conv, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, work, 1 << 22, &half, y, py));
	RUN(cudnnConvolutionBiasActivationForward(handle, &one, x2, px, w2, pw, conv2, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, work, 1 << 22,
						  &half, y2, pz, bias, pb, relu, y2, py));
	RUN(cudnnConvolutionBackwardData(handle, &one, w, pw, y, pz, conv, CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, work, 1 << 22, &none, x, px));
	RUN(cudnnConvolutionBackwardData(handle, &half, w, pw, y, pz, conv, CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, work, 1 << 22, &one, x, px));
	MUST(cudaStreamSynchronize(stream));
}

static void elementwise(void)
{
	cudnnTensorDescriptor_t x = shape(N, C, H, W, 0), last = shape(N, C, H, W, 1), channel = shape(1, C, 1, 1, 0);
	cudnnTensorDescriptor_t each = shape(1, C, H, W, 0);
	void *px = numbers(N * C * H * W, -3, 3), *py = numbers(N * C * H * W, -1, 1), *pc = numbers(C, -1, 1);
	void *scale = numbers(C, 0.5, 2), *bias = numbers(C, -1, 1), *mean = numbers(C, -1, 1), *variance = numbers(C, 0.1, 3);
	cudnnActivationDescriptor_t act;
	cudnnOpTensorDescriptor_t op;
	float seven = 7;

	MUST(cudnnCreateActivationDescriptor(&act));
	MUST(cudnnSetActivationDescriptor(act, CUDNN_ACTIVATION_SIGMOID, CUDNN_PROPAGATE_NAN, 0));
	RUN(cudnnActivationForward(handle, act, &one, x, px, &none, x, py));
	MUST(cudnnSetActivationDescriptor(act, CUDNN_ACTIVATION_CLIPPED_RELU, CUDNN_PROPAGATE_NAN, 1.5));
	RUN(cudnnActivationForward(handle, act, &one, x, px, &half, x, py));
	MUST(cudnnSetActivationDescriptor(act, CUDNN_ACTIVATION_ELU, CUDNN_PROPAGATE_NAN, 0.75));
	RUN(cudnnActivationForward(handle, act, &one, x, px, &none, x, px));
	RUN(cudnnAddTensor(handle, &half, channel, pc, &one, x, py));
	RUN(cudnnTransformTensor(handle, &one, x, px, &none, last, py));
	RUN(cudnnScaleTensor(handle, x, py, &half));
	RUN(cudnnBatchNormalizationForwardInference(handle, CUDNN_BATCHNORM_SPATIAL, &one, &none, x, px, x, py, channel, scale, bias, mean, variance, 1e-5));
	RUN(cudnnBatchNormalizationForwardInference(handle, CUDNN_BATCHNORM_PER_ACTIVATION, &one, &none, x, px, x, py, each, numbers(C * H * W, 0.5, 2),
						    numbers(C * H * W, -1, 1), numbers(C * H * W, -1, 1), numbers(C * H * W, 0.1, 3), 1e-4));
	RUN(cudnnBatchNormalizationForwardInference(handle, CUDNN_BATCHNORM_SPATIAL_PERSISTENT, &half, &one, last, px, last, py, channel, scale, bias, mean,
						    variance, 1e-5));
	MUST(cudnnCreateOpTensorDescriptor(&op));
	MUST(cudnnSetOpTensorDescriptor(op, CUDNN_OP_TENSOR_MUL, CUDNN_DATA_FLOAT, CUDNN_PROPAGATE_NAN));
	RUN(cudnnOpTensor(handle, op, &one, x, px, &half, channel, pc, &none, x, py));
	RUN(cudnnSetTensor(handle, x, py, &seven));
	MUST(cudaStreamSynchronize(stream));
}

static void over_dimensions(void)
{
	cudnnTensorDescriptor_t x = shape(N, C, H, W, 0), channel = shape(1, C, 1, 1, 0);
	void *px = numbers(N * C * H * W, -3, 3), *py = numbers(N * C * H * W, -1, 1), *work = numbers(1 << 18, 0, 0);
	cudnnReduceTensorDescriptor_t reduce;

	RUN(cudnnSoftmaxForward(handle, CUDNN_SOFTMAX_ACCURATE, CUDNN_SOFTMAX_MODE_CHANNEL, &one, x, px, &none, x, py));
	RUN(cudnnSoftmaxForward(handle, CUDNN_SOFTMAX_LOG, CUDNN_SOFTMAX_MODE_CHANNEL, &one, x, px, &none, x, py));
	MUST(cudnnCreateReduceTensorDescriptor(&reduce));
	MUST(cudnnSetReduceTensorDescriptor(reduce, CUDNN_REDUCE_TENSOR_AVG, CUDNN_DATA_FLOAT, CUDNN_PROPAGATE_NAN, CUDNN_REDUCE_TENSOR_NO_INDICES,
					    CUDNN_32BIT_INDICES));
	RUN(cudnnReduceTensor(handle, reduce, NULL, 0, work, 1 << 20, &one, x, px, &none, channel, py));
	MUST(cudnnSetReduceTensorDescriptor(reduce, CUDNN_REDUCE_TENSOR_AMAX, CUDNN_DATA_FLOAT, CUDNN_PROPAGATE_NAN, CUDNN_REDUCE_TENSOR_NO_INDICES,
					    CUDNN_32BIT_INDICES));
	RUN(cudnnReduceTensor(handle, reduce, NULL, 0, work, 1 << 20, &one, x, px, &none, channel, py));
	MUST(cudaStreamSynchronize(stream));
}

static void pooling(void)
{
	static const cudnnPoolingMode_t modes[] = { CUDNN_POOLING_MAX, CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING,
						    CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING, CUDNN_POOLING_MAX_DETERMINISTIC };
	int window[] = { 3, 2 }, pad[] = { 1, 0 }, stride[] = { 2, 1 };
	cudnnTensorDescriptor_t x = shape(N, C, H, W, 0), y = shape(N, C, (H + 2 - 3) / 2 + 1, W - 1, 0);
	void *px = numbers(N * C * H * W, -3, 3), *py = numbers(N * C * H * W, -1, 1);
	const int dim_x[] = { N, C, H, 2, 2 }, stride_x[] = { C * H * 4, H * 4, 4, 2, 1 }, dim_y[] = { N, C, H / 2, 1, 3 };
	const int stride_y[] = { C * H / 2 * 3, H / 2 * 3, 3, 3, 1 };
	cudnnTensorDescriptor_t x3, y3;
	cudnnPoolingDescriptor_t pool;

	MUST(cudnnCreatePoolingDescriptor(&pool));
	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		MUST(cudnnSetPoolingNdDescriptor(pool, modes[i], CUDNN_PROPAGATE_NAN, 2, window, pad, stride));
		RUN(cudnnPoolingForward(handle, pool, &one, x, px, &none, y, py));
	}
	MUST(cudnnSetPoolingNdDescriptor(pool, CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING, CUDNN_NOT_PROPAGATE_NAN, 2, window, pad, stride));
	RUN(cudnnPoolingForward(handle, pool, &half, x, px, &one, y, py));
	/* Three dims. */
	MUST(cudnnCreateTensorDescriptor(&x3));
	MUST(cudnnSetTensorNdDescriptor(x3, CUDNN_DATA_FLOAT, 5, dim_x, stride_x));
	MUST(cudnnCreateTensorDescriptor(&y3));
	MUST(cudnnSetTensorNdDescriptor(y3, CUDNN_DATA_FLOAT, 5, dim_y, stride_y));
	MUST(cudnnSetPoolingNdDescriptor(pool, CUDNN_POOLING_MAX, CUDNN_PROPAGATE_NAN, 3, (const int[]){ 3, 2, 2 }, (const int[]){ 1, 0, 1 },
					 (const int[]){ 2, 1, 1 }));
	RUN(cudnnPoolingForward(handle, pool, &one, x3, px, &none, y3, py));
	MUST(cudaStreamSynchronize(stream));
}

int main(void)
{
	MUST(cudaStreamCreate(&stream));
	MUST(cudnnCreate(&handle));
	MUST(cudnnSetStream(handle, stream));
	convolutions();
	elementwise();
	over_dimensions();
	pooling();
	MUST(cudnnDestroy(handle));
	printf("%d calls\n", n_calls);
	return 0;
}
