/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuDNN's operation graph, as a finalized plan writes it down in JSON. Zone: inside the host process.
 *
 * The layout was read from what cuDNN 9.19 answers to CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION (schemaVersion 4):
 *
 *	operationGraph.tensors[]: name (the unique id as text), dataType, dim, stride, isVirtual, isByValue, vectCount, reordering, isRagged
 *	    (an array that holds the tensor of offsets)
 *	operationGraph.nodes[]: operation, alpha1, axis, pad and so on; a member whose value is a tensor's name is an edge
 *	engine: engineId, payload.kernels[].kernelName
 *
 * What is not known here makes the graph refused or is left to whoever decodes it, who must use every node and every edge. Thread-safe.
 */
#ifndef EKKA_PRELOAD_CUDNN_GRAPH_H
#define EKKA_PRELOAD_CUDNN_GRAPH_H

#include "preload/cudnn_json.h"
#include "trace/model.h"

enum { EKKA_CUDNN_TENSORS = 96, EKKA_CUDNN_NODES = 64, EKKA_CUDNN_EDGES = 14, EKKA_CUDNN_DIMS = 8 };

struct ekka_cudnn_tensor {
	int64_t uid;
	int dtype;			/* enum ekka_dtype, or -1 */
	unsigned n_dims;
	int64_t dim[EKKA_CUDNN_DIMS], stride[EKKA_CUDNN_DIMS];	/* elements */
	bool is_virtual, by_value;
	bool odd;			/* vectorised or reordered: dim and stride do not say where its elements are */
	int ragged;			/* the tensor that says where each batch item begins, in elements; -1: stride does */
	bool written;			/* some node's output */
	bool read;
};

struct ekka_cudnn_edge { struct ekka_json key; int tensor; };

struct ekka_cudnn_node {
	struct ekka_json object;	/* in the text */
	struct ekka_json operation;	/* "CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR" */
	struct ekka_cudnn_edge edge[EKKA_CUDNN_EDGES];
	unsigned n_edges;
	bool used;			/* by whoever decodes */
};

struct ekka_cudnn_graph {
	struct ekka_cudnn_tensor tensor[EKKA_CUDNN_TENSORS];
	unsigned n_tensors;
	struct ekka_cudnn_node node[EKKA_CUDNN_NODES];
	unsigned n_nodes;
	int64_t engine;			/* -1 unknown */
	struct ekka_json text;		/* operationGraph */
};

/* Why the plan's JSON gives no graph, static text; NULL when it does. The graph borrows from the text. */
const char *ekka_cudnn_graph_read(struct ekka_cudnn_graph *ret, const char *text, size_t n);

/* `what` is between CUDNN_BACKEND_OPERATION_ and _DESCRIPTOR: "MATMUL". */
bool ekka_cudnn_is(const struct ekka_cudnn_node *, const char *what);
/* A POINTWISE node of this mode, CUDNN_POINTWISE_...: "ADD". */
bool ekka_cudnn_is_pointwise(const struct ekka_cudnn_node *, const char *mode);

/* The tensor at an edge, by key ("X", "matA"); -1 when there is none. */
int ekka_cudnn_edge(const struct ekka_cudnn_node *, const char *key);

/* The node that has this tensor as output; NULL for what comes from outside. */
struct ekka_cudnn_node *ekka_cudnn_producer(struct ekka_cudnn_graph *, int tensor);

/* How many nodes read a tensor. */
unsigned ekka_cudnn_readers(const struct ekka_cudnn_graph *, int tensor);

/* Is every member of the node among `keys` (separated by blanks) or has one of the values that change nothing. */
bool ekka_cudnn_only(const struct ekka_cudnn_node *, const char *keys);

/* A number of the node, `otherwise` when it is not told. */
double ekka_cudnn_number(const struct ekka_cudnn_node *, const char *key, double otherwise);

#endif
