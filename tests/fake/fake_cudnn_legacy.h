/* SPDX-License-Identifier: Apache-2.0 */
/* What the stand-in for cuDNN keeps behind the legacy calls' descriptors: fake_cudnn_descriptors.c fills them, fake_cudnn_legacy.c computes by them. */
#ifndef EKKA_TESTS_FAKE_CUDNN_LEGACY_H
#define EKKA_TESTS_FAKE_CUDNN_LEGACY_H

#include "tests/fake/fake_cudnn.h"

struct cudnnTensorStruct { cudnnDataType_t type; int n, dim[FAKE_DIMS], stride[FAKE_DIMS]; };
struct cudnnFilterStruct { struct cudnnTensorStruct t; cudnnTensorFormat_t format; };
struct cudnnConvolutionStruct { int n, pad[3], stride[3], dilation[3], groups; cudnnConvolutionMode_t mode; cudnnMathType_t math; };
struct cudnnActivationStruct { cudnnActivationMode_t mode; double coef; };
struct cudnnOpTensorStruct { cudnnOpTensorOp_t op; };
struct cudnnPoolingStruct { cudnnPoolingMode_t mode; cudnnNanPropagation_t nan; int n, window[3], pad[3], stride[3]; };
struct cudnnReduceTensorStruct { cudnnReduceTensorOp_t op; };

#endif
