/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of device tensors: puts the copies that cuda*.c enqueued into the queue. Zone: inside the host process. */
#include "config.h"

#include "preload/conf.h"
#include "preload/count.h"
#include "preload/cuda.h"
#include "preload/guard.h"
#include "preload/queue.h"
#include "preload/snapshot.h"

static void push_copy(struct ekka_call *call, unsigned tensor, enum ekka_phase phase, struct ekka_cuda_copy *copy)
{
	uint64_t bytes = ekka_cuda_copy_bytes(copy);
	struct ekka_entry *e = ekka_queue_reserve(0, ekka_conf.when_full == EKKA_BLOCK);

	atomic_fetch_add_explicit(&ekka_totals.seen_bytes, bytes, memory_order_relaxed);
	if (!e) {
		ekka_cuda_copy_release(copy);
		ekka_snapshot_missing(call, tensor, phase, bytes, "memory");
		return;
	}
	e->kind = EKKA_ENTRY_COPY;
	e->generation = ekka_private(call)->generation;
	e->data.event = call->rec.event;
	e->data.tensor = tensor;
	e->data.phase = phase;
	e->data.size = bytes;
	e->data.offset = 0;
	e->data.copy = copy;
	ekka_queue_commit(e);
}

void ekka_snapshot_device(struct ekka_call *call, enum ekka_phase phase)
{
	struct ekka_cuda_copy *copy[EKKA_MAX_TENSORS];
	const char *missing[EKKA_MAX_TENSORS];
	bool any = false;

	for (unsigned i = 0; i < call->rec.n_tensors; i++)
		any |= call->tensors[i].place == EKKA_DEVICE;
	if (!any)
		return;
	ekka_cuda_snapshot(call, phase, copy, missing);
	for (unsigned i = 0; i < call->rec.n_tensors; i++) {
		const struct ekka_tensor *t = &call->tensors[i];
		if (copy[i])
			push_copy(call, i, phase, copy[i]);
		else if (missing[i])
			ekka_snapshot_missing(call, i, phase, t->span_bytes * (t->n_ptrs ? t->n_ptrs : 1), missing[i]);
	}
}
