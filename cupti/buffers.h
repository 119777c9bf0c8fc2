/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers of a launch that no description explains: 8-byte words of its parameters that lie in device memory. Zone: inside the host process.
 *
 * How far such a buffer reaches nobody says. It is taken to its allocation's end, or to where the next tensor that was seen lately begins
 * (preload/starts.h), or EKKA_BUFFER_BYTES far, whichever comes first.
 *
 * Where a buffer holds addresses that the host sent there (uploads.h) it may be an array of pointers: what they lead to are buffers too.
 */
#ifndef EKKA_CUPTI_BUFFERS_H
#define EKKA_CUPTI_BUFFERS_H

#include "cupti/kernel.h"
#include "cupti/slot.h"

/*
 * Adds each distinct buffer of the parameters that slot->param has to slot->call: a u8 tensor named after its place, "p3" or "p3+16" (bytes into the parameter), or "p3[2]" for what word 2 of p3 leads to, read and written, and
 * an attribute "extent_p3" that says what bounds it: "allocation", "neighbour" or "cap". What is beyond EKKA_MAX_TENSORS is counted in attribute
 * "more_buffers". Host and managed memory is left out.
 */
void ekka_buffers_tell(struct ekka_slot_memory *slot, const struct ekka_kernel_facts *kernel, const struct ekka_cuda_driver *drv);

#endif
