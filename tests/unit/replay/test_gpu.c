/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The GPU backend against the CPU, twice: on a stand-in that runs our kernels on the host, with a few threads one after another and CBLAS for cuBLAS, and
 * on the machine's own GPU if there is one.
 */
#include <cblas.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/convert.h"
#include "replay/gpu.h"
#include "tests/unit/replay/problem.h"

/* ---- kernels, for the host -------------------------------------------- */

struct dim { unsigned x; };
static __thread struct dim blockIdx, blockDim, threadIdx, gridDim;
#undef __global__
#undef __device__
#define __global__ static
#define __device__
#define atomicMax(p, v) (*(p) = *(p) > (v) ? *(p) : (v))
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-align"
#include "replay/gpu_kernels.cu"
#pragma GCC diagnostic pop

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
static void run_twofold(void **p)
{
	ekka_gpu_twofold(P(double *, 0), P(double *, 1), P(double *, 2), P(double *, 3), P(double, 4), P(i64, 5), P(i64, 6), P(i64, 7), P(i64, 8));
}

static const struct { const char *name; void (*run)(void **); } kernels[] = {
	{ "ekka_gpu_convert", run_convert }, { "ekka_gpu_extremes", run_extremes }, { "ekka_gpu_add", run_add }, { "ekka_gpu_twofold", run_twofold },
};

/* ---- the stand-in: everything happens at once ------------------------- */

static int n_launches, fail_after = -1;	/* CUDA fails from that launch on */
static CUresult init(unsigned flags) { (void)flags; return CUDA_SUCCESS; }
static CUresult get(CUdevice *d, int n) { *d = n; return CUDA_SUCCESS; }
static CUresult name_of(char *s, int n, CUdevice d) { (void)d; (void)snprintf(s, (size_t)n, "stand-in"); return CUDA_SUCCESS; }
static CUresult retain(CUcontext *c, CUdevice d) { (void)d; *c = (CUcontext)&n_launches; return CUDA_SUCCESS; }
static CUresult release(CUdevice d) { (void)d; return CUDA_SUCCESS; }
static CUresult push(CUcontext c) { (void)c; return CUDA_SUCCESS; }
static CUresult pop(CUcontext *c) { *c = NULL; return CUDA_SUCCESS; }
static CUresult load_module(CUmodule *m, const void *image) { *m = (CUmodule)(uintptr_t)image; return CUDA_SUCCESS; }
static CUresult unload(CUmodule m) { (void)m; return CUDA_SUCCESS; }
static CUresult memory(size_t *room, size_t *total) { *room = *total = (size_t)1 << 40; return CUDA_SUCCESS; }
static CUresult allocate(CUdeviceptr *p, size_t n)
{
	*p = (CUdeviceptr)(uintptr_t)aligned_alloc(256, (n + 255) / 256 * 256);
	memset((void *)(uintptr_t)*p, 0xff, n);	/* NaN: what is not set shows */
	return CUDA_SUCCESS;
}
static CUresult release_memory(CUdeviceptr p) { free((void *)(uintptr_t)p); return CUDA_SUCCESS; }
static CUresult in(CUdeviceptr to, const void *from, size_t n, CUstream s) { (void)s; memcpy((void *)(uintptr_t)to, from, n); return CUDA_SUCCESS; }
static CUresult out(void *to, CUdeviceptr from, size_t n, CUstream s) { (void)s; memcpy(to, (void *)(uintptr_t)from, n); return CUDA_SUCCESS; }
static CUresult set(CUdeviceptr to, unsigned char v, size_t n, CUstream s) { (void)s; memset((void *)(uintptr_t)to, v, n); return CUDA_SUCCESS; }
static CUresult create(CUstream *s, unsigned flags) { (void)flags; *s = (CUstream)&n_launches; return CUDA_SUCCESS; }
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
	if (fail_after >= 0 && n_launches >= fail_after)
		return CUDA_ERROR_LAUNCH_FAILED;
	n_launches++;
	gridDim.x = 2;
	blockDim.x = 3;
	for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++)
		for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++)
			((void (**)(void **))(uintptr_t)f)[1](params);
	return CUDA_SUCCESS;
}
static cublasStatus_t blas_create(cublasHandle_t *h) { *h = (cublasHandle_t)&n_launches; return CUBLAS_STATUS_SUCCESS; }
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
static cublasStatus_t sgemm(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k, const float *alpha, const float *a, int lda,
			    const float *b, int ldb, const float *beta, float *c, int ldc)
{
	(void)h;
	cblas_sgemm(CblasColMajor, op(ta), op(tb), m, n, k, *alpha, a, lda, b, ldb, *beta, c, ldc);
	return CUBLAS_STATUS_SUCCESS;
}

static const struct ekka_gpu_library stand_in = {
	init, get, name_of, retain, release, push, pop, load_module, unload, function_of, memory, allocate, release_memory, in, out, set, create,
	with_stream, with_stream, launch, blas_create, blas_destroy, blas_stream, sgemm, dgemm,
};

/* The machine's own, or the stand-in; NULL: no GPU here. */
static struct ekka_backend *open_one(bool own)
{
	struct ekka_error err = { 0 };
	struct ekka_backend *b = own ? ekka_gpu_open(EKKA_GPU_ALWAYS, &err) : ekka_gpu_open_with(&stand_in, &stand_in, EKKA_GPU_ALWAYS, &err);

	cr_assert(b || own, "%s", err.message);
	return b;
}

/* ---- products --------------------------------------------------------- */

/* The reference's own rounding may show in a margin: 4 K 2^-53 S of a bound that is K 2^-24 S and more; a twofold one has none that shows. */
static bool near(double a, double b, bool tight)
{
	return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-12 * (fabs(a) + fabs(b)) + (tight ? 0 : 0x1p-26);
}

static void compare(struct problem *p, struct ekka_backend *b, const char *what, uint64_t seed)
{
	struct ekka_verdict cpu = problem_judge(p, true), gpu = problem_judge_with(p, &(struct ekka_gemm_options){ .exact = true, .backend = b });

	cr_assert_eq(cpu.status, gpu.status, "%s %llu: %s on the CPU, %s on the GPU: margins %g and %g", what, (unsigned long long)seed,
		     ekka_status_name(cpu.status), ekka_status_name(gpu.status), cpu.margin, gpu.margin);
	cr_expect(near(cpu.margin, gpu.margin, p->g.model.twofold), "%s %llu %s: margins %.17g and %.17g", what, (unsigned long long)seed, ekka_dtype_name(p->ta), cpu.margin,
		  gpu.margin);
	cr_expect(near(cpu.max_bound, gpu.max_bound, true), "%s %llu: bounds %.17g and %.17g", what, (unsigned long long)seed, cpu.max_bound, gpu.max_bound);
	cr_expect_eq(cpu.n_bad, gpu.n_bad);
	cr_expect_str_eq(cpu.looks_like, gpu.looks_like);
}

static void both(bool own, void (*check)(struct ekka_backend *))
{
	struct ekka_backend *b = open_one(own);

	if (!b)
		cr_skip_test("no GPU");
	check(b);
	b->close(b);
}

static const struct { enum ekka_dtype a, c; } types[] = {
	{ EKKA_F32, EKKA_F32 }, { EKKA_F64, EKKA_F64 }, { EKKA_C64, EKKA_C64 }, { EKKA_C128, EKKA_C128 },
	{ EKKA_BF16, EKKA_F32 }, { EKKA_F16, EKKA_F32 }, { EKKA_I8, EKKA_I32 }, { EKKA_BF16, EKKA_BF16 },
};
enum { TYPES = sizeof types / sizeof types[0] };

static void host_products(struct ekka_backend *b)
{
	static const int64_t some_k[] = { 1, 5, 64, 127, 128, 129, 300, 1000, 2500 };

	for (uint64_t seed = 1; seed <= 220; seed++) {
		struct problem p;

		problem_init(&p, types[seed % TYPES].a, types[seed % TYPES].c, 1 + (int64_t)(seed % 23), 1 + (int64_t)(seed % 19), some_k[seed % 9],
			     1 + (int64_t)(seed % 3), (enum values)(seed / TYPES % VALUES_COUNT), seed);
		if (types[seed % TYPES].c == EKKA_BF16 || seed % 5 == 0)
			problem_bound(&p, &(struct ekka_bound_facts){ .compute = types[seed % TYPES].a == EKKA_I8 ? 72 : 68, .math = 0, .on_device = true, .cc_major = 9 });
		if (seed % 3 == 0 && p.ta != EKKA_I8) {
			p.alpha[0] = -0.37;
			p.beta[0] = 1.25;
		}
		p.g.a.conj = seed % 2 && ekka_dtype_is_complex(p.ta);
		p.g.b.conj = seed % 3 == 1 && ekka_dtype_is_complex(p.ta);
		problem_compute(&p, SEQUENTIAL);
		if (seed % 4 == 0) {
			double c[2];

			problem_get(&p, OPERAND_C, 0, 0, 0, c);
			problem_set(&p, OPERAND_C, 0, 0, 0, c[0] + 1, c[1]);
		}
		if (seed % 11 == 0 && p.ta != EKKA_I8)
			problem_set(&p, OPERAND_A, 0, 0, 0, seed % 2 ? NAN : INFINITY, 0);
		compare(&p, b, "product", seed);
		problem_release(&p);
	}
}

Test(gpu, products_are_judged_alike_on_the_stand_in) { both(false, host_products); }
Test(gpu, products_are_judged_alike_on_the_gpu) { both(true, host_products); }

static void large_product(struct ekka_backend *b)
{
	struct problem p;

	problem_init(&p, EKKA_F32, EKKA_F32, 700, 530, 300, 1, GAUSSIAN, 5);	/* several blocks of 512 x 512 */
	problem_compute(&p, SEQUENTIAL);
	compare(&p, b, "large", 5);
	for (int64_t i = 600; i < 700; i++)
		problem_set(&p, OPERAND_C, 0, i, 529, 7, 0);
	compare(&p, b, "large, wrong", 5);
	problem_release(&p);
}

Test(gpu, several_blocks_are_judged_alike_on_the_stand_in) { both(false, large_product); }
Test(gpu, several_blocks_are_judged_alike_on_the_gpu) { both(true, large_product); }

/* Whatever fails on the device is done by the CPU. */
Test(gpu, a_device_that_fails_in_between_changes_nothing)
{
	for (int after = 0; after < 40; after += 3) {
		struct ekka_backend *b;
		struct problem p;

		n_launches = 0;
		fail_after = after;
		b = open_one(false);
		problem_init(&p, EKKA_BF16, EKKA_F32, 70, 50, 300, 3, GAUSSIAN, 9);
		problem_compute(&p, SEQUENTIAL);
		compare(&p, b, "failing", (uint64_t)after);
		cr_expect(n_launches <= after);
		problem_release(&p);
		b->close(b);
		fail_after = -1;
	}
}

/* Every bit pattern of the small types, and of the others what matters. */
Test(gpu, kernels_convert_as_the_cpu_does)
{
	static const enum ekka_dtype small[] = { EKKA_E4M3, EKKA_E5M2, EKKA_F16, EKKA_BF16, EKKA_I8, EKKA_U8, EKKA_I16, EKKA_U16, EKKA_CI8 };
	uint16_t all[1 << 16];
	double *want = malloc(3 * sizeof all * 4), *got = want + (1 << 16), *im = got + (1 << 16);

	for (unsigned i = 0; i < 1 << 16; i++)
		all[i] = (uint16_t)i;
	gridDim.x = blockDim.x = 1;
	blockIdx.x = threadIdx.x = 0;
	for (size_t t = 0; t < sizeof small / sizeof small[0]; t++) {
		ekka_convert(small[t], all, 1, 1 << 16 >> (ekka_dtype_bytes(small[t]) < 2 ? 1 : 0), want, im);
		ekka_gpu_convert(got, NULL, all, (int)small[t], 0, 1, 1, 1, 1 << 15, 1 << 15);
		for (unsigned i = 0; i < 1 << 15; i++)
			cr_assert(want[i] == got[i] ? signbit(want[i]) == signbit(got[i]) : isnan(want[i]) && isnan(got[i]), "%s %x: %g and %g",
				  ekka_dtype_name(small[t]), i, want[i], got[i]);
	}
	free(want);
}
