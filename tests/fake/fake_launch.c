/* SPDX-License-Identifier: Apache-2.0 */
/* libcuda.so.1: modules, kernels, launches, and the look-up of entry points. Kernels are functions on the host (struct fake_image). */
#include "config.h"

#include "tests/fake/fake.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cupti.h>

enum { HANDLES = 512 };

/* A CUfunction, or a CUkernel: the address of one of these. Handles are used again, the lowest first, as the real driver does. */
struct handle { const struct fake_kernel *kernel; const void *image; bool is_library; };
static struct handle handles[HANDLES];
static fake_observer *observer;

void fake_observe(fake_observer *f)
{
	observer = f;
}

/* ---- the kernel that the shim brings ---------------------------------- */

struct gather { uint64_t dst, pointers, n, span; };

static void do_gather(void *arg)
{
	const struct gather *g = arg;
	const uint64_t *pointers = fake_bytes(g->pointers);

	for (uint64_t i = 0; i < g->n; i++) {
		char *dst = (char *)fake_bytes(g->dst) + i * g->span;

		if (pointers[i] != 0)
			memcpy(dst, fake_bytes(pointers[i]), g->span);
		else
			memset(dst, 0, g->span);
	}
}

static void run_gather(const void *block, uint64_t threads)
{
	struct gather g;

	(void)threads;
	memcpy(&g, block, sizeof(g));
	do_gather(&g);
}

static const struct fake_kernel gather = {
	"ekka_gather", run_gather, 4, { { 0, 8 }, { 8, 8 }, { 16, 8 }, { 24, 8 } },
};
static const struct fake_image shim_image = { FAKE_MAGIC, &gather, 1 };

/* ---- modules ---------------------------------------------------------- */

/* What is no image of ours is taken for the shim's. */
static const struct fake_image *image_of(const void *p)
{
	const struct fake_fatbin_wrapper *wrapper = p;
	const struct fake_fatbin *fatbin = wrapper->magic == FAKE_FATBIN_WRAPPER_MAGIC ? wrapper->data : p;

	if (fatbin->magic == FAKE_FATBIN_MAGIC && memcmp(fatbin->entry[1].what, FAKE_MAGIC, sizeof(FAKE_MAGIC)) == 0)
		return fatbin->entry[1].image;
	return memcmp(p, FAKE_MAGIC, sizeof(FAKE_MAGIC)) == 0 ? p : &shim_image;
}

static CUresult make_handle(const void *image, const char *name, bool is_library, void **ret)
{
	const struct fake_image *m = image;

	for (unsigned k = 0; k < m->n_kernels; k++)
		for (unsigned i = 0; strcmp(m->kernel[k].name, name) == 0 && i < HANDLES; i++)
			if (!handles[i].kernel) {
				handles[i] = (struct handle){ &m->kernel[k], image, is_library };
				*ret = &handles[i];
				return CUDA_SUCCESS;
			}
	return CUDA_ERROR_NOT_FOUND;
}

static void drop_handles(const void *image)
{
	for (unsigned i = 0; i < HANDLES; i++)
		if (handles[i].image == image)
			handles[i] = (struct handle){ 0 };
}

static const struct handle *handle_of(const void *p)
{
	const struct handle *h = p;

	return h >= handles && h < handles + HANDLES && h->kernel ? h : NULL;
}

FAKE_EXPORT CUresult cuModuleLoadData(CUmodule *module, const void *image)
{
	ENTER(cuModuleLoadData);
	UNSAFE();
	*module = (CUmodule)(uintptr_t)image_of(image);
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name)
{
	ENTER(cuModuleGetFunction);
	return make_handle(module, name, false, (void **)function);
}

/* Tells its observer when it begins, as CUPTI does. */
FAKE_EXPORT CUresult cuModuleUnload(CUmodule module)
{
	uint64_t word = 0;

	ENTER(cuModuleUnload);
	if (observer)
		observer(CUPTI_DRIVER_TRACE_CBID_cuModuleUnload, NULL, &module, NULL, &word);
	drop_handles(module);
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuLibraryLoadData(CUlibrary *library, const void *code, CUjit_option *jit, void **jit_values, unsigned n_jit,
				       CUlibraryOption *options, void **values, unsigned n)
{
	ENTER(cuLibraryLoadData);
	(void)jit, (void)jit_values, (void)n_jit, (void)options, (void)values, (void)n;
	*library = (CUlibrary)(uintptr_t)image_of(code);
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuLibraryGetKernel(CUkernel *kernel, CUlibrary library, const char *name)
{
	ENTER(cuLibraryGetKernel);
	return make_handle(library, name, true, (void **)kernel);
}

FAKE_EXPORT CUresult cuKernelGetFunction(CUfunction *f, CUkernel kernel)
{
	const struct handle *h = handle_of(kernel);

	ENTER(cuKernelGetFunction);
	return h && h->is_library ? make_handle(h->image, h->kernel->name, false, (void **)f) : CUDA_ERROR_INVALID_HANDLE;
}

/* Modules and libraries are named by their images, and a function that comes from a library by one that nobody loaded. */
FAKE_EXPORT CUresult cuFuncGetModule(CUmodule *module, CUfunction f)
{
	const struct handle *h = handle_of(f);

	ENTER(cuFuncGetModule);
	if (!h || h->is_library)
		return CUDA_ERROR_INVALID_HANDLE;
	*module = (CUmodule)(uintptr_t)h->image;
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuKernelGetLibrary(CUlibrary *library, CUkernel kernel)
{
	const struct handle *h = handle_of(kernel);

	ENTER(cuKernelGetLibrary);
	if (!h || !h->is_library)
		return CUDA_ERROR_INVALID_HANDLE;
	*library = (CUlibrary)(uintptr_t)h->image;
	return CUDA_SUCCESS;
}

static CUresult name_of(const struct handle *h, bool is_library, const char **ret)
{
	if (!h || h->is_library != is_library)
		return CUDA_ERROR_INVALID_HANDLE;
	*ret = h->kernel->name;
	return CUDA_SUCCESS;
}

static CUresult param_of(const struct handle *h, bool is_library, size_t i, size_t *ret_offset, size_t *ret_bytes)
{
	if (!h || h->is_library != is_library)
		return CUDA_ERROR_INVALID_HANDLE;
	if (i >= h->kernel->n_params)
		return CUDA_ERROR_INVALID_VALUE;
	*ret_offset = h->kernel->param[i].offset;
	*ret_bytes = h->kernel->param[i].bytes;
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuFuncGetName(const char **name, CUfunction f)
{
	ENTER(cuFuncGetName);
	return name_of(handle_of(f), false, name);
}

FAKE_EXPORT CUresult cuKernelGetName(const char **name, CUkernel k)
{
	ENTER(cuKernelGetName);
	return name_of(handle_of(k), true, name);
}

FAKE_EXPORT CUresult cuFuncGetParamInfo(CUfunction f, size_t i, size_t *offset, size_t *bytes)
{
	ENTER(cuFuncGetParamInfo);
	return param_of(handle_of(f), false, i, offset, bytes);
}

FAKE_EXPORT CUresult cuKernelGetParamInfo(CUkernel k, size_t i, size_t *offset, size_t *bytes)
{
	ENTER(cuKernelGetParamInfo);
	return param_of(handle_of(k), true, i, offset, bytes);
}

/* ---- launches --------------------------------------------------------- */

struct work {
	const struct fake_kernel *kernel;
	CUfunction f;
	unsigned grid[3], block[3], shared;
	bool packed;			/* was given through `extra` */
	size_t bytes;
	void *pointer[FAKE_PARAMS], *extra[5];	/* for whoever asks a graph's node */
	char params[];
};

static uint64_t threads_of(const struct work *w)
{
	return (uint64_t)w->grid[0] * w->grid[1] * w->grid[2] * w->block[0] * w->block[1] * w->block[2];
}

static __thread struct fake_shape running;

const struct fake_shape *fake_shape(void)
{
	return &running;
}

static void do_run(void *arg)
{
	const struct work *w = arg;

	memcpy(running.grid, w->grid, sizeof(running.grid));
	memcpy(running.block, w->block, sizeof(running.block));
	w->kernel->run(w->params, threads_of(w));
}

/* The parameter block, however it was given. */
static CUresult fill_block(char *block, size_t bytes, const struct fake_kernel *k, void **params, void **extra)
{
	for (unsigned i = 0; params && i < k->n_params; i++)
		memcpy(block + k->param[i].offset, params[i], k->param[i].bytes);
	if (params)
		return CUDA_SUCCESS;
	if (!extra || extra[0] != CU_LAUNCH_PARAM_BUFFER_POINTER || extra[2] != CU_LAUNCH_PARAM_BUFFER_SIZE ||
	    *(size_t *)extra[3] < bytes)
		return k->n_params == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	memcpy(block, extra[1], bytes);
	return CUDA_SUCCESS;
}

static CUresult launch(CUfunction f, const unsigned grid[3], const unsigned block[3], unsigned shared, CUstream stream, void **params,
		       void **extra)
{
	const struct handle *h = handle_of(f);
	size_t bytes = 0;
	struct work *w;
	CUresult res;

	if (!h || grid[0] * grid[1] * grid[2] == 0 || block[0] * block[1] * block[2] == 0 || block[0] * block[1] * block[2] > 1024)
		return CUDA_ERROR_INVALID_VALUE;
	for (unsigned i = 0; i < h->kernel->n_params; i++)
		bytes = h->kernel->param[i].offset + h->kernel->param[i].bytes;
	w = calloc(1, sizeof(*w) + bytes);
	if (!w)
		abort();
	w->kernel = h->kernel;
	w->f = f;
	memcpy(w->grid, grid, sizeof(w->grid));
	memcpy(w->block, block, sizeof(w->block));
	w->shared = shared;
	w->packed = params == NULL;
	w->bytes = bytes;
	res = fill_block(w->params, bytes, h->kernel, params, extra);
	if (res == CUDA_SUCCESS)
		res = fake_enqueue(fake_stream_of(stream), do_run, w, sizeof(*w) + bytes);
	free(w);
	return res;
}

bool fake_kernel_node_get(struct fake_node *node, CUDA_KERNEL_NODE_PARAMS *ret)
{
	struct work *w = node->arg;

	if (node->work != do_run)
		return false;
	*ret = (CUDA_KERNEL_NODE_PARAMS){ .func = w->f, .gridDimX = w->grid[0], .gridDimY = w->grid[1], .gridDimZ = w->grid[2],
					  .blockDimX = w->block[0], .blockDimY = w->block[1], .blockDimZ = w->block[2],
					  .sharedMemBytes = w->shared };
	for (unsigned i = 0; i < w->kernel->n_params; i++)
		w->pointer[i] = w->params + w->kernel->param[i].offset;
	memcpy(w->extra, (void *[]){ CU_LAUNCH_PARAM_BUFFER_POINTER, w->params, CU_LAUNCH_PARAM_BUFFER_SIZE, &w->bytes, CU_LAUNCH_PARAM_END },
	       sizeof(w->extra));
	if (w->packed)
		ret->extra = w->extra;
	else
		ret->kernelParams = w->pointer;
	return true;
}

bool fake_kernel_node_set(struct fake_node *node, const CUDA_KERNEL_NODE_PARAMS *p)
{
	struct work *w = node->arg;

	if (node->work != do_run || p->func != w->f)
		return false;
	memcpy(w->grid, (const unsigned[]){ p->gridDimX, p->gridDimY, p->gridDimZ }, sizeof(w->grid));
	memcpy(w->block, (const unsigned[]){ p->blockDimX, p->blockDimY, p->blockDimZ }, sizeof(w->block));
	return fill_block(w->params, w->bytes, w->kernel, p->kernelParams, p->extra) == CUDA_SUCCESS;
}

static uint64_t begin(unsigned cbid, CUfunction f, const void *arguments)
{
	const struct handle *h = handle_of(f);
	uint64_t word = 0;

	if (observer)
		observer(cbid, h ? h->kernel->name : NULL, arguments, NULL, &word);
	return word;
}

static CUresult end(unsigned cbid, const void *arguments, CUresult res, uint64_t word)
{
	if (observer)
		observer(cbid, NULL, arguments, &res, &word);
	return res;
}

/* Declared in no header: cuda.h renames instead. */
CUresult cuLaunchKernel_ptsz(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void **, void **);
CUresult cuLaunchKernelEx_ptsz(const CUlaunchConfig *, CUfunction, void **, void **);
CUresult cuLaunchCooperativeKernel_ptsz(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void **);

#define GRID unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz
#define LAUNCH(name)                                                                                                        \
	FAKE_EXPORT CUresult name(CUfunction f, GRID, unsigned shared, CUstream s, void **params, void **extra)             \
	{                                                                                                                   \
		const cuLaunchKernel_params a = { f, gx, gy, gz, bx, by, bz, shared, s, params, extra };                    \
		ENTER(name);                                                                                                \
		uint64_t word = begin(CUPTI_DRIVER_TRACE_CBID_##name, f, &a);                                               \
		CUresult res = launch(f, (unsigned[]){ gx, gy, gz }, (unsigned[]){ bx, by, bz }, shared, s, params, extra);                 \
		return end(CUPTI_DRIVER_TRACE_CBID_##name, &a, res, word);                                                  \
	}
LAUNCH(cuLaunchKernel)
LAUNCH(cuLaunchKernel_ptsz)

#define LAUNCH_COOPERATIVE(name)                                                                                            \
	FAKE_EXPORT CUresult name(CUfunction f, GRID, unsigned shared, CUstream s, void **params)                           \
	{                                                                                                                   \
		const cuLaunchCooperativeKernel_params a = { f, gx, gy, gz, bx, by, bz, shared, s, params };                \
		ENTER(name);                                                                                                \
		uint64_t word = begin(CUPTI_DRIVER_TRACE_CBID_##name, f, &a);                                               \
		CUresult res = launch(f, (unsigned[]){ gx, gy, gz }, (unsigned[]){ bx, by, bz }, shared, s, params, NULL);                 \
		return end(CUPTI_DRIVER_TRACE_CBID_##name, &a, res, word);                                                  \
	}
LAUNCH_COOPERATIVE(cuLaunchCooperativeKernel)
LAUNCH_COOPERATIVE(cuLaunchCooperativeKernel_ptsz)

#define LAUNCH_EX(name)                                                                                                     \
	FAKE_EXPORT CUresult name(const CUlaunchConfig *c, CUfunction f, void **params, void **extra)                       \
	{                                                                                                                   \
		const cuLaunchKernelEx_params a = { c, f, params, extra };                                                  \
		ENTER(name);                                                                                                \
		uint64_t word = begin(CUPTI_DRIVER_TRACE_CBID_##name, f, &a);                                               \
		CUresult res = launch(f, (unsigned[]){ c->gridDimX, c->gridDimY, c->gridDimZ },                             \
				      (unsigned[]){ c->blockDimX, c->blockDimY, c->blockDimZ }, c->sharedMemBytes, c->hStream, params, extra); \
		return end(CUPTI_DRIVER_TRACE_CBID_##name, &a, res, word);                                                  \
	}
LAUNCH_EX(cuLaunchKernelEx)
LAUNCH_EX(cuLaunchKernelEx_ptsz)

/* ---- entry points ----------------------------------------------------- */

FAKE_EXPORT CUresult cuInit(unsigned flags)
{
	ENTER(cuInit);
	(void)flags;
	fake_make_current();
	return CUDA_SUCCESS;
}

/* Of functions that got another form under the same name later on: since when. All others have one form, or the second came before any runtime. */
static const struct { const char *symbol; int since; } second_forms[] = {
	{ "cuDevicePrimaryCtxReset", 11000 }, { "cuDevicePrimaryCtxRelease", 11000 }, { "cuIpcOpenMemHandle", 11000 },
	{ "cuStreamWriteValue32", 11070 }, { "cuStreamWriteValue64", 11070 }, { "cuStreamBatchMemOp", 11070 },
	{ "cuGetProcAddress", 12000 }, { "cuMemcpyBatchAsync", 13000 }, { "cuMemcpy3DBatchAsync", 13000 }, { "cuCtxSynchronize", 13000 },
};

static bool has_second_form(const char *symbol, int version)
{
	for (unsigned i = 0; i < sizeof(second_forms) / sizeof(second_forms[0]); i++)
		if (strcmp(second_forms[i].symbol, symbol) == 0)
			return version >= second_forms[i].since;
	return true;
}

/* The newest form of a function that `version` had; of those for per-thread default streams where they are asked for and there are any. */
static CUresult find_entry(const char *symbol, void **pfn, int version, cuuint64_t flags)
{
	static const char *const endings[] = { "_v2_ptsz", "_v2_ptds", "_v2", "_ptsz", "_ptds", "" };
	bool per_thread = flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;
	void *self = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
	char name[64];

	*pfn = NULL;
	if (strcmp(symbol, "cuGraphInstantiate") == 0)
		symbol = "cuGraphInstantiateWithFlags";	/* since 12.0 */
	for (unsigned i = has_second_form(symbol, version) ? 0 : 3; i < 6 && !*pfn; i++) {
		if (!per_thread && strstr(endings[i], "_pt"))
			continue;
		(void)snprintf(name, sizeof(name), "%s%s", symbol, endings[i]);
		*pfn = dlsym(self, name);
	}
	dlclose(self);
	return *pfn ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

FAKE_EXPORT CUresult cuGetProcAddress_v2(const char *symbol, void **pfn, int version, cuuint64_t flags,
					 CUdriverProcAddressQueryResult *status)
{
	ENTER(cuGetProcAddress_v2);
	(void)status;
	return find_entry(symbol, pfn, version, flags);
}
