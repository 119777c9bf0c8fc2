/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/segment.h"

#include "preload/conf.h"
#include "preload/lock.h"
#include "trace/encode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ARGV = 256, PATH_BYTES = 3072 };	/* file names are appended within 4096 */

static char dir[2 * PATH_BYTES], shown[PATH_BYTES], exe[PATH_BYTES];

static uint64_t start_unix_ns, start_mono_ns;

void ekka_segment_start(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	start_unix_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	start_mono_ns = ekka_now_ns();
}

bool ekka_segment_name(void)
{
	char cwd[PATH_BYTES];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n > 0 ? n : 0] = 0;
	if (ekka_conf.output[0])
		n = snprintf(shown, sizeof(shown), "%s", ekka_conf.output);
	else
		n = snprintf(shown, sizeof(shown), "./ekka-%s-%d.ekka", program_invocation_short_name, (int)getpid());
	if (n < 0 || (size_t)n >= sizeof(shown))
		return false;
	if (shown[0] == '/') {
		memcpy(dir, shown, (size_t)n + 1);
		return true;
	}
	if (!getcwd(cwd, sizeof(cwd)))
		return false;
	n = snprintf(dir, sizeof(dir), "%s/%s", cwd, strncmp(shown, "./", 2) == 0 ? shown + 2 : shown);
	return n > 0 && (size_t)n < PATH_BYTES;
}

const char *ekka_segment_dir(void)
{
	return dir;
}

const char *ekka_segment_shown(void)
{
	return shown;
}

const char *ekka_segment_exe(void)
{
	return exe;
}

/* At most size - 1 bytes of a file, with NUL behind; returns how many. */
static size_t read_file(const char *path, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
			len += (size_t)n;
		close(fd);
	}
	buf[len] = 0;
	return len;
}

static unsigned read_argv(const char **argv, unsigned max)
{
	static char text[16384];
	size_t len = read_file("/proc/self/cmdline", text, sizeof(text));
	unsigned n = 0;

	for (size_t at = 0; at < len && n < max; at += strlen(text + at) + 1)
		argv[n++] = text + at;
	return n;
}

static const char *read_cpu(void)
{
	static char text[4096];
	char *at, *end;

	read_file("/proc/cpuinfo", text, sizeof(text));
	at = strstr(text, "model name");
	at = at ? strchr(at, ':') : NULL;
	if (!at)
		return "";
	at += strspn(at, ": \t");
	end = strchr(at, '\n');
	if (end)
		*end = 0;
	return at;
}

void ekka_segment_describe(struct ekka_rec_open *rec)
{
	static const char *argv[MAX_ARGV];
	static struct utsname machine;

	uname(&machine);
	*rec = (struct ekka_rec_open){
		.version = EKKA_FORMAT_VERSION,
		.pid = (int32_t)getpid(),
		.ppid = (int32_t)getppid(),
		.unix_ns = start_unix_ns,
		.mono_ns = start_mono_ns,
		.exe = exe,
		.argv = argv,
		.n_argv = read_argv(argv, MAX_ARGV),
		.level = ekka_conf.level == EKKA_LEVEL_FULL ? "full" : "calls",
		.tool = PACKAGE_STRING,
		.arch = machine.machine,
		.cpu = read_cpu(),
	};
}
