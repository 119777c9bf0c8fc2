/* SPDX-License-Identifier: Apache-2.0 */
/* A library that the shim records, and that launches a kernel. */
#include "config.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT void (*launch_from_library)(void);

EXPORT float cblas_sdot(int n, const float *x, int incx, const float *y, int incy);
float cblas_sdot(int n, const float *x, int incx, const float *y, int incy)
{
	(void)n, (void)x, (void)incx, (void)y, (void)incy;
	launch_from_library();
	return 0;
}
