/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors of the libraries (trace/, compare/, replay/): a status code and a message.
 *
 * A function that can fail takes `struct ekka_error *err` last, returns a negative
 * enum ekka_err on failure and fills *err; it never prints and never exits. Callers
 * pass a zeroed structure on their stack. A caller adds its own context in front
 * with ekka_error_prefix. Not shared between threads.
 */
#ifndef EKKA_TRACE_ERROR_H
#define EKKA_TRACE_ERROR_H

#include <stdarg.h>

enum ekka_err {
	EKKA_OK = 0,
	EKKA_ERR_IO = -1,		/* the system refused; message has strerror */
	EKKA_ERR_FORMAT = -2,		/* damaged or hostile input; message names file and offset */
	EKKA_ERR_VERSION = -3,		/* a newer format than this build reads */
	EKKA_ERR_MISSING = -4,		/* named thing is not in the trace */
	EKKA_ERR_NOMEM = -5,
	EKKA_ERR_INVALID = -6,		/* the caller's argument is out of range */
	EKKA_ERR_UNSUPPORTED = -7,
};

struct ekka_error {
	enum ekka_err code;
	char message[512];
};

/* Sets *err (may be NULL) and returns code, so that `return ekka_error_set(...)` works. */
int ekka_error_set(struct ekka_error *err, enum ekka_err code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "text: " before the message; long messages are cut at the end. */
void ekka_error_prefix(struct ekka_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
