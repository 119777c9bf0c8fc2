/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/process.h"

#include "preload/capture.h"
#include "preload/guard.h"
#include "preload/init.h"
#include "preload/resolve.h"
#include "preload/sink.h"
#include "preload/window.h"

#include <alloca.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic int owner;

/* The raw call: the engine may have its own getpid. */
static int self_pid(void)
{
	return (int)syscall(SYS_getpid);
}

void ekka_process_adopt(void)
{
	atomic_store(&owner, self_pid());
}

bool ekka_process_leave(const char *why)
{
	int on = EKKA_STATE_ON;
	int saved = errno;

	if (atomic_load(&owner) != self_pid() || !atomic_compare_exchange_strong(&ekka_state, &on, EKKA_STATE_OFF)) {
		/* After a failure the segment still wants its trailer. */
		if (atomic_load(&owner) == self_pid())
			ekka_sink_close(why);
		errno = saved;
		return false;
	}
	ekka_sink_close(why);
	ekka_window_end();
	errno = saved;
	return true;
}

/* An exec that came back: recording goes on, in a new segment. */
static int stay(bool was_on)
{
	int off = EKKA_STATE_OFF;

	if (was_on)
		atomic_compare_exchange_strong(&ekka_state, &off, EKKA_STATE_ON);
	return -1;
}

bool ekka_only_our_tasks(unsigned n_ours)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned n = 0;

	if (!tasks)
		return false;
	for (struct dirent *d; (d = readdir(tasks));)
		n += d->d_name[0] != '.';
	closedir(tasks);
	return n <= n_ours + 1;
}

EKKA_PUBLIC void _exit(int status);
void _exit(int status)
{
	ekka_resolve_init();
	ekka_process_leave("_exit");
	ekka_libc.exit_now(status);
	__builtin_unreachable();
}

EKKA_PUBLIC void _Exit(int status);
void _Exit(int status)
{
	_exit(status);
}

EKKA_PUBLIC int execve(const char *path, char *const argv[], char *const env[]);
int execve(const char *path, char *const argv[], char *const env[])
{
	ekka_resolve_init();
	bool was_on = ekka_process_leave("exec");

	ekka_libc.execve(path, argv, env);
	return stay(was_on);
}

EKKA_PUBLIC int execvpe(const char *file, char *const argv[], char *const env[]);
int execvpe(const char *file, char *const argv[], char *const env[])
{
	ekka_resolve_init();
	bool was_on = ekka_process_leave("exec");

	ekka_libc.execvpe(file, argv, env);
	return stay(was_on);
}

EKKA_PUBLIC int execv(const char *path, char *const argv[]);
int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

EKKA_PUBLIC int execvp(const char *file, char *const argv[]);
int execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, environ);
}

EKKA_PUBLIC int fexecve(int fd, char *const argv[], char *const env[]);
int fexecve(int fd, char *const argv[], char *const env[])
{
	ekka_resolve_init();
	bool was_on = ekka_process_leave("exec");

	ekka_libc.fexecve(fd, argv, env);
	return stay(was_on);
}

EKKA_PUBLIC int execveat(int dir, const char *path, char *const argv[], char *const env[], int flags);
int execveat(int dir, const char *path, char *const argv[], char *const env[], int flags)
{
	ekka_resolve_init();
	bool was_on = ekka_process_leave("exec");

	ekka_libc.execveat(dir, path, argv, env, flags);
	return stay(was_on);
}

/* The arguments after `first` up to NULL, as an array on the caller's stack. */
#define GATHER(argv, first, ap)								\
	do {										\
		va_list count_;								\
		size_t n_ = 1;								\
		va_copy(count_, ap);							\
		while (va_arg(count_, char *))						\
			n_++;								\
		va_end(count_);								\
		argv = alloca((n_ + 1) * sizeof(char *));				\
		argv[0] = (char *)(uintptr_t)first;					\
		for (size_t i_ = 1; i_ <= n_; i_++)					\
			argv[i_] = va_arg(ap, char *);					\
	} while (0)

EKKA_PUBLIC int execl(const char *path, const char *arg, ...);
int execl(const char *path, const char *arg, ...)
{
	char **argv;
	va_list ap;

	va_start(ap, arg);
	GATHER(argv, arg, ap);
	va_end(ap);
	return execve(path, argv, environ);
}

EKKA_PUBLIC int execlp(const char *file, const char *arg, ...);
int execlp(const char *file, const char *arg, ...)
{
	char **argv;
	va_list ap;

	va_start(ap, arg);
	GATHER(argv, arg, ap);
	va_end(ap);
	return execvpe(file, argv, environ);
}

EKKA_PUBLIC int execle(const char *path, const char *arg, ...);
int execle(const char *path, const char *arg, ...)
{
	char **argv, **env;
	va_list ap;

	va_start(ap, arg);
	GATHER(argv, arg, ap);
	env = va_arg(ap, char **);
	va_end(ap);
	return execve(path, argv, env);
}
