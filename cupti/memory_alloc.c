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
#include "cupti/shared.h"

#include "preload/capture.h"
#include "preload/cuda.h"
#include "preload/cuda_driver.h"
#include "preload/versions.h"

#include <cuda.h>

/* The older ones by these names, of the same parameters, are what the CUDA runtime asks for. */
#undef cuIpcOpenMemHandle
#undef cuCtxDestroy
#undef cuDevicePrimaryCtxReset
#undef cuDevicePrimaryCtxRelease
__typeof__(cuIpcOpenMemHandle_v2) cuIpcOpenMemHandle;
__typeof__(cuCtxDestroy_v2) cuCtxDestroy;
__typeof__(cuDevicePrimaryCtxReset_v2) cuDevicePrimaryCtxReset;
__typeof__(cuDevicePrimaryCtxRelease_v2) cuDevicePrimaryCtxRelease;

/* Declared in no header: cuda.h renames instead. */
__typeof__(cuGraphicsMapResources) cuGraphicsMapResources_ptsz;
__typeof__(cuMemAllocAsync) cuMemAllocAsync_ptsz;
__typeof__(cuMemAllocFromPoolAsync) cuMemAllocFromPoolAsync_ptsz;
__typeof__(cuMemFreeAsync) cuMemFreeAsync_ptsz;

/* What only an address tells apart from what was there before: written by nobody yet. */
static void tell_memory(struct ekka_call *e, uint64_t start, uint64_t bytes)
{
	ekka_memory_attr(e, "address", (const void *)start);
	ekka_memory_tensor(e, "memory", EKKA_OUT, EKKA_DEVICE, start, (struct ekka_box){ 1, 1, bytes, bytes, bytes });
}

/* Memory that a graph being captured will allocate has an address and, until the graph runs, nothing behind it. */
static void add_async(uint64_t start, uint64_t bytes, CUstream stream)
{
	const struct ekka_cuda_driver *drv = ekka_cuda_driver();
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;

	if (drv && drv->p_cuStreamIsCapturing(stream, &status) == CUDA_SUCCESS && status == CU_STREAM_CAPTURE_STATUS_NONE)
		ekka_alloc_add(start, bytes, EKKA_ALLOC_DEVICE);
}

/* ---- device ----------------------------------------------------------- */

WATCHED_AFTER_RETRY(cuMemAlloc_v2, true, NULL, ekka_alloc_add(*p, bytes, EKKA_ALLOC_DEVICE), tell_memory(&e, *p, bytes), CUdeviceptr *, p, size_t, bytes)
WATCHED_AFTER_RETRY(cuMemAllocPitch_v2, true, NULL, ekka_alloc_add(*p, *pitch * rows, EKKA_ALLOC_DEVICE), tell_memory(&e, *p, *pitch * rows),
	      CUdeviceptr *, p, size_t *, pitch, size_t, width, size_t, rows, unsigned, element)
/* The host may have filled it at any time: what was written is not known. */
WATCHED_AFTER_RETRY(cuMemAllocManaged, true, NULL, ekka_versions_share(*p, bytes); ekka_alloc_add(*p, bytes, EKKA_ALLOC_DEVICE), ekka_memory_attr(&e, "address", (const void *)*p),
	      CUdeviceptr *, p, size_t, bytes, unsigned, flags)
WATCHED_AFTER_RETRY(cuMemAllocAsync, true, stream, add_async(*p, bytes, stream), tell_memory(&e, *p, bytes), CUdeviceptr *, p, size_t, bytes,
	      CUstream, stream)
WATCHED_AFTER_RETRY(cuMemAllocAsync_ptsz, true, ekka_own_stream(stream), add_async(*p, bytes, ekka_own_stream(stream)), tell_memory(&e, *p, bytes),
	      CUdeviceptr *, p, size_t, bytes, CUstream, stream)
WATCHED_AFTER_RETRY(cuMemAllocFromPoolAsync, true, stream, add_async(*p, bytes, stream), tell_memory(&e, *p, bytes), CUdeviceptr *, p, size_t, bytes,
	      CUmemoryPool, pool, CUstream, stream)
WATCHED_AFTER_RETRY(cuMemAllocFromPoolAsync_ptsz, true, ekka_own_stream(stream), add_async(*p, bytes, ekka_own_stream(stream)),
	      tell_memory(&e, *p, bytes), CUdeviceptr *, p, size_t, bytes, CUmemoryPool, pool, CUstream, stream)

/* Memory without an address: no event. */
EKKA_PUBLIC CUresult cuMemCreate(CUmemGenericAllocationHandle *handle, size_t bytes, const CUmemAllocationProp *prop, unsigned long long flags)
{
	__typeof__(&cuMemCreate) call = REAL(cuMemCreate);
	CUresult res = call ? call(handle, bytes, prop, flags) : NO_DRIVER;

	if (res == CUDA_ERROR_OUT_OF_MEMORY && ekka_memory_make_room())
		res = call(handle, bytes, prop, flags);
	if (res == CUDA_SUCCESS && ekka_memory_on())
		ekka_shared_created(*handle);
	return res;
}

/* Around a call that frees: whatever it answers, the map does not hold the range any more. Still there, it is learned again. */
#define FREE(symbol, handle, ...)                                                                             \
	WATCHED_AROUND(symbol, handle, , bool map = ekka_memory_on(); if (map) ekka_alloc_free_begin((uintptr_t)(p)), \
		       if (map) ekka_alloc_free_end(), __VA_ARGS__)
FREE(cuMemFree_v2, NULL, CUdeviceptr, p)
FREE(cuMemFreeAsync, stream, CUdeviceptr, p, CUstream, stream)
FREE(cuMemFreeAsync_ptsz, ekka_own_stream(stream), CUdeviceptr, p, CUstream, stream)

/* ---- pinned host memory ----------------------------------------------- */

#define HOST(p, bytes) ekka_alloc_add((uintptr_t)(p), bytes, EKKA_ALLOC_HOST)
#define HOST_ADDRESS ekka_memory_attr(&e, "address", *p)
WATCHED_AFTER(cuMemHostAlloc, NULL, HOST(*p, bytes), HOST_ADDRESS, void **, p, size_t, bytes, unsigned, flags)
WATCHED_AFTER(cuMemAllocHost_v2, NULL, HOST(*p, bytes), HOST_ADDRESS, void **, p, size_t, bytes)
WATCHED_AFTER(cuMemHostRegister_v2, NULL, HOST(p, bytes), , void *, p, size_t, bytes, unsigned, flags)
FREE(cuMemFreeHost, NULL, void *, p)
FREE(cuMemHostUnregister, NULL, void *, p)

/* ---- reserved addresses ----------------------------------------------- */

WATCHED_AFTER(cuMemAddressReserve, NULL, ekka_alloc_reserve(*p, bytes), ekka_memory_attr(&e, "address", (const void *)*p), CUdeviceptr *, p,
	      size_t, bytes, size_t, alignment, CUdeviceptr, where, unsigned long long, flags)
WATCHED_AROUND(cuMemAddressFree, NULL, , if (ekka_memory_on()) ekka_alloc_unreserve(p), , CUdeviceptr, p, size_t, bytes)
WATCHED_AFTER(cuMemMap, NULL, ekka_shared_map(handle, offset, p, bytes), tell_memory(&e, p, bytes), CUdeviceptr, p, size_t, bytes, size_t, offset,
	      CUmemGenericAllocationHandle, handle, unsigned long long, flags)

static bool is_readable(const CUmemAccessDesc *access, size_t n)
{
	for (size_t i = 0; access && i < n; i++)
		if (access[i].flags != CU_MEM_ACCESS_FLAGS_PROT_NONE)
			return true;
	return false;
}

/* What is mapped may be touched only when access was given, and no more when it was taken. */
static void set_access(CUresult res, uint64_t p, uint64_t bytes, bool readable)
{
	if (readable && res == CUDA_SUCCESS)
		ekka_alloc_map(p, bytes);
	ekka_alloc_free_end();
}

WATCHED_AROUND(cuMemSetAccess, NULL, , bool map = ekka_memory_on(); if (map) ekka_alloc_unmap_begin(p, bytes),
	       if (map) set_access(res, p, bytes, is_readable(access, n)), CUdeviceptr, p, size_t, bytes, const CUmemAccessDesc *, access,
	       size_t, n)

static bool is_mapped(uint64_t p, uint64_t bytes)
{
	uint64_t start, size;

	return ekka_alloc_known(p, &start, &size) && bytes <= size - (p - start);
}

/* Inside a reservation nothing is learned: what could not be unmapped is put back. */
static void unmapped(CUresult res, uint64_t p, uint64_t bytes, bool was_mapped)
{
	if (res == CUDA_SUCCESS)
		ekka_shared_unmap(p, bytes);
	else if (was_mapped)
		ekka_alloc_map(p, bytes);
	ekka_alloc_free_end();
}

WATCHED_AROUND(cuMemUnmap, NULL, , bool map = ekka_memory_on(); bool whole = map && is_mapped(p, bytes); if (map) ekka_alloc_unmap_begin(p, bytes),
	       if (map) unmapped(res, p, bytes, whole), CUdeviceptr, p, size_t, bytes)

/* ---- what ends much at once ------------------------------------------- */

/*
 * Memory that others write, too: another process, a network card, a graphics library, an address that stands for several devices. No events, as such handles are no
 * values; an allocation's size is asked for when it matters.
 */
#define SHARED(symbol, before, after, ...)                                               \
	EKKA_PUBLIC CUresult symbol(PAIRS(PAIR_PARAMETER, __VA_ARGS__))                  \
	{                                                                                \
		__typeof__(&symbol) call = REAL(symbol);                                 \
                                                                                         \
		if (ekka_memory_on()) {                                                  \
			before;                                                          \
		}                                                                        \
		CUresult res = call ? call(PAIRS(PAIR_NAME, __VA_ARGS__)) : NO_DRIVER;   \
		if (res == CUDA_SUCCESS && ekka_memory_on()) {                           \
			after;                                                           \
		}                                                                        \
		return res;                                                              \
	}

static void add_shared(uint64_t addr)
{
	ekka_alloc_add(0, 0, EKKA_ALLOC_DEVICE);
	ekka_shared_allocation(addr);
}

SHARED(cuIpcOpenMemHandle, , add_shared(*p), CUdeviceptr *, p, CUipcMemHandle, handle, unsigned, flags)
SHARED(cuIpcOpenMemHandle_v2, , add_shared(*p), CUdeviceptr *, p, CUipcMemHandle, handle, unsigned, flags)
SHARED(cuMemPoolImportPointer, , add_shared(*p), CUdeviceptr *, p, CUmemoryPool, pool, CUmemPoolPtrExportData *, data)
SHARED(cuIpcGetMemHandle, ekka_shared_allocation(p), , CUipcMemHandle *, handle, CUdeviceptr, p)
SHARED(cuMemPoolExportPointer, ekka_shared_allocation(p), , CUmemPoolPtrExportData *, data, CUdeviceptr, p)
SHARED(cuMemGetHandleForAddressRange, ekka_versions_share(p, bytes), , void *, handle, CUdeviceptr, p, size_t, bytes, CUmemRangeHandleType, type,
       unsigned long long, flags)
SHARED(cuMemImportFromShareableHandle, , ekka_shared_foreign(*handle), CUmemGenericAllocationHandle *, handle, void *, from,
       CUmemAllocationHandleType, type)
SHARED(cuMemExportToShareableHandle, ekka_shared_foreign(handle), , void *, to, CUmemGenericAllocationHandle, handle, CUmemAllocationHandleType, type,
       unsigned long long, flags)
SHARED(cuMemRetainAllocationHandle, , ekka_shared_retained(*handle, (uintptr_t)p), CUmemGenericAllocationHandle *, handle, void *, p)
#define ANYWHERE ekka_versions_disable(), ekka_alloc_add(0, 0, EKKA_ALLOC_DEVICE)
SHARED(cuGraphicsMapResources, , ANYWHERE, unsigned, count, CUgraphicsResource *, resources, CUstream, stream)
SHARED(cuGraphicsMapResources_ptsz, , ANYWHERE, unsigned, count, CUgraphicsResource *, resources, CUstream, stream)
#if CUDA_VERSION >= 12010
SHARED(cuMulticastBindMem, ekka_versions_disable(), , CUmemGenericAllocationHandle, to, size_t, to_offset, CUmemGenericAllocationHandle, handle, size_t, offset,
       size_t, bytes, unsigned long long, flags)
SHARED(cuMulticastBindAddr, ekka_versions_disable(), , CUmemGenericAllocationHandle, to, size_t, to_offset, CUdeviceptr, p, size_t, bytes,
       unsigned long long, flags)
#endif

/* Before, and once more after: somebody may have asked meanwhile. */
#define ENDS(symbol, what, ...)                                                                                  \
	WATCHED_AROUND(symbol, NULL, , if (ekka_memory_on()) what(), if (ekka_memory_on()) what(), __VA_ARGS__)
ENDS(cuIpcCloseMemHandle, ekka_alloc_forget_learned, CUdeviceptr, p)
#define END_ALL(ctx, dev)                      \
	do {                                   \
		if (ekka_memory_on())          \
			ekka_alloc_forget();   \
		ekka_memory_context_ends(ctx, dev); \
	} while (0)
WATCHED_AROUND(cuCtxDestroy, NULL, , END_ALL(context, -1), if (ekka_memory_on()) ekka_alloc_forget(), CUcontext, context)
WATCHED_AROUND(cuCtxDestroy_v2, NULL, , END_ALL(context, -1), if (ekka_memory_on()) ekka_alloc_forget(), CUcontext, context)
WATCHED_AROUND(cuDevicePrimaryCtxReset, NULL, , END_ALL(NULL, device), if (ekka_memory_on()) ekka_alloc_forget(), CUdevice, device)
WATCHED_AROUND(cuDevicePrimaryCtxReset_v2, NULL, , END_ALL(NULL, device), if (ekka_memory_on()) ekka_alloc_forget(), CUdevice, device)
ENDS(cuDevicePrimaryCtxRelease, ekka_alloc_forget, CUdevice, device)
ENDS(cuDevicePrimaryCtxRelease_v2, ekka_alloc_forget, CUdevice, device)
