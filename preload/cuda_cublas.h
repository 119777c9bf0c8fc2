/* SPDX-License-Identifier: Apache-2.0 */
/* What the wrappers of CUDA's libraries share. Zone: inside the host process. */
#ifndef EKKA_PRELOAD_CUDA_CUBLAS_H
#define EKKA_PRELOAD_CUDA_CUBLAS_H

#include <stdbool.h>
#include <stdint.h>

/* Ordinal of the calling thread's device, -1 without a driver. */
int32_t ekka_cuda_current_device(void);

/* Bytes from a device address to the end of its allocation, as the driver has it. False: it does not know. */
bool ekka_cuda_bytes_behind(uint64_t addr, uint64_t *ret_bytes);

#endif
