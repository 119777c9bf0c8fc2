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

/*
 * cache STEPS [killed|fork]: a product writes one position of every head of a KV-cache of 512 KiB, another one reads all of it, STEPS times. "killed": dies inside the last call;
 * "fork": a child, and then its parent, do the second half.
 */
static int run_cache(struct subject *s)
{
	enum { HEADS = 16, POSITIONS = 512, DIM = 16 };
	static float cache[HEADS * POSITIONS * DIM + 3], scores[HEADS * POSITIONS], x[HEADS * DIM], w[DIM * DIM];
	int steps = s->argc > 0 ? atoi(s->argv[0]) : 24;
	const char *how = s->argc > 1 ? s->argv[1] : "";
	float *k = cache + 3;		/* begins at no round address */
	double sum = 0;

	for (int i = 0; i < HEADS * POSITIONS * DIM; i++)
		k[i] = (float)((unsigned)i * 2654435761u >> 8) / 65536;
	for (int i = 0; i < DIM * DIM; i++)
		w[i] = (float)(i % 7) / 8;
	for (int t = 0; t < steps; t++) {
		pid_t child = -1;

		if (strcmp(how, "fork") == 0 && t == steps / 2)
			child = fork();
		for (int i = 0; i < HEADS * DIM; i++)
			x[i] = (float)(t + i + (child == 0)) / 1024;
		s->gemm(101, 111, 111, HEADS, DIM, DIM, 1, x, DIM, w, DIM, 0, k + t * DIM, POSITIONS * DIM);
		if (strcmp(how, "killed") == 0 && t == steps - 1)
			*s->hook = kill_now;
		s->gemm(101, 111, 111, HEADS * POSITIONS, 1, DIM, 1, k, DIM, w, 1, 0, scores, 1);
		sum += (double)scores[t];
		if (child > 0)
			waitpid(child, NULL, 0);
	}
	printf("cache: %a\n", sum);
	return 0;
}

const struct scenario scenarios_process[] = {
	{ "fork", run_fork }, { "rawfork", run_rawfork }, { "forkquiet", run_forkquiet }, { "vfork", run_vfork },
	{ "vforkfail", run_vforkfail }, { "exec", run_exec }, { "execfail", run_execfail }, { "end", run_end },
	{ "killed", run_killed }, { "cache", run_cache }, { NULL, NULL },
};
