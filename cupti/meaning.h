/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a launch means, for its event: op, attributes and tensors from the kernel's description, or else the buffers that its parameters
 * point to. Zone: inside the host process.
 */
#ifndef EKKA_CUPTI_MEANING_H
#define EKKA_CUPTI_MEANING_H

#include "cupti/kernel.h"
#include "cupti/launch.h"
#include "cupti/slot.h"

/*
 * What the descriptions (EKKA_KERNELS, and those built in) have for a kernel, NULL for nothing. One thread at a time; the first call reads
 * the files.
 */
const struct ekka_binding *ekka_meaning_bind(const char *name);

/*
 * Adds to slot->call attributes "description" and "op" with what the description says, or "nothing", or "refused"; then tensors: those of the description, or
 * raw buffers (cupti/buffers.h) when there is none that fits. Any thread, inside the shim's own code.
 */
void ekka_meaning_tell(struct ekka_slot_memory *slot, const struct ekka_launch *launch, const struct ekka_kernel_facts *kernel,
		       const struct ekka_cuda_driver *drv);

#endif
