/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operation graphs of cuDNN's backend API, put together in few lines. For test programs that know nothing of ekkatrace: linked, in a
 * plugin loaded RTLD_LOCAL, or with every function from dlsym (VIA_DLSYM).
 */
#ifndef EKKA_TESTS_GPU_CUDNN_GRAPH_H
#define EKKA_TESTS_GPU_CUDNN_GRAPH_H

#include <stdint.h>

#include <cuda_runtime_api.h>
#include <cudnn.h>

#define CUDNN_FUNCTIONS(F)                                                                                                           \
	F(cudnnCreate) F(cudnnDestroy) F(cudnnSetStream) F(cudnnBackendCreateDescriptor) F(cudnnBackendDestroyDescriptor)            \
	F(cudnnBackendSetAttribute) F(cudnnBackendFinalize) F(cudnnBackendGetAttribute) F(cudnnBackendExecute)
#ifdef VIA_DLSYM
#define DECLARE(f) extern __typeof__(f) *via_##f;
CUDNN_FUNCTIONS(DECLARE)
#undef DECLARE
#define CUDNN(f) via_##f
#else
#define CUDNN(f) f
#endif

/* Ends the program with a message on anything but success. */
#define MUST(call) must((int)(call), #call, __FILE__, __LINE__)
void must(int status, const char *what, const char *file, int line);

extern cudnnHandle_t handle;
extern cudaStream_t stream;

enum { GRAPH_TENSORS = 48, GRAPH_NODES = 32 };

struct graph {
	cudnnBackendDescriptor_t tensor[GRAPH_TENSORS];
	int64_t dim[GRAPH_TENSORS][5];
	int rank[GRAPH_TENSORS];
	const void *pointer[GRAPH_TENSORS];	/* NULL: virtual */
	int n_tensors;
	cudnnBackendDescriptor_t node[GRAPH_NODES], part[GRAPH_NODES];	/* operations and what they consist of */
	int n_nodes;
	int refused;			/* the library takes no such node */
	cudnnBackendDescriptor_t operations, plan;
	void *workspace;
};

/* A tensor with strides (NULL: dense, last dimension fastest); pointer NULL: virtual. Returns its number, which is its unique id. */
int graph_tensor(struct graph *, cudnnDataType_t, int rank, const int64_t *dim, const int64_t *stride, const void *pointer);
/* One number by value, at `host` when the graph runs. */
int graph_number(struct graph *, cudnnDataType_t, int rank, const void *host);
/* A virtual one of the same dims as tensor `like`, with another type. */
int graph_like(struct graph *, cudnnDataType_t, int like);

/* Nodes; each returns its result y. b, t -1: none. */
int graph_pointwise(struct graph *, cudnnPointwiseMode_t, int x, int b, int t, int y, float alpha2, int axis);
int graph_matmul(struct graph *, int a, int b, int c);
int graph_reduction(struct graph *, cudnnReduceTensorOp_t, int x, int y);
int graph_convolution(struct graph *, int x, int w, int y, int spatial, const int64_t *pad, const int64_t *stride, const int64_t *dilation);
/* The same settings' gradient: from dy to dx, which is a transposed convolution. */
int graph_gradient(struct graph *, int dy, int w, int dx, int spatial, const int64_t *pad, const int64_t *stride, const int64_t *dilation);
/* mean, rstd, bias, epsilon -1: none. */
int graph_norm(struct graph *, cudnnBackendNormMode_t, int x, int mean, int rstd, int scale, int bias, int epsilon, int y);
int graph_resample(struct graph *, cudnnResampleMode_t, int x, int y, int spatial, const int64_t *window, const int64_t *stride, const int64_t *pad);

/* Makes the plan that the heuristics offer first. -1 when there is none on this device. */
int graph_build(struct graph *);
void graph_run(struct graph *);
void graph_release(struct graph *);

#endif
