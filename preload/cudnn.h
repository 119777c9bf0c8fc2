/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rows of spec/cudnn.spec call. Zone: inside the host process (preload/capture.h has its rules). Any thread; a call belongs
 * to its own.
 */
#ifndef EKKA_PRELOAD_CUDNN_H
#define EKKA_PRELOAD_CUDNN_H

#include <cudnn.h>

#include "preload/capture.h"

/* Stream and device, from the handle's getter in the library that the call goes to. */
void ekka_cudnn_context(struct ekka_call *, cudnnHandle_t);

/*
 * cudnnBackendExecute: what the plan computes, on the pointers of the variant pack. Attribute "op" names the reference and "engine"
 * cuDNN's engine, "numerical_notes" how it computes (bits 1 << cudnnBackendNumericalNote_t); where there is no reference "refused" says why, every tensor is described under the name of its edge, and "graph" is
 * the operation graph as JSON.
 */
void ekka_cudnn_execute(struct ekka_call *, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack);

/*
 * Legacy calls: as the ops of spec/kernels/README.md; where there is none "refused" says why, and the tensors are described all the same.
 * preload/cudnn_legacy_conv.c, cudnn_legacy_rows.c, cudnn_legacy.c.
 */
void ekka_cudnn_convolution(struct ekka_call *, const void *alpha, cudnnTensorDescriptor_t xDesc, const void *x, cudnnFilterDescriptor_t wDesc,
			    const void *w, cudnnConvolutionDescriptor_t convDesc, cudnnConvolutionFwdAlgo_t algo, const void *beta,
			    cudnnTensorDescriptor_t yDesc, const void *y);
void ekka_cudnn_convolution_bias(struct ekka_call *, const void *alpha1, cudnnTensorDescriptor_t xDesc, const void *x, cudnnFilterDescriptor_t wDesc,
				 const void *w, cudnnConvolutionDescriptor_t convDesc, cudnnConvolutionFwdAlgo_t algo, const void *alpha2,
				 cudnnTensorDescriptor_t zDesc, const void *z, cudnnTensorDescriptor_t biasDesc, const void *bias,
				 cudnnActivationDescriptor_t activationDesc, cudnnTensorDescriptor_t yDesc, const void *y);
/* The gradient of a convolution's input, which is a transposed convolution. */
void ekka_cudnn_gradient(struct ekka_call *, const void *alpha, cudnnFilterDescriptor_t wDesc, const void *w, cudnnTensorDescriptor_t dyDesc,
			 const void *dy, cudnnConvolutionDescriptor_t convDesc, cudnnConvolutionBwdDataAlgo_t algo, const void *beta,
			 cudnnTensorDescriptor_t dxDesc, const void *dx);
void ekka_cudnn_softmax(struct ekka_call *, cudnnSoftmaxAlgorithm_t algo, cudnnSoftmaxMode_t mode, const void *alpha, cudnnTensorDescriptor_t xDesc,
			const void *x, const void *beta, cudnnTensorDescriptor_t yDesc, const void *y);
void ekka_cudnn_activate(struct ekka_call *, cudnnActivationDescriptor_t activationDesc, const void *alpha, cudnnTensorDescriptor_t xDesc,
			 const void *x, const void *beta, cudnnTensorDescriptor_t yDesc, const void *y);
void ekka_cudnn_pool(struct ekka_call *, cudnnPoolingDescriptor_t poolingDesc, const void *alpha, cudnnTensorDescriptor_t xDesc, const void *x,
		     const void *beta, cudnnTensorDescriptor_t yDesc, const void *y);
/* y = alpha x + beta y, x broadcast: cudnnAddTensor, cudnnTransformTensor. */
void ekka_cudnn_blend(struct ekka_call *, const void *alpha, cudnnTensorDescriptor_t xDesc, const void *x, const void *beta,
		      cudnnTensorDescriptor_t yDesc, const void *y);
void ekka_cudnn_op_tensor(struct ekka_call *, cudnnOpTensorDescriptor_t opTensorDesc, const void *alpha1, cudnnTensorDescriptor_t aDesc, const void *a,
			  const void *alpha2, cudnnTensorDescriptor_t bDesc, const void *b, const void *beta, cudnnTensorDescriptor_t cDesc,
			  const void *c);
void ekka_cudnn_scale(struct ekka_call *, cudnnTensorDescriptor_t yDesc, const void *y, const void *alpha);
void ekka_cudnn_set(struct ekka_call *, cudnnTensorDescriptor_t yDesc, const void *y, const void *value);
void ekka_cudnn_reduce(struct ekka_call *, cudnnReduceTensorDescriptor_t reduceTensorDesc, const void *alpha, cudnnTensorDescriptor_t aDesc,
		       const void *a, const void *beta, cudnnTensorDescriptor_t cDesc, const void *c);
/* Batch normalisation with given statistics; fused: something follows that is not described. */
void ekka_cudnn_normalize(struct ekka_call *, const void *alpha, const void *beta, cudnnTensorDescriptor_t xDesc, const void *x,
			  cudnnTensorDescriptor_t yDesc, const void *y, cudnnTensorDescriptor_t scaleDesc, const void *scale, const void *bias,
			  cudnnTensorDescriptor_t meanDesc, const void *mean, const void *variance, double epsilon, bool fused);

#endif
