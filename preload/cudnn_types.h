/* SPDX-License-Identifier: Apache-2.0 */
/* cuDNN's type enumerations in ekkatrace's terms. Zone: inside the host process. Pure functions. */
#ifndef EKKA_PRELOAD_CUDNN_TYPES_H
#define EKKA_PRELOAD_CUDNN_TYPES_H

#include <cudnn.h>

#include "trace/model.h"

/* The dtype of a cudnnDataType_t, or -1 when there is none (vectors of 4 or 32 int8, fp4, e8m0, int4). Booleans are bytes. */
static inline int cudnn_dtype(int type)
{
	switch (type) {
	case CUDNN_DATA_FLOAT: return EKKA_F32;
	case CUDNN_DATA_DOUBLE: return EKKA_F64;
	case CUDNN_DATA_HALF: return EKKA_F16;
	case CUDNN_DATA_BFLOAT16: return EKKA_BF16;
	case CUDNN_DATA_FP8_E4M3: return EKKA_E4M3;
	case CUDNN_DATA_FP8_E5M2: return EKKA_E5M2;
	case CUDNN_DATA_INT8: return EKKA_I8;
	case CUDNN_DATA_UINT8: case CUDNN_DATA_BOOLEAN: return EKKA_U8;
	case CUDNN_DATA_INT32: return EKKA_I32;
	case CUDNN_DATA_INT64: return EKKA_I64;
	default: return -1;
	}
}

#endif
