/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUDA graphs: what the kernel nodes of each executable graph are. Zone: inside the host process. Any thread; memory in pages of its own.
 *
 * Read from the driver when a graph is instantiated, since only then and only there can every node be read, and kept until the executable graph
 * goes. Nothing is ever enqueued on a stream that is being captured, and nothing asked that a capture forbids.
 */
#ifndef EKKA_CUPTI_GRAPH_H
#define EKKA_CUPTI_GRAPH_H

#include "cupti/kernel.h"

#include <stdatomic.h>

struct ekka_graph_node {
	CUgraphNode handle;
	CUfunction f;				/* or a CUkernel cast to it */
	const struct ekka_kernel_facts *kernel;
	unsigned grid[3], block[3], shared_bytes;
	void *params;				/* packed as the kernel takes them; NULL: not known */
	size_t params_bytes;
	bool disabled;
};

struct ekka_graph {
	struct ekka_graph *next;
	CUgraphExec exec;
	struct ekka_graph_node *node;		/* kernel nodes, in the order the graph lists them; nested graphs' in the place of their node */
	unsigned n_kernels, n_nodes;		/* n_nodes: of any kind */
	unsigned n_unread;			/* nodes whose kernels could not be read: conditional ones, and what there was no room for */
	bool allocates;				/* it has memory of its own */
	_Atomic unsigned users;
	_Atomic bool gone;			/* the executable graph is destroyed: the last user frees this */
	/* The launch that listed the nodes as events, and the segment it lies in; 0: none since they changed. */
	_Atomic uint64_t listed;
	_Atomic unsigned listed_in;
	size_t bytes;				/* of the mapping that holds all this */
};

/* exec was made, or updated, from graph: reads graph's nodes. */
void ekka_graph_learn(CUgraphExec exec, CUgraph graph);

/* What is known of exec; NULL: nothing. Give back after use. */
struct ekka_graph *ekka_graph_take(CUgraphExec exec);
void ekka_graph_give(struct ekka_graph *);

/* One node of exec has new parameters, is switched on or off; NULL parameters: new ones that cannot be read. */
void ekka_graph_change(CUgraphExec exec, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS *params);
void ekka_graph_enable(CUgraphExec exec, CUgraphNode node, bool enabled);

void ekka_graph_forget(CUgraphExec exec);
void ekka_graphs_fork_child(void);

/* Is the stream being captured: a launch on it does not run now. Costs next to nothing while nobody captures. */
bool ekka_is_captured(const struct ekka_cuda_driver *drv, CUstream stream);
void ekka_capture_begins(void);
void ekka_capture_ended(void);

#endif
