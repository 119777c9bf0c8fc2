/* SPDX-License-Identifier: Apache-2.0 */
/* libcublas.so: the functions that the subjects call, computed late on the stream's thread. */
#include "config.h"

#include "tests/fake/fake_cublas.h"

#include <dlfcn.h>
#include "tests/gpu/half.h"

#include <stdlib.h>

#define EXPORT FAKE_EXPORT

struct cublasContext { cudaStream_t stream; cublasPointerMode_t pointer_mode; cublasMath_t math; cublasAtomicsMode_t atomics; int sm_count; };

EXPORT cublasStatus_t cublasCreate_v2(cublasHandle_t *handle)
{
	fake_make_current();
	*handle = calloc(1, sizeof(**handle));
	return *handle != NULL ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_ALLOC_FAILED;
}

EXPORT cublasStatus_t cublasDestroy_v2(cublasHandle_t handle)
{
	free(handle);
	return CUBLAS_STATUS_SUCCESS;
}

#define ACCESSOR(what, type, field)                                               \
	EXPORT cublasStatus_t cublasSet##what(cublasHandle_t handle, type v)      \
	{                                                                         \
		handle->field = v;                                                \
		return CUBLAS_STATUS_SUCCESS;                                     \
	}                                                                         \
	EXPORT cublasStatus_t cublasGet##what(cublasHandle_t handle, type *ret_v) \
	{                                                                         \
		*ret_v = handle->field;                                           \
		return CUBLAS_STATUS_SUCCESS;                                     \
	}
ACCESSOR(Stream_v2, cudaStream_t, stream)
ACCESSOR(PointerMode_v2, cublasPointerMode_t, pointer_mode)
ACCESSOR(MathMode, cublasMath_t, math)
ACCESSOR(AtomicsMode, cublasAtomicsMode_t, atomics)
ACCESSOR(SmCountTarget, int, sm_count)

/* Needs none. */
EXPORT cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void *workspace, size_t bytes)
{
	(void)handle, (void)workspace, (void)bytes;
	return CUBLAS_STATUS_SUCCESS;
}

EXPORT cublasStatus_t cublasGetVersion_v2(cublasHandle_t handle, int *version)
{
	(void)handle;
	*version = CUBLAS_VERSION;
	return CUBLAS_STATUS_SUCCESS;
}

EXPORT const char *cublasGetStatusString(cublasStatus_t status)
{
	return status == CUBLAS_STATUS_SUCCESS ? "success" : "status of the fake cuBLAS";
}

static struct fake_scalar scalar(cublasHandle_t handle, const void *p, cudaDataType type)
{
	struct fake_scalar s = { handle->pointer_mode == CUBLAS_POINTER_MODE_DEVICE, (uint64_t)p, { 0, 0 } };

	if (s.on_device)
		return s;
	switch (type) {
	case CUDA_R_32F:
		s.value[0] = *(const float *)p;
		break;
	case CUDA_R_64F:
		s.value[0] = *(const double *)p;
		break;
	case CUDA_R_16F:
		s.value[0] = half_to_double(*(const uint16_t *)p);
		break;
	case CUDA_R_32I:
		s.value[0] = *(const int32_t *)p;
		break;
	case CUDA_C_32F:
		s.value[0] = ((const float *)p)[0];
		s.value[1] = ((const float *)p)[1];
		break;
	case CUDA_C_64F:
		s.value[0] = ((const double *)p)[0];
		s.value[1] = ((const double *)p)[1];
		break;
	default:
		abort();
	}
	return s;
}

static cudaDataType scale_type(cublasComputeType_t compute, cudaDataType type_c)
{
	switch (compute) {
	case CUBLAS_COMPUTE_16F:
		return CUDA_R_16F;
	case CUBLAS_COMPUTE_32I:
		return CUDA_R_32I;
	case CUBLAS_COMPUTE_64F:
		return type_c == CUDA_C_64F ? CUDA_C_64F : CUDA_R_64F;
	default:
		return type_c == CUDA_C_32F ? CUDA_C_32F : CUDA_R_32F;
	}
}

static cublasStatus_t submit(cublasHandle_t handle, const struct fake_gemm *g)
{
	if (g->m < 0 || g->n < 0 || g->k < 0 || g->ldc < g->m)
		return CUBLAS_STATUS_INVALID_VALUE;
	return fake_enqueue(fake_stream_of((CUstream)handle->stream), fake_gemm_run, g, sizeof(*g)) == CUDA_SUCCESS ?
		       CUBLAS_STATUS_SUCCESS :
		       CUBLAS_STATUS_EXECUTION_FAILED;
}

/* The parameters that all spellings share, by the names they have in all. */
#define COMMON(t)                                                                                                    \
	.ta = transa, .tb = transb, .m = m, .n = n, .k = k, .lda = lda, .ldb = ldb, .ldc = ldc, .a = (uint64_t)A,    \
	.b = (uint64_t)B, .c = (uint64_t)C, .type_scale = t, .alpha = scalar(handle, alpha, t),                      \
	.beta = scalar(handle, beta, t)
#define SAME_TYPES(t) .type_a = t, .type_b = t, .type_c = t

#define GEMM(name, T, t)                                                                                             \
	EXPORT cublasStatus_t name(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, \
				   int n, int k, const T *alpha, const T *A, int lda, const T *B, int ldb,           \
				   const T *beta, T *C, int ldc)                                                     \
	{                                                                                                            \
		return submit(handle, &(struct fake_gemm){ COMMON(t), SAME_TYPES(t), .batch = 1 });                  \
	}
GEMM(cublasSgemm_v2, float, CUDA_R_32F)
GEMM(cublasDgemm_v2, double, CUDA_R_64F)
GEMM(cublasCgemm_v2, cuComplex, CUDA_C_32F)
GEMM(cublasZgemm_v2, cuDoubleComplex, CUDA_C_64F)

EXPORT cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m,
						int n, int k, const float *alpha, const float *A, int lda, long long strideA,
						const float *B, int ldb, long long strideB, const float *beta, float *C,
						int ldc, long long strideC, int batchCount)
{
	return submit(handle, &(struct fake_gemm){ COMMON(CUDA_R_32F), SAME_TYPES(CUDA_R_32F), .stride_a = strideA,
						   .stride_b = strideB, .stride_c = strideC, .batch = batchCount });
}

EXPORT cublasStatus_t cublasSgemmBatched(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n,
					 int k, const float *alpha, const float *const A[], int lda, const float *const B[],
					 int ldb, const float *beta, float *const C[], int ldc, int batchCount)
{
	return submit(handle, &(struct fake_gemm){ COMMON(CUDA_R_32F), SAME_TYPES(CUDA_R_32F), .batch = batchCount, .pointers = true });
}

EXPORT cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n, int k,
				   const void *alpha, const void *A, cudaDataType Atype, int lda, const void *B,
				   cudaDataType Btype, int ldb, const void *beta, void *C, cudaDataType Ctype, int ldc,
				   cublasComputeType_t computeType, cublasGemmAlgo_t algo)
{
	(void)algo;
	return submit(handle, &(struct fake_gemm){ COMMON(scale_type(computeType, Ctype)), .type_a = Atype, .type_b = Btype,
						   .type_c = Ctype, .batch = 1 });
}

EXPORT cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m,
						 int n, int k, const void *alpha, const void *A, cudaDataType Atype, int lda,
						 long long strideA, const void *B, cudaDataType Btype, int ldb,
						 long long strideB, const void *beta, void *C, cudaDataType Ctype, int ldc,
						 long long strideC, int batchCount, cublasComputeType_t computeType,
						 cublasGemmAlgo_t algo)
{
	(void)algo;
	return submit(handle, &(struct fake_gemm){ COMMON(scale_type(computeType, Ctype)), .type_a = Atype, .type_b = Btype,
						   .type_c = Ctype, .stride_a = strideA, .stride_b = strideB,
						   .stride_c = strideC, .batch = batchCount });
}

EXPORT cublasStatus_t cublasGemmBatchedEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n,
					  int k, const void *alpha, const void *const A[], cudaDataType Atype, int lda,
					  const void *const B[], cudaDataType Btype, int ldb, const void *beta,
					  void *const C[], cudaDataType Ctype, int ldc, int batchCount,
					  cublasComputeType_t computeType, cublasGemmAlgo_t algo)
{
	(void)algo;
	return submit(handle, &(struct fake_gemm){ COMMON(scale_type(computeType, Ctype)), .type_a = Atype, .type_b = Btype,
						   .type_c = Ctype, .batch = batchCount, .pointers = true });
}

/* Scalars are arrays here, one per group, always on the host. */
EXPORT cublasStatus_t cublasSgemmGroupedBatched(cublasHandle_t handle, const cublasOperation_t transa_array[],
						const cublasOperation_t transb_array[], const int m_array[], const int n_array[],
						const int k_array[], const float alpha_array[], const float *const Aarray[],
						const int lda_array[], const float *const Barray[], const int ldb_array[],
						const float beta_array[], float *const Carray[], const int ldc_array[],
						int group_count, const int group_size[])
{
	cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
	int first = 0;

	for (int g = 0; g < group_count && status == CUBLAS_STATUS_SUCCESS; first += group_size[g++])
		status = submit(handle, &(struct fake_gemm){
						.ta = transa_array[g], .tb = transb_array[g], .m = m_array[g], .n = n_array[g],
						.k = k_array[g], .lda = lda_array[g], .ldb = ldb_array[g], .ldc = ldc_array[g],
						.a = (uint64_t)(Aarray + first), .b = (uint64_t)(Barray + first),
						.c = (uint64_t)(Carray + first), SAME_TYPES(CUDA_R_32F), .type_scale = CUDA_R_32F,
						.alpha = { .value = { alpha_array[g], 0 } },
						.beta = { .value = { beta_array[g], 0 } }, .batch = group_size[g], .pointers = true });
	return status;
}

/* y = op(A) x as a product with one column; increments other than 1 are strided loads of that column. */
EXPORT cublasStatus_t cublasSgemv_v2(cublasHandle_t handle, cublasOperation_t trans, int m, int n, const float *alpha,
				     const float *A, int lda, const float *x, int incx, const float *beta, float *y, int incy)
{
	bool flip = trans != CUBLAS_OP_N;

	if (incx < 1 || incy != 1)
		return CUBLAS_STATUS_NOT_SUPPORTED; /* of this stand-in */
	return submit(handle, &(struct fake_gemm){
				      .ta = trans, .tb = CUBLAS_OP_T, .m = flip ? n : m, .n = 1, .k = flip ? m : n, .lda = lda,
				      .ldb = incx, .ldc = flip ? n : m, .a = (uint64_t)A, .b = (uint64_t)x, .c = (uint64_t)y,
				      SAME_TYPES(CUDA_R_32F), .type_scale = CUDA_R_32F, .alpha = scalar(handle, alpha, CUDA_R_32F),
				      .beta = scalar(handle, beta, CUDA_R_32F), .batch = 1 });
}

/* The real one looks things up before any constructor of a preloaded library has run. */
static void __attribute__((constructor)) look_up_early(void)
{
	static void *volatile found;

	found = dlsym(RTLD_DEFAULT, "cublasNobodyHasThis");
	(void)found;
}
