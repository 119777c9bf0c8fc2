/* SPDX-License-Identifier: Apache-2.0 */
/* libcuda.so.1: copies, fills and allocations beyond those of fake_driver.c, with the per-thread variants that a runtime asks for. */
#include "config.h"

#include "tests/fake/fake.h"

#include <stdatomic.h>
#include <string.h>

/* Declared in no header: cuda.h renames instead. */
__typeof__(cuMemcpy) cuMemcpy_ptds;
__typeof__(cuMemcpyHtoDAsync) cuMemcpyHtoDAsync_v2_ptsz;
__typeof__(cuMemcpyDtoHAsync) cuMemcpyDtoHAsync_v2_ptsz;
__typeof__(cuMemcpy2DAsync) cuMemcpy2DAsync_v2_ptsz;
__typeof__(cuMemsetD8Async) cuMemsetD8Async_ptsz;
__typeof__(cuMemAllocAsync) cuMemAllocAsync_ptsz;
__typeof__(cuMemFreeAsync) cuMemFreeAsync_ptsz;
__typeof__(cuEventRecord) cuEventRecord_ptsz;
__typeof__(cuStreamWaitEvent) cuStreamWaitEvent_ptsz;
__typeof__(cuStreamSynchronize) cuStreamSynchronize_ptsz;

static CUstream own(CUstream s)
{
	return s ? s : CU_STREAM_PER_THREAD;
}

/* ---- boxes ------------------------------------------------------------ */

struct place { uint64_t base, pitch, slice; };
struct box { struct place dst, src; size_t width, rows, depth; };

static void do_box(void *arg)
{
	const struct box *b = arg;

	for (size_t z = 0; z < b->depth; z++)
		for (size_t y = 0; y < b->rows; y++)
			memmove(fake_bytes(b->dst.base + z * b->dst.slice + y * b->dst.pitch),
				fake_bytes(b->src.base + z * b->src.slice + y * b->src.pitch), b->width);
}

/* A host address that is no allocation is pageable memory: allowed, and read or written late as everything else. */
static bool is_wrong(uint64_t p, size_t bytes, bool host)
{
	return p == 0 || (!host && fake_kind_of(p, bytes) == FAKE_NONE);
}

static CUresult plain(uint64_t dst, bool dst_host, uint64_t src, bool src_host, size_t bytes, CUstream stream, bool wait)
{
	struct box b = { { dst, bytes, bytes }, { src, bytes, bytes }, bytes, 1, 1 };
	struct fake_stream *s = fake_stream_of(stream);
	CUresult res;

	if (is_wrong(dst, bytes, dst_host) || is_wrong(src, bytes, src_host))
		return CUDA_ERROR_INVALID_VALUE;
	res = fake_enqueue(s, do_box, &b, sizeof(b));
	if (res == CUDA_SUCCESS && wait)
		fake_stream_synchronize(s);
	return res;
}

#define COPY(name, dst_type, dst_host, src_type, src_host)                                                              \
	FAKE_EXPORT CUresult name(dst_type dst, src_type src, size_t bytes)                                            \
	{                                                                                                              \
		ENTER(name);                                                                                           \
		return plain((uint64_t)dst, dst_host, (uint64_t)src, src_host, bytes, NULL, true);                     \
	}
COPY(cuMemcpy, CUdeviceptr, true, CUdeviceptr, true)
COPY(cuMemcpyHtoD, CUdeviceptr, false, const void *, true)
COPY(cuMemcpyDtoH, void *, true, CUdeviceptr, false)
COPY(cuMemcpyDtoD, CUdeviceptr, false, CUdeviceptr, false)

FAKE_EXPORT CUresult cuMemcpy_ptds(CUdeviceptr dst, CUdeviceptr src, size_t bytes)
{
	ENTER(cuMemcpy_ptds);
	return plain(dst, true, src, true, bytes, CU_STREAM_PER_THREAD, true);
}

#define COPY_ASYNC(name, dst_type, dst_host, src_type, src_host, stream)                                                \
	FAKE_EXPORT CUresult name(dst_type dst, src_type src, size_t bytes, CUstream s)                                \
	{                                                                                                              \
		ENTER(name);                                                                                           \
		return plain((uint64_t)dst, dst_host, (uint64_t)src, src_host, bytes, stream, false);                  \
	}
COPY_ASYNC(cuMemcpyHtoDAsync, CUdeviceptr, false, const void *, true, s)
COPY_ASYNC(cuMemcpyHtoDAsync_v2_ptsz, CUdeviceptr, false, const void *, true, own(s))
COPY_ASYNC(cuMemcpyDtoHAsync_v2_ptsz, void *, true, CUdeviceptr, false, own(s))

#define SIDE(c, s) ((c)->s##MemoryType == CU_MEMORYTYPE_HOST ? (uint64_t)(c)->s##Host : (uint64_t)(c)->s##Device)

static CUresult copy_2d(const CUDA_MEMCPY2D *c, CUstream stream)
{
	struct box b = { { SIDE(c, dst) + c->dstY * c->dstPitch + c->dstXInBytes, c->dstPitch, 0 },
			 { SIDE(c, src) + c->srcY * c->srcPitch + c->srcXInBytes, c->srcPitch, 0 }, c->WidthInBytes, c->Height, 1 };

	return fake_enqueue(fake_stream_of(stream), do_box, &b, sizeof(b));
}

FAKE_EXPORT CUresult cuMemcpy2DAsync(const CUDA_MEMCPY2D *c, CUstream stream)
{
	ENTER(cuMemcpy2DAsync);
	return copy_2d(c, stream);
}

FAKE_EXPORT CUresult cuMemcpy2DAsync_v2_ptsz(const CUDA_MEMCPY2D *c, CUstream stream)
{
	ENTER(cuMemcpy2DAsync_v2_ptsz);
	return copy_2d(c, own(stream));
}

FAKE_EXPORT CUresult cuMemcpy3D(const CUDA_MEMCPY3D *c)
{
	size_t ds = c->dstPitch * c->dstHeight, ss = c->srcPitch * c->srcHeight;
	struct box b = { { SIDE(c, dst) + c->dstZ * ds + c->dstY * c->dstPitch + c->dstXInBytes, c->dstPitch, ds },
			 { SIDE(c, src) + c->srcZ * ss + c->srcY * c->srcPitch + c->srcXInBytes, c->srcPitch, ss },
			 c->WidthInBytes, c->Height, c->Depth };

	ENTER(cuMemcpy3D);
	CUresult res = fake_enqueue(fake_stream_of(NULL), do_box, &b, sizeof(b));
	if (res == CUDA_SUCCESS)
		fake_stream_synchronize(fake_stream_of(NULL));
	return res;
}

/* ---- fills ------------------------------------------------------------ */

struct fill { uint64_t dst; size_t pitch, n, rows; unsigned value, element; };

static void do_fill(void *arg)
{
	const struct fill *f = arg;

	for (size_t y = 0; y < f->rows; y++)
		for (size_t x = 0; x < f->n; x++)
			memcpy((char *)fake_bytes(f->dst + y * f->pitch) + x * f->element, &f->value, f->element);
}

static CUresult fill(uint64_t dst, size_t pitch, unsigned value, unsigned element, size_t n, size_t rows, CUstream stream)
{
	struct fill f = { dst, pitch, n, rows, value, element };

	if (fake_kind_of(dst, (rows - 1) * pitch + n * element) == FAKE_NONE)
		return CUDA_ERROR_INVALID_VALUE;
	return fake_enqueue(fake_stream_of(stream), do_fill, &f, sizeof(f));
}

FAKE_EXPORT CUresult cuMemsetD8Async_ptsz(CUdeviceptr dst, unsigned char value, size_t n, CUstream stream)
{
	ENTER(cuMemsetD8Async_ptsz);
	return fill(dst, n, value, 1, n, 1, own(stream));
}

FAKE_EXPORT CUresult cuMemsetD16Async(CUdeviceptr dst, unsigned short value, size_t n, CUstream stream)
{
	ENTER(cuMemsetD16Async);
	return fill(dst, 2 * n, value, 2, n, 1, stream);
}

FAKE_EXPORT CUresult cuMemsetD32(CUdeviceptr dst, unsigned value, size_t n)
{
	ENTER(cuMemsetD32);
	return fill(dst, 4 * n, value, 4, n, 1, NULL);
}

FAKE_EXPORT CUresult cuMemsetD2D32Async(CUdeviceptr dst, size_t pitch, unsigned value, size_t n, size_t rows, CUstream stream)
{
	ENTER(cuMemsetD2D32Async);
	return fill(dst, pitch, value, 4, n, rows, stream);
}

/* ---- allocations in stream order -------------------------------------- */

static CUresult alloc_async(CUdeviceptr *p, size_t bytes, CUstream stream)
{
	if (fake_stream_of(stream) == NULL)
		return CUDA_ERROR_INVALID_HANDLE;
	*p = fake_alloc(FAKE_DEVICE, bytes);
	return *p != 0 ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

static void do_free(void *arg)
{
	(void)fake_free(*(uint64_t *)arg);
}

static CUresult free_async(CUdeviceptr p, CUstream stream)
{
	if (fake_kind_of(p, 1) != FAKE_DEVICE)
		return CUDA_ERROR_INVALID_VALUE;
	return fake_enqueue(fake_stream_of(stream), do_free, &p, sizeof(p));
}

FAKE_EXPORT CUresult cuMemAllocAsync(CUdeviceptr *p, size_t bytes, CUstream stream)
{
	ENTER(cuMemAllocAsync);
	return alloc_async(p, bytes, stream);
}

FAKE_EXPORT CUresult cuMemAllocAsync_ptsz(CUdeviceptr *p, size_t bytes, CUstream stream)
{
	ENTER(cuMemAllocAsync_ptsz);
	return alloc_async(p, bytes, own(stream));
}

FAKE_EXPORT CUresult cuMemFreeAsync(CUdeviceptr p, CUstream stream)
{
	ENTER(cuMemFreeAsync);
	return free_async(p, stream);
}

FAKE_EXPORT CUresult cuMemFreeAsync_ptsz(CUdeviceptr p, CUstream stream)
{
	ENTER(cuMemFreeAsync_ptsz);
	return free_async(p, own(stream));
}

FAKE_EXPORT CUresult cuMemAllocPitch(CUdeviceptr *p, size_t *pitch, size_t width, size_t rows, unsigned element)
{
	ENTER(cuMemAllocPitch);
	(void)element;
	*pitch = (width + 511) / 512 * 512;
	*p = fake_alloc(FAKE_DEVICE, *pitch * rows);
	return *p != 0 ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

FAKE_EXPORT CUresult cuMemFreeHost(void *p)
{
	ENTER(cuMemFreeHost);
	fake_synchronize_all();
	return fake_free((uint64_t)p) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* ---- reserved addresses ----------------------------------------------- */

static atomic_ullong n_created;

FAKE_EXPORT CUresult cuMemAddressReserve(CUdeviceptr *p, size_t bytes, size_t alignment, CUdeviceptr where, unsigned long long flags)
{
	ENTER(cuMemAddressReserve);
	(void)alignment, (void)where, (void)flags;
	*p = fake_alloc(FAKE_RESERVED, bytes);
	return *p != 0 ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

FAKE_EXPORT CUresult cuMemAddressFree(CUdeviceptr p, size_t bytes)
{
	ENTER(cuMemAddressFree);
	(void)bytes;
	return fake_free(p) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* What is created has no identity: the bytes are those of the address. */
FAKE_EXPORT CUresult cuMemCreate(CUmemGenericAllocationHandle *handle, size_t bytes, const CUmemAllocationProp *prop, unsigned long long flags)
{
	ENTER(cuMemCreate);
	(void)prop, (void)flags;
	*handle = ++n_created;
	return fake_has_room(bytes) ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

FAKE_EXPORT CUresult cuMemRelease(CUmemGenericAllocationHandle handle)
{
	ENTER(cuMemRelease);
	return handle <= n_created ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* Small, so that tests can do with little memory. */
FAKE_EXPORT CUresult cuMemGetAllocationGranularity(size_t *grain, const CUmemAllocationProp *prop, CUmemAllocationGranularity_flags which)
{
	ENTER(cuMemGetAllocationGranularity);
	(void)prop, (void)which;
	*grain = 64 << 10;
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuMemMap(CUdeviceptr p, size_t bytes, size_t offset, CUmemGenericAllocationHandle handle, unsigned long long flags)
{
	ENTER(cuMemMap);
	(void)offset, (void)handle, (void)flags;
	if (!fake_map(p, bytes))
		return CUDA_ERROR_INVALID_VALUE;
	fake_hold(FAKE_DEVICE, (long)bytes);
	return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuMemSetAccess(CUdeviceptr p, size_t bytes, const CUmemAccessDesc *access, size_t n)
{
	ENTER(cuMemSetAccess);
	return fake_access(p, bytes, n > 0 && access->flags != CU_MEM_ACCESS_FLAGS_PROT_NONE) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

FAKE_EXPORT CUresult cuMemUnmap(CUdeviceptr p, size_t bytes)
{
	ENTER(cuMemUnmap);
	fake_synchronize_all();
	if (!fake_unmap(p, bytes))
		return CUDA_ERROR_INVALID_VALUE;
	fake_hold(FAKE_DEVICE, -(long)bytes);
	return CUDA_SUCCESS;
}

/* ---- order ------------------------------------------------------------ */

FAKE_EXPORT CUresult cuEventRecord_ptsz(CUevent event, CUstream stream)
{
	ENTER(cuEventRecord_ptsz);
	return fake_event_record((struct fake_event *)event, fake_stream_of(own(stream)));
}

FAKE_EXPORT CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags)
{
	ENTER(cuStreamWaitEvent);
	(void)flags;
	return fake_event_wait((struct fake_event *)event, fake_stream_of(stream));
}

FAKE_EXPORT CUresult cuStreamWaitEvent_ptsz(CUstream stream, CUevent event, unsigned flags)
{
	ENTER(cuStreamWaitEvent_ptsz);
	(void)flags;
	return fake_event_wait((struct fake_event *)event, fake_stream_of(own(stream)));
}

FAKE_EXPORT CUresult cuStreamSynchronize_ptsz(CUstream stream)
{
	ENTER(cuStreamSynchronize_ptsz);
	fake_stream_synchronize(fake_stream_of(own(stream)));
	return CUDA_SUCCESS;
}
