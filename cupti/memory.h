/* SPDX-License-Identifier: Apache-2.0 */
/* What the driver's memory entry points (memory_*.c) have in common. Zone: inside the host process. Any thread. */
#ifndef EKKA_CUPTI_MEMORY_H
#define EKKA_CUPTI_MEMORY_H

#include <cuda.h>
#include <stdbool.h>

/* Do we watch memory: launches are captured, and nobody of ours is calling. In a forked child, starts it first. */
bool ekka_memory_on(void);

/* The stream that a per-thread (_ptsz, _ptds) entry point means. */
static inline CUstream ekka_own_stream(CUstream s)
{
	return s ? s : CU_STREAM_PER_THREAD;
}

#endif
