/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's entry points that are ours (hooks.def), and the real functions behind them. Zone: inside the host process. Any thread. */
#ifndef EKKA_CUPTI_HOOKS_H
#define EKKA_CUPTI_HOOKS_H

#include <cuda.h>	/* its version: not every entry point is in every one */

#define HOOK(symbol, asked, since, per_thread, writes) HOOK_##symbol,
enum ekka_hook {
#include "cupti/hooks.def"
	EKKA_HOOKS
};

/* The real function behind one of ours, for whoever was linked with it; NULL when there is none. */
void *ekka_hook_real(enum ekka_hook h, const void *caller);
#define REAL(symbol) ((__typeof__(&symbol))ekka_hook_real(HOOK_##symbol, __builtin_return_address(0)))

#endif
