/* SPDX-License-Identifier: Apache-2.0 */
/* Copies and fills: op "copy", tensors src and dst; op "fill", tensor dst, attributes value and element (bytes of one). */
#include "config.h"

#include "cupti/memory.h"
#include "cupti/uploads.h"

#include "preload/conf.h"
#include "preload/versions.h"

#include <string.h>

/* The older ones by these names, of the same parameters, are what the CUDA runtime asks for. */
#undef cuStreamWriteValue32
#undef cuStreamWriteValue64
#undef cuStreamBatchMemOp
__typeof__(cuStreamWriteValue32_v2) cuStreamWriteValue32, cuStreamWriteValue32_ptsz;
__typeof__(cuStreamWriteValue64_v2) cuStreamWriteValue64, cuStreamWriteValue64_ptsz;
__typeof__(cuStreamBatchMemOp_v2) cuStreamBatchMemOp, cuStreamBatchMemOp_ptsz;

/* Declared in no header: cuda.h renames instead. */
__typeof__(cuMemcpy) cuMemcpy_ptds;
__typeof__(cuMemcpyAsync) cuMemcpyAsync_ptsz;
__typeof__(cuMemcpyPeer) cuMemcpyPeer_ptds;
__typeof__(cuMemcpyPeerAsync) cuMemcpyPeerAsync_ptsz;
__typeof__(cuMemcpyHtoD_v2) cuMemcpyHtoD_v2_ptds;
__typeof__(cuMemcpyDtoH_v2) cuMemcpyDtoH_v2_ptds;
__typeof__(cuMemcpyDtoD_v2) cuMemcpyDtoD_v2_ptds;
__typeof__(cuMemcpyHtoDAsync_v2) cuMemcpyHtoDAsync_v2_ptsz;
__typeof__(cuMemcpyDtoHAsync_v2) cuMemcpyDtoHAsync_v2_ptsz;
__typeof__(cuMemcpyDtoDAsync_v2) cuMemcpyDtoDAsync_v2_ptsz;
__typeof__(cuMemcpyAtoD_v2) cuMemcpyAtoD_v2_ptds;
__typeof__(cuMemcpy2D_v2) cuMemcpy2D_v2_ptds;
__typeof__(cuMemcpy2DUnaligned_v2) cuMemcpy2DUnaligned_v2_ptds;
__typeof__(cuMemcpy2DAsync_v2) cuMemcpy2DAsync_v2_ptsz;
__typeof__(cuMemcpy3D_v2) cuMemcpy3D_v2_ptds;
__typeof__(cuMemcpy3DAsync_v2) cuMemcpy3DAsync_v2_ptsz;
__typeof__(cuMemcpy3DPeer) cuMemcpy3DPeer_ptds;
__typeof__(cuMemcpy3DPeerAsync) cuMemcpy3DPeerAsync_ptsz;
__typeof__(cuStreamWriteValue32_v2) cuStreamWriteValue32_v2_ptsz;
__typeof__(cuStreamWriteValue64_v2) cuStreamWriteValue64_v2_ptsz;
__typeof__(cuStreamBatchMemOp_v2) cuStreamBatchMemOp_v2_ptsz;
__typeof__(cuMemsetD8_v2) cuMemsetD8_v2_ptds;
__typeof__(cuMemsetD16_v2) cuMemsetD16_v2_ptds;
__typeof__(cuMemsetD32_v2) cuMemsetD32_v2_ptds;
__typeof__(cuMemsetD2D8_v2) cuMemsetD2D8_v2_ptds;
__typeof__(cuMemsetD2D16_v2) cuMemsetD2D16_v2_ptds;
__typeof__(cuMemsetD2D32_v2) cuMemsetD2D32_v2_ptds;
__typeof__(cuMemsetD8Async) cuMemsetD8Async_ptsz;
__typeof__(cuMemsetD16Async) cuMemsetD16Async_ptsz;
__typeof__(cuMemsetD32Async) cuMemsetD32Async_ptsz;
__typeof__(cuMemsetD2D8Async) cuMemsetD2D8Async_ptsz;
__typeof__(cuMemsetD2D16Async) cuMemsetD2D16Async_ptsz;
__typeof__(cuMemsetD2D32Async) cuMemsetD2D32Async_ptsz;

/* ---- plain ------------------------------------------------------------ */

static bool is_captured(const struct ekka_call *e)
{
	for (unsigned i = 0; i < e->rec.n_attrs; i++)
		if (strcmp(e->attrs[i].name, "captured") == 0)
			return true;
	return false;
}

static void copy_bytes(struct ekka_call *e, uint64_t dst, enum ekka_place to, uint64_t src, enum ekka_place from, uint64_t bytes)
{
	const struct ekka_box box = { 1, 1, bytes, bytes, bytes };

	ekka_attr_str(e, "op", "copy");
	ekka_memory_tensor(e, "src", EKKA_IN, from, src, box);
	ekka_memory_tensor(e, "dst", EKKA_OUT, to, dst, box);
	/* What goes into a graph is sent when that runs, and may be something else by then. */
	if (from == EKKA_HOST && to == EKKA_DEVICE && ekka_conf.level == EKKA_LEVEL_FULL && !is_captured(e))
		ekka_uploads_note(dst, src, bytes);
}

#define COPY_ANY copy_bytes(&e, dst, ekka_memory_place(dst), src, ekka_memory_place(src), bytes)
#define COPY_UP copy_bytes(&e, dst, EKKA_DEVICE, (uintptr_t)src, EKKA_HOST, bytes)
#define COPY_DOWN copy_bytes(&e, (uintptr_t)dst, EKKA_HOST, src, EKKA_DEVICE, bytes)
#define COPY_WITHIN copy_bytes(&e, dst, EKKA_DEVICE, src, EKKA_DEVICE, bytes)
#define COPY_FROM_ARRAY copy_bytes(&e, dst, EKKA_DEVICE, 0, EKKA_DEVICE, bytes)
#define ANY CUdeviceptr, dst, CUdeviceptr, src, size_t, bytes
#define PEER CUdeviceptr, dst, CUcontext, dst_context, CUdeviceptr, src, CUcontext, src_context, size_t, bytes
#define UP CUdeviceptr, dst, const void *, src, size_t, bytes
#define DOWN void *, dst, CUdeviceptr, src, size_t, bytes

WATCHED(cuMemcpy, NULL, COPY_ANY, ANY)
WATCHED(cuMemcpy_ptds, CU_STREAM_PER_THREAD, COPY_ANY, ANY)
WATCHED(cuMemcpyAsync, stream, COPY_ANY, ANY, CUstream, stream)
WATCHED(cuMemcpyAsync_ptsz, ekka_own_stream(stream), COPY_ANY, ANY, CUstream, stream)
WATCHED(cuMemcpyPeer, NULL, COPY_WITHIN, PEER)
WATCHED(cuMemcpyPeer_ptds, CU_STREAM_PER_THREAD, COPY_WITHIN, PEER)
WATCHED(cuMemcpyPeerAsync, stream, COPY_WITHIN, PEER, CUstream, stream)
WATCHED(cuMemcpyPeerAsync_ptsz, ekka_own_stream(stream), COPY_WITHIN, PEER, CUstream, stream)
WATCHED(cuMemcpyHtoD_v2, NULL, COPY_UP, UP)
WATCHED(cuMemcpyHtoD_v2_ptds, CU_STREAM_PER_THREAD, COPY_UP, UP)
WATCHED(cuMemcpyDtoH_v2, NULL, COPY_DOWN, DOWN)
WATCHED(cuMemcpyDtoH_v2_ptds, CU_STREAM_PER_THREAD, COPY_DOWN, DOWN)
WATCHED(cuMemcpyDtoD_v2, NULL, COPY_WITHIN, ANY)
WATCHED(cuMemcpyDtoD_v2_ptds, CU_STREAM_PER_THREAD, COPY_WITHIN, ANY)
WATCHED(cuMemcpyHtoDAsync_v2, stream, COPY_UP, UP, CUstream, stream)
WATCHED(cuMemcpyHtoDAsync_v2_ptsz, ekka_own_stream(stream), COPY_UP, UP, CUstream, stream)
WATCHED(cuMemcpyDtoHAsync_v2, stream, COPY_DOWN, DOWN, CUstream, stream)
WATCHED(cuMemcpyDtoHAsync_v2_ptsz, ekka_own_stream(stream), COPY_DOWN, DOWN, CUstream, stream)
WATCHED(cuMemcpyDtoDAsync_v2, stream, COPY_WITHIN, ANY, CUstream, stream)
WATCHED(cuMemcpyDtoDAsync_v2_ptsz, ekka_own_stream(stream), COPY_WITHIN, ANY, CUstream, stream)

/* From a CUDA array, which has no address. */
WATCHED(cuMemcpyAtoD_v2, NULL, COPY_FROM_ARRAY, CUdeviceptr, dst, CUarray, src, size_t, offset, size_t, bytes)
WATCHED(cuMemcpyAtoD_v2_ptds, CU_STREAM_PER_THREAD, COPY_FROM_ARRAY, CUdeviceptr, dst, CUarray, src, size_t, offset, size_t, bytes)

/* ---- boxes ------------------------------------------------------------ */

/* One side of a 2D or 3D copy. CUDA arrays have no addresses: no tensor. */
struct side { CUmemorytype type; uint64_t host, device, x, y, z, pitch, height; };

static void tell_side(struct ekka_call *e, const char *name, enum ekka_dir dir, const struct side *s, uint64_t width, uint64_t rows,
		      uint64_t depth)
{
	uint64_t pitch = s->pitch ? s->pitch : width, slice = pitch * (s->height ? s->height : rows);
	uint64_t base = s->type == CU_MEMORYTYPE_HOST ? s->host : s->device;
	enum ekka_place place = s->type == CU_MEMORYTYPE_HOST ? EKKA_HOST : EKKA_DEVICE;

	if (s->type == CU_MEMORYTYPE_ARRAY || base == 0)
		return;
	if (s->type == CU_MEMORYTYPE_UNIFIED)
		place = ekka_memory_place(base);
	ekka_memory_tensor(e, name, dir, place, base + s->z * slice + s->y * pitch + s->x, (struct ekka_box){ depth, rows, width, slice, pitch });
}

#define SIDE(c, s, z_, height_)                                                                                      \
	{ (c)->s##MemoryType, (uintptr_t)(c)->s##Host, (c)->s##Device, (c)->s##XInBytes, (c)->s##Y, z_, (c)->s##Pitch, height_ }

static void copy_2d(struct ekka_call *e, const CUDA_MEMCPY2D *c)
{
	ekka_attr_str(e, "op", "copy");
	if (!c)
		return;
	tell_side(e, "src", EKKA_IN, &(struct side)SIDE(c, src, 0, 0), c->WidthInBytes, c->Height, 1);
	tell_side(e, "dst", EKKA_OUT, &(struct side)SIDE(c, dst, 0, 0), c->WidthInBytes, c->Height, 1);
}

#define COPY_3D(function, type)                                                                                                       \
	static void function(struct ekka_call *e, const type *c)                                                                      \
	{                                                                                                                             \
		ekka_attr_str(e, "op", "copy");                                                                                       \
		if (!c)                                                                                                               \
			return;                                                                                                       \
		tell_side(e, "src", EKKA_IN, &(struct side)SIDE(c, src, c->srcZ, c->srcHeight), c->WidthInBytes, c->Height, c->Depth);  \
		tell_side(e, "dst", EKKA_OUT, &(struct side)SIDE(c, dst, c->dstZ, c->dstHeight), c->WidthInBytes, c->Height, c->Depth); \
	}
COPY_3D(copy_3d, CUDA_MEMCPY3D)
COPY_3D(copy_3d_peer, CUDA_MEMCPY3D_PEER)

WATCHED(cuMemcpy2D_v2, NULL, copy_2d(&e, copy), const CUDA_MEMCPY2D *, copy)
WATCHED(cuMemcpy2D_v2_ptds, CU_STREAM_PER_THREAD, copy_2d(&e, copy), const CUDA_MEMCPY2D *, copy)
WATCHED(cuMemcpy2DUnaligned_v2, NULL, copy_2d(&e, copy), const CUDA_MEMCPY2D *, copy)
WATCHED(cuMemcpy2DUnaligned_v2_ptds, CU_STREAM_PER_THREAD, copy_2d(&e, copy), const CUDA_MEMCPY2D *, copy)
WATCHED(cuMemcpy2DAsync_v2, stream, copy_2d(&e, copy), const CUDA_MEMCPY2D *, copy, CUstream, stream)
WATCHED(cuMemcpy2DAsync_v2_ptsz, ekka_own_stream(stream), copy_2d(&e, copy), const CUDA_MEMCPY2D *, copy, CUstream, stream)
WATCHED(cuMemcpy3D_v2, NULL, copy_3d(&e, copy), const CUDA_MEMCPY3D *, copy)
WATCHED(cuMemcpy3D_v2_ptds, CU_STREAM_PER_THREAD, copy_3d(&e, copy), const CUDA_MEMCPY3D *, copy)
WATCHED(cuMemcpy3DAsync_v2, stream, copy_3d(&e, copy), const CUDA_MEMCPY3D *, copy, CUstream, stream)
WATCHED(cuMemcpy3DAsync_v2_ptsz, ekka_own_stream(stream), copy_3d(&e, copy), const CUDA_MEMCPY3D *, copy, CUstream, stream)
WATCHED(cuMemcpy3DPeer, NULL, copy_3d_peer(&e, copy), const CUDA_MEMCPY3D_PEER *, copy)
WATCHED(cuMemcpy3DPeer_ptds, CU_STREAM_PER_THREAD, copy_3d_peer(&e, copy), const CUDA_MEMCPY3D_PEER *, copy)
WATCHED(cuMemcpy3DPeerAsync, stream, copy_3d_peer(&e, copy), const CUDA_MEMCPY3D_PEER *, copy, CUstream, stream)
WATCHED(cuMemcpy3DPeerAsync_ptsz, ekka_own_stream(stream), copy_3d_peer(&e, copy), const CUDA_MEMCPY3D_PEER *, copy, CUstream, stream)

/* ---- fills ------------------------------------------------------------ */

static void fill(struct ekka_call *e, uint64_t dst, unsigned value, unsigned element, uint64_t n, uint64_t rows, uint64_t pitch)
{
	ekka_attr_str(e, "op", "fill");
	ekka_attr_int(e, "value", value);
	ekka_attr_int(e, "element", element);
	ekka_memory_tensor(e, "dst", EKKA_OUT, EKKA_DEVICE, dst, (struct ekka_box){ 1, rows, n * element, rows * pitch, pitch });
}

#define FILL(element) fill(&e, dst, value, element, n, 1, n * (element))
#define FILL_2D(element) fill(&e, dst, value, element, n, rows, pitch)
#define ROW(type) CUdeviceptr, dst, type, value, size_t, n
#define ROWS(type) CUdeviceptr, dst, size_t, pitch, type, value, size_t, n, size_t, rows
#define FILLS(bits, type)                                                                                                   \
	WATCHED(cuMemsetD##bits##_v2, NULL, FILL(bits / 8), ROW(type))                                                      \
	WATCHED(cuMemsetD##bits##_v2_ptds, CU_STREAM_PER_THREAD, FILL(bits / 8), ROW(type))                                 \
	WATCHED(cuMemsetD##bits##Async, stream, FILL(bits / 8), ROW(type), CUstream, stream)                                \
	WATCHED(cuMemsetD##bits##Async_ptsz, ekka_own_stream(stream), FILL(bits / 8), ROW(type), CUstream, stream)          \
	WATCHED(cuMemsetD2D##bits##_v2, NULL, FILL_2D(bits / 8), ROWS(type))                                                \
	WATCHED(cuMemsetD2D##bits##_v2_ptds, CU_STREAM_PER_THREAD, FILL_2D(bits / 8), ROWS(type))                           \
	WATCHED(cuMemsetD2D##bits##Async, stream, FILL_2D(bits / 8), ROWS(type), CUstream, stream)                          \
	WATCHED(cuMemsetD2D##bits##Async_ptsz, ekka_own_stream(stream), FILL_2D(bits / 8), ROWS(type), CUstream, stream)
FILLS(8, unsigned char)
FILLS(16, unsigned short)
FILLS(32, unsigned)

/* One value, by the stream itself: into host memory, too. */
static void write_value(struct ekka_call *e, uint64_t dst, uint64_t value, unsigned bytes)
{
	ekka_attr_str(e, "op", "fill");
	ekka_attr_int(e, "value", (int64_t)value);
	ekka_attr_int(e, "element", bytes);
	ekka_memory_tensor(e, "dst", EKKA_OUT, ekka_memory_place(dst), dst, (struct ekka_box){ 1, 1, bytes, bytes, bytes });
}

#define WRITE(type) CUstream, stream, CUdeviceptr, dst, type, value, unsigned, flags
WATCHED(cuStreamWriteValue32, stream, write_value(&e, dst, value, 4), WRITE(cuuint32_t))
WATCHED(cuStreamWriteValue32_ptsz, ekka_own_stream(stream), write_value(&e, dst, value, 4), WRITE(cuuint32_t))
WATCHED(cuStreamWriteValue32_v2, stream, write_value(&e, dst, value, 4), WRITE(cuuint32_t))
WATCHED(cuStreamWriteValue32_v2_ptsz, ekka_own_stream(stream), write_value(&e, dst, value, 4), WRITE(cuuint32_t))
WATCHED(cuStreamWriteValue64, stream, write_value(&e, dst, value, 8), WRITE(cuuint64_t))
WATCHED(cuStreamWriteValue64_ptsz, ekka_own_stream(stream), write_value(&e, dst, value, 8), WRITE(cuuint64_t))
WATCHED(cuStreamWriteValue64_v2, stream, write_value(&e, dst, value, 8), WRITE(cuuint64_t))
WATCHED(cuStreamWriteValue64_v2_ptsz, ekka_own_stream(stream), write_value(&e, dst, value, 8), WRITE(cuuint64_t))

/* Several such operations: what they write is not described. */
#define OPERATIONS CUstream, stream, unsigned, n, CUstreamBatchMemOpParams *, operations, unsigned, flags
WATCHED(cuStreamBatchMemOp, stream, ekka_versions_wrote_anything(), OPERATIONS)
WATCHED(cuStreamBatchMemOp_ptsz, ekka_own_stream(stream), ekka_versions_wrote_anything(), OPERATIONS)
WATCHED(cuStreamBatchMemOp_v2, stream, ekka_versions_wrote_anything(), OPERATIONS)
WATCHED(cuStreamBatchMemOp_v2_ptsz, ekka_own_stream(stream), ekka_versions_wrote_anything(), OPERATIONS)
