/* SPDX-License-Identifier: Apache-2.0 */
/* cuDNN's functions that the descriptions of its calls ask. Zone: inside the host process. */
#ifndef EKKA_PRELOAD_CUDNN_GETTERS_H
#define EKKA_PRELOAD_CUDNN_GETTERS_H

#include <cudnn.h>

#include "preload/capture.h"
#include "preload/getters.h"

#define EKKA_CUDNN_GETTERS(F)                                                                                                           \
	F(stream, cudnnGetStream) F(attribute, cudnnBackendGetAttribute) F(create, cudnnBackendCreateDescriptor)                        \
	F(destroy, cudnnBackendDestroyDescriptor) F(tensor, cudnnGetTensorNdDescriptor) F(filter, cudnnGetFilterNdDescriptor)           \
	F(convolution, cudnnGetConvolutionNdDescriptor) F(groups, cudnnGetConvolutionGroupCount) F(math, cudnnGetConvolutionMathType)   \
	F(activation, cudnnGetActivationDescriptor) F(swish_beta, cudnnGetActivationDescriptorSwishBeta)                                \
	F(op_tensor, cudnnGetOpTensorDescriptor) F(reduce, cudnnGetReduceTensorDescriptor) F(pooling, cudnnGetPoolingNdDescriptor)

struct ekka_cudnn_getters { EKKA_CUDNN_GETTERS(EKKA_GETTER_MEMBER) } EKKA_GETTER_STRUCT;

/* For a call, or for whatever goes to the real function; NULL when there is no more room. A getter that the library lacks is NULL. Thread-safe. */
const struct ekka_cudnn_getters *ekka_cudnn_getters(struct ekka_call *);
const struct ekka_cudnn_getters *ekka_cudnn_getters_of(const void *real);

#endif
