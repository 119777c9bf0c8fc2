/* SPDX-License-Identifier: Apache-2.0 */
#include "cupti/load.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>

static const char *const sonames[] = { "libcupti.so.13", "libcupti.so.12", "libcupti.so" };
enum { N_SONAMES = sizeof sonames / sizeof *sonames };

static void *open_in(const char *dir, const char *soname)
{
	char path[4096];
	int n;

	if (!dir)
		return dlopen(soname, RTLD_LAZY | RTLD_LOCAL);
	n = snprintf(path, sizeof path, "%s/%s", dir, soname);
	return n > 0 && (size_t)n < sizeof path ? dlopen(path, RTLD_LAZY | RTLD_LOCAL) : NULL;
}

const char *ekka_cupti_load(const char *cuda_lib_dir, struct ekka_cupti *ret)
{
	/* CUptiResult is an int-sized enum whose success value is 0. */
	int (*get_version)(uint32_t *);
	struct ekka_cupti found = { 0 };

	for (size_t i = 0; i < N_SONAMES && !found.handle; i++) {
		found.soname = sonames[i];
		found.handle = open_in(NULL, sonames[i]);
		if (!found.handle && cuda_lib_dir)
			found.handle = open_in(cuda_lib_dir, sonames[i]);
	}
	if (!found.handle)
		return "libcupti is not found";
	*(void **)&get_version = dlsym(found.handle, "cuptiGetVersion");
	if (!get_version || get_version(&found.version) != 0)
		return "libcupti does not tell its version";
	*ret = found;
	return NULL;
}
