/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EKKA_SHARED: before a small function of a header that our device kernels use as well (replay/gpu_kernels.cu), so that the CPU and the GPU
 * judge by the same lines. Such headers are both C and CUDA C++, and include nothing but each other and the standard's.
 * EKKA_SHARED_FOLDED: the same for one whose operation is a constant where the CPU calls it: nothing is left of its switch.
 * EKKA_SHARED_LARGE: the same for one that is too large to be there several times on a device.
 */
#ifndef EKKA_COMPARE_SHARED_H
#define EKKA_COMPARE_SHARED_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define EKKA_SHARED static __device__ __forceinline__
#define EKKA_SHARED_FOLDED EKKA_SHARED
#define EKKA_SHARED_LARGE static __device__ __noinline__
#else
#define EKKA_SHARED static inline
#define EKKA_SHARED_FOLDED static inline __attribute__((always_inline))
#define EKKA_SHARED_LARGE static inline
#endif

#endif
