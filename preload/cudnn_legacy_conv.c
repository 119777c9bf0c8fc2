/* SPDX-License-Identifier: Apache-2.0 */
/* cudnnConvolutionForward and cudnnConvolutionBiasActivationForward as op conv. Zone: inside the host process. */
#include "config.h"

#include "preload/cudnn.h"
#include "preload/cudnn_legacy.h"

enum { SPATIAL_MAX = 3, TEXT = 48 };

/* Lists as texts, from a description until its call is written down, which is in the same thread with nothing in between. */
static _Thread_local char texts[3][TEXT] __attribute__((tls_model("initial-exec")));

static void add_list(struct ekka_call *call, const char *name, char *to, const int *item, int n)
{
	unsigned at = 0;

	for (int i = 0; i < n; i++) {
		char digits[12];
		unsigned n_digits = 0;
		unsigned rest = item[i] < 0 ? 0 : (unsigned)item[i];

		do
			digits[n_digits++] = (char)('0' + rest % 10);
		while ((rest /= 10) > 0);
		if (i > 0)
			to[at++] = ',';
		while (n_digits > 0)
			to[at++] = digits[--n_digits];
	}
	to[at] = '\0';
	ekka_attr_str(call, name, to);
}
_Static_assert(SPATIAL_MAX * 12 < TEXT, "a list may not fit");

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

/* Attributes out of the convolution's descriptor; NULL, or why there are none. */
static const char *settings(struct ekka_call *call, cudnnConvolutionDescriptor_t desc, cudnnConvolutionFwdAlgo_t algo)
{
	const struct ekka_cudnn_getters *g = ekka_cudnn_getters(call);
	int pad[SPATIAL_MAX], stride[SPATIAL_MAX], dilation[SPATIAL_MAX], n = 0, groups = 1;
	cudnnMathType_t math = CUDNN_DEFAULT_MATH;
	cudnnConvolutionMode_t mode;
	cudnnDataType_t compute;

	if (desc == NULL || g == NULL || g->convolution == NULL || g->groups == NULL || g->math == NULL ||
	    g->convolution(desc, SPATIAL_MAX, &n, pad, stride, dilation, &mode, &compute) != CUDNN_STATUS_SUCCESS || n < 1 || n > SPATIAL_MAX ||
	    g->groups(desc, &groups) != CUDNN_STATUS_SUCCESS || g->math(desc, &math) != CUDNN_STATUS_SUCCESS)
		return "the convolution's descriptor could not be read";
	add_list(call, "pad", texts[0], pad, n);
	add_list(call, "stride", texts[1], stride, n);
	add_list(call, "dilation", texts[2], dilation, n);
	ekka_attr_int(call, "groups", groups);
	if (mode == CUDNN_CONVOLUTION)
		ekka_attr_int(call, "flip", 1);
	if (algorithm(algo) != NULL)
		ekka_attr_str(call, "algorithm", algorithm(algo));
	/* FMA math allows no tensor cores; conversion allows half types for f32. */
	if (compute == CUDNN_DATA_FLOAT && math == CUDNN_FMA_MATH)
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
		  cudnnConvolutionDescriptor_t convDesc, cudnnConvolutionFwdAlgo_t algo, const void *beta, cudnnTensorDescriptor_t yDesc)
{
	c->alpha = 1;
	c->beta = 0;
	ekka_cudnn_view_read(call, xDesc, &c->x);
	ekka_cudnn_view_filter(call, wDesc, &c->w);
	ekka_cudnn_view_read(call, yDesc, &c->y);
	c->why = settings(call, convDesc, algo);
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

	begin(call, &c, alpha, xDesc, wDesc, convDesc, algo, beta, yDesc);
	ekka_cudnn_op(call, "conv", c.why);
	(void)ekka_cudnn_view_add(call, "x", EKKA_IN, &c.x, x);
	(void)ekka_cudnn_view_add(call, "w", EKKA_IN, &c.w, w);
	(void)ekka_cudnn_view_add(call, "y", c.beta == 0 ? EKKA_OUT : EKKA_INOUT, &c.y, y);
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

	begin(call, &c, alpha1, xDesc, wDesc, convDesc, algo, alpha2, yDesc);
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
