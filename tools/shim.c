/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "tools/shim.h"

#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* The value of a text constant in an ELF image: the bytes at virtual address `at`. */
static const char *text_at(Elf *elf, GElf_Addr at, char *buf, size_t len)
{
	size_t n_headers;
	GElf_Phdr ph;

	if (elf_getphdrnum(elf, &n_headers) != 0)
		return NULL;
	for (size_t i = 0; i < n_headers; i++) {
		Elf_Data *data;

		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_LOAD || at < ph.p_vaddr ||
		    at - ph.p_vaddr >= ph.p_filesz)
			continue;
		data = elf_getdata_rawchunk(elf, (int64_t)(ph.p_offset + (at - ph.p_vaddr)),
					    ph.p_filesz - (at - ph.p_vaddr), ELF_T_BYTE);
		if (!data || !memchr(data->d_buf, '\0', data->d_size))
			return NULL;
		snprintf(buf, len, "%s", (const char *)data->d_buf);
		return buf;
	}
	return NULL;
}

static const char *find_version(Elf *elf, char *buf, size_t len)
{
	Elf_Scn *section = NULL;
	GElf_Shdr sh;
	GElf_Sym sym;

	while ((section = elf_nextscn(elf, section)) != NULL) {
		Elf_Data *data;

		if (!gelf_getshdr(section, &sh) || sh.sh_type != SHT_DYNSYM || sh.sh_entsize == 0 ||
		    !(data = elf_getdata(section, NULL)))
			continue;
		for (size_t i = 0; i < sh.sh_size / sh.sh_entsize; i++) {
			const char *name = gelf_getsym(data, (int)i, &sym) ? elf_strptr(elf, sh.sh_link, sym.st_name) : NULL;

			if (name && strcmp(name, "ekka_version") == 0 && GELF_ST_TYPE(sym.st_info) == STT_OBJECT)
				return text_at(elf, sym.st_value, buf, len);
		}
	}
	return NULL;
}

const char *ekka_shim_version(const char *path, char *buf, size_t len)
{
	const char *ret = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf *elf;

	if (fd < 0)
		return NULL;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf) {
		ret = find_version(elf, buf, len);
		elf_end(elf);
	}
	close(fd);
	return ret;
}
