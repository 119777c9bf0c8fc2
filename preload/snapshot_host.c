/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of host tensors, and the `data` records of all. Zone: inside the host process. */
#include "config.h"

#include "preload/blobset.h"
#include "preload/conf.h"
#include "preload/count.h"
#include "preload/guard.h"
#include "preload/intern.h"
#include "preload/probe.h"
#include "preload/queue.h"
#include "preload/sink.h"
#include "preload/snapshot.h"
#include "trace/hash.h"

#include <string.h>

/* Larger tensors travel in pieces, so that the sink starts early and the queue need not hold all of one. */
enum { PIECE_BYTES = 8 << 20, STEP_BYTES = 32 << 10, DATA_BYTES = 256, PLACES = 1 << 12 };

/* The items of a tensor: one, or those of a pointer array. */
struct source {
	uint64_t addr;
	const uint64_t *items;		/* NULL: one item at addr */
	uint64_t n_items, item_bytes, total;
};

static bool source_open(struct source *s, const struct ekka_tensor *t)
{
	*s = (struct source){ .addr = t->addr, .n_items = 1, .item_bytes = t->span_bytes, .total = t->span_bytes };
	if (t->n_ptrs == 0)
		return ekka_probe(s->addr, s->total);
	s->n_items = t->n_ptrs;
	s->items = (const uint64_t *)(uintptr_t)t->addr;
	if (__builtin_mul_overflow(t->n_ptrs, t->span_bytes, &s->total) || s->total > INT64_MAX ||
	    t->addr % sizeof(uint64_t) != 0 || !ekka_probe(t->addr, t->n_ptrs * sizeof(uint64_t)))
		return false;
	for (uint64_t i = 0; i < s->n_items; i++)
		if (!ekka_probe(s->items[i], s->item_bytes))
			return false;
	return true;
}

static const uint8_t *item(const struct source *s, uint64_t i)
{
	return (const uint8_t *)(uintptr_t)(s->items ? s->items[i] : s->addr);
}

static struct ekka_blob_id source_id(const struct source *s)
{
	struct ekka_blob_hash h;

	if (s->n_items == 1)
		return ekka_blob_id_of(item(s, 0), s->total);
	ekka_blob_hash_init(&h);
	for (uint64_t i = 0; i < s->n_items; i++)
		ekka_blob_hash_update(&h, item(s, i), s->item_bytes);
	return ekka_blob_hash_final(&h);
}

static void source_copy(const struct source *s, uint64_t offset, uint64_t bytes, uint8_t *to)
{
	while (bytes > 0) {
		uint64_t in_item = offset % s->item_bytes;
		uint64_t n = s->item_bytes - in_item < bytes ? s->item_bytes - in_item : bytes;
		memcpy(to, item(s, offset / s->item_bytes) + in_item, n);
		to += n;
		offset += n;
		bytes -= n;
	}
}

static bool may_wait(void)
{
	return ekka_conf.when_full == EKKA_BLOCK;
}

/* For all but bytes of a host tensor, whose place is set after it. */
static void fill_data(struct ekka_entry *e, struct ekka_call *call, unsigned tensor, enum ekka_phase phase, uint64_t size)
{
	e->generation = ekka_private(call)->generation;
	e->data.event = call->rec.event;
	e->data.tensor = tensor;
	e->data.phase = phase;
	e->data.size = size;
	e->data.offset = 0;
	e->data.place = 0;
	e->data.copy = NULL;
}

static size_t encode_data(struct ekka_buf *b, const void *r) { return ekka_encode_data(b, r); }

void ekka_snapshot_missing(struct ekka_call *call, unsigned tensor, enum ekka_phase phase, uint64_t bytes, const char *why)
{
	struct ekka_rec_data rec = {
		.event = call->rec.event, .tensor = tensor, .phase = phase, .bytes = bytes, .missing = why,
	};

	ekka_count_drop(why, 1);
	if (!ekka_push_record(DATA_BYTES, encode_data, &rec))
		ekka_count_drop("data", 1);
}

void ekka_snapshot_known(struct ekka_call *call, unsigned tensor, enum ekka_phase phase, uint64_t bytes,
			 const struct ekka_blob_id *id)
{
	struct ekka_entry *e = ekka_queue_reserve(0, may_wait());

	if (!e) {
		ekka_count_drop("data", 1);
		return;
	}
	fill_data(e, call, tensor, phase, bytes);
	e->kind = EKKA_ENTRY_KNOWN;
	e->data.id = *id;
	ekka_queue_commit(e);
}

bool ekka_blob_known(const struct ekka_blob_id *id)
{
	return ekka_blobset_has(id, NULL);
}

/* One pass over memory: each step is hashed while it is in the cache. */
static struct ekka_blob_id copy_and_hash(const struct source *s, uint8_t *to)
{
	struct ekka_blob_hash h;

	if (s->total <= STEP_BYTES) {
		source_copy(s, 0, s->total, to);
		return ekka_blob_id_of(to, s->total);
	}
	ekka_blob_hash_init(&h);
	for (uint64_t at = 0; at < s->total; at += STEP_BYTES) {
		uint64_t n = s->total - at < STEP_BYTES ? s->total - at : STEP_BYTES;
		source_copy(s, at, n, to + at);
		ekka_blob_hash_update(&h, to + at, n);
	}
	return ekka_blob_hash_final(&h);
}

/* All bytes in one entry. The id is that of the copy: the engine may be changing the original. Returns whether they were known. */
static bool take_whole(struct ekka_call *call, unsigned tensor, enum ekka_phase phase, const struct source *s, struct ekka_entry *e)
{
	bool full;

	fill_data(e, call, tensor, phase, s->total);
	e->data.place = s->items ? 0 : s->addr;
	e->data.id = copy_and_hash(s, e->payload);
	bool fresh = ekka_blobset_add(&e->data.id, &full) || full;
	e->used = fresh ? s->total : 0;
	e->kind = fresh ? EKKA_ENTRY_BLOB : EKKA_ENTRY_KNOWN;
	ekka_queue_commit(e);
	return !fresh;
}

/*
 * In pieces, under the id that the bytes had a moment ago: chunks carry the id, so it must be known before the first
 * one is written. If the copy turns out to be different the last piece is withheld, and the blob stays incomplete.
 */
static void take_pieces(struct ekka_call *call, unsigned tensor, enum ekka_phase phase, const struct source *s,
			const struct ekka_blob_id *id, uint64_t piece)
{
	struct ekka_blob_hash h;
	struct ekka_blob_id copied;
	bool full;

	if (!ekka_blobset_add(id, &full) && !full) {
		ekka_snapshot_known(call, tensor, phase, s->total, id);
		return;
	}
	ekka_blob_hash_init(&h);
	for (uint64_t at = 0; at < s->total; at += piece) {
		uint64_t n = s->total - at < piece ? s->total - at : piece;
		struct ekka_entry *e = ekka_queue_reserve(n, may_wait());
		if (!e) {
			ekka_blobset_lose(id, "memory");
			ekka_snapshot_missing(call, tensor, phase, s->total, "memory");
			return;
		}
		source_copy(s, at, n, e->payload);
		ekka_blob_hash_update(&h, e->payload, n);
		fill_data(e, call, tensor, phase, s->total);
		e->data.place = s->items ? 0 : s->addr;
		e->kind = EKKA_ENTRY_PIECE;
		e->used = n;
		e->data.offset = at;
		e->data.id = *id;
		if (at + n == s->total) {
			copied = ekka_blob_hash_final(&h);
			if (memcmp(&copied, id, sizeof(copied)) != 0)
				e->kind = EKKA_ENTRY_ABORT;
		}
		ekka_queue_commit(e);
		ekka_queue_kick();
	}
}

/*
 * Where were bytes the last time that were known already: hash them first, copy only if they are new. Elsewhere: copy,
 * then hash what is in the cache. A wrong guess, as after a collision, costs a pass over the bytes.
 */
static _Atomic uint64_t known_places[PLACES];

static uint64_t place(const struct source *s)
{
	return ((s->addr ^ s->total << 44) * 0x9e3779b97f4a7c15u) | 1;
}

static void note_place(uint64_t at, bool known)
{
	_Atomic uint64_t *p = &known_places[(at >> 32) % PLACES];

	if (known != (atomic_load_explicit(p, memory_order_relaxed) == at))
		atomic_store_explicit(p, known ? at : 0, memory_order_relaxed);
}

static bool is_known_place(uint64_t at)
{
	return atomic_load_explicit(&known_places[(at >> 32) % PLACES], memory_order_relaxed) == at;
}

/* By hash first; true when the bytes were known. */
static bool take_by_id(struct ekka_call *call, unsigned tensor, enum ekka_phase phase, const struct source *s, uint64_t piece)
{
	const char *closed = ekka_sink_blobs_closed();
	struct ekka_blob_id id = source_id(s);
	struct ekka_entry *e;

	if (ekka_blob_known(&id)) {
		ekka_snapshot_known(call, tensor, phase, s->total, &id);
		return true;
	}
	if (closed)
		ekka_snapshot_missing(call, tensor, phase, s->total, closed);
	else if (s->total > piece)
		take_pieces(call, tensor, phase, s, &id, piece);
	else if ((e = ekka_queue_reserve(s->total, may_wait())))
		return take_whole(call, tensor, phase, s, e);
	else
		ekka_snapshot_missing(call, tensor, phase, s->total, "memory");
	return false;
}

static void take(struct ekka_call *call, unsigned tensor, enum ekka_phase phase)
{
	uint64_t piece = ekka_queue_max_payload() < PIECE_BYTES ? ekka_queue_max_payload() : PIECE_BYTES;
	struct ekka_entry *e = NULL;
	struct source s;

	if (!source_open(&s, &call->tensors[tensor])) {
		ekka_snapshot_missing(call, tensor, phase, call->tensors[tensor].span_bytes, "fault");
		return;
	}
	atomic_fetch_add_explicit(&ekka_totals.seen_bytes, s.total, memory_order_relaxed);
	uint64_t at = place(&s);
	if (s.total <= piece && !is_known_place(at) && !ekka_sink_blobs_closed())
		e = ekka_queue_reserve(s.total, false);
	note_place(at, e ? take_whole(call, tensor, phase, &s, e) : take_by_id(call, tensor, phase, &s, piece));
}

void ekka_snapshot_host(struct ekka_call *call, enum ekka_phase phase)
{
	for (unsigned i = 0; i < call->rec.n_tensors; i++) {
		const struct ekka_tensor *t = &call->tensors[i];
		if (t->place == EKKA_HOST && t->alias_of < 0 && (phase == EKKA_PRE ? t->pre : t->post))
			take(call, i, phase);
	}
}
