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

#include "compare/elements.h"
#include "replay/array.h"
#include "replay/backend.h"
#include "replay/gpu_library.h"
#include "replay/gpu_shared.h"
#include "replay/rows_job.h"

enum { EKKA_GPU_LANES = 16, EKKA_GPU_STAGES = 2 };

#define EKKA_GPU_KERNELS(f) f(convert) f(extremes) f(product) f(thin) f(add) f(twofold) f(soften) f(magnitudes) f(lines) f(columns) f(weigh) f(attended) f(expr) EKKA_ROWS_KERNELS(f)
enum ekka_gpu_kernel {
#define NUMBER(name) EKKA_GPU_##name,
	EKKA_GPU_KERNELS(NUMBER)
#undef NUMBER
	EKKA_GPU_N_KERNELS
};

struct ekka_matrix;

struct ekka_gpu_lane {
	bool busy, ready;
	CUstream stream;
	cublasHandle_t blas;
	CUdeviceptr memory;
	size_t bytes;
	/* What goes there and comes back by the way of pinned memory: gpu_tensors.c. */
	unsigned char *host;		/* pinned: room for small things, then the stages of large ones */
	CUdeviceptr arena;		/* as large as the room */
	size_t used;			/* of both */
	CUevent copied[EKKA_GPU_STAGES];	/* a stage may be written again */
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
	CUstream freeing;		/* what is freed in its order */
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

/*
 * `count` products [ni, nj] over nk k, one behind another at c, row-major. A factor is row-major, too, with rows of ld elements: ni (nj) rows of k, or k rows where
 * `by_k`; those of the next product lie `step` elements further on. `a` is not by_k.
 */
struct ekka_gpu_factor { CUdeviceptr at; int64_t ld, step; bool by_k; };
bool ekka_gpu_multiply_many(struct ekka_gpu *, struct ekka_gpu_lane *, int64_t ni, int64_t nj, int64_t nk, struct ekka_gpu_factor a, struct ekka_gpu_factor b,
			    CUdeviceptr c, int64_t count);

bool ekka_gpu_ok(struct ekka_gpu *, CUresult);	/* remembers what went wrong; true: nothing did */

/* ---- gpu_tensors.c: an event's tensors and what is found out about them, on a lane ---- */

/*
 * Where bytes that are held (replay/blobs.h) are on the device: copied there by the first who asks, kept as long as they are kept here. 0: no memory for them.
 */
CUdeviceptr ekka_gpu_resident(struct ekka_gpu *, struct ekka_gpu_lane *, const unsigned char *held);

/* A loaded array (replay/array.h) for device kernels. False: not to be had there, or its elements are not aligned to their size. */
bool ekka_gpu_array(struct ekka_gpu *, struct ekka_gpu_lane *, const struct ekka_array *, struct ekka_gpu_array *ret);

/* A small thing's copy on the device, until the lane is given back; 0: no room for it. */
CUdeviceptr ekka_gpu_put(struct ekka_gpu *, struct ekka_gpu_lane *, const void *, size_t bytes);

/*
 * One launch that compares an output, over n elements (rows: over EKKA_GPU_TEAM times their number). parts: where its teams tell what they found, zeroed; of
 * several outputs each has its own; 0: no room. look: the launch, on a grid that has that many teams at most. found: waits for the lane and adds the parts
 * together; false: the device failed. Only when none has bad elements may they be taken (ekka_elements_take): else the CPU has to look at all.
 */
enum { EKKA_GPU_THREADS = 256 };
CUdeviceptr ekka_gpu_parts(struct ekka_gpu *, struct ekka_gpu_lane *, int64_t n);
bool ekka_gpu_look(struct ekka_gpu *, struct ekka_gpu_lane *, enum ekka_gpu_kernel, int64_t n, void **params);
bool ekka_gpu_found(struct ekka_gpu *, struct ekka_gpu_lane *, CUdeviceptr parts, int64_t n, struct ekka_elements_part *ret);

void ekka_gpu_lane_release(struct ekka_gpu *, struct ekka_gpu_lane *);

/* gpu_attention.c */
bool ekka_gpu_attention_pays(const struct ekka_attention_work *);
bool ekka_gpu_attention(struct ekka_backend *, struct ekka_attention_work *);

/* gpu_rows.c */
bool ekka_gpu_rows_pays(const struct ekka_rows_work *);
bool ekka_gpu_rows(struct ekka_backend *, const struct ekka_rows_work *, struct ekka_elements_part *ret);

/* gpu_expr.c */
bool ekka_gpu_elementwise_pays(const struct ekka_expr_work *);
bool ekka_gpu_elementwise(struct ekka_backend *, const struct ekka_expr_work *, struct ekka_elements *);

/* gpu_attention_event.c: struct ekka_backend's */
extern int64_t ekka_gpu_attention_logits;	/* at most at once; less only in tests */
bool ekka_gpu_attention_event(struct ekka_backend *, const struct ekka_attention *, const struct ekka_attention_outputs *, struct ekka_attention_found *ret);

/* gpu_gemm.c */
bool ekka_gpu_aligned(const struct ekka_matrix *);	/* are its elements where the device can read them: at multiples of their size */
bool ekka_gpu_gemm_pays(const struct ekka_gemm *);	/* is it large enough to be done sooner than on the CPU */
struct ekka_backend_gemm *ekka_gpu_gemm_begin(struct ekka_backend *, const struct ekka_gemm *);
void ekka_gpu_gemm_end(struct ekka_backend_gemm *);

/* gpu_product.c: struct ekka_backend's */
bool ekka_gpu_product(struct ekka_backend *, const struct ekka_gemm *, struct ekka_elements_part *ret);

#endif
