/* SPDX-License-Identifier: Apache-2.0 */
/* What the wrappers of cuBLAS and cuBLASLt share: finding getters of the very library that a call goes to. Zone: inside the host process. */
#ifndef EKKA_PRELOAD_CUDA_CUBLAS_H
#define EKKA_PRELOAD_CUDA_CUBLAS_H

#include <stdint.h>

/*
 * `symbol` of the object that holds the function `real`; of a loaded library that the spec calls `library` where that
 * has none, as a layer that wraps only part of it. NULL when neither has it. Takes the loader's lock: not on every call.
 */
void *ekka_cublas_symbol(const void *real, const char *library, const char *symbol);

/* Ordinal of the calling thread's device, -1 without a driver. */
int32_t ekka_cuda_current_device(void);

#endif
