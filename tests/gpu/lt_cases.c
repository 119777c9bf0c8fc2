/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of cuBLASLt with every epilogue, type and scale that the library takes, and transformations of matrices (lt_transform.c), each checked by the program itself. Knows
 * nothing of ekkatrace. A combination for which the library has no algorithm on this device is said to be skipped.
 */
#include "config.h"

#include <string.h>

#include "tests/gpu/lt_problem.h"

enum { WORKSPACE = 32 << 20 };

static cublasLtHandle_t handle;
static cudaStream_t stream;
static void *workspace;

#define F32_ALL CUDA_R_32F, CUDA_R_32F, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, CUDA_R_32F
#define TF32_ALL CUDA_R_32F, CUDA_R_32F, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32, CUDA_R_32F
#define BF16_ALL CUDA_R_16BF, CUDA_R_16BF, CUDA_R_16BF, CUDA_R_16BF, CUBLAS_COMPUTE_32F, CUDA_R_32F
#define F16_ALL CUDA_R_16F, CUDA_R_16F, CUDA_R_16F, CUDA_R_16F, CUBLAS_COMPUTE_32F, CUDA_R_32F
#define FP8(a, b, c, d) a, b, c, d, CUBLAS_COMPUTE_32F, CUDA_R_32F
#define E4M3 CUDA_R_8F_E4M3
#define E5M2 CUDA_R_8F_E5M2
#define E2M1 (cudaDataType)NUMBER_E2M1
#define SMALL 96, 64, 160
#define GRADIENT 128, 64, 160
#define BLOCKS 144, 160, 384
#define FEW 144, 160, 416		/* no whole number of tiles of factors */
#define FEWER 144, 32, 256
#define PLAIN CUBLASLT_EPILOGUE_DEFAULT

static const struct test_case cases[] = {
	{ "f32", F32_ALL, SMALL, PLAIN, 1.5, -0.5, 1e-4, .batch = 1 },
	{ "f32-bias", F32_ALL, SMALL, CUBLASLT_EPILOGUE_BIAS, 1, 0, 1e-4, .batch = 1 },
	{ "f32-gelu-bias", F32_ALL, SMALL, CUBLASLT_EPILOGUE_GELU_BIAS, 1, 0, 2e-3, .batch = 1 },
	{ "f32-relu-bias", F32_ALL, SMALL, CUBLASLT_EPILOGUE_RELU_BIAS, 1, 0, 1e-4, .batch = 1 },
	{ "tf32-bias", TF32_ALL, SMALL, CUBLASLT_EPILOGUE_BIAS, 1, 0, 1e-2, .batch = 1 },
	{ "bf16", BF16_ALL, SMALL, PLAIN, 1, 0, 1e-2, .batch = 1 },
	{ "bf16-beta", BF16_ALL, SMALL, PLAIN, 1, 1, 1e-2, .batch = 1 },
	{ "bf16-in-place", BF16_ALL, SMALL, PLAIN, 1, 0.5, 1e-2, .in_place = 1 },
	{ "bf16-relu", BF16_ALL, SMALL, CUBLASLT_EPILOGUE_RELU, 1, 0, 1e-2, .batch = 1 },
	{ "bf16-bias", BF16_ALL, SMALL, CUBLASLT_EPILOGUE_BIAS, 1, 0, 1e-2, .batch = 1 },
	{ "bf16-bias-beta", BF16_ALL, SMALL, CUBLASLT_EPILOGUE_BIAS, 1, 1, 1e-2, .batch = 1 },
	{ "bf16-relu-bias", BF16_ALL, SMALL, CUBLASLT_EPILOGUE_RELU_BIAS, 1, 0, 1e-2, .batch = 1 },
	{ "bf16-gelu", BF16_ALL, SMALL, CUBLASLT_EPILOGUE_GELU, 1, 0, 1e-2, .batch = 1 },
	{ "bf16-gelu-bias", BF16_ALL, SMALL, CUBLASLT_EPILOGUE_GELU_BIAS, 1, 0, 1e-2, .batch = 1 },
	{ "bf16-relu-aux", BF16_ALL, 128, 64, 160, CUBLASLT_EPILOGUE_RELU_AUX, 1, 0, 1e-2, .batch = 1 },
	{ "bf16-relu-aux-bias", BF16_ALL, 128, 64, 160, CUBLASLT_EPILOGUE_RELU_AUX_BIAS, 1, 0, 1e-2, .batch = 1 },
	{ "bf16-gelu-aux", BF16_ALL, SMALL, CUBLASLT_EPILOGUE_GELU_AUX, 1, 0, 1e-2, .batch = 1 },
	{ "bf16-gelu-aux-bias", BF16_ALL, SMALL, CUBLASLT_EPILOGUE_GELU_AUX_BIAS, 1, 0, 1e-2, .batch = 1 },
	{ "f16-bias", F16_ALL, SMALL, CUBLASLT_EPILOGUE_BIAS, 1, 0, 2e-3, .batch = 1 },
	{ "f16-gelu-bias", F16_ALL, SMALL, CUBLASLT_EPILOGUE_GELU_BIAS, 1, 0, 4e-3, .batch = 1 },
	{ "bf16-f32", CUDA_R_16BF, CUDA_R_16BF, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, CUDA_R_32F, SMALL, PLAIN, 1, 1, 1e-4, .batch = 1 },
	{ "bf16-batch-bias", BF16_ALL, SMALL, CUBLASLT_EPILOGUE_BIAS, 1, 0, 1e-2, .batch = 3 },
	{ "bf16-row-major", BF16_ALL, SMALL, PLAIN, 1, 0, 1e-2, .row_major = 1 },
	{ "bf16-padded", BF16_ALL, SMALL, CUBLASLT_EPILOGUE_BIAS, 1, 0, 1e-2, .padding = 32 },
	{ "bf16-long", BF16_ALL, 128, 16, 8192, CUBLASLT_EPILOGUE_BIAS, 1, 0, 2e-2, .batch = 1 },
	{ "bf16-no-algo", BF16_ALL, SMALL, CUBLASLT_EPILOGUE_BIAS, 1, 0, 1e-2, .no_algo = 1 },
	{ "bf16-transposed", BF16_ALL, SMALL, PLAIN, 1, 0, 1e-2, .tb = 1 },
	{ "f32-device-scalars", F32_ALL, SMALL, PLAIN, 1.25, 0.5, 1e-4, .pointer_mode = CUBLASLT_POINTER_MODE_DEVICE },
	{ "f32-alpha-vector", F32_ALL, SMALL, PLAIN, 1.25, 0, 1e-4, .pointer_mode = CUBLASLT_POINTER_MODE_ALPHA_DEVICE_VECTOR_BETA_HOST },
	{ "i8-i32", CUDA_R_8I, CUDA_R_8I, CUDA_R_32I, CUDA_R_32I, CUBLAS_COMPUTE_32I, CUDA_R_32I, SMALL, PLAIN, 1, 0, 0, .batch = 1 },
	{ "i8-i8", CUDA_R_8I, CUDA_R_8I, CUDA_R_8I, CUDA_R_8I, CUBLAS_COMPUTE_32I, CUDA_R_32F, SMALL, PLAIN, 0.0625, 0, 1, .batch = 1 },
	{ "e4m3-bf16", FP8(E4M3, E4M3, CUDA_R_16BF, CUDA_R_16BF), SMALL, PLAIN, 1, 0, 2e-2, .scales = 1 },
	{ "e4m3-bf16-fast", FP8(E4M3, E4M3, CUDA_R_16BF, CUDA_R_16BF), 96, 64, 1024, PLAIN, 1, 0, 3e-2, .scales = 1, .fast = 1 },
	{ "e4m3-bf16-slow", FP8(E4M3, E4M3, CUDA_R_16BF, CUDA_R_16BF), 96, 64, 1024, PLAIN, 1, 0, 2e-2, .scales = 1 },
	{ "e4m3-bf16-bias", FP8(E4M3, E4M3, CUDA_R_16BF, CUDA_R_16BF), SMALL, CUBLASLT_EPILOGUE_BIAS, 1, 0, 2e-2, .scales = 1 },
	{ "e4m3-f16", FP8(E4M3, E4M3, CUDA_R_16F, CUDA_R_16F), SMALL, PLAIN, 1, 0, 1e-2, .scales = 1 },
	{ "e4m3-f32", FP8(E4M3, E4M3, CUDA_R_32F, CUDA_R_32F), SMALL, PLAIN, 1, 0, 1e-2, .scales = 1 },
	{ "e4m3-e5m2-bf16", FP8(E4M3, E5M2, CUDA_R_16BF, CUDA_R_16BF), SMALL, PLAIN, 1, 0, 2e-2, .scales = 1 },
	{ "e4m3-e4m3", FP8(E4M3, E4M3, CUDA_R_16BF, E4M3), SMALL, PLAIN, 1, 0, 8e-2, .scales = 1 },
	{ "e4m3-e4m3-gelu-bias", FP8(E4M3, E4M3, CUDA_R_16BF, E4M3), SMALL, CUBLASLT_EPILOGUE_GELU_BIAS, 1, 0, 8e-2, .scales = 1 },
	{ "e4m3-e4m3-gelu-aux-bias", FP8(E4M3, E4M3, CUDA_R_16BF, E4M3), SMALL, CUBLASLT_EPILOGUE_GELU_AUX_BIAS, 1, 0, 8e-2, .scales = 1 },
	{ "e4m3-bf16-outer", FP8(E4M3, E4M3, CUDA_R_16BF, CUDA_R_16BF), SMALL, PLAIN, 1, 0, 2e-2, .scales = 1, .mode_a = OUTER_VECTOR, .mode_b = OUTER_VECTOR },
	{ "e4m3-bf16-rows-blocks", FP8(E4M3, E4M3, CUDA_R_16BF, CUDA_R_16BF), BLOCKS, PLAIN, 1, 0, 2e-2, .scales = 1, .mode_a = VEC128, .mode_b = BLK128 },
	{ "e4m3-bf16-blocks-rows", FP8(E4M3, E4M3, CUDA_R_16BF, CUDA_R_16BF), BLOCKS, PLAIN, 1, 0, 2e-2, .scales = 1, .mode_a = BLK128, .mode_b = VEC128 },
	{ "e4m3-f32-rows-rows", FP8(E4M3, E4M3, CUDA_R_32F, CUDA_R_32F), BLOCKS, PLAIN, 1, 0, 1e-2, .scales = 1, .mode_a = VEC128, .mode_b = VEC128 },
	{ "mxfp8", FP8(E4M3, E4M3, CUDA_R_16BF, CUDA_R_16BF), FEW, PLAIN, 1, 0, 2e-2, .scales = 1, .mode_a = VEC32, .mode_b = VEC32 },
	{ "mxfp8-e5m2-f32", FP8(E4M3, E5M2, CUDA_R_32F, CUDA_R_32F), FEW, PLAIN, 1, 0, 1e-2, .scales = 1, .mode_a = VEC32, .mode_b = VEC32 },
	{ "nvfp4", FP8(E2M1, E2M1, CUDA_R_16BF, CUDA_R_16BF), FEW, PLAIN, 1, 0, 2e-2, .scales = 1, .mode_a = VEC16, .mode_b = VEC16 },
	{ "nvfp4-bias", FP8(E2M1, E2M1, CUDA_R_16F, CUDA_R_16F), FEW, CUBLASLT_EPILOGUE_BIAS, 0.5, 0, 1e-2, .scales = 1, .mode_a = VEC16, .mode_b = VEC16 },
	{ "mxfp8-mxfp8", FP8(E4M3, E4M3, CUDA_R_16BF, E4M3), FEW, PLAIN, 1, 0, 0.07, .scales = 1, .mode_a = VEC32, .mode_b = VEC32, .mode_out = VEC32 },
	{ "mxfp8-mxfp8-bias", FP8(E4M3, E4M3, CUDA_R_16BF, E4M3), FEWER, CUBLASLT_EPILOGUE_BIAS, 1, 0, 0.07, .scales = 1, .mode_a = VEC32, .mode_b = VEC32,
	  .mode_out = VEC32 },
	{ "nvfp4-nvfp4", FP8(E2M1, E2M1, CUDA_R_16BF, E2M1), FEWER, PLAIN, 1, 0, 0.2, .scales = 1, .mode_a = VEC16, .mode_b = VEC16, .mode_out = VEC16 },
	{ "mxfp8-batch", FP8(E4M3, E4M3, CUDA_R_16BF, CUDA_R_16BF), FEWER, PLAIN, 1, 0, 2e-2, .scales = 1, .mode_a = VEC32, .mode_b = VEC32, .batch = 3 },
	{ "mxfp8-mxfp8-batch", FP8(E4M3, E4M3, CUDA_R_16BF, E4M3), FEWER, PLAIN, 1, 0, 0.07, .scales = 1, .mode_a = VEC32, .mode_b = VEC32, .mode_out = VEC32,
	  .batch = 2 },
	{ "nvfp4-batch", FP8(E2M1, E2M1, CUDA_R_16BF, CUDA_R_16BF), FEWER, PLAIN, 1, 0, 2e-2, .scales = 1, .mode_a = VEC16, .mode_b = VEC16, .batch = 2 },
	{ "e4m3-bf16-rows-blocks-batch", FP8(E4M3, E4M3, CUDA_R_16BF, CUDA_R_16BF), FEWER, PLAIN, 1, 0, 2e-2, .scales = 1, .mode_a = VEC128, .mode_b = BLK128,
	  .batch = 2 },
	{ "bf16-drelu", BF16_ALL, GRADIENT, CUBLASLT_EPILOGUE_DRELU, 1, 0, 1e-2, .batch = 1 },
	{ "bf16-drelu-bgrad", BF16_ALL, GRADIENT, CUBLASLT_EPILOGUE_DRELU_BGRAD, 1, 0, 1e-2, .batch = 1 },
	{ "bf16-dgelu", BF16_ALL, GRADIENT, CUBLASLT_EPILOGUE_DGELU, 1, 0, 1e-2, .batch = 1 },
	{ "bf16-dgelu-bgrad", BF16_ALL, GRADIENT, CUBLASLT_EPILOGUE_DGELU_BGRAD, 1, 0, 1e-2, .batch = 1 },
	{ "f16-dgelu", F16_ALL, GRADIENT, CUBLASLT_EPILOGUE_DGELU, 1, 0, 4e-3, .batch = 1 },
	{ "f32-drelu-bgrad", F32_ALL, GRADIENT, CUBLASLT_EPILOGUE_DRELU_BGRAD, 1, 0, 1e-3, .batch = 1 },
	{ "bf16-bgrada", BF16_ALL, GRADIENT, CUBLASLT_EPILOGUE_BGRADA, 1, 0, 1e-2, .batch = 1 },
	{ "bf16-bgradb", BF16_ALL, GRADIENT, CUBLASLT_EPILOGUE_BGRADB, 1, 0, 1e-2, .batch = 1 },
	{ "bf16-bgradb-transposed", BF16_ALL, GRADIENT, CUBLASLT_EPILOGUE_BGRADB, 1, 0, 1e-2, .tb = 1 },
	{ "f16-bgrada", F16_ALL, GRADIENT, CUBLASLT_EPILOGUE_BGRADA, 1, 0, 4e-3, .batch = 1 },
	{ "f32-bgradb", F32_ALL, GRADIENT, CUBLASLT_EPILOGUE_BGRADB, 1, 0, 1e-3, .batch = 1 },
};

static cublasLtMatrixLayout_t layout(const struct problem *p, cudaDataType type, int rows, int cols, int ld, long long stride)
{
	int32_t order = CUBLASLT_ORDER_ROW, batch = p->batch;
	int64_t offset = stride;
	cublasLtMatrixLayout_t l;

	MUST(cublasLtMatrixLayoutCreate(&l, type, (uint64_t)rows, (uint64_t)cols, p->c->row_major ? cols : ld));
	if (p->c->row_major)
		MUST(cublasLtMatrixLayoutSetAttribute(l, CUBLASLT_MATRIX_LAYOUT_ORDER, &order, sizeof(order)));
	if (batch > 1) {
		MUST(cublasLtMatrixLayoutSetAttribute(l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof(batch)));
		MUST(cublasLtMatrixLayoutSetAttribute(l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &offset, sizeof(offset)));
	}
	return l;
}

#define SET(attr, value) MUST(cublasLtMatmulDescSetAttribute(p->desc, (cublasLtMatmulDescAttributes_t)(attr), &(value), sizeof(value)))

static void set_scales(struct problem *p)
{
	const struct test_case *c = p->c;
	int32_t mode_a = c->mode_a, mode_b = c->mode_b, mode_out = c->mode_out;
	int8_t fast = (int8_t)c->fast;

	if (c->fast)
		SET(CUBLASLT_MATMUL_DESC_FAST_ACCUM, fast);
	if (!c->scales)
		return;
	p->scale_a = lt_scales(mode_a, p->batch, c->m, c->k, 71);
	p->scale_b = lt_scales(mode_b, p->batch, c->n, c->k, 72);
	if (mode_a != 0)
		SET(SCALE_MODE_A, mode_a);
	if (mode_b != 0)
		SET(SCALE_MODE_B, mode_b);
	SET(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, p->scale_a.device);
	SET(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, p->scale_b.device);
	if (mode_out != 0) {
		p->scale_out = lt_scales(mode_out, p->batch, c->n, c->m, 79);
		SET(OUT_SCALE_MODE, mode_out);
		SET(OUT_SCALE, p->scale_out.device);
	}
	if (c->type_d == E2M1) {
		p->scale_d = make_scales(1, 73);
		SET(CUBLASLT_MATMUL_DESC_D_SCALE_POINTER, p->scale_d.device);
	}
	if (c->type_d != E4M3 || mode_out != 0)
		return;
	p->scale_d = make_scales(1, 73);
	p->amax = make(CUDA_R_32F, 1, 74);
	SET(CUBLASLT_MATMUL_DESC_D_SCALE_POINTER, p->scale_d.device);
	SET(CUBLASLT_MATMUL_DESC_AMAX_D_POINTER, p->amax.device);
	if (!(c->epilogue & AUX_BIT))
		return;
	p->scale_aux = make_scales(1, 81);
	p->amax_aux = make(CUDA_R_32F, 1, 80);
	SET(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_SCALE_POINTER, p->scale_aux.device);
	SET(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_AMAX_POINTER, p->amax_aux.device);
}

static void set_epilogue(struct problem *p)
{
	const struct test_case *c = p->c;
	int64_t stride = c->m, aux_stride;

	SET(CUBLASLT_MATMUL_DESC_EPILOGUE, c->epilogue);
	if (c->epilogue & (CUBLASLT_EPILOGUE_BIAS | ANY_BGRAD)) {
		int32_t type = c->type_d == E4M3 || c->type_d == E2M1 ? CUDA_R_16BF : c->type_d;

		p->bias = make((cudaDataType)type, (size_t)(c->epilogue & CUBLASLT_EPILOGUE_BGRADB ? c->n : c->m) * (size_t)p->batch, 75);
		SET(CUBLASLT_MATMUL_DESC_BIAS_POINTER, p->bias.device);
		SET(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type);
		if (p->batch > 1)
			SET(CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, stride);
	}
	if (!(c->epilogue & AUX_BIT))
		return;
	p->aux_ld = c->m;
	aux_stride = p->aux_ld * c->n;
	p->aux = c->epilogue & MASK_BITS ? make(CUDA_R_8I, (size_t)(aux_stride / 8), 76) : make(c->type_d, (size_t)aux_stride, 76);
	SET(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, p->aux.device);
	SET(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, p->aux_ld);
}

static void build(struct problem *p, const struct test_case *c)
{
	int32_t ta = c->row_major ? CUBLAS_OP_N : CUBLAS_OP_T, tb = c->tb ? CUBLAS_OP_T : CUBLAS_OP_N, mode = c->pointer_mode;

	*p = (struct problem){ .c = c, .batch = c->batch ? c->batch : 1, .ldd = c->m + c->padding };
	p->stride_a = (long long)c->m * c->k;
	p->stride_b = (long long)c->k * c->n;
	p->stride_d = (long long)p->ldd * c->n;
	p->a = make(c->type_a, (size_t)(p->stride_a * p->batch), 1);
	p->b = make(c->type_b, (size_t)(p->stride_b * p->batch), 2);
	p->c0 = make(c->type_c, (size_t)(p->stride_d * p->batch), 3);
	p->d = make(c->type_d, (size_t)(p->stride_d * p->batch), 4);
	MUST(cublasLtMatmulDescCreate(&p->desc, c->compute, c->scale));
	SET(CUBLASLT_MATMUL_DESC_TRANSA, ta);
	SET(CUBLASLT_MATMUL_DESC_TRANSB, tb);
	SET(CUBLASLT_MATMUL_DESC_POINTER_MODE, mode);
	set_epilogue(p);
	set_scales(p);
	p->la = layout(p, c->type_a, ta ? c->k : c->m, ta ? c->m : c->k, ta ? c->k : c->m, p->stride_a);
	p->lb = layout(p, c->type_b, tb ? c->n : c->k, tb ? c->k : c->n, tb ? c->n : c->k, p->stride_b);
	p->lc = layout(p, c->type_c, c->m, c->n, p->ldd, p->stride_d);
	p->ld = layout(p, c->type_d, c->m, c->n, p->ldd, p->stride_d);
}

static void release(struct problem *p)
{
	struct buffer *all[] = { &p->a, &p->b, &p->c0, &p->d, &p->bias, &p->aux, &p->scale_a, &p->scale_b, &p->scale_d, &p->scale_out, &p->scale_aux,
				 &p->amax, &p->amax_aux,
				 &p->alpha, &p->beta };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		drop(all[i]);
	MUST(cublasLtMatrixLayoutDestroy(p->la));
	MUST(cublasLtMatrixLayoutDestroy(p->lb));
	MUST(cublasLtMatrixLayoutDestroy(p->lc));
	MUST(cublasLtMatrixLayoutDestroy(p->ld));
	MUST(cublasLtMatmulDescDestroy(p->desc));
}

/* An algorithm; false when the library has none. */
static int choose(const struct problem *p, cublasLtMatmulHeuristicResult_t *ret)
{
	cublasLtMatmulPreference_t pref;
	size_t bytes = WORKSPACE;
	int n = 0;

	MUST(cublasLtMatmulPreferenceCreate(&pref));
	MUST(cublasLtMatmulPreferenceSetAttribute(pref, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof(bytes)));
	(void)cublasLtMatmulAlgoGetHeuristic(handle, p->desc, p->la, p->lb, p->lc, p->ld, pref, 1, ret, &n);
	MUST(cublasLtMatmulPreferenceDestroy(pref));
	return n > 0;
}

/* 0 right, 1 wrong, -1 no algorithm. */
static int run(const struct test_case *c)
{
	int32_t int_alpha = (int32_t)c->alpha, int_beta = (int32_t)c->beta;
	float alpha = (float)c->alpha, beta = (float)c->beta;
	const void *at_alpha = c->scale == CUDA_R_32I ? (const void *)&int_alpha : &alpha;
	const void *at_beta = c->scale == CUDA_R_32I ? (const void *)&int_beta : &beta;
	cublasLtMatmulHeuristicResult_t found;
	struct problem p;
	int wrong = -1;

	build(&p, c);
	if (c->pointer_mode != CUBLASLT_POINTER_MODE_HOST) {
		p.alpha = make(CUDA_R_32F, (size_t)c->m, 77);
		at_alpha = p.alpha.device;
	}
	if (c->pointer_mode == CUBLASLT_POINTER_MODE_DEVICE) {
		p.beta = make(CUDA_R_32F, 1, 78);
		MUST(cudaMemcpy(p.beta.device, &beta, sizeof(beta), cudaMemcpyHostToDevice));
		at_beta = p.beta.device;
	}
	if (choose(&p, &found)) {
		if (c->in_place)
			MUST(cudaMemcpy(p.d.device, p.c0.host, p.c0.bytes, cudaMemcpyHostToDevice));
		MUST(cublasLtMatmul(handle, p.desc, at_alpha, p.a.device, p.la, p.b.device, p.lb, at_beta,
				    c->in_place ? p.d.device : p.c0.device, p.lc, p.d.device, p.ld, c->no_algo ? NULL : &found.algo, workspace,
				    WORKSPACE, stream));
		/* What comes too late to matter: a snapshot out of order would see it. */
		MUST(cudaMemsetAsync(p.a.device, 0, p.a.bytes, stream));
		if (c->epilogue & CUBLASLT_EPILOGUE_BIAS)
			MUST(cudaMemsetAsync(p.bias.device, 0, p.bias.bytes, stream));
		MUST(cudaStreamSynchronize(stream));
		wrong = lt_check(&p);
	}
	release(&p);
	return wrong;
}

int main(int argc, char *argv[])
{
	int n_wrong = 0;

	MUST(cudaStreamCreate(&stream));
	MUST(cudaMalloc(&workspace, WORKSPACE));
	MUST(cublasLtCreate(&handle));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int wrong;

		if (argc > 1 && strcmp(argv[1], cases[i].name) != 0)
			continue;
		wrong = run(&cases[i]);
		printf("%s %s\n", wrong > 0 ? "WRONG" : wrong < 0 ? "skipped" : "ok", cases[i].name);
		fflush(stdout);
		n_wrong += wrong > 0;
	}
	n_wrong += lt_transforms(handle, stream, argc > 1 ? argv[1] : NULL);
	MUST(cublasLtDestroy(handle));
	return n_wrong != 0;
}

