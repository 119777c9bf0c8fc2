/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/message.h"

#include "tools/command.h"
#include "tools/term.h"
#include "tools/text.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

__attribute__((format(printf, 2, 0)))
static void say(const char *before, const char *fmt, va_list ap, const char *after)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	ekka_progress_hide();
	fflush(stdout);
	fprintf(stderr, "ekka: %s", before);
	ekka_text_print(stderr, text);
	if (after)
		fprintf(stderr, ": %s", after);
	fputc('\n', stderr);
}

#define SAY(before, after)			\
	do {					\
		va_list ap;			\
		va_start(ap, fmt);		\
		say(before, fmt, ap, after);	\
		va_end(ap);			\
	} while (0)

void ekka_message(const char *fmt, ...)
{
	SAY("", NULL);
}

void ekka_warning(const char *fmt, ...)
{
	SAY("warning: ", NULL);
}

int ekka_fatal(const char *fmt, ...)
{
	SAY("", NULL);
	return EKKA_EXIT_FATAL;
}

int ekka_fatal_errno(const char *fmt, ...)
{
	const char *cause = strerror(errno);

	SAY("", cause);
	return EKKA_EXIT_FATAL;
}
