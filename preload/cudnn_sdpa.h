/* SPDX-License-Identifier: Apache-2.0 */
/* Attention in cuDNN's graphs, between reading the graph (cudnn_sdpa.c) and writing it into the plan (cudnn_sdpa_plan.c). Zone: inside the host process. */
#ifndef EKKA_PRELOAD_CUDNN_SDPA_H
#define EKKA_PRELOAD_CUDNN_SDPA_H

#include "preload/cudnn_plan.h"

/* Tensors of the graph by what they are, -1: there is none. */
struct ekka_cudnn_sdpa {
	struct ekka_cudnn_plan *plan;
	struct ekka_cudnn_graph *g;
	int q, k, v, out, lse, scale, bias, alibi, lengths_q, lengths_k, table_k, table_v;
	int keep_scale, seed, offset;	/* of dropout: what the weights that are kept are multiplied by */
	double keep;			/* probability to be kept; 1 without dropout */
	bool k_transposed;
};

/* Says why it has no reference, unless that was said; false. */
static inline bool ekka_cudnn_sdpa_refuse(struct ekka_cudnn_sdpa *s, const char *why)
{
	if (s->plan->why == NULL)
		s->plan->why = why;
	return false;
}

/* Operands and facts of op attention. False when something does not fit. */
bool ekka_cudnn_sdpa_plan(struct ekka_cudnn_sdpa *);

#endif
