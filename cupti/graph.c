/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/graph.h"

#include "cupti/params.h"

#include "preload/count.h"
#include "preload/guard.h"
#include "preload/lock.h"

#include <string.h>
#include <sys/mman.h>

enum { BUCKETS = 1024, NODES_MAX = 1 << 20, NESTED_MAX = 4, PARAMS_MAX = 4 << 10 /* of one node, on average */ };

/* `lock` guards the lists; what is in one stays as it is but for its atomics and single nodes, which the engine may not change while it launches. */
static struct ekka_lock lock;
static struct ekka_graph *buckets[BUCKETS];
static _Atomic int captures;

static struct ekka_graph **bucket_of(CUgraphExec exec)
{
	return &buckets[((uintptr_t)exec * 0x9e3779b97f4a7c15u >> 54) % BUCKETS];
}

static bool take(void)
{
	bool ok = ekka_lock_take(&lock);

	if (!ok)
		ekka_count_drop("graph", 1);
	return ok;
}

/* ---- reading ---------------------------------------------------------- */

/* Where a graph's description grows: room for nodes, then parameter blocks; the driver's lists at the end. */
struct build {
	const struct ekka_cuda_driver *drv;
	struct ekka_graph *g;
	unsigned room;			/* for nodes */
	char *at, *end;			/* for parameters */
};

static void *reserve(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* The parameters as one block, whichever way they were given. False: not known. */
static bool pack(char *block, size_t *ret_bytes, size_t room, const struct ekka_kernel_facts *k, const CUDA_KERNEL_NODE_PARAMS *p)
{
	const void *packed = NULL;
	size_t bytes = k->block_bytes;

	for (unsigned i = 0; !p->kernelParams && p->extra && p->extra[i] != CU_LAUNCH_PARAM_END && i < 8; i += 2) {
		if (p->extra[i] == CU_LAUNCH_PARAM_BUFFER_POINTER)
			packed = p->extra[i + 1];
		else if (p->extra[i] == CU_LAUNCH_PARAM_BUFFER_SIZE)
			bytes = *(const size_t *)p->extra[i + 1];
	}
	if (bytes > room || (!packed && (!p->kernelParams || !k->layout_known || k->n_params > EKKA_MAX_ARGS)))
		return false;
	if (packed)
		memcpy(block, packed, bytes);
	for (unsigned i = 0; !packed && i < k->n_params; i++)
		memcpy(block + k->offset[i], p->kernelParams[i], k->bytes[i]);
	*ret_bytes = bytes;
	return true;
}

static bool read_kernel(const struct ekka_cuda_driver *drv, struct ekka_graph_node *node, const CUDA_KERNEL_NODE_PARAMS *p)
{
	node->f = p->func ? p->func : (CUfunction)p->kern;
	node->kernel = ekka_kernel_facts(drv, node->f, NULL);
	memcpy(node->grid, (const unsigned[]){ p->gridDimX, p->gridDimY, p->gridDimZ }, sizeof(node->grid));
	memcpy(node->block, (const unsigned[]){ p->blockDimX, p->blockDimY, p->blockDimZ }, sizeof(node->block));
	node->shared_bytes = p->sharedMemBytes;
	return node->kernel;
}

static void add_kernel(struct build *b, CUgraphNode handle)
{
	struct ekka_graph_node *node = &b->g->node[b->g->n_kernels];
	CUDA_KERNEL_NODE_PARAMS p = { 0 };

	if (b->g->n_kernels == b->room || !b->drv->p_cuGraphKernelNodeGetParams ||
	    b->drv->p_cuGraphKernelNodeGetParams(handle, &p) != CUDA_SUCCESS || !read_kernel(b->drv, node, &p)) {
		b->g->n_unread++;
		return;
	}
	node->handle = handle;
	if (pack(b->at, &node->params_bytes, (size_t)(b->end - b->at), node->kernel, &p)) {
		node->params = b->at;
		b->at += (node->params_bytes + 15) / 16 * 16;
		b->at = b->at > b->end ? b->end : b->at;
	}
	b->g->n_kernels++;
}

static size_t count(const struct ekka_cuda_driver *drv, CUgraph graph)
{
	size_t n = 0;

	return drv->p_cuGraphGetNodes(graph, NULL, &n) == CUDA_SUCCESS ? n : 0;
}

static void read_nodes(struct build *b, CUgraph graph, unsigned depth)
{
	size_t n = count(b->drv, graph), bytes = n * sizeof(CUgraphNode);
	CUgraphNode *nodes = n > 0 && n <= NODES_MAX ? reserve(bytes) : NULL;
	CUgraphNodeType type;
	CUgraph inner;

	b->g->n_nodes += (unsigned)n;
	if (!nodes || b->drv->p_cuGraphGetNodes(graph, nodes, &n) != CUDA_SUCCESS) {
		b->g->n_unread += (unsigned)n;
		n = 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (b->drv->p_cuGraphNodeGetType(nodes[i], &type) != CUDA_SUCCESS)
			b->g->n_unread++;
		else if (type == CU_GRAPH_NODE_TYPE_KERNEL)
			add_kernel(b, nodes[i]);
		else if (type == CU_GRAPH_NODE_TYPE_GRAPH && depth < NESTED_MAX && b->drv->p_cuGraphChildGraphNodeGetGraph &&
			 b->drv->p_cuGraphChildGraphNodeGetGraph(nodes[i], &inner) == CUDA_SUCCESS)
			read_nodes(b, inner, depth + 1);
		else if (type == CU_GRAPH_NODE_TYPE_GRAPH || (int)type == 13 /* conditional, since 12.3 */)
			b->g->n_unread++;
		b->g->allocates |= type == CU_GRAPH_NODE_TYPE_MEM_ALLOC || type == CU_GRAPH_NODE_TYPE_MEM_FREE;
	}
	if (nodes)
		munmap(nodes, bytes);
}

/* Nodes of the graph and, as those are not counted yet, as many again for nested ones. */
static struct ekka_graph *read_graph(const struct ekka_cuda_driver *drv, CUgraphExec exec, CUgraph graph)
{
	size_t n = 2 * count(drv, graph) + 64, bytes;
	struct build b = { .drv = drv };

	if (n > NODES_MAX)
		n = NODES_MAX;
	bytes = sizeof(*b.g) + n * (sizeof(struct ekka_graph_node) + PARAMS_MAX);
	b.g = reserve(bytes);
	if (!b.g)
		return NULL;
	b.g->bytes = bytes;
	b.g->exec = exec;
	b.g->node = (struct ekka_graph_node *)(b.g + 1);
	b.room = (unsigned)n;
	b.at = (char *)(b.g->node + n);
	b.end = (char *)b.g + bytes;
	read_nodes(&b, graph, 0);
	return b.g;
}

/* ---- the table -------------------------------------------------------- */

static void release(struct ekka_graph *g)
{
	if (atomic_load(&g->gone) && atomic_load(&g->users) == 0)
		munmap(g, g->bytes);
}

/* Out of the list and, when nobody uses it, out of memory. With the lock held. */
static void drop(CUgraphExec exec)
{
	struct ekka_graph **at = bucket_of(exec), *g;

	while (*at && (*at)->exec != exec)
		at = &(*at)->next;
	g = *at;
	if (!g)
		return;
	*at = g->next;
	atomic_store(&g->gone, true);
	release(g);
}

void ekka_graph_learn(CUgraphExec exec, CUgraph graph)
{
	const struct ekka_cuda_driver *drv = ekka_cuda_driver();
	struct ekka_graph *g = NULL;
	CUstreamCaptureMode mode;

	if (drv && drv->p_cuGraphGetNodes && drv->p_cuGraphNodeGetType) {
		ekka_self.inside = true;
		mode = ekka_cuda_relaxed_begin(drv);
		g = read_graph(drv, exec, graph);
		ekka_cuda_relaxed_end(drv, mode);
		ekka_self.inside = false;
	}
	if (!take())
		return;
	drop(exec);
	if (g) {
		g->next = *bucket_of(exec);
		*bucket_of(exec) = g;
	}
	ekka_lock_release(&lock);
}

static struct ekka_graph *find(CUgraphExec exec)
{
	struct ekka_graph *g = *bucket_of(exec);

	while (g && g->exec != exec)
		g = g->next;
	return g;
}

struct ekka_graph *ekka_graph_take(CUgraphExec exec)
{
	struct ekka_graph *g;

	if (!take())
		return NULL;
	g = find(exec);
	if (g)
		atomic_fetch_add(&g->users, 1);
	ekka_lock_release(&lock);
	return g;
}

void ekka_graph_give(struct ekka_graph *g)
{
	if (!g || !take())
		return;
	atomic_fetch_sub(&g->users, 1);
	release(g);
	ekka_lock_release(&lock);
}

static struct ekka_graph_node *node_of(struct ekka_graph *g, CUgraphNode handle)
{
	for (unsigned i = 0; g && i < g->n_kernels; i++)
		if (g->node[i].handle == handle)
			return &g->node[i];
	return NULL;
}

void ekka_graph_change(CUgraphExec exec, CUgraphNode handle, const CUDA_KERNEL_NODE_PARAMS *p)
{
	const struct ekka_cuda_driver *drv = ekka_cuda_driver();
	struct ekka_graph *g = ekka_graph_take(exec);
	struct ekka_graph_node *node = node_of(g, handle);

	if (node && drv) {
		size_t room = node->params ? (node->params_bytes + 15) / 16 * 16 : 0;
		bool known = p != NULL;

		ekka_self.inside = true;
		known = known && read_kernel(drv, node, p) && pack(node->params, &node->params_bytes, room, node->kernel, p);
		ekka_self.inside = false;
		if (!known)
			node->params = NULL;
		atomic_store(&g->listed, 0);
	}
	ekka_graph_give(g);
}

void ekka_graph_enable(CUgraphExec exec, CUgraphNode handle, bool enabled)
{
	struct ekka_graph *g = ekka_graph_take(exec);
	struct ekka_graph_node *node = node_of(g, handle);

	if (node) {
		node->disabled = !enabled;
		atomic_store(&g->listed, 0);
	}
	ekka_graph_give(g);
}

void ekka_graph_forget(CUgraphExec exec)
{
	if (!take())
		return;
	drop(exec);
	ekka_lock_release(&lock);
}

void ekka_graphs_fork_child(void)
{
	lock = (struct ekka_lock){ 0 };
	memset(buckets, 0, sizeof(buckets));
	atomic_store(&captures, 0);
}

/* ---- capture ---------------------------------------------------------- */

void ekka_capture_begins(void)
{
	atomic_fetch_add(&captures, 1);
}

void ekka_capture_ended(void)
{
	atomic_fetch_sub(&captures, 1);
}

bool ekka_is_captured(const struct ekka_cuda_driver *drv, CUstream stream)
{
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;

	return atomic_load_explicit(&captures, memory_order_relaxed) > 0 && drv->p_cuStreamIsCapturing(stream, &status) == CUDA_SUCCESS &&
	       status != CU_STREAM_CAPTURE_STATUS_NONE;
}

bool ekka_stream_is_captured(uint64_t stream)
{
	const struct ekka_cuda_driver *drv = atomic_load_explicit(&captures, memory_order_relaxed) > 0 ? ekka_cuda_driver() : NULL;

	return drv && ekka_is_captured(drv, (CUstream)stream);
}
