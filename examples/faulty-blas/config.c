/* SPDX-License-Identifier: Apache-2.0 */
/* $FAULTY_BLAS=FAULT[,call=N|,from=N][,min-k=N][,name=GLOB][,log=FILE] */
#include "faulty.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	const struct fault *fault;	/* NULL: none wanted */
	long first, last;		/* numbers of the calls that may be wrong, from 1 */
	long min_k;
	const char *name;		/* glob on symbols, or NULL */
	int log;			/* file descriptor, or -1 */
} config = { .first = 1, .last = -1, .log = -1 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_long calls;

static _Noreturn void refuse(const char *what, const char *value)
{
	dprintf(STDERR_FILENO, "faulty-blas: FAULTY_BLAS: %s '%s'; faults:", what, value);
	fault_list(STDERR_FILENO);
	_exit(2);
}

static long number(const char *s)
{
	char *end;

	errno = 0;
	long n = strtol(s, &end, 10);
	if (errno || end == s || *end || n < 1)
		refuse("bad number", s);
	return n;
}

static void set_option(const char *option)
{
	const char *value = strchr(option, '=');
	size_t len = value ? (size_t)(value++ - option) : 0;

#define IS(s) (len == sizeof s - 1 && memcmp(option, s, len) == 0)
	if (IS("call"))
		config.first = config.last = number(value);
	else if (IS("from"))
		config.first = number(value);
	else if (IS("min-k"))
		config.min_k = number(value);
	else if (IS("name"))
		config.name = value;
	else if (IS("log"))
		config.log = open(value, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	else
		refuse("unknown option", option);
#undef IS
	if (len == 3 && config.log < 0)
		refuse("cannot write", value);
}

static void parse(void)
{
	const char *wanted = getenv("FAULTY_BLAS");
	char *copy, *save = NULL;

	if (!wanted || !*wanted)
		return;
	copy = strdup(wanted);	/* stays: options point into it */
	if (!copy)
		refuse("out of memory for", wanted);
	const char *name = strtok_r(copy, ",", &save);
	config.fault = name ? fault_find(name) : NULL;
	if (!config.fault)
		refuse("unknown fault", wanted);
	for (const char *option; (option = strtok_r(NULL, ",", &save));)
		set_option(option);
}

bool faults_wanted(void)
{
	pthread_once(&once, parse);
	return config.fault;
}

void product_run(const struct product *p)
{
	long call = atomic_fetch_add(&calls, 1) + 1;

	if (call >= config.first && (config.last < 0 || call <= config.last) && p->k >= config.min_k &&
	    (!config.name || fnmatch(config.name, p->name, 0) == 0) && p->m > 0 && p->n > 0 && p->k > 0 &&
	    config.fault->applies(p)) {
		config.fault->run(p);
		if (config.log >= 0)
			dprintf(config.log, "call %ld %s m %ld n %ld k %ld %s\n", call, p->name, p->m, p->n, p->k, config.fault->name);
	} else {
		p->run(p);
	}
	if (config.fault->after)
		config.fault->after(p);
}
