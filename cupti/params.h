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

#endif
