/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuBLAS's type enumerations in ekkatrace's terms, for the expressions in cublas.spec.
 * Zone: inside the host process. Pure functions.
 */
#ifndef EKKA_SPEC_CUBLAS_TYPES_H
#define EKKA_SPEC_CUBLAS_TYPES_H

#include <cublas_api.h>

#include "trace/model.h"

/* Values that older toolkits lack. */
enum { EKKA_CUBLAS_32F_EMULATED_16BFX9 = 78, EKKA_CUBLAS_64F_EMULATED_FIXEDPOINT = 79 };

/* The dtype of a cudaDataType_t, or -1 when there is none (4, 6 and 16 bit integers, fp4, fp6, complex halves). */
static inline int cuda_dtype(int type)
{
	switch (type) {
	case CUDA_R_64F: return EKKA_F64;
	case CUDA_R_32F: return EKKA_F32;
	case CUDA_R_16F: return EKKA_F16;
	case CUDA_R_16BF: return EKKA_BF16;
	case CUDA_R_8F_E4M3: return EKKA_E4M3;
	case CUDA_R_8F_E5M2: return EKKA_E5M2;
	case CUDA_C_32F: return EKKA_C64;
	case CUDA_C_64F: return EKKA_C128;
	case CUDA_R_8I: return EKKA_I8;
	case CUDA_R_8U: return EKKA_U8;
	case CUDA_C_8I: return EKKA_CI8;
	case CUDA_R_32I: return EKKA_I32;
	case CUDA_R_32U: return EKKA_U32;
	case CUDA_R_64I: return EKKA_I64;
	case CUDA_R_64U: return EKKA_U64;
	default: return -1;
	}
}

/*
 * Attribute "compute" of a cublasComputeType_t. The argument was a cudaDataType before CUDA 11, and callers built then still
 * pass one; the two ranges do not meet. NULL when the value is neither.
 */
static inline const char *compute_name(int type)
{
	switch (type) {
	case CUBLAS_COMPUTE_16F: case CUDA_R_16F: return "f16";
	case CUBLAS_COMPUTE_16F_PEDANTIC: return "f16_pedantic";
	case CUBLAS_COMPUTE_32F: case CUDA_R_32F: case CUDA_C_32F: return "f32";
	case CUBLAS_COMPUTE_32F_PEDANTIC: return "f32_pedantic";
	case CUBLAS_COMPUTE_32F_FAST_16F: return "f32_fast_16f";
	case CUBLAS_COMPUTE_32F_FAST_16BF: return "f32_fast_16bf";
	case CUBLAS_COMPUTE_32F_FAST_TF32: return "tf32";
	case EKKA_CUBLAS_32F_EMULATED_16BFX9: return "bf16x9";
	case CUBLAS_COMPUTE_64F: case CUDA_R_64F: case CUDA_C_64F: return "f64";
	case CUBLAS_COMPUTE_64F_PEDANTIC: return "f64_pedantic";
	case EKKA_CUBLAS_64F_EMULATED_FIXEDPOINT: return "f64_emulated";
	case CUBLAS_COMPUTE_32I: case CUDA_R_32I: return "i32";
	case CUBLAS_COMPUTE_32I_PEDANTIC: return "i32_pedantic";
	default: return NULL;
	}
}

/*
 * The dtype of alpha and beta for a compute type and the dtype of C, after the table under cublasGemmEx() in NVIDIA's
 * documentation: that of the arithmetic, complex when C is. -1 when the compute type is unknown.
 */
static inline int scale_dtype(int type, int c_dtype)
{
	bool complex_c = c_dtype >= 0 && ekka_dtype_is_complex((enum ekka_dtype)c_dtype);
	const char *name = compute_name(type);

	if (!name)
		return -1;
	if (name[0] == 'i')
		return EKKA_I32;
	if (name[0] == 'f' && name[1] == '1')
		return EKKA_F16;
	if (name[0] == 'f' && name[1] == '6')
		return complex_c ? EKKA_C128 : EKKA_F64;
	return complex_c ? EKKA_C64 : EKKA_F32;
}

#endif
