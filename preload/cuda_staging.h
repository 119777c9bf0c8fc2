/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device memory for snapshots, as one slab per context: taken at the first snapshot, given back when the engine needs it.
 * Zone: inside the host process.
 *
 * The slab is mapped into reserved addresses (cuMemCreate, cuMemMap): unmapping such memory waits for nobody's work, while cuMemFree synchronises the device.
 * So it can be given back, at any moment at which no copy of ours lies in it; if some do, no new ones come and the last one to leave gives
 * it back. Where memory cannot be mapped the slab comes from cuMemAlloc and stays. A context that has lost its slab copies straight to pinned
 * memory, until the sink takes another one for it.
 */
#ifndef EKKA_PRELOAD_CUDA_STAGING_H
#define EKKA_PRELOAD_CUDA_STAGING_H

#include "preload/cuda_copy.h"

/* As large as allowed, less when the engine has left less, none at worst. The context is current, its device known. Driver calls. */
void ekka_cuda_staging_new(const struct ekka_cuda_driver *drv, struct ekka_cuda_context *);

/*
 * Takes a range for the copy's bytes; false: there is no room now. And gives it back, if the copy has one: the slab with it, if it is wanted back and
 * empty. The first with ekka_cuda_lock held, the second takes it.
 */
bool ekka_cuda_staging_take(struct ekka_cuda_context *, struct ekka_cuda_copy *);
void ekka_cuda_staging_leave(struct ekka_cuda_copy *);

/*
 * Sink thread, the context current: takes a slab again where there is none, when the engine has not run out of memory for a while; of what is free then a
 * quarter at most. Each time it has to be given back the while gets twice as long.
 */
void ekka_cuda_staging_grow(const struct ekka_cuda_driver *drv, struct ekka_cuda_context *);
extern unsigned ekka_cuda_staging_quiet_ms;	/* the while, at first; for tests */

/* Could `bytes` fit if the slab were empty. With ekka_cuda_lock held. */
bool ekka_cuda_staging_could_fit(const struct ekka_cuda_context *, uint64_t bytes);

/* The context is gone, whatever lay in its slab with it: gives the addresses and the memory behind them back. With ekka_cuda_lock held. */
void ekka_cuda_staging_bury(const struct ekka_cuda_driver *drv, struct ekka_cuda_context *);

#endif
