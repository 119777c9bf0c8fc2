/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "tests/fake/fake_cublas.h"
#include "tests/gpu/half.h"

#include <stdlib.h>

typedef struct { double re, im; } num;

static num load(cudaDataType type, const void *base, int64_t i)
{
	switch (type) {
	case CUDA_R_32F:
		return (num){ ((const float *)base)[i], 0 };
	case CUDA_R_64F:
		return (num){ ((const double *)base)[i], 0 };
	case CUDA_R_16F:
		return (num){ half_to_double(((const uint16_t *)base)[i]), 0 };
	case CUDA_R_16BF:
		return (num){ bf16_to_double(((const uint16_t *)base)[i]), 0 };
	case CUDA_R_8I:
		return (num){ ((const int8_t *)base)[i], 0 };
	case CUDA_R_32I:
		return (num){ ((const int32_t *)base)[i], 0 };
	case CUDA_C_32F:
		return (num){ ((const float *)base)[2 * i], ((const float *)base)[2 * i + 1] };
	case CUDA_C_64F:
		return (num){ ((const double *)base)[2 * i], ((const double *)base)[2 * i + 1] };
	default:
		abort();
	}
}

static void store(cudaDataType type, void *base, int64_t i, num v)
{
	switch (type) {
	case CUDA_R_32F:
		((float *)base)[i] = (float)v.re;
		break;
	case CUDA_R_64F:
		((double *)base)[i] = v.re;
		break;
	case CUDA_R_16F:
		((uint16_t *)base)[i] = double_to_half(v.re);
		break;
	case CUDA_R_16BF:
		((uint16_t *)base)[i] = float_to_bf16((float)v.re);
		break;
	case CUDA_R_32I:
		((int32_t *)base)[i] = (int32_t)v.re;
		break;
	case CUDA_C_32F:
		((float *)base)[2 * i] = (float)v.re;
		((float *)base)[2 * i + 1] = (float)v.im;
		break;
	case CUDA_C_64F:
		((double *)base)[2 * i] = v.re;
		((double *)base)[2 * i + 1] = v.im;
		break;
	default:
		abort();
	}
}

static num scalar(const struct fake_scalar *s, cudaDataType type)
{
	return s->on_device ? load(type, fake_bytes(s->address), 0) : (num){ s->value[0], s->value[1] };
}

static num times(num a, num b)
{
	return (num){ a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re };
}

static num element(cudaDataType type, const void *base, int64_t ld, cublasOperation_t op, int64_t row, int64_t col)
{
	num v = load(type, base, op == CUBLAS_OP_N ? row + col * ld : col + row * ld);

	if (op == CUBLAS_OP_C)
		v.im = -v.im;
	return v;
}

static void one_item(const struct fake_gemm *g, const void *a, const void *b, void *c)
{
	num alpha = scalar(&g->alpha, g->type_scale), beta = scalar(&g->beta, g->type_scale);

	for (int64_t j = 0; j < g->n; j++) {
		for (int64_t i = 0; i < g->m; i++) {
			num sum = { 0, 0 }, out;

			for (int64_t l = 0; l < g->k; l++) {
				num p = times(element(g->type_a, a, g->lda, g->ta, i, l), element(g->type_b, b, g->ldb, g->tb, l, j));

				sum.re += p.re;
				sum.im += p.im;
			}
			out = times(alpha, sum);
			if (beta.re != 0 || beta.im != 0) {
				num old = times(beta, load(g->type_c, c, i + j * g->ldc));

				out.re += old.re;
				out.im += old.im;
			}
			store(g->type_c, c, i + j * g->ldc, out);
		}
	}
}

static size_t size_of(cudaDataType type)
{
	switch (type) {
	case CUDA_R_8I:
		return 1;
	case CUDA_R_16F:
	case CUDA_R_16BF:
		return 2;
	case CUDA_R_64F:
	case CUDA_C_32F:
		return 8;
	case CUDA_C_64F:
		return 16;
	default:
		return 4;
	}
}

/* Address of item p of an operand: out of the pointer array, or a stride on. */
static void *item(const struct fake_gemm *g, uint64_t base, long long stride, cudaDataType type, int64_t p)
{
	if (g->pointers)
		base = ((const uint64_t *)fake_bytes(base))[p];
	else
		base += (uint64_t)(stride * p) * size_of(type);
	return fake_bytes(base);
}

void fake_gemm_run(void *gemm)
{
	const struct fake_gemm *g = gemm;

	for (int64_t p = 0; p < g->batch; p++)
		one_item(g, item(g, g->a, g->stride_a, g->type_a, p), item(g, g->b, g->stride_b, g->type_b, p),
			 item(g, g->c, g->stride_c, g->type_c, p));
}
