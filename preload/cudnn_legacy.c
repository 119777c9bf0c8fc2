/* SPDX-License-Identifier: Apache-2.0 */
/* cuDNN's legacy calls that go element by element, as ops, and what all legacy calls share. Zone: inside the host process (preload/capture.h has its rules). */
#include "config.h"

#include "preload/cudnn.h"
#include "preload/cudnn_legacy.h"
#include "preload/cudnn_types.h"
#include "preload/probe.h"

#include <string.h>

const char ekka_cudnn_unreadable[] = "a tensor descriptor could not be read, or has a type or layout that ekkatrace does not describe";

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

enum { TEXTS = 3, TEXT = 48 };

/* Lists as texts, from a description until its call is written down, which is in the same thread with nothing in between. */
static _Thread_local char texts[TEXTS][TEXT] __attribute__((tls_model("initial-exec")));

void ekka_cudnn_list(struct ekka_call *call, const char *name, unsigned text, const int *item, int n)
{
	char *to = texts[text];
	unsigned at = 0;

	for (int i = 0; i < n; i++) {
		char digits[12];
		unsigned n_digits = 0;
		unsigned rest = item[i] < 0 ? 0 : (unsigned)item[i];

		do
			digits[n_digits++] = (char)('0' + rest % 10);
		while ((rest /= 10) > 0);
		if (i > 0)
			to[at++] = ',';
		while (n_digits > 0)
			to[at++] = digits[--n_digits];
	}
	to[at] = '\0';
	ekka_attr_str(call, name, to);
}
_Static_assert(EKKA_CUDNN_SPATIAL * 12 < TEXT, "a list may not fit");

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
		why = ekka_cudnn_unreadable;
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
	/* One factor and one summand for each channel: results have the error of both terms, also where they nearly cancel. Seen on an H200. */
	e.plain = "alpha * (in0 * (in1 * rsqrt(in4 + eps)) + (in2 - in3 * (in1 * rsqrt(in4 + eps))))";
	e.blended = "alpha * (in0 * (in1 * rsqrt(in4 + eps)) + (in2 - in3 * (in1 * rsqrt(in4 + eps)))) + beta * in5";
	ekka_attr_real(call, "eps", epsilon);
	why = factors(&e, alpha, beta);
	describe_elementwise(call, &e, fused ? "a normalisation with something fused behind it has no reference" : why);
}
