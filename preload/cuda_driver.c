/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/cuda_driver.h"

#include <dlfcn.h>
#include <stdatomic.h>

enum driver_state { UNKNOWN, READY, UNUSABLE };

static struct ekka_cuda_driver the_driver;
static atomic_int the_state = UNKNOWN;

/* dlsym never gives one symbol two addresses, so threads that race here store the same values. */
static int resolve(void)
{
	static const struct { const char *symbol; size_t offset; int needed; } entries[] = {
#define SYMBOL(name) #name /* after cuda.h's renaming */
#define DRIVER(name, needed) { SYMBOL(name), offsetof(struct ekka_cuda_driver, p_##name), needed },
#include "preload/cuda_driver.def"
#undef DRIVER
	};
	/* The engine's own handle keeps the library loaded; ours, never closed, would too. */
	void *lib = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);

	if (lib == NULL)
		return UNKNOWN;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		void *address = dlsym(lib, entries[i].symbol);

		if (address == NULL && entries[i].needed)
			return UNUSABLE;
		*(void **)((char *)&the_driver + entries[i].offset) = address;
	}
	/* Drivers before 12.8 have it by its first name alone, which cuda.h hides. */
	if (the_driver.p_cuEventElapsedTime == NULL)
		*(void **)&the_driver.p_cuEventElapsedTime = dlsym(lib, "cuEventElapsedTime");
	return READY;
}

const struct ekka_cuda_driver *ekka_cuda_driver(void)
{
	int state = atomic_load_explicit(&the_state, memory_order_acquire);

	if (state == UNKNOWN) {
		state = resolve();
		if (state != UNKNOWN)
			atomic_store_explicit(&the_state, state, memory_order_release);
	}
	return state == READY ? &the_driver : NULL;
}

CUstreamCaptureMode ekka_cuda_relaxed_begin(const struct ekka_cuda_driver *drv)
{
	CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;

	(void)drv->p_cuThreadExchangeStreamCaptureMode(&mode);
	return mode;
}

void ekka_cuda_relaxed_end(const struct ekka_cuda_driver *drv, CUstreamCaptureMode mode)
{
	(void)drv->p_cuThreadExchangeStreamCaptureMode(&mode);
}
