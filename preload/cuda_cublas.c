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
#include "preload/getters.h"

#include <cublas_api.h>

#define GETTERS(F)                                                                                                    \
	F(stream, cublasGetStream_v2) F(pointer_mode, cublasGetPointerMode_v2) F(math_mode, cublasGetMathMode)        \
	F(atomics_mode, cublasGetAtomicsMode) F(sm_count, cublasGetSmCountTarget)

struct getters { GETTERS(EKKA_GETTER_MEMBER) } EKKA_GETTER_STRUCT;
EKKA_GETTER_SET(set, "cublas", GETTERS);

int32_t ekka_cuda_current_device(void)
{
	const struct ekka_cuda_driver *drv = ekka_cuda_driver();
	CUdevice device = -1;

	if (drv == NULL)
		return -1;
	/* No current context: the runtime will take device 0. */
	return drv->p_cuCtxGetDevice(&device) == CUDA_SUCCESS ? device : 0;
}

bool ekka_cuda_bytes_behind(uint64_t addr, uint64_t *ret_bytes)
{
	const struct ekka_cuda_driver *drv = ekka_cuda_driver();
	CUdeviceptr start = 0;
	size_t bytes = 0;

	if (drv == NULL || drv->p_cuPointerGetAttribute(&start, CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, addr) != CUDA_SUCCESS ||
	    drv->p_cuPointerGetAttribute(&bytes, CU_POINTER_ATTRIBUTE_RANGE_SIZE, addr) != CUDA_SUCCESS || addr < start || addr - start >= bytes)
		return false;
	*ret_bytes = bytes - (addr - start);
	return true;
}

void ekka_context_cublas(struct ekka_call *call, void *cublas_handle)
{
	const void *real = ekka_real(call->fn_id, call->caller);
	const struct getters *g = ekka_getters(real, &set);
	cublasPointerMode_t pointer_mode = CUBLAS_POINTER_MODE_HOST;
	cublasAtomicsMode_t atomics = CUBLAS_ATOMICS_NOT_ALLOWED;
	cublasMath_t math = CUBLAS_DEFAULT_MATH;
	struct ekka_workspace workspace;
	cudaStream_t stream = NULL;
	int sm_count = 0;

	call->rec.device = ekka_cuda_current_device();
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
