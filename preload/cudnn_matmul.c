/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matrix products in cuDNN's graphs, as op matmul: C = act(A B + bias). Zone: inside the host process.
 *
 * cuDNN's bias lies along the columns, op matmul's along the rows: the transposed product is described, Cᵀ = act(Bᵀ Aᵀ + bias).
 */
#include "config.h"

#include "preload/cudnn_plan.h"

#include <string.h>

static bool add_transposed(struct ekka_cudnn_plan *p, const struct ekka_cudnn_graph *g, const char *name, enum ekka_dir dir, int tensor,
			   const int64_t *batch)
{
	struct ekka_cudnn_operand *o = &p->operand[p->n_operands];
	int64_t swap;

	if (!ekka_cudnn_add_operand(p, g, name, dir, tensor) || o->n_dims != 3)
		return false;
	swap = o->dim[1], o->dim[1] = o->dim[2], o->dim[2] = swap;
	swap = o->stride[1], o->stride[1] = o->stride[2], o->stride[2] = swap;
	/* One matrix for the whole batch. */
	if (o->dim[0] == 1 && *batch > 1)
		o->stride[0] = 0, o->dim[0] = *batch;
	return o->dim[0] == *batch;
}

/* [1, 1, n] becomes [n, 1]. */
static bool add_bias(struct ekka_cudnn_plan *p, const struct ekka_cudnn_graph *g, int tensor, int64_t n)
{
	struct ekka_cudnn_operand *o = &p->operand[p->n_operands];

	if (!ekka_cudnn_add_operand(p, g, "bias", EKKA_IN, tensor) || o->n_dims != 3 || o->dim[0] != 1 || o->dim[1] != 1 || o->dim[2] != n)
		return false;
	o->dim[0] = n;
	o->stride[0] = o->stride[2];
	o->dim[1] = o->stride[1] = 1;
	o->n_dims = 2;
	return true;
}

/* Names of cublasLtEpilogue_t: its GELU is the one by tanh. */
static const char *epilogue(bool bias, const char *activation)
{
	if (activation == NULL)
		return bias ? "bias" : "default";
	if (strcmp(activation, "relu") == 0)
		return bias ? "relu_bias" : "relu";
	if (strcmp(activation, "gelu_tanh") == 0)
		return bias ? "gelu_bias" : "gelu";
	return NULL;
}

bool ekka_cudnn_decode_matmul(struct ekka_cudnn_plan *p, struct ekka_cudnn_graph *g)
{
	struct ekka_cudnn_node *n = g->n_nodes > 0 && g->n_nodes <= 3 ? &g->node[0] : NULL;
	const char *activation = NULL, *name;
	int64_t batch;
	int bias = -1, c;

	if (n == NULL || !ekka_cudnn_is(n, "MATMUL") || !ekka_cudnn_only(n, "matA matB matC"))
		return false;
	n->used = true;
	c = ekka_cudnn_edge(n, "matC");
	for (unsigned i = 1; i < g->n_nodes; i++) {
		n = &g->node[i];
		if (c < 0 || !g->tensor[c].is_virtual || ekka_cudnn_edge(n, "X") != c || activation != NULL)
			return false;
		if (ekka_cudnn_is_pointwise(n, "ADD") && ekka_cudnn_only(n, "X B Y") && bias < 0)
			bias = ekka_cudnn_edge(n, "B");
		else if ((activation = ekka_cudnn_activation(n)) == NULL)
			return false;
		n->used = true;
		c = ekka_cudnn_edge(n, "Y");
	}
	name = epilogue(bias >= 0, activation);
	if (c < 0 || g->tensor[c].n_dims != 3 || name == NULL)
		return false;
	batch = g->tensor[c].dim[0];
	p->n_operands = p->n_facts = 0;
	p->op = "matmul";
	if (!add_transposed(p, g, "A", EKKA_IN, ekka_cudnn_edge(&g->node[0], "matB"), &batch) ||
	    !add_transposed(p, g, "B", EKKA_IN, ekka_cudnn_edge(&g->node[0], "matA"), &batch) ||
	    !add_transposed(p, g, "D", EKKA_OUT, c, &batch) || (bias >= 0 && !add_bias(p, g, bias, g->tensor[c].dim[2])))
		return false;
	return ekka_cudnn_add_text(p, "epilogue", name) && ekka_cudnn_add_real(p, "alpha", 1) &&
	       ekka_cudnn_add_real(p, "beta", 0);
}
