/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's entry points that give memory out and take it back: they feed the allocation map (alloc.h). An address enters the map when the
 * driver has given it out, and leaves it before the driver is told to take it back.
 */
#include "config.h"

#define CUDA_ENABLE_DEPRECATED
#include "cupti/alloc.h"
#include "cupti/hooks.h"
#include "cupti/memory.h"

#include "preload/capture.h"
#include "preload/cuda_driver.h"

#include <cuda.h>

/* Declared in no header: cuda.h renames instead. */
__typeof__(cuMemAllocAsync) cuMemAllocAsync_ptsz;
__typeof__(cuMemAllocFromPoolAsync) cuMemAllocFromPoolAsync_ptsz;
__typeof__(cuMemFreeAsync) cuMemFreeAsync_ptsz;

#define CALL(...) (call ? call(__VA_ARGS__) : CUDA_ERROR_NOT_INITIALIZED)

static void given(CUresult res, uint64_t start, uint64_t bytes, enum ekka_alloc_kind kind)
{
	if (res == CUDA_SUCCESS && ekka_memory_on())
		ekka_alloc_add(start, bytes, kind);
}

/* Memory that a graph being captured will allocate has an address and, until the graph runs, nothing behind it. */
static void given_async(CUresult res, uint64_t start, uint64_t bytes, CUstream stream)
{
	const struct ekka_cuda_driver *drv;
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;

	if (res != CUDA_SUCCESS || !ekka_memory_on() || !(drv = ekka_cuda_driver()))
		return;
	if (drv->p_cuStreamIsCapturing(stream, &status) == CUDA_SUCCESS && status == CU_STREAM_CAPTURE_STATUS_NONE)
		ekka_alloc_add(start, bytes, EKKA_ALLOC_DEVICE);
}

/* Around a call that frees: whatever it answers, the map does not hold the range any more. Still there, it is learned again. */
#define FREE(name, args, how_begin)                                        \
	{                                                                  \
		__typeof__(&name) call = REAL(name);                       \
		bool on = ekka_memory_on();                                \
		if (on)                                                    \
			how_begin;                                         \
		CUresult res = call ? call args : CUDA_ERROR_NOT_INITIALIZED; \
		if (on)                                                    \
			ekka_alloc_free_end();                             \
		return res;                                                \
	}

/* ---- device ----------------------------------------------------------- */

EKKA_PUBLIC CUresult cuMemAlloc_v2(CUdeviceptr *p, size_t bytes)
{
	__typeof__(&cuMemAlloc_v2) call = REAL(cuMemAlloc_v2);
	CUresult res = CALL(p, bytes);

	given(res, res == CUDA_SUCCESS ? *p : 0, bytes, EKKA_ALLOC_DEVICE);
	return res;
}

EKKA_PUBLIC CUresult cuMemAllocPitch_v2(CUdeviceptr *p, size_t *pitch, size_t width, size_t height, unsigned element)
{
	__typeof__(&cuMemAllocPitch_v2) call = REAL(cuMemAllocPitch_v2);
	CUresult res = CALL(p, pitch, width, height, element);

	if (res == CUDA_SUCCESS)
		given(res, *p, *pitch * height, EKKA_ALLOC_DEVICE);
	return res;
}

EKKA_PUBLIC CUresult cuMemAllocManaged(CUdeviceptr *p, size_t bytes, unsigned flags)
{
	__typeof__(&cuMemAllocManaged) call = REAL(cuMemAllocManaged);
	CUresult res = CALL(p, bytes, flags);

	given(res, res == CUDA_SUCCESS ? *p : 0, bytes, EKKA_ALLOC_DEVICE);
	return res;
}

#define ALLOC_ASYNC(name, stream)                                                     \
	EKKA_PUBLIC CUresult name(CUdeviceptr *p, size_t bytes, CUstream s)           \
	{                                                                             \
		__typeof__(&name) call = REAL(name);                                  \
		CUresult res = CALL(p, bytes, s);                                     \
		given_async(res, res == CUDA_SUCCESS ? *p : 0, bytes, stream);        \
		return res;                                                           \
	}
ALLOC_ASYNC(cuMemAllocAsync, s)
ALLOC_ASYNC(cuMemAllocAsync_ptsz, ekka_own_stream(s))

#define ALLOC_FROM_POOL(name, stream)                                                            \
	EKKA_PUBLIC CUresult name(CUdeviceptr *p, size_t bytes, CUmemoryPool pool, CUstream s)    \
	{                                                                                        \
		__typeof__(&name) call = REAL(name);                                             \
		CUresult res = CALL(p, bytes, pool, s);                                          \
		given_async(res, res == CUDA_SUCCESS ? *p : 0, bytes, stream);                   \
		return res;                                                                      \
	}
ALLOC_FROM_POOL(cuMemAllocFromPoolAsync, s)
ALLOC_FROM_POOL(cuMemAllocFromPoolAsync_ptsz, ekka_own_stream(s))

EKKA_PUBLIC CUresult cuMemFree_v2(CUdeviceptr p)
FREE(cuMemFree_v2, (p), ekka_alloc_free_begin(p))

EKKA_PUBLIC CUresult cuMemFreeAsync(CUdeviceptr p, CUstream s)
FREE(cuMemFreeAsync, (p, s), ekka_alloc_free_begin(p))

EKKA_PUBLIC CUresult cuMemFreeAsync_ptsz(CUdeviceptr p, CUstream s)
FREE(cuMemFreeAsync_ptsz, (p, s), ekka_alloc_free_begin(p))

/* ---- pinned host memory ----------------------------------------------- */

EKKA_PUBLIC CUresult cuMemHostAlloc(void **p, size_t bytes, unsigned flags)
{
	__typeof__(&cuMemHostAlloc) call = REAL(cuMemHostAlloc);
	CUresult res = CALL(p, bytes, flags);

	given(res, res == CUDA_SUCCESS ? (uintptr_t)*p : 0, bytes, EKKA_ALLOC_HOST);
	return res;
}

EKKA_PUBLIC CUresult cuMemAllocHost_v2(void **p, size_t bytes)
{
	__typeof__(&cuMemAllocHost_v2) call = REAL(cuMemAllocHost_v2);
	CUresult res = CALL(p, bytes);

	given(res, res == CUDA_SUCCESS ? (uintptr_t)*p : 0, bytes, EKKA_ALLOC_HOST);
	return res;
}

EKKA_PUBLIC CUresult cuMemHostRegister_v2(void *p, size_t bytes, unsigned flags)
{
	__typeof__(&cuMemHostRegister_v2) call = REAL(cuMemHostRegister_v2);
	CUresult res = CALL(p, bytes, flags);

	given(res, (uintptr_t)p, bytes, EKKA_ALLOC_HOST);
	return res;
}

EKKA_PUBLIC CUresult cuMemFreeHost(void *p)
FREE(cuMemFreeHost, (p), ekka_alloc_free_begin((uintptr_t)p))

EKKA_PUBLIC CUresult cuMemHostUnregister(void *p)
FREE(cuMemHostUnregister, (p), ekka_alloc_free_begin((uintptr_t)p))

/* ---- reserved addresses ----------------------------------------------- */

EKKA_PUBLIC CUresult cuMemAddressReserve(CUdeviceptr *p, size_t bytes, size_t alignment, CUdeviceptr where, unsigned long long flags)
{
	__typeof__(&cuMemAddressReserve) call = REAL(cuMemAddressReserve);
	CUresult res = CALL(p, bytes, alignment, where, flags);

	if (res == CUDA_SUCCESS && ekka_memory_on())
		ekka_alloc_reserve(*p, bytes);
	return res;
}

EKKA_PUBLIC CUresult cuMemAddressFree(CUdeviceptr p, size_t bytes)
{
	__typeof__(&cuMemAddressFree) call = REAL(cuMemAddressFree);

	if (ekka_memory_on())
		ekka_alloc_unreserve(p);
	return CALL(p, bytes);
}

/* What is mapped may be touched only when access was given, and no more when it was taken. */
EKKA_PUBLIC CUresult cuMemSetAccess(CUdeviceptr p, size_t bytes, const CUmemAccessDesc *access, size_t n)
{
	__typeof__(&cuMemSetAccess) call = REAL(cuMemSetAccess);
	bool on = ekka_memory_on(), readable = false;
	CUresult res;

	for (size_t i = 0; access && i < n; i++)
		readable |= access[i].flags != CU_MEM_ACCESS_FLAGS_PROT_NONE;
	if (on)
		ekka_alloc_unmap_begin(p, bytes);
	res = CALL(p, bytes, access, n);
	if (on && readable && res == CUDA_SUCCESS)
		ekka_alloc_map(p, bytes);
	if (on)
		ekka_alloc_free_end();
	return res;
}

EKKA_PUBLIC CUresult cuMemUnmap(CUdeviceptr p, size_t bytes)
{
	__typeof__(&cuMemUnmap) call = REAL(cuMemUnmap);
	uint64_t start, size;
	bool on = ekka_memory_on(), whole = on && ekka_alloc_known(p, &start, &size) && bytes <= size - (p - start);
	CUresult res;

	if (on)
		ekka_alloc_unmap_begin(p, bytes);
	res = CALL(p, bytes);
	if (on && whole && res != CUDA_SUCCESS)
		ekka_alloc_map(p, bytes);	/* inside a reservation nothing is learned */
	if (on)
		ekka_alloc_free_end();
	return res;
}

/* ---- what ends much at once ------------------------------------------- */

EKKA_PUBLIC CUresult cuIpcOpenMemHandle_v2(CUdeviceptr *p, CUipcMemHandle handle, unsigned flags)
{
	__typeof__(&cuIpcOpenMemHandle_v2) call = REAL(cuIpcOpenMemHandle_v2);
	CUresult res = CALL(p, handle, flags);

	if (ekka_memory_on())
		ekka_alloc_add(0, 0, EKKA_ALLOC_DEVICE);	/* its size is asked for when it matters */
	return res;
}

#define ENDS(name, params, args, what)                                        \
	EKKA_PUBLIC CUresult name params                                      \
	{                                                                     \
		__typeof__(&name) call = REAL(name);                          \
		CUresult res;                                                 \
		if (ekka_memory_on())                                         \
			what();                                               \
		res = call ? call args : CUDA_ERROR_NOT_INITIALIZED;          \
		if (ekka_memory_on())                                         \
			what();	/* somebody may have asked meanwhile */       \
		return res;                                                   \
	}
ENDS(cuIpcCloseMemHandle, (CUdeviceptr p), (p), ekka_alloc_forget_learned)
ENDS(cuCtxDestroy_v2, (CUcontext ctx), (ctx), ekka_alloc_forget)
ENDS(cuDevicePrimaryCtxReset_v2, (CUdevice device), (device), ekka_alloc_forget)
ENDS(cuDevicePrimaryCtxRelease_v2, (CUdevice device), (device), ekka_alloc_forget)
