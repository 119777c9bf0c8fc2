/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wrapper of cublasLtMatrixTransform: C = alpha op(A) + beta op(B), as op elementwise: in0 is op(A), in1 op(B), out0 is C, each [m, n]
 * or [batch, m, n] with the strides that its layout and its transposition give. alpha and beta are attributes or, on the device,
 * one-element tensors. Tiled orders, planar and other complex matrices and pointer arrays are recorded with the reason.
 * Zone: inside the host process (preload/capture.h has its rules).
 */
#include "config.h"

#include <string.h>

#include "preload/cublaslt_desc.h"
#include "preload/cuda_cublas.h"
#include "spec/cublas_types.h"
#include "spec/gen/ids.h"
#include "spec/wrap.h"

struct transform {
	cublasLtMatrixTransformDesc_t desc;
	const void *alpha, *A, *beta, *B;
	void *C;
	cublasLtMatrixLayout_t Adesc, Bdesc, Cdesc;
	struct ekka_lt_transform how;
	struct ekka_lt_layout a, b, c;
	bool has_a, has_b;
};

/* Why this is no elementwise op that strides can say; NULL when it is. */
static const char *indescribable(const struct transform *x)
{
	const struct ekka_lt_layout *all[] = { &x->c, &x->a, &x->b };
	const bool counts[] = { true, x->has_a, x->has_b };

	if (x->how.scale_type != CUDA_R_32F && x->how.scale_type != CUDA_R_64F && x->how.scale_type != CUDA_R_32I)
		return "the scale type is not one that ekkatrace describes";
	if (x->how.pointer_mode != CUBLASLT_POINTER_MODE_HOST && x->how.pointer_mode != CUBLASLT_POINTER_MODE_DEVICE)
		return "alpha and beta are vectors";
	for (unsigned i = 0; i < 3; i++) {
		if (!counts[i])
			continue;
		if (!all[i]->known)
			return "a matrix layout could not be read";
		if (all[i]->order != CUBLASLT_ORDER_COL && all[i]->order != CUBLASLT_ORDER_ROW)
			return "a matrix is tiled (order)";
		if (all[i]->plane != 0 || all[i]->batch_mode != 0)
			return "a matrix is complex in planes, or an array of pointers";
		if (cuda_dtype(all[i]->type) < 0 || ekka_dtype_is_complex((enum ekka_dtype)cuda_dtype(all[i]->type)))
			return "a data type is complex, or not one that ekkatrace describes";
	}
	return NULL;
}

/* Why the library must reject the call; NULL when it need not. */
static const char *invalid(const struct transform *x)
{
	const struct ekka_lt_layout *all[] = { &x->c, &x->a, &x->b };
	const bool counts[] = { true, x->has_a, x->has_b };

	for (unsigned i = 0; i < 3; i++) {
		const struct ekka_lt_layout *l = all[i];
		bool t = i > 0 && x->how.trans[i - 1] != CUBLAS_OP_N;

		if (!counts[i])
			continue;
		if (l->rows > INT64_MAX || l->cols > INT64_MAX || l->ld < 0 ||
		    (uint64_t)l->ld < (l->order == CUBLASLT_ORDER_ROW ? l->cols : l->rows))
			return "a leading dimension is too small";
		if ((t ? l->cols : l->rows) != x->c.rows || (t ? l->rows : l->cols) != x->c.cols || l->batch != x->c.batch || l->batch < 1)
			return "the matrices' dimensions do not fit together";
	}
	return NULL;
}

static void matrix(struct ekka_call *call, const char *name, enum ekka_dir dir, const struct ekka_lt_layout *l, bool transposed, const void *p)
{
	unsigned at = l->batch > 1 ? 1 : 0, r = at + (transposed ? 1 : 0), c = at + (transposed ? 0 : 1);
	bool by_column = l->order == CUBLASLT_ORDER_COL;
	struct ekka_tensor t = {
		.name = name, .dir = dir, .dtype = (enum ekka_dtype)cuda_dtype(l->type), .place = EKKA_DEVICE, .n_dims = at + 2,
		.dim = { l->batch }, .stride = { l->stride }, .addr = (uintptr_t)p, .alias_of = -1, .pre = dir == EKKA_IN, .post = dir == EKKA_OUT,
	};

	t.dim[r] = (int64_t)l->rows;
	t.dim[c] = (int64_t)l->cols;
	t.stride[r] = by_column ? 1 : l->ld;
	t.stride[c] = by_column ? l->ld : 1;
	(void)ekka_tensor(call, &t);
}

/* One element, which the reference repeats. */
static void device_scalar(struct ekka_call *call, const char *name, enum ekka_dtype dtype, const void *p)
{
	struct ekka_tensor t = { .name = name, .dir = EKKA_IN, .dtype = dtype, .place = EKKA_DEVICE, .n_dims = 1, .dim = { 1 }, .stride = { 1 },
				 .addr = (uintptr_t)p, .alias_of = -1, .pre = true };

	(void)ekka_tensor(call, &t);
}

static void describe_scalars(struct ekka_call *call, const struct transform *x, enum ekka_dtype scale)
{
	bool on_device = x->how.pointer_mode == CUBLASLT_POINTER_MODE_DEVICE;

	if (x->has_a && on_device)
		device_scalar(call, "alpha", scale, x->alpha);
	else if (x->has_a)
		ekka_attr_scalar(call, "alpha", scale, x->alpha);
	if (x->has_b && on_device)
		device_scalar(call, "beta", scale, x->beta);
	else if (x->has_b)
		ekka_attr_scalar(call, "beta", scale, x->beta);
}

/* [A counts + 2 (B counts)] */
static const char *const expressions[] = { "0", "alpha * in0", "beta * in1", "alpha * in0 + beta * in1" };

static void describe(struct ekka_call *call, struct transform *x, const void *real)
{
	const struct ekka_lt_api *api = ekka_lt_api(real);
	enum ekka_dtype scale;
	const char *why;
	bool on_device;

	if (api == NULL) {
		ekka_attr_str(call, "refused", "the library's getters were not found");
		return;
	}
	ekka_lt_read_transform(api, x->desc, &x->how);
	ekka_lt_read_layout(api, x->Adesc, &x->a);
	ekka_lt_read_layout(api, x->Bdesc, &x->b);
	ekka_lt_read_layout(api, x->Cdesc, &x->c);
	on_device = x->how.pointer_mode == CUBLASLT_POINTER_MODE_DEVICE;
	scale = (enum ekka_dtype)max(cuda_dtype(x->how.scale_type), 0);
	x->has_a = x->A != NULL && x->a.known && (on_device || !ekka_scalar_is_zero(call, scale, x->alpha));
	x->has_b = x->B != NULL && x->b.known && (on_device || !ekka_scalar_is_zero(call, scale, x->beta));
	ekka_attr_int(call, "transa", x->how.trans[0]);
	ekka_attr_int(call, "transb", x->how.trans[1]);
	if (on_device)
		ekka_attr_int(call, "pointer_mode", x->how.pointer_mode);
	/* It does not saturate on an H200, and what it does instead is not documented. */
	why = x->c.type == CUDA_R_8I ? "how results are turned into int8 is not known" : indescribable(x);
	if (why != NULL) {
		ekka_attr_str(call, "refused", why);
		return;
	}
	why = invalid(x);
	if (why != NULL) {
		ekka_call_bad_args(call, why);
		return;
	}
	ekka_attr_str(call, "op", "elementwise");
	ekka_attr_str(call, "expr", expressions[(x->has_a ? 1 : 0) + (x->has_b ? 2 : 0)]);
	describe_scalars(call, x, scale);
	if (x->has_a)
		matrix(call, "in0", EKKA_IN, &x->a, x->how.trans[0] != CUBLAS_OP_N, x->A);
	if (x->has_b)
		matrix(call, "in1", EKKA_IN, &x->b, x->how.trans[1] != CUBLAS_OP_N, x->B);
	matrix(call, "out0", EKKA_OUT, &x->c, false, x->C);
}

EKKA_PUBLIC cublasStatus_t cublasLtMatrixTransform(cublasLtHandle_t lightHandle, cublasLtMatrixTransformDesc_t transformDesc,
						   const void *alpha, const void *A, cublasLtMatrixLayout_t Adesc, const void *beta,
						   const void *B, cublasLtMatrixLayout_t Bdesc, void *C, cublasLtMatrixLayout_t Cdesc,
						   cudaStream_t stream)
{
	const void *caller = __builtin_return_address(0);
	__typeof__(cublasLtMatrixTransform) *real = (__typeof__(cublasLtMatrixTransform) *)ekka_real(EKKA_FN_cublasLtMatrixTransform, caller);
	struct ekka_call call;
	cublasStatus_t ret;

	if (!real)
		return CUBLAS_STATUS_NOT_INITIALIZED;
	if (!ekka_call_enter(&call, EKKA_FN_cublasLtMatrixTransform, caller))
		return real(lightHandle, transformDesc, alpha, A, Adesc, beta, B, Bdesc, C, Cdesc, stream);
	if (call.describe) {
		const void *pointers[] = { lightHandle, transformDesc, alpha, A, Adesc, beta, B, Bdesc, C, Cdesc, stream };
		struct transform x = { .desc = transformDesc, .alpha = alpha, .A = A, .beta = beta, .B = B, .C = C, .Adesc = Adesc,
				       .Bdesc = Bdesc, .Cdesc = Cdesc };

		for (unsigned i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++)
			ekka_arg_ptr(&call, pointers[i]);
		call.rec.device = ekka_cuda_current_device();
		call.rec.stream = (uint64_t)stream;
		describe(&call, &x, (const void *)real);
	}
	ekka_call_begin(&call);
	ret = real(lightHandle, transformDesc, alpha, A, Adesc, beta, B, Bdesc, C, Cdesc, stream);
	ekka_call_end(&call, &(struct ekka_value){ .kind = EKKA_V_INT, .i = ret });
	return ret;
}
