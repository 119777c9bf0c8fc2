/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

static const int forwarded[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };
enum { N_FORWARDED = sizeof(forwarded) / sizeof(*forwarded) };

static volatile pid_t child;

/* A signal from the kernel (the terminal's Ctrl-C) went to the whole process group, so the child has it already. */
static void forward(int sig, siginfo_t *info, void *context)
{
	int saved_errno = errno;

	(void)context;
	if (info->si_code <= 0 && child > 0)
		kill(child, sig);
	errno = saved_errno;
}

/* What was ignored when we were started (nohup) stays ignored, here and in the child. */
static void forward_signals(void)
{
	struct sigaction ours = { .sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction old;

	sigemptyset(&ours.sa_mask);
	for (size_t i = 0; i < N_FORWARDED; i++)
		if (sigaction(forwarded[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(forwarded[i], &ours, NULL);
}

int ekka_spawn(char **argv, void (*prepare)(void *arg), void *arg, struct ekka_spawn_result *ret)
{
	sigset_t block, before;
	int report[2], e;
	pid_t pid;
	ssize_t n;

	if (pipe2(report, O_CLOEXEC) != 0)
		return -1;
	forward_signals();
	sigemptyset(&block);
	for (size_t i = 0; i < N_FORWARDED; i++)
		sigaddset(&block, forwarded[i]);
	sigprocmask(SIG_BLOCK, &block, &before);
	pid = fork();
	if (pid == 0) {
		prepare(arg);
		sigprocmask(SIG_SETMASK, &before, NULL);
		execvp(argv[0], argv);
		e = errno;
		(void)!write(report[1], &e, sizeof(e));
		_exit(127);
	}
	e = errno;
	child = pid;
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(report[1]);
	if (pid < 0) {
		close(report[0]);
		errno = e;
		return -1;
	}
	*ret = (struct ekka_spawn_result){ .pid = pid };
	do
		n = read(report[0], &e, sizeof(e));
	while (n < 0 && errno == EINTR);
	close(report[0]);
	if (n == sizeof(e))
		ret->start_errno = e;
	while (waitpid(pid, &ret->wait_status, 0) < 0)
		if (errno != EINTR)
			return -1;
	child = 0;
	return 0;
}

int ekka_spawn_status(const struct ekka_spawn_result *r)
{
	if (r->start_errno)
		return r->start_errno == ENOENT ? 127 : 126;
	if (WIFSIGNALED(r->wait_status))
		return 128 + WTERMSIG(r->wait_status);
	return WEXITSTATUS(r->wait_status);
}
