/* SPDX-License-Identifier: Apache-2.0 */
/* What the launch subject's parts and its kernels agree on. */
#ifndef EKKA_TESTS_FAKE_LAUNCHES_H
#define EKKA_TESTS_FAKE_LAUNCHES_H

#include <cuda.h>

struct big { char bytes[20000]; };
struct odd { int a; float b; char c[4]; };	/* 12 bytes */
struct box { int n; CUdeviceptr p, q; };	/* 24 bytes */
struct many { CUdeviceptr p[20]; };

/* What cuModuleLoadData gets: all kernels of launches_image.c but one; and another module, with one called other. */
extern const void *const launches_image, *const launches_other_image;
extern const size_t launches_other_bytes;

/* The driver, as it was found. */
#define API(f)                                                                                                        \
	f(cuInit) f(cuModuleLoadData) f(cuModuleGetFunction) f(cuModuleUnload) f(cuLibraryLoadData) f(cuLibraryGetKernel) \
	f(cuLaunchKernel) f(cuLaunchKernelEx) f(cuLaunchCooperativeKernel) f(cuMemAlloc) f(cuMemAllocManaged) f(cuMemHostAlloc)  \
	f(cuMemcpyDtoHAsync) f(cuMemcpyDtoDAsync) f(cuMemcpyHtoD) f(cuMemcpyHtoDAsync) f(cuMemFree) f(cuMemsetD8Async) f(cuStreamCreate) f(cuStreamSynchronize) f(cuStreamBeginCapture)      \
	f(cuStreamEndCapture) f(cuGraphGetNodes)
#define MEMBER(name) __typeof__(name) *p_##name;
extern struct launches_api { API(MEMBER) } cu;

/* Says what is wrong and ends the program, unless ok. */
void must(int ok, const char *what);
#define OK(call) must((call) == CUDA_SUCCESS, #call)

/* Calls f inside a function of a library that the shim records. */
void inside_library(void (*f)(void));

/* Scenarios: launches_bytes.c, launches_random.c. */
void launch_bytes(CUmodule module);
void launch_often(CUmodule module);
void launch_random(CUmodule module);
void launch_arrays(CUmodule module);

#endif
