/* SPDX-License-Identifier: Apache-2.0 */
/* cuDNN's legacy calls over dimensions: softmax, pooling, reduction. Zone: inside the host process (preload/capture.h has its rules). */
#include "config.h"

#include "preload/cudnn.h"
#include "preload/cudnn_legacy.h"

/* Moves dimension `from` to the end. */
static void move_last(struct ekka_cudnn_view *v, unsigned from)
{
	int64_t dim = v->dim[from], stride = v->stride[from];

	for (unsigned i = from; i + 1 < v->n; i++) {
		v->dim[i] = v->dim[i + 1];
		v->stride[i] = v->stride[i + 1];
	}
	v->dim[v->n - 1] = dim;
	v->stride[v->n - 1] = stride;
}

/* Makes dimensions 1... one; false where they do not lie behind one another. */
static bool merge_tail(struct ekka_cudnn_view *v)
{
	int64_t n = 1, stride = 0;

	for (unsigned i = v->n; i-- > 1;) {
		if (v->dim[i] == 1)
			continue;
		if (stride == 0)
			stride = v->stride[i];
		else if (v->stride[i] != stride * n)
			return false;
		n *= v->dim[i];
	}
	v->dim[1] = n;
	v->stride[1] = stride == 0 ? 1 : stride;
	v->n = 2;
	return true;
}

static bool softmax_view(struct ekka_cudnn_view *v, cudnnSoftmaxMode_t mode)
{
	if (v->dtype < 0 || v->n < 2)
		return false;
	if (mode == CUDNN_SOFTMAX_MODE_INSTANCE)
		return merge_tail(v);
	move_last(v, 1);
	return true;
}

void ekka_cudnn_softmax(struct ekka_call *call, cudnnSoftmaxAlgorithm_t algo, cudnnSoftmaxMode_t mode, const void *alpha, cudnnTensorDescriptor_t xDesc,
			const void *x, const void *beta, cudnnTensorDescriptor_t yDesc, const void *y)
{
	struct ekka_cudnn_view vx, vy;
	double a = 0, b = 1;
	const char *why = NULL;

	ekka_cudnn_view_read(call, xDesc, &vx);
	ekka_cudnn_view_read(call, yDesc, &vy);
	if (!softmax_view(&vx, mode) || !softmax_view(&vy, mode))
		why = ekka_cudnn_unreadable;
	else if (!ekka_cudnn_factor(vy.dtype, alpha, &a) || !ekka_cudnn_factor(vy.dtype, beta, &b) || a != 1 || b != 0)
		why = "a softmax that is scaled or added has no reference";
	ekka_cudnn_op(call, "softmax", why);
	if (algo == CUDNN_SOFTMAX_LOG)
		ekka_attr_int(call, "log", 1);
	(void)ekka_cudnn_view_add(call, "x", EKKA_IN, &vx, x);
	(void)ekka_cudnn_view_add(call, "y", b == 0 ? EKKA_OUT : EKKA_INOUT, &vy, y);
}

void ekka_cudnn_pool(struct ekka_call *call, cudnnPoolingDescriptor_t poolingDesc, const void *alpha, cudnnTensorDescriptor_t xDesc, const void *x,
		     const void *beta, cudnnTensorDescriptor_t yDesc, const void *y)
{
	static const char *const kinds[] = { "max", "avg_padded", "avg", "max" };
	const struct ekka_cudnn_getters *g = ekka_cudnn_getters(call);
	int window[EKKA_CUDNN_SPATIAL], pad[EKKA_CUDNN_SPATIAL], stride[EKKA_CUDNN_SPATIAL], n = 0;
	cudnnPoolingMode_t mode = CUDNN_POOLING_MAX;
	cudnnNanPropagation_t nan = CUDNN_PROPAGATE_NAN;
	struct ekka_cudnn_view vx, vy;
	const char *why = NULL;
	double a = 1, b = 0;

	ekka_cudnn_view_read(call, xDesc, &vx);
	ekka_cudnn_view_read(call, yDesc, &vy);
	if (vx.dtype < 0 || vy.dtype < 0)
		why = ekka_cudnn_unreadable;
	else if (g == NULL || g->pooling == NULL || g->pooling(poolingDesc, EKKA_CUDNN_SPATIAL, &mode, &nan, &n, window, pad, stride) != CUDNN_STATUS_SUCCESS ||
		 n < 1 || n > EKKA_CUDNN_SPATIAL || (unsigned)mode >= sizeof(kinds) / sizeof(kinds[0]))
		why = "the pooling descriptor could not be read";
	else if (!ekka_cudnn_factor(vy.dtype, alpha, &a) || !ekka_cudnn_factor(vy.dtype, beta, &b))
		why = "alpha or beta could not be read";
	ekka_cudnn_op(call, "pool", why);
	if (why == NULL) {
		ekka_attr_str(call, "kind", kinds[mode]);
		ekka_cudnn_list(call, "window", 0, window, n);
		ekka_cudnn_list(call, "pad", 1, pad, n);
		ekka_cudnn_list(call, "stride", 2, stride, n);
		if (nan == CUDNN_NOT_PROPAGATE_NAN)
			ekka_attr_int(call, "nan", 0);
		ekka_attr_real(call, "alpha", a);
		ekka_attr_real(call, "beta", b);
	}
	(void)ekka_cudnn_view_add(call, "x", EKKA_IN, &vx, x);
	(void)ekka_cudnn_view_add(call, "y", b == 0 && why == NULL ? EKKA_OUT : EKKA_INOUT, &vy, y);
}

/* [kept..., reduced...] and [kept...]; false when nothing or not so much is reduced. */
static bool reduce_views(struct ekka_cudnn_view *a, struct ekka_cudnn_view *c, int64_t *ret_reduced)
{
	unsigned kept = 0, n = a->n;
	struct ekka_cudnn_view from = *a, to = *c;

	if (a->dtype < 0 || c->dtype < 0 || a->n != c->n)
		return false;
	*ret_reduced = 0;
	for (unsigned i = 0; i < n; i++) {
		if (to.dim[i] != from.dim[i] && to.dim[i] != 1)
			return false;
		if (to.dim[i] != from.dim[i])
			(*ret_reduced)++;
	}
	for (unsigned i = 0, last = n - (unsigned)*ret_reduced; i < n; i++) {
		unsigned place = to.dim[i] == from.dim[i] ? kept++ : last++;

		a->dim[place] = from.dim[i];
		a->stride[place] = from.stride[i];
		c->dim[place] = to.dim[i];
		c->stride[place] = to.stride[i];
	}
	c->n = kept > 0 ? kept : 1;
	return *ret_reduced > 0 && kept > 0;
}

void ekka_cudnn_reduce(struct ekka_call *call, cudnnReduceTensorDescriptor_t reduceTensorDesc, const void *alpha, cudnnTensorDescriptor_t aDesc,
		       const void *a, const void *beta, cudnnTensorDescriptor_t cDesc, const void *c)
{
	static const struct { const char *kind, *map; } kinds[] = {
		{ "sum", NULL }, { "prod", NULL }, { "min", NULL }, { "max", NULL }, { "max", "abs(in0)" }, { "mean", NULL }, { "sum", "abs(in0)" },
		{ "norm2", NULL },
	};
	const struct ekka_cudnn_getters *g = ekka_cudnn_getters(call);
	cudnnReduceTensorIndices_t indices = CUDNN_REDUCE_TENSOR_NO_INDICES;
	cudnnReduceTensorOp_t op = CUDNN_REDUCE_TENSOR_ADD;
	cudnnIndicesType_t indices_type;
	cudnnNanPropagation_t nan;
	cudnnDataType_t type;
	struct ekka_cudnn_view va, vc;
	int64_t reduced = 0;
	double x = 0, y = 1;
	const char *why = NULL;

	ekka_cudnn_view_read(call, aDesc, &va);
	ekka_cudnn_view_read(call, cDesc, &vc);
	if (g == NULL || g->reduce == NULL || g->reduce(reduceTensorDesc, &op, &type, &nan, &indices, &indices_type) != CUDNN_STATUS_SUCCESS ||
	    (unsigned)op >= sizeof(kinds) / sizeof(kinds[0]) || indices != CUDNN_REDUCE_TENSOR_NO_INDICES)
		why = "a reduction with indices, or of a kind that has no reference";
	else if (!reduce_views(&va, &vc, &reduced))
		why = "a reduction of no dimension, or to a single number, or of tensors that could not be read";
	else if (!ekka_cudnn_factor(vc.dtype, alpha, &x) || !ekka_cudnn_factor(vc.dtype, beta, &y) || x != 1 || y != 0)
		why = "a reduction that is scaled or added has no reference";
	ekka_cudnn_op(call, "reduce", why);
	if (why == NULL) {
		ekka_attr_str(call, "kind", kinds[op].kind);
		ekka_attr_int(call, "reduced", reduced);
		if (kinds[op].map != NULL)
			ekka_attr_str(call, "map", kinds[op].map);
	}
	(void)ekka_cudnn_view_add(call, "in0", EKKA_IN, &va, a);
	(void)ekka_cudnn_view_add(call, "out0", y == 0 ? EKKA_OUT : EKKA_INOUT, &vc, c);
}
