/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's life: from the first touch to the end of the process image. Zone: inside the host process. */
#ifndef EKKA_PRELOAD_INIT_H
#define EKKA_PRELOAD_INIT_H

#include <stdatomic.h>
#include <stdbool.h>

enum ekka_state {
	EKKA_STATE_NEW,		/* nothing done yet: our constructor need not be the first to run */
	EKKA_STATE_STARTING,
	EKKA_STATE_ON,
	EKKA_STATE_WRONG,	/* the settings are wrong; said at the first call, so that helper programs stay silent */
	EKKA_STATE_ENDED,	/* after a failure: calls are only counted, for the trailer */
	EKKA_STATE_OFF,		/* by configuration, when it could not start, or at exit */
};
extern _Atomic int ekka_state;

/* Once; later calls only return. Another thread that comes in between sees STARTING and passes through. */
void ekka_init(void);

/* Is recording on, now that the first call has come: runs ekka_init if need be, says what is wrong with the settings. */
bool ekka_ready(void);

/* Ends recording for good, saying why in one line the first time. Any thread. */
void ekka_stop(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The library's own code and data contain `p`. */
bool ekka_is_ours(const void *p);

/*
 * After fork, however it was done: the first recorded call of the child finds the parent's state gone and starts
 * afresh. True when this process is not the one that ran ekka_init or the last ekka_child_start.
 */
bool ekka_in_child(void);
void ekka_child_start(void);

#endif
