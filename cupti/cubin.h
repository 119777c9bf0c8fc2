/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a kernel's parameters lie, out of its machine code: for drivers before CUDA 12.4, which do not tell. Zone: inside the host process; no allocation.
 *
 * A cubin is an ELF file. Its section .nv.info.KERNEL is a list of (format, attribute, value): attribute 0x17 tells a parameter's ordinal, offset and, above bit 18 of its last
 * word, bytes. As `ptxas` of CUDA 11 to 13 writes it. Machine code that is compressed inside a fatbin is not looked into.
 */
#ifndef EKKA_CUPTI_CUBIN_H
#define EKKA_CUPTI_CUBIN_H

#include "preload/image.h"
#include "trace/model.h"

struct ekka_cubin_layout {
	unsigned n_params;		/* all of them; at most EKKA_MAX_ARGS are in the arrays */
	uint32_t offset[EKKA_MAX_ARGS], bytes[EKKA_MAX_ARGS];
	uint32_t block_bytes;		/* end of the last parameter */
};

/* False when the image has no such kernel, or not the whole list. What to keep of it has been chosen (image.h). */
bool ekka_cubin_layout(const struct ekka_image *, const char *kernel, struct ekka_cubin_layout *ret);

#endif
