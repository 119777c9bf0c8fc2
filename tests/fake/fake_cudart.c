/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcudart.so: what the subjects call, over the fake machine. As the real one it moves memory by the driver's entry points, where somebody may watch.
 */
#include "config.h"

#include "tests/fake/fake.h"

#include <pthread.h>
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

/* The real one asks for every entry point of the driver when it starts, and gets ours where somebody gives us out. */
static CUresult (*reset)(CUdevice);

static void ask(void)
{
	static const struct { const char *name; int version, per_thread; } asked[] = {
#define ASKED(name, version, per_thread) { name, version, per_thread },
#include "tests/fake/fake_cudart_asked.def"
	};

	for (unsigned i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		void *found = NULL;

		(void)cuGetProcAddress(asked[i].name, &found, asked[i].version, asked[i].per_thread ? CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM :
												     CU_GET_PROC_ADDRESS_DEFAULT, NULL);
		if (strcmp(asked[i].name, "cuDevicePrimaryCtxReset") == 0)
			*(void **)&reset = found;
	}
}

static void start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, ask);
}

#define DRIVER(call)                              \
	({                                        \
		CUresult res_;                    \
		start();                          \
		fake_make_current();              \
		fake_from_runtime = true;         \
		res_ = call;                      \
		fake_from_runtime = false;        \
		result(res_);                     \
	})

EXPORT cudaError_t cudaMalloc(void **p, size_t bytes)
{
	return DRIVER(cuMemAlloc((CUdeviceptr *)p, bytes));
}

EXPORT cudaError_t cudaMallocHost(void **p, size_t bytes)
{
	return DRIVER(cuMemHostAlloc(p, bytes, 0));
}

EXPORT cudaError_t cudaMallocManaged(void **p, size_t bytes, unsigned flags)
{
	return DRIVER(cuMemAllocManaged((CUdeviceptr *)p, bytes, flags));
}

EXPORT cudaError_t cudaFree(void *p)
{
	fake_synchronize_all();
	return p == NULL ? cudaSuccess : DRIVER(cuMemFree((CUdeviceptr)p));
}

EXPORT cudaError_t cudaFreeHost(void *p)
{
	fake_synchronize_all();
	return p == NULL ? cudaSuccess : DRIVER(cuMemFreeHost(p));
}

EXPORT cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream)
{
	(void)kind;
	return DRIVER(cuMemcpyAsync((CUdeviceptr)dst, (CUdeviceptr)src, bytes, (CUstream)stream));
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
	return DRIVER(cuMemsetD8Async((CUdeviceptr)dst, (unsigned char)value, bytes, (CUstream)stream));
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
	return DRIVER(reset(0));
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
	return DRIVER(cuStreamBeginCapture((CUstream)stream, (CUstreamCaptureMode)mode));
}

EXPORT cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
	return DRIVER(cuStreamEndCapture((CUstream)stream, (CUgraph *)graph));
}

EXPORT cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *n)
{
	return DRIVER(cuGraphGetNodes((CUgraph)graph, (CUgraphNode *)nodes, n));
}

EXPORT cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags)
{
	return DRIVER(cuGraphInstantiate((CUgraphExec *)exec, (CUgraph)graph, flags));
}

EXPORT cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
	return DRIVER(cuGraphLaunch((CUgraphExec)exec, (CUstream)stream));
}

EXPORT cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
	return DRIVER(cuGraphExecDestroy((CUgraphExec)exec));
}

EXPORT cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
	return DRIVER(cuGraphDestroy((CUgraph)graph));
}
