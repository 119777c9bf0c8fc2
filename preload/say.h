/* SPDX-License-Identifier: Apache-2.0 */
/* One line on stderr, without stdio. Zone: inside the host process. */
#ifndef EKKA_PRELOAD_SAY_H
#define EKKA_PRELOAD_SAY_H

/* Remembers which file descriptor 2 is now. Called once, from the constructor. */
void ekka_say_init(void);

/*
 * Writes "ekkatrace: TEXT" as one line if descriptor 2 still is what it was at start: a program may have closed it and got the
 * number back for a data file. Cut at 400 bytes. Keeps errno. Any thread.
 */
void ekka_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
