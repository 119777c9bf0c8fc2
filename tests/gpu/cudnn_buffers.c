/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "tests/gpu/cudnn_buffers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned seed = 1;

cudnnDataType_t cudnn_type(cudaDataType type)
{
	return type == CUDA_R_16BF ? CUDNN_DATA_BFLOAT16 : type == CUDA_R_16F ? CUDNN_DATA_HALF : CUDNN_DATA_FLOAT;
}

static double random_number(void)
{
	seed = seed * 1664525u + 1013904223u;
	return (double)(seed >> 8) / (1 << 23) - 1;
}

static void put(struct buffer *b)
{
	MUST(cudaMemcpyAsync(b->device, b->host, (size_t)b->n * number_size(b->type), cudaMemcpyHostToDevice, stream));
	MUST(cudaStreamSynchronize(stream));
}

struct buffer buffer_new(cudaDataType type, int64_t n)
{
	struct buffer b = { .type = type, .n = n, .host = malloc((size_t)n * number_size(type)) };

	must(b.host == NULL, "malloc", __FILE__, __LINE__);
	for (int64_t i = 0; i < n; i++)
		number_store(type, b.host, i, random_number());
	MUST(cudaMalloc(&b.device, (size_t)n * number_size(type)));
	put(&b);
	return b;
}

void buffer_fetch(struct buffer *b)
{
	MUST(cudaMemcpyAsync(b->host, b->device, (size_t)b->n * number_size(b->type), cudaMemcpyDeviceToHost, stream));
	MUST(cudaStreamSynchronize(stream));
}

double buffer_at(const struct buffer *b, int64_t i)
{
	return number_load(b->type, b->host, i);
}

void buffer_set(struct buffer *b, int64_t i, double v)
{
	number_store(b->type, b->host, i, v);
	put(b);
}

void buffers_release(struct buffer **list)
{
	for (; *list != NULL; list++) {
		MUST(cudaFree((*list)->device));
		free((*list)->host);
	}
}

int compare(const char *what, double got, double want, double tolerance)
{
	if (fabs(got - want) <= tolerance * (1 + fabs(want)))
		return 0;
	fprintf(stderr, "%s: %g instead of %g\n", what, got, want);
	return 1;
}
