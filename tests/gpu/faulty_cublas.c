/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cuBLAS that is wrong once. Preloaded behind the shim (LD_PRELOAD="libekkatrace.so libfaulty-cublas.so") it stands between it and
 * the real library and spoils one matrix product in the way FAULTY_KIND says; all others go through untouched.
 *
 * FAULTY_KIND   one of the kinds below
 * FAULTY_CALL   the first call, counted from 1 over all functions here, at which it may strike; it does at the first one that
 *               this kind of fault fits, once
 * FAULTY_LOG    file that gets "NUMBER FUNCTION M N K" of the call struck
 *
 * Only memory that the right call would touch is touched.
 */
#include "config.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cublas_api.h>
#include <cuda.h>

#define EXPORT __attribute__((visibility("default")))

/* Any of the functions, with what it lacks set to 1, 0 or its own type. */
struct gemm {
	const char *function;
	cublasHandle_t handle;
	cublasOperation_t ta, tb;
	int m, n, k, lda, ldb, ldc, batch;
	const void *alpha, *beta;
	const char *a, *b;
	char *c;
	cudaDataType type_a, type_b, type_c;
	long long stride_a, stride_b, stride_c;
	cublasComputeType_t compute;
	cublasGemmAlgo_t algo;
	cublasStatus_t (*real)(const struct gemm *);
};

static void *next(const char *name)
{
	static const char *const sonames[] = { "libcublas.so.13", "libcublas.so.12" };
	void *f = dlsym(RTLD_NEXT, name);

	for (unsigned i = 0; f == NULL && i < sizeof(sonames) / sizeof(sonames[0]); i++) {
		void *lib = dlopen(sonames[i], RTLD_LAZY | RTLD_NOLOAD);

		f = lib != NULL ? dlsym(lib, name) : NULL;
	}
	if (f == NULL) {
		fprintf(stderr, "faulty-cublas: no %s\n", name);
		abort();
	}
	return f;
}

/* Looked up once, by whichever thread is first; races store the same value. */
#define NEXT(name)                                                              \
	({                                                                      \
		static __typeof__(name) *f_;                                    \
		if (f_ == NULL)                                                 \
			*(void **)&f_ = next(#name);                            \
		f_;                                                             \
	})

static size_t size_of(cudaDataType type)
{
	return type == CUDA_R_32F || type == CUDA_R_32I ? 4 : type == CUDA_R_8I ? 1 : type == CUDA_R_64F || type == CUDA_C_32F ? 8 : 2;
}

/* ---- kinds: each returns false when it does not fit the call, else the status ---- */

static bool k_tail(struct gemm *g, cublasStatus_t *ret)
{
	if (g->k < 64)
		return false;
	g->k -= 32;
	*ret = g->real(g);
	return true;
}

static bool half_k(struct gemm *g, cublasStatus_t *ret)
{
	if (g->k < 32)
		return false;
	g->k /= 2;
	*ret = g->real(g);
	return true;
}

/* Rows [first, first + rows) of C alone, with A's data starting where they do. */
static cublasStatus_t rows(const struct gemm *g, int first, int n_rows, int a_first)
{
	struct gemm part = *g;

	part.m = n_rows;
	part.a += (size_t)a_first * (g->ta == CUBLAS_OP_N ? 1 : (size_t)g->lda) * size_of(g->type_a);
	part.c += (size_t)first * size_of(g->type_c);
	return n_rows > 0 ? g->real(&part) : CUBLAS_STATUS_SUCCESS;
}

/* lda too large by 8, for as many rows as stay within A. */
static bool wrong_lda(struct gemm *g, cublasStatus_t *ret)
{
	struct gemm wrong = *g;
	int n_rows;

	if (g->ta == CUBLAS_OP_N || g->batch > 1 || g->m < 64)
		return false;
	wrong.lda += 8;
	n_rows = (int)((long long)(g->m - 1) * g->lda / wrong.lda) / 8 * 8;
	wrong.m = n_rows;
	*ret = g->real(&wrong);
	if (*ret == CUBLAS_STATUS_SUCCESS)
		*ret = rows(g, n_rows, g->m - n_rows, n_rows);
	return true;
}

/* A starts 8 elements late, except for the last row, whose end would not be A's. */
static bool shifted(struct gemm *g, cublasStatus_t *ret)
{
	struct gemm wrong = *g;

	if (g->ta == CUBLAS_OP_N || g->batch > 1 || g->m < 64)
		return false;
	wrong.a += 8 * size_of(g->type_a);
	wrong.m = g->m - 8;
	*ret = g->real(&wrong);
	if (*ret == CUBLAS_STATUS_SUCCESS)
		*ret = rows(g, g->m - 8, 8, g->m - 8);
	return true;
}

static bool swapped_halves(struct gemm *g, cublasStatus_t *ret)
{
	int half = g->m / 2;

	if (g->batch > 1 || g->m % 16 != 0 || g->ta == CUBLAS_OP_N)
		return false;
	*ret = rows(g, 0, half, half);
	if (*ret == CUBLAS_STATUS_SUCCESS)
		*ret = rows(g, half, half, 0);
	return true;
}

static bool alpha_scaled(struct gemm *g, cublasStatus_t *ret)
{
	cublasPointerMode_t mode;
	float alpha;

	if ((g->compute != CUBLAS_COMPUTE_32F && g->compute != CUBLAS_COMPUTE_32F_FAST_TF32) || g->type_a == CUDA_C_32F ||
	    NEXT(cublasGetPointerMode_v2)(g->handle, &mode) != CUBLAS_STATUS_SUCCESS || mode != CUBLAS_POINTER_MODE_HOST)
		return false;
	alpha = *(const float *)g->alpha * 1.03125f;
	g->alpha = &alpha;
	*ret = g->real(g);
	g->alpha = NULL;
	return true;
}

static bool transposed(struct gemm *g, cublasStatus_t *ret)
{
	if (g->m != g->k || g->lda != g->k || g->m < 32)
		return false;
	g->ta = g->ta == CUBLAS_OP_N ? CUBLAS_OP_T : CUBLAS_OP_N;
	*ret = g->real(g);
	return true;
}

static bool batch_stride(struct gemm *g, cublasStatus_t *ret)
{
	if (g->batch < 2 || g->stride_b == 0 || g->k < 8)
		return false;
	g->stride_b = 0;
	*ret = g->real(g);
	return true;
}

/* Sets `bytes` at `p` in stream order. */
static bool set_bytes(const struct gemm *g, char *p, unsigned char value, size_t bytes)
{
	void *lib = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
	__typeof__(cuMemsetD8Async) *set;
	cudaStream_t stream;

	*(void **)&set = lib != NULL ? dlsym(lib, "cuMemsetD8Async") : NULL;
	return set != NULL && NEXT(cublasGetStream_v2)(g->handle, &stream) == CUBLAS_STATUS_SUCCESS &&
	       set((CUdeviceptr)p, value, bytes, (CUstream)stream) == CUDA_SUCCESS;
}

/* The bytes of column j of item 0 of C. */
static char *column(const struct gemm *g, int j)
{
	return g->c + (size_t)j * (size_t)g->ldc * size_of(g->type_c);
}

/* Adds to what a buffer still held, although beta is 0; holds it for sure by setting it first. */
static bool beta_taken_as_one(struct gemm *g, cublasStatus_t *ret)
{
	float one = 1;

	if (g->compute != CUBLAS_COMPUTE_32F || g->type_c == CUDA_C_32F || *(const float *)g->beta != 0 || g->m < 16 ||
	    !set_bytes(g, column(g, 0), 0x3f, (size_t)g->m * size_of(g->type_c)))
		return false;
	g->beta = &one;
	*ret = g->real(g);
	g->beta = NULL;
	return true;
}

/* Never computed: the buffer keeps what it held. */
static bool stale(struct gemm *g, cublasStatus_t *ret)
{
	for (int j = 0; j < g->n; j++)
		if (!set_bytes(g, column(g, j), 0x3d, (size_t)g->m * size_of(g->type_c)))
			return false;
	*ret = CUBLAS_STATUS_SUCCESS;
	return true;
}

/* A neighbour's tile runs over 32 elements in the middle. */
static bool overrun(struct gemm *g, cublasStatus_t *ret)
{
	if (g->m < 64)
		return false;
	*ret = g->real(g);
	return set_bytes(g, column(g, g->n / 2) + (size_t)(g->m / 2) * size_of(g->type_c), 0, 32 * size_of(g->type_c));
}

static bool nan_row(struct gemm *g, cublasStatus_t *ret)
{
	if (g->type_c == CUDA_R_32I)
		return false;
	*ret = g->real(g);
	return set_bytes(g, column(g, g->n - 1), 0xff, (size_t)g->m * size_of(g->type_c));
}

static const struct { const char *name; bool (*strike)(struct gemm *, cublasStatus_t *); } kinds[] = {
	{ "k-tail", k_tail },	  { "half-k", half_k },		{ "wrong-lda", wrong_lda }, { "shifted", shifted },
	{ "swapped", swapped_halves }, { "alpha", alpha_scaled }, { "transposed", transposed }, { "batch-stride", batch_stride },
	{ "beta", beta_taken_as_one }, { "stale", stale },	{ "overrun", overrun },	    { "nan-row", nan_row },
};

/* ---- choosing the call ------------------------------------------------ */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long n_calls;
static bool struck;

static void say(unsigned long number, const struct gemm *g)
{
	const char *path = getenv("FAULTY_LOG");
	FILE *f = path != NULL ? fopen(path, "w") : NULL;

	if (f == NULL)
		return;
	fprintf(f, "%lu %s %d %d %d\n", number, g->function, g->m, g->n, g->k);
	fclose(f);
}

static cublasStatus_t run(struct gemm *g)
{
	const char *kind = getenv("FAULTY_KIND"), *first = getenv("FAULTY_CALL");
	cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
	struct gemm as_called = *g;
	unsigned long number;

	pthread_mutex_lock(&lock);
	number = ++n_calls;
	if (kind != NULL && !struck && number >= strtoul(first != NULL ? first : "1", NULL, 10))
		for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !struck; i++)
			struck = strcmp(kinds[i].name, kind) == 0 && kinds[i].strike(g, &status) && number > 0;
	else
		kind = NULL;
	if (kind != NULL && struck) {
		say(number, &as_called);
		pthread_mutex_unlock(&lock);
		return status;
	}
	pthread_mutex_unlock(&lock);
	return as_called.real(&as_called);
}

/* ---- the functions ---------------------------------------------------- */

static cublasStatus_t real_gemm_ex(const struct gemm *g)
{
	return NEXT(cublasGemmEx)(g->handle, g->ta, g->tb, g->m, g->n, g->k, g->alpha, g->a, g->type_a, g->lda, g->b, g->type_b, g->ldb,
				  g->beta, g->c, g->type_c, g->ldc, g->compute, g->algo);
}

static cublasStatus_t real_strided_ex(const struct gemm *g)
{
	return NEXT(cublasGemmStridedBatchedEx)(g->handle, g->ta, g->tb, g->m, g->n, g->k, g->alpha, g->a, g->type_a, g->lda, g->stride_a,
						g->b, g->type_b, g->ldb, g->stride_b, g->beta, g->c, g->type_c, g->ldc, g->stride_c,
						g->batch, g->compute, g->algo);
}

static cublasStatus_t real_sgemm(const struct gemm *g)
{
	return NEXT(cublasSgemm_v2)(g->handle, g->ta, g->tb, g->m, g->n, g->k, g->alpha, (const float *)g->a, g->lda, (const float *)g->b,
				    g->ldb, g->beta, (float *)g->c, g->ldc);
}

static cublasStatus_t real_sgemm_strided(const struct gemm *g)
{
	return NEXT(cublasSgemmStridedBatched)(g->handle, g->ta, g->tb, g->m, g->n, g->k, g->alpha, (const float *)g->a, g->lda,
					       g->stride_a, (const float *)g->b, g->ldb, g->stride_b, g->beta, (float *)g->c, g->ldc,
					       g->stride_c, g->batch);
}

#define SHAPE .function = __func__, .handle = handle, .ta = transa, .tb = transb, .m = m, .n = n, .k = k, .lda = lda, .ldb = ldb, .ldc = ldc, \
	      .alpha = alpha, .beta = beta, .a = (const char *)A, .b = (const char *)B, .c = (char *)C
#define SINGLE .type_a = CUDA_R_32F, .type_b = CUDA_R_32F, .type_c = CUDA_R_32F, .compute = CUBLAS_COMPUTE_32F

EXPORT cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k,
				   const void *alpha, const void *A, cudaDataType Atype, int lda, const void *B,
				   cudaDataType Btype, int ldb, const void *beta, void *C, cudaDataType Ctype, int ldc,
				   cublasComputeType_t computeType, cublasGemmAlgo_t algo)
{
	return run(&(struct gemm){ SHAPE, .batch = 1, .type_a = Atype, .type_b = Btype, .type_c = Ctype, .compute = computeType,
				   .algo = algo, .real = real_gemm_ex });
}

EXPORT cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m,
						 int n, int k, const void *alpha, const void *A, cudaDataType Atype, int lda,
						 long long strideA, const void *B, cudaDataType Btype, int ldb,
						 long long strideB, const void *beta, void *C, cudaDataType Ctype, int ldc,
						 long long strideC, int batchCount, cublasComputeType_t computeType,
						 cublasGemmAlgo_t algo)
{
	return run(&(struct gemm){ SHAPE, .batch = batchCount, .stride_a = strideA, .stride_b = strideB, .stride_c = strideC,
				   .type_a = Atype, .type_b = Btype, .type_c = Ctype, .compute = computeType, .algo = algo,
				   .real = real_strided_ex });
}

EXPORT cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k,
				     const float *alpha, const float *A, int lda, const float *B, int ldb, const float *beta,
				     float *C, int ldc)
{
	return run(&(struct gemm){ SHAPE, SINGLE, .batch = 1, .real = real_sgemm });
}

EXPORT cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m,
						int n, int k, const float *alpha, const float *A, int lda, long long strideA,
						const float *B, int ldb, long long strideB, const float *beta, float *C,
						int ldc, long long strideC, int batchCount)
{
	return run(&(struct gemm){ SHAPE, SINGLE, .batch = batchCount, .stride_a = strideA, .stride_b = strideB, .stride_c = strideC,
				   .real = real_sgemm_strided });
}
