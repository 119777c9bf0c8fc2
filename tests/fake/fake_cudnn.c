/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcudnn.so.9: looks every function up under its own name in the sub-library, as the real dispatcher does. A shim that redirects
 * these look-ups to itself makes an endless loop.
 */
#include "config.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include <cudnn.h>

#include "tests/fake/fake.h"

static void *find(const char *name)
{
	static void *lib;
	void *p;

	if (lib == NULL)
		lib = dlopen("libcudnn_graph.so.9", RTLD_NOW | RTLD_LOCAL);
	p = lib != NULL ? dlsym(lib, name) : NULL;
	if (p == NULL) {
		fprintf(stderr, "stand-in for cuDNN: no %s: %s\n", name, dlerror());
		exit(3);
	}
	return p;
}

#define FORWARD(returns, name, parameters, arguments)       \
	FAKE_EXPORT returns name parameters                 \
	{                                                   \
		static __typeof__(name) *real;              \
		if (real == NULL)                           \
			*(void **)&real = find(#name);      \
		return real arguments;                      \
	}

FORWARD(size_t, cudnnGetVersion, (void), ())
FORWARD(cudnnStatus_t, cudnnCreate, (cudnnHandle_t * h), (h))
FORWARD(cudnnStatus_t, cudnnDestroy, (cudnnHandle_t h), (h))
FORWARD(cudnnStatus_t, cudnnSetStream, (cudnnHandle_t h, cudaStream_t s), (h, s))
FORWARD(cudnnStatus_t, cudnnGetStream, (cudnnHandle_t h, cudaStream_t *s), (h, s))
FORWARD(cudnnStatus_t, cudnnBackendCreateDescriptor, (cudnnBackendDescriptorType_t t, cudnnBackendDescriptor_t *d), (t, d))
FORWARD(cudnnStatus_t, cudnnBackendDestroyDescriptor, (cudnnBackendDescriptor_t d), (d))
FORWARD(cudnnStatus_t, cudnnBackendFinalize, (cudnnBackendDescriptor_t d), (d))
FORWARD(cudnnStatus_t, cudnnBackendSetAttribute,
	(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t n, cudnnBackendAttributeType_t t, int64_t c, const void *p), (d, n, t, c, p))
FORWARD(cudnnStatus_t, cudnnBackendGetAttribute,
	(cudnnBackendDescriptor_t const d, cudnnBackendAttributeName_t n, cudnnBackendAttributeType_t t, int64_t r, int64_t *c, void *p),
	(d, n, t, r, c, p))
FORWARD(cudnnStatus_t, cudnnBackendExecute, (cudnnHandle_t h, cudnnBackendDescriptor_t p, cudnnBackendDescriptor_t v), (h, p, v))
FORWARD(cudnnStatus_t, cudnnSetTensorNdDescriptor,
	(cudnnTensorDescriptor_t tensorDesc, cudnnDataType_t dataType, int nbDims, const int dimA[], const int strideA[]),
	(tensorDesc, dataType, nbDims, dimA, strideA))
FORWARD(cudnnStatus_t, cudnnGetTensorNdDescriptor,
	(const cudnnTensorDescriptor_t tensorDesc, int nbDimsRequested, cudnnDataType_t *dataType, int *nbDims, int dimA[], int strideA[]),
	(tensorDesc, nbDimsRequested, dataType, nbDims, dimA, strideA))
FORWARD(cudnnStatus_t, cudnnSetFilterNdDescriptor,
	(cudnnFilterDescriptor_t filterDesc, cudnnDataType_t dataType, cudnnTensorFormat_t format, int nbDims, const int filterDimA[]),
	(filterDesc, dataType, format, nbDims, filterDimA))
FORWARD(cudnnStatus_t, cudnnGetFilterNdDescriptor,
	(const cudnnFilterDescriptor_t filterDesc, int nbDimsRequested, cudnnDataType_t *dataType, cudnnTensorFormat_t *format,
	 int *nbDims, int filterDimA[]),
	(filterDesc, nbDimsRequested, dataType, format, nbDims, filterDimA))
FORWARD(cudnnStatus_t, cudnnSetConvolutionNdDescriptor,
	(cudnnConvolutionDescriptor_t convDesc, int arrayLength, const int padA[], const int filterStrideA[], const int dilationA[],
	 cudnnConvolutionMode_t mode, cudnnDataType_t computeType),
	(convDesc, arrayLength, padA, filterStrideA, dilationA, mode, computeType))
FORWARD(cudnnStatus_t, cudnnGetConvolutionNdDescriptor,
	(const cudnnConvolutionDescriptor_t convDesc, int arrayLengthRequested, int *arrayLength, int padA[], int strideA[],
	 int dilationA[], cudnnConvolutionMode_t *mode, cudnnDataType_t *computeType),
	(convDesc, arrayLengthRequested, arrayLength, padA, strideA, dilationA, mode, computeType))
FORWARD(cudnnStatus_t, cudnnSetActivationDescriptor,
	(cudnnActivationDescriptor_t activationDesc, cudnnActivationMode_t mode, cudnnNanPropagation_t reluNanOpt, double coef),
	(activationDesc, mode, reluNanOpt, coef))
FORWARD(cudnnStatus_t, cudnnGetActivationDescriptor,
	(const cudnnActivationDescriptor_t activationDesc, cudnnActivationMode_t *mode, cudnnNanPropagation_t *reluNanOpt, double *coef),
	(activationDesc, mode, reluNanOpt, coef))
FORWARD(cudnnStatus_t, cudnnSetOpTensorDescriptor,
	(cudnnOpTensorDescriptor_t opTensorDesc, cudnnOpTensorOp_t opTensorOp, cudnnDataType_t opTensorCompType,
	 cudnnNanPropagation_t opTensorNanOpt),
	(opTensorDesc, opTensorOp, opTensorCompType, opTensorNanOpt))
FORWARD(cudnnStatus_t, cudnnGetOpTensorDescriptor,
	(const cudnnOpTensorDescriptor_t opTensorDesc, cudnnOpTensorOp_t *opTensorOp, cudnnDataType_t *opTensorCompType,
	 cudnnNanPropagation_t *opTensorNanOpt),
	(opTensorDesc, opTensorOp, opTensorCompType, opTensorNanOpt))
FORWARD(cudnnStatus_t, cudnnSetReduceTensorDescriptor,
	(cudnnReduceTensorDescriptor_t reduceTensorDesc, cudnnReduceTensorOp_t reduceTensorOp, cudnnDataType_t reduceTensorCompType,
	 cudnnNanPropagation_t reduceTensorNanOpt, cudnnReduceTensorIndices_t reduceTensorIndices,
	 cudnnIndicesType_t reduceTensorIndicesType),
	(reduceTensorDesc, reduceTensorOp, reduceTensorCompType, reduceTensorNanOpt, reduceTensorIndices, reduceTensorIndicesType))
FORWARD(cudnnStatus_t, cudnnGetReduceTensorDescriptor,
	(const cudnnReduceTensorDescriptor_t reduceTensorDesc, cudnnReduceTensorOp_t *reduceTensorOp,
	 cudnnDataType_t *reduceTensorCompType, cudnnNanPropagation_t *reduceTensorNanOpt,
	 cudnnReduceTensorIndices_t *reduceTensorIndices, cudnnIndicesType_t *reduceTensorIndicesType),
	(reduceTensorDesc, reduceTensorOp, reduceTensorCompType, reduceTensorNanOpt, reduceTensorIndices, reduceTensorIndicesType))
FORWARD(cudnnStatus_t, cudnnActivationForward,
	(cudnnHandle_t handle, cudnnActivationDescriptor_t activationDesc, const void *alpha, const cudnnTensorDescriptor_t xDesc,
	 const void *x, const void *beta, const cudnnTensorDescriptor_t yDesc, void *y),
	(handle, activationDesc, alpha, xDesc, x, beta, yDesc, y))
FORWARD(cudnnStatus_t, cudnnAddTensor,
	(cudnnHandle_t handle, const void *alpha, const cudnnTensorDescriptor_t aDesc, const void *A, const void *beta,
	 const cudnnTensorDescriptor_t cDesc, void *C),
	(handle, alpha, aDesc, A, beta, cDesc, C))
FORWARD(cudnnStatus_t, cudnnTransformTensor,
	(cudnnHandle_t handle, const void *alpha, const cudnnTensorDescriptor_t xDesc, const void *x, const void *beta,
	 const cudnnTensorDescriptor_t yDesc, void *y),
	(handle, alpha, xDesc, x, beta, yDesc, y))
FORWARD(cudnnStatus_t, cudnnScaleTensor,
	(cudnnHandle_t handle, const cudnnTensorDescriptor_t yDesc, void *y, const void *alpha),
	(handle, yDesc, y, alpha))
FORWARD(cudnnStatus_t, cudnnSetTensor,
	(cudnnHandle_t handle, const cudnnTensorDescriptor_t yDesc, void *y, const void *valuePtr),
	(handle, yDesc, y, valuePtr))
FORWARD(cudnnStatus_t, cudnnOpTensor,
	(cudnnHandle_t handle, const cudnnOpTensorDescriptor_t opTensorDesc, const void *alpha1, const cudnnTensorDescriptor_t aDesc,
	 const void *A, const void *alpha2, const cudnnTensorDescriptor_t bDesc, const void *B, const void *beta,
	 const cudnnTensorDescriptor_t cDesc, void *C),
	(handle, opTensorDesc, alpha1, aDesc, A, alpha2, bDesc, B, beta, cDesc, C))
FORWARD(cudnnStatus_t, cudnnSoftmaxForward,
	(cudnnHandle_t handle, cudnnSoftmaxAlgorithm_t algo, cudnnSoftmaxMode_t mode, const void *alpha,
	 const cudnnTensorDescriptor_t xDesc, const void *x, const void *beta, const cudnnTensorDescriptor_t yDesc, void *y),
	(handle, algo, mode, alpha, xDesc, x, beta, yDesc, y))
FORWARD(cudnnStatus_t, cudnnReduceTensor,
	(cudnnHandle_t handle, const cudnnReduceTensorDescriptor_t reduceTensorDesc, void *indices, size_t indicesSizeInBytes,
	 void *workspace, size_t workspaceSizeInBytes, const void *alpha, const cudnnTensorDescriptor_t aDesc, const void *A,
	 const void *beta, const cudnnTensorDescriptor_t cDesc, void *C),
	(handle, reduceTensorDesc, indices, indicesSizeInBytes, workspace, workspaceSizeInBytes, alpha, aDesc, A, beta, cDesc, C))
FORWARD(cudnnStatus_t, cudnnBatchNormalizationForwardInference,
	(cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void *alpha, const void *beta, const cudnnTensorDescriptor_t xDesc,
	 const void *x, const cudnnTensorDescriptor_t yDesc, void *y, const cudnnTensorDescriptor_t bnScaleBiasMeanVarDesc,
	 const void *bnScale, const void *bnBias, const void *estimatedMean, const void *estimatedVariance, double epsilon),
	(handle, mode, alpha, beta, xDesc, x, yDesc, y, bnScaleBiasMeanVarDesc, bnScale, bnBias, estimatedMean, estimatedVariance, epsilon))
FORWARD(cudnnStatus_t, cudnnConvolutionForward,
	(cudnnHandle_t handle, const void *alpha, const cudnnTensorDescriptor_t xDesc, const void *x,
	 const cudnnFilterDescriptor_t wDesc, const void *w, const cudnnConvolutionDescriptor_t convDesc,
	 cudnnConvolutionFwdAlgo_t algo, void *workSpace, size_t workSpaceSizeInBytes, const void *beta,
	 const cudnnTensorDescriptor_t yDesc, void *y),
	(handle, alpha, xDesc, x, wDesc, w, convDesc, algo, workSpace, workSpaceSizeInBytes, beta, yDesc, y))
FORWARD(cudnnStatus_t, cudnnConvolutionBiasActivationForward,
	(cudnnHandle_t handle, const void *alpha1, const cudnnTensorDescriptor_t xDesc, const void *x,
	 const cudnnFilterDescriptor_t wDesc, const void *w, const cudnnConvolutionDescriptor_t convDesc,
	 cudnnConvolutionFwdAlgo_t algo, void *workSpace, size_t workSpaceSizeInBytes, const void *alpha2,
	 const cudnnTensorDescriptor_t zDesc, const void *z, const cudnnTensorDescriptor_t biasDesc, const void *bias,
	 const cudnnActivationDescriptor_t activationDesc, const cudnnTensorDescriptor_t yDesc, void *y),
	(handle, alpha1, xDesc, x, wDesc, w, convDesc, algo, workSpace, workSpaceSizeInBytes, alpha2, zDesc, z, biasDesc, bias,
	 activationDesc, yDesc, y))
FORWARD(cudnnStatus_t, cudnnCreateTensorDescriptor,
	(cudnnTensorDescriptor_t *tensorDesc),
	(tensorDesc))
FORWARD(cudnnStatus_t, cudnnDestroyTensorDescriptor,
	(cudnnTensorDescriptor_t tensorDesc),
	(tensorDesc))
FORWARD(cudnnStatus_t, cudnnCreateFilterDescriptor,
	(cudnnFilterDescriptor_t *filterDesc),
	(filterDesc))
FORWARD(cudnnStatus_t, cudnnDestroyFilterDescriptor,
	(cudnnFilterDescriptor_t filterDesc),
	(filterDesc))
FORWARD(cudnnStatus_t, cudnnCreateConvolutionDescriptor,
	(cudnnConvolutionDescriptor_t *convDesc),
	(convDesc))
FORWARD(cudnnStatus_t, cudnnDestroyConvolutionDescriptor,
	(cudnnConvolutionDescriptor_t convDesc),
	(convDesc))
FORWARD(cudnnStatus_t, cudnnCreateActivationDescriptor,
	(cudnnActivationDescriptor_t *activationDesc),
	(activationDesc))
FORWARD(cudnnStatus_t, cudnnDestroyActivationDescriptor,
	(cudnnActivationDescriptor_t activationDesc),
	(activationDesc))
FORWARD(cudnnStatus_t, cudnnCreateOpTensorDescriptor,
	(cudnnOpTensorDescriptor_t *opTensorDesc),
	(opTensorDesc))
FORWARD(cudnnStatus_t, cudnnDestroyOpTensorDescriptor,
	(cudnnOpTensorDescriptor_t opTensorDesc),
	(opTensorDesc))
FORWARD(cudnnStatus_t, cudnnCreateReduceTensorDescriptor,
	(cudnnReduceTensorDescriptor_t *reduceTensorDesc),
	(reduceTensorDesc))
FORWARD(cudnnStatus_t, cudnnDestroyReduceTensorDescriptor,
	(cudnnReduceTensorDescriptor_t reduceTensorDesc),
	(reduceTensorDesc))
FORWARD(cudnnStatus_t, cudnnSetConvolutionGroupCount,
	(cudnnConvolutionDescriptor_t convDesc, int groupCount),
	(convDesc, groupCount))
FORWARD(cudnnStatus_t, cudnnGetConvolutionGroupCount,
	(cudnnConvolutionDescriptor_t convDesc, int *groupCount),
	(convDesc, groupCount))
FORWARD(cudnnStatus_t, cudnnSetConvolutionMathType,
	(cudnnConvolutionDescriptor_t convDesc, cudnnMathType_t mathType),
	(convDesc, mathType))
FORWARD(cudnnStatus_t, cudnnGetConvolutionMathType,
	(cudnnConvolutionDescriptor_t convDesc, cudnnMathType_t *mathType),
	(convDesc, mathType))
FORWARD(cudnnStatus_t, cudnnCreatePoolingDescriptor, (cudnnPoolingDescriptor_t *d), (d))
FORWARD(cudnnStatus_t, cudnnDestroyPoolingDescriptor, (cudnnPoolingDescriptor_t d), (d))
FORWARD(cudnnStatus_t, cudnnSetPoolingNdDescriptor,
	(cudnnPoolingDescriptor_t d, const cudnnPoolingMode_t m, const cudnnNanPropagation_t nan, int n, const int w[], const int p[], const int s[]),
	(d, m, nan, n, w, p, s))
FORWARD(cudnnStatus_t, cudnnGetPoolingNdDescriptor,
	(const cudnnPoolingDescriptor_t d, int r, cudnnPoolingMode_t *m, cudnnNanPropagation_t *nan, int *n, int w[], int p[], int s[]),
	(d, r, m, nan, n, w, p, s))
FORWARD(cudnnStatus_t, cudnnPoolingForward,
	(cudnnHandle_t h, const cudnnPoolingDescriptor_t d, const void *a, const cudnnTensorDescriptor_t xd, const void *x, const void *b,
	 const cudnnTensorDescriptor_t yd, void *y),
	(h, d, a, xd, x, b, yd, y))
FORWARD(cudnnStatus_t, cudnnConvolutionBackwardData,
	(cudnnHandle_t h, const void *a, const cudnnFilterDescriptor_t wd, const void *w, const cudnnTensorDescriptor_t dyd, const void *dy,
	 const cudnnConvolutionDescriptor_t c, cudnnConvolutionBwdDataAlgo_t algo, void *ws, size_t n, const void *b, const cudnnTensorDescriptor_t dxd, void *dx),
	(h, a, wd, w, dyd, dy, c, algo, ws, n, b, dxd, dx))
