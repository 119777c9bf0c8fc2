/* SPDX-License-Identifier: Apache-2.0 */
/* Talk on stderr: lower case, no period, names in quotes. */
#ifndef EKKA_TOOLS_MESSAGE_H
#define EKKA_TOOLS_MESSAGE_H

/* Prints "ekka: " and the message; takes a progress bar off the line first. */
void ekka_message(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same with "warning: " in front. */
void ekka_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints the message; the second adds ": " and the text of errno. Both return EKKA_EXIT_FATAL. */
int ekka_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int ekka_fatal_errno(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
