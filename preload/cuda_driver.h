/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CUDA driver as the engine has loaded it: entry points found at run time, no link-time dependency.
 * Zone: inside the host process.
 */
#ifndef EKKA_PRELOAD_CUDA_DRIVER_H
#define EKKA_PRELOAD_CUDA_DRIVER_H

#include <stdbool.h>
#include <stddef.h>

#include <cuda.h>

struct ekka_cuda_driver {
#define DRIVER(name, needed) __typeof__(name) *p_##name;
#include "preload/cuda_driver.def"
#undef DRIVER
};

/* The driver's table, or NULL when libcuda.so.1 is not loaded (looked for again next time) or lacks an entry point. Any thread. */
const struct ekka_cuda_driver *ekka_cuda_driver(void);

/* Calls an entry point of the table `drv` in scope; on an error keeps it in `res` and jumps to label. */
#define CU_GOTO(call, label)                                   \
	do {                                                   \
		if ((res = drv->p_##call) != CUDA_SUCCESS)     \
			goto label;                            \
	} while (0)

/*
 * Lets the calling thread allocate, query and load although another thread captures a stream in global mode, without
 * making that capture invalid; returns the mode to give to ekka_cuda_relaxed_end.
 */
CUstreamCaptureMode ekka_cuda_relaxed_begin(const struct ekka_cuda_driver *drv);
void ekka_cuda_relaxed_end(const struct ekka_cuda_driver *drv, CUstreamCaptureMode mode);

#endif
