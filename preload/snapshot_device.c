/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of device tensors: puts the copies that cuda*.c enqueued into the queue. Zone: inside the host process. */
#include "config.h"

#include "preload/conf.h"
#include "preload/count.h"
#include "preload/cuda.h"
#include "preload/guard.h"
#include "preload/queue.h"
#include "preload/snapshot.h"
#include "preload/versions.h"

/* Queues what was taken of a tensor, a copy or a reference to one. */
static void push_taken(struct ekka_call *call, unsigned tensor, enum ekka_phase phase, const struct ekka_cuda_taken *taken)
{
	const struct ekka_tensor *t = &call->tensors[tensor];
	uint64_t bytes = taken->copy ? ekka_cuda_copy_bytes(taken->copy) : t->span_bytes, serial;
	struct ekka_entry *e = ekka_queue_reserve(0, ekka_conf.when_full == EKKA_BLOCK);

	atomic_fetch_add_explicit(&ekka_totals.seen_bytes, bytes, memory_order_relaxed);
	if (taken->known)
		atomic_fetch_add_explicit(&ekka_totals.known_bytes, bytes, memory_order_relaxed);
	if (!e) {
		ekka_cuda_copy_release(taken->copy);
		ekka_snapshot_missing(call, tensor, phase, bytes, "memory");
		return;
	}
	serial = taken->known ? taken->known : ekka_versions_serial();
	e->kind = taken->copy ? EKKA_ENTRY_COPY : EKKA_ENTRY_SAME;
	e->generation = ekka_private(call)->generation;
	e->data.event = call->rec.event;
	e->data.tensor = tensor;
	e->data.phase = phase;
	e->data.size = bytes;
	e->data.offset = 0;
	e->data.place = t->n_ptrs ? 0 : t->addr;
	e->data.copy = taken->copy;
	e->data.hashed = false;
	e->data.serial = serial;
	ekka_queue_commit(e);
	if (taken->stays)
		ekka_versions_publish(t->addr, bytes, taken->clock, serial);
}

void ekka_snapshot_device(struct ekka_call *call, enum ekka_phase phase)
{
	struct ekka_cuda_taken taken[EKKA_MAX_TENSORS];
	bool any = false;

	for (unsigned i = 0; i < call->rec.n_tensors; i++)
		any |= call->tensors[i].place == EKKA_DEVICE;
	if (!any)
		return;
	ekka_cuda_snapshot(call, phase, taken);
	for (unsigned i = 0; i < call->rec.n_tensors; i++) {
		const struct ekka_tensor *t = &call->tensors[i];
		if (taken[i].copy || taken[i].known)
			push_taken(call, i, phase, &taken[i]);
		else if (taken[i].missing)
			ekka_snapshot_missing(call, i, phase, t->span_bytes * (t->n_ptrs ? t->n_ptrs : 1), taken[i].missing);
	}
}
