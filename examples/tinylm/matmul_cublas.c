/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products by cuBLAS. Device memory mirrors the host's, float by float: operands are copied there before
 * a product, unless frozen, and C is copied back. That is slow, and simple enough for an example.
 */
#include "matmul.h"

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>

static float *host, *device;
static size_t frozen;
static cublasHandle_t handle;

static int check(cudaError_t e, const char *what)
{
	if (e == cudaSuccess)
		return 0;
	fprintf(stderr, "tinylm: %s: %s\n", what, cudaGetErrorString(e));
	return -1;
}

float *matmul_open(size_t count)
{
	if (cublasCreate(&handle) != CUBLAS_STATUS_SUCCESS) {
		fprintf(stderr, "tinylm: cublasCreate failed\n");
		return NULL;
	}
	host = calloc(count, sizeof *host);
	if (!host || check(cudaMalloc((void **)&device, count * sizeof *device), "cudaMalloc") < 0 ||
	    check(cudaMemset(device, 0, count * sizeof *device), "cudaMemset") < 0) {
		matmul_close();
		return NULL;
	}
	return host;
}

int matmul_freeze(size_t count)
{
	frozen = count;
	return check(cudaMemcpy(device, host, count * sizeof *device, cudaMemcpyHostToDevice), "cudaMemcpy");
}

static float *mirror(const float *p)
{
	return device + (p - host);
}

static int upload(const float *p, size_t count)
{
	if ((size_t)(p - host) < frozen)
		return 0;
	return check(cudaMemcpy(mirror(p), p, count * sizeof *p, cudaMemcpyHostToDevice), "cudaMemcpy");
}

/* Floats from the first to the last element of a batch of row-major matrices. */
static size_t span(int rows, int columns, int ld, long stride, int batch)
{
	return (size_t)(batch - 1) * stride + (size_t)(rows - 1) * ld + columns;
}

/* cuBLAS stores by columns: it is asked for the transpose, op(B)' * A' = C'. */
static cublasStatus_t product(const struct matmul *p)
{
	const float *a = mirror(p->a), *b = mirror(p->b);
	float *c = mirror(p->c);
	cublasOperation_t op = p->trans_b ? CUBLAS_OP_T : CUBLAS_OP_N;

	if (p->batch > 1)
		return cublasSgemmStridedBatched(handle, op, CUBLAS_OP_N, p->n, p->m, p->k, &p->alpha, b, p->ldb, p->stride_b,
						 a, p->lda, p->stride_a, &p->beta, c, p->ldc, p->stride_c, p->batch);
	if (p->m > 1)
		return cublasSgemm(handle, op, CUBLAS_OP_N, p->n, p->m, p->k, &p->alpha, b, p->ldb, a, p->lda, &p->beta, c, p->ldc);
	return cublasSgemv(handle, op, p->trans_b ? p->k : p->n, p->trans_b ? p->n : p->k, &p->alpha, b, p->ldb, a, 1,
			   &p->beta, c, 1);
}

int matmul(const struct matmul *p)
{
	size_t in_c = span(p->m, p->n, p->ldc, p->stride_c, p->batch);
	size_t in_b = p->trans_b ? span(p->n, p->k, p->ldb, p->stride_b, p->batch) : span(p->k, p->n, p->ldb, p->stride_b, p->batch);

	/* C too: it may be read (beta), and what lies between its rows is copied back with it. */
	if (upload(p->a, span(p->m, p->k, p->lda, p->stride_a, p->batch)) < 0 || upload(p->b, in_b) < 0 || upload(p->c, in_c) < 0)
		return -1;
	cublasStatus_t status = product(p);
	if (status != CUBLAS_STATUS_SUCCESS) {
		fprintf(stderr, "tinylm: cuBLAS: %s\n", cublasGetStatusString(status));
		return -1;
	}
	return check(cudaMemcpy(p->c, mirror(p->c), in_c * sizeof *p->c, cudaMemcpyDeviceToHost), "cudaMemcpy");
}

void matmul_close(void)
{
	cudaFree(device);
	free(host);
	if (handle)
		cublasDestroy(handle);
	handle = NULL;
	host = device = NULL;
}
