/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies the items of a batch whose addresses are in a pointer array in device memory: only the device can
 * read them, so a small kernel of ours does it. Zone: inside the host process.
 */
#ifndef EKKA_PRELOAD_CUDA_GATHER_H
#define EKKA_PRELOAD_CUDA_GATHER_H

#include <stdint.h>

#include "preload/cuda_driver.h"

/* Loads the kernel into the current context; NULL when the driver takes none of our images. Not while a stream is captured in this thread. */
CUfunction ekka_cuda_gather_load(const struct ekka_cuda_driver *drv);

/*
 * Enqueues on `stream`: item i's span_bytes, from the address pointers[i], to dst + i * span_bytes, for n items. An item
 * whose address is 0 gives zeros.
 */
CUresult ekka_cuda_gather(const struct ekka_cuda_driver *drv, CUfunction kernel, CUstream stream, CUdeviceptr dst,
			  CUdeviceptr pointers, uint64_t n, uint64_t span_bytes);

#endif
