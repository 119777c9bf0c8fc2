/* SPDX-License-Identifier: Apache-2.0 */
/* CUDA's driver and cuBLAS as function pointers: nothing of CUDA is linked. */
#ifndef EKKA_REPLAY_GPU_LIBRARY_H
#define EKKA_REPLAY_GPU_LIBRARY_H

#include <cublas_v2.h>
#include <cuda.h>

#include "trace/error.h"

/* The headers' macros turn a name into the symbol that its prototype belongs to (cuMemAlloc into cuMemAlloc_v2). */
#define EKKA_GPU_DRIVER(f)                                                                                                           \
	f(cuInit) f(cuDeviceGet) f(cuDeviceGetName) f(cuDevicePrimaryCtxRetain) f(cuDevicePrimaryCtxRelease) f(cuCtxPushCurrent)      \
	f(cuCtxPopCurrent) f(cuModuleLoadData) f(cuModuleUnload) f(cuModuleGetFunction) f(cuMemGetInfo) f(cuMemAlloc) f(cuMemFree)    \
	f(cuMemcpyHtoDAsync) f(cuMemcpyDtoHAsync) f(cuMemsetD8Async) f(cuStreamCreate) f(cuStreamDestroy) f(cuStreamSynchronize)     \
	f(cuLaunchKernel) f(cuMemAllocAsync) f(cuMemFreeAsync) f(cuDeviceGetDefaultMemPool) f(cuMemPoolSetAttribute) f(cuMemHostAlloc)       \
	f(cuMemFreeHost) f(cuEventCreate) f(cuEventDestroy) f(cuEventRecord) f(cuEventSynchronize)
#define EKKA_GPU_BLAS(f) f(cublasCreate) f(cublasDestroy) f(cublasSetStream) f(cublasSgemm) f(cublasDgemm) f(cublasDgemmStridedBatched)

struct ekka_gpu_library {
#define POINTER(name) __typeof__(name) *p_##name;
	EKKA_GPU_DRIVER(POINTER)
	EKKA_GPU_BLAS(POINTER)
#undef POINTER
};

/*
 * Loads both, once; cuBLAS 13 or 12 from where the loader looks and from $CUDA_HOME and /usr/local/cuda. The table stays valid; NULL: not there, why in err.
 * Not thread-safe.
 */
const struct ekka_gpu_library *ekka_gpu_library(struct ekka_error *err);

#endif
