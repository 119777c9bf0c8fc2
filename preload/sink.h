/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink: one thread that takes entries from the queue and writes them. Zone: inside the host process.
 *
 * A segment is opened with the first recorded event and closed at exit, exec or _exit; recording after that (a
 * failed exec) opens another one.
 */
#ifndef EKKA_PRELOAD_SINK_H
#define EKKA_PRELOAD_SINK_H

#include <stdbool.h>

/* Makes sure that a segment and its thread exist. False: recording is off. Any thread; cheap when they do. */
bool ekka_sink_start(void);

/* Is a segment open in this process. */
bool ekka_sink_running(void);

/*
 * Has everything written that was queued before, with a trailer that says `why` ("exit", "exec", "_exit"), and ends the
 * thread. Bounded: gives up when there is no progress for EKKA_PATIENCE_MS. Nothing when no segment is open.
 */
void ekka_sink_close(const char *why);

/* In a forked child: there is no segment and no thread. */
void ekka_sink_forget(void);

#endif
