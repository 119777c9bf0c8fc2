/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "replay/gpu.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = EKKA_GPU_THREADS, MOST_BLOCKS = 1 << 16, PROBE = 64, LEAST_ROOM = 1 << 20 };

bool ekka_gpu_ok(struct ekka_gpu *gpu, CUresult r)
{
	if (r == CUDA_SUCCESS)
		return true;
	if (r == CUDA_ERROR_OUT_OF_MEMORY)
		atomic_fetch_add(&gpu->lacking, 1);
	else if (!atomic_exchange(&gpu->broken, true))
		atomic_store(&gpu->error, (int)r);
	return false;
}

static bool blas_ok(struct ekka_gpu *gpu, cublasStatus_t r)
{
	if (r == CUBLAS_STATUS_SUCCESS)
		return true;
	if (r == CUBLAS_STATUS_ALLOC_FAILED)
		atomic_fetch_add(&gpu->lacking, 1);
	else if (!atomic_exchange(&gpu->broken, true))
		atomic_store(&gpu->error, -(int)r);
	return false;
}

/* ---- lanes ------------------------------------------------------------ */

static bool prepare(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, size_t bytes)
{
	size_t room = LEAST_ROOM;

	if (!l->ready) {
		if (!l->stream && !ekka_gpu_ok(gpu, gpu->lib->p_cuStreamCreate(&l->stream, CU_STREAM_NON_BLOCKING)))
			return false;
		l->ready = true;
	}
	l->used = 0;
	if (l->ready && bytes > l->bytes) {
		while (room < bytes)	/* seldom: both stop the device */
			room *= 2;
		bytes = room;
		if (l->memory)
			ekka_gpu_free(gpu, l->memory);
		l->memory = ekka_gpu_alloc(gpu, bytes);
		l->bytes = l->memory ? bytes : 0;
	}
	return l->ready && l->bytes >= bytes;
}

static struct ekka_gpu_lane *free_lane(struct ekka_gpu *gpu)
{
	for (unsigned i = 0; i < EKKA_GPU_LANES; i++)
		if (!gpu->lane[i].busy)
			return &gpu->lane[i];
	return NULL;
}

struct ekka_gpu_lane *ekka_gpu_take(struct ekka_gpu *gpu, size_t bytes)
{
	struct ekka_gpu_lane *l;

	if (atomic_load(&gpu->broken))
		return NULL;
	pthread_mutex_lock(&gpu->lock);
	while (!(l = free_lane(gpu)))
		pthread_cond_wait(&gpu->freed, &gpu->lock);
	l->busy = true;
	pthread_mutex_unlock(&gpu->lock);
	if (ekka_gpu_ok(gpu, gpu->lib->p_cuCtxPushCurrent(gpu->context))) {
		if (prepare(gpu, l, bytes))
			return l;
		ekka_gpu_give(gpu, l);
		return NULL;
	}
	pthread_mutex_lock(&gpu->lock);
	l->busy = false;
	pthread_cond_signal(&gpu->freed);
	pthread_mutex_unlock(&gpu->lock);
	return NULL;
}

void ekka_gpu_give(struct ekka_gpu *gpu, struct ekka_gpu_lane *l)
{
	CUcontext ignored;

	(void)gpu->lib->p_cuCtxPopCurrent(&ignored);
	pthread_mutex_lock(&gpu->lock);
	l->busy = false;
	pthread_cond_signal(&gpu->freed);
	pthread_mutex_unlock(&gpu->lock);
}

bool ekka_gpu_launch(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, enum ekka_gpu_kernel kernel, int64_t n, void **params)
{
	int64_t blocks = (n + THREADS - 1) / THREADS;

	if (n <= 0)
		return true;
	if (blocks > MOST_BLOCKS)
		blocks = MOST_BLOCKS;
	return ekka_gpu_ok(gpu, gpu->lib->p_cuLaunchKernel(gpu->kernel[kernel], (unsigned)blocks, 1, 1, THREADS, 1, 1, 0, l->stream, params, NULL));
}

bool ekka_gpu_upload(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, CUdeviceptr to, const void *from, size_t bytes)
{
	return ekka_gpu_ok(gpu, gpu->lib->p_cuMemcpyHtoDAsync(to, from, bytes, l->stream));
}

bool ekka_gpu_download(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, void *to, CUdeviceptr from, size_t bytes)
{
	return ekka_gpu_ok(gpu, gpu->lib->p_cuMemcpyDtoHAsync(to, from, bytes, l->stream));
}

bool ekka_gpu_zero(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, CUdeviceptr at, size_t bytes)
{
	return ekka_gpu_ok(gpu, gpu->lib->p_cuMemsetD8Async(at, 0, bytes, l->stream));
}

bool ekka_gpu_finish(struct ekka_gpu *gpu, struct ekka_gpu_lane *l)
{
	return ekka_gpu_ok(gpu, gpu->lib->p_cuStreamSynchronize(l->stream));
}

CUdeviceptr ekka_gpu_alloc(struct ekka_gpu *gpu, size_t bytes)
{
	CUdeviceptr p = 0;

	return ekka_gpu_ok(gpu, gpu->lib->p_cuMemAlloc(&p, bytes ? bytes : 1)) ? p : 0;
}

void ekka_gpu_free(struct ekka_gpu *gpu, CUdeviceptr p)
{
	if (p)
		(void)ekka_gpu_ok(gpu, gpu->lib->p_cuMemFree(p));
}

static double *pointer(CUdeviceptr p)
{
	return (double *)(uintptr_t)p;
}

/* A handle takes time and device memory: only lanes that multiply have one. */
static bool has_blas(struct ekka_gpu *gpu, struct ekka_gpu_lane *l)
{
	cublasHandle_t handle;

	if (l->blas)
		return true;
	if (!blas_ok(gpu, gpu->lib->p_cublasCreate(&handle)))
		return false;
	if (!blas_ok(gpu, gpu->lib->p_cublasSetStream(handle, l->stream))) {
		(void)gpu->lib->p_cublasDestroy(handle);
		return false;
	}
	l->blas = handle;
	return true;
}

bool ekka_gpu_dgemm(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, cublasOperation_t op_a, cublasOperation_t op_b, int64_t m, int64_t n, int64_t k, double alpha,
		    CUdeviceptr a, int64_t ld_a, CUdeviceptr b, int64_t ld_b, double beta, CUdeviceptr c, int64_t ld_c)
{
	return m <= INT_MAX && n <= INT_MAX && k <= INT_MAX && has_blas(gpu, l) &&
	       blas_ok(gpu, gpu->lib->p_cublasDgemm(l->blas, op_a, op_b, (int)m, (int)n, (int)k, &alpha, pointer(a), (int)ld_a, pointer(b), (int)ld_b, &beta,
						    pointer(c), (int)ld_c));
}

bool ekka_gpu_multiply(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, int64_t ni, int64_t nj, int64_t nk, double alpha, CUdeviceptr a,
		       CUdeviceptr b, int64_t ld, double beta, CUdeviceptr c)
{
	/* Row-major c is column-major c^T = b a^T; a row-major panel is the transpose of a column-major one. */
	return ekka_gpu_dgemm(gpu, l, CUBLAS_OP_T, CUBLAS_OP_N, nj, ni, nk, alpha, b, ld, a, ld, beta, c, nj);
}

bool ekka_gpu_multiply_many(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, int64_t ni, int64_t nj, int64_t nk, struct ekka_gpu_factor a, struct ekka_gpu_factor b,
			    CUdeviceptr c, int64_t count)
{
	double one = 1, none = 0;

	return ni <= INT_MAX && nj <= INT_MAX && nk <= INT_MAX && a.ld <= INT_MAX && b.ld <= INT_MAX && count <= INT_MAX && has_blas(gpu, l) &&
	       blas_ok(gpu, gpu->lib->p_cublasDgemmStridedBatched(l->blas, b.by_k ? CUBLAS_OP_N : CUBLAS_OP_T, CUBLAS_OP_N, (int)nj, (int)ni, (int)nk, &one, pointer(b.at),
								  (int)b.ld, b.step, pointer(a.at), (int)a.ld, a.step, &none, pointer(c), (int)nj, ni * nj, (int)count));
}

/* ---- opening and closing ---------------------------------------------- */

static void note(struct ekka_backend *base, char *text)
{
	struct ekka_gpu *gpu = (struct ekka_gpu *)base;
	int error = atomic_load(&gpu->error);

	text[0] = '\0';
	if (error)
		(void)snprintf(text, EKKA_TEXT, "%.200s failed (%s error %d)", base->name, error > 0 ? "CUDA" : "cuBLAS", abs(error));
	else if (atomic_load(&gpu->lacking))
		(void)snprintf(text, EKKA_TEXT, "%.200s had no memory for %lu parts", base->name, atomic_load(&gpu->lacking));
}

static void close_gpu(struct ekka_backend *base)
{
	struct ekka_gpu *gpu = (struct ekka_gpu *)base;
	CUcontext ignored;
	bool current = gpu->context && gpu->lib->p_cuCtxPushCurrent(gpu->context) == CUDA_SUCCESS;

	for (unsigned i = 0; current && i < EKKA_GPU_LANES; i++) {
		ekka_gpu_free(gpu, gpu->lane[i].memory);
		ekka_gpu_lane_release(gpu, &gpu->lane[i]);
		if (gpu->lane[i].blas)
			(void)gpu->lib->p_cublasDestroy(gpu->lane[i].blas);
		if (gpu->lane[i].stream)
			(void)gpu->lib->p_cuStreamDestroy(gpu->lane[i].stream);
	}
	if (current && gpu->freeing)
		(void)gpu->lib->p_cuStreamDestroy(gpu->freeing);
	if (current && gpu->module)
		(void)gpu->lib->p_cuModuleUnload(gpu->module);
	if (current)
		(void)gpu->lib->p_cuCtxPopCurrent(&ignored);
	if (gpu->context)
		(void)gpu->lib->p_cuDevicePrimaryCtxRelease(gpu->device);
	pthread_mutex_destroy(&gpu->lock);
	pthread_cond_destroy(&gpu->freed);
	free(gpu);
}

static bool load_kernels(struct ekka_gpu *gpu, const void *image)
{
	static const char *const names[] = {
#define NAME(name) "ekka_gpu_" #name,
		EKKA_GPU_KERNELS(NAME)
#undef NAME
	};

	if (!ekka_gpu_ok(gpu, gpu->lib->p_cuModuleLoadData(&gpu->module, image)))
		return false;
	for (unsigned i = 0; i < EKKA_GPU_N_KERNELS; i++)
		if (!ekka_gpu_ok(gpu, gpu->lib->p_cuModuleGetFunction(&gpu->kernel[i], gpu->module, names[i])))
			return false;
	return true;
}

/* Does a product come out as float64 has it: every term needs all 53 bits. */
static bool probe(struct ekka_gpu *gpu, double a[PROBE * PROBE], double c[PROBE * PROBE])
{
	size_t bytes = PROBE * PROBE * sizeof *a;
	struct ekka_gpu_lane *l = ekka_gpu_take(gpu, 2 * bytes);
	bool good = l;

	for (int i = 0; i < PROBE * PROBE; i++)
		a[i] = 1 + (double)(i * 37 % 101) * 0x1p-30 + (double)(i * 53 % 97) * 0x1p-52;
	good = good && ekka_gpu_upload(gpu, l, l->memory, a, bytes) &&
	       ekka_gpu_multiply(gpu, l, PROBE, PROBE, PROBE, 1, l->memory, l->memory, PROBE, 0, l->memory + bytes) &&
	       ekka_gpu_download(gpu, l, c, l->memory + bytes, bytes) && ekka_gpu_finish(gpu, l);
	for (int i = 0; good && i < PROBE * PROBE; i++) {
		long double want = 0;

		for (int k = 0; k < PROBE; k++)
			want += (long double)a[i / PROBE * PROBE + k] * a[i % PROBE * PROBE + k];
		good = fabsl(c[i] - want) <= PROBE * 0x1p-53L * want;
	}
	if (l)
		ekka_gpu_give(gpu, l);
	return good;
}

static bool works(struct ekka_gpu *gpu)
{
	double *memory = malloc(2 * PROBE * PROBE * sizeof *memory);
	bool good = memory && probe(gpu, memory, memory + PROBE * PROBE);

	free(memory);
	return good;
}

/* What is freed is soon wanted again, and asking the system for memory waits for the device. */
static bool keep_freed_memory(struct ekka_gpu *gpu)
{
	CUmemoryPool pool;
	uint64_t all = UINT64_MAX;

	return ekka_gpu_ok(gpu, gpu->lib->p_cuDeviceGetDefaultMemPool(&pool, gpu->device)) &&
	       ekka_gpu_ok(gpu, gpu->lib->p_cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &all)) &&
	       ekka_gpu_ok(gpu, gpu->lib->p_cuStreamCreate(&gpu->freeing, CU_STREAM_NON_BLOCKING));
}

static int open_device(struct ekka_gpu *gpu, const void *image, struct ekka_error *err)
{
	char name[128] = "";
	CUcontext ignored;
	CUresult r;
	bool good;

	if (!ekka_gpu_ok(gpu, gpu->lib->p_cuInit(0)) || !ekka_gpu_ok(gpu, gpu->lib->p_cuDeviceGet(&gpu->device, 0)))
		return ekka_error_set(err, EKKA_ERR_INVALID, "no CUDA device");
	(void)gpu->lib->p_cuDeviceGetName(name, sizeof name - 1, gpu->device);
	(void)snprintf(gpu->base.name, sizeof gpu->base.name, "GPU (%s)", name);
	r = gpu->lib->p_cuDevicePrimaryCtxRetain(&gpu->context, gpu->device);
	if (r != CUDA_SUCCESS) {
		gpu->context = NULL;
		return ekka_error_set(err, EKKA_ERR_INVALID, "no context on %s%s (CUDA error %d)", name, r == CUDA_ERROR_DEVICE_UNAVAILABLE ? ", which is another's" :
				      r == CUDA_ERROR_OUT_OF_MEMORY ? ", whose memory is full" : "", (int)r);
	}
	if (!ekka_gpu_ok(gpu, gpu->lib->p_cuCtxPushCurrent(gpu->context)))
		return ekka_error_set(err, EKKA_ERR_INVALID, "no context on %s", name);
	good = load_kernels(gpu, image) && keep_freed_memory(gpu);
	(void)gpu->lib->p_cuCtxPopCurrent(&ignored);
	if (!good)
		return ekka_error_set(err, EKKA_ERR_INVALID, "%s does not take our kernels", name);
	if (!works(gpu))
		return ekka_error_set(err, EKKA_ERR_INVALID, atomic_load(&gpu->lacking) ? "%s has no memory left" : "%s does not multiply in float64", name);
	return 0;
}

struct ekka_backend *ekka_gpu_open_with(const struct ekka_gpu_library *lib, const void *image, unsigned flags, struct ekka_error *err)
{
	struct ekka_gpu *gpu = calloc(1, sizeof *gpu);

	if (!gpu) {
		(void)ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for a backend");
		return NULL;
	}
	gpu->base = (struct ekka_backend){
		.gemm_begin = ekka_gpu_gemm_begin,
		.gemm_end = ekka_gpu_gemm_end,
		.product = ekka_gpu_product,
		.attention = ekka_gpu_attention,
		.attention_event = ekka_gpu_attention_event,
		.rows = ekka_gpu_rows,
		.elementwise = ekka_gpu_elementwise,
		.note = note,
		.close = close_gpu,
	};
	gpu->lib = lib;
	gpu->flags = flags;
	pthread_mutex_init(&gpu->lock, NULL);
	pthread_cond_init(&gpu->freed, NULL);
	if (open_device(gpu, image, err) < 0) {
		close_gpu(&gpu->base);
		return NULL;
	}
	return &gpu->base;
}
