/* SPDX-License-Identifier: Apache-2.0 */
/* What ordinary engines do: calls, threads, calls inside calls, signals in the middle. */
#include "tests/subjects/subject.h"

#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run_plain(struct subject *s)
{
	int n = s->argc > 0 ? atoi(s->argv[0]) : 3;

	for (int i = 0; i < n; i++)
		subject_call(s, "plain", (unsigned)i);
	return 0;
}

static void *thread_main(void *arg)
{
	for (unsigned i = 0; i < 50; i++)
		subject_gemm(((struct subject *)arg)->gemm, i);
	return NULL;
}

static int run_threads(struct subject *s)
{
	pthread_t t[8];

	for (int i = 0; i < 8; i++)
		if (pthread_create(&t[i], NULL, thread_main, s) != 0)
			return 1;
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	return 0;
}

static int run_nested(struct subject *s)
{
	double a[4] = { 1, 2, 3, 4 }, b[4] = { 5, 6, 7, 8 }, c[4] = { 0 };
#ifdef LINKED
	dgemm_fn *dgemm = cblas_dgemm;
#else
	dgemm_fn *dgemm = (dgemm_fn *)subject_find(subject_env("SUBJECT_TOY1"), "cblas_dgemm");
#endif
	(void)s;
	dgemm(101, 111, 111, 2, 2, 2, 1, a, 2, b, 2, 0, c, 2);
	printf("nested: %a %a\n", c[0], c[3]);
	return 0;
}

static struct subject *current;
static jmp_buf back;

static int jump_out(void)
{
	longjmp(back, 1);
}

/* A library call that is left by longjmp, as C++ exceptions and Python's faulthandlers do. */
static int run_longjmp(struct subject *s)
{
	*s->hook = jump_out;
	if (setjmp(back) == 0)
		subject_gemm(s->gemm, 1);
	subject_call(s, "after", 2);
	return 0;
}

static void on_signal(int sig)
{
	(void)sig;
	subject_gemm(current->gemm, 77);
}

static int raise_signal(void)
{
	raise(SIGUSR1);
	return 0;
}

/* A handler that computes, while a library call is in progress. */
static int run_handler(struct subject *s)
{
	current = s;
	signal(SIGUSR1, on_signal);
	*s->hook = raise_signal;
	subject_call(s, "handler", 3);
	return 0;
}

/* A timer whose handler computes, at any moment: in our code too. */
static int run_interrupts(struct subject *s)
{
	timer_t timer;
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec often = { .it_interval.tv_nsec = 200000, .it_value.tv_nsec = 200000 };

	current = s;
	signal(SIGUSR1, on_signal);
	if (timer_create(CLOCK_MONOTONIC, &ev, &timer) != 0 || timer_settime(timer, 0, &often, NULL) != 0)
		return 1;
	for (unsigned i = 0; i < 3000; i++)
		subject_gemm(s->gemm, i);
	timer_delete(timer);
	puts("survived");
	return 0;
}

static int seen_errno, seen_flags;

static int look(void)
{
	seen_errno = errno;
	seen_flags = fetestexcept(FE_ALL_EXCEPT);
	return 1;
}

/* errno, signal mask and floating-point environment: as the library sees them, and as they are after the call. */
static int run_state(struct subject *s)
{
	float a[4] = { 1, 2, 3, 4 }, b[4] = { 1, 0, 0, 1 }, c[4] = { 0 };
	float denormal = 0x1p-140f, signalling;
	sigset_t before, after;
	const unsigned bits = 0x7fa00000;

	memcpy(&signalling, &bits, sizeof(signalling));
	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	fesetround(FE_UPWARD);
	for (int i = 0; i < 3; i++) {
		const float alpha[3] = { 1, denormal, signalling };
		volatile float one = 1, three = 3;
		*s->hook = look;
		feclearexcept(FE_ALL_EXCEPT);
		feraiseexcept(FE_DIVBYZERO);
		errno = 1234;
		s->gemm(101, 111, 111, 2, 2, 2, alpha[i], a, 2, b, 2, 0, c, 2);
		printf("state: errno %d %d flags %d %d", seen_errno, errno, seen_flags, fetestexcept(FE_ALL_EXCEPT));
		printf(" third %a\n", (double)(one / three));
	}
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	printf("state: mask %d %d\n", sigismember(&after, SIGUSR2), sigismember(&after, SIGUSR1));
	return 0;
}

const struct scenario scenarios_basic[] = {
	{ "plain", run_plain }, { "threads", run_threads }, { "nested", run_nested }, { "longjmp", run_longjmp },
	{ "handler", run_handler }, { "interrupts", run_interrupts }, { "state", run_state }, { NULL, NULL },
};
