/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUDA's driver and cuBLAS as far as the GPU backend needs them, on the host: our kernels with a few threads one after another, CBLAS for cuBLAS, everything
 * at once. Memory is full of NaN where nothing was written.
 */
#ifndef EKKA_TESTS_GPU_STAND_IN_H
#define EKKA_TESTS_GPU_STAND_IN_H

#include <stdbool.h>

#include "replay/gpu_library.h"

extern const struct ekka_gpu_library gpu_stand_in;
extern int gpu_launches, gpu_fail_after;	/* launches so far; CUDA fails from that one on, -1: never */
extern bool gpu_memory_lacks;			/* no more of it is to be had */

/* The conversion kernel on n elements. */
void gpu_stand_in_convert(double *re, const void *src, int dtype, int64_t n);

#endif
