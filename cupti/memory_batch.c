/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies by the batch (CUDA 12.8, other parameters since 13.0): op "copy", tensors src and dst of the first ones, attribute copies: how many there
 * are. Batches of boxes are recorded without their tensors.
 */
#include "config.h"

#include "cupti/memory.h"

#include "preload/versions.h"

#if CUDA_VERSION >= 13000
#undef cuMemcpyBatchAsync
#undef cuMemcpy3DBatchAsync
/* Declared in no header any more, or never: cuda.h renames instead. */
CUresult cuMemcpyBatchAsync(CUdeviceptr *, CUdeviceptr *, size_t *, size_t, CUmemcpyAttributes *, size_t *, size_t, size_t *, CUstream);
CUresult cuMemcpy3DBatchAsync(size_t, CUDA_MEMCPY3D_BATCH_OP *, size_t *, unsigned long long, CUstream);
__typeof__(cuMemcpyBatchAsync) cuMemcpyBatchAsync_ptsz;
__typeof__(cuMemcpyBatchAsync_v2) cuMemcpyBatchAsync_v2_ptsz;
__typeof__(cuMemcpy3DBatchAsync) cuMemcpy3DBatchAsync_ptsz;
__typeof__(cuMemcpy3DBatchAsync_v2) cuMemcpy3DBatchAsync_v2_ptsz;

enum { PAIRS_MAX = EKKA_MAX_TENSORS / 2 };

static void batch(struct ekka_call *e, const CUdeviceptr *dst, const CUdeviceptr *src, const size_t *bytes, size_t n)
{
	ekka_attr_str(e, "op", "copy");
	ekka_attr_int(e, "copies", (int64_t)n);
	if (n > PAIRS_MAX)
		ekka_versions_wrote_anything();
	for (size_t i = 0; dst && src && bytes && i < n && i < PAIRS_MAX; i++) {
		const struct ekka_box box = { 1, 1, bytes[i], bytes[i], bytes[i] };

		ekka_memory_tensor(e, "src", EKKA_IN, ekka_memory_place(src[i]), src[i], box);
		ekka_memory_tensor(e, "dst", EKKA_OUT, ekka_memory_place(dst[i]), dst[i], box);
	}
}

#define BATCH batch(&e, dst, src, bytes, n)
#define LISTS CUdeviceptr *, dst, CUdeviceptr *, src, size_t *, bytes, size_t, n, CUmemcpyAttributes *, attributes, size_t *, indices, size_t, n_attributes
WATCHED(cuMemcpyBatchAsync, stream, BATCH, LISTS, size_t *, failed, CUstream, stream)
WATCHED(cuMemcpyBatchAsync_ptsz, ekka_own_stream(stream), BATCH, LISTS, size_t *, failed, CUstream, stream)
WATCHED(cuMemcpyBatchAsync_v2, stream, BATCH, LISTS, CUstream, stream)
WATCHED(cuMemcpyBatchAsync_v2_ptsz, ekka_own_stream(stream), BATCH, LISTS, CUstream, stream)

#define BOXES ekka_attr_int(&e, "copies", (int64_t)n); ekka_versions_wrote_anything()
#define OPS size_t, n, CUDA_MEMCPY3D_BATCH_OP *, copies
WATCHED(cuMemcpy3DBatchAsync, stream, BOXES, OPS, size_t *, failed, unsigned long long, flags, CUstream, stream)
WATCHED(cuMemcpy3DBatchAsync_ptsz, ekka_own_stream(stream), BOXES, OPS, size_t *, failed, unsigned long long, flags, CUstream, stream)
WATCHED(cuMemcpy3DBatchAsync_v2, stream, BOXES, OPS, unsigned long long, flags, CUstream, stream)
WATCHED(cuMemcpy3DBatchAsync_v2_ptsz, ekka_own_stream(stream), BOXES, OPS, unsigned long long, flags, CUstream, stream)
#endif
