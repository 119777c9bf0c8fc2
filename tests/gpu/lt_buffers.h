/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers on the host and the device for the subject lt-cases, and its second file. */
#ifndef EKKA_TESTS_GPU_LT_BUFFERS_H
#define EKKA_TESTS_GPU_LT_BUFFERS_H

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <stdio.h>

#include "tests/gpu/number.h"

/* Transformations of matrices, those that are called `only` if that is not NULL. Returns how many are wrong. */
int lt_transforms(cublasLtHandle_t handle, cudaStream_t stream, const char *only);

static inline void must(int status, const char *what, int line)
{
	if (status == 0)
		return;
	fprintf(stderr, "lt-cases, line %d: %s: status %d\n", line, what, status);
	exit(2);
}
#define MUST(call) must((int)(call), #call, __LINE__)

struct buffer { void *host, *device; size_t bytes; cudaDataType type; };

/* Sixteenths up to 1, so that FP8's few digits hold most of them; integers for integers. */
static inline struct buffer make(cudaDataType type, size_t n, unsigned seed)
{
	struct buffer b = { .bytes = n * number_size(type), .type = type };

	b.host = calloc(1, b.bytes);
	if (b.host == NULL)
		exit(2);
	for (size_t i = 0; i < n; i++) {
		int v = rand_r(&seed) % 33 - 16;

		number_store(type, b.host, (int64_t)i, type == CUDA_R_8I || type == CUDA_R_32I ? v : (int)type == NUMBER_E2M1 ? v / 3.0 : v / 16.0);
	}
	MUST(cudaMalloc(&b.device, b.bytes));
	MUST(cudaMemcpy(b.device, b.host, b.bytes, cudaMemcpyHostToDevice));
	return b;
}

/* Positive factors, not all the same. */
static inline struct buffer make_scales(size_t n, unsigned seed)
{
	struct buffer b = make(CUDA_R_32F, n, seed);

	for (size_t i = 0; i < n; i++)
		number_store(CUDA_R_32F, b.host, (int64_t)i, 0.25 + (double)((i * 5 + seed) % 9) / 8);
	MUST(cudaMemcpy(b.device, b.host, b.bytes, cudaMemcpyHostToDevice));
	return b;
}

/* Bytes that are factors: powers of two (UE8M0), or e4m3 without sign. */
static inline struct buffer make_byte_scales(size_t n, int powers, unsigned seed)
{
	struct buffer b = make(CUDA_R_8I, n, seed);

	for (size_t i = 0; i < n; i++)
		((uint8_t *)b.host)[i] = (uint8_t)(powers ? 125 + (i * 7 + seed) % 5 : 44 + (i * 5 + seed) % 24);
	MUST(cudaMemcpy(b.device, b.host, b.bytes, cudaMemcpyHostToDevice));
	return b;
}

static inline void fetch(struct buffer *b)
{
	MUST(cudaMemcpy(b->host, b->device, b->bytes, cudaMemcpyDeviceToHost));
}

static inline void drop(struct buffer *b)
{
	if (b->device != NULL)
		MUST(cudaFree(b->device));
	free(b->host);
}

#endif
