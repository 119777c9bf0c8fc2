/* SPDX-License-Identifier: Apache-2.0 */
/* The ends of a process image: exit, _exit, exec. Zone: inside the host process. */
#ifndef EKKA_PRELOAD_PROCESS_H
#define EKKA_PRELOAD_PROCESS_H

#include <stdbool.h>

/* This process is ours to record from now on. */
void ekka_process_adopt(void);

/*
 * Closes the segment, if this process has one, and turns recording off. Not in the child of a vfork, which shares our memory
 * but not our files' end. True when recording was on.
 */
bool ekka_process_leave(const char *why);

/* Are there no tasks but the main thread and n_ours of the shim's. Sink thread only (allocates). */
bool ekka_only_our_tasks(unsigned n_ours);

#endif
