/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/select.h"

#include "preload/conf.h"
#include "preload/count.h"
#include "preload/window.h"
#include "spec/gen/ids.h"

#include <stdatomic.h>

/* Which functions include and exclude leave: 0 not asked yet, 1 wanted, 2 not. */
static _Atomic uint8_t wanted[EKKA_FN_COUNT];
static _Atomic uint64_t n_calls;	/* outermost ones, for skip, count and every */

static bool is_wanted(unsigned fn_id)
{
	uint8_t w = atomic_load_explicit(&wanted[fn_id], memory_order_relaxed);

	if (w == 0) {
		w = ekka_conf_wants(&ekka_conf, ekka_fns[fn_id].name) ? 1 : 2;
		atomic_store_explicit(&wanted[fn_id], w, memory_order_relaxed);
	}
	return w == 1;
}

void ekka_select_leave_out(void)
{
	atomic_fetch_add_explicit(&ekka_totals.left_out, 1, memory_order_relaxed);
}

bool ekka_select_counts(void)
{
	uint64_t n = atomic_fetch_add_explicit(&n_calls, 1, memory_order_relaxed);

	if (n >= ekka_conf.skip) {
		n -= ekka_conf.skip;
		if (n % ekka_conf.every == 0 && (ekka_conf.count == 0 || n / ekka_conf.every < ekka_conf.count))
			return true;
	}
	ekka_select_leave_out();
	return false;
}

/* Would skip and count choose a call now: whichever `every` leaves out, what lies between two chosen ones matters to the second. */
static bool is_in_window(void)
{
	uint64_t n = atomic_load_explicit(&n_calls, memory_order_relaxed);

	return n >= ekka_conf.skip && (ekka_conf.count == 0 || (n - ekka_conf.skip) / ekka_conf.every < ekka_conf.count);
}

bool ekka_select_chooses(const struct ekka_kernel *kernel)
{
	if (ekka_window_shut()) {
		ekka_select_leave_out();
		return false;
	}
	return kernel && kernel->aside ? is_in_window() : ekka_select_counts();
}

bool ekka_select_wants(unsigned fn_id, const struct ekka_kernel *kernel)
{
	return !kernel ? is_wanted(fn_id) : kernel->library ? true : kernel->wanted;
}
