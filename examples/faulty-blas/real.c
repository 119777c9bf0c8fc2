/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the BLAS behind this one. */
#include "config.h"

#include "faulty.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_OBJECTS = 32, MAX_PATH = 512 };

struct objects { const void *self; unsigned n; char path[MAX_OBJECTS][MAX_PATH]; };

static int add_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct objects *found = arg;
	const char *base = strrchr(info->dlpi_name, '/');

	(void)size;
	/* Our own name has it too. The addresses of our symbols would not tell: another preloaded library may have them. */
	if ((const void *)info->dlpi_addr == found->self)
		return 0;
	if (base && strstr(base, "blas") && strlen(info->dlpi_name) < MAX_PATH && found->n < MAX_OBJECTS)
		strcpy(found->path[found->n++], info->dlpi_name);
	return 0;
}

/*
 * A Python extension brings its BLAS in under RTLD_LOCAL, where RTLD_NEXT does not look. It is loaded by then, so that
 * dlopen with RTLD_NOLOAD gives a handle to ask. Not from within dl_iterate_phdr, which holds the linker's lock.
 */
static void *find_local(const char *name)
{
	Dl_info self;
	struct objects *found = calloc(1, sizeof *found);
	void *f = NULL;

	if (!found)
		return NULL;
	if (dladdr((const void *)find_local, &self))
		found->self = self.dli_fbase;
	dl_iterate_phdr(add_object, found);
	for (unsigned i = 0; i < found->n && !f; i++) {
		void *handle = dlopen(found->path[i], RTLD_LAZY | RTLD_NOLOAD);
		if (!handle)
			continue;
		f = dlsym(handle, name);
		dlclose(handle);
	}
	free(found);
	return f;
}

void *real_function(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	if (!f)
		f = find_local(name);
	if (!f) {
		dprintf(STDERR_FILENO, "faulty-blas: no library behind this one has '%s'\n", name);
		_exit(127);
	}
	return f;
}
