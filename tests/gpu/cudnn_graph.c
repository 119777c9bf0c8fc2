/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "tests/gpu/cudnn_graph.h"

#include <stdio.h>
#include <stdlib.h>

void must(int status, const char *what, const char *file, int line)
{
	if (status == 0)
		return;
	fprintf(stderr, "%s:%d: %s: %d\n", file, line, what, status);
	exit(3);
}

static cudnnBackendDescriptor_t make(cudnnBackendDescriptorType_t type)
{
	cudnnBackendDescriptor_t d;

	MUST(CUDNN(cudnnBackendCreateDescriptor)(type, &d));
	return d;
}

static void set(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t n, const void *p)
{
	MUST(CUDNN(cudnnBackendSetAttribute)(d, name, type, n, p));
}

static void set_int(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, int64_t i)
{
	set(d, name, CUDNN_TYPE_INT64, 1, &i);
}

static void set_child(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t child)
{
	set(d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &child);
}

static void set_type(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, cudnnDataType_t type)
{
	set(d, name, CUDNN_TYPE_DATA_TYPE, 1, &type);
}

static int add_tensor(struct graph *g, cudnnDataType_t type, int rank, const int64_t *dim, const int64_t *stride, const void *pointer, _Bool by_value)
{
	cudnnBackendDescriptor_t d = make(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
	int64_t dense[5], next = 1;
	_Bool is_virtual = pointer == NULL;
	int at = g->n_tensors++;

	for (int i = rank - 1; i >= 0; i--) {
		g->dim[at][i] = dim[i];
		dense[i] = next;
		next *= dim[i];
	}
	g->rank[at] = rank;
	set_type(d, CUDNN_ATTR_TENSOR_DATA_TYPE, type);
	set(d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, rank, dim);
	set(d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, rank, stride != NULL ? stride : dense);
	set_int(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, at);
	set_int(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 16);
	set(d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual);
	set(d, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &by_value);
	MUST(CUDNN(cudnnBackendFinalize)(d));
	g->tensor[at] = d;
	g->pointer[at] = pointer;
	return at;
}

int graph_tensor(struct graph *g, cudnnDataType_t type, int rank, const int64_t *dim, const int64_t *stride, const void *pointer)
{
	return add_tensor(g, type, rank, dim, stride, pointer, 0);
}

int graph_number(struct graph *g, cudnnDataType_t type, int rank, const void *host)
{
	static const int64_t ones[] = { 1, 1, 1, 1, 1 };

	return add_tensor(g, type, rank, ones, NULL, host, 1);
}

int graph_like(struct graph *g, cudnnDataType_t type, int like)
{
	return add_tensor(g, type, g->rank[like], g->dim[like], NULL, NULL, 0);
}

static int add_node(struct graph *g, cudnnBackendDescriptor_t node, cudnnBackendDescriptor_t part, int y)
{
	if (CUDNN(cudnnBackendFinalize)(node) != CUDNN_STATUS_SUCCESS)
		g->refused = 1;
	g->part[g->n_nodes] = part;
	g->node[g->n_nodes++] = node;
	return y;
}

int graph_pointwise(struct graph *g, cudnnPointwiseMode_t mode, int x, int b, int t, int y, float alpha2, int axis)
{
	cudnnBackendDescriptor_t d = make(CUDNN_BACKEND_POINTWISE_DESCRIPTOR), op = make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);

	set(d, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
	set_type(d, CUDNN_ATTR_POINTWISE_MATH_PREC, mode == CUDNN_POINTWISE_CMP_GE ? CUDNN_DATA_BOOLEAN : CUDNN_DATA_FLOAT);
	if (mode == CUDNN_POINTWISE_GEN_INDEX)
		set_int(d, CUDNN_ATTR_POINTWISE_AXIS, axis);
	MUST(CUDNN(cudnnBackendFinalize)(d));
	set_child(op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, d);
	set_child(op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, g->tensor[x]);
	set_child(op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, g->tensor[y]);
	if (b >= 0)
		set_child(op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, g->tensor[b]);
	if (t >= 0)
		set_child(op, CUDNN_ATTR_OPERATION_POINTWISE_TDESC, g->tensor[t]);
	if (alpha2 != 1)
		set(op, CUDNN_ATTR_OPERATION_POINTWISE_ALPHA2, CUDNN_TYPE_FLOAT, 1, &alpha2);
	return add_node(g, op, d, y);
}

int graph_matmul(struct graph *g, int a, int b, int c)
{
	cudnnBackendDescriptor_t d = make(CUDNN_BACKEND_MATMUL_DESCRIPTOR), op = make(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);

	set_type(d, CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_DATA_FLOAT);
	MUST(CUDNN(cudnnBackendFinalize)(d));
	set_child(op, CUDNN_ATTR_OPERATION_MATMUL_ADESC, g->tensor[a]);
	set_child(op, CUDNN_ATTR_OPERATION_MATMUL_BDESC, g->tensor[b]);
	set_child(op, CUDNN_ATTR_OPERATION_MATMUL_CDESC, g->tensor[c]);
	set_child(op, CUDNN_ATTR_OPERATION_MATMUL_DESC, d);
	return add_node(g, op, d, c);
}

int graph_reduction(struct graph *g, cudnnReduceTensorOp_t kind, int x, int y)
{
	cudnnBackendDescriptor_t d = make(CUDNN_BACKEND_REDUCTION_DESCRIPTOR), op = make(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);

	set(d, CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 1, &kind);
	set_type(d, CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_DATA_FLOAT);
	MUST(CUDNN(cudnnBackendFinalize)(d));
	set_child(op, CUDNN_ATTR_OPERATION_REDUCTION_XDESC, g->tensor[x]);
	set_child(op, CUDNN_ATTR_OPERATION_REDUCTION_YDESC, g->tensor[y]);
	set_child(op, CUDNN_ATTR_OPERATION_REDUCTION_DESC, d);
	return add_node(g, op, d, y);
}

static cudnnBackendDescriptor_t settings(int spatial, const int64_t *pad, const int64_t *stride, const int64_t *dilation)
{
	cudnnBackendDescriptor_t d = make(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
	cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;

	set_type(d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
	set(d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
	set_int(d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, spatial);
	set(d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, spatial, pad);
	set(d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, spatial, pad);
	set(d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, spatial, stride);
	set(d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, spatial, dilation);
	MUST(CUDNN(cudnnBackendFinalize)(d));
	return d;
}

int graph_convolution(struct graph *g, int x, int w, int y, int spatial, const int64_t *pad, const int64_t *stride, const int64_t *dilation)
{
	cudnnBackendDescriptor_t d = settings(spatial, pad, stride, dilation), op = make(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
	float one = 1, zero = 0;

	set_child(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, g->tensor[x]);
	set_child(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, g->tensor[w]);
	set_child(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, g->tensor[y]);
	set_child(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, d);
	set(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1, &one);
	set(op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1, &zero);
	return add_node(g, op, d, y);
}

int graph_gradient(struct graph *g, int dy, int w, int dx, int spatial, const int64_t *pad, const int64_t *stride, const int64_t *dilation)
{
	cudnnBackendDescriptor_t d = settings(spatial, pad, stride, dilation), op = make(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR);
	float one = 1, zero = 0;

	set_child(op, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, g->tensor[dy]);
	set_child(op, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, g->tensor[w]);
	set_child(op, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, g->tensor[dx]);
	set_child(op, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, d);
	set(op, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_TYPE_FLOAT, 1, &one);
	set(op, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, CUDNN_TYPE_FLOAT, 1, &zero);
	return add_node(g, op, d, dx);
}

int graph_norm(struct graph *g, cudnnBackendNormMode_t mode, int x, int mean, int rstd, int scale, int bias, int epsilon, int y)
{
	cudnnBackendDescriptor_t op = make(CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR);
	const struct { cudnnBackendAttributeName_t name; int tensor; } edges[] = {
		{ CUDNN_ATTR_OPERATION_NORM_FWD_XDESC, x }, { CUDNN_ATTR_OPERATION_NORM_FWD_MEAN_DESC, mean },
		{ CUDNN_ATTR_OPERATION_NORM_FWD_INV_VARIANCE_DESC, rstd }, { CUDNN_ATTR_OPERATION_NORM_FWD_SCALE_DESC, scale },
		{ CUDNN_ATTR_OPERATION_NORM_FWD_BIAS_DESC, bias }, { CUDNN_ATTR_OPERATION_NORM_FWD_EPSILON_DESC, epsilon },
		{ CUDNN_ATTR_OPERATION_NORM_FWD_YDESC, y },
	};
	cudnnBackendNormFwdPhase_t phase = CUDNN_NORM_FWD_INFERENCE;

	set(op, CUDNN_ATTR_OPERATION_NORM_FWD_MODE, CUDNN_TYPE_NORM_MODE, 1, &mode);
	set(op, CUDNN_ATTR_OPERATION_NORM_FWD_PHASE, CUDNN_TYPE_NORM_FWD_PHASE, 1, &phase);
	for (unsigned i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		if (edges[i].tensor >= 0)
			set_child(op, edges[i].name, g->tensor[edges[i].tensor]);
	return add_node(g, op, NULL, y);
}

int graph_resample(struct graph *g, cudnnResampleMode_t mode, int x, int y, int spatial, const int64_t *window, const int64_t *stride, const int64_t *pad)
{
	cudnnBackendDescriptor_t d = make(CUDNN_BACKEND_RESAMPLE_DESCRIPTOR), op = make(CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR);
	cudnnPaddingMode_t padding = mode == CUDNN_RESAMPLE_MAXPOOL ? CUDNN_NEG_INF_PAD : CUDNN_ZERO_PAD;
	cudnnNanPropagation_t nan = CUDNN_PROPAGATE_NAN;

	set(d, CUDNN_ATTR_RESAMPLE_MODE, CUDNN_TYPE_RESAMPLE_MODE, 1, &mode);
	set_type(d, CUDNN_ATTR_RESAMPLE_COMP_TYPE, CUDNN_DATA_FLOAT);
	set(d, CUDNN_ATTR_RESAMPLE_NAN_PROPAGATION, CUDNN_TYPE_NAN_PROPOGATION, 1, &nan);
	set(d, CUDNN_ATTR_RESAMPLE_PADDING_MODE, CUDNN_TYPE_PADDING_MODE, 1, &padding);
	set_int(d, CUDNN_ATTR_RESAMPLE_SPATIAL_DIMS, spatial);
	set(d, CUDNN_ATTR_RESAMPLE_WINDOW_DIMS, CUDNN_TYPE_INT64, spatial, window);
	set(d, CUDNN_ATTR_RESAMPLE_STRIDES, CUDNN_TYPE_INT64, spatial, stride);
	set(d, CUDNN_ATTR_RESAMPLE_PRE_PADDINGS, CUDNN_TYPE_INT64, spatial, pad);
	set(d, CUDNN_ATTR_RESAMPLE_POST_PADDINGS, CUDNN_TYPE_INT64, spatial, pad);
	if (CUDNN(cudnnBackendFinalize)(d) != CUDNN_STATUS_SUCCESS) {
		g->refused = 1;
		return y;
	}
	set_child(op, CUDNN_ATTR_OPERATION_RESAMPLE_FWD_XDESC, g->tensor[x]);
	set_child(op, CUDNN_ATTR_OPERATION_RESAMPLE_FWD_YDESC, g->tensor[y]);
	set_child(op, CUDNN_ATTR_OPERATION_RESAMPLE_FWD_DESC, d);
	return add_node(g, op, d, y);
}

int graph_build(struct graph *g)
{
	cudnnBackendDescriptor_t heuristics = make(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR), config[8];
	cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
	int64_t n = 0, bytes = 0, got;

	if (g->refused)
		return -1;
	g->operations = make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
	set(g->operations, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
	set(g->operations, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, g->n_nodes, g->node);
	if (CUDNN(cudnnBackendFinalize)(g->operations) != CUDNN_STATUS_SUCCESS)
		return -1;
	set_child(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, g->operations);
	set(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
	if (CUDNN(cudnnBackendFinalize)(heuristics) != CUDNN_STATUS_SUCCESS)
		return -1;
	for (int i = 0; i < 8; i++)
		config[i] = make(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
	MUST(CUDNN(cudnnBackendGetAttribute)(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 8, &n, config));
	for (int64_t i = 0; i < n && g->plan == NULL; i++) {
		g->plan = make(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
		set(g->plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
		set_child(g->plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config[i]);
		if (CUDNN(cudnnBackendFinalize)(g->plan) != CUDNN_STATUS_SUCCESS) {
			MUST(CUDNN(cudnnBackendDestroyDescriptor)(g->plan));
			g->plan = NULL;
		}
	}
	if (g->plan == NULL)
		return -1;
	MUST(CUDNN(cudnnBackendGetAttribute)(g->plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &got, &bytes));
	MUST(cudaMalloc(&g->workspace, (size_t)(bytes > 0 ? bytes : 256)));
	return 0;
}

void graph_run(struct graph *g)
{
	cudnnBackendDescriptor_t pack = make(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
	int64_t uid[GRAPH_TENSORS];
	const void *pointer[GRAPH_TENSORS];
	int n = 0;

	/* In another order than the graph's. */
	for (int i = g->n_tensors - 1; i >= 0; i--) {
		if (g->pointer[i] == NULL)
			continue;
		uid[n] = i;
		pointer[n++] = g->pointer[i];
	}
	set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &g->workspace);
	set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n, pointer);
	set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, uid);
	MUST(CUDNN(cudnnBackendFinalize)(pack));
	MUST(CUDNN(cudnnBackendExecute)(handle, g->plan, pack));
	MUST(CUDNN(cudnnBackendDestroyDescriptor)(pack));
}

void graph_release(struct graph *g)
{
	MUST(cudaStreamSynchronize(stream));
	MUST(cudaFree(g->workspace));
	MUST(CUDNN(cudnnBackendDestroyDescriptor)(g->plan));
	MUST(CUDNN(cudnnBackendDestroyDescriptor)(g->operations));
	for (int i = 0; i < g->n_nodes; i++) {
		MUST(CUDNN(cudnnBackendDestroyDescriptor)(g->node[i]));
		if (g->part[i] != NULL)
			MUST(CUDNN(cudnnBackendDestroyDescriptor)(g->part[i]));
	}
	for (int i = 0; i < g->n_tensors; i++)
		MUST(CUDNN(cudnnBackendDestroyDescriptor)(g->tensor[i]));
}
