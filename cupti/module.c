/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/module.h"

#include "preload/conf.h"
#include "preload/guard.h"
#include "preload/lock.h"
#include "preload/probe.h"
#include "preload/resolve.h"
#include "preload/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IMAGES = 1 << 14, HANDLES = 1 << 15 };
static const uint64_t copies_most = 128 << 20;	/* bytes of images that are copied, at a time */

/* All under the lock. Untouched pages of either array take no memory. */
static struct ekka_lock lock;
static struct ekka_image images[IMAGES];
static struct { const void *handle; struct ekka_image *image; } handles[HANDLES];
static unsigned n_images, n_handles;
static uint64_t copied;

bool ekka_modules_on(void)
{
	return ekka_conf.modules == EKKA_MODULES_ON || (ekka_conf.modules == EKKA_MODULES_AUTO && ekka_conf.level == EKKA_LEVEL_FULL);
}

/* ---- the table -------------------------------------------------------- */

/* Asked when something is loaded or launched for the first time: no need to be quick. */
static struct ekka_image *find(const void *handle)
{
	for (unsigned i = n_handles; i-- > 0;)
		if (handles[i].handle == handle)
			return handles[i].image;
	return NULL;
}

static void drop_handles(const struct ekka_image *image, const void *handle)
{
	for (unsigned i = n_handles; i-- > 0;)
		if (handles[i].image == image || handles[i].handle == handle)
			handles[i] = handles[--n_handles];
}

static bool add_handle(const void *handle, struct ekka_image *image)
{
	drop_handles(NULL, handle);	/* an old one of that name */
	if (n_handles == HANDLES)
		return false;
	handles[n_handles].handle = handle;
	handles[n_handles++].image = image;
	return true;
}

static void add(const void *handle, const struct ekka_image *image)
{
	bool ok = false;

	if (ekka_lock_take(&lock)) {
		if (n_images < IMAGES && add_handle(handle, &images[n_images])) {
			images[n_images] = *image;
			atomic_store(&images[n_images++].users, 1);
			copied += image->owned ? image->bytes : 0;
			ok = true;
		}
		ekka_lock_release(&lock);
	}
	if (!ok && image->owned)
		(void)munmap(image->owned, image->bytes);
}

/* ---- what is loaded --------------------------------------------------- */

/* False: there is no memory for it. */
static bool copy(struct ekka_image *m)
{
	void *p = copied + m->bytes <= copies_most ? mmap(NULL, m->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;

	if (p == MAP_FAILED)
		return false;
	if (!ekka_probe_copy(p, m->at, m->bytes)) {
		(void)munmap(p, m->bytes);
		return false;
	}
	m->owned = p;
	m->at = (uintptr_t)p;
	return true;
}

void ekka_module_loaded(const void *handle, const void *image)
{
	struct ekka_image m;
	int saved = errno;

	ekka_image_measure(&m, (uintptr_t)image);
	/* One whose size nothing tells is no loss before a kernel of it is launched, and then `ekka kernels --modules` says so. */
	if (m.kind && (ekka_object_base((const void *)m.at) || copy(&m)))
		add(handle, &m);
	errno = saved;
}

static void *map_file(const char *path, uint64_t *ret_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p = MAP_FAILED;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		*ret_bytes = (uint64_t)st.st_size;
	}
	if (fd >= 0)
		(void)close(fd);
	return p == MAP_FAILED ? NULL : p;
}

void ekka_module_loaded_file(const void *handle, const char *path)
{
	int saved = errno;
	uint64_t bytes;
	struct ekka_image m = { 0 };
	void *p = path ? map_file(path, &bytes) : NULL;

	if (p)
		ekka_image_measure(&m, (uintptr_t)p);
	if (m.kind && copy(&m))		/* the file may change */
		add(handle, &m);
	if (p)
		(void)munmap(p, bytes);
	errno = saved;
}

void ekka_module_found(const void *handle, const void *of, bool is_kernel)
{
	const struct ekka_cuda_driver *drv = ekka_cuda_driver();
	struct ekka_image *image;
	CUlibrary library = NULL;

	if (is_kernel && (!drv || !drv->p_cuKernelGetLibrary || drv->p_cuKernelGetLibrary(&library, (CUkernel)of) != CUDA_SUCCESS))
		return;
	if (!ekka_lock_take(&lock))
		return;
	image = find(is_kernel ? library : of);
	if (image && find(handle) != image)
		(void)add_handle(handle, image);
	ekka_lock_release(&lock);
}

void ekka_module_unloading(const void *handle)
{
	struct ekka_image *image;

	if (n_handles == 0 || !ekka_lock_take(&lock))
		return;
	image = find(handle);
	if (image) {
		drop_handles(image, NULL);
		copied -= image->owned ? image->bytes : 0;
		ekka_image_drop(image);
	}
	ekka_lock_release(&lock);
}

/* ---- what is launched ------------------------------------------------- */

/* 90 for 9.0; 0: not known. */
static unsigned compute_capability(const struct ekka_cuda_driver *drv)
{
	CUdevice device;
	int major, minor;

	if (drv->p_cuCtxGetDevice(&device) != CUDA_SUCCESS ||
	    drv->p_cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device) != CUDA_SUCCESS ||
	    drv->p_cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device) != CUDA_SUCCESS)
		return 0;
	return (unsigned)(10 * major + minor);
}

struct ekka_image *ekka_module_image(const struct ekka_cuda_driver *drv, CUfunction f)
{
	struct ekka_image *image = NULL;
	CUlibrary library = NULL;
	CUmodule module = NULL;
	unsigned cc;

	if (!ekka_modules_on())
		return NULL;
	/* The driver takes either kind of handle for its own kind of question only. */
	if (drv->p_cuFuncGetModule && drv->p_cuFuncGetModule(&module, f) != CUDA_SUCCESS)
		module = NULL;
	if (!module && drv->p_cuKernelGetLibrary && drv->p_cuKernelGetLibrary(&library, (CUkernel)f) != CUDA_SUCCESS)
		library = NULL;
	cc = compute_capability(drv);
	if (!ekka_lock_take(&lock))
		return NULL;
	image = find(f);
	if (!image && (module || library))
		image = find(module ? (const void *)module : library);
	if (image)
		(void)ekka_image_choose(image, cc);
	ekka_lock_release(&lock);
	return image;
}

void ekka_modules_fork_child(void)
{
	lock = (struct ekka_lock){ 0 };
}
