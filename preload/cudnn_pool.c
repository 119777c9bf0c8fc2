/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling in cuDNN's graphs, one RESAMPLE_FWD node, as op pool. Zone: inside the host process. */
#include "config.h"

#include "preload/cudnn_plan.h"

/* Maxima that padding cannot win, means to which it adds nothing. */
static const struct { const char *mode, *padding, *kind; } kinds[] = {
	{ "CUDNN_RESAMPLE_MAXPOOL", "CUDNN_NEG_INF_PAD", "max" }, { "CUDNN_RESAMPLE_AVGPOOL_INCLUDE_PADDING", "CUDNN_ZERO_PAD", "avg_padded" },
	{ "CUDNN_RESAMPLE_AVGPOOL", "CUDNN_ZERO_PAD", "avg_padded" }, { "CUDNN_RESAMPLE_AVGPOOL_EXCLUDE_PADDING", "CUDNN_ZERO_PAD", "avg" },
};

bool ekka_cudnn_decode_pool(struct ekka_cudnn_plan *p, struct ekka_cudnn_graph *g)
{
	struct ekka_cudnn_node *n = &g->node[0];
	struct ekka_json mode, padding, nan;
	const char *kind = NULL;

	if (g->n_nodes != 1 || !ekka_cudnn_is(n, "RESAMPLE_FWD"))
		return false;
	n->used = true;
	p->n_operands = p->n_facts = 0;
	p->op = "pool";
	if (!ekka_cudnn_only(n, "mode nanOpt paddingMode nbSpatialDims compType windowDim prePad postPad stride alpha beta X Y") ||
	    ekka_cudnn_number(n, "alpha", 1) != 1 || ekka_cudnn_number(n, "beta", 0) != 0 || !ekka_json_member(n->object, "mode", &mode) ||
	    !ekka_json_member(n->object, "paddingMode", &padding))
		return false;
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (ekka_json_is(mode, kinds[i].mode) && ekka_json_is(padding, kinds[i].padding))
			kind = kinds[i].kind;
	if (kind == NULL || !ekka_cudnn_add_operand(p, g, "x", EKKA_IN, ekka_cudnn_edge(n, "X")) ||
	    !ekka_cudnn_add_operand(p, g, "y", EKKA_OUT, ekka_cudnn_edge(n, "Y")) || !ekka_cudnn_add_list(p, 0, "window", n, "windowDim") ||
	    !ekka_cudnn_add_list(p, 1, "stride", n, "stride") || !ekka_cudnn_add_list(p, 2, "pad", n, "prePad") ||
	    !ekka_cudnn_add_list(p, 3, "pad_end", n, "postPad"))
		return false;
	if (ekka_json_member(n->object, "nanOpt", &nan) && !ekka_json_is(nan, "CUDNN_PROPAGATE_NAN"))
		(void)ekka_cudnn_add_int(p, "nan", 0);
	return ekka_cudnn_add_text(p, "kind", kind);
}
