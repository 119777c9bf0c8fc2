/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/error.h"

#include <stdio.h>
#include <string.h>

int ekka_error_set(struct ekka_error *err, enum ekka_err code, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		err->code = code;
		va_start(ap, fmt);
		(void)vsnprintf(err->message, sizeof err->message, fmt, ap);
		va_end(ap);
	}
	return code;
}

void ekka_error_prefix(struct ekka_error *err, const char *fmt, ...)
{
	char tail[sizeof err->message];
	va_list ap;
	int n;

	memcpy(tail, err->message, sizeof tail);
	va_start(ap, fmt);
	n = vsnprintf(err->message, sizeof err->message, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n + sizeof ": " > sizeof err->message)
		return;
	memcpy(err->message + n, ": ", 2);
	n += 2;
	memcpy(err->message + n, tail, sizeof err->message - (size_t)n);	/* tail is as long as message */
	err->message[sizeof err->message - 1] = '\0';
}
