/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File descriptors that live among the engine's. Zone: inside the host process.
 *
 * An engine may close every descriptor it knows nothing about and open files of its own under the same numbers, or use
 * up all there are. So ours lie high, are checked by identity before each use, and two are set aside at start.
 */
#ifndef EKKA_PRELOAD_FD_H
#define EKKA_PRELOAD_FD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct ekka_fd { int fd; dev_t dev; ino_t ino; };	/* fd -1: none */

/* Sets two descriptors aside, so that there are some when they are needed. */
void ekka_fd_reserve(void);
void ekka_fd_unreserve(void);

/* Creates a new file with mode 0600. 0, or -1 with errno (EEXIST when it is there already). */
int ekka_fd_create(struct ekka_fd *, const char *path);

/* Is the number still our file; if not, opens `path` again when that still is. */
bool ekka_fd_check(struct ekka_fd *, const char *path);

/* Closes it if it still is ours. */
void ekka_fd_close(struct ekka_fd *);

#endif
