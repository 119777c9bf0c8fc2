/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EKKA_SHARED: before a small function of a header that our device kernels use as well (replay/gpu_kernels.cu), so that the CPU and the GPU
 * judge by the same lines. Such headers are both C and CUDA C++, and include nothing but each other and the standard's.
 */
#ifndef EKKA_COMPARE_SHARED_H
#define EKKA_COMPARE_SHARED_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define EKKA_SHARED static __device__ __forceinline__
#else
#define EKKA_SHARED static inline
#endif

#endif
