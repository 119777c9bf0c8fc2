/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/say.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct { bool known; dev_t dev; ino_t ino; } at_start;

void ekka_say_init(void)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) == 0) {
		at_start.known = true;
		at_start.dev = st.st_dev;
		at_start.ino = st.st_ino;
	}
}

/*
 * One line to stderr. Whoever read it may have gone: the SIGPIPE that this raises would kill a program that itself
 * had nothing more to write, so it is kept from it, unless one was pending already.
 */
static void write_line(const char *line, size_t n)
{
	const struct timespec now = { 0 };
	sigset_t pipe, old, pending;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	if (sigpending(&pending) != 0 || pthread_sigmask(SIG_BLOCK, &pipe, &old) != 0)
		return;
	/* The raw system call: write() is a cancellation point. */
	long r = syscall(SYS_write, STDERR_FILENO, line, n);
	if (r < 0 && errno == EPIPE && !sigismember(&pending, SIGPIPE))
		while (sigtimedwait(&pipe, NULL, &now) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void ekka_say(const char *fmt, ...)
{
	char line[420];
	struct stat st;
	va_list ap;
	int saved = errno;

	if (!at_start.known || fstat(STDERR_FILENO, &st) != 0 || st.st_dev != at_start.dev || st.st_ino != at_start.ino)
		goto out;
	int n = snprintf(line, sizeof(line), "ekkatrace: ");
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	write_line(line, (size_t)n);
out:
	errno = saved;
}
