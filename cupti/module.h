/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which image of GPU code each kernel comes from. Zone: inside the host process. Any thread; memory in pages of its own.
 *
 * The driver's entry points that load code tell (module_hooks.c): whatever CUDA runtime a program or a library brings, 12 and later call them too. An image that lies in a shared object is looked at again
 * when a kernel of it is launched first; others are copied at once, as the program may do with them what it likes. Nothing when EKKA_MODULES is off.
 */
#ifndef EKKA_CUPTI_MODULE_H
#define EKKA_CUPTI_MODULE_H

#include "preload/cuda_driver.h"
#include "preload/image.h"

/* Are images wanted. */
bool ekka_modules_on(void);

/* The driver made `handle`, a CUmodule or CUlibrary, of what lies at `image`, or in the file `path`. */
void ekka_module_loaded(const void *handle, const void *image);
void ekka_module_loaded_file(const void *handle, const char *path);

/* `handle` (a CUfunction or CUmodule) came out of `of`: a CUkernel, or else a CUlibrary. */
void ekka_module_found(const void *handle, const void *of, bool is_kernel);

/* Before the driver unloads it. */
void ekka_module_unloading(const void *handle);

/* The image that a kernel's handle, as it was passed to a launch, comes from, with what is kept of it chosen for the current device; NULL: not known. */
struct ekka_image *ekka_module_image(const struct ekka_cuda_driver *drv, CUfunction f);

void ekka_modules_fork_child(void);

#endif
