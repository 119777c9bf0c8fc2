/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/capture.h"
#include "preload/getters.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { KNOWN = 384 };		/* functions that a program calls, times its copies of the libraries */

struct known { const void *real; const struct ekka_getter_set *set; void *function[EKKA_GETTERS]; };

static struct known known[KNOWN];	/* append-only */
static atomic_uint n_known;
static pthread_mutex_t append_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct known *find(const void *real, const struct ekka_getter_set *set)
{
	unsigned n = atomic_load_explicit(&n_known, memory_order_acquire);

	for (unsigned i = 0; i < n; i++)
		if (known[i].real == real && known[i].set == set)
			return &known[i];
	return NULL;
}

static void *symbol(const void *real, const char *library, const char *name)
{
	void *lib = NULL, *address;
	Dl_info info;

	if (dladdr(real, &info) != 0 && info.dli_fname != NULL)
		lib = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
	address = lib != NULL ? dlsym(lib, name) : NULL;
	for (unsigned i = 0; address == NULL && i < ekka_n_libraries; i++) {
		if (strcmp(ekka_libraries[i].name, library) != 0)
			continue;
		for (const char *const *soname = ekka_libraries[i].sonames; address == NULL && *soname != NULL; soname++) {
			lib = dlopen(*soname, RTLD_LAZY | RTLD_NOLOAD);
			address = lib != NULL ? dlsym(lib, name) : NULL;
		}
	}
	return address;
}

const void *ekka_getters(const void *real, const struct ekka_getter_set *set)
{
	const struct known *found = find(real, set);
	struct known k = { .real = real, .set = set };

	if (found != NULL)
		return found->function;
	for (unsigned i = 0; i < EKKA_GETTERS && set->names[i] != NULL; i++)
		k.function[i] = symbol(real, set->library, set->names[i]);
	pthread_mutex_lock(&append_lock);
	found = find(real, set);
	if (found == NULL && n_known < KNOWN) {
		known[n_known] = k;
		found = &known[n_known];
		atomic_store_explicit(&n_known, n_known + 1, memory_order_release);
	}
	pthread_mutex_unlock(&append_lock);
	return found != NULL ? found->function : NULL;
}
