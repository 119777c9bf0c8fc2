/* SPDX-License-Identifier: Apache-2.0 */
/* How processes begin and end. */
#include "tests/subjects/subject.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int wait_for(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

static int run_fork(struct subject *s)
{
	subject_call(s, "parent", 1);
	pid_t pid = fork();
	if (pid == 0) {
		subject_call(s, "child", 1);
		subject_call(s, "child", 2);
		exit(0);
	}
	int status = wait_for(pid);
	subject_call(s, "parent", 3);
	return status;
}

/* fork as container runtimes do it: no pthread_atfork handler runs. */
static int run_rawfork(struct subject *s)
{
	subject_call(s, "parent", 1);
	pid_t pid = (pid_t)syscall(SYS_fork);
	if (pid == 0) {
		subject_call(s, "child", 2);
		exit(0);
	}
	return wait_for(pid);
}

static int run_forkquiet(struct subject *s)
{
	subject_call(s, "parent", 1);
	pid_t pid = fork();
	if (pid == 0)
		exit(0);
	return wait_for(pid);
}

static int run_vfork(struct subject *s)
{
	subject_call(s, "parent", 1);
	pid_t pid = vfork();
	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	int status = wait_for(pid);
	subject_call(s, "parent", 2);
	return status;
}

static int run_vforkfail(struct subject *s)
{
	subject_call(s, "parent", 1);
	pid_t pid = vfork();
	if (pid == 0) {
		execl("/nonexistent", "x", (char *)NULL);
		_exit(7);
	}
	int status = wait_for(pid);
	subject_call(s, "parent", 2);
	return WEXITSTATUS(status) == 7 ? 0 : 1;
}

static int run_exec(struct subject *s)
{
	const char *how = s->argc > 0 ? s->argv[0] : "execv";
	static char plain[] = "plain", two[] = "2";
	char *argv[] = { (char *)(uintptr_t)s->program, (char *)(uintptr_t)s->mode, plain, two, NULL };

	subject_call(s, "before", 1);
	if (strcmp(how, "execl") == 0)
		execl(s->program, s->program, s->mode, "plain", "2", (char *)NULL);
	else if (strcmp(how, "execle") == 0)
		execle(s->program, s->program, s->mode, "plain", "2", (char *)NULL, environ);
	else if (strcmp(how, "execlp") == 0)
		execlp(s->program, s->program, s->mode, "plain", "2", (char *)NULL);
	else if (strcmp(how, "execvp") == 0)
		execvp(s->program, argv);
	else
		execv(s->program, argv);
	return 1;
}

static int run_execfail(struct subject *s)
{
	static char name[] = "x";
	char *argv[] = { name, NULL };

	subject_call(s, "before", 1);
	errno = 0;
	execv("/nonexistent", argv);
	printf("errno %d\n", errno);
	subject_call(s, "after", 2);
	return 0;
}

static void *late_main(void *arg)
{
	usleep(300000);
	subject_call(arg, "late", 2);
	return NULL;
}

static void handler_exit(int sig)
{
	(void)sig;
	_exit(5);
}

/* Ways to end after one call; what follows the call must not keep the trace from being whole. */
static int run_end(struct subject *s)
{
	const char *how = s->argv[0];
	pthread_t t;

	subject_call(s, "end", 1);
	if (strcmp(how, "_exit") == 0)
		_exit(3);
	if (strcmp(how, "_Exit") == 0)
		_Exit(3);
	if (strcmp(how, "quick_exit") == 0)
		quick_exit(3);
	if (strcmp(how, "abort") == 0) {
		usleep(200000);
		abort();
	}
	if (strcmp(how, "sigterm") == 0) {
		usleep(200000);
		raise(SIGTERM);
	}
	if (strcmp(how, "sigkill") == 0) {
		usleep(200000);
		raise(SIGKILL);
	}
	if (strcmp(how, "handler") == 0) {
		signal(SIGTERM, handler_exit);
		raise(SIGTERM);
	}
	if (strcmp(how, "mainexit") == 0) {
		pthread_create(&t, NULL, late_main, s);
		pthread_exit(NULL);
	}
	exit(3);
}

static int kill_now(void)
{
	raise(SIGKILL);
	return 0;
}

/* Dies inside the library call. */
static int run_killed(struct subject *s)
{
	subject_call(s, "first", 1);
	*s->hook = kill_now;
	subject_call(s, "second", 2);
	return 0;
}

const struct scenario scenarios_process[] = {
	{ "fork", run_fork }, { "rawfork", run_rawfork }, { "forkquiet", run_forkquiet }, { "vfork", run_vfork },
	{ "vforkfail", run_vforkfail }, { "exec", run_exec }, { "execfail", run_execfail }, { "end", run_end },
	{ "killed", run_killed }, { NULL, NULL },
};
