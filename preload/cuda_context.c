/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/conf.h"
#include "preload/cuda_context.h"
#include "preload/cuda_copy.h"
#include "preload/cuda_fetch.h"
#include "preload/cuda_gather.h"
#include "preload/cuda_staging.h"

#include <string.h>
#include <sys/mman.h>

enum { FAILURES_MAX = 3 /* in a row, then the context is off */, PINNED_MIN = 1 << 20 /* bytes each way, of what was not to be had */ };

pthread_mutex_t ekka_cuda_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t ekka_cuda_room = PTHREAD_COND_INITIALIZER;
struct ekka_cuda_pinned ekka_cuda_pinned;

static struct ekka_cuda_context contexts[EKKA_CUDA_CONTEXTS];
static atomic_uint n_contexts;
static bool pinned_tried; /* under ekka_cuda_lock */
static CUcontext pinned_owner;

static struct ekka_cuda_context *find(CUcontext ctx, unsigned long long id)
{
	unsigned n = atomic_load_explicit(&n_contexts, memory_order_acquire);

	for (unsigned i = 0; i < n; i++)
		if (contexts[i].ctx == ctx && contexts[i].id == id)
			return &contexts[i];
	return NULL;
}

/* Memory that can be had without limit but is slower, and waits in the driver: for the sink's thread alone. Not the context's: it stays. */
static void make_do_without_pinned(uint64_t bytes)
{
	void *slab = bytes ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;

	if (slab == MAP_FAILED)
		return;
	madvise(slab, bytes, MADV_DONTDUMP);
	ekka_cuda_fetch_set_up(slab, bytes);
}

/* Half the pinned memory each way: the sink's half must not be taken by copies that queue behind the one it works on. */
static void set_up_pinned(const struct ekka_cuda_driver *drv, CUcontext ctx)
{
	uint64_t half = ekka_conf.cuda_pinned / 2 / EKKA_RING_ALIGN * EKKA_RING_ALIGN, all = half;
	CUresult res = CUDA_ERROR_OUT_OF_MEMORY;
	void *slab = NULL;

	if (ekka_cuda_pinned.gone && ekka_cuda_copies_in_flight() == 0) {	/* before that its rings are still needed */
		pinned_tried = ekka_cuda_pinned.gone = false;
		pinned_owner = NULL;
	}
	if (pinned_tried)
		return;
	pinned_tried = true;
	while (half > 0 && (res = drv->p_cuMemHostAlloc(&slab, 2 * half, CU_MEMHOSTALLOC_PORTABLE)) != CUDA_SUCCESS)
		half = half / 2 >= PINNED_MIN ? half / 2 / EKKA_RING_ALIGN * EKKA_RING_ALIGN : 0;
	if (res != CUDA_SUCCESS) {
		make_do_without_pinned(all);
		return;
	}
	pinned_owner = ctx;
	ekka_ring_init(&ekka_cuda_pinned.direct_ring, half);
	ekka_cuda_pinned.direct = slab;
	ekka_cuda_fetch_set_up((char *)slab + half, half);
}

/* A context that was reset may have left its address to the one that is new: its slab is in nobody's way any more but the engine's. */
static void bury_predecessors(const struct ekka_cuda_driver *drv, CUcontext ctx)
{
	for (unsigned i = 0; i < n_contexts; i++)
		if (contexts[i].ctx == ctx) {
			contexts[i].off = true;
			ekka_cuda_staging_bury(drv, &contexts[i]);
		}
}

static struct ekka_cuda_context *set_up(const struct ekka_cuda_driver *drv, CUcontext ctx, unsigned long long id)
{
	struct ekka_cuda_context *c;
	CUstreamCaptureMode mode;
	CUresult res;

	pthread_mutex_lock(&ekka_cuda_lock);
	c = find(ctx, id); /* another thread was faster */
	if (c != NULL || n_contexts == EKKA_CUDA_CONTEXTS)
		goto unlock;
	c = &contexts[n_contexts];
	memset(c, 0, sizeof(*c));
	c->ctx = ctx;
	c->id = id;
	mode = ekka_cuda_relaxed_begin(drv);
	CU_GOTO(cuCtxGetDevice(&c->device), failed);
	bury_predecessors(drv, ctx);
	if (ekka_conf.level == EKKA_LEVEL_CALLS)
		goto relaxed_end;	/* for times alone: no bytes will be taken */
	set_up_pinned(drv, ctx);
	ekka_cuda_staging_new(drv, c);
	c->gather = ekka_cuda_gather_load(drv);
	CU_GOTO(cuStreamCreate(&c->side, CU_STREAM_NON_BLOCKING), failed);
	goto relaxed_end;
failed:
	(void)res;
	c->off = true;
relaxed_end:
	ekka_cuda_relaxed_end(drv, mode);
	atomic_store_explicit(&n_contexts, n_contexts + 1, memory_order_release);
unlock:
	pthread_mutex_unlock(&ekka_cuda_lock);
	return c;
}

/*
 * A thread that never called the runtime has no current context; cuBLAS then works in the stream's, or for
 * the default streams in the runtime's context of device 0.
 */
static CUcontext context_of(const struct ekka_cuda_driver *drv, CUstream stream)
{
	CUcontext ctx = NULL;
	CUdevice device;
	unsigned flags;
	int active = 0;

	if (stream != NULL && stream != CU_STREAM_LEGACY && stream != CU_STREAM_PER_THREAD)
		return drv->p_cuStreamGetCtx(stream, &ctx) == CUDA_SUCCESS ? ctx : NULL;
	if (drv->p_cuDeviceGet(&device, 0) != CUDA_SUCCESS ||
	    drv->p_cuDevicePrimaryCtxGetState(device, &flags, &active) != CUDA_SUCCESS || !active)
		return NULL;
	return drv->p_cuDevicePrimaryCtxRetain(&ctx, device) == CUDA_SUCCESS ? ctx : NULL;
}

struct ekka_cuda_context *ekka_cuda_context_enter(const struct ekka_cuda_driver *drv, CUstream stream, bool *ret_pushed,
						  const char **ret_why)
{
	struct ekka_cuda_context *c;
	unsigned long long id = 0;
	CUcontext ctx = NULL;
	bool pushed = false;
	CUresult res = drv->p_cuCtxGetCurrent(&ctx);

	if (res == CUDA_SUCCESS && ctx == NULL) {
		ctx = context_of(drv, stream);
		pushed = ctx != NULL && drv->p_cuCtxPushCurrent(ctx) == CUDA_SUCCESS;
		if (!pushed)
			ctx = NULL;
	}
	if (res != CUDA_SUCCESS || ctx == NULL) {
		*ret_why = "no context";
		return NULL;
	}
	if (drv->p_cuCtxGetId != NULL)
		(void)drv->p_cuCtxGetId(ctx, &id);
	c = find(ctx, id);
	if (c == NULL)
		c = set_up(drv, ctx, id);
	if (c == NULL || c->off) {
		*ret_why = c == NULL ? "too many contexts" : "CUDA error";
		ekka_cuda_context_leave(drv, pushed);
		return NULL;
	}
	*ret_pushed = pushed;
	return c;
}

void ekka_cuda_context_leave(const struct ekka_cuda_driver *drv, bool pushed)
{
	CUcontext ctx;

	if (pushed)
		(void)drv->p_cuCtxPopCurrent(&ctx);
}

void ekka_cuda_context_note(struct ekka_cuda_context *c, CUresult res)
{
	switch (res) {
	case CUDA_SUCCESS:
		if (atomic_load_explicit(&c->failures, memory_order_relaxed) != 0)
			atomic_store_explicit(&c->failures, 0, memory_order_relaxed);
		return;
	case CUDA_ERROR_INVALID_VALUE:
		return; /* an address that is none: says nothing about the context */
	case CUDA_ERROR_DEINITIALIZED:
	case CUDA_ERROR_CONTEXT_IS_DESTROYED:
	case CUDA_ERROR_INVALID_CONTEXT:
	case CUDA_ERROR_ILLEGAL_ADDRESS:
	case CUDA_ERROR_LAUNCH_FAILED:
	case CUDA_ERROR_LAUNCH_TIMEOUT:
		c->off = true; /* the context cannot recover */
		return;
	default:
		if (atomic_fetch_add_explicit(&c->failures, 1, memory_order_relaxed) + 1 >= FAILURES_MAX)
			c->off = true;
	}
}

CUevent ekka_cuda_event_take(const struct ekka_cuda_driver *drv, struct ekka_cuda_context *c)
{
	CUevent event = NULL;
	CUstreamCaptureMode mode;

	pthread_mutex_lock(&ekka_cuda_lock);
	if (c->n_events > 0)
		event = c->events[--c->n_events];
	pthread_mutex_unlock(&ekka_cuda_lock);
	if (event != NULL)
		return event;
	mode = ekka_cuda_relaxed_begin(drv);
	if (drv->p_cuEventCreate(&event, CU_EVENT_DISABLE_TIMING) != CUDA_SUCCESS)
		event = NULL;
	ekka_cuda_relaxed_end(drv, mode);
	return event;
}

/* The pool holds as many as there can be copies and sink threads at work. */
void ekka_cuda_event_put(struct ekka_cuda_context *c, CUevent event)
{
	if (c->n_events < EKKA_CUDA_EVENTS)
		c->events[c->n_events++] = event;
}

void ekka_cuda_event_give(struct ekka_cuda_context *c, CUevent event)
{
	pthread_mutex_lock(&ekka_cuda_lock);
	ekka_cuda_event_put(c, event);
	pthread_mutex_unlock(&ekka_cuda_lock);
}

struct ekka_cuda_context *ekka_cuda_context_at(unsigned i)
{
	return i < atomic_load_explicit(&n_contexts, memory_order_acquire) ? &contexts[i] : NULL;
}

static bool is_it(const struct ekka_cuda_context *c, const void *ctx, int device)
{
	return !c->off && (c->ctx == ctx || (device >= 0 && c->device == device));
}

void ekka_cuda_context_ends(const void *ctx, int device)
{
	unsigned n = atomic_load_explicit(&n_contexts, memory_order_acquire);
	bool ours = false;

	for (unsigned i = 0; i < n; i++)
		ours |= is_it(&contexts[i], ctx, device);
	if (!ours)
		return;
	ekka_cuda_wait_for_sink(true);	/* the engine is about to wait for all its work, too */
	pthread_mutex_lock(&ekka_cuda_lock);
	for (unsigned i = 0; i < n; i++) {
		contexts[i].off |= is_it(&contexts[i], ctx, device);
		ekka_cuda_pinned.gone |= contexts[i].off && contexts[i].ctx == pinned_owner;	/* the driver frees it */
	}
	pthread_mutex_unlock(&ekka_cuda_lock);
	ekka_cuda_wait_for_sink(false);
	pthread_mutex_lock(&ekka_cuda_lock);
	if (ekka_cuda_pinned.gone)
		ekka_cuda_pinned.direct = ekka_cuda_pinned.bounce = NULL;
	pthread_mutex_unlock(&ekka_cuda_lock);
}

void ekka_cuda_context_forget(void)
{
	ekka_cuda_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	ekka_cuda_room = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	memset(&ekka_cuda_pinned, 0, sizeof(ekka_cuda_pinned));
	atomic_store(&n_contexts, 0);
	pinned_tried = false;
	pinned_owner = NULL;
}
