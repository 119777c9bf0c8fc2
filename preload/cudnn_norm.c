/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Norms in cuDNN's graphs: one NORM_FORWARD node. Zone: inside the host process.
 *
 *	layer, RMS	op norm over the dims that the scale has
 *	instance	op norm over the positions of each channel, whose scale and bias are one number for all of them
 *	batch		with given statistics, element by element: op elementwise
 *
 * Which formula an engine has for the variance is not told, so that the bound is the wider one, of the mean of squares.
 */
#include "config.h"

#include "preload/cudnn_plan.h"

static bool is(const struct ekka_cudnn_node *n, const char *key, const char *value)
{
	struct ekka_json v;

	return ekka_json_member(n->object, key, &v) && ekka_json_is(v, value);
}

static struct ekka_cudnn_operand *add(struct ekka_cudnn_plan *p, const struct ekka_cudnn_graph *g, const char *name, enum ekka_dir dir, int tensor)
{
	return ekka_cudnn_add_operand(p, g, name, dir, tensor) ? &p->operand[p->n_operands - 1] : NULL;
}

/* Makes dims from... one, the last; false where they do not lie behind one another. */
static bool merge(struct ekka_cudnn_operand *o, unsigned from)
{
	int64_t n = 1, stride = 0;

	if (o == NULL || from >= o->n_dims)
		return false;
	for (unsigned i = o->n_dims; i-- > from;) {
		if (o->dim[i] == 1)
			continue;
		if (stride != 0 && o->stride[i] != stride * n)
			return false;
		stride = stride == 0 ? o->stride[i] : stride;
		n *= o->dim[i];
	}
	o->dim[from] = n;
	o->stride[from] = stride == 0 ? 1 : stride;
	o->n_dims = from + 1;
	return true;
}

/* Scale or bias: of the merged dims, or, per channel, of each row one number. */
static bool add_weight(struct ekka_cudnn_plan *p, const struct ekka_cudnn_graph *g, const char *name, int tensor, unsigned from, bool per_channel)
{
	const struct ekka_cudnn_operand *x = &p->operand[0];
	struct ekka_cudnn_operand *o;

	if (tensor < 0)
		return true;
	o = add(p, g, name, EKKA_IN, tensor);
	if (o == NULL)
		return false;
	for (unsigned i = 0; i < o->n_dims; i++)
		if ((per_channel ? i != 1 : i < from) && o->dim[i] != 1)
			return false;
	if (!per_channel) {
		if (!merge(o, from) || o->dim[from] != x->dim[from])
			return false;
		o->dim[0] = o->dim[from];
		o->stride[0] = o->stride[from];
		o->n_dims = 1;
		return true;
	}
	if (o->n_dims < 2 || o->dim[1] != x->dim[1])
		return false;
	*o = (struct ekka_cudnn_operand){ .uid = o->uid, .dir = o->dir, .dtype = o->dtype, .n_dims = 2, .dim = { o->dim[1], x->dim[2] },
					  .stride = { o->stride[1], 0 } };
	for (unsigned i = 0; name[i] != '\0'; i++)
		o->name[i] = name[i];
	return true;
}

/* The first dim that the scale has: all behind it are normalised. */
static unsigned first_of(const struct ekka_cudnn_tensor *scale)
{
	unsigned from = 0;

	while (from + 1 < scale->n_dims && scale->dim[from] == 1)
		from++;
	return from;
}

static bool rows(struct ekka_cudnn_plan *p, struct ekka_cudnn_graph *g, const struct ekka_cudnn_node *n, const char *kind, bool instance)
{
	int x = ekka_cudnn_edge(n, "X"), scale = ekka_cudnn_edge(n, "Scale");
	unsigned from;

	if (!ekka_cudnn_only(n, "mode fmode X Scale Bias Y epsilonDesc") || x < 0 || scale < 0 || g->tensor[scale].n_dims != g->tensor[x].n_dims)
		return false;
	from = instance ? 2 : first_of(&g->tensor[scale]);
	return from > 0 && merge(add(p, g, "x", EKKA_IN, x), from) && merge(add(p, g, "y", EKKA_OUT, ekka_cudnn_edge(n, "Y")), from) &&
	       add_weight(p, g, "weight", scale, from, instance) && add_weight(p, g, "bias", ekka_cudnn_edge(n, "Bias"), from, instance) &&
	       ekka_cudnn_add_text(p, "kind", kind) && ekka_cudnn_add_int(p, "one_pass", 1) &&
	       ekka_cudnn_add_by_value(p, g, "eps", ekka_cudnn_edge(n, "epsilonDesc"));
}

static bool given(struct ekka_cudnn_plan *p, struct ekka_cudnn_graph *g, const struct ekka_cudnn_node *n)
{
	static const char *const keys[] = { "X", "Mean", "InvVariance", "Scale", "Bias" }, *const names[] = { "in0", "in1", "in2", "in3", "in4" };
	struct ekka_cudnn_operand *x = NULL;

	if (!ekka_cudnn_only(n, "mode fmode X Mean InvVariance Scale Bias Y epsilonDesc"))
		return false;
	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct ekka_cudnn_operand *o = add(p, g, names[i], EKKA_IN, ekka_cudnn_edge(n, keys[i]));

		x = i == 0 ? o : x;
		if (o == NULL || x == NULL || !ekka_cudnn_broadcast(o, x->dim, x->n_dims))
			return false;
	}
	return add(p, g, "out0", EKKA_OUT, ekka_cudnn_edge(n, "Y")) != NULL && ekka_cudnn_add_text(p, "expr", "(in0 - in1) * in2 * in3 + in4");
}

bool ekka_cudnn_decode_norm(struct ekka_cudnn_plan *p, struct ekka_cudnn_graph *g)
{
	struct ekka_cudnn_node *n = &g->node[0];

	if (g->n_nodes != 1 || !ekka_cudnn_is(n, "NORM_FORWARD"))
		return false;
	n->used = true;
	p->n_operands = p->n_facts = 0;
	if (!is(n, "fmode", "CUDNN_NORM_FWD_INFERENCE")) {
		p->why = "a norm that keeps statistics for training has no reference";
		return false;
	}
	p->op = "norm";
	if (is(n, "mode", "CUDNN_LAYER_NORM"))
		return rows(p, g, n, "layer", false);
	if (is(n, "mode", "CUDNN_RMS_NORM"))
		return rows(p, g, n, "rms", false);
	if (is(n, "mode", "CUDNN_INSTANCE_NORM"))
		return rows(p, g, n, "layer", true);
	p->op = "elementwise";
	return is(n, "mode", "CUDNN_BATCH_NORM") && given(p, g, n);
}
