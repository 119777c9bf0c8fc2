/* SPDX-License-Identifier: Apache-2.0 */
/* libcuda.so.1: capture and graphs, as far as anybody here needs them. */
#include "config.h"

#include "tests/fake/fake.h"

#include <stdlib.h>

#define GRAPH(handle) ((struct fake_graph *)(handle))
#define NODE(handle) ((struct fake_node *)(handle))

FAKE_EXPORT CUresult cuStreamBeginCapture(CUstream stream, CUstreamCaptureMode mode)
{
	ENTER(cuStreamBeginCapture);
	return fake_capture_begin(fake_stream_of(stream), mode);
}

FAKE_EXPORT CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph)
{
	ENTER(cuStreamEndCapture);
	return fake_capture_end(fake_stream_of(stream), (struct fake_graph **)graph);
}

/* *n: room in nodes; then how many there are. */
FAKE_EXPORT CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *n)
{
	ENTER(cuGraphGetNodes);
	for (size_t i = 0; nodes != NULL && i < *n; i++)
		nodes[i] = (CUgraphNode)fake_graph_node(GRAPH(graph), i);
	*n = fake_graph_nodes(GRAPH(graph));
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuGraphNodeGetType(CUgraphNode node, CUgraphNodeType *type)
{
	CUDA_KERNEL_NODE_PARAMS p;

	ENTER(cuGraphNodeGetType);
	*type = fake_kernel_node_get(NODE(node), &p) ? CU_GRAPH_NODE_TYPE_KERNEL :
		NODE(node)->work != NULL	     ? CU_GRAPH_NODE_TYPE_MEMCPY :
						       CU_GRAPH_NODE_TYPE_EVENT_RECORD;
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuGraphKernelNodeGetParams(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS *params)
{
	ENTER(cuGraphKernelNodeGetParams);
	return fake_kernel_node_get(NODE(node), params) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

FAKE_EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long flags)
{
	ENTER(cuGraphInstantiateWithFlags);
	(void)flags;
	*exec = (CUgraphExec)fake_graph_copy(GRAPH(graph));
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuGraphExecKernelNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS *params)
{
	struct fake_node *mine = fake_graph_counterpart(GRAPH(exec), NODE(node));

	ENTER(cuGraphExecKernelNodeSetParams);
	return mine != NULL && fake_kernel_node_set(mine, params) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

FAKE_EXPORT CUresult cuGraphNodeSetEnabled(CUgraphExec exec, CUgraphNode node, unsigned enabled)
{
	struct fake_node *mine = fake_graph_counterpart(GRAPH(exec), NODE(node));

	ENTER(cuGraphNodeSetEnabled);
	if (mine == NULL)
		return CUDA_ERROR_INVALID_VALUE;
	mine->disabled = !enabled;
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream)
{
	ENTER(cuGraphLaunch);
	return fake_graph_launch(GRAPH(exec), fake_stream_of(stream));
}

/* Work that is under way keeps what it needs; the memory of the graph itself stays, so that a stale handle shows as a wrong answer. */
FAKE_EXPORT CUresult cuGraphExecDestroy(CUgraphExec exec)
{
	ENTER(cuGraphExecDestroy);
	(void)exec;
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuGraphDestroy(CUgraph graph)
{
	ENTER(cuGraphDestroy);
	(void)graph;
	return CUDA_SUCCESS;
}
