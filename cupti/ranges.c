/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/ranges.h"

#include <sys/mman.h>

enum { TRIES = 100, TAG_BITS = 8 };

/* Atomic, since readers look while a writer moves them; what they saw then counts for nothing. */
struct ekka_range_slot { _Atomic uint64_t start, size; /* bytes << TAG_BITS | tag */ };

static struct ekka_range load(struct ekka_range_slot *s)
{
	uint64_t size = atomic_load_explicit(&s->size, memory_order_relaxed);

	return (struct ekka_range){ atomic_load_explicit(&s->start, memory_order_relaxed), size >> TAG_BITS, (uint8_t)size };
}

static void store(struct ekka_range_slot *s, struct ekka_range r)
{
	atomic_store_explicit(&s->start, r.start, memory_order_relaxed);
	atomic_store_explicit(&s->size, r.bytes << TAG_BITS | r.tag, memory_order_relaxed);
}

/* Index of the first range that ends behind addr. */
static uint32_t first_behind(struct ekka_range_slot *slots, uint32_t n, uint64_t addr)
{
	uint32_t low = 0, high = n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		struct ekka_range r = load(&slots[mid]);

		if (r.start + r.bytes > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

enum ekka_ranges_answer ekka_ranges_find(const struct ekka_ranges *t, uint64_t addr, struct ekka_range *ret)
{
	struct ekka_range_slot *slots;
	struct ekka_range r = { 0 };

	for (unsigned i = 0; i < TRIES; i++) {
		uint32_t seq = atomic_load_explicit(&t->seq, memory_order_acquire);
		if (seq % 2 != 0)
			continue;
		slots = atomic_load_explicit(&t->slots, memory_order_relaxed);
		uint32_t n = atomic_load_explicit(&t->n, memory_order_relaxed);
		uint32_t at = slots ? first_behind(slots, n, addr) : n;
		bool found = at < n;
		if (found)
			r = load(&slots[at]);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&t->seq, memory_order_relaxed) != seq)
			continue;
		if (!found || addr < r.start)
			return EKKA_RANGES_NONE;
		*ret = r;
		return EKKA_RANGES_FOUND;
	}
	return EKKA_RANGES_BUSY;
}

/* ---- writers ---------------------------------------------------------- */

static struct ekka_range_slot *slots_of(struct ekka_ranges *t)
{
	struct ekka_range_slot *slots = atomic_load_explicit(&t->slots, memory_order_relaxed);

	if (slots)
		return slots;
	slots = mmap(NULL, EKKA_RANGES_MAX * sizeof(*slots), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (slots == MAP_FAILED)
		return NULL;
	atomic_store_explicit(&t->slots, slots, memory_order_release);
	return slots;
}

static void begin(struct ekka_ranges *t)
{
	atomic_store_explicit(&t->seq, atomic_load_explicit(&t->seq, memory_order_relaxed) + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static void end(struct ekka_ranges *t)
{
	atomic_store_explicit(&t->seq, atomic_load_explicit(&t->seq, memory_order_relaxed) + 1, memory_order_release);
}

static void move(struct ekka_range_slot *slots, uint32_t to, uint32_t from, uint32_t n)
{
	for (uint32_t i = 0; to < from && i < n; i++)
		store(&slots[to + i], load(&slots[from + i]));
	for (uint32_t i = n; to > from && i > 0; i--)
		store(&slots[to + i - 1], load(&slots[from + i - 1]));
}

/* Puts n_new ranges in the place of those from `at` to `to`. */
static bool splice(struct ekka_ranges *t, uint32_t at, uint32_t to, const struct ekka_range *new, uint32_t n_new)
{
	struct ekka_range_slot *slots = slots_of(t);
	uint32_t n = atomic_load_explicit(&t->n, memory_order_relaxed);

	if (!slots || n - (to - at) + n_new > EKKA_RANGES_MAX)
		return false;
	begin(t);
	move(slots, at + n_new, to, n - to);
	for (uint32_t i = 0; i < n_new; i++)
		store(&slots[at + i], new[i]);
	atomic_store_explicit(&t->n, n - (to - at) + n_new, memory_order_relaxed);
	end(t);
	return true;
}

/* Index of the first range that starts at `end` or behind it. */
static uint32_t first_from(struct ekka_range_slot *slots, uint32_t n, uint32_t at, uint64_t end)
{
	while (at < n && load(&slots[at]).start < end)
		at++;
	return at;
}

bool ekka_ranges_join(struct ekka_ranges *t, struct ekka_range r, uint64_t low, uint64_t high)
{
	struct ekka_range_slot *slots = slots_of(t);
	uint32_t n = atomic_load_explicit(&t->n, memory_order_relaxed), at, to;
	uint64_t end;

	if (!slots || r.bytes == 0 || __builtin_add_overflow(r.start, r.bytes, &end) || r.bytes >> (64 - TAG_BITS) != 0)
		return false;
	at = first_behind(slots, n, r.start);
	to = first_from(slots, n, at, end);
	if (at > 0) {
		struct ekka_range left = load(&slots[at - 1]);
		if (left.start + left.bytes == r.start && left.tag == r.tag && left.start >= low) {
			r.start = left.start;
			at--;
		}
	}
	if (to < n) {
		struct ekka_range right = load(&slots[to]);
		if (right.start == end && right.tag == r.tag && right.start + right.bytes <= high) {
			end += right.bytes;
			to++;
		}
	}
	r.bytes = end - r.start;
	return splice(t, at, to, &r, 1);
}

bool ekka_ranges_add(struct ekka_ranges *t, struct ekka_range r)
{
	return ekka_ranges_join(t, r, UINT64_MAX, 0);
}

void ekka_ranges_drop(struct ekka_ranges *t, uint64_t start)
{
	struct ekka_range_slot *slots = atomic_load_explicit(&t->slots, memory_order_relaxed);
	uint32_t n = atomic_load_explicit(&t->n, memory_order_relaxed), at = slots ? first_behind(slots, n, start) : n;

	if (at < n && load(&slots[at]).start == start)
		(void)splice(t, at, at + 1, NULL, 0);
}

void ekka_ranges_cut(struct ekka_ranges *t, uint64_t start, uint64_t bytes)
{
	struct ekka_range_slot *slots = atomic_load_explicit(&t->slots, memory_order_relaxed);
	uint32_t n = atomic_load_explicit(&t->n, memory_order_relaxed), at = slots ? first_behind(slots, n, start) : n, to, left = 0;
	struct ekka_range first, last, rest[2];
	uint64_t end;

	if (__builtin_add_overflow(start, bytes, &end))
		end = UINT64_MAX;
	to = slots ? first_from(slots, n, at, end) : n;
	if (at == to)
		return;
	first = load(&slots[at]);
	last = load(&slots[to - 1]);
	if (first.start < start)
		rest[left++] = (struct ekka_range){ first.start, start - first.start, first.tag };
	if (last.start + last.bytes > end)
		rest[left++] = (struct ekka_range){ end, last.start + last.bytes - end, last.tag };
	if (!splice(t, at, to, rest, left))
		(void)splice(t, at, to, NULL, 0);	/* no room for two ends: rather none than a wrong one */
}

void ekka_ranges_drop_tagged(struct ekka_ranges *t, uint8_t bits)
{
	struct ekka_range_slot *slots = atomic_load_explicit(&t->slots, memory_order_relaxed);
	uint32_t n = atomic_load_explicit(&t->n, memory_order_relaxed), kept = 0;

	if (!slots)
		return;
	begin(t);
	for (uint32_t i = 0; i < n; i++) {
		struct ekka_range r = load(&slots[i]);
		if (bits != 0 && (r.tag & bits) == 0)
			store(&slots[kept++], r);
	}
	atomic_store_explicit(&t->n, kept, memory_order_relaxed);
	end(t);
}

void ekka_ranges_forget(struct ekka_ranges *t)
{
	atomic_store(&t->n, 0);
	atomic_store(&t->seq, 0);
}
