/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/cuda.h"
#include "preload/cuda_driver.h"

#include <dlfcn.h>

enum { DEVICES_MAX = 64, NAME_BYTES = 96 };

/* Written with the same bytes by whoever asks first, so threads that race do no harm. */
static char names[DEVICES_MAX][NAME_BYTES];

bool ekka_cuda_device(int32_t ordinal, struct ekka_rec_device *ret_device)
{
	const struct ekka_cuda_driver *drv = ekka_cuda_driver();
	int (*runtime_version)(int *);
	int major = 0, minor = 0, driver = 0, runtime = 0;
	CUdevice device;
	CUresult res;

	if (drv == NULL || ordinal < 0 || ordinal >= DEVICES_MAX)
		return false;
	CU_GOTO(cuDeviceGet(&device, ordinal), unknown);
	CU_GOTO(cuDeviceGetName(names[ordinal], NAME_BYTES, device), unknown);
	CU_GOTO(cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device), unknown);
	CU_GOTO(cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device), unknown);
	CU_GOTO(cuDriverGetVersion(&driver), unknown);
	*(void **)&runtime_version = dlsym(RTLD_DEFAULT, "cudaRuntimeGetVersion"); /* a runtime loaded RTLD_LOCAL stays unknown */
	if (runtime_version != NULL)
		(void)runtime_version(&runtime);
	*ret_device = (struct ekka_rec_device){
		.ordinal = ordinal,
		.name = names[ordinal],
		.cc_major = major,
		.cc_minor = minor,
		.driver = driver,
		.runtime = runtime,
	};
	return true;
unknown:
	(void)res;
	return false;
}
