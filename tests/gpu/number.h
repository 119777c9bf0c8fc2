/* SPDX-License-Identifier: Apache-2.0 */
/* Real element types of CUDA's libraries in plain C, for test programs. */
#ifndef EKKA_TESTS_GPU_NUMBER_H
#define EKKA_TESTS_GPU_NUMBER_H

#include <stdlib.h>

#include <library_types.h>

#include "tests/gpu/half.h"

/* FP8 with `man` fraction bits; NaN and infinities are not made here. */
static inline double fp8_to_double(uint8_t b, int man, int bias)
{
	int e = (b & 0x7f) >> man, f = b & ((1 << man) - 1);
	double v = e == 0 ? ldexp(f, 1 - bias - man) : ldexp(f + (1 << man), e - bias - man);

	return b & 0x80 ? -v : v;
}

/* To nearest, ties to even, saturating at `most`. */
static inline uint8_t double_to_fp8(double v, int man, int bias, double most)
{
	double a = fmin(fabs(v), most);
	int e;

	if (a == 0 || isnan(v))
		return isnan(v) ? 0x7f : 0;
	(void)frexp(a, &e);
	e = e - 1 < 1 - bias ? 1 - bias : e - 1;
	return (uint8_t)((signbit(v) ? 0x80 : 0) | (int)(nearbyint(ldexp(a, man - e)) + ldexp(e + bias - 1, man)));
}

/* CUDA_R_4F_E2M1, which older headers lack: two in a byte. Buffers have a byte for each all the same. */
enum { NUMBER_E2M1 = 33 };

/* The nearest, in magnitude. */
static inline uint8_t double_to_e2m1(double v)
{
	static const double values[] = { 0, 0.5, 1, 1.5, 2, 3, 4, 6 };
	uint8_t best = 0;

	for (uint8_t i = 1; i < 8; i++)
		if (fabs(fabs(v) - values[i]) < fabs(fabs(v) - values[best]))
			best = i;
	return (uint8_t)(best | (v < 0 ? 8 : 0));
}

static inline double e2m1_to_double(uint8_t b)
{
	double v = (b & 7) < 2 ? (b & 7) * 0.5 : ldexp(1 + (b & 1) * 0.5, (b >> 1 & 3) - 1);

	return b & 8 ? -v : v;
}

/* Where cuBLAS has the byte that scales block j of line i, one of so many along k: 512-byte tiles of 128 lines by 4 blocks, whose rows are 32 lines apart. */
static inline int64_t number_scale_place(int64_t i, int64_t j, int64_t blocks)
{
	int64_t tile = (i >> 7) * ((blocks + 3) >> 2) + (j >> 2);

	return (tile << 9) + ((i & 31) << 4) + ((i >> 5 & 3) << 2) + (j & 3);
}

static inline size_t number_size(cudaDataType type)
{
	switch ((int)type) {
	case CUDA_R_8I: case CUDA_R_8F_E4M3: case CUDA_R_8F_E5M2: case NUMBER_E2M1: return 1;
	case CUDA_R_16F: case CUDA_R_16BF: return 2;
	default: return 4;
	}
}

static inline double number_load(cudaDataType type, const void *base, int64_t i)
{
	switch ((int)type) {
	case NUMBER_E2M1: return e2m1_to_double(((const uint8_t *)base)[i / 2] >> i % 2 * 4 & 15);
	case CUDA_R_8I: return ((const int8_t *)base)[i];
	case CUDA_R_32I: return ((const int32_t *)base)[i];
	case CUDA_R_16F: return half_to_double(((const uint16_t *)base)[i]);
	case CUDA_R_16BF: return bf16_to_double(((const uint16_t *)base)[i]);
	case CUDA_R_8F_E4M3: return fp8_to_double(((const uint8_t *)base)[i], 3, 7);
	case CUDA_R_8F_E5M2: return fp8_to_double(((const uint8_t *)base)[i], 2, 15);
	case CUDA_R_32F: return ((const float *)base)[i];
	default: abort();
	}
}

static inline void number_store(cudaDataType type, void *base, int64_t i, double v)
{
	switch ((int)type) {
	case NUMBER_E2M1:
		((uint8_t *)base)[i / 2] = (uint8_t)((((uint8_t *)base)[i / 2] & (i % 2 ? 0x0f : 0xf0)) | double_to_e2m1(v) << i % 2 * 4);
		break;
	case CUDA_R_8I: ((int8_t *)base)[i] = (int8_t)fmax(-128, fmin(127, nearbyint(v))); break;
	case CUDA_R_32I: ((int32_t *)base)[i] = (int32_t)v; break;
	case CUDA_R_16F: ((uint16_t *)base)[i] = double_to_half(v); break;
	case CUDA_R_16BF: ((uint16_t *)base)[i] = float_to_bf16((float)v); break;
	case CUDA_R_8F_E4M3: ((uint8_t *)base)[i] = double_to_fp8(v, 3, 7, 448); break;
	case CUDA_R_8F_E5M2: ((uint8_t *)base)[i] = double_to_fp8(v, 2, 15, 57344); break;
	case CUDA_R_32F: ((float *)base)[i] = (float)v; break;
	default: abort();
	}
}

/* As cuBLASLt's epilogue: the approximation by tanh. */
static inline double number_gelu(double x)
{
	return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

/* Its derivative, by differences: 1e-9 is well below any type's digits here. */
static inline double number_gelu_slope(double x)
{
	return (number_gelu(x + 1e-5) - number_gelu(x - 1e-5)) / 2e-5;
}

#endif
