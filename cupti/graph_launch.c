/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launch of a graph as an event: function cuGraphLaunch, attributes nodes and kernels; inside it, as events of depth 1, the launches of its
 * kernel nodes, or attribute same_as with the event that has them. At level full the memory that the nodes' parameters point to is
 * taken before and after the whole graph (attribute snapshot "boundary"), as far as a node's description says or else EKKA_BUFFER_BYTES at most: what a node between changed and another changed again does not show.
 */
#include "config.h"

#include "cupti/alloc.h"
#include "cupti/graph.h"
#include "cupti/launch.h"
#include "cupti/memory.h"
#include "cupti/params.h"
#include "cupti/slot.h"

#include "preload/conf.h"
#include "preload/cuda_driver.h"
#include "preload/guard.h"
#include "preload/snapshot.h"
#include "preload/timing.h"

#include <stdio.h>
#include <string.h>

/* Declared in no header: cuda.h renames instead. */
__typeof__(cuGraphLaunch) cuGraphLaunch_ptsz;
__typeof__(cuGraphInstantiateWithParams) cuGraphInstantiateWithParams_ptsz;
__typeof__(cuStreamBeginCapture_v2) cuStreamBeginCapture_v2_ptsz;
__typeof__(cuStreamEndCapture) cuStreamEndCapture_ptsz;
#if CUDA_VERSION >= 12030
__typeof__(cuStreamBeginCaptureToGraph) cuStreamBeginCaptureToGraph_ptsz;
#endif

/* ---- buffers ---------------------------------------------------------- */

enum { NAME = 32, WORD = sizeof(uint64_t) };

struct buffers {
	struct ekka_call *call;
	struct ekka_slot_memory *slot;	/* for what a node means; NULL: that is not asked */
	char name[EKKA_MAX_TENSORS][NAME];
	unsigned n_left_out;
	unsigned most;			/* tensors, for now */
};

/* An address inside what is taken already is the same buffer. */
static bool is_taken(const struct ekka_call *call, uint64_t addr, uint64_t bytes)
{
	for (unsigned i = 0; i < call->rec.n_tensors; i++)
		if (addr - call->tensors[i].addr < call->tensors[i].span_bytes && bytes <= call->tensors[i].span_bytes - (addr - call->tensors[i].addr))
			return true;
	return false;
}

/* Room for one more, and where its name goes; NULL: none. */
static char *next_name(struct buffers *b)
{
	if (b->call->rec.n_tensors < b->most)
		return b->name[b->call->rec.n_tensors];
	b->n_left_out++;
	return NULL;
}

static void add(struct buffers *b, const char *name, uint64_t addr, uint64_t bytes)
{
	(void)ekka_tensor(b->call, &(struct ekka_tensor){
		.name = name, .dir = EKKA_INOUT, .dtype = EKKA_U8, .place = EKKA_DEVICE, .n_dims = 1, .dim = { (int64_t)bytes },
		.stride = { 1 }, .addr = addr, .alias_of = -1, .pre = true, .post = true });
}

/* A word that may be an address: how far it reaches nobody says. */
static void add_word(struct buffers *b, uint64_t addr, unsigned node, unsigned param, unsigned at)
{
	uint64_t start, bytes, left;
	char *name;

	if (addr >> 32 == 0 || is_taken(b->call, addr, 1) || !ekka_alloc_range(addr, &start, &bytes))
		return;
	left = start + bytes - addr;
	name = next_name(b);
	if (!name)
		return;
	(void)snprintf(name, NAME, at ? "n%u.p%u+%u" : "n%u.p%u", node, param, at);
	add(b, name, addr, left < ekka_conf.buffer_bytes ? left : ekka_conf.buffer_bytes);
}

static bool range(void *arg, uint64_t addr, uint64_t *ret_start, uint64_t *ret_bytes)
{
	(void)arg;
	return ekka_alloc_range(addr, ret_start, ret_bytes);
}

/* The tensors of the node's description; false: none that fits. One through an array of pointers is left to the words. */
static bool add_meaning(struct buffers *b, const struct ekka_graph_node *node, unsigned number)
{
	const struct ekka_kernel_facts *k = node->kernel;
	size_t bytes = node->params_bytes;
	void *extra[] = { CU_LAUNCH_PARAM_BUFFER_POINTER, node->params, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes, CU_LAUNCH_PARAM_END };
	struct ekka_launch_facts facts = { .shared = node->shared_bytes, .n_params = k->kernel.n_args, .param_bytes = k->bytes, .range = range };
	struct ekka_meaning *m;

	if (!b->slot || !k->binding || !ekka_params_locate(k, NULL, extra, b->slot->param))
		return false;
	m = &b->slot->meaning;
	memcpy(facts.grid, node->grid, sizeof(facts.grid));
	memcpy(facts.block, node->block, sizeof(facts.block));
	facts.param = b->slot->param;
	ekka_describe(k->binding, &facts, m);
	for (unsigned i = 0; m->op && i < m->n_tensors; i++) {
		const struct ekka_tensor *t = &m->tensors[i];
		char *name;

		if (t->place != EKKA_DEVICE || t->n_ptrs > 0 || t->span_bytes == 0 || is_taken(b->call, t->addr, t->span_bytes))
			continue;
		name = next_name(b);
		if (!name)
			break;
		(void)snprintf(name, NAME, "n%u.%s", number, t->name);
		add(b, name, t->addr, t->span_bytes);
	}
	return m->op || m->nothing;
}

static void add_node(struct buffers *b, const struct ekka_graph_node *node, unsigned number)
{
	const struct ekka_kernel_facts *k = node->kernel;
	uint64_t word;

	if (!node->params || !k || node->disabled || add_meaning(b, node, number))
		return;
	for (unsigned i = 0; i < k->kernel.n_args; i++)
		for (unsigned at = (WORD - k->offset[i] % WORD) % WORD; at + WORD <= k->bytes[i]; at += WORD) {
			if (k->offset[i] + at + WORD > node->params_bytes)
				return;
			memcpy(&word, (const char *)node->params + k->offset[i] + at, WORD);
			add_word(b, word, number, i, at);
		}
}

/* What goes in is most likely a parameter of the first nodes, what comes out of the last: half of the room for each. */
static void add_buffers(struct buffers *b, const struct ekka_graph *g)
{
	unsigned first = 0, last = g->n_kernels;

	b->most = EKKA_MAX_TENSORS / 2;
	while (first < last && b->call->rec.n_tensors < b->most)
		add_node(b, &g->node[first], first), first++;
	b->most = EKKA_MAX_TENSORS;
	while (last > first)
		last--, add_node(b, &g->node[last], last);
	ekka_attr_str(b->call, "snapshot", "boundary");
	if (b->n_left_out)
		ekka_attr_int(b->call, "more_buffers", b->n_left_out);
}

/* ---- the event -------------------------------------------------------- */

static uint64_t listed_event(struct ekka_graph *g)
{
	return atomic_load(&g->listed_in) == ekka_segment_generation() ? atomic_load(&g->listed) : 0;
}

static void tell(struct ekka_call *e, struct ekka_graph *g, struct buffers *b)
{
	uint64_t listed = g ? listed_event(g) : 0;

	if (!g) {
		ekka_attr_str(e, "nodes", "not known");	/* made by other means than those we watch */
		e->full = false;
		return;
	}
	ekka_attr_int(e, "nodes", g->n_nodes);
	ekka_attr_int(e, "kernels", g->n_kernels);
	if (g->n_unread)
		ekka_attr_int(e, "unread", g->n_unread);
	if (listed)
		ekka_attr_int(e, "same_as", (int64_t)listed);
	if (e->full) {
		b->call = e;
		b->slot = ekka_slot_take();
		b->n_left_out = 0;
		add_buffers(b, g);
		ekka_slot_give();
	}
	e->full = e->full && e->rec.n_tensors > 0;
}

/* One event for each node, inside the graph's. */
static void list_nodes(const struct ekka_graph *g, CUstream stream, CUresult res)
{
	for (unsigned i = 0; i < g->n_kernels; i++) {
		const struct ekka_graph_node *n = &g->node[i];
		size_t bytes = n->params_bytes;
		void *extra[] = { CU_LAUNCH_PARAM_BUFFER_POINTER, n->params, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes, CU_LAUNCH_PARAM_END };

		if (!n->disabled && n->kernel)
			ekka_launch_end(ekka_launch_record(&(struct ekka_launch){
				.f = n->f, .grid = { n->grid[0], n->grid[1], n->grid[2] }, .block = { n->block[0], n->block[1], n->block[2] },
				.shared_bytes = n->shared_bytes, .stream = stream, .extra = n->params ? extra : NULL }), res);
	}
}

static CUresult launch(__typeof__(&cuGraphLaunch) call, struct ekka_driver_fn *fn, CUgraphExec exec, CUstream s, CUstream handle,
		       const void *caller)
{
	struct buffers buffers;
	struct ekka_graph *g = NULL;
	struct ekka_call e;
	CUresult res;
	bool on = call && ekka_memory_enter(&e, fn, caller), told = on && e.describe;

	if (!call)
		return NO_DRIVER;
	if (told) {
		const struct ekka_value values[] = { PAIRS(PAIR_VALUE, CUgraphExec, exec, CUstream, s) };

		g = ekka_graph_take(exec);
		ekka_memory_tell(&e, handle, values, 2);
		tell(&e, g, &buffers);
	}
	if (on) {
		ekka_call_begin(&e);
		ekka_timing_inner_begin((uintptr_t)handle);
	}
	res = call(exec, s);
	if (on)
		ekka_timing_inner_end((uintptr_t)handle);	/* before the listing, which takes the host a while */
	if (told && g && !listed_event(g) && e.rec.event != 0) {
		list_nodes(g, handle, res);
		atomic_store(&g->listed, e.rec.event);
		atomic_store(&g->listed_in, ekka_segment_generation());
	}
	if (on)
		ekka_call_end(&e, &(struct ekka_value){ .kind = EKKA_V_INT, .i = res });
	if (g && g->allocates)
		ekka_alloc_forget_learned();
	ekka_graph_give(g);
	return res;
}

DRIVER_FN(cuGraphLaunch, false, CUgraphExec, exec, CUstream, stream)
DRIVER_FN(cuGraphLaunch_ptsz, false, CUgraphExec, exec, CUstream, stream)

EKKA_PUBLIC CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream)
{
	return launch(REAL(cuGraphLaunch), &fn_cuGraphLaunch, exec, stream, stream, __builtin_return_address(0));
}

EKKA_PUBLIC CUresult cuGraphLaunch_ptsz(CUgraphExec exec, CUstream stream)
{
	return launch(REAL(cuGraphLaunch_ptsz), &fn_cuGraphLaunch_ptsz, exec, stream, ekka_own_stream(stream), __builtin_return_address(0));
}

/* ---- what makes and changes executable graphs ------------------------- */

/* An entry point that is no event: `done` follows when it succeeded. */
#define NOTED(symbol, done, ...)                                                              \
	EKKA_PUBLIC CUresult symbol(PAIRS(PAIR_PARAMETER, __VA_ARGS__))                       \
	{                                                                                     \
		__typeof__(&symbol) call = REAL(symbol);                                      \
		CUresult res = call ? call(PAIRS(PAIR_NAME, __VA_ARGS__)) : NO_DRIVER;        \
		if (res == CUDA_SUCCESS && ekka_memory_on())                                  \
			done;                                                                 \
		return res;                                                                   \
	}
#define INSTANTIATE CUgraphExec *, exec, CUgraph, graph
NOTED(cuGraphInstantiateWithFlags, ekka_graph_learn(*exec, graph), INSTANTIATE, unsigned long long, flags)
NOTED(cuGraphInstantiateWithParams, ekka_graph_learn(*exec, graph), INSTANTIATE, CUDA_GRAPH_INSTANTIATE_PARAMS *, params)
NOTED(cuGraphInstantiateWithParams_ptsz, ekka_graph_learn(*exec, graph), INSTANTIATE, CUDA_GRAPH_INSTANTIATE_PARAMS *, params)
NOTED(cuGraphExecUpdate_v2, ekka_graph_learn(exec, graph), CUgraphExec, exec, CUgraph, graph, CUgraphExecUpdateResultInfo *, info)
NOTED(cuGraphExecKernelNodeSetParams_v2, ekka_graph_change(exec, node, params), CUgraphExec, exec, CUgraphNode, node,
      const CUDA_KERNEL_NODE_PARAMS *, params)
NOTED(cuGraphExecNodeSetParams, ekka_graph_change(exec, node, NULL), CUgraphExec, exec, CUgraphNode, node, CUgraphNodeParams *, params)
NOTED(cuGraphNodeSetEnabled, ekka_graph_enable(exec, node, enabled), CUgraphExec, exec, CUgraphNode, node, unsigned, enabled)

EKKA_PUBLIC CUresult cuGraphExecDestroy(CUgraphExec exec)
{
	__typeof__(&cuGraphExecDestroy) call = REAL(cuGraphExecDestroy);

	if (ekka_memory_on())
		ekka_graph_forget(exec);	/* before: another thread may get the same handle */
	return call ? call(exec) : NO_DRIVER;
}

/* ---- capture ---------------------------------------------------------- */

NOTED(cuStreamBeginCapture_v2, ekka_capture_begins(), CUstream, stream, CUstreamCaptureMode, mode)
NOTED(cuStreamBeginCapture_v2_ptsz, ekka_capture_begins(), CUstream, stream, CUstreamCaptureMode, mode)

#if CUDA_VERSION >= 12030
#define CAPTURE_TO CUstream, stream, CUgraph, graph, const CUgraphNode *, from, const CUgraphEdgeData *, data, size_t, n, CUstreamCaptureMode, mode
NOTED(cuStreamBeginCaptureToGraph, ekka_capture_begins(), CAPTURE_TO)
NOTED(cuStreamBeginCaptureToGraph_ptsz, ekka_capture_begins(), CAPTURE_TO)
#endif

static CUresult end_capture(__typeof__(&cuStreamEndCapture) call, CUstream stream, CUgraph *graph)
{
	CUresult res = call ? call(stream, graph) : NO_DRIVER;

	/* After other errors the stream may still be captured: then we ask more often than need be. */
	if ((res == CUDA_SUCCESS || res == CUDA_ERROR_STREAM_CAPTURE_INVALIDATED) && ekka_memory_on())
		ekka_capture_ended();
	return res;
}

EKKA_PUBLIC CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph)
{
	return end_capture(REAL(cuStreamEndCapture), stream, graph);
}

EKKA_PUBLIC CUresult cuStreamEndCapture_ptsz(CUstream stream, CUgraph *graph)
{
	return end_capture(REAL(cuStreamEndCapture_ptsz), stream, graph);
}
