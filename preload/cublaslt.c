/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wrapper of cublasLtMatmul: D = epilogue(alpha op(A) op(B) + beta C), described out of its descriptors.
 * Zone: inside the host process (preload/capture.h has its rules).
 *
 * Tensors, all in mathematical orientation: A [m, k], B [k, n], D [m, n], C [m, n]; bias [m, 1]; aux [m, n], for a ReLU mask the
 * bytes [n, m / 8]; scaleA, scaleB, scaleC, scaleD, scaleAux and amax, amaxAux one number each, or scales of blocks; scaleDOut
 * the scales that the library computes for D's blocks; alpha and beta where they are on the device, [m, 1] as vectors. What they
 * mean together says spec/README.md, "What op matmul may rely on".
 */
#include "config.h"

#include "preload/cublaslt_desc.h"
#include "preload/cuda_cublas.h"
#include "spec/cublas_types.h"
#include "spec/gen/ids.h"
#include "spec/wrap.h"

/* The parameters as passed, what the descriptors say, and the product's shape. */
struct matmul {
	cublasLtMatmulDesc_t computeDesc;
	const void *alpha, *A, *B, *beta, *C;
	void *D;
	cublasLtMatrixLayout_t Adesc, Bdesc, Cdesc, Ddesc;
	const cublasLtMatmulAlgo_t *algo;
	const void *workspace;
	size_t workspace_bytes;
	struct ekka_lt_desc desc;
	struct ekka_lt_layout a, b, c, d;
	int64_t m, n, k;
	enum ekka_dtype scale;
	bool alpha_is_zero, beta_is_zero;
};

enum { POINTER_MODE_VECTOR = 2, POINTER_MODE_ALPHA_VECTOR = 3, POINTER_MODE_ALPHA_VECTOR_BETA_HOST = 4 };
enum { SCALE_SCALAR = 0, SCALE_VEC16 = 1, SCALE_VEC32 = 2, SCALE_OUTER_VECTOR = 3, SCALE_VEC128 = 4, SCALE_BLK128 = 5 };
enum { TYPE_E2M1 = 33 };	/* CUDA_R_4F_E2M1, which older headers lack */
enum { EPILOGUE_RELU_BIT = 2, EPILOGUE_BIAS_BIT = 4, EPILOGUE_BGRAD_BIT = 16, EPILOGUE_GELU_BIT = 32, EPILOGUE_AUX_BIT = 128 };

static const char *epilogue_name(uint32_t e)
{
	switch (e) {
	case CUBLASLT_EPILOGUE_DEFAULT: return "default";
	case CUBLASLT_EPILOGUE_RELU: return "relu";
	case CUBLASLT_EPILOGUE_RELU_AUX: return "relu_aux";
	case CUBLASLT_EPILOGUE_BIAS: return "bias";
	case CUBLASLT_EPILOGUE_RELU_BIAS: return "relu_bias";
	case CUBLASLT_EPILOGUE_RELU_AUX_BIAS: return "relu_aux_bias";
	case CUBLASLT_EPILOGUE_DRELU: return "drelu";
	case CUBLASLT_EPILOGUE_DRELU_BGRAD: return "drelu_bgrad";
	case CUBLASLT_EPILOGUE_GELU: return "gelu";
	case CUBLASLT_EPILOGUE_GELU_AUX: return "gelu_aux";
	case CUBLASLT_EPILOGUE_GELU_BIAS: return "gelu_bias";
	case CUBLASLT_EPILOGUE_GELU_AUX_BIAS: return "gelu_aux_bias";
	case CUBLASLT_EPILOGUE_DGELU: return "dgelu";
	case CUBLASLT_EPILOGUE_DGELU_BGRAD: return "dgelu_bgrad";
	case CUBLASLT_EPILOGUE_BGRADA: return "bgrada";
	case CUBLASLT_EPILOGUE_BGRADB: return "bgradb";
	default: return NULL;
	}
}

static bool is_fp8(int type)
{
	return type == CUDA_R_8F_E4M3 || type == CUDA_R_8F_E5M2;
}

/* Defaults as NVIDIA's documentation of cublasLtMatmul() gives them by type. */
static int bias_dtype(const struct matmul *x)
{
	if (x->desc.bias_type >= 0)
		return cuda_dtype(x->desc.bias_type);
	if (x->d.type == CUDA_R_8I)
		return (int)x->scale;
	if (is_fp8(x->a.type) && x->d.type == CUDA_R_32F)
		return EKKA_BF16;
	if (is_fp8(x->d.type) || x->d.type == TYPE_E2M1)
		return cuda_dtype(x->c.known ? x->c.type : CUDA_R_16BF);
	return cuda_dtype(x->d.type);
}

/* Numbers of four bits, two in a byte: only along a column as it lies, which is along k of an operand and along m of C and D, as cuBLAS takes them. */
static bool is_packed(const struct matmul *x, const struct ekka_lt_layout *layout, bool transposed)
{
	return layout->type == TYPE_E2M1 && layout->order == CUBLASLT_ORDER_COL && transposed == (layout == &x->a) && layout->rows % 2 == 0 &&
	       layout->ld % 2 == 0 && layout->stride % 2 == 0;
}

/* A matrix of `layout`, transposed if asked. Returns its index, or -1. */
static int matrix(struct ekka_call *call, const struct matmul *x, const char *name, enum ekka_dir dir, const struct ekka_lt_layout *layout,
		  bool transposed, const void *p, int alias_of)
{
	bool by_column = layout->order == CUBLASLT_ORDER_COL, batched = x->d.batch > 1, arrays = layout->batch_mode == 1;
	int64_t dim[2] = { (int64_t)layout->rows, (int64_t)layout->cols };
	int64_t stride[2] = { by_column ? 1 : layout->ld, by_column ? layout->ld : 1 };
	unsigned r = transposed ? 1 : 0, at = batched || arrays ? 1 : 0;
	struct ekka_tensor t = {
		.name = name, .dir = dir, .dtype = (enum ekka_dtype)cuda_dtype(layout->type), .place = EKKA_DEVICE, .n_dims = at + 2,
		.addr = (uintptr_t)p, .alias_of = alias_of, .pre = alias_of < 0, .post = dir == EKKA_OUT,
		.n_ptrs = arrays ? (uint64_t)layout->batch : 0,
	};

	if (at) {
		t.dim[0] = layout->batch;
		t.stride[0] = arrays ? 0 : layout->stride;
	}
	t.dim[at] = dim[r];
	t.dim[at + 1] = dim[1 - r];
	t.stride[at] = stride[r];
	t.stride[at + 1] = stride[1 - r];
	return ekka_tensor(call, &t);
}

/* The same, of four bits an element as bytes of two: half as many along the column, and attribute `packed` says so. */
static int operand(struct ekka_call *call, const struct matmul *x, const char *name, const char *packed, enum ekka_dir dir,
		   const struct ekka_lt_layout *layout, bool transposed, const void *p, int alias_of)
{
	struct ekka_lt_layout bytes = *layout;

	if (layout->type != TYPE_E2M1)
		return matrix(call, x, name, dir, layout, transposed, p, alias_of);
	bytes.type = CUDA_R_8U;
	bytes.rows /= 2;
	bytes.ld /= 2;
	bytes.stride /= 2;
	ekka_attr_str(call, packed, "e2m1");
	return matrix(call, x, name, dir, &bytes, transposed, p, alias_of);
}

/* rows x cols elements next to one another, a batch item `stride` apart. */
static void vector(struct ekka_call *call, const struct matmul *x, const char *name, enum ekka_dir dir, int dtype, const void *p,
		   int64_t rows, int64_t cols, int64_t stride)
{
	bool batched = x->d.batch > 1 && stride != 0;
	unsigned at = batched ? 1 : 0;
	struct ekka_tensor t = {
		.name = name, .dir = dir, .dtype = (enum ekka_dtype)dtype, .place = EKKA_DEVICE, .n_dims = at + 2,
		.dim = { x->d.batch }, .stride = { stride }, .addr = (uintptr_t)p, .alias_of = -1, .pre = dir == EKKA_IN,
		.post = dir == EKKA_OUT,
	};

	if (p == NULL || dtype < 0)
		return;
	t.dim[at] = rows;
	t.dim[at + 1] = cols;
	t.stride[at] = cols;
	t.stride[at + 1] = 1;
	(void)ekka_tensor(call, &t);
}

/* One number. */
static void number(struct ekka_call *call, const struct matmul *x, const char *name, enum ekka_dir dir, const void *p)
{
	vector(call, x, name, dir, EKKA_F32, p, 1, 1, 0);
}

/* Why op matmul's tensors cannot say what this product is; NULL when they can. */
static const char *indescribable(const struct matmul *x)
{
	const struct ekka_lt_layout *all[] = { &x->a, &x->b, &x->d, &x->c };

	for (unsigned i = 0; i < 4; i++) {
		if (!all[i]->known && !(all[i] == &x->c && x->C == NULL))
			return "a matrix layout could not be read";
		if (!all[i]->known)
			continue;
		if (all[i]->order != CUBLASLT_ORDER_COL && all[i]->order != CUBLASLT_ORDER_ROW)
			return "a matrix is tiled (order)";
		if (all[i]->plane != 0)
			return "a matrix is complex in planes";
		if (cuda_dtype(all[i]->type) < 0 && !is_packed(x, all[i], i < 2 && x->desc.trans[i] != CUBLAS_OP_N))
			return "a data type is not one that ekkatrace describes";
	}
	if (x->desc.scale_type < 0 || cuda_dtype(x->desc.scale_type) < 0 || compute_name(x->desc.compute) == NULL)
		return "the compute type is not one that ekkatrace describes";
	return NULL;
}

/* Why the library must reject the call; NULL when it need not. Keeps snapshots from touching what is no operand. */
static const char *invalid(const struct matmul *x)
{
	const struct ekka_lt_layout *all[] = { &x->a, &x->b, &x->d, &x->c };
	bool ta = x->desc.trans[0] != CUBLAS_OP_N, tb = x->desc.trans[1] != CUBLAS_OP_N;

	for (unsigned i = 0; i < 4; i++) {
		uint64_t line = all[i]->order == CUBLASLT_ORDER_ROW ? all[i]->cols : all[i]->rows;

		if (!all[i]->known)
			continue;
		if (all[i]->ld < 0 || (uint64_t)all[i]->ld < line)
			return "a leading dimension is too small";
		if (all[i]->rows > INT64_MAX || all[i]->cols > INT64_MAX || all[i]->batch < 1 || all[i]->batch != x->d.batch)
			return "a matrix layout makes no sense";
	}
	if ((ta ? x->a.cols : x->a.rows) != x->d.rows || (tb ? x->b.rows : x->b.cols) != x->d.cols ||
	    (ta ? x->a.rows : x->a.cols) != (tb ? x->b.cols : x->b.rows) ||
	    (x->c.known && (x->c.rows != x->d.rows || x->c.cols != x->d.cols)))
		return "the matrices' dimensions do not fit together";
	return NULL;
}

static void describe_scalars(struct ekka_call *call, struct matmul *x)
{
	int mode = x->desc.pointer_mode;
	bool vectors = mode >= POINTER_MODE_VECTOR;

	if (mode != CUBLASLT_POINTER_MODE_HOST)
		ekka_attr_int(call, "pointer_mode", mode);
	if (vectors) {
		vector(call, x, "alpha", EKKA_IN, x->scale, x->alpha, x->m, 1, x->desc.alpha_stride);
	} else {
		call->device_pointer_mode = mode == CUBLASLT_POINTER_MODE_DEVICE;
		x->alpha_is_zero = ekka_scalar_is_zero(call, x->scale, x->alpha);
		ekka_attr_scalar(call, "alpha", x->scale, x->alpha);
	}
	if (mode == POINTER_MODE_VECTOR) {
		vector(call, x, "beta", EKKA_IN, x->scale, x->beta, x->m, 1, 0);
	} else if (mode == POINTER_MODE_ALPHA_VECTOR) {
		ekka_attr_real(call, "beta", 0);
		x->beta_is_zero = true;
	} else {
		x->beta_is_zero = ekka_scalar_is_zero(call, x->scale, x->beta);
		ekka_attr_scalar(call, "beta", x->scale, x->beta);
	}
	call->device_pointer_mode = false;
}

static int64_t blocks_of(int64_t n)
{
	return (n + 127) / 128;
}

/*
 * One f32 for every 128 elements along k, the lines next to one another, or for every 128 x 128, those along k next to one another and
 * padded to a multiple of 4 (cuBLAS, "Scaling factor layouts"; PyTorch's ScaledBlas.cpp asks for the same strides). In the
 * orientation of the matrix: A's [m or its blocks, k's blocks], B's [k's blocks, n or its blocks].
 */
static void block_scale(struct ekka_call *call, const struct matmul *x, const char *name, const void *p, bool is_a, bool square)
{
	int64_t lines = is_a ? x->m : x->n, nk = blocks_of(x->k), n = square ? blocks_of(lines) : lines;
	int64_t along_k = square ? 1 : lines, across = square ? (nk + 3) / 4 * 4 : 1;
	unsigned at = x->d.batch > 1 ? 1 : 0;
	struct ekka_tensor t = {
		.name = name, .dir = EKKA_IN, .dtype = EKKA_F32, .place = EKKA_DEVICE, .n_dims = at + 2, .dim = { x->d.batch },
		.stride = { square ? across * n : lines * nk }, .addr = (uintptr_t)p, .alias_of = -1, .pre = true,
	};

	if (p == NULL)
		return;
	t.dim[at] = is_a ? n : nk;
	t.dim[at + 1] = is_a ? nk : n;
	t.stride[at] = is_a ? across : along_k;
	t.stride[at + 1] = is_a ? along_k : across;
	(void)ekka_tensor(call, &t);
}

/*
 * A byte for every 16 or 32 elements along k, or of C and D along m, in tiles of 128 lines by 4 (cuBLAS, "1D Block Scaling Factors Layout"): as they lie in
 * memory, since where that of an element is, is no matter of strides. Those of a batch's items are taken to lie one behind another.
 */
static void tiled_scale(struct ekka_call *call, const struct matmul *x, const char *name, enum ekka_dir dir, const void *p, int64_t lines, int64_t along,
			int mode)
{
	int64_t elements = mode == SCALE_VEC16 ? 16 : 32, tiles = (lines + 127) / 128 * ((along + 4 * elements - 1) / (4 * elements));

	vector(call, x, name, dir, EKKA_U8, p, tiles * 512, 1, tiles * 512);
}

static bool is_tiled(int mode)
{
	return mode == SCALE_VEC16 || mode == SCALE_VEC32;
}

/* Scales: described where their shape is known; the mode is told in any case but the default. */
static void describe_scales(struct ekka_call *call, const struct matmul *x)
{
	static const char *const names[] = { "scaleA", "scaleB", "scaleC", "scaleD", "scaleAux" };
	static const char *const modes[] = { "scaleA_mode", "scaleB_mode", "scaleC_mode", "scaleD_mode", "scaleAux_mode" };

	for (unsigned i = 0; i < EKKA_LT_MATRICES; i++) {
		int mode = x->desc.scale_mode[i];

		if (mode != SCALE_SCALAR)
			ekka_attr_int(call, modes[i], mode);
		if (mode == SCALE_SCALAR)
			number(call, x, names[i], EKKA_IN, x->desc.scale[i]);
		else if (mode == SCALE_OUTER_VECTOR && i == EKKA_LT_A)
			vector(call, x, names[i], EKKA_IN, EKKA_F32, x->desc.scale[i], x->m, 1, 0);
		else if (mode == SCALE_OUTER_VECTOR && i == EKKA_LT_B)
			vector(call, x, names[i], EKKA_IN, EKKA_F32, x->desc.scale[i], 1, x->n, 0);
		else if (is_tiled(mode) && i <= EKKA_LT_C)
			tiled_scale(call, x, names[i], EKKA_IN, x->desc.scale[i], i == EKKA_LT_A ? x->m : x->n, i == EKKA_LT_C ? x->m : x->k, mode);
		else if ((mode == SCALE_VEC128 || mode == SCALE_BLK128) && i <= EKKA_LT_B)
			block_scale(call, x, names[i], x->desc.scale[i], i == EKKA_LT_A, mode == SCALE_BLK128);
	}
	if (x->desc.out_scale_mode != SCALE_SCALAR)
		ekka_attr_int(call, "scaleDOut_mode", x->desc.out_scale_mode);
	if (is_tiled(x->desc.out_scale_mode))
		tiled_scale(call, x, "scaleDOut", EKKA_OUT, x->desc.out_scale, x->n, x->m, x->desc.out_scale_mode);
	else if (x->desc.out_scale != NULL)
		ekka_attr_int(call, "block_scaled_output", 1);
	number(call, x, "amax", EKKA_OUT, x->desc.amax);
	number(call, x, "amaxAux", EKKA_OUT, x->desc.aux_amax);
}

/* Second operands and results of the epilogue. */
static void describe_epilogue(struct ekka_call *call, const struct matmul *x)
{
	uint32_t e = x->desc.epilogue;
	bool reads_aux = e & (8 | 64), mask = e & (EPILOGUE_RELU_BIT | 8);
	enum ekka_dir dir = reads_aux ? EKKA_IN : EKKA_OUT;

	if (e & EPILOGUE_BIAS_BIT)
		vector(call, x, "bias", EKKA_IN, bias_dtype(x), x->desc.bias, x->m, 1, x->desc.bias_stride);
	else if (e & EPILOGUE_BGRAD_BIT || e == CUBLASLT_EPILOGUE_BGRADA)
		vector(call, x, "dbias", EKKA_OUT, bias_dtype(x), x->desc.bias, x->m, 1, x->desc.bias_stride);
	else if (e == CUBLASLT_EPILOGUE_BGRADB)
		vector(call, x, "dbias", EKKA_OUT, bias_dtype(x), x->desc.bias, 1, x->n, x->desc.bias_stride);
	if (!(e & EPILOGUE_AUX_BIT) || x->desc.aux == NULL)
		return;
	/* Both kinds are column by column, whatever D's order; a mask is bits. */
	struct ekka_lt_layout aux = { .known = true, .type = x->desc.aux_type >= 0 ? x->desc.aux_type : x->d.type, .rows = x->d.rows,
				      .cols = x->d.cols, .ld = x->desc.aux_ld, .stride = x->desc.aux_stride, .batch = x->d.batch };

	if (mask) {
		aux.type = CUDA_R_8U;
		aux.rows = (aux.rows + 7) / 8;
		aux.ld /= 8;
		aux.stride /= 8;
	}
	if (cuda_dtype(aux.type) >= 0 && aux.ld >= (int64_t)aux.rows)
		(void)matrix(call, x, "aux", dir, &aux, mask, x->desc.aux, -1);
}

static bool same_layout(const struct ekka_lt_layout *p, const struct ekka_lt_layout *q)
{
	return p->type == q->type && p->order == q->order && p->ld == q->ld && p->stride == q->stride && p->batch_mode == q->batch_mode;
}

static void describe_matrices(struct ekka_call *call, const struct matmul *x)
{
	int d;

	if (!x->alpha_is_zero) {
		(void)operand(call, x, "A", "A_packed", EKKA_IN, &x->a, x->desc.trans[0] != CUBLAS_OP_N, x->A, -1);
		(void)operand(call, x, "B", "B_packed", EKKA_IN, &x->b, x->desc.trans[1] != CUBLAS_OP_N, x->B, -1);
	}
	d = operand(call, x, "D", "D_packed", EKKA_OUT, &x->d, false, x->D, -1);
	/* In place: what D held before is C. */
	if (!x->beta_is_zero && x->c.known)
		(void)operand(call, x, "C", "C_packed", EKKA_IN, &x->c, false, x->C, x->C == x->D && same_layout(&x->c, &x->d) ? d : -1);
}

static void describe_attributes(struct ekka_call *call, const struct matmul *x, const struct ekka_lt_api *api)
{
	const struct ekka_lt_desc *desc = &x->desc;
	const char *epilogue = epilogue_name(desc->epilogue);
	struct ekka_lt_algo algo;

	if (compute_name(desc->compute) != NULL)
		ekka_attr_str(call, "compute", compute_name(desc->compute));
	ekka_attr_str(call, "epilogue", epilogue != NULL ? epilogue : "unknown");
	if (epilogue == NULL)
		ekka_attr_int(call, "epilogue_number", desc->epilogue);
	ekka_attr_int(call, "transa", desc->trans[0]);
	ekka_attr_int(call, "transb", desc->trans[1]);
	if (desc->trans[0] == CUBLAS_OP_C || desc->trans[0] == CUBLAS_OP_CONJG)
		ekka_attr_int(call, "conja", 1);
	if (desc->trans[1] == CUBLAS_OP_C || desc->trans[1] == CUBLAS_OP_CONJG)
		ekka_attr_int(call, "conjb", 1);
	if (desc->fill_mode != CUBLAS_FILL_MODE_FULL)
		ekka_attr_int(call, "fill_mode", desc->fill_mode);
	if (is_fp8(x->a.type))
		ekka_attr_int(call, "fast_accum", desc->fast_accum);
	if (desc->sm_count != 0)
		ekka_attr_int(call, "sm_count_target", desc->sm_count);
	if (x->workspace != NULL) {
		ekka_attr_int(call, "workspace", (int64_t)(uintptr_t)x->workspace);
		ekka_attr_int(call, "workspace_bytes", (int64_t)x->workspace_bytes);
	}
	if (!ekka_lt_read_algo(api, x->algo, &algo))
		return;
	ekka_attr_int(call, "algo", algo.id);
	ekka_attr_int(call, "tile", algo.tile);
	ekka_attr_int(call, "stages", algo.stages);
	ekka_attr_int(call, "split_k", algo.split_k);
	ekka_attr_int(call, "reduction", algo.reduction);
	ekka_attr_int(call, "swizzle", algo.swizzle);
	ekka_attr_int(call, "custom_option", algo.custom);
	ekka_attr_int(call, "inner_shape", algo.inner_shape);
	ekka_attr_int(call, "cluster_shape", algo.cluster);
}

static void describe(struct ekka_call *call, struct matmul *x, const void *real)
{
	const struct ekka_lt_api *api = ekka_lt_api(real);
	const char *why;

	if (api == NULL) {
		ekka_attr_str(call, "undescribed", "the library's getters were not found");
		return;
	}
	ekka_lt_read_desc(api, x->computeDesc, &x->desc);
	ekka_lt_read_layout(api, x->Adesc, &x->a);
	ekka_lt_read_layout(api, x->Bdesc, &x->b);
	ekka_lt_read_layout(api, x->Cdesc, &x->c);
	ekka_lt_read_layout(api, x->Ddesc, &x->d);
	describe_attributes(call, x, api);
	why = indescribable(x);
	if (why != NULL) {
		ekka_attr_str(call, "undescribed", why);
		return;
	}
	why = invalid(x);
	if (why != NULL) {
		ekka_call_bad_args(call, why);
		return;
	}
	x->m = (int64_t)x->d.rows;
	x->n = (int64_t)x->d.cols;
	x->k = (int64_t)(x->desc.trans[0] == CUBLAS_OP_N ? x->a.cols : x->a.rows);
	x->scale = (enum ekka_dtype)cuda_dtype(x->desc.scale_type);
	describe_scalars(call, x);
	describe_matrices(call, x);
	describe_epilogue(call, x);
	describe_scales(call, x);
}

EKKA_PUBLIC cublasStatus_t cublasLtMatmul(cublasLtHandle_t lightHandle, cublasLtMatmulDesc_t computeDesc, const void *alpha, const void *A,
					  cublasLtMatrixLayout_t Adesc, const void *B, cublasLtMatrixLayout_t Bdesc, const void *beta,
					  const void *C, cublasLtMatrixLayout_t Cdesc, void *D, cublasLtMatrixLayout_t Ddesc,
					  const cublasLtMatmulAlgo_t *algo, void *workspace, size_t workspaceSizeInBytes, cudaStream_t stream)
{
	const void *caller = __builtin_return_address(0);
	__typeof__(cublasLtMatmul) *real = (__typeof__(cublasLtMatmul) *)ekka_real(EKKA_FN_cublasLtMatmul, caller);
	struct ekka_call call;
	cublasStatus_t ret;

	if (!real)
		return CUBLAS_STATUS_NOT_INITIALIZED;
	if (!ekka_call_enter(&call, EKKA_FN_cublasLtMatmul, caller))
		return real(lightHandle, computeDesc, alpha, A, Adesc, B, Bdesc, beta, C, Cdesc, D, Ddesc, algo, workspace,
			    workspaceSizeInBytes, stream);
	if (call.describe) {
		const void *pointers[] = { lightHandle, computeDesc, alpha, A, Adesc, B, Bdesc, beta, C, Cdesc, D, Ddesc, algo, workspace };
		struct matmul x = { .computeDesc = computeDesc, .alpha = alpha, .A = A, .B = B, .beta = beta, .C = C, .D = D, .Adesc = Adesc,
				    .Bdesc = Bdesc, .Cdesc = Cdesc, .Ddesc = Ddesc, .algo = algo, .workspace = workspace,
				    .workspace_bytes = workspaceSizeInBytes };

		for (unsigned i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++)
			ekka_arg_ptr(&call, pointers[i]);
		ekka_arg_int(&call, (int64_t)workspaceSizeInBytes);
		ekka_arg_ptr(&call, stream);
		call.rec.device = ekka_cuda_current_device();
		call.rec.stream = (uint64_t)stream;
		describe(&call, &x, (const void *)real);
	}
	ekka_call_begin(&call);
	ret = real(lightHandle, computeDesc, alpha, A, Adesc, B, Bdesc, beta, C, Cdesc, D, Ddesc, algo, workspace, workspaceSizeInBytes,
		   stream);
	ekka_call_end(&call, &(struct ekka_value){ .kind = EKKA_V_INT, .i = ret });
	return ret;
}
