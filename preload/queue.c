/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/queue.h"

#include <stddef.h>
#include <sys/mman.h>

/*
 * An empty ring starts again at its beginning once REWIND_BYTES are behind it: while the sink keeps up, the same
 * few pages stay in the cache and the rest of the mapping is never touched.
 */
enum { ALIGN = 64, LINE = 64, ROUND_MS = 500, REWIND_BYTES = 1 << 20 };

/* In lines by who writes them: producers, the sink, and either when there is nothing else to do. */
static struct {
	_Alignas(LINE) struct ekka_lock lock;	/* of head, tail_seen, and of laying out entries */
	_Atomic uint64_t head;		/* positions count up for ever; place in the ring is position % cap */
	uint64_t tail_seen;		/* what tail was at least: not to look at the sink's line for each entry */
	uint8_t *base;
	uint64_t cap;
	struct ekka_signal news;
	_Alignas(LINE) _Atomic uint64_t tail;
	_Atomic uint64_t written;
	struct ekka_signal room, flushed;
	_Alignas(LINE) _Atomic bool stalled;	/* somebody waited in vain: nobody waits again before the sink takes something */
} q;

static unsigned patience_ms = EKKA_PATIENCE_MS;

bool ekka_queue_open(uint64_t bytes)
{
	if (q.base)
		return true;
	bytes -= bytes % 4096;
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return false;
	/* Snapshots of an engine's memory have no place in its core dump a second time. */
	madvise(p, bytes, MADV_DONTDUMP);
	q.cap = bytes;
	q.base = p;
	return true;
}

void ekka_queue_forget(void)
{
	q.lock = (struct ekka_lock){ 0 };
	q.news = q.room = q.flushed = (struct ekka_signal){ 0 };
	atomic_store(&q.head, 0);
	atomic_store(&q.tail, 0);
	q.tail_seen = 0;
	atomic_store(&q.written, 0);
	atomic_store(&q.stalled, false);
}

void ekka_queue_set_patience(unsigned ms)
{
	patience_ms = ms;
}

uint64_t ekka_queue_max_payload(void)
{
	return q.cap / 8 - sizeof(struct ekka_entry) - ALIGN;
}

static struct ekka_entry *entry_at(uint64_t position)
{
	return (struct ekka_entry *)(void *)(q.base + position % q.cap);
}

static void lay_out(uint64_t position, uint64_t bytes, uint32_t ready)
{
	struct ekka_entry *e = entry_at(position);

	e->bytes = bytes;
	e->used = 0;
	e->kind = EKKA_ENTRY_VOID;
	atomic_store_explicit(&e->ready, ready, memory_order_relaxed);
}

/* A gap at the ring's end can be too small for a whole entry; only `bytes`, `kind` and `ready` are read of padding. */
_Static_assert(offsetof(struct ekka_entry, data) <= ALIGN, "padding does not fit into the smallest gap");

/* NULL: no room now; q.lock is held. */
static struct ekka_entry *try_reserve(uint64_t bytes)
{
	uint64_t head = atomic_load_explicit(&q.head, memory_order_relaxed);
	uint64_t to_end = q.cap - head % q.cap;
	uint64_t pad = to_end < bytes ? to_end : 0;

	if (head % q.cap >= REWIND_BYTES || head + pad + bytes - q.tail_seen > q.cap)
		q.tail_seen = atomic_load_explicit(&q.tail, memory_order_acquire);
	if (head == q.tail_seen && head % q.cap >= REWIND_BYTES && to_end + bytes <= q.cap)
		pad = to_end;
	if (head + pad + bytes - q.tail_seen > q.cap)
		return NULL;
	if (pad)
		lay_out(head, pad, 1);
	lay_out(head + pad, bytes, 0);
	atomic_store_explicit(&q.head, head + pad + bytes, memory_order_release);
	return entry_at(head + pad);
}

/* When there was no room: waits for some. */
static struct ekka_entry *reserve_slowly(uint64_t bytes)
{
	uint64_t last_tail = atomic_load(&q.tail);
	unsigned idle_ms = 0;

	for (;;) {
		uint32_t seq = atomic_load(&q.room.seq);
		if (!ekka_lock_take(&q.lock))
			return NULL;
		struct ekka_entry *e = try_reserve(bytes);
		ekka_lock_release(&q.lock);
		if (e || atomic_load(&q.stalled))
			return e;
		ekka_queue_kick();
		if (!ekka_signal_wait(&q.room, seq, ROUND_MS))
			idle_ms += ROUND_MS;
		uint64_t tail = atomic_load(&q.tail);
		if (tail != last_tail)
			idle_ms = 0;
		if (idle_ms >= patience_ms) {
			atomic_store(&q.stalled, true);
			return NULL;
		}
		last_tail = tail;
	}
}

struct ekka_entry *ekka_queue_reserve(uint64_t payload, bool wait)
{
	uint64_t bytes = (sizeof(struct ekka_entry) + payload + ALIGN - 1) / ALIGN * ALIGN;

	if (payload > ekka_queue_max_payload() || !ekka_lock_take(&q.lock))
		return NULL;
	struct ekka_entry *e = try_reserve(bytes);
	ekka_lock_release(&q.lock);
	return e || !wait ? e : reserve_slowly(bytes);
}

void ekka_queue_commit(struct ekka_entry *e)
{
	atomic_store_explicit(&e->ready, 1, memory_order_release);
}

void ekka_queue_kick(void)
{
	ekka_signal_raise(&q.news);
}

static struct ekka_entry *try_peek(void)
{
	for (;;) {
		uint64_t tail = atomic_load_explicit(&q.tail, memory_order_relaxed);
		if (tail == atomic_load_explicit(&q.head, memory_order_acquire))
			return NULL;
		struct ekka_entry *e = entry_at(tail);
		if (!atomic_load_explicit(&e->ready, memory_order_acquire))
			return NULL;
		if (e->kind != EKKA_ENTRY_VOID)
			return e;
		ekka_queue_pop(e);
	}
}

struct ekka_entry *ekka_queue_peek(unsigned ms)
{
	uint32_t seq = atomic_load(&q.news.seq);
	struct ekka_entry *e = try_peek();

	if (e || ms == 0)
		return e;
	ekka_signal_wait(&q.news, seq, ms);
	return try_peek();
}

void ekka_queue_pop(struct ekka_entry *e)
{
	atomic_fetch_add_explicit(&q.tail, e->bytes, memory_order_release);
	atomic_store_explicit(&q.stalled, false, memory_order_relaxed);
	ekka_signal_raise(&q.room);
}

struct ekka_entry *ekka_queue_ahead(uint64_t *position)
{
	uint64_t next = *position + entry_at(*position)->bytes;
	struct ekka_entry *e;

	if (next == atomic_load_explicit(&q.head, memory_order_acquire))
		return NULL;
	e = entry_at(next);
	if (!atomic_load_explicit(&e->ready, memory_order_acquire))
		return NULL;
	*position = next;
	return e;
}

uint64_t ekka_queue_position(void)
{
	return atomic_load(&q.head);
}

uint64_t ekka_queue_taken(void)
{
	return atomic_load(&q.tail);
}

void ekka_queue_written(uint64_t position)
{
	atomic_store(&q.written, position);
	atomic_store(&q.stalled, false);
	ekka_signal_raise(&q.flushed);
}

bool ekka_queue_wait_written(uint64_t position)
{
	uint64_t last = 0;
	unsigned idle_ms = 0;

	ekka_queue_kick();
	for (;;) {
		uint32_t seq = atomic_load(&q.flushed.seq);
		uint64_t progress = atomic_load(&q.written) + atomic_load(&q.tail);
		if (atomic_load(&q.written) >= position)
			return true;
		idle_ms = progress != last ? 0 : idle_ms;
		if (idle_ms >= patience_ms || atomic_load(&q.stalled)) {
			atomic_store(&q.stalled, true);
			return false;
		}
		last = progress;
		if (!ekka_signal_wait(&q.flushed, seq, ROUND_MS))
			idle_ms += ROUND_MS;
	}
}
