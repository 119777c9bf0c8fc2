/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "tools/shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Relative to the folder of the running binary; installed layouts first. */
static const char *const beside[] = {
	"../lib/" EKKA_SHIM_NAME,		/* bin/ekka, lib/: `make install`, `make bundle` */
	"../lib/ekkatrace/" EKKA_SHIM_NAME,
	"../preload/.libs/" EKKA_SHIM_NAME,	/* build tree: tools/ekka */
	"../.libs/" EKKA_SHIM_NAME,
	"../../preload/.libs/" EKKA_SHIM_NAME,	/* build tree with libtool's wrapper: tools/.libs/ekka */
	"../../.libs/" EKKA_SHIM_NAME,
};

static const char *const installed[] = {
	EKKA_LIBDIR "/" EKKA_SHIM_NAME,
	EKKA_PKGLIBDIR "/" EKKA_SHIM_NAME,
};

static int take(const char *candidate, char *path, size_t len)
{
	char real[PATH_MAX];

	if (!realpath(candidate, real) || access(real, R_OK) != 0 || strlen(real) >= len)
		return -1;
	memcpy(path, real, strlen(real) + 1);
	return 0;
}

int ekka_shim_find(char *path, size_t len)
{
	char self[PATH_MAX], candidate[2 * PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash)
			*slash = '\0';
		for (size_t i = 0; i < sizeof(beside) / sizeof(*beside); i++) {
			snprintf(candidate, sizeof(candidate), "%s/%s", self, beside[i]);
			if (take(candidate, path, len) == 0)
				return 0;
		}
	}
	for (size_t i = 0; i < sizeof(installed) / sizeof(*installed); i++)
		if (take(installed[i], path, len) == 0)
			return 0;
	return -1;
}

/* In a child of its own, as the shim sets itself up when it is loaded. */
static void report_version(const char *path, int fd)
{
	const char *(*version)(void) = NULL;
	const char *text;
	void *handle;

	if (setenv("EKKA_LEVEL", "off", 1) != 0 || setenv("EKKA_QUIET", "1", 1) != 0)
		_exit(1);
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (handle)
		*(void **)&version = dlsym(handle, "ekka_version");
	text = version ? version() : "";
	_exit(write(fd, text, strlen(text)) < 0);
}

const char *ekka_shim_version(const char *path, char *buf, size_t len)
{
	int fds[2];
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return NULL;
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		report_version(path, fds[1]);
	close(fds[1]);
	n = pid > 0 ? read(fds[0], buf, len - 1) : -1;
	close(fds[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n <= 0)
		return NULL;
	buf[n] = '\0';
	return buf;
}
