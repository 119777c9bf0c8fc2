/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/gpu/cases.h"

#include <pthread.h>
#include <stdlib.h>

enum { ADVANCE = 6 };	/* calls enqueued before anything is waited for */

static const float one = 1;

static int sgemm(void)
{
	int wrong = 0;

	for (int t = 0; t < 4; t++) {
		struct product p = { .ta = t & 1 ? CUBLAS_OP_T : CUBLAS_OP_N, .tb = t & 2 ? CUBLAS_OP_T : CUBLAS_OP_N, .m = 33, .n = 21,
				     .k = 40, .lda = 48, .ldb = 44, .ldc = 37, .type = CUDA_R_32F, .type_c = CUDA_R_32F,
				     .alpha = 1.5, .beta = t == 3 ? 0 : -0.5 };
		float alpha = (float)p.alpha, beta = (float)p.beta;

		product_new(&p, 1);
		MUST(CUBLAS(cublasSgemm_v2)(handle, p.ta, p.tb, p.m, p.n, p.k, &alpha, p.a, p.lda, p.b, p.ldb, &beta, p.c, p.ldc));
		wrong |= product_check(&p, 1e-4);
		product_release(&p);
	}
	return wrong;
}

/* A weight as large one way as the other: a transpose too many shows in the numbers only. */
static int square(void)
{
	struct product p = { .ta = CUBLAS_OP_T, .m = 64, .n = 24, .k = 64, .type = CUDA_R_32F, .type_c = CUDA_R_32F, .alpha = 1 };
	const float zero = 0;
	int wrong;

	product_new(&p, 60);
	MUST(CUBLAS(cublasSgemm_v2)(handle, p.ta, p.tb, p.m, p.n, p.k, &one, p.a, p.lda, p.b, p.ldb, &zero, p.c, p.ldc));
	wrong = product_check(&p, 1e-4);
	product_release(&p);
	return wrong;
}

static int dgemm(void)
{
	struct product p = { .tb = CUBLAS_OP_T, .m = 20, .n = 30, .k = 50, .type = CUDA_R_64F, .type_c = CUDA_R_64F, .alpha = 2, .beta = 1 };
	int wrong;

	product_new(&p, 2);
	MUST(CUBLAS(cublasDgemm_v2)(handle, p.ta, p.tb, p.m, p.n, p.k, &p.alpha, p.a, p.lda, p.b, p.ldb, &p.beta, p.c, p.ldc));
	wrong = product_check(&p, 1e-12);
	product_release(&p);
	return wrong;
}

static int cgemm(void)
{
	struct product p = { .ta = CUBLAS_OP_C, .m = 20, .n = 30, .k = 50, .type = CUDA_C_32F, .type_c = CUDA_C_32F, .alpha = 1, .beta = 0.5 };
	cuComplex alpha = { 1, 0 }, beta = { 0.5, 0 };
	int wrong;

	product_new(&p, 3);
	MUST(CUBLAS(cublasCgemm_v2)(handle, p.ta, p.tb, p.m, p.n, p.k, &alpha, p.a, p.lda, p.b, p.ldb, &beta, p.c, p.ldc));
	wrong = product_check(&p, 1e-4);
	product_release(&p);
	return wrong;
}

static int gemm_ex(cudaDataType type, cudaDataType type_c, cublasComputeType_t compute, const void *alpha, const void *beta,
		   double tolerance)
{
	struct product p = { .ta = CUBLAS_OP_T, .m = 64, .n = 48, .k = 128, .type = type, .type_c = type_c, .alpha = 1, .beta = 1 };
	int wrong;

	product_new(&p, 4);
	MUST(CUBLAS(cublasGemmEx)(handle, p.ta, p.tb, p.m, p.n, p.k, alpha, p.a, type, p.lda, p.b, type, p.ldb, beta, p.c, type_c,
				  p.ldc, compute, CUBLAS_GEMM_DEFAULT));
	wrong = product_check(&p, tolerance);
	product_release(&p);
	return wrong;
}

static int gemmex_bf16(void)
{
	return gemm_ex(CUDA_R_16BF, CUDA_R_16BF, CUBLAS_COMPUTE_32F, &one, &one, 1e-2);
}

/* The shape and arguments of a layer of a language model: long sums, no beta. */
static int linear(void)
{
	struct product p = { .ta = CUBLAS_OP_T, .m = 256, .n = 16, .k = 1408, .type = CUDA_R_16BF, .type_c = CUDA_R_16BF, .alpha = 1 };
	const float zero = 0;
	int wrong;

	product_new(&p, 70);
	MUST(CUBLAS(cublasGemmEx)(handle, p.ta, p.tb, p.m, p.n, p.k, &one, p.a, p.type, p.lda, p.b, p.type, p.ldb, &zero, p.c, p.type_c,
				  p.ldc, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
	wrong = product_check(&p, 2e-2);
	product_release(&p);
	return wrong;
}

static int gemmex_f16(void)
{
	return gemm_ex(CUDA_R_16F, CUDA_R_16F, CUBLAS_COMPUTE_32F, &one, &one, 2e-3);
}

static int gemmex_f16_f32(void)
{
	return gemm_ex(CUDA_R_16F, CUDA_R_32F, CUBLAS_COMPUTE_32F, &one, &one, 1e-4);
}

static int gemmex_f16_half(void)
{
	static const uint16_t half_one = 0x3c00;

	return gemm_ex(CUDA_R_16F, CUDA_R_16F, CUBLAS_COMPUTE_16F, &half_one, &half_one, 3e-2);
}

static int gemmex_i8(void)
{
	static const int32_t int_one = 1;

	return gemm_ex(CUDA_R_8I, CUDA_R_32I, CUBLAS_COMPUTE_32I, &int_one, &int_one, 0);
}

static int gemmex_tf32(void)
{
	return gemm_ex(CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32, &one, &one, 1e-2);
}

static int math_tf32(void)
{
	int wrong;

	MUST(CUBLAS(cublasSetMathMode)(handle, CUBLAS_TF32_TENSOR_OP_MATH));
	wrong = gemm_ex(CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, &one, &one, 1e-2);
	MUST(CUBLAS(cublasSetMathMode)(handle, CUBLAS_DEFAULT_MATH));
	return wrong;
}

/* Settings of the handle that an event should carry; setting the stream takes the workspace away. */
static int settings(void)
{
	enum { BYTES = 4 << 20, MULTIPROCESSORS = 8 };
	void *workspace;
	int wrong;

	MUST(cudaMalloc(&workspace, BYTES));
	MUST(CUBLAS(cublasSetWorkspace_v2)(handle, workspace, BYTES));
	MUST(CUBLAS(cublasSetAtomicsMode)(handle, CUBLAS_ATOMICS_ALLOWED));
	MUST(CUBLAS(cublasSetSmCountTarget)(handle, MULTIPROCESSORS));
	wrong = gemm_ex(CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, &one, &one, 1e-4);
	MUST(CUBLAS(cublasSetAtomicsMode)(handle, CUBLAS_ATOMICS_NOT_ALLOWED));
	MUST(CUBLAS(cublasSetSmCountTarget)(handle, 0));
	MUST(CUBLAS(cublasSetStream_v2)(handle, stream));
	wrong |= gemm_ex(CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, &one, &one, 1e-4);
	MUST(cudaFree(workspace));
	return wrong;
}

static int strided(void)
{
	struct product p = { .m = 24, .n = 16, .k = 32, .batch = 5, .stride_a = 24 * 32 + 8, .type = CUDA_R_32F, .type_c = CUDA_R_32F,
			     .alpha = 1, .beta = 1 };
	struct product q = { .tb = CUBLAS_OP_T, .m = 24, .n = 16, .k = 32, .batch = 3, .type = CUDA_R_16BF, .type_c = CUDA_R_16BF, .alpha = 1 };
	const float zero = 0;
	int wrong;

	product_new(&p, 5);
	MUST(CUBLAS(cublasSgemmStridedBatched)(handle, p.ta, p.tb, p.m, p.n, p.k, &one, p.a, p.lda, p.stride_a, p.b, p.ldb, p.stride_b,
					       &one, p.c, p.ldc, p.stride_c, p.batch));
	wrong = product_check(&p, 1e-4);
	product_new(&q, 6);
	MUST(CUBLAS(cublasGemmStridedBatchedEx)(handle, q.ta, q.tb, q.m, q.n, q.k, &one, q.a, q.type, q.lda, q.stride_a, q.b, q.type,
						q.ldb, q.stride_b, &zero, q.c, q.type_c, q.ldc, q.stride_c, q.batch,
						CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
	wrong |= product_check(&q, 1e-2);
	product_release(&p);
	product_release(&q);
	return wrong;
}

/* Device memory with the addresses of `n` items, `stride` bytes apart, in reverse order if asked. */
static void *pointers(const void *base, size_t stride, int n, int reverse)
{
	const char *item[16];
	void *array;

	for (int i = 0; i < n; i++)
		item[i] = (const char *)base + stride * (size_t)(reverse ? n - 1 - i : i);
	MUST(cudaMalloc(&array, sizeof(item)));
	MUST(cudaMemcpy(array, item, (size_t)n * sizeof(item[0]), cudaMemcpyHostToDevice));
	return array;
}

static int batched(void)
{
	struct product p = { .m = 24, .n = 16, .k = 32, .ldc = 30, .batch = 6, .type = CUDA_R_32F, .type_c = CUDA_R_32F, .alpha = 1, .beta = 1 };
	struct product q = { .ta = CUBLAS_OP_T, .m = 24, .n = 16, .k = 32, .batch = 4, .type = CUDA_R_16F, .type_c = CUDA_R_16F, .alpha = 1, .beta = 1 };
	void *a, *b, *c;
	int wrong;

	product_new(&p, 7);
	/* All in the same, reversed order: which item is where makes no difference to the result, but to who reads the array wrongly. */
	a = pointers(p.a, (size_t)p.stride_a * 4, p.batch, 1);
	b = pointers(p.b, (size_t)p.stride_b * 4, p.batch, 1);
	c = pointers(p.c, (size_t)p.stride_c * 4, p.batch, 1);
	MUST(CUBLAS(cublasSgemmBatched)(handle, p.ta, p.tb, p.m, p.n, p.k, &one, a, p.lda, b, p.ldb, &one, c, p.ldc, p.batch));
	wrong = product_check(&p, 1e-4);
	product_new(&q, 8);
	a = pointers(q.a, (size_t)q.stride_a * 2, q.batch, 0);
	b = pointers(q.b, (size_t)q.stride_b * 2, q.batch, 0);
	c = pointers(q.c, (size_t)q.stride_c * 2, q.batch, 0);
	MUST(CUBLAS(cublasGemmBatchedEx)(handle, q.ta, q.tb, q.m, q.n, q.k, &one, a, q.type, q.lda, b, q.type, q.ldb, &one, c, q.type_c,
					 q.ldc, q.batch, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
	wrong |= product_check(&q, 2e-3);
	product_release(&p);
	product_release(&q);
	return wrong;
}

static int grouped(void)
{
	struct product p[2] = { { .m = 24, .n = 16, .k = 32, .batch = 2, .type = CUDA_R_32F, .type_c = CUDA_R_32F, .alpha = 1, .beta = 1 },
				{ .m = 8, .n = 40, .k = 16, .batch = 3, .type = CUDA_R_32F, .type_c = CUDA_R_32F, .alpha = 2 } };
	cublasOperation_t op[2] = { CUBLAS_OP_N, CUBLAS_OP_N };
	float alpha[2] = { 1, 2 }, beta[2] = { 1, 0 };
	const void *a[5], *b[5];
	void *c[5], *dev_a, *dev_b, *dev_c;
	int m[2], n[2], k[2], lda[2], ldb[2], ldc[2], size[2], wrong, at = 0;

	for (int g = 0; g < 2; g++) {
		product_new(&p[g], 9 + (unsigned)g);
		m[g] = p[g].m, n[g] = p[g].n, k[g] = p[g].k, lda[g] = p[g].lda, ldb[g] = p[g].ldb, ldc[g] = p[g].ldc;
		size[g] = p[g].batch;
		for (int i = 0; i < p[g].batch; i++, at++) {
			a[at] = (const float *)p[g].a + i * p[g].stride_a;
			b[at] = (const float *)p[g].b + i * p[g].stride_b;
			c[at] = (float *)p[g].c + i * p[g].stride_c;
		}
	}
	MUST(cudaMalloc(&dev_a, sizeof(a)));
	MUST(cudaMalloc(&dev_b, sizeof(b)));
	MUST(cudaMalloc(&dev_c, sizeof(c)));
	MUST(cudaMemcpy(dev_a, a, sizeof(a), cudaMemcpyHostToDevice));
	MUST(cudaMemcpy(dev_b, b, sizeof(b), cudaMemcpyHostToDevice));
	MUST(cudaMemcpy(dev_c, c, sizeof(c), cudaMemcpyHostToDevice));
	MUST(CUBLAS(cublasSgemmGroupedBatched)(handle, op, op, m, n, k, alpha, dev_a, lda, dev_b, ldb, beta, dev_c, ldc, 2, size));
	wrong = product_check(&p[0], 1e-4);
	wrong |= product_check(&p[1], 1e-4);
	product_release(&p[0]);
	product_release(&p[1]);
	return wrong;
}

/* As a product with one column. */
static int gemv(void)
{
	int wrong = 0;

	for (int t = 0; t < 2; t++) {
		struct product p = { .ta = t ? CUBLAS_OP_T : CUBLAS_OP_N, .m = t ? 50 : 30, .n = 1, .k = t ? 30 : 50, .type = CUDA_R_32F,
				     .type_c = CUDA_R_32F, .alpha = 1, .beta = 1 };

		product_new(&p, 11);
		MUST(CUBLAS(cublasSgemv_v2)(handle, p.ta, 30, 50, &one, p.a, p.lda, p.b, 1, &one, p.c, 1));
		wrong |= product_check(&p, 1e-4);
		product_release(&p);
	}
	return wrong;
}

static int device_scalars(void)
{
	struct product p = { .m = 32, .n = 16, .k = 24, .type = CUDA_R_32F, .type_c = CUDA_R_32F, .alpha = 1.25, .beta = -0.5 };
	float host[2] = { 1.25f, -0.5f }, *dev;
	int wrong;

	product_new(&p, 12);
	MUST(cudaMalloc((void **)&dev, sizeof(host)));
	MUST(cudaMemcpy(dev, host, sizeof(host), cudaMemcpyHostToDevice));
	MUST(CUBLAS(cublasSetPointerMode_v2)(handle, CUBLAS_POINTER_MODE_DEVICE));
	MUST(CUBLAS(cublasSgemm_v2)(handle, p.ta, p.tb, p.m, p.n, p.k, dev, p.a, p.lda, p.b, p.ldb, dev + 1, p.c, p.ldc));
	MUST(cudaMemsetAsync(dev, 0, sizeof(host), stream)); /* too late to matter */
	MUST(CUBLAS(cublasSetPointerMode_v2)(handle, CUBLAS_POINTER_MODE_HOST));
	wrong = product_check(&p, 1e-4);
	product_release(&p);
	return wrong;
}

/*
 * Operands change right behind each call, in stream order, without any wait: what is read out of order is not
 * what the product was made of.
 */
static int reuse(void)
{
	struct product p[ADVANCE];
	void *c[ADVANCE];
	int wrong = 0;

	for (int i = 0; i < ADVANCE; i++) {
		p[i] = (struct product){ .m = 48, .n = 40, .k = 56, .type = CUDA_R_32F, .type_c = CUDA_R_32F, .alpha = 1, .beta = 1 };
		product_new(&p[i], 100 + (unsigned)i);
		MUST(cudaMallocHost(&c[i], p[i].bytes_c));
	}
	for (int i = 0; i < ADVANCE; i++) {	/* all in the buffers of the first */
		if (i > 0) {
			MUST(cudaMemcpyAsync(p[0].a, p[i].a, p[0].bytes_a, cudaMemcpyDeviceToDevice, stream));
			MUST(cudaMemcpyAsync(p[0].b, p[i].b, p[0].bytes_b, cudaMemcpyDeviceToDevice, stream));
			MUST(cudaMemcpyAsync(p[0].c, p[i].c, p[0].bytes_c, cudaMemcpyDeviceToDevice, stream));
		}
		MUST(CUBLAS(cublasSgemm_v2)(handle, p[0].ta, p[0].tb, p[0].m, p[0].n, p[0].k, &one, p[0].a, p[0].lda, p[0].b, p[0].ldb,
					    &one, p[0].c, p[0].ldc));
		MUST(cudaMemcpyAsync(c[i], p[0].c, p[0].bytes_c, cudaMemcpyDeviceToHost, stream));
		MUST(cudaMemsetAsync(p[0].a, 0, p[0].bytes_a, stream));
		MUST(cudaMemsetAsync(p[0].b, 0, p[0].bytes_b, stream));
		MUST(cudaMemsetAsync(p[0].c, 0, p[0].bytes_c, stream));
	}
	MUST(cudaStreamSynchronize(stream));
	for (int i = 0; i < ADVANCE; i++)
		wrong |= product_check_bytes(&p[i], c[i], 1e-4);
	for (int i = 0; i < ADVANCE; i++) {
		product_release(&p[i]);
		MUST(cudaFreeHost(c[i]));
	}
	return wrong;
}

static int two_streams(void)
{
	cudaStream_t other, of[2];
	struct product p[2][3];
	int wrong = 0;

	MUST(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
	of[0] = stream, of[1] = other;
	for (int i = 0; i < 6; i++) {
		p[i % 2][i / 2] = (struct product){ .m = 48, .n = 40, .k = 56, .type = CUDA_R_32F, .type_c = CUDA_R_32F, .alpha = 1, .beta = 1 };
		product_new(&p[i % 2][i / 2], 20 + (unsigned)i);
	}
	for (int i = 0; i < 6; i++) {
		struct product *q = &p[i % 2][i / 2];

		MUST(CUBLAS(cublasSetStream_v2)(handle, of[i % 2]));
		MUST(CUBLAS(cublasSgemm_v2)(handle, q->ta, q->tb, q->m, q->n, q->k, &one, q->a, q->lda, q->b, q->ldb, &one, q->c, q->ldc));
		MUST(cudaMemsetAsync(q->a, 0, q->bytes_a, of[i % 2]));
	}
	MUST(CUBLAS(cublasSetStream_v2)(handle, stream));
	MUST(cudaStreamSynchronize(other));
	for (int i = 0; i < 6; i++) {
		wrong |= product_check(&p[i % 2][i / 2], 1e-4);
		product_release(&p[i % 2][i / 2]);
	}
	MUST(cudaStreamDestroy(other));
	return wrong;
}

static int default_streams(void)
{
	cudaStream_t streams[] = { NULL, cudaStreamLegacy, cudaStreamPerThread };
	int wrong = 0;

	for (int i = 0; i < 3; i++) {
		struct product p = { .m = 32, .n = 16, .k = 24, .type = CUDA_R_32F, .type_c = CUDA_R_32F, .alpha = 1, .beta = 1 };

		product_new(&p, 30 + (unsigned)i);
		MUST(CUBLAS(cublasSetStream_v2)(handle, streams[i]));
		MUST(CUBLAS(cublasSgemm_v2)(handle, p.ta, p.tb, p.m, p.n, p.k, &one, p.a, p.lda, p.b, p.ldb, &one, p.c, p.ldc));
		MUST(cudaMemsetAsync(p.a, 0, p.bytes_a, streams[i]));
		MUST(cudaDeviceSynchronize());
		wrong |= product_check(&p, 1e-4);
		product_release(&p);
	}
	MUST(CUBLAS(cublasSetStream_v2)(handle, stream));
	return wrong;
}

static int graph(void)
{
	struct product p = { .m = 32, .n = 16, .k = 24, .type = CUDA_R_32F, .type_c = CUDA_R_32F, .alpha = 1 };
	const float zero = 0;
	cudaGraphExec_t exec;
	cudaGraph_t captured;
	int wrong;

	product_new(&p, 40);
	MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
	MUST(CUBLAS(cublasSgemm_v2)(handle, p.ta, p.tb, p.m, p.n, p.k, &one, p.a, p.lda, p.b, p.ldb, &zero, p.c, p.ldc));
	MUST(cudaStreamEndCapture(stream, &captured));
	MUST(cudaGraphInstantiate(&exec, captured, 0));
	MUST(cudaGraphLaunch(exec, stream));
	MUST(cudaGraphLaunch(exec, stream));
	wrong = product_check(&p, 1e-4);
	MUST(cudaGraphExecDestroy(exec));
	MUST(cudaGraphDestroy(captured));
	product_release(&p);
	return wrong;
}

static void *sgemm_here(void *arg)
{
	struct product *p = arg;

	MUST(CUBLAS(cublasSgemm_v2)(handle, p->ta, p->tb, p->m, p->n, p->k, &one, p->a, p->lda, p->b, p->ldb, &one, p->c, p->ldc));
	return NULL;
}

/* A thread whose first CUDA call is a product. */
static int thread(void)
{
	struct product p = { .m = 32, .n = 16, .k = 24, .type = CUDA_R_32F, .type_c = CUDA_R_32F, .alpha = 1, .beta = 1 };
	pthread_t other;
	int wrong;

	product_new(&p, 50);
	if (pthread_create(&other, NULL, sgemm_here, &p) != 0)
		exit(2);
	pthread_join(other, NULL);
	wrong = product_check(&p, 1e-4);
	product_release(&p);
	return wrong;
}

const struct test_case cases[] = {
	{ "sgemm", sgemm },
	{ "square", square },
	{ "dgemm", dgemm },
	{ "cgemm", cgemm },
	{ "gemmex-bf16", gemmex_bf16 },
	{ "linear", linear },
	{ "gemmex-f16", gemmex_f16 },
	{ "gemmex-f16-f32", gemmex_f16_f32 },
	{ "gemmex-f16-half", gemmex_f16_half },
	{ "gemmex-i8", gemmex_i8 },
	{ "gemmex-tf32", gemmex_tf32 },
	{ "math-tf32", math_tf32 },
	{ "settings", settings },
	{ "strided", strided },
	{ "batched", batched },
	{ "grouped", grouped },
	{ "gemv", gemv },
	{ "device-scalars", device_scalars },
	{ "reuse", reuse },
	{ "two-streams", two_streams },
	{ "default-streams", default_streams },
	{ "graph", graph },
	{ "thread", thread },
};
const size_t n_cases = sizeof(cases) / sizeof(cases[0]);
