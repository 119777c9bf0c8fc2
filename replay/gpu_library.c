/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/gpu_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static struct ekka_gpu_library the_library;
static bool loaded;

#define SYMBOL(name) #name	/* after the headers' renaming */
struct entry { const char *symbol; size_t offset; };
#define ENTRY(name) { SYMBOL(name), offsetof(struct ekka_gpu_library, p_##name) },
static const struct entry driver_entries[] = { EKKA_GPU_DRIVER(ENTRY) }, blas_entries[] = { EKKA_GPU_BLAS(ENTRY) };

static int resolve(void *lib, const char *what, const struct entry *entry, size_t n, struct ekka_error *err)
{
	for (size_t i = 0; i < n; i++) {
		void *address = dlsym(lib, entry[i].symbol);

		if (!address)
			return ekka_error_set(err, EKKA_ERR_INVALID, "%s lacks %s", what, entry[i].symbol);
		*(void **)((char *)&the_library + entry[i].offset) = address;
	}
	return 0;
}

static void *open_blas(void)
{
	static const char *const names[] = { "libcublas.so.13", "libcublas.so.12" };
	const char *const folders[] = { NULL, getenv("CUDA_HOME"), "/usr/local/cuda" };
	char path[4096];

	for (size_t f = 0; f < sizeof folders / sizeof folders[0]; f++)
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
			void *lib;

			if (f && !folders[f])
				continue;
			(void)snprintf(path, sizeof path, "%s%s%s", f ? folders[f] : "", f ? "/lib64/" : "", names[i]);
			lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
			if (lib)
				return lib;
		}
	return NULL;
}

const struct ekka_gpu_library *ekka_gpu_library(struct ekka_error *err)
{
	void *driver, *blas;

	if (loaded)
		return &the_library;
	driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!driver) {
		(void)ekka_error_set(err, EKKA_ERR_INVALID, "no CUDA driver (libcuda.so.1)");
		return NULL;
	}
	blas = open_blas();
	if (!blas) {
		(void)ekka_error_set(err, EKKA_ERR_INVALID, "no cuBLAS (libcublas.so.13 or .12; LD_LIBRARY_PATH or CUDA_HOME says where)");
		(void)dlclose(driver);
		return NULL;
	}
	if (resolve(driver, "libcuda.so.1", driver_entries, sizeof driver_entries / sizeof driver_entries[0], err) < 0 ||
	    resolve(blas, "cuBLAS", blas_entries, sizeof blas_entries / sizeof blas_entries[0], err) < 0)
		return NULL;
	loaded = true;
	return &the_library;
}
