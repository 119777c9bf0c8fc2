/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution forward in cuDNN's graphs, and the gradient of its input, which is how transposed convolutions are computed, as op conv:
 * y = act(alpha conv(x, w) + beta z + bias), the sum in any order.
 * Zone: inside the host process.
 */
#include "config.h"

#include "preload/cudnn_plan.h"

#include <string.h>

/* A ReLU without upper limit and slope, or whatever else takes its usual parameters. */
static bool is_relu(const struct ekka_cudnn_node *n)
{
	return ekka_cudnn_is_pointwise(n, "RELU_FWD") && ekka_cudnn_only(n, "X Y upperClip lowerClip lowerClipSlope") &&
	       ekka_cudnn_number(n, "lowerClip", 0) == 0 && ekka_cudnn_number(n, "lowerClipSlope", 0) == 0 &&
	       ekka_cudnn_number(n, "upperClip", 3.4e38) > 3.4e38 - 1e34;
}

const char *ekka_cudnn_activation(const struct ekka_cudnn_node *n)
{
	static const struct { const char *mode, *name, *parameter; double usual; } plain[] = {
		{ "SIGMOID_FWD", "sigmoid", "", 0 }, { "TANH_FWD", "tanh", "", 0 }, { "GELU_FWD", "gelu", "", 0 },
		{ "GELU_APPROX_TANH_FWD", "gelu_tanh", "", 0 }, { "SWISH_FWD", "silu", "swishBeta", 1 }, { "ELU_FWD", "elu", "eluAlpha", 1 },
	};

	if (is_relu(n))
		return "relu";
	for (unsigned i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		char keys[16] = "X Y ";

		memcpy(keys + 4, plain[i].parameter, strlen(plain[i].parameter) + 1);
		if (ekka_cudnn_is_pointwise(n, plain[i].mode) && ekka_cudnn_only(n, keys) &&
		    ekka_cudnn_number(n, plain[i].parameter, plain[i].usual) == plain[i].usual)
			return plain[i].name;
	}
	return NULL;
}

/* The one node that reads a tensor inside the graph; NULL when there are more or none. */
static struct ekka_cudnn_node *reader(struct ekka_cudnn_graph *g, int tensor)
{
	for (unsigned i = 0; ekka_cudnn_readers(g, tensor) == 1 && i < g->n_nodes; i++)
		if (ekka_cudnn_edge(&g->node[i], "X") == tensor)
			return &g->node[i];
	return NULL;
}

/* [1, K, 1, ...] becomes [K]. */
static bool add_bias(struct ekka_cudnn_plan *p, const struct ekka_cudnn_graph *g, int tensor)
{
	struct ekka_cudnn_operand *o = &p->operand[p->n_operands];

	if (!ekka_cudnn_add_operand(p, g, "bias", EKKA_IN, tensor))
		return false;
	o->dim[0] = o->dim[1];
	o->stride[0] = o->stride[1];
	o->n_dims = 1;
	return true;
}

static bool is_bias(const struct ekka_cudnn_tensor *b, const struct ekka_cudnn_tensor *y)
{
	for (unsigned i = 0; i < b->n_dims; i++)
		if (b->dim[i] != (i == 1 ? y->dim[1] : 1))
			return false;
	return b->n_dims == y->n_dims;
}

static bool same_dims(const struct ekka_cudnn_tensor *a, const struct ekka_cudnn_tensor *b)
{
	return a->n_dims == b->n_dims && memcmp(a->dim, b->dim, a->n_dims * sizeof(a->dim[0])) == 0;
}

struct epilogue { bool has_bias, has_z; double beta; const char *activation; };

/* alpha1 X + alpha2 B: B is the bias or z. */
static bool add(struct ekka_cudnn_plan *p, struct ekka_cudnn_graph *g, const struct ekka_cudnn_node *n, struct epilogue *e)
{
	int b = ekka_cudnn_edge(n, "B"), y = ekka_cudnn_edge(n, "Y");
	double alpha2 = ekka_cudnn_number(n, "alpha2", 1);

	if (b < 0 || y < 0 || e->activation != NULL || !ekka_cudnn_only(n, "X B Y alpha2"))
		return false;
	if (alpha2 == 0)
		return true;
	if (is_bias(&g->tensor[b], &g->tensor[y]) && !e->has_bias && alpha2 == 1) {
		e->has_bias = true;
		return add_bias(p, g, b);
	}
	if (!same_dims(&g->tensor[b], &g->tensor[y]) || e->has_z)
		return false;
	e->has_z = true;
	e->beta = alpha2;
	return ekka_cudnn_add_operand(p, g, "z", EKKA_IN, b);
}

/* From the convolution's output along the pointwise nodes to what leaves the graph; that tensor, or -1. */
static int follow(struct ekka_cudnn_plan *p, struct ekka_cudnn_graph *g, int y, struct epilogue *e)
{
	while (y >= 0 && g->tensor[y].is_virtual) {
		struct ekka_cudnn_node *n = reader(g, y);

		if (n == NULL || n->used)
			return -1;
		n->used = true;
		if (ekka_cudnn_is_pointwise(n, "ADD")) {
			if (!add(p, g, n, e))
				return -1;
		} else if (!ekka_cudnn_is_pointwise(n, "IDENTITY")) {
			if (e->activation != NULL || (e->activation = ekka_cudnn_activation(n)) == NULL)
				return -1;
		}
		y = ekka_cudnn_edge(n, "Y");
	}
	return y;
}

/* The node that convolves; what the op calls x and y is `from` and `to`. */
static struct ekka_cudnn_node *find(struct ekka_cudnn_graph *g, const char **ret_from, const char **ret_to, bool *ret_transposed)
{
	for (unsigned i = 0; i < g->n_nodes; i++) {
		struct ekka_cudnn_node *n = &g->node[i];

		*ret_transposed = ekka_cudnn_is(n, "CONVOLUTION_BACKWARD_DATA");
		*ret_from = *ret_transposed ? "dY" : "X";
		*ret_to = *ret_transposed ? "dX" : "Y";
		if (*ret_transposed || ekka_cudnn_is(n, "CONVOLUTION_FORWARD"))
			return n;
	}
	return NULL;
}

/* Groups, from the channels on the side that the weights have per group; 0: they do not fit. */
static int64_t groups_of(const struct ekka_cudnn_tensor *x, const struct ekka_cudnn_tensor *w, const struct ekka_cudnn_tensor *y, bool transposed)
{
	const struct ekka_cudnn_tensor *side = transposed ? y : x;

	if (x->n_dims < 3 || w->n_dims != x->n_dims || y->n_dims != x->n_dims || w->dim[1] < 1 || side->dim[1] % w->dim[1] != 0)
		return 0;
	return side->dim[1] / w->dim[1];
}

bool ekka_cudnn_decode_conv(struct ekka_cudnn_plan *p, struct ekka_cudnn_graph *g)
{
	struct epilogue e = { .beta = 1 };
	const char *from, *to;
	bool transposed;
	struct ekka_cudnn_node *n = find(g, &from, &to, &transposed);
	struct ekka_json mode;
	int64_t groups;
	int x, w, y;

	if (n == NULL)
		return false;
	p->n_operands = p->n_facts = 0;
	p->op = "conv";
	n->used = true;
	x = ekka_cudnn_edge(n, from);
	w = ekka_cudnn_edge(n, "W");
	y = ekka_cudnn_edge(n, to);
	if (!ekka_cudnn_only(n, transposed ? "mode alpha beta pad stride dilation groupCount dX W dY" : "mode alpha beta pad stride dilation groupCount X W Y") ||
	    ekka_cudnn_number(n, "beta", 0) != 0 || !ekka_json_member(n->object, "mode", &mode) || !ekka_json_is(mode, "CUDNN_CROSS_CORRELATION") ||
	    !ekka_cudnn_add_operand(p, g, "x", EKKA_IN, x) || !ekka_cudnn_add_operand(p, g, "w", EKKA_IN, w) || y < 0)
		return false;
	groups = groups_of(&g->tensor[x], &g->tensor[w], &g->tensor[y], transposed);
	y = follow(p, g, y, &e);
	if (groups == 0 || y < 0 || !ekka_cudnn_add_operand(p, g, "y", EKKA_OUT, y) || !ekka_cudnn_add_list(p, 0, "pad", n, "pad") ||
	    !ekka_cudnn_add_list(p, 1, "stride", n, "stride") || !ekka_cudnn_add_list(p, 2, "dilation", n, "dilation"))
		return false;
	(void)ekka_cudnn_add_int(p, "groups", groups);
	(void)ekka_cudnn_add_real(p, "alpha", ekka_cudnn_number(n, "alpha", 1));
	if (transposed)
		(void)ekka_cudnn_add_int(p, "transposed", 1);
	if (e.has_z)
		(void)ekka_cudnn_add_real(p, "beta", e.beta);
	return e.activation == NULL || ekka_cudnn_add_text(p, "activation", e.activation);
}
