/* SPDX-License-Identifier: Apache-2.0 */
/* libcudnn_graph.so.9: the legacy calls' descriptors. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fake/fake_cudnn_legacy.h"

#define CREATE_DESTROY(what, type)                                      \
	FAKE_EXPORT cudnnStatus_t cudnnCreate##what(type *ret)          \
	{                                                               \
		*ret = calloc(1, sizeof(**ret));                        \
		return CUDNN_STATUS_SUCCESS;                            \
	}                                                               \
	FAKE_EXPORT cudnnStatus_t cudnnDestroy##what(type d)            \
	{                                                               \
		free(d);                                                \
		return CUDNN_STATUS_SUCCESS;                            \
	}
CREATE_DESTROY(TensorDescriptor, cudnnTensorDescriptor_t)
CREATE_DESTROY(FilterDescriptor, cudnnFilterDescriptor_t)
CREATE_DESTROY(ConvolutionDescriptor, cudnnConvolutionDescriptor_t)
CREATE_DESTROY(ActivationDescriptor, cudnnActivationDescriptor_t)
CREATE_DESTROY(OpTensorDescriptor, cudnnOpTensorDescriptor_t)
CREATE_DESTROY(PoolingDescriptor, cudnnPoolingDescriptor_t)
CREATE_DESTROY(ReduceTensorDescriptor, cudnnReduceTensorDescriptor_t)

FAKE_EXPORT cudnnStatus_t cudnnSetTensorNdDescriptor(cudnnTensorDescriptor_t d, cudnnDataType_t type, int n, const int dim[], const int stride[])
{
	d->type = type;
	d->n = n;
	memcpy(d->dim, dim, (size_t)n * sizeof(int));
	memcpy(d->stride, stride, (size_t)n * sizeof(int));
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnGetTensorNdDescriptor(const cudnnTensorDescriptor_t d, int requested, cudnnDataType_t *type, int *n, int dim[], int stride[])
{
	*type = d->type;
	*n = d->n;
	memcpy(dim, d->dim, (size_t)(d->n < requested ? d->n : requested) * sizeof(int));
	memcpy(stride, d->stride, (size_t)(d->n < requested ? d->n : requested) * sizeof(int));
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnSetFilterNdDescriptor(cudnnFilterDescriptor_t d, cudnnDataType_t type, cudnnTensorFormat_t format, int n, const int dim[])
{
	int next = format == CUDNN_TENSOR_NHWC ? dim[1] : 1;

	d->t.type = type;
	d->t.n = n;
	d->format = format;
	d->t.stride[1] = 1;
	for (int i = n - 1; i >= 0; i--) {
		d->t.dim[i] = dim[i];
		if (i == 1 && format == CUDNN_TENSOR_NHWC)
			continue;
		d->t.stride[i] = next;
		next *= dim[i];
	}
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnGetFilterNdDescriptor(const cudnnFilterDescriptor_t d, int requested, cudnnDataType_t *type, cudnnTensorFormat_t *format,
						     int *n, int dim[])
{
	*type = d->t.type;
	*format = d->format;
	*n = d->t.n;
	memcpy(dim, d->t.dim, (size_t)(d->t.n < requested ? d->t.n : requested) * sizeof(int));
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnSetConvolutionNdDescriptor(cudnnConvolutionDescriptor_t d, int n, const int pad[], const int stride[], const int dilation[],
							  cudnnConvolutionMode_t mode, cudnnDataType_t compute)
{
	(void)compute;
	*d = (struct cudnnConvolutionStruct){ .n = n, .groups = 1, .mode = mode };
	memcpy(d->pad, pad, (size_t)n * sizeof(int));
	memcpy(d->stride, stride, (size_t)n * sizeof(int));
	memcpy(d->dilation, dilation, (size_t)n * sizeof(int));
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnGetConvolutionNdDescriptor(const cudnnConvolutionDescriptor_t d, int requested, int *n, int pad[], int stride[],
							  int dilation[], cudnnConvolutionMode_t *mode, cudnnDataType_t *compute)
{
	size_t bytes = (size_t)(d->n < requested ? d->n : requested) * sizeof(int);

	*n = d->n;
	memcpy(pad, d->pad, bytes);
	memcpy(stride, d->stride, bytes);
	memcpy(dilation, d->dilation, bytes);
	*mode = d->mode;
	*compute = CUDNN_DATA_FLOAT;
	return CUDNN_STATUS_SUCCESS;
}

/* Settings of one field: cudnnSetX(d, v) and cudnnGetX(d, &v). */
#define FIELD(what, descriptor, type, field)                                        \
	FAKE_EXPORT cudnnStatus_t cudnnSet##what(descriptor d, type v)              \
	{                                                                           \
		d->field = v;                                                       \
		return CUDNN_STATUS_SUCCESS;                                        \
	}                                                                           \
	FAKE_EXPORT cudnnStatus_t cudnnGet##what(descriptor d, type *ret)           \
	{                                                                           \
		*ret = d->field;                                                    \
		return CUDNN_STATUS_SUCCESS;                                        \
	}
FIELD(ConvolutionGroupCount, cudnnConvolutionDescriptor_t, int, groups)
FIELD(ConvolutionMathType, cudnnConvolutionDescriptor_t, cudnnMathType_t, math)

FAKE_EXPORT cudnnStatus_t cudnnSetActivationDescriptor(cudnnActivationDescriptor_t d, cudnnActivationMode_t mode, cudnnNanPropagation_t nan, double coef)
{
	(void)nan;
	*d = (struct cudnnActivationStruct){ mode, coef };
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnGetActivationDescriptor(const cudnnActivationDescriptor_t d, cudnnActivationMode_t *mode, cudnnNanPropagation_t *nan,
						       double *coef)
{
	*mode = d->mode;
	*nan = CUDNN_PROPAGATE_NAN;
	*coef = d->coef;
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnSetOpTensorDescriptor(cudnnOpTensorDescriptor_t d, cudnnOpTensorOp_t op, cudnnDataType_t type, cudnnNanPropagation_t nan)
{
	(void)type, (void)nan;
	d->op = op;
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnGetOpTensorDescriptor(const cudnnOpTensorDescriptor_t d, cudnnOpTensorOp_t *op, cudnnDataType_t *type,
						     cudnnNanPropagation_t *nan)
{
	*op = d->op;
	*type = CUDNN_DATA_FLOAT;
	*nan = CUDNN_PROPAGATE_NAN;
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnSetReduceTensorDescriptor(cudnnReduceTensorDescriptor_t d, cudnnReduceTensorOp_t op, cudnnDataType_t type,
							 cudnnNanPropagation_t nan, cudnnReduceTensorIndices_t indices, cudnnIndicesType_t indices_type)
{
	(void)type, (void)nan, (void)indices, (void)indices_type;
	d->op = op;
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnGetReduceTensorDescriptor(const cudnnReduceTensorDescriptor_t d, cudnnReduceTensorOp_t *op, cudnnDataType_t *type,
							 cudnnNanPropagation_t *nan, cudnnReduceTensorIndices_t *indices,
							 cudnnIndicesType_t *indices_type)
{
	*op = d->op;
	*type = CUDNN_DATA_FLOAT;
	*nan = CUDNN_PROPAGATE_NAN;
	*indices = CUDNN_REDUCE_TENSOR_NO_INDICES;
	*indices_type = CUDNN_32BIT_INDICES;
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnSetPoolingNdDescriptor(cudnnPoolingDescriptor_t d, const cudnnPoolingMode_t mode, const cudnnNanPropagation_t nan, int n,
						      const int window[], const int pad[], const int stride[])
{
	*d = (struct cudnnPoolingStruct){ .mode = mode, .nan = nan, .n = n };
	memcpy(d->window, window, (size_t)n * sizeof(int));
	memcpy(d->pad, pad, (size_t)n * sizeof(int));
	memcpy(d->stride, stride, (size_t)n * sizeof(int));
	return CUDNN_STATUS_SUCCESS;
}

FAKE_EXPORT cudnnStatus_t cudnnGetPoolingNdDescriptor(const cudnnPoolingDescriptor_t d, int requested, cudnnPoolingMode_t *mode, cudnnNanPropagation_t *nan,
						      int *n, int window[], int pad[], int stride[])
{
	size_t bytes = (size_t)(d->n < requested ? d->n : requested) * sizeof(int);

	*mode = d->mode;
	*nan = d->nan;
	*n = d->n;
	memcpy(window, d->window, bytes);
	memcpy(pad, d->pad, bytes);
	memcpy(stride, d->stride, bytes);
	return CUDNN_STATUS_SUCCESS;
}
