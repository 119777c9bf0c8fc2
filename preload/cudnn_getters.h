/* SPDX-License-Identifier: Apache-2.0 */
/* The getters of the cuDNN that a call goes to: handles and descriptors mean nothing to another copy of it. Zone: inside the host process. */
#ifndef EKKA_PRELOAD_CUDNN_GETTERS_H
#define EKKA_PRELOAD_CUDNN_GETTERS_H

#include <cudnn.h>

#include "preload/capture.h"

struct ekka_cudnn_getters {
	const void *real;		/* the function that they belong to */
	__typeof__(cudnnGetStream) *stream;
	__typeof__(cudnnBackendGetAttribute) *attribute;
	__typeof__(cudnnGetTensorNdDescriptor) *tensor;
	__typeof__(cudnnGetFilterNdDescriptor) *filter;
	__typeof__(cudnnGetConvolutionNdDescriptor) *convolution;
	__typeof__(cudnnGetConvolutionGroupCount) *groups;
	__typeof__(cudnnGetConvolutionMathType) *math;
	__typeof__(cudnnGetActivationDescriptor) *activation;
	__typeof__(cudnnGetActivationDescriptorSwishBeta) *swish_beta;
	__typeof__(cudnnGetOpTensorDescriptor) *op_tensor;
	__typeof__(cudnnGetReduceTensorDescriptor) *reduce;
};

/*
 * Of the real function behind a call; NULL when there is no more room. A getter that the library lacks is NULL. Only the first call of
 * each function takes the loader's lock. Thread-safe.
 */
const struct ekka_cudnn_getters *ekka_cudnn_getters(struct ekka_call *);

#endif
