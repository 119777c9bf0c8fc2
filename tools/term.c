/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/term.h"

#include <inttypes.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DEFAULT_WIDTH = 80, MIN_WIDTH = 40, BAR_WIDTH = 30 };

static struct {
	bool out_is_terminal, err_is_terminal, colour, no_pager, paged;
	unsigned width;
	pid_t pager;
	bool bar_shown;
	double bar_start, bar_drawn;	/* s */
	const char *bar_what;
} term;

static unsigned terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	unsigned long n = columns ? strtoul(columns, NULL, 10) : 0;
	struct winsize size;

	if (n == 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		n = size.ws_col;
	if (n == 0)
		n = DEFAULT_WIDTH;
	return n < MIN_WIDTH ? MIN_WIDTH : (unsigned)n;
}

void ekka_term_init(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *kind = getenv("TERM");
	const char *no_pager = getenv("NO_PAGER");

	term.out_is_terminal = isatty(STDOUT_FILENO);
	term.err_is_terminal = isatty(STDERR_FILENO);
	term.width = term.out_is_terminal ? terminal_width() : 0;
	term.colour = term.out_is_terminal && !(no_color && *no_color) && kind && strcmp(kind, "dumb") != 0;
	term.no_pager = no_pager && *no_pager;
}

unsigned ekka_term_width(void)
{
	return term.width;
}

const char *ekka_colour(enum ekka_colour c)
{
	static const char *const codes[] = {
		[EKKA_PLAIN] = "\033[m",   [EKKA_BOLD] = "\033[1m",   [EKKA_DIM] = "\033[2m",
		[EKKA_RED] = "\033[31m", [EKKA_GREEN] = "\033[32m", [EKKA_YELLOW] = "\033[33m",
	};

	return term.colour ? codes[c] : "";
}

void ekka_pager_disable(void)
{
	term.no_pager = true;
}

void ekka_pager_start(void)
{
	const char *pager = getenv("PAGER");
	int fds[2];

	if (!term.out_is_terminal || term.no_pager || term.pager)
		return;
	if (!pager)
		pager = "less";
	if (!*pager || strcmp(pager, "cat") == 0 || pipe(fds) != 0)
		return;
	fflush(stdout);
	/* Who leaves the pager has seen enough: that is no error, and no reason to die before the clean-up. */
	signal(SIGPIPE, SIG_IGN);
	term.pager = fork();
	if (term.pager == 0) {
		signal(SIGPIPE, SIG_DFL);
		dup2(fds[0], STDIN_FILENO);
		close(fds[0]);
		close(fds[1]);
		setenv("LESS", "FRX", 0);
		execl("/bin/sh", "sh", "-c", pager, (char *)NULL);
		_exit(127);
	}
	if (term.pager > 0) {
		dup2(fds[1], STDOUT_FILENO);
		term.paged = true;
	} else {
		term.pager = 0;
	}
	close(fds[0]);
	close(fds[1]);
}

void ekka_pager_finish(void)
{
	if (!term.pager)
		return;
	fflush(stdout);
	close(STDOUT_FILENO);
	while (waitpid(term.pager, NULL, 0) < 0)
		;
	term.pager = 0;
}

bool ekka_pager_used(void)
{
	return term.paged;
}

void ekka_progress_hide(void)
{
	if (!term.bar_shown)
		return;
	fputs("\r\033[K", stderr);
	term.bar_shown = false;
	term.bar_drawn = 0;
}

void ekka_progress(const char *what, uint64_t done, uint64_t total)
{
	static const char bar[] = "##############################";
	struct timespec ts;
	double now;
	int filled;

	if (!term.err_is_terminal || total == 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
	if (term.bar_what != what) {
		term.bar_what = what;
		term.bar_start = now;
		term.bar_drawn = 0;
	}
	if (now - term.bar_start < 1 || now - term.bar_drawn < 0.1)
		return;
	term.bar_drawn = now;
	term.bar_shown = true;
	filled = (int)((double)done / (double)total * BAR_WIDTH);
	fprintf(stderr, "\r%s [%.*s%*s] %" PRIu64 "/%" PRIu64 "\033[K", what, filled, bar, BAR_WIDTH - filled, "", done, total);
}
