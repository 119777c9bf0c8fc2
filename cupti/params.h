/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a launch's parameter block to the values of its event. Zone: inside the host process. Pure but for what it adds to
 * the call.
 *
 * Parameters of 1, 2 and 4 bytes become integers, zero-extended: their types are not known. Eight bytes become an address when they
 * look like one, else an integer; other sizes stay bytes, borrowed from the engine.
 */
#ifndef EKKA_CUPTI_PARAMS_H
#define EKKA_CUPTI_PARAMS_H

#include "cupti/kernel.h"

enum { EKKA_PARAMS_BYTES_MAX = 8 << 10 };	/* of parameters that stay bytes, per launch */

/*
 * Adds the arguments of a launch of `kernel` to `call`. params and extra are cuLaunchKernel's. What does not fit is cut, and attribute "cut"
 * says how many bytes of the block are not there; attribute "params" says why there are none.
 */
void ekka_params_describe(struct ekka_call *call, const struct ekka_kernel_facts *kernel, void *const *params, void *const *extra);

/*
 * Where the launch's parameters lie: kernel->kernel.n_args addresses, NULL for one that the launch does not give. True when all of the kernel's
 * parameters are there. Writes nothing where the layout is not known.
 */
bool ekka_params_locate(const struct ekka_kernel_facts *kernel, void *const *params, void *const *extra, const void *ret_at[EKKA_MAX_ARGS]);

/* Below 4 GiB lies no device allocation and, in a 64-bit process, hardly anything else; user space ends at 57 bits at most. */
static inline bool ekka_looks_like_address(uint64_t v)
{
	return v >> 32 != 0 && v >> 57 == 0;
}

#endif
