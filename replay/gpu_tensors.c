/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane's pinned memory begins with the room for small things, whose copy on the device is the arena at the same offsets: jobs go there, parts come back. Behind it
 * are the stages by which large tensors go: one is filled while the other is under way.
 */
#include "replay/gpu.h"

#include <string.h>

#include "replay/blobs.h"

enum { ROOM = 2 << 20, STAGE = 4 << 20, ALIGN = 256 };
/* A grid of this many threads is enough to keep the memory busy, and leaves few parts. */
static const int64_t MOST_THREADS = 1 << 17;

static bool prepare(struct ekka_gpu *gpu, struct ekka_gpu_lane *l)
{
	void *host = NULL;

	if (l->host)
		return true;
	for (unsigned i = 0; i < EKKA_GPU_STAGES; i++)
		if (!l->copied[i] && !ekka_gpu_ok(gpu, gpu->lib->p_cuEventCreate(&l->copied[i], CU_EVENT_DISABLE_TIMING)))
			return false;
	if (!l->arena)
		l->arena = ekka_gpu_alloc(gpu, ROOM);
	if (!l->arena || !ekka_gpu_ok(gpu, gpu->lib->p_cuMemHostAlloc(&host, ROOM + (size_t)EKKA_GPU_STAGES * STAGE, 0)))
		return false;
	l->host = host;
	return true;
}

void ekka_gpu_lane_release(struct ekka_gpu *gpu, struct ekka_gpu_lane *l)
{
	for (unsigned i = 0; i < EKKA_GPU_STAGES; i++)
		if (l->copied[i])
			(void)gpu->lib->p_cuEventDestroy(l->copied[i]);
	ekka_gpu_free(gpu, l->arena);
	if (l->host)
		(void)gpu->lib->p_cuMemFreeHost(l->host);
}

/* ---- tensors ----------------------------------------------------------- */

struct asker { struct ekka_gpu *gpu; struct ekka_gpu_lane *lane; };

static bool send(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, CUdeviceptr to, const unsigned char *from, uint64_t n)
{
	bool good = true;

	for (uint64_t done = 0, i = 0; good && done < n; i++) {
		uint64_t some = n - done < STAGE ? n - done : STAGE;
		unsigned char *stage = l->host + ROOM + i % EKKA_GPU_STAGES * STAGE;

		good = i < EKKA_GPU_STAGES || ekka_gpu_ok(gpu, gpu->lib->p_cuEventSynchronize(l->copied[i % EKKA_GPU_STAGES]));
		memcpy(stage, from + done, some);
		good = good && ekka_gpu_upload(gpu, l, to + done, stage, some) &&
		       ekka_gpu_ok(gpu, gpu->lib->p_cuEventRecord(l->copied[i % EKKA_GPU_STAGES], l->stream));
		done += some;
	}
	return ekka_gpu_finish(gpu, l) && good;		/* others will read it on their own lanes */
}

static void drop(void *owner, uint64_t copy, uint64_t n)
{
	struct ekka_gpu *gpu = owner;
	CUcontext ignored;

	(void)n;
	if (!ekka_gpu_ok(gpu, gpu->lib->p_cuCtxPushCurrent(gpu->context)))
		return;
	(void)ekka_gpu_ok(gpu, gpu->lib->p_cuMemFreeAsync(copy, gpu->freeing));
	(void)gpu->lib->p_cuCtxPopCurrent(&ignored);
}

static uint64_t make(void *arg, const unsigned char *bytes, uint64_t n)
{
	const struct asker *a = arg;
	CUdeviceptr p = 0;

	if (!prepare(a->gpu, a->lane) || !ekka_gpu_ok(a->gpu, a->gpu->lib->p_cuMemAllocAsync(&p, n ? n : 1, a->lane->stream)))
		return 0;
	if (send(a->gpu, a->lane, p, bytes, n))
		return p;
	drop(a->gpu, p, n);
	return 0;
}

CUdeviceptr ekka_gpu_resident(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, const unsigned char *held)
{
	struct asker a = { gpu, l };

	return ekka_blobs_mirror(held, &(struct ekka_mirror){ make, &a, drop, gpu });
}

bool ekka_gpu_array(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, const struct ekka_array *a, struct ekka_gpu_array *ret)
{
	_Static_assert(EKKA_GPU_DIMS == EKKA_MAX_DIMS, "dims");
	*ret = (struct ekka_gpu_array){ .bytes = ekka_gpu_resident(gpu, l, a->bytes), .offset = a->offset, .n = a->n, .dtype = (int32_t)a->dtype,
					.n_walk = (int32_t)a->n_walk };
	memcpy(ret->dim, a->walk_dim, sizeof ret->dim);
	memcpy(ret->stride, a->walk_stride, sizeof ret->stride);
	return ret->bytes != 0;
}

/* ---- small things ------------------------------------------------------ */

/* Room in the arena; false when it is full. */
static bool take_room(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, size_t bytes, size_t *ret_at)
{
	if (!prepare(gpu, l) || bytes > ROOM - l->used)
		return false;
	*ret_at = l->used;
	l->used += (bytes + ALIGN - 1) / ALIGN * ALIGN;
	return true;
}

CUdeviceptr ekka_gpu_put(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, const void *from, size_t bytes)
{
	size_t at;

	if (!take_room(gpu, l, bytes, &at))
		return 0;
	memcpy(l->host + at, from, bytes);
	return ekka_gpu_upload(gpu, l, l->arena + at, l->host + at, bytes) ? l->arena + at : 0;
}

/* ---- what was found ---------------------------------------------------- */

static int64_t threads_for(int64_t n)
{
	return n < MOST_THREADS ? n : MOST_THREADS;
}

static size_t teams_for(int64_t n)
{
	return ((size_t)threads_for(n) + EKKA_GPU_THREADS - 1) / EKKA_GPU_THREADS * (EKKA_GPU_THREADS / EKKA_GPU_TEAM);
}

CUdeviceptr ekka_gpu_parts(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, int64_t n)
{
	size_t at, bytes = teams_for(n) * sizeof(struct ekka_gpu_part);

	if (n < 1 || !take_room(gpu, l, bytes, &at) || !ekka_gpu_zero(gpu, l, l->arena + at, bytes))
		return 0;
	return l->arena + at;
}

bool ekka_gpu_look(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, enum ekka_gpu_kernel kernel, int64_t n, void **params)
{
	return ekka_gpu_launch(gpu, l, kernel, threads_for(n), params);
}

static void add(struct ekka_elements_part *sum, const struct ekka_gpu_part *p)
{
	if (p->n_measured && (!sum->n_measured || p->margin > sum->margin || (p->margin == sum->margin && p->index < sum->index))) {
		sum->margin = p->margin;
		sum->index = p->index;
		sum->out = p->out;
		sum->ref = p->ref;
		sum->bound = p->bound;
	}
	sum->n += p->n;
	sum->n_measured += p->n_measured;
	sum->n_loose += p->n_loose;
	sum->n_wide += p->n_wide;
	sum->n_bad += p->n_bad;
	sum->max_error = p->max_error > sum->max_error ? p->max_error : sum->max_error;
}

bool ekka_gpu_found(struct ekka_gpu *gpu, struct ekka_gpu_lane *l, CUdeviceptr parts, int64_t n, struct ekka_elements_part *ret)
{
	const struct ekka_gpu_part *p = (const void *)(l->host + (parts - l->arena));
	size_t teams = teams_for(n);

	*ret = (struct ekka_elements_part){ 0 };
	if (!ekka_gpu_download(gpu, l, l->host + (parts - l->arena), parts, teams * sizeof *p) || !ekka_gpu_finish(gpu, l))
		return false;
	for (size_t i = 0; i < teams; i++)
		add(ret, &p[i]);
	return true;
}
