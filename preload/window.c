/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/window.h"

#include "preload/conf.h"
#include "preload/count.h"
#include "preload/init.h"
#include "preload/resolve.h"
#include "preload/say.h"
#include "preload/versions.h"

#include <signal.h>
#include <stdlib.h>

atomic_bool ekka_window_closed;
static atomic_bool toggled, was_open;
static atomic_uint ranges;	/* open ones that match */

/*
 * Two threads at once may each see the other's change or not: whoever comes last sees both. The clock ticks before anybody can see an
 * open window.
 */
static void update(void)
{
	bool open;

	do {
		open = atomic_load(&ranges) > 0 || atomic_load(&toggled);
		if (open && atomic_load(&ekka_window_closed)) {
			ekka_versions_wrote_anything();
			atomic_store(&was_open, true);
		}
		atomic_store(&ekka_window_closed, !open);
	} while (open != (atomic_load(&ranges) > 0 || atomic_load(&toggled)));
}

void ekka_window_enter(void)
{
	atomic_fetch_add(&ranges, 1);
	update();
}

void ekka_window_leave(void)
{
	atomic_fetch_sub(&ranges, 1);
	update();
}

void ekka_window_end(void)
{
	if (!ekka_window_shut() || atomic_load(&was_open) || ekka_conf.quiet || atomic_load(&ekka_totals.left_out) == 0)
		return;
	if (ekka_conf.window[0])
		ekka_say("nothing is recorded: no NVTX range matched EKKA_WINDOW (%s)%s", ekka_conf.window, ekka_conf.signal ? ", no SIGUSR2 came" : "");
	else
		ekka_say("nothing is recorded: no SIGUSR2 came (EKKA_SIGNAL)");
}

/* Atomics alone: whatever the thread was doing. */
static void on_signal(int signal)
{
	(void)signal;
	atomic_store(&toggled, !atomic_load(&toggled));
	update();
}

static const char *take_signal(void)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, old;

	if (sigaction(SIGUSR2, NULL, &old) != 0 || (old.sa_flags & SA_SIGINFO) || old.sa_handler != SIG_DFL)
		return "EKKA_SIGNAL: SIGUSR2 is in use in this program";
	return sigaction(SIGUSR2, &act, NULL) == 0 ? NULL : "EKKA_SIGNAL: SIGUSR2 cannot be had";
}

/* What NVTX asks when the program first names a range. A tool that is named there already is found all the same: preload/nvtx.c. */
static const char *tell_nvtx(void)
{
	const char *self = ekka_object_path((const void *)(uintptr_t)&ekka_window_start);

	return self && setenv("NVTX_INJECTION64_PATH", self, 0) == 0 ? NULL : "EKKA_WINDOW: NVTX cannot be told where we are";
}

const char *ekka_window_start(void)
{
	const char *why = NULL;

	if (ekka_conf.window[0])
		why = tell_nvtx();
	if (!why && ekka_conf.signal)
		why = take_signal();
	atomic_store(&ekka_window_closed, ekka_conf.window[0] || ekka_conf.signal);
	return why;
}
