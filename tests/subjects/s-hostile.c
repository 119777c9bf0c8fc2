/* SPDX-License-Identifier: Apache-2.0 */
/* What a shim's files and memory have to live with. */
#include "tests/subjects/subject.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Closes every descriptor it did not open, as daemons do, and opens its own under the numbers. */
static int run_closefds(struct subject *s)
{
	const char *path = s->argv[0];
	char buf[8];

	subject_call(s, "before", 1);
	usleep(100000);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	for (int fd = 3; fd < 1024; fd++) {
		int got = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
		if (got < 0)
			break;
	}
	for (unsigned i = 2; i < 20; i++)
		subject_call(s, "after", i);
	usleep(100000);
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		fd = 3;
	printf("own file: %d bytes\n", (int)pread(fd, buf, sizeof(buf), 0));
	return 0;
}

/* No descriptor is left when the first call comes. */
static int run_nofds(struct subject *s)
{
	int n = 0;

	while (open("/dev/null", O_RDONLY) >= 0)
		n++;
	subject_call(s, "call", 1);
	printf("%s\n", n > 0 ? "full" : "?");
	return 0;
}

/* descriptor 2 is a data file of the program by the time of exit. */
static int run_stderr(struct subject *s)
{
	subject_call(s, "call", 1);
	close(2);
	if (open(s->argv[0], O_WRONLY | O_CREAT | O_TRUNC, 0600) != 2)
		return 1;
	return 0;
}

/* Operands larger than the queue. */
static int run_large(struct subject *s)
{
	int n = 1200;
	size_t bytes = (size_t)n * (size_t)n * sizeof(float);
	float *a = malloc(bytes), *c = malloc(bytes);
	double sum = 0;

	if (!a || !c)
		return 1;
	for (int i = 0; i < n * n; i++)
		a[i] = (float)((unsigned)i * 2654435761u >> 8) / 65536;
	memset(c, 0, bytes);
	s->gemm(101, 111, 111, n, n, 1, 1, a, n, a, n, 0, c, n);
	s->gemm(101, 111, 111, 1, n, n, 1, a, n, a, n, 0, c, n);
	for (int i = 0; i < n * n; i++)
		sum += (double)c[i];
	printf("large: %a\n", sum);
	return 0;
}

static int leave_out(void)
{
	return 1;
}

/* Operands that cannot be read; the library leaves them alone. */
static int run_badptr(struct subject *s)
{
	float *hole = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	float b[4] = { 1, 2, 3, 4 }, c[4] = { 0 };
	float *const bad[] = { NULL, (float *)16, hole, hole + (1 << 18) - 2 };

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		*s->hook = leave_out;
		s->gemm(101, 111, 111, 2, 2, 2, 1, bad[i], 2, b, 2, 0, c, 2);
	}
	puts("badptr");
	return 0;
}

/* Many different operands, for budgets and disks. */
static int run_many(struct subject *s)
{
	for (unsigned i = 0; i < 2000; i++)
		subject_gemm(s->gemm, i);
	puts("many");
	return 0;
}

/* The same operands again and again. */
static int run_again(struct subject *s)
{
	int n = 80;
	size_t items = (size_t)n * (size_t)n;
	float *a = malloc(3 * items * sizeof(*a)), *b, *c;

	if (!a)
		return 1;
	b = a + items;
	c = b + items;
	for (size_t i = 0; i < items; i++) {
		a[i] = (float)((unsigned)i * 2654435761u >> 8) / 65536;
		b[i] = a[i] + 1;
	}
	for (unsigned i = 0; i < 3; i++) {
		s->gemm(101, 111, 111, n, n, n, 1, a, n, b, n, 0, c, n);
		printf("again: %a\n", (double)c[i]);
	}
	free(a);
	return 0;
}

static int run_chdir(struct subject *s)
{
	if (chdir("/") != 0)
		return 1;
	subject_call(s, "chdir", 1);
	return 0;
}

const struct scenario scenarios_hostile[] = {
	{ "closefds", run_closefds }, { "nofds", run_nofds }, { "stderr", run_stderr }, { "large", run_large },
	{ "badptr", run_badptr }, { "many", run_many }, { "again", run_again },
	{ "chdir", run_chdir }, { NULL, NULL },
};
