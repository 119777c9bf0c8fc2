/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When recording is wanted at all: inside NVTX ranges whose names match EKKA_WINDOW, and after a SIGUSR2 with EKKA_SIGNAL; without these
 * settings always. Zone: inside the host process. Any thread, and signal handlers.
 *
 * A range that any thread has open opens the window for all threads. What is not recorded outside of it may have written anything, so that
 * whenever the window opens nothing is known of memory any more (preload/versions.h). A call that began inside is recorded to its end.
 */
#ifndef EKKA_PRELOAD_WINDOW_H
#define EKKA_PRELOAD_WINDOW_H

#include <stdatomic.h>
#include <stdbool.h>

extern atomic_bool ekka_window_closed;

/* Is nothing to be recorded now: one load. */
static inline bool ekka_window_shut(void)
{
	return __builtin_expect(atomic_load_explicit(&ekka_window_closed, memory_order_relaxed), 0);
}

/*
 * By the settings, once, before anything is recorded: closes the window, makes NVTX find us (NVTX_INJECTION64_PATH, unless a tool is
 * named there) and takes SIGUSR2. Returns NULL, or why that cannot be (static text).
 */
const char *ekka_window_start(void);

/* A range that matches begins, ends. Each end belongs to a begin. */
void ekka_window_enter(void);
void ekka_window_leave(void);

/* Recording ends: says so if calls were left out because the window never opened, unless EKKA_QUIET. */
void ekka_window_end(void);

#endif
