/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads CUPTI, the library that reports kernel launches, without needing it at link time.
 *
 * For launch capture, and for `ekka doctor`, which says whether this machine allows it.
 * Zone: in the host, so no allocation and no output.
 */
#ifndef EKKA_CUPTI_LOAD_H
#define EKKA_CUPTI_LOAD_H

#include <stdint.h>

struct ekka_cupti {
	void *handle;		/* from dlopen; stays loaded for the life of the process */
	const char *soname;	/* the name that was found; static */
	uint32_t version;	/* CUPTI_API_VERSION of the library, e.g. 130000 for CUDA 13.0 */
};

/*
 * Finds libcupti by the sonames of CUDA 12 and 13: the one that is loaded; else in the dynamic linker's search path, beside the CUDA
 * runtime that is loaded, in $CUDA_HOME, and in `cuda_lib_dir` (NULL: nowhere else). RTLD_LOCAL. Fills *ret and returns NULL, or returns why not (static
 * text, *ret untouched). Does not subscribe: CUPTI has one subscriber, which may be the user's profiler.
 * Thread-safe.
 */
const char *ekka_cupti_load(const char *cuda_lib_dir, struct ekka_cupti *ret);

#endif
