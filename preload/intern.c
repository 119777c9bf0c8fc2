/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/intern.h"

#include "preload/conf.h"
#include "preload/count.h"
#include "preload/cuda.h"
#include "preload/image.h"
#include "preload/queue.h"
#include "preload/resolve.h"
#include "preload/segment.h"
#include "preload/snapshot.h"
#include "preload/stack.h"

#include <link.h>
#include <string.h>

enum { FN_SLOTS = 4096, STACK_SLOTS = 1 << 16, MAX_DEVICES = 64, MAPS_BYTES = 48 << 10, SMALL_BYTES = 8 << 10 };
static const unsigned KERNEL = UINT32_MAX;	/* stands for a function's index where `real` is a struct ekka_kernel */

struct known { _Atomic uint64_t hash, id; };
static struct {
	struct ekka_lock lock;
	/*
	 * Open addressing. Slots are filled under the lock, the id last and only when its record is in the queue: who sees an id
	 * without the lock comes after the record. When the stacks' table is half full, further new ones are written again and again.
	 */
	struct { _Atomic(const void *) real; _Atomic unsigned fn_id; _Atomic uint32_t id; } fns[FN_SLOTS];
	uint32_t n_fns, n_images;
	struct known stacks[STACK_SLOTS];	/* by ekka_stack_hash */
	struct known keys[STACK_SLOTS];		/* by ekka_stack_key; a stack may have several */
	uint64_t n_stacks, n_keys, last_stack;
	_Atomic bool devices[MAX_DEVICES];
} tab;

bool ekka_push_record(size_t max, size_t (*encode)(struct ekka_buf *, const void *), const void *rec)
{
	struct ekka_entry *e = ekka_queue_reserve(max, ekka_conf.when_full == EKKA_BLOCK);
	struct ekka_buf buf = { 0 };

	if (!e)
		return false;
	buf.data = e->payload;
	buf.cap = max;
	e->kind = encode(&buf, rec) ? EKKA_ENTRY_FRAME : EKKA_ENTRY_VOID;
	e->used = buf.len;
	e->generation = ekka_segment_generation();
	bool ok = e->kind == EKKA_ENTRY_FRAME;
	ekka_queue_commit(e);
	return ok;
}

static size_t encode_fn(struct ekka_buf *b, const void *r) { return ekka_encode_fn(b, r); }
static size_t encode_stack(struct ekka_buf *b, const void *r) { return ekka_encode_stack(b, r); }
static size_t encode_maps(struct ekka_buf *b, const void *r) { return ekka_encode_maps(b, r); }
static size_t encode_device(struct ekka_buf *b, const void *r) { return ekka_encode_device(b, r); }

/* The build-id note of the object that contains p, found through its program headers in memory. */
static const uint8_t *build_id(const void *p, unsigned *ret_len)
{
	const char *base = ekka_object_base(p);
	const ElfW(Ehdr) *ehdr = (const void *)base;

	*ret_len = 0;
	if (!base || memcmp(ehdr->e_ident, ELFMAG, SELFMAG) != 0)
		return NULL;
	const ElfW(Phdr) *ph = (const void *)(base + ehdr->e_phoff);
	for (unsigned i = 0; i < ehdr->e_phnum; i++) {
		if (ph[i].p_type != PT_NOTE || ph[i].p_offset != ph[i].p_vaddr)
			continue;	/* not in the first mapping: then its place needs the load bias */
		const char *at = base + ph[i].p_offset, *end = at + ph[i].p_filesz;
		while ((size_t)(end - at) >= sizeof(ElfW(Nhdr))) {
			const ElfW(Nhdr) *note = (const void *)at;
			const char *name = at + sizeof(*note);
			const char *desc = name + ((note->n_namesz + 3) & ~3u);
			if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
				*ret_len = note->n_descsz;
				return (const uint8_t *)desc;
			}
			at = desc + ((note->n_descsz + 3) & ~3u);
		}
	}
	return NULL;
}

/* Number of the image's record; 0: it has none. */
static uint32_t push_image(struct ekka_image *m)
{
	struct ekka_entry *e;

	if (!m || m->generation == ekka_segment_generation())
		return m ? m->id : 0;
	e = ekka_queue_reserve(0, ekka_conf.when_full == EKKA_BLOCK);
	if (!e) {
		ekka_count_drop("module image", 1);
		return 0;
	}
	atomic_fetch_add(&m->users, 1);
	m->id = ++tab.n_images;
	m->generation = ekka_segment_generation();
	e->kind = EKKA_ENTRY_IMAGE;
	e->generation = m->generation;
	e->data.image = m;
	e->data.serial = m->id;
	ekka_queue_commit(e);
	return m->id;
}

static bool push_kernel(uint32_t id, const struct ekka_kernel *k)
{
	const struct ekka_rec_fn rec = {
		.id = id, .name = k->name, .library = k->library ? k->library : "kernel", .op = "", .via = k->via, .args = k->args,
		.n_args = k->n_args, .module = push_image(k->image),
	};

	return ekka_push_record(SMALL_BYTES, encode_fn, &rec);
}

static bool push_fn(uint32_t id, unsigned fn_id, const void *real)
{
	if (fn_id == KERNEL)
		return push_kernel(id, real);
	const struct ekka_fn *fn = &ekka_fns[fn_id];
	const char *path = ekka_object_path(real);
	struct ekka_rec_fn rec = {
		.id = id, .name = fn->name, .library = fn->library, .op = fn->op, .object = !path ? "?" : path[0] ? path : ekka_segment_exe(),
		.args = fn->args, .n_args = fn->n_args,
	};

	rec.build_id = build_id(real, &rec.build_id_len);
	return ekka_push_record(SMALL_BYTES, encode_fn, &rec);
}

/* The slot with this function, or the free one where it belongs. One slot stays free, so that the search ends. */
static unsigned fn_slot(unsigned fn_id, const void *real, uint32_t *ret_id)
{
	uint64_t h = ((uint64_t)(uintptr_t)real ^ (uint64_t)fn_id << 40) * 0x9e3779b97f4a7c15u >> 52;

	for (;; h++) {
		h %= FN_SLOTS;
		*ret_id = atomic_load_explicit(&tab.fns[h].id, memory_order_acquire);
		if (*ret_id == 0 || (atomic_load_explicit(&tab.fns[h].real, memory_order_relaxed) == real &&
				     atomic_load_explicit(&tab.fns[h].fn_id, memory_order_relaxed) == fn_id))
			return (unsigned)h;
	}
}

uint32_t ekka_intern_fn(unsigned fn_id, const void *real)
{
	uint32_t id;

	fn_slot(fn_id, real, &id);
	if (id || !ekka_lock_take(&tab.lock))
		return id;
	unsigned i = fn_slot(fn_id, real, &id);
	if (id == 0 && tab.n_fns + 1 < FN_SLOTS && push_fn(tab.n_fns + 1, fn_id, real)) {
		id = ++tab.n_fns;
		atomic_store_explicit(&tab.fns[i].real, real, memory_order_relaxed);
		atomic_store_explicit(&tab.fns[i].fn_id, fn_id, memory_order_relaxed);
		atomic_store_explicit(&tab.fns[i].id, id, memory_order_release);
	}
	ekka_lock_release(&tab.lock);
	return id;
}

uint32_t ekka_intern_kernel(const struct ekka_kernel *kernel)
{
	return ekka_intern_fn(KERNEL, kernel);
}

static void emit_maps(const struct ekka_rec_maps *rec, void *arg)
{
	(void)arg;
	if (!ekka_push_record(MAPS_BYTES, encode_maps, rec))
		ekka_count_drop("maps", 1);
}

static uint64_t push_stack(const struct ekka_stack *st)
{
	struct ekka_rec_stack rec = {
		.id = tab.last_stack + 1, .pc = st->pc, .n_pc = st->n_pc, .py = st->py, .n_py = st->n_py,
	};
	size_t max = SMALL_BYTES + st->text_len;

	if (!ekka_push_record(max, encode_stack, &rec))
		return 0;
	return ++tab.last_stack;
}

static struct known *find(struct known *table, uint64_t hash, uint64_t *ret_id)
{
	for (uint64_t i = hash >> 8;; i++) {
		i %= STACK_SLOTS;
		*ret_id = atomic_load_explicit(&table[i].id, memory_order_acquire);
		if (*ret_id == 0 || atomic_load_explicit(&table[i].hash, memory_order_relaxed) == hash)
			return &table[i];
	}
}

/* With the lock held. Half of the table stays free, so that a search ends soon. */
static void keep(struct known *at, uint64_t hash, uint64_t id, uint64_t *n)
{
	if (id == 0 || *n >= STACK_SLOTS / 2)
		return;
	atomic_store_explicit(&at->hash, hash, memory_order_relaxed);
	atomic_store_explicit(&at->id, id, memory_order_release);
	++*n;
}

static uint64_t add_stack(const struct ekka_stack *st, uint64_t hash, uint64_t key)
{
	struct known *at;
	uint64_t id, same;

	if (!ekka_lock_take(&tab.lock))
		return 0;
	at = find(tab.stacks, hash, &id);
	if (id == 0) {
		ekka_maps_update(emit_maps, NULL);
		id = push_stack(st);
		keep(at, hash, id, &tab.n_stacks);
	}
	at = key ? find(tab.keys, key, &same) : NULL;
	if (at && same == 0)
		keep(at, key, id, &tab.n_keys);
	ekka_lock_release(&tab.lock);
	return id;
}

uint64_t ekka_intern_stack(const void *caller, bool (*above)(const void *pc))
{
	unsigned depth = (unsigned)ekka_conf.stack;
	struct ekka_stack st;
	uint64_t key, hash, id = 0;

	if (depth == 0)
		return 0;
	ekka_stack_native(&st, caller, above, depth);
	key = ekka_stack_key(&st, depth);
	if (key)
		(void)find(tab.keys, key, &id);
	if (id)
		return id;
	ekka_stack_python(&st, depth);
	hash = ekka_stack_hash(&st);
	(void)find(tab.stacks, hash, &id);
	return id && !key ? id : add_stack(&st, hash, key);
}

void ekka_intern_device(int32_t ordinal)
{
	struct ekka_rec_device rec;

	if (ordinal < 0 || ordinal >= MAX_DEVICES || atomic_load(&tab.devices[ordinal]))
		return;
	if (!ekka_lock_take(&tab.lock))
		return;
	if (!atomic_load(&tab.devices[ordinal]) && ekka_cuda_device(ordinal, &rec) &&
	    ekka_push_record(SMALL_BYTES, encode_device, &rec))
		atomic_store(&tab.devices[ordinal], true);
	ekka_lock_release(&tab.lock);
}

void ekka_intern_forget(void)
{
	memset(&tab, 0, sizeof(tab));
	ekka_maps_reset();
}

void ekka_intern_clear(void)
{
	if (!ekka_lock_take(&tab.lock))
		return;
	if (tab.n_fns == 0 && tab.last_stack == 0)
		goto unlock;
	memset(tab.fns, 0, sizeof(tab.fns));
	memset(tab.stacks, 0, sizeof(tab.stacks));
	memset(tab.keys, 0, sizeof(tab.keys));
	memset(tab.devices, 0, sizeof(tab.devices));
	tab.n_fns = tab.n_images = 0;
	tab.n_stacks = tab.n_keys = tab.last_stack = 0;
	ekka_maps_reset();
unlock:
	ekka_lock_release(&tab.lock);
}
