/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's side of device snapshots: asynchronous copies on the call's own stream, then one event.
 *
 * A tensor goes device-to-device into the context's staging slab; when that is full, straight into pinned host memory, still in
 * stream order; when that is full too the call waits for the sink (EKKA_WHEN_FULL=block, bounded) or the bytes are dropped.
 */
#include "config.h"

#include "preload/conf.h"
#include "preload/cuda_copy.h"
#include "preload/cuda_gather.h"
#include "preload/cuda_staging.h"
#include "preload/versions.h"

#include <time.h>

enum { BLOCK_MAX_S = 10 /* a stream may wait for the very thread that we hold up */ };

struct scope {
	const struct ekka_cuda_driver *drv;
	struct ekka_cuda_context *c;
	CUstream stream;
	struct ekka_cuda_mark *mark;
	unsigned n_copies;		/* of this phase, not yet the sink's */
	unsigned n_enqueued;
};

static bool wanted(const struct ekka_tensor *t, enum ekka_phase phase)
{
	return t->place == EKKA_DEVICE && t->alias_of < 0 && (phase == EKKA_PRE ? t->pre : t->post);
}

const char *ekka_cuda_capture_state(const struct ekka_cuda_driver *drv, CUstream stream)
{
	CUstreamCaptureStatus status;
	CUresult res = drv->p_cuStreamIsCapturing(stream, &status);

	/* IMPLICIT: the legacy stream while another stream of the context is captured; touching it would spoil that capture. */
	if (res == CUDA_ERROR_STREAM_CAPTURE_IMPLICIT || (res == CUDA_SUCCESS && status != CU_STREAM_CAPTURE_STATUS_NONE))
		return "capture";
	return res == CUDA_SUCCESS ? NULL : "CUDA error";
}

/* Takes a range for the copy, staging first. Call with ekka_cuda_lock held. */
static bool take_room(struct ekka_cuda_context *c, struct ekka_cuda_copy *copy)
{
	uint64_t offset;

	if (ekka_cuda_staging_take(c, copy))
		return true;
	if (ekka_cuda_pinned.direct == NULL || ekka_cuda_pinned.gone)
		return false;
	copy->direct_slot = ekka_ring_take(&ekka_cuda_pinned.direct_ring, copy->bytes, &offset);
	if (copy->direct_slot < 0)
		return false;
	copy->host = ekka_cuda_pinned.direct + offset;
	return true;
}

static bool could_fit(const struct ekka_cuda_context *c, uint64_t bytes)
{
	return ekka_cuda_staging_could_fit(c, bytes) ||
	       (ekka_cuda_pinned.direct != NULL && ekka_ring_could_fit(&ekka_cuda_pinned.direct_ring, bytes));
}

/*
 * Waits until something was given back, if that is allowed and can help: not for copies that the sink does not have
 * yet. Call with ekka_cuda_lock held; false: give up.
 */
static bool wait_for_room(const struct scope *s, const struct timespec *deadline)
{
	return ekka_conf.when_full == EKKA_BLOCK && ekka_cuda_copies_in_flight() > s->n_copies &&
	       pthread_cond_timedwait(&ekka_cuda_room, &ekka_cuda_lock, deadline) == 0;
}

static struct timespec block_deadline(void)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += BLOCK_MAX_S;
	return deadline;
}

static void give_up(struct scope *s, struct ekka_cuda_copy *copy)
{
	ekka_cuda_copy_discard(copy);
	s->n_copies--;
}

/* A copy of `bytes` with a range to copy to. NULL and *ret_why when there is no room. */
static struct ekka_cuda_copy *get_copy(struct scope *s, uint64_t bytes, const char **ret_why)
{
	struct timespec deadline = block_deadline();
	struct ekka_cuda_copy *copy = NULL;

	pthread_mutex_lock(&ekka_cuda_lock);
	*ret_why = could_fit(s->c, bytes) ? NULL : "too large";
	while (*ret_why == NULL && (copy = ekka_cuda_copy_new(s->mark, bytes)) == NULL)
		if (!wait_for_room(s, &deadline))
			*ret_why = "too many copies";
	if (*ret_why == NULL)
		s->n_copies++;
	while (*ret_why == NULL && !take_room(s->c, copy))
		if (!wait_for_room(s, &deadline))
			*ret_why = "staging full";
	pthread_mutex_unlock(&ekka_cuda_lock);
	if (*ret_why != NULL && copy != NULL) {
		give_up(s, copy);
		copy = NULL;
	}
	return copy;
}

static CUresult enqueue(struct scope *s, const struct ekka_tensor *t, const struct ekka_cuda_copy *copy, CUmemorytype type)
{
	const struct ekka_cuda_driver *drv = s->drv;

	if (t->n_ptrs > 0)
		return ekka_cuda_gather(drv, s->c->gather, s->stream, copy->staged ? copy->staged : (CUdeviceptr)copy->host, t->addr,
					t->n_ptrs, t->span_bytes); /* the device writes pinned memory at the host's address */
	if (copy->staged == 0)
		return type == CU_MEMORYTYPE_HOST ? drv->p_cuMemcpyAsync((CUdeviceptr)copy->host, t->addr, copy->bytes, s->stream) :
						    drv->p_cuMemcpyDtoHAsync(copy->host, t->addr, copy->bytes, s->stream);
	if (type == CU_MEMORYTYPE_HOST)
		return drv->p_cuMemcpyAsync(copy->staged, t->addr, copy->bytes, s->stream);
	return drv->p_cuMemcpyDtoDAsync(copy->staged, t->addr, copy->bytes, s->stream);
}

/* Where the memory is, CUDA's at all; *ret_stays: of the device alone, so that every write of it is one that the engine issues. */
static bool memory_type(const struct ekka_cuda_driver *drv, uint64_t addr, CUmemorytype *ret_type, bool *ret_stays)
{
	CUpointer_attribute which[] = { CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_IS_MANAGED };
	unsigned type = 0, managed = 0;
	void *data[] = { &type, &managed };

	/* Both in one call, which says nothing of memory that it does not know; one by one where a driver refuses the pair. */
	if (drv->p_cuPointerGetAttributes(2, which, data, addr) != CUDA_SUCCESS) {
		if (drv->p_cuPointerGetAttribute(&type, which[0], addr) != CUDA_SUCCESS)
			return false;
		(void)drv->p_cuPointerGetAttribute(&managed, which[1], addr);
	}
	if (type == 0)
		return false;
	*ret_type = (CUmemorytype)type;
	*ret_stays = type == CU_MEMORYTYPE_DEVICE && !managed;
	return true;
}

/* Copies one tensor. NULL and *ret, or why not. */
static const char *snapshot_one(struct scope *s, const struct ekka_tensor *t, struct ekka_cuda_taken *ret)
{
	struct ekka_cuda_copy *copy;
	CUmemorytype type = 0;
	bool stays = false;
	uint64_t bytes = t->span_bytes;
	const char *why;
	CUresult res;

	if (t->n_ptrs > 0 && __builtin_mul_overflow(t->span_bytes, t->n_ptrs, &bytes))
		return "too large";
	if (t->n_ptrs > 0 && s->c->gather == NULL)
		return "no gather kernel";
	/* Memory the driver does not know (plain malloc) is nothing that a copy of ours could read in stream order. */
	if (!memory_type(s->drv, t->addr, &type, &stays))
		return "not CUDA memory";
	copy = get_copy(s, bytes, &why);
	if (copy == NULL)
		return why;
	ret->clock = ekka_versions_now();
	res = enqueue(s, t, copy, type);
	ekka_cuda_context_note(s->c, res);
	if (res == CUDA_SUCCESS) {
		s->n_enqueued++;
		ret->copy = copy;
		ret->stays = stays && t->n_ptrs == 0;
		return NULL;
	}
	give_up(s, copy);
	return res == CUDA_ERROR_INVALID_VALUE ? "fault" : "CUDA error";
}

/* Everything between entering the context and leaving it. Returns a reason that holds for all tensors, or NULL. */
static const char *snapshot_all(struct scope *s, struct ekka_call *call, enum ekka_phase phase, struct ekka_cuda_taken *ret)
{
	const char *why = ekka_cuda_capture_state(s->drv, s->stream);
	CUevent event;
	CUresult res;

	if (why != NULL)
		return why;
	event = ekka_cuda_event_take(s->drv, s->c);
	if (event == NULL)
		return "CUDA error";
	s->mark = ekka_cuda_mark_new(s->c, event);
	if (s->mark == NULL) {
		ekka_cuda_event_give(s->c, event);
		return "too many copies";
	}
	for (unsigned i = 0; i < call->rec.n_tensors; i++)
		if (wanted(&call->tensors[i], phase) && ret[i].known == 0)
			ret[i].missing = snapshot_one(s, &call->tensors[i], &ret[i]);
	if (s->n_enqueued == 0) {
		ekka_cuda_mark_drop(s->mark);
		return NULL;
	}
	res = s->drv->p_cuEventRecord(event, s->stream);
	if (res == CUDA_SUCCESS)
		atomic_store_explicit(&s->mark->recorded, true, memory_order_release);
	ekka_cuda_mark_drop(s->mark);
	if (res == CUDA_SUCCESS)
		return NULL;
	/*
	 * Copies run that no event tells the end of: their ranges are never handed out again (they stay with the
	 * copies, which nobody gets), and this context is left alone.
	 */
	s->c->off = true;
	for (unsigned i = 0; i < call->rec.n_tensors; i++)
		ret[i].copy = NULL;
	return "CUDA error";
}

void ekka_cuda_snapshot(struct ekka_call *call, enum ekka_phase phase, struct ekka_cuda_taken ret[EKKA_MAX_TENSORS])
{
	struct scope s = { .stream = (CUstream)call->rec.stream };
	const char *why = "no driver";
	bool any = false, pushed = false;

	for (unsigned i = 0; i < call->rec.n_tensors; i++) {
		const struct ekka_tensor *t = &call->tensors[i];

		ret[i] = (struct ekka_cuda_taken){ 0 };
		if (!wanted(t, phase))
			continue;
		if (t->n_ptrs == 0)
			ret[i].known = ekka_versions_find(t->addr, t->span_bytes);
		any |= ret[i].known == 0;
	}
	if (!any)
		return;
	s.drv = ekka_cuda_driver();
	if (s.drv != NULL) {
		why = "exit";
		if (ekka_cuda_usable())
			s.c = ekka_cuda_context_enter(s.drv, s.stream, &pushed, &why);
	}
	if (s.c != NULL) {
		why = snapshot_all(&s, call, phase, ret);
		ekka_cuda_context_leave(s.drv, pushed);
	}
	if (why == NULL)
		return;
	for (unsigned i = 0; i < call->rec.n_tensors; i++)
		if (wanted(&call->tensors[i], phase) && ret[i].known == 0)
			ret[i] = (struct ekka_cuda_taken){ .missing = why };
}
