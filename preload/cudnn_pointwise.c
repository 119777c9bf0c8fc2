/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Graphs of nothing but POINTWISE nodes, as op elementwise: batch normalisation with given statistics as cudnn-frontend takes it apart, biases and
 * activations of their own. Zone: inside the host process.
 *
 * Every node is an assignment: a tensor from outside is in0, in1..., a number by value c0, c1..., a result out0, out1..., what stays inside t and the
 * tensor's place. Those that stay inside must be f32: whether others are rounded is the engine's own affair.
 */
#include "config.h"

#include "preload/cudnn_plan.h"

#include <string.h>

static const struct { const char *mode, *expr; bool two; } modes[] = {	/* x X, b B */
	{ "ADD", "x + b", true }, { "SUB", "x - b", true }, { "MUL", "x * b", true }, { "DIV", "x / b", true }, { "MAX", "max(x, b)", true }, { "MIN", "min(x, b)", true }, { "ABS", "abs(x)", false },
	{ "NEG", "-x", false }, { "EXP", "exp(x)", false }, { "LOG", "log(x)", false }, { "SQRT", "sqrt(x)", false }, { "RSQRT", "rsqrt(x)", false }, { "RECIPROCAL", "1 / x", false },
	{ "IDENTITY", "x", false }, { "SIN", "sin(x)", false }, { "COS", "cos(x)", false }, { "CEIL", "ceil(x)", false }, { "FLOOR", "floor(x)", false },
};
static const struct { const char *name, *expr; } activations[] = {	/* ekka_cudnn_activation's; ELU as op conv has it */
	{ "relu", "relu(x)" }, { "sigmoid", "sigmoid(x)" }, { "tanh", "tanh(x)" }, { "gelu", "gelu(x)" }, { "gelu_tanh", "gelu_tanh(x)" },
	{ "silu", "silu(x)" }, { "elu", "where(x > 0, x, exp(x) - 1)" },
};
static const char *const inputs[] = { "in0", "in1", "in2", "in3", "in4", "in5", "in6", "in7" };
static const char *const numbers[] = { "c0", "c1", "c2", "c3" };
static const char *const results[] = { "out0", "out1", "out2", "out3" };
enum { INPUTS = sizeof(inputs) / sizeof(inputs[0]), NUMBERS = sizeof(numbers) / sizeof(numbers[0]), RESULTS = sizeof(results) / sizeof(results[0]) };

struct pointwise {
	struct ekka_cudnn_plan *plan;
	struct ekka_cudnn_graph *g;
	const char *name[EKKA_CUDNN_TENSORS];	/* of those with one of their own; known inside: "" */
	bool known[EKKA_CUDNN_TENSORS];
	unsigned n_inputs, n_numbers, n_results;
	int shape;				/* a result, whose dims all have */
	unsigned at;				/* in the text */
};

static bool put(struct pointwise *p, const char *text)
{
	for (; *text != '\0'; text++) {
		if (p->at + 1 >= sizeof(p->plan->expr))
			return false;
		p->plan->expr[p->at++] = *text;
	}
	p->plan->expr[p->at] = '\0';
	return true;
}

static bool put_tensor(struct pointwise *p, int tensor)
{
	char name[4] = { 't', (char)('0' + tensor / 10), (char)('0' + tensor % 10), '\0' };

	return tensor < 100 && put(p, p->name[tensor] != NULL ? p->name[tensor] : name);
}

static bool is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

/* "max(x, b)" with the tensors' names. */
static bool put_expr(struct pointwise *p, const char *expr, int x, int b)
{
	for (const char *c = expr; *c != '\0'; c++) {
		bool is_name = (*c == 'x' || *c == 'b') && !is_letter(c[1]) && (c == expr || !is_letter(c[-1]));
		char one[2] = { *c, '\0' };

		if (is_name ? !put_tensor(p, *c == 'x' ? x : b) : !put(p, one))
			return false;
	}
	return true;
}

static bool is_real(const struct ekka_cudnn_tensor *t)
{
	return t->dtype == EKKA_F32 || t->dtype == EKKA_F16 || t->dtype == EKKA_BF16;
}

/* An input of a node: described when it comes from outside. False: not known yet, or not to be described. */
static bool take(struct pointwise *p, int tensor)
{
	struct ekka_cudnn_tensor *t = &p->g->tensor[tensor];
	struct ekka_cudnn_plan *plan = p->plan;

	if (p->known[tensor])
		return true;
	if (t->written)
		return false;
	if (t->by_value && p->n_numbers < NUMBERS) {
		p->name[tensor] = numbers[p->n_numbers++];
		return p->known[tensor] = ekka_cudnn_add_by_value(plan, p->g, p->name[tensor], tensor);
	}
	if (p->n_inputs == INPUTS || !is_real(t) || !ekka_cudnn_add_operand(plan, p->g, inputs[p->n_inputs], EKKA_IN, tensor) ||
	    !ekka_cudnn_broadcast(&plan->operand[plan->n_operands - 1], p->g->tensor[p->shape].dim, p->g->tensor[p->shape].n_dims))
		return false;
	p->name[tensor] = inputs[p->n_inputs++];
	return p->known[tensor] = true;
}

/* What a node computes, of x and b; NULL where it is not known here. */
static const char *expression(const struct ekka_cudnn_node *n)
{
	const char *activation = ekka_cudnn_activation(n);

	for (unsigned i = 0; activation != NULL && i < sizeof(activations) / sizeof(activations[0]); i++)
		if (strcmp(activation, activations[i].name) == 0)
			return activations[i].expr;
	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (ekka_cudnn_is_pointwise(n, modes[i].mode) && ekka_cudnn_only(n, modes[i].two ? "X B Y" : "X Y") &&
		    (ekka_cudnn_edge(n, "B") >= 0) == modes[i].two)
			return modes[i].expr;
	return NULL;
}

/* The result has a name from here on: of its own outside, or it is f32. */
static bool begin_result(struct pointwise *p, int y)
{
	const struct ekka_cudnn_tensor *shape = &p->g->tensor[p->shape], *t = &p->g->tensor[y];

	if (t->n_dims != shape->n_dims || memcmp(t->dim, shape->dim, t->n_dims * sizeof(t->dim[0])) != 0)
		return false;
	if (t->is_virtual)
		return t->dtype == EKKA_F32;
	/* One that is read again may be so rounded or not. */
	if (p->n_results == RESULTS || !is_real(t) || (t->read && t->dtype != EKKA_F32) || !ekka_cudnn_add_operand(p->plan, p->g, results[p->n_results], EKKA_OUT, y))
		return false;
	p->name[y] = results[p->n_results++];
	return true;
}

/* A node's assignment, once its inputs are known. */
static bool assign(struct pointwise *p, struct ekka_cudnn_node *n)
{
	int x = ekka_cudnn_edge(n, "X"), b = ekka_cudnn_edge(n, "B"), y = ekka_cudnn_edge(n, "Y");
	const char *expr = expression(n);

	if (expr == NULL || x < 0 || y < 0 || !take(p, x) || (b >= 0 && !take(p, b)) || !begin_result(p, y))
		return false;
	p->known[y] = true;
	n->used = true;
	return (p->at == 0 || put(p, "; ")) && put_tensor(p, y) && put(p, " = ") && put_expr(p, expr, x, b);
}

bool ekka_cudnn_decode_pointwise(struct ekka_cudnn_plan *plan, struct ekka_cudnn_graph *g)
{
	struct pointwise p = { .plan = plan, .g = g, .shape = -1 };
	bool progress = g->n_nodes > 0;
	unsigned done = 0;

	for (unsigned i = 0; i < g->n_nodes; i++) {
		int y = ekka_cudnn_edge(&g->node[i], "Y");

		if (!ekka_cudnn_is(&g->node[i], "POINTWISE"))
			return false;
		if (y >= 0 && !g->tensor[y].is_virtual)
			p.shape = y;
	}
	if (p.shape < 0)
		return false;
	plan->n_operands = plan->n_facts = 0;
	plan->op = "elementwise";
	plan->expr[0] = '\0';
	/* In whatever order the graph lists them. */
	while (done < g->n_nodes && progress) {
		progress = false;
		for (unsigned i = 0; i < g->n_nodes; i++)
			if (!g->node[i].used && assign(&p, &g->node[i])) {
				done++;
				progress = true;
			}
	}
	return done == g->n_nodes && ekka_cudnn_add_text(plan, "expr", plan->expr);
}
