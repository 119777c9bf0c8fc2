/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/memory.h"

#include "preload/conf.h"
#include "preload/guard.h"
#include "preload/init.h"

#include <errno.h>

bool ekka_memory_on(void)
{
	if (ekka_conf.launches == EKKA_LAUNCHES_OFF || atomic_load_explicit(&ekka_state, memory_order_relaxed) != EKKA_STATE_ON || ekka_self.inside)
		return false;
	if (ekka_in_child()) {
		int saved = errno;
		ekka_self.inside = true;
		ekka_child_start();
		ekka_self.inside = false;
		errno = saved;
	}
	return true;
}
