/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program as a shell would see it run: signals, job control, exit status. */
#ifndef EKKA_TOOLS_SPAWN_H
#define EKKA_TOOLS_SPAWN_H

#include <sys/types.h>

struct ekka_spawn_result {
	pid_t pid;
	int start_errno;	/* why the program could not be started, or 0 */
	int wait_status;	/* as waitpid gives it, when it was */
};

/*
 * Runs argv in a child of the same process group and waits. `prepare` is called in the child before exec with `arg`.
 * Signals sent to us alone are passed on; those that the terminal sends reach the child by themselves. Returns 0, or -1 with errno when there
 * could be no child.
 */
int ekka_spawn(char **argv, void (*prepare)(void *arg), void *arg, struct ekka_spawn_result *ret);

/* The shell's exit status for a result: the child's, 128 + signal, 126 or 127. */
int ekka_spawn_status(const struct ekka_spawn_result *);

#endif
