/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/replay/gpu_stand_in.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

/* ---- kernels, for the host -------------------------------------------- */

struct dim { unsigned x; };
static __thread struct dim blockIdx, blockDim, threadIdx, gridDim;
#undef __global__
#undef __device__
#define __global__ static
#define __device__
#undef __forceinline__
#define __forceinline__ inline
#define EKKA_LANES 4
/* A value of another lane of this team; each lane of it comes by here, as on a device. */
#define EKKA_OF_LANE(v, lane)                                \
	({                                                   \
		__typeof__((v) + 0) v_ = (v), r_;            \
		exchange(&v_, sizeof v_, (int)(lane), &r_);  \
		r_;                                          \
	})
#define EKKA_FROM(v, distance) EKKA_OF_LANE(v, threadIdx.x % EKKA_LANES + (unsigned)(distance))
static void exchange(const void *mine, size_t n, int from, void *ret);
#define atomicMax(p, v) (*(p) = *(p) > (v) ? *(p) : (v))
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-align"
#include "replay/gpu_kernels.cu"
#pragma GCC diagnostic pop

/*
 * A team's lanes take turns on one thread: each runs until it wants a value of another one, lays down its own, and goes on when all have. A lane that ends before
 * the others do, or comes by another way, is a mistake that a device would not show.
 */
enum { STACK = 256 << 10 };
struct team {
	ucontext_t caller, lane[EKKA_LANES];
	bool done[EKKA_LANES];
	unsigned count[EKKA_LANES];		/* of exchanges */
	unsigned char slot[2][EKKA_LANES][sizeof(double)];
	unsigned first;			/* lane 0's threadIdx */
	void (*run)(void **);
	void **params;
};
static __thread struct team *team;

static void exchange(const void *mine, size_t n, int from, void *ret)
{
	unsigned me = threadIdx.x % EKKA_LANES, next = (me + 1) % EKKA_LANES, turn = team->count[me]++ % 2;

	memcpy(team->slot[turn][me], mine, n);
	if (team->done[next])
		abort();
	(void)swapcontext(&team->lane[me], &team->lane[next]);
	threadIdx.x = team->first + me;
	from = from < EKKA_LANES ? from : (int)me;
	if (team->count[from] != team->count[me] && team->count[from] != team->count[me] + 1)
		abort();
	memcpy(ret, team->slot[turn][from], n);
}

static void run_lane(int me)
{
	threadIdx.x = team->first + (unsigned)me;
	team->run(team->params);
	team->done[me] = true;
	if (me + 1 < EKKA_LANES)
		(void)setcontext(&team->lane[me + 1]);
}

static void make_lane(struct team *t, int i, unsigned char *stack)
{
	(void)getcontext(&t->lane[i]);
	t->lane[i].uc_stack.ss_sp = stack;
	t->lane[i].uc_stack.ss_size = STACK;
	t->lane[i].uc_link = &t->caller;
	makecontext(&t->lane[i], (void (*)(void))run_lane, 1, i);
}

static void run_team(void (*run)(void **), void **params, unsigned first)
{
	unsigned char *stacks = malloc(EKKA_LANES * STACK);
	struct team t = { .run = run, .params = params, .first = first };

	team = &t;
	for (int i = 0; i < EKKA_LANES; i++)
		make_lane(&t, i, stacks + i * STACK);
	(void)swapcontext(&t.caller, &t.lane[0]);
	free(stacks);
}

#define P(type, i) (*(type *)p[i])
static void run_convert(void **p)
{
	ekka_gpu_convert(P(double *, 0), P(double *, 1), P(void *, 2), P(int, 3), P(i64, 4), P(i64, 5), P(i64, 6), P(i64, 7), P(i64, 8), P(i64, 9));
}
static void run_extremes(void **p)
{
	ekka_gpu_extremes(P(double *, 0), P(double *, 1), P(double *, 2), P(double *, 3), P(double *, 4), P(i64, 5), P(i64, 6), P(i64, 7), P(i64, 8),
			  P(i64, 9));
}
static void run_add(void **p)
{
	ekka_gpu_add(P(i64, 0), P(double *, 1), P(double *, 2), P(double *, 3), P(double *, 4), P(double *, 5), P(double *, 6), P(double *, 7),
		     P(double *, 8), P(double *, 9));
}
static void run_soften(void **p)
{
	ekka_gpu_soften(P(struct ekka_gpu_softmax, 0), P(i64, 1), P(i64, 2), P(i64, 3), P(i64, 4), P(double *, 5), P(double *, 6), P(double *, 7), P(double *, 8),
			P(double *, 9), P(double *, 10), P(double *, 11), P(double *, 12), P(double *, 13), P(double *, 14), P(double *, 15), P(i64 *, 16),
			P(i64 *, 17));
}
static void run_magnitudes(void **p)
{
	ekka_gpu_magnitudes(P(i64, 0), P(double *, 1), P(double *, 2));
}
static void run_twofold(void **p)
{
	ekka_gpu_twofold(P(double *, 0), P(double *, 1), P(double *, 2), P(double *, 3), P(double, 4), P(i64, 5), P(i64, 6), P(i64, 7), P(i64, 8));
}

static void run_product(void **p)
{
	ekka_gpu_product(P(struct ekka_gpu_product *, 0), P(struct ekka_gpu_part *, 1), P(double *, 2), P(double *, 3), P(double *, 4), P(double *, 5), P(double *, 6),
			 P(i64, 7), P(i64, 8), P(i64, 9), P(i64, 10), P(i64, 11), P(i64, 12));
}
static void run_thin(void **p)
{
	ekka_gpu_thin(P(struct ekka_gpu_product *, 0), P(struct ekka_gpu_part *, 1), P(double *, 2), P(double *, 3), P(double *, 4), P(i64, 5), P(i64, 6), P(int, 7));
}

static void run_norm(void **p) { ekka_gpu_norm(P(struct ekka_norm_job *, 0)); }
static void run_cat(void **p) { ekka_gpu_cat(P(struct ekka_cat_job *, 0)); }
static void run_reduce(void **p) { ekka_gpu_reduce(P(struct ekka_reduce_job *, 0)); }
static void run_reduce_pieces(void **p) { ekka_gpu_reduce_pieces(P(struct ekka_reduce_job *, 0)); }
static void run_reduce_ints(void **p) { ekka_gpu_reduce_ints(P(struct ekka_reduce_job *, 0)); }
static void run_reduce_ints_pieces(void **p) { ekka_gpu_reduce_ints_pieces(P(struct ekka_reduce_job *, 0)); }

static void run_expr(void **p)
{
	ekka_gpu_expr(P(struct ekka_gpu_expr_job *, 0), P(i64, 1), P(struct ekka_gpu_part *, 2));
}

static void run_softmax_rows(void **p) { ekka_gpu_softmax_rows(P(struct ekka_softmax_job *, 0)); }
static void run_lines(void **p)
{
	ekka_gpu_lines(P(struct ekka_gpu_lines *, 0), P(double *, 1), P(double *, 2), P(double *, 3), P(i64, 4), P(i64, 5), P(i64, 6), P(i64, 7));
}
static void run_columns(void **p)
{
	ekka_gpu_columns(P(double *, 0), P(double *, 1), P(i64, 2), P(i64, 3), P(i64, 4));
}
static void run_weigh(void **p)
{
	ekka_gpu_weigh(P(struct ekka_gpu_attention *, 0), P(struct ekka_gpu_softmax, 1), P(struct ekka_gpu_row_sums, 2), P(i64, 3), P(i64, 4), P(double *, 5), P(double *, 6));
}
static void run_attended(void **p)
{
	ekka_gpu_attended(P(struct ekka_gpu_attention *, 0), P(struct ekka_gpu_row_sums, 1), P(i64, 2), P(i64, 3), P(double *, 4), P(double *, 5), P(double *, 6), P(double *, 7),
			  P(struct ekka_gpu_part *, 8), P(struct ekka_gpu_part *, 9), P(struct ekka_gpu_part *, 10), P(struct ekka_gpu_part *, 11));
}

static void run_quantize_extremes(void **p) { ekka_gpu_quantize_extremes(P(struct ekka_quantize_job *, 0)); }
static void run_quantize_scales(void **p) { ekka_gpu_quantize_scales(P(struct ekka_quantize_job *, 0)); }
static void run_quantize(void **p) { ekka_gpu_quantize(P(struct ekka_quantize_job *, 0)); }

static void run_rope(void **p) { ekka_gpu_rope(P(struct ekka_rope_job *, 0)); }

#define ROWS(name) { "ekka_gpu_" #name, run_##name },
static const struct { const char *name; void (*run)(void **); } kernels[] = {
	EKKA_ROWS_KERNELS(ROWS)
	{ "ekka_gpu_convert", run_convert }, { "ekka_gpu_extremes", run_extremes }, { "ekka_gpu_add", run_add }, { "ekka_gpu_twofold", run_twofold },
	{ "ekka_gpu_product", run_product }, { "ekka_gpu_thin", run_thin },
	{ "ekka_gpu_soften", run_soften }, { "ekka_gpu_magnitudes", run_magnitudes }, { "ekka_gpu_expr", run_expr },
	{ "ekka_gpu_lines", run_lines }, { "ekka_gpu_columns", run_columns }, { "ekka_gpu_weigh", run_weigh }, { "ekka_gpu_attended", run_attended },
};

/* ---- the stand-in: everything happens at once ------------------------- */

int gpu_launches, gpu_fail_after = -1;
bool gpu_memory_lacks;
static CUresult init(unsigned flags) { (void)flags; return CUDA_SUCCESS; }
static CUresult get(CUdevice *d, int n) { *d = n; return CUDA_SUCCESS; }
static CUresult name_of(char *s, int n, CUdevice d) { (void)d; (void)snprintf(s, (size_t)n, "stand-in"); return CUDA_SUCCESS; }
static CUresult retain(CUcontext *c, CUdevice d) { (void)d; *c = (CUcontext)&gpu_launches; return CUDA_SUCCESS; }
static CUresult release(CUdevice d) { (void)d; return CUDA_SUCCESS; }
static CUresult push(CUcontext c) { (void)c; return CUDA_SUCCESS; }
static CUresult pop(CUcontext *c) { *c = NULL; return CUDA_SUCCESS; }
static CUresult load_module(CUmodule *m, const void *image) { *m = (CUmodule)(uintptr_t)image; return CUDA_SUCCESS; }
static CUresult unload(CUmodule m) { (void)m; return CUDA_SUCCESS; }
static CUresult memory(size_t *room, size_t *total) { *room = *total = (size_t)1 << 40; return CUDA_SUCCESS; }
static CUresult allocate(CUdeviceptr *p, size_t n)
{
	if (gpu_memory_lacks)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*p = (CUdeviceptr)(uintptr_t)aligned_alloc(256, (n + 255) / 256 * 256);
	memset((void *)(uintptr_t)*p, 0xff, n);	/* NaN: what is not set shows */
	return CUDA_SUCCESS;
}
static CUresult release_memory(CUdeviceptr p) { free((void *)(uintptr_t)p); return CUDA_SUCCESS; }
static CUresult in(CUdeviceptr to, const void *from, size_t n, CUstream s) { (void)s; memcpy((void *)(uintptr_t)to, from, n); return CUDA_SUCCESS; }
static CUresult out(void *to, CUdeviceptr from, size_t n, CUstream s) { (void)s; memcpy(to, (void *)(uintptr_t)from, n); return CUDA_SUCCESS; }
static CUresult set(CUdeviceptr to, unsigned char v, size_t n, CUstream s) { (void)s; memset((void *)(uintptr_t)to, v, n); return CUDA_SUCCESS; }
static CUresult create(CUstream *s, unsigned flags) { (void)flags; *s = (CUstream)&gpu_launches; return CUDA_SUCCESS; }
static CUresult with_stream(CUstream s) { (void)s; return CUDA_SUCCESS; }
static CUresult function_of(CUfunction *f, CUmodule m, const char *name)
{
	(void)m;
	for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++)
		if (!strcmp(kernels[i].name, name)) {
			*f = (CUfunction)(uintptr_t)&kernels[i];
			return CUDA_SUCCESS;
		}
	return CUDA_ERROR_NOT_FOUND;
}
static CUresult launch(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, CUstream s,
		       void **params, void **extra)
{
	(void)gx, (void)gy, (void)gz, (void)bx, (void)by, (void)bz, (void)shared, (void)s, (void)extra;
	if (gpu_fail_after >= 0 && gpu_launches >= gpu_fail_after)
		return CUDA_ERROR_LAUNCH_FAILED;
	gpu_launches++;
	gridDim.x = 2;
	blockDim.x = 3 * EKKA_LANES;
	for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++)
		for (unsigned first = 0; first < blockDim.x; first += EKKA_LANES)
			run_team(((void (**)(void **))(uintptr_t)f)[1], params, first);
	return CUDA_SUCCESS;
}
static CUresult allocate_async(CUdeviceptr *p, size_t n, CUstream s) { (void)s; return allocate(p, n); }
static CUresult release_async(CUdeviceptr p, CUstream s) { (void)s; return release_memory(p); }
static CUresult pool_of(CUmemoryPool *p, CUdevice d) { (void)d; *p = NULL; return CUDA_SUCCESS; }
static CUresult set_pool(CUmemoryPool p, CUmemPool_attribute a, void *v) { (void)p, (void)a, (void)v; return CUDA_SUCCESS; }
static CUresult allocate_host(void **p, size_t n, unsigned flags) { (void)flags; *p = malloc(n); return CUDA_SUCCESS; }
static CUresult release_host(void *p) { free(p); return CUDA_SUCCESS; }
static CUresult create_event(CUevent *e, unsigned flags) { (void)flags; *e = (CUevent)&gpu_launches; return CUDA_SUCCESS; }
static CUresult with_event(CUevent e) { (void)e; return CUDA_SUCCESS; }
static CUresult record(CUevent e, CUstream s) { (void)e, (void)s; return CUDA_SUCCESS; }
static cublasStatus_t blas_create(cublasHandle_t *h) { *h = (cublasHandle_t)&gpu_launches; return CUBLAS_STATUS_SUCCESS; }
static cublasStatus_t blas_destroy(cublasHandle_t h) { (void)h; return CUBLAS_STATUS_SUCCESS; }
static cublasStatus_t blas_stream(cublasHandle_t h, CUstream s) { (void)h; (void)s; return CUBLAS_STATUS_SUCCESS; }
static CBLAS_TRANSPOSE op(cublasOperation_t t) { return t == CUBLAS_OP_N ? CblasNoTrans : CblasTrans; }
static cublasStatus_t dgemm(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k, const double *alpha, const double *a, int lda,
			    const double *b, int ldb, const double *beta, double *c, int ldc)
{
	(void)h;
	for (int j = 0; *beta == 0 && j < n; j++)	/* as BLAS has it: c is not read */
		memset(c + (size_t)j * (size_t)ldc, 0, (size_t)m * sizeof *c);
	cblas_dgemm(CblasColMajor, op(ta), op(tb), m, n, k, *alpha, a, lda, b, ldb, *beta, c, ldc);
	return CUBLAS_STATUS_SUCCESS;
}
static cublasStatus_t dgemm_batched(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k, const double *alpha, const double *a, int lda,
				    long long step_a, const double *b, int ldb, long long step_b, const double *beta, double *c, int ldc, long long step_c, int count)
{
	for (int i = 0; i < count; i++)
		(void)dgemm(h, ta, tb, m, n, k, alpha, a + i * step_a, lda, b + i * step_b, ldb, beta, c + i * step_c, ldc);
	return CUBLAS_STATUS_SUCCESS;
}
static cublasStatus_t sgemm(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k, const float *alpha, const float *a, int lda,
			    const float *b, int ldb, const float *beta, float *c, int ldc)
{
	(void)h;
	cblas_sgemm(CblasColMajor, op(ta), op(tb), m, n, k, *alpha, a, lda, b, ldb, *beta, c, ldc);
	return CUBLAS_STATUS_SUCCESS;
}

const struct ekka_gpu_library gpu_stand_in = {
	init, get, name_of, retain, release, push, pop, load_module, unload, function_of, memory, allocate, release_memory, in, out, set, create,
	with_stream, with_stream, launch, allocate_async, release_async, pool_of, set_pool, allocate_host, release_host,
	create_event, with_event, record, with_event, blas_create, blas_destroy, blas_stream, sgemm, dgemm, dgemm_batched,
};


void gpu_stand_in_convert(double *re, const void *src, int dtype, int64_t n)
{
	gridDim.x = blockDim.x = 1;
	blockIdx.x = threadIdx.x = 0;
	ekka_gpu_convert(re, NULL, src, dtype, 0, 1, 1, 1, n, n);
}
