/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The GPU backend's own parts. A lane is a stream with its cuBLAS handle and its device memory; a thread that uses the device takes one, so
 * that conversions, products and copies of several blocks overlap.
 *
 * Functions that return bool give false when CUDA refused; the backend is then broken for good unless it was memory that lacked, and
 * declines everything.
 */
#ifndef EKKA_REPLAY_GPU_H
#define EKKA_REPLAY_GPU_H

#include <pthread.h>
#include <stdatomic.h>

#include "replay/backend.h"
#include "replay/gpu_library.h"

enum { EKKA_GPU_LANES = 4 };

#define EKKA_GPU_KERNELS(f) f(convert) f(extremes) f(add) f(twofold) f(soften) f(magnitudes)
enum ekka_gpu_kernel {
#define NUMBER(name) EKKA_GPU_##name,
	EKKA_GPU_KERNELS(NUMBER)
#undef NUMBER
	EKKA_GPU_N_KERNELS
};

struct ekka_gpu_lane {
	bool busy, ready;
	CUstream stream;
	cublasHandle_t blas;
	CUdeviceptr memory;
	size_t bytes;
};

struct ekka_gpu {
	struct ekka_backend base;
	const struct ekka_gpu_library *lib;
	unsigned flags;
	CUdevice device;
	CUcontext context;
	CUmodule module;
	CUfunction kernel[EKKA_GPU_N_KERNELS];
	atomic_bool broken;
	atomic_int error;		/* CUDA's or, negative, cuBLAS's number that broke it */
	atomic_ulong lacking;		/* how often there was no memory */
	pthread_mutex_t lock;		/* lanes' `busy` */
	pthread_cond_t freed;
	struct ekka_gpu_lane lane[EKKA_GPU_LANES];
};

/* Opens with another library: tests. `image` is what cuModuleLoadData takes. */
struct ekka_backend *ekka_gpu_open_with(const struct ekka_gpu_library *, const void *image, unsigned flags, struct ekka_error *err);

/* Waits for a lane with at least `bytes` of memory and makes the device current; NULL: none, and nothing to give back. */
struct ekka_gpu_lane *ekka_gpu_take(struct ekka_gpu *, size_t bytes);
void ekka_gpu_give(struct ekka_gpu *, struct ekka_gpu_lane *);

/* One after another on the lane's stream. n: elements that the kernel walks. */
bool ekka_gpu_launch(struct ekka_gpu *, struct ekka_gpu_lane *, enum ekka_gpu_kernel, int64_t n, void **params);
bool ekka_gpu_upload(struct ekka_gpu *, struct ekka_gpu_lane *, CUdeviceptr to, const void *from, size_t bytes);
bool ekka_gpu_download(struct ekka_gpu *, struct ekka_gpu_lane *, void *to, CUdeviceptr from, size_t bytes);
bool ekka_gpu_zero(struct ekka_gpu *, struct ekka_gpu_lane *, CUdeviceptr at, size_t bytes);
bool ekka_gpu_finish(struct ekka_gpu *, struct ekka_gpu_lane *);	/* waits for all of it */

/* Device memory for an event, on its lane's thread; 0: none. */
CUdeviceptr ekka_gpu_alloc(struct ekka_gpu *, size_t bytes);
void ekka_gpu_free(struct ekka_gpu *, CUdeviceptr);

/* c[ni, nj] = alpha a b^T + beta c, all row-major, a and b with rows of ld elements. */
bool ekka_gpu_multiply(struct ekka_gpu *, struct ekka_gpu_lane *, int64_t ni, int64_t nj, int64_t nk, double alpha, CUdeviceptr a,
		       CUdeviceptr b, int64_t ld, double beta, CUdeviceptr c);

/* c = alpha op(a) op(b) + beta c as BLAS has it: column-major, c [m, n] with columns ld_c apart. */
bool ekka_gpu_dgemm(struct ekka_gpu *, struct ekka_gpu_lane *, cublasOperation_t op_a, cublasOperation_t op_b, int64_t m, int64_t n, int64_t k, double alpha,
		    CUdeviceptr a, int64_t ld_a, CUdeviceptr b, int64_t ld_b, double beta, CUdeviceptr c, int64_t ld_c);

/* gpu_attention.c */
bool ekka_gpu_attention_pays(const struct ekka_attention_work *);
bool ekka_gpu_attention(struct ekka_backend *, struct ekka_attention_work *);

/* gpu_gemm.c */
bool ekka_gpu_gemm_pays(const struct ekka_gemm *);	/* is it large enough to be done sooner than on the CPU */
struct ekka_backend_gemm *ekka_gpu_gemm_begin(struct ekka_backend *, const struct ekka_gemm *);
void ekka_gpu_gemm_end(struct ekka_backend_gemm *);

#endif
