/* SPDX-License-Identifier: Apache-2.0 */
/* libcudart.so: what the subjects call, over the fake machine. */
#include "config.h"

#include "tests/fake/fake.h"

#include <stdlib.h>
#include <string.h>

#include <cuda_runtime_api.h>

#define EXPORT FAKE_EXPORT
#define STREAM(s) fake_stream_of((CUstream)(s))

static __thread cudaError_t last_error;

static cudaError_t result(CUresult res)
{
	if (res != CUDA_SUCCESS)
		last_error = (cudaError_t)res; /* the runtime's codes are the driver's */
	return (cudaError_t)res;
}

static cudaError_t allocate(enum fake_kind kind, void **p, size_t bytes)
{
	fake_make_current();
	*p = (void *)fake_alloc(kind, bytes);
	return result(*p != NULL ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY);
}

EXPORT cudaError_t cudaMalloc(void **p, size_t bytes)
{
	return allocate(FAKE_DEVICE, p, bytes);
}

EXPORT cudaError_t cudaMallocHost(void **p, size_t bytes)
{
	return allocate(FAKE_PINNED, p, bytes);
}

EXPORT cudaError_t cudaMallocManaged(void **p, size_t bytes, unsigned flags)
{
	(void)flags;
	return allocate(FAKE_MANAGED, p, bytes);
}

EXPORT cudaError_t cudaFree(void *p)
{
	fake_make_current();
	fake_synchronize_all();
	return result(p == NULL || fake_free((uint64_t)p) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE);
}

EXPORT cudaError_t cudaFreeHost(void *p)
{
	return cudaFree(p);
}

struct copy { uint64_t dst, src; size_t bytes; };

static void do_copy(void *arg)
{
	const struct copy *c = arg;

	memmove(fake_bytes(c->dst), fake_bytes(c->src), c->bytes);
}

struct set { uint64_t dst; int value; size_t bytes; };

static void do_set(void *arg)
{
	const struct set *s = arg;

	memset(fake_bytes(s->dst), s->value, s->bytes);
}

EXPORT cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream)
{
	struct copy c = { (uint64_t)dst, (uint64_t)src, bytes };

	(void)kind;
	fake_make_current();
	return result(fake_enqueue(STREAM(stream), do_copy, &c, sizeof(c)));
}

EXPORT cudaError_t cudaMemcpy(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind)
{
	cudaError_t res = cudaMemcpyAsync(dst, src, bytes, kind, NULL);

	if (res == cudaSuccess)
		fake_stream_synchronize(STREAM(NULL));
	return res;
}

EXPORT cudaError_t cudaMemsetAsync(void *dst, int value, size_t bytes, cudaStream_t stream)
{
	struct set s = { (uint64_t)dst, value, bytes };

	fake_make_current();
	return result(fake_enqueue(STREAM(stream), do_set, &s, sizeof(s)));
}

EXPORT cudaError_t cudaMemset(void *dst, int value, size_t bytes)
{
	return cudaMemsetAsync(dst, value, bytes, NULL);
}

EXPORT cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
	fake_make_current();
	*stream = (cudaStream_t)fake_stream_new((flags & cudaStreamNonBlocking) == 0);
	return cudaSuccess;
}

EXPORT cudaError_t cudaStreamCreate(cudaStream_t *stream)
{
	return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}

EXPORT cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
	(void)stream; /* what it still has to do is done */
	return cudaSuccess;
}

EXPORT cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
	fake_make_current();
	fake_stream_synchronize(STREAM(stream));
	return cudaSuccess;
}

EXPORT cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
	(void)flags;
	return result(fake_event_wait((struct fake_event *)event, STREAM(stream)));
}

EXPORT cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
	(void)flags;
	fake_make_current();
	*event = (cudaEvent_t)fake_event_new();
	return cudaSuccess;
}

EXPORT cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
	return result(fake_event_record((struct fake_event *)event, STREAM(stream)));
}

EXPORT cudaError_t cudaEventDestroy(cudaEvent_t event)
{
	(void)event;
	return cudaSuccess;
}

EXPORT cudaError_t cudaDeviceSynchronize(void)
{
	fake_make_current();
	fake_synchronize_all();
	return cudaSuccess;
}

EXPORT cudaError_t cudaDeviceReset(void)
{
	fake_reset();
	return cudaSuccess;
}

EXPORT cudaError_t cudaSetDevice(int device)
{
	fake_make_current();
	return device == 0 ? cudaSuccess : result(CUDA_ERROR_INVALID_DEVICE);
}

EXPORT cudaError_t cudaGetDevice(int *device)
{
	*device = 0;
	return cudaSuccess;
}

EXPORT cudaError_t cudaGetDeviceCount(int *n)
{
	*n = 1;
	return cudaSuccess;
}

EXPORT cudaError_t cudaRuntimeGetVersion(int *version)
{
	*version = CUDART_VERSION;
	return cudaSuccess;
}

EXPORT cudaError_t cudaGetLastError(void)
{
	cudaError_t e = last_error;

	last_error = cudaSuccess;
	return e;
}

EXPORT cudaError_t cudaPeekAtLastError(void)
{
	return last_error;
}

EXPORT const char *cudaGetErrorString(cudaError_t error)
{
	return error == cudaSuccess ? "no error" : "error of the fake runtime";
}

/* ---- graphs ----------------------------------------------------------- */

EXPORT cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
	return result(fake_capture_begin(STREAM(stream), (CUstreamCaptureMode)mode));
}

EXPORT cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
	return result(fake_capture_end(STREAM(stream), (struct fake_graph **)graph));
}

EXPORT cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *n)
{
	(void)nodes;
	*n = fake_graph_nodes((struct fake_graph *)graph);
	return cudaSuccess;
}

EXPORT cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags)
{
	(void)flags;
	*exec = (cudaGraphExec_t)graph;
	return cudaSuccess;
}

EXPORT cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
	return result(fake_graph_launch((struct fake_graph *)exec, STREAM(stream)));
}

EXPORT cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
	(void)exec;
	return cudaSuccess;
}

EXPORT cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
	(void)graph;
	return cudaSuccess;
}
