/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/gpu/cases.h"
#include "tests/gpu/half.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct { double re, im; } num;

static size_t size_of(cudaDataType type)
{
	return type == CUDA_R_8I ? 1 : type == CUDA_R_16F || type == CUDA_R_16BF ? 2 : type == CUDA_R_64F || type == CUDA_C_32F ? 8 : 4;
}

static num load(cudaDataType type, const void *base, long long i)
{
	switch (type) {
	case CUDA_R_64F:
		return (num){ ((const double *)base)[i], 0 };
	case CUDA_C_32F:
		return (num){ ((const float *)base)[2 * i], ((const float *)base)[2 * i + 1] };
	case CUDA_R_16F:
		return (num){ half_to_double(((const uint16_t *)base)[i]), 0 };
	case CUDA_R_16BF:
		return (num){ bf16_to_double(((const uint16_t *)base)[i]), 0 };
	case CUDA_R_8I:
		return (num){ ((const int8_t *)base)[i], 0 };
	case CUDA_R_32I:
		return (num){ ((const int32_t *)base)[i], 0 };
	default:
		return (num){ ((const float *)base)[i], 0 };
	}
}

/* One real component; sixteenths keep bfloat16 exact. */
static void fill(cudaDataType type, void *base, size_t bytes, unsigned seed)
{
	size_t n = bytes / size_of(type) * (type == CUDA_C_32F ? 2 : 1);

	for (size_t i = 0; i < n; i++) {
		float f = (float)(rand_r(&seed) % 33 - 16) / 16;

		switch (type) {
		case CUDA_R_64F:
			((double *)base)[i] = f;
			break;
		case CUDA_R_16F:
			((uint16_t *)base)[i] = double_to_half(f);
			break;
		case CUDA_R_16BF:
			((uint16_t *)base)[i] = float_to_bf16(f);
			break;
		case CUDA_R_8I:
			((int8_t *)base)[i] = (int8_t)(f * 16);
			break;
		case CUDA_R_32I:
			((int32_t *)base)[i] = (int32_t)(f * 16);
			break;
		default:
			((float *)base)[i] = f;
		}
	}
}

void must(int status, const char *what, const char *file, int line)
{
	if (status == 0)
		return;
	fprintf(stderr, "%s:%d: %s: status %d\n", file, line, what, status);
	exit(2);
}

static void operand(void **ret_host, void **ret_device, size_t bytes, cudaDataType type, unsigned seed)
{
	*ret_host = malloc(bytes);
	if (*ret_host == NULL)
		exit(2);
	fill(type, *ret_host, bytes, seed);
	MUST(cudaMalloc(ret_device, bytes));
	MUST(cudaMemcpy(*ret_device, *ret_host, bytes, cudaMemcpyHostToDevice));
}

void product_new(struct product *p, unsigned seed)
{
	int cols_a = p->ta == CUBLAS_OP_N ? p->k : p->m, cols_b = p->tb == CUBLAS_OP_N ? p->n : p->k;

	p->batch = p->batch ? p->batch : 1;
	p->lda = p->lda ? p->lda : p->ta == CUBLAS_OP_N ? p->m : p->k;
	p->ldb = p->ldb ? p->ldb : p->tb == CUBLAS_OP_N ? p->k : p->n;
	p->ldc = p->ldc ? p->ldc : p->m;
	p->stride_a = p->stride_a ? p->stride_a : (long long)p->lda * cols_a;
	p->stride_b = p->stride_b ? p->stride_b : (long long)p->ldb * cols_b;
	p->stride_c = p->stride_c ? p->stride_c : (long long)p->ldc * p->n;
	p->bytes_a = (size_t)p->stride_a * (size_t)p->batch * size_of(p->type);
	p->bytes_b = (size_t)p->stride_b * (size_t)p->batch * size_of(p->type);
	p->bytes_c = (size_t)p->stride_c * (size_t)p->batch * size_of(p->type_c);
	operand(&p->host_a, &p->a, p->bytes_a, p->type, seed);
	operand(&p->host_b, &p->b, p->bytes_b, p->type, seed + 1);
	operand(&p->host_c, &p->c, p->bytes_c, p->type_c, seed + 2);
}

static num element(const struct product *p, const void *base, int ld, cublasOperation_t op, long long start, int row, int col)
{
	num v = load(p->type, base, start + (op == CUBLAS_OP_N ? row + (long long)col * ld : col + (long long)row * ld));

	if (op == CUBLAS_OP_C)
		v.im = -v.im;
	return v;
}

static num reference(const struct product *p, int item, int i, int j)
{
	num sum = { 0, 0 }, old = load(p->type_c, p->host_c, item * p->stride_c + i + (long long)j * p->ldc);

	for (int l = 0; l < p->k; l++) {
		num a = element(p, p->host_a, p->lda, p->ta, item * p->stride_a, i, l);
		num b = element(p, p->host_b, p->ldb, p->tb, item * p->stride_b, l, j);

		sum.re += a.re * b.re - a.im * b.im;
		sum.im += a.re * b.im + a.im * b.re;
	}
	return (num){ p->alpha * sum.re + p->beta * old.re, p->alpha * sum.im + p->beta * old.im };
}

int product_check_bytes(const struct product *p, const void *c, double tolerance)
{
	for (int item = 0; item < p->batch; item++)
		for (int j = 0; j < p->n; j++)
			for (int i = 0; i < p->m; i++) {
				num want = reference(p, item, i, j);
				num got = load(p->type_c, c, item * p->stride_c + i + (long long)j * p->ldc);
				double error = hypot(got.re - want.re, got.im - want.im);

				if (error <= tolerance * (1 + hypot(want.re, want.im)))
					continue;
				fprintf(stderr, "item %d, element (%d, %d): %g+%gi instead of %g+%gi\n", item, i, j, got.re, got.im,
					want.re, want.im);
				return 1;
			}
	return 0;
}

int product_check(const struct product *p, double tolerance)
{
	void *c = malloc(p->bytes_c);
	int wrong;

	if (c == NULL)
		exit(2);
	MUST(cudaStreamSynchronize(stream));
	MUST(cudaMemcpy(c, p->c, p->bytes_c, cudaMemcpyDeviceToHost));
	wrong = product_check_bytes(p, c, tolerance);
	free(c);
	return wrong;
}

void product_release(struct product *p)
{
	MUST(cudaFree(p->a));
	MUST(cudaFree(p->b));
	MUST(cudaFree(p->c));
	free(p->host_a);
	free(p->host_b);
	free(p->host_c);
}
