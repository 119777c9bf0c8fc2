/* SPDX-License-Identifier: Apache-2.0 */
/* cuDNN's legacy calls but convolution, as ops. Zone: inside the host process (preload/capture.h has its rules). */
#include "config.h"

#include "preload/cudnn.h"
#include "preload/cudnn_legacy.h"
#include "preload/cudnn_types.h"
#include "preload/probe.h"

#include <string.h>

static const char unreadable[] = "a tensor descriptor could not be read, or has a type or layout that ekkatrace does not describe";

/* ---- descriptors ------------------------------------------------------ */

void ekka_cudnn_view_read(struct ekka_call *call, cudnnTensorDescriptor_t desc, struct ekka_cudnn_view *ret)
{
	const struct ekka_cudnn_getters *g = ekka_cudnn_getters(call);
	int dim[EKKA_MAX_DIMS], stride[EKKA_MAX_DIMS], n = 0;
	cudnnDataType_t type;

	ret->dtype = -1;
	if (desc == NULL || g == NULL || g->tensor == NULL ||
	    g->tensor(desc, EKKA_MAX_DIMS, &type, &n, dim, stride) != CUDNN_STATUS_SUCCESS || n < 1 || n > EKKA_MAX_DIMS)
		return;
	ret->dtype = cudnn_dtype((int)type);
	ret->n = (unsigned)n;
	for (int i = 0; i < n; i++) {
		ret->dim[i] = dim[i];
		ret->stride[i] = stride[i];
	}
}

void ekka_cudnn_view_filter(struct ekka_call *call, cudnnFilterDescriptor_t desc, struct ekka_cudnn_view *ret)
{
	const struct ekka_cudnn_getters *g = ekka_cudnn_getters(call);
	int dim[EKKA_MAX_DIMS], n = 0;
	cudnnTensorFormat_t format;
	cudnnDataType_t type;
	int64_t next = 1;

	ret->dtype = -1;
	if (desc == NULL || g == NULL || g->filter == NULL || g->filter(desc, EKKA_MAX_DIMS, &type, &format, &n, dim) != CUDNN_STATUS_SUCCESS ||
	    n < 3 || n > EKKA_MAX_DIMS || (format != CUDNN_TENSOR_NCHW && format != CUDNN_TENSOR_NHWC))
		return;
	ret->dtype = cudnn_dtype((int)type);
	ret->n = (unsigned)n;
	if (format == CUDNN_TENSOR_NHWC) {
		ret->stride[1] = 1;
		next = dim[1];
	}
	for (int i = n - 1; i >= 0; i--) {
		ret->dim[i] = dim[i];
		if (i == 1 && format == CUDNN_TENSOR_NHWC)
			continue;
		ret->stride[i] = next;
		next *= dim[i];
	}
}

bool ekka_cudnn_view_broadcast(struct ekka_cudnn_view *v, const struct ekka_cudnn_view *to)
{
	if (v->dtype < 0 || to->dtype < 0 || v->n != to->n)
		return false;
	for (unsigned i = 0; i < v->n; i++) {
		if (v->dim[i] != to->dim[i] && v->dim[i] != 1)
			return false;
		if (v->dim[i] != to->dim[i])
			v->stride[i] = 0;
		v->dim[i] = to->dim[i];
	}
	return true;
}

bool ekka_cudnn_view_add(struct ekka_call *call, const char *name, enum ekka_dir dir, const struct ekka_cudnn_view *v, const void *p)
{
	struct ekka_tensor t = { .name = name, .dir = dir, .place = EKKA_DEVICE, .n_dims = v->n, .addr = (uintptr_t)p, .alias_of = -1,
				 .pre = dir != EKKA_OUT, .post = dir != EKKA_IN };

	if (v->dtype < 0 || p == NULL)
		return false;
	t.dtype = (enum ekka_dtype)v->dtype;
	memcpy(t.dim, v->dim, v->n * sizeof(t.dim[0]));
	memcpy(t.stride, v->stride, v->n * sizeof(t.stride[0]));
	return ekka_tensor(call, &t) >= 0;
}

bool ekka_cudnn_factor(int dtype, const void *p, double *ret)
{
	float f;

	if (p == NULL)
		return false;
	if (dtype == EKKA_F64)
		return ekka_probe_copy(ret, (uintptr_t)p, sizeof(*ret));
	if (!ekka_probe_copy(&f, (uintptr_t)p, sizeof(f)))
		return false;
	*ret = (double)f;
	return true;
}

void ekka_cudnn_op(struct ekka_call *call, const char *op, const char *why)
{
	ekka_attr_str(call, why == NULL ? "op" : "refused", why == NULL ? op : why);
}

/* ---- element by element ------------------------------------------------ */

/*
 * out0 = an expression of in0..., alpha, beta and, where beta is not 0, what out0 held as `before`, which is the last input.
 * Inputs are broadcast to y. `plain` is the expression without beta.
 */
struct elementwise {
	struct ekka_cudnn_view y, in[5];
	const void *p[5];
	unsigned n;
	const void *at;				/* y's address */
	double alpha, beta;
	const char *plain, *blended;
};

static const char *const in_names[] = { "in0", "in1", "in2", "in3", "in4", "in5" };

static void describe_elementwise(struct ekka_call *call, struct elementwise *e, const char *why)
{
	bool fits = e->y.dtype >= 0;

	for (unsigned i = 0; i < e->n; i++)
		fits = ekka_cudnn_view_broadcast(&e->in[i], &e->y) && fits;
	if (why == NULL && !fits)
		why = unreadable;
	ekka_cudnn_op(call, "elementwise", why);
	ekka_attr_str(call, "expr", e->beta != 0 ? e->blended : e->plain);
	ekka_attr_real(call, "alpha", e->alpha);
	if (e->beta != 0)
		ekka_attr_real(call, "beta", e->beta);
	for (unsigned i = 0; i < e->n; i++)
		(void)ekka_cudnn_view_add(call, in_names[i], EKKA_IN, &e->in[i], e->p[i]);
	if (e->beta != 0)
		(void)ekka_cudnn_view_add(call, in_names[e->n], EKKA_IN, &e->y, e->at);
	(void)ekka_cudnn_view_add(call, "out0", EKKA_OUT, &e->y, e->at);
}

static void begin(struct ekka_call *call, struct elementwise *e, cudnnTensorDescriptor_t yDesc, const void *y)
{
	*e = (struct elementwise){ .alpha = 1, .at = y };
	ekka_cudnn_view_read(call, yDesc, &e->y);
}

static void input(struct ekka_call *call, struct elementwise *e, cudnnTensorDescriptor_t desc, const void *p)
{
	ekka_cudnn_view_read(call, desc, &e->in[e->n]);
	e->p[e->n++] = p;
}

static const char *factors(struct elementwise *e, const void *alpha, const void *beta)
{
	return ekka_cudnn_factor(e->y.dtype, alpha, &e->alpha) && ekka_cudnn_factor(e->y.dtype, beta, &e->beta) ? NULL :
													       "alpha or beta could not be read";
}

void ekka_cudnn_activate(struct ekka_call *call, cudnnActivationDescriptor_t activationDesc, const void *alpha, cudnnTensorDescriptor_t xDesc,
			 const void *x, const void *beta, cudnnTensorDescriptor_t yDesc, const void *y)
{
	/* ELU by exp: near 0 cuDNN's results have the error of the difference. Seen with cuDNN 9 on an H200. */
	static const struct { const char *plain, *blended; } by_mode[] = {
		{ "alpha * sigmoid(in0)", "alpha * sigmoid(in0) + beta * in1" },
		{ "alpha * relu(in0)", "alpha * relu(in0) + beta * in1" },
		{ "alpha * tanh(in0)", "alpha * tanh(in0) + beta * in1" },
		{ "alpha * min(relu(in0), coef)", "alpha * min(relu(in0), coef) + beta * in1" },
		{ "alpha * where(in0 > 0, in0, coef * (exp(in0) - 1))", "alpha * where(in0 > 0, in0, coef * (exp(in0) - 1)) + beta * in1" },
		{ "alpha * in0", "alpha * in0 + beta * in1" },
		{ "alpha * in0 * sigmoid(swish_beta * in0)", "alpha * in0 * sigmoid(swish_beta * in0) + beta * in1" },
	};
	const struct ekka_cudnn_getters *g = ekka_cudnn_getters(call);
	cudnnActivationMode_t mode = CUDNN_ACTIVATION_IDENTITY;
	cudnnNanPropagation_t nan;
	double coef = 0, swish_beta = 1;
	struct elementwise e;
	const char *why;

	begin(call, &e, yDesc, y);
	input(call, &e, xDesc, x);
	why = factors(&e, alpha, beta);
	if (g == NULL || g->activation == NULL || g->activation(activationDesc, &mode, &nan, &coef) != CUDNN_STATUS_SUCCESS ||
	    (unsigned)mode >= sizeof(by_mode) / sizeof(by_mode[0]))
		why = "the activation descriptor could not be read";
	else if (mode == CUDNN_ACTIVATION_SWISH && g->swish_beta != NULL)
		(void)g->swish_beta(activationDesc, &swish_beta);
	mode = (unsigned)mode < sizeof(by_mode) / sizeof(by_mode[0]) ? mode : CUDNN_ACTIVATION_IDENTITY;
	e.plain = by_mode[mode].plain;
	e.blended = by_mode[mode].blended;
	if (mode == CUDNN_ACTIVATION_CLIPPED_RELU || mode == CUDNN_ACTIVATION_ELU)
		ekka_attr_real(call, "coef", coef);
	if (mode == CUDNN_ACTIVATION_SWISH)
		ekka_attr_real(call, "swish_beta", swish_beta);
	describe_elementwise(call, &e, why);
}

void ekka_cudnn_blend(struct ekka_call *call, const void *alpha, cudnnTensorDescriptor_t xDesc, const void *x, const void *beta,
		      cudnnTensorDescriptor_t yDesc, const void *y)
{
	struct elementwise e;

	begin(call, &e, yDesc, y);
	input(call, &e, xDesc, x);
	e.plain = "alpha * in0";
	e.blended = "alpha * in0 + beta * in1";
	describe_elementwise(call, &e, factors(&e, alpha, beta));
}

void ekka_cudnn_op_tensor(struct ekka_call *call, cudnnOpTensorDescriptor_t opTensorDesc, const void *alpha1, cudnnTensorDescriptor_t aDesc, const void *a,
			  const void *alpha2, cudnnTensorDescriptor_t bDesc, const void *b, const void *beta, cudnnTensorDescriptor_t cDesc,
			  const void *c)
{
	static const struct { const char *plain, *blended; } by_op[] = {
		{ "alpha * in0 + alpha2 * in1", "alpha * in0 + alpha2 * in1 + beta * in2" },
		{ "alpha * in0 * (alpha2 * in1)", "alpha * in0 * (alpha2 * in1) + beta * in2" },
		{ "min(alpha * in0, alpha2 * in1)", "min(alpha * in0, alpha2 * in1) + beta * in2" },
		{ "max(alpha * in0, alpha2 * in1)", "max(alpha * in0, alpha2 * in1) + beta * in2" },
		{ "sqrt(alpha * in0)", "sqrt(alpha * in0) + beta * in1" },
		{ "1 - alpha * in0", "1 - alpha * in0 + beta * in1" },
	};
	const struct ekka_cudnn_getters *g = ekka_cudnn_getters(call);
	cudnnOpTensorOp_t op = CUDNN_OP_TENSOR_ADD;
	cudnnDataType_t type;
	cudnnNanPropagation_t nan;
	struct elementwise e;
	double second = 1;
	const char *why;

	begin(call, &e, cDesc, c);
	input(call, &e, aDesc, a);
	why = factors(&e, alpha1, beta);
	if (g == NULL || g->op_tensor == NULL || g->op_tensor(opTensorDesc, &op, &type, &nan) != CUDNN_STATUS_SUCCESS ||
	    (unsigned)op >= sizeof(by_op) / sizeof(by_op[0])) {
		why = "the descriptor of the operation could not be read";
		op = CUDNN_OP_TENSOR_ADD;
	}
	if (op != CUDNN_OP_TENSOR_SQRT && op != CUDNN_OP_TENSOR_NOT) {
		input(call, &e, bDesc, b);
		if (!ekka_cudnn_factor(e.y.dtype, alpha2, &second))
			why = "alpha or beta could not be read";
		ekka_attr_real(call, "alpha2", second);
	}
	e.plain = by_op[op].plain;
	e.blended = by_op[op].blended;
	describe_elementwise(call, &e, why);
}

void ekka_cudnn_scale(struct ekka_call *call, cudnnTensorDescriptor_t yDesc, const void *y, const void *alpha)
{
	struct elementwise e;

	begin(call, &e, yDesc, y);
	input(call, &e, yDesc, y);
	e.plain = "alpha * in0";
	describe_elementwise(call, &e, ekka_cudnn_factor(e.y.dtype, alpha, &e.alpha) ? NULL : "alpha could not be read");
}

void ekka_cudnn_set(struct ekka_call *call, cudnnTensorDescriptor_t yDesc, const void *y, const void *value)
{
	struct elementwise e;

	begin(call, &e, yDesc, y);
	e.plain = "value";
	if (e.y.dtype >= 0)
		ekka_attr_scalar(call, "value", (enum ekka_dtype)e.y.dtype, value);
	describe_elementwise(call, &e, NULL);
}

void ekka_cudnn_normalize(struct ekka_call *call, const void *alpha, const void *beta, cudnnTensorDescriptor_t xDesc, const void *x,
			  cudnnTensorDescriptor_t yDesc, const void *y, cudnnTensorDescriptor_t scaleDesc, const void *scale, const void *bias,
			  cudnnTensorDescriptor_t meanDesc, const void *mean, const void *variance, double epsilon, bool fused)
{
	struct elementwise e;
	const char *why;

	begin(call, &e, yDesc, y);
	input(call, &e, xDesc, x);
	input(call, &e, scaleDesc, scale);
	input(call, &e, scaleDesc, bias);
	input(call, &e, meanDesc, mean);
	input(call, &e, meanDesc, variance);
	e.plain = "alpha * ((in0 - in3) * rsqrt(in4 + eps) * in1 + in2)";
	e.blended = "alpha * ((in0 - in3) * rsqrt(in4 + eps) * in1 + in2) + beta * in5";
	ekka_attr_real(call, "eps", epsilon);
	why = factors(&e, alpha, beta);
	describe_elementwise(call, &e, fused ? "a normalisation with something fused behind it has no reference" : why);
}

/* ---- over dimensions --------------------------------------------------- */

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
		why = unreadable;
	else if (!ekka_cudnn_factor(vy.dtype, alpha, &a) || !ekka_cudnn_factor(vy.dtype, beta, &b) || a != 1 || b != 0)
		why = "a softmax that is scaled or added has no reference";
	ekka_cudnn_op(call, "softmax", why);
	if (algo == CUDNN_SOFTMAX_LOG)
		ekka_attr_int(call, "log", 1);
	(void)ekka_cudnn_view_add(call, "x", EKKA_IN, &vx, x);
	(void)ekka_cudnn_view_add(call, "y", b == 0 ? EKKA_OUT : EKKA_INOUT, &vy, y);
}

void ekka_cudnn_pool(struct ekka_call *call, cudnnTensorDescriptor_t xDesc, const void *x, cudnnTensorDescriptor_t yDesc, const void *y)
{
	struct ekka_cudnn_view v;

	ekka_cudnn_op(call, "", "pooling has no reference");
	ekka_cudnn_view_read(call, xDesc, &v);
	(void)ekka_cudnn_view_add(call, "x", EKKA_IN, &v, x);
	ekka_cudnn_view_read(call, yDesc, &v);
	(void)ekka_cudnn_view_add(call, "y", EKKA_INOUT, &v, y);
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
