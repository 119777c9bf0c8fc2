/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a cuBLAS handle knows about a call: stream, pointer mode, math mode, atomics mode, limit of multiprocessors, asked from the very library that the call goes to,
 * as handles mean nothing to another version of it; and its workspace, for which there is no getter.
 */
#include "config.h"

#include "preload/cublas_workspace.h"
#include "preload/cuda.h"
#include "preload/cuda_cublas.h"
#include "preload/cuda_driver.h"

#include <cublas_api.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* Getters belonging to one real function; a program uses few different ones. */
struct getters {
	const void *real;
	__typeof__(cublasGetStream_v2) *stream;
	__typeof__(cublasGetPointerMode_v2) *pointer_mode;
	__typeof__(cublasGetMathMode) *math_mode;
	__typeof__(cublasGetAtomicsMode) *atomics_mode;
	__typeof__(cublasGetSmCountTarget) *sm_count;
};

enum { GETTERS_MAX = 256 };

static struct getters known[GETTERS_MAX];	/* append-only */
static atomic_uint n_known;
static pthread_mutex_t append_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct getters *find(const void *real)
{
	unsigned n = atomic_load_explicit(&n_known, memory_order_acquire);

	for (unsigned i = 0; i < n; i++)
		if (known[i].real == real)
			return &known[i];
	return NULL;
}

void *ekka_cublas_symbol(const void *real, const char *library, const char *symbol)
{
	void *lib = NULL, *address;
	Dl_info info;

	if (dladdr(real, &info) != 0 && info.dli_fname != NULL)
		lib = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
	address = lib != NULL ? dlsym(lib, symbol) : NULL;
	for (unsigned i = 0; address == NULL && i < ekka_n_libraries; i++) {
		if (strcmp(ekka_libraries[i].name, library) != 0)
			continue;
		for (const char *const *name = ekka_libraries[i].sonames; address == NULL && *name != NULL; name++) {
			lib = dlopen(*name, RTLD_LAZY | RTLD_NOLOAD);
			address = lib != NULL ? dlsym(lib, symbol) : NULL;
		}
	}
	return address;
}

static const struct getters *resolve(const void *real)
{
	const struct getters *found;
	struct getters g = { .real = real };

	*(void **)&g.stream = ekka_cublas_symbol(real, "cublas", "cublasGetStream_v2");
	*(void **)&g.pointer_mode = ekka_cublas_symbol(real, "cublas", "cublasGetPointerMode_v2");
	*(void **)&g.math_mode = ekka_cublas_symbol(real, "cublas", "cublasGetMathMode");
	*(void **)&g.atomics_mode = ekka_cublas_symbol(real, "cublas", "cublasGetAtomicsMode");
	*(void **)&g.sm_count = ekka_cublas_symbol(real, "cublas", "cublasGetSmCountTarget");

	pthread_mutex_lock(&append_lock);
	found = find(real);
	if (found == NULL && n_known < GETTERS_MAX) {
		known[n_known] = g;
		found = &known[n_known];
		atomic_store_explicit(&n_known, n_known + 1, memory_order_release);
	}
	pthread_mutex_unlock(&append_lock);
	return found;
}

int32_t ekka_cuda_current_device(void)
{
	const struct ekka_cuda_driver *drv = ekka_cuda_driver();
	CUdevice device = -1;

	if (drv == NULL)
		return -1;
	/* No current context: the runtime will take device 0. */
	return drv->p_cuCtxGetDevice(&device) == CUDA_SUCCESS ? device : 0;
}

void ekka_context_cublas(struct ekka_call *call, void *cublas_handle)
{
	const void *real = ekka_real(call->fn_id, call->caller);
	const struct getters *g = find(real);
	cublasPointerMode_t pointer_mode = CUBLAS_POINTER_MODE_HOST;
	cublasAtomicsMode_t atomics = CUBLAS_ATOMICS_NOT_ALLOWED;
	cublasMath_t math = CUBLAS_DEFAULT_MATH;
	struct ekka_workspace workspace;
	cudaStream_t stream = NULL;
	int sm_count = 0;

	call->rec.device = ekka_cuda_current_device();
	if (g == NULL)
		g = resolve(real);
	if (g == NULL || cublas_handle == NULL)
		return;
	if (g->stream != NULL && g->stream(cublas_handle, &stream) == CUBLAS_STATUS_SUCCESS)
		call->rec.stream = (uint64_t)stream;
	if (g->pointer_mode != NULL && g->pointer_mode(cublas_handle, &pointer_mode) == CUBLAS_STATUS_SUCCESS) {
		call->device_pointer_mode = pointer_mode == CUBLAS_POINTER_MODE_DEVICE;
		ekka_attr_int(call, "pointer_mode", pointer_mode);
	}
	if (g->math_mode != NULL && g->math_mode(cublas_handle, &math) == CUBLAS_STATUS_SUCCESS)
		ekka_attr_int(call, "math", math);
	if (g->atomics_mode != NULL && g->atomics_mode(cublas_handle, &atomics) == CUBLAS_STATUS_SUCCESS && atomics != CUBLAS_ATOMICS_NOT_ALLOWED)
		ekka_attr_int(call, "atomics", atomics);
	if (g->sm_count != NULL && g->sm_count(cublas_handle, &sm_count) == CUBLAS_STATUS_SUCCESS && sm_count != 0)
		ekka_attr_int(call, "sm_count_target", sm_count);
	if (ekka_cublas_workspace(cublas_handle, &workspace)) {
		ekka_attr_int(call, "workspace", (int64_t)workspace.addr);
		ekka_attr_int(call, "workspace_bytes", (int64_t)workspace.bytes);
	}
}
