/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/program.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

int ekka_program_find(const char *name, char *path, size_t len)
{
	const char *dirs = getenv("PATH");

	if (strchr(name, '/')) {
		int n = snprintf(path, len, "%s", name);

		return n >= 0 && (size_t)n < len && is_program(path) ? 0 : -1;
	}
	if (!dirs)
		dirs = "/bin:/usr/bin";
	for (;;) {
		size_t n = strcspn(dirs, ":");
		int got = snprintf(path, len, "%.*s%s%s", (int)n, dirs, n ? "/" : "", name);

		if (got >= 0 && (size_t)got < len && is_program(path))
			return 0;
		if (!dirs[n])
			return -1;
		dirs += n + 1;
	}
}

/* Has the 64-bit ELF file an interpreter, that is, a dynamic linker? -1: cannot be told. */
static int has_interpreter(int fd, const Elf64_Ehdr *eh)
{
	for (unsigned i = 0; i < eh->e_phnum; i++) {
		Elf64_Phdr ph;
		off_t at = (off_t)(eh->e_phoff + (uint64_t)i * eh->e_phentsize);

		if (pread(fd, &ph, sizeof(ph), at) != sizeof(ph))
			return -1;
		if (ph.p_type == PT_INTERP)
			return 1;
	}
	return 0;
}

/* Will the kernel run it with other rights than ours? The dynamic linker then ignores LD_PRELOAD. */
static const char *privilege(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return NULL;
	if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
		return "it is setuid, and the dynamic linker ignores LD_PRELOAD for such programs";
	if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getgid())
		return "it is setgid, and the dynamic linker ignores LD_PRELOAD for such programs";
	if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
		return "it has file capabilities, and the dynamic linker ignores LD_PRELOAD for such programs";
	return NULL;
}

/* Cuts the interpreter's path out of "#!  /bin/sh -e\n". */
static char *interpreter(char *line)
{
	char *at = line + 2 + strspn(line + 2, " \t");

	at[strcspn(at, " \t\n")] = '\0';
	return at;
}

static const char *obstacle(const char *path, bool follow)
{
	char start[256] = "";
	Elf64_Ehdr eh;
	const char *ret = privilege(path);
	int fd;
	ssize_t n;

	if (ret)
		return ret;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	n = pread(fd, start, sizeof(start) - 1, 0);
	if (n >= (ssize_t)sizeof(eh) && memcmp(start, ELFMAG, SELFMAG) == 0) {
		memcpy(&eh, start, sizeof(eh));
		if (eh.e_ident[EI_CLASS] != ELFCLASS64)
			ret = "it is no 64-bit program";
		else if (has_interpreter(fd, &eh) == 0)
			ret = "it is statically linked, and only the dynamic linker heeds LD_PRELOAD";
	} else if (n > 2 && start[0] == '#' && start[1] == '!' && follow) {
		ret = obstacle(interpreter(start), false);
	}
	close(fd);
	return ret;
}

const char *ekka_program_obstacle(const char *path)
{
	return obstacle(path, true);
}
