/* SPDX-License-Identifier: Apache-2.0 */
/* cudnnConvolutionForward, cudnnConvolutionBiasActivationForward and cudnnConvolutionBackwardData as op conv. Zone: inside the host process. */
#include "config.h"

#include "preload/cudnn.h"
#include "preload/cudnn_legacy.h"

static const char *algorithm(cudnnConvolutionFwdAlgo_t algo)
{
	switch (algo) {
	case CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM: case CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM: case CUDNN_CONVOLUTION_FWD_ALGO_GEMM:
		return "gemm";
	case CUDNN_CONVOLUTION_FWD_ALGO_DIRECT: return "direct";
	case CUDNN_CONVOLUTION_FWD_ALGO_FFT: case CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING: return "fft";
	case CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD: case CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED: return "winograd";
	default: return NULL;
	}
}

/* The gradient's algorithms 0 and 1 are products, too. */
static const char *gradient_algorithm(cudnnConvolutionBwdDataAlgo_t algo)
{
	switch (algo) {
	case CUDNN_CONVOLUTION_BWD_DATA_ALGO_0: case CUDNN_CONVOLUTION_BWD_DATA_ALGO_1: return "gemm";
	case CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT: case CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING: return "fft";
	case CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD: case CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED: return "winograd";
	default: return NULL;
	}
}

/* Attributes out of the convolution's descriptor; NULL, or why there are none. */
static const char *settings(struct ekka_call *call, cudnnConvolutionDescriptor_t desc, const char *algorithm_name, int dtype)
{
	const struct ekka_cudnn_getters *g = ekka_cudnn_getters(call);
	int pad[EKKA_CUDNN_SPATIAL], stride[EKKA_CUDNN_SPATIAL], dilation[EKKA_CUDNN_SPATIAL], n = 0, groups = 1;
	cudnnMathType_t math = CUDNN_DEFAULT_MATH;
	cudnnConvolutionMode_t mode;
	cudnnDataType_t compute;

	if (desc == NULL || g == NULL || g->convolution == NULL || g->groups == NULL || g->math == NULL ||
	    g->convolution(desc, EKKA_CUDNN_SPATIAL, &n, pad, stride, dilation, &mode, &compute) != CUDNN_STATUS_SUCCESS || n < 1 ||
	    n > EKKA_CUDNN_SPATIAL || g->groups(desc, &groups) != CUDNN_STATUS_SUCCESS || g->math(desc, &math) != CUDNN_STATUS_SUCCESS)
		return "the convolution's descriptor could not be read";
	ekka_cudnn_list(call, "pad", 0, pad, n);
	ekka_cudnn_list(call, "stride", 1, stride, n);
	ekka_cudnn_list(call, "dilation", 2, dilation, n);
	ekka_attr_int(call, "groups", groups);
	if (mode == CUDNN_CONVOLUTION)
		ekka_attr_int(call, "flip", 1);
	if (algorithm_name != NULL)
		ekka_attr_str(call, "algorithm", algorithm_name);
	/* FMA math allows no tensor cores; conversion allows half types for f32, which the default only cuts to tf32. */
	if (compute == CUDNN_DATA_FLOAT && (math == CUDNN_FMA_MATH || dtype == EKKA_F16 || dtype == EKKA_BF16))
		ekka_attr_str(call, "compute", "f32");
	else if (compute == CUDNN_DATA_FLOAT && math == CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION)
		ekka_attr_str(call, "compute", "f32_fast_16f");
	return NULL;
}

struct convolution {
	struct ekka_cudnn_view x, w, y;
	double alpha, beta;
	const char *why;
};

static void begin(struct ekka_call *call, struct convolution *c, const void *alpha, cudnnTensorDescriptor_t xDesc, cudnnFilterDescriptor_t wDesc,
		  cudnnConvolutionDescriptor_t convDesc, const char *algorithm_name, const void *beta, cudnnTensorDescriptor_t yDesc)
{
	c->alpha = 1;
	c->beta = 0;
	ekka_cudnn_view_read(call, xDesc, &c->x);
	ekka_cudnn_view_filter(call, wDesc, &c->w);
	ekka_cudnn_view_read(call, yDesc, &c->y);
	c->why = settings(call, convDesc, algorithm_name, c->x.dtype);
	if (!ekka_cudnn_factor(c->y.dtype, alpha, &c->alpha) || !ekka_cudnn_factor(c->y.dtype, beta, &c->beta))
		c->why = "alpha or beta could not be read";
	if (c->x.dtype < 0 || c->w.dtype < 0 || c->y.dtype < 0)
		c->why = "a descriptor could not be read, or has a type or layout that ekkatrace does not describe";
	ekka_attr_real(call, "alpha", c->alpha);
	if (c->beta != 0)
		ekka_attr_real(call, "beta", c->beta);
}

void ekka_cudnn_convolution(struct ekka_call *call, const void *alpha, cudnnTensorDescriptor_t xDesc, const void *x, cudnnFilterDescriptor_t wDesc,
			    const void *w, cudnnConvolutionDescriptor_t convDesc, cudnnConvolutionFwdAlgo_t algo, const void *beta,
			    cudnnTensorDescriptor_t yDesc, const void *y)
{
	struct convolution c;

	begin(call, &c, alpha, xDesc, wDesc, convDesc, algorithm(algo), beta, yDesc);
	ekka_cudnn_op(call, "conv", c.why);
	(void)ekka_cudnn_view_add(call, "x", EKKA_IN, &c.x, x);
	(void)ekka_cudnn_view_add(call, "w", EKKA_IN, &c.w, w);
	(void)ekka_cudnn_view_add(call, "y", c.beta == 0 ? EKKA_OUT : EKKA_INOUT, &c.y, y);
}

void ekka_cudnn_gradient(struct ekka_call *call, const void *alpha, cudnnFilterDescriptor_t wDesc, const void *w, cudnnTensorDescriptor_t dyDesc,
			 const void *dy, cudnnConvolutionDescriptor_t convDesc, cudnnConvolutionBwdDataAlgo_t algo, const void *beta,
			 cudnnTensorDescriptor_t dxDesc, const void *dx)
{
	struct convolution c;

	begin(call, &c, alpha, dyDesc, wDesc, convDesc, gradient_algorithm(algo), beta, dxDesc);
	ekka_cudnn_op(call, "conv", c.why);
	ekka_attr_int(call, "transposed", 1);
	(void)ekka_cudnn_view_add(call, "x", EKKA_IN, &c.x, dy);
	(void)ekka_cudnn_view_add(call, "w", EKKA_IN, &c.w, w);
	(void)ekka_cudnn_view_add(call, "y", c.beta == 0 ? EKKA_OUT : EKKA_INOUT, &c.y, dx);
}

/* In op conv's words; NULL with *ret_why set when it is none of them. Identity: NULL. */
static const char *activation(struct ekka_call *call, cudnnActivationDescriptor_t desc, const char **ret_why)
{
	const struct ekka_cudnn_getters *g = ekka_cudnn_getters(call);
	cudnnActivationMode_t mode;
	cudnnNanPropagation_t nan;
	double coef = 0, beta = 1;

	if (g == NULL || g->activation == NULL || g->activation(desc, &mode, &nan, &coef) != CUDNN_STATUS_SUCCESS) {
		*ret_why = "the activation descriptor could not be read";
		return NULL;
	}
	if (mode == CUDNN_ACTIVATION_SWISH && g->swish_beta != NULL)
		(void)g->swish_beta(desc, &beta);
	switch (mode) {
	case CUDNN_ACTIVATION_IDENTITY: return NULL;
	case CUDNN_ACTIVATION_RELU: return "relu";
	case CUDNN_ACTIVATION_SIGMOID: return "sigmoid";
	case CUDNN_ACTIVATION_TANH: return "tanh";
	case CUDNN_ACTIVATION_ELU:
		if (coef == 1)
			return "elu";
		break;
	case CUDNN_ACTIVATION_SWISH:
		if (beta == 1)
			return "silu";
		break;
	default: break;
	}
	*ret_why = "an activation with a parameter has no reference behind a convolution";
	return NULL;
}

void ekka_cudnn_convolution_bias(struct ekka_call *call, const void *alpha1, cudnnTensorDescriptor_t xDesc, const void *x, cudnnFilterDescriptor_t wDesc,
				 const void *w, cudnnConvolutionDescriptor_t convDesc, cudnnConvolutionFwdAlgo_t algo, const void *alpha2,
				 cudnnTensorDescriptor_t zDesc, const void *z, cudnnTensorDescriptor_t biasDesc, const void *bias,
				 cudnnActivationDescriptor_t activationDesc, cudnnTensorDescriptor_t yDesc, const void *y)
{
	struct ekka_cudnn_view vz, vb;
	const char *act, *why = NULL;
	struct convolution c;

	begin(call, &c, alpha1, xDesc, wDesc, convDesc, algorithm(algo), alpha2, yDesc);
	act = activation(call, activationDesc, &why);
	ekka_cudnn_view_read(call, zDesc, &vz);
	ekka_cudnn_view_read(call, biasDesc, &vb);
	if (c.why == NULL)
		c.why = why;
	if (c.why == NULL && (vb.dtype < 0 || vb.n < 2 || (c.beta != 0 && vz.dtype < 0)))
		c.why = "the descriptor of the bias or of z could not be read";
	ekka_cudnn_op(call, "conv", c.why);
	if (act != NULL)
		ekka_attr_str(call, "activation", act);
	(void)ekka_cudnn_view_add(call, "x", EKKA_IN, &c.x, x);
	(void)ekka_cudnn_view_add(call, "w", EKKA_IN, &c.w, w);
	if (c.beta != 0)
		(void)ekka_cudnn_view_add(call, "z", EKKA_IN, &vz, z);
	if (vb.dtype >= 0 && vb.n >= 2) {
		/* [1, K, 1, ...] becomes [K]. */
		vb.dim[0] = vb.dim[1];
		vb.stride[0] = vb.stride[1];
		vb.n = 1;
		(void)ekka_cudnn_view_add(call, "bias", EKKA_IN, &vb, bias);
	}
	(void)ekka_cudnn_view_add(call, "y", EKKA_OUT, &c.y, y);
}
