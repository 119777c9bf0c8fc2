/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/load.h"

#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const sonames[] = { "libcupti.so.13", "libcupti.so.12", "libcupti.so" };
enum { N_SONAMES = sizeof sonames / sizeof *sonames, PATH_BYTES = 4096 };

/* Tries every soname in `dir` + `below` (dir NULL: the dynamic linker's search path). */
static bool open_in(const char *dir, const char *below, int flags, struct ekka_cupti *found)
{
	char path[PATH_BYTES];
	int n;

	for (size_t i = 0; i < N_SONAMES && !found->handle; i++) {
		n = dir ? snprintf(path, sizeof path, "%s%s/%s", dir, below, sonames[i]) : snprintf(path, sizeof path, "%s", sonames[i]);
		if (n > 0 && (size_t)n < sizeof path)
			found->handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL | flags);
		found->soname = sonames[i];
	}
	return found->handle;
}

/* The folder of the first object whose name begins with "libcudart.so": into the buffer that arg is. */
static int note_runtime(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *name = info->dlpi_name ? info->dlpi_name : "", *slash = strrchr(name, '/');

	(void)size;
	if (!slash || strncmp(slash + 1, "libcudart.so", strlen("libcudart.so")) != 0 || slash - name >= PATH_BYTES)
		return 0;
	memcpy(arg, name, (size_t)(slash - name));
	((char *)arg)[slash - name] = '\0';
	return 1;
}

/* Beside the CUDA runtime that is loaded; in NVIDIA's wheels of CUDA 12 that is a folder further. */
static bool open_beside_runtime(struct ekka_cupti *found)
{
	char dir[PATH_BYTES];

	return dl_iterate_phdr(note_runtime, dir) && (open_in(dir, "", 0, found) || open_in(dir, "/../../cuda_cupti/lib", 0, found));
}

static bool open_in_home(struct ekka_cupti *found)
{
	const char *home = getenv("CUDA_HOME");

	return home && (open_in(home, "/lib64", 0, found) || open_in(home, "/extras/CUPTI/lib64", 0, found));
}

const char *ekka_cupti_load(const char *cuda_lib_dir, struct ekka_cupti *ret)
{
	/* CUptiResult is an int-sized enum whose success value is 0. */
	int (*get_version)(uint32_t *);
	struct ekka_cupti found = { 0 };

	if (!open_in(NULL, "", RTLD_NOLOAD, &found) && !open_in(NULL, "", 0, &found) && !open_beside_runtime(&found) &&
	    !open_in_home(&found) && !(cuda_lib_dir && open_in(cuda_lib_dir, "", 0, &found)))
		return "libcupti is not found";
	*(void **)&get_version = dlsym(found.handle, "cuptiGetVersion");
	if (!get_version || get_version(&found.version) != 0)
		return "libcupti does not tell its version";
	*ret = found;
	return NULL;
}
