/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/cuda_gather.h"

#include "preload/gather_image.h" /* generated from gather.cu: ekka_gather_image[] */

enum { THREADS = 256, BYTES_PER_THREAD = 64, BLOCKS_X_MAX = 256, BLOCKS_Y_MAX = 65535 /* CUDA's limit */ };

CUfunction ekka_cuda_gather_load(const struct ekka_cuda_driver *drv)
{
	CUfunction kernel = NULL;
	CUmodule module;

	if (drv->p_cuModuleLoadData(&module, ekka_gather_image) != CUDA_SUCCESS ||
	    drv->p_cuModuleGetFunction(&kernel, module, "ekka_gather") != CUDA_SUCCESS)
		return NULL;
	return kernel;
}

CUresult ekka_cuda_gather(const struct ekka_cuda_driver *drv, CUfunction kernel, CUstream stream, CUdeviceptr dst,
			  CUdeviceptr pointers, uint64_t n, uint64_t span_bytes)
{
	uint64_t blocks_x = span_bytes / (THREADS * BYTES_PER_THREAD) + 1;
	void *params[] = { &dst, &pointers, &n, &span_bytes };

	if (blocks_x > BLOCKS_X_MAX)
		blocks_x = BLOCKS_X_MAX;
	return drv->p_cuLaunchKernel(kernel, (unsigned)blocks_x, n < BLOCKS_Y_MAX ? (unsigned)n : BLOCKS_Y_MAX, 1, THREADS, 1, 1, 0,
				     stream, params, NULL);
}
