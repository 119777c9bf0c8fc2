/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of each kernel, asked of the driver at its first launch and kept by handle. Zone: inside the host process.
 * Any thread; no allocation but whole pages, no lock on the path of a kernel that is known.
 */
#ifndef EKKA_CUPTI_KERNEL_H
#define EKKA_CUPTI_KERNEL_H

#include "preload/cuda_driver.h"
#include "preload/launch.h"

struct ekka_binding;

struct ekka_kernel_facts {
	struct ekka_kernel kernel;
	const struct ekka_binding *binding;	/* its descriptions; NULL: none, or bytes are not wanted */
	bool layout_known;		/* the driver, or the machine code, told every parameter's place */
	unsigned n_params;		/* all of them; at most EKKA_MAX_ARGS are in the arrays and in kernel.args */
	uint32_t offset[EKKA_MAX_ARGS];	/* bytes, in the parameter block */
	uint32_t bytes[EKKA_MAX_ARGS];
	uint32_t block_bytes;		/* end of the last parameter */
};

/*
 * The kernel behind a handle that was passed to a launch: a CUfunction, or a CUkernel cast to one. `symbol` is its name as
 * somebody else told it, used where the driver does not tell, or NULL. NULL when it has no name or there is no memory. Never freed.
 */
const struct ekka_kernel_facts *ekka_kernel_facts(const struct ekka_cuda_driver *drv, CUfunction f, const char *symbol);

/* A module was unloaded: its handles may come to mean other kernels. */
void ekka_kernels_expire(void);

#endif
