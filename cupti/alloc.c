/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/alloc.h"

#include "cupti/ranges.h"

#include "preload/count.h"
#include "preload/cuda_driver.h"
#include "preload/guard.h"
#include "preload/lock.h"

#include <stdatomic.h>

enum { LEARNED = 8 /* beside a kind, in a range's tag */, GRAIN_BITS = 8 /* no allocation begins within */, NOTHING = 1024 };

/* `lock` guards the writing of all below but the counters. */
static struct ekka_lock lock;
static struct ekka_ranges live, reserved;

/*
 * What the driver says of an address may be old when it arrives: another thread frees it meanwhile. It is kept only when no free was in
 * progress when it was asked and none has begun since.
 */
static _Atomic uint64_t frees_begun, frees_ended;

/* Places where the driver knows nothing, each with the number of changes it was asked after: any change may put something there. */
static _Atomic uint64_t changes = 1, nothing[NOTHING];

static bool take(void)
{
	bool ok = ekka_lock_take(&lock);

	if (!ok)
		ekka_count_drop("allocation map", 1);
	return ok;
}

/* ---- looking up ------------------------------------------------------- */

static bool find(const struct ekka_ranges *table, uint64_t addr, struct ekka_range *ret)
{
	enum ekka_ranges_answer found = ekka_ranges_find(table, addr, ret);

	if (found == EKKA_RANGES_BUSY && take()) {
		found = ekka_ranges_find(table, addr, ret);
		ekka_lock_release(&lock);
	}
	return found == EKKA_RANGES_FOUND;
}

static uint64_t mark_of(uint64_t addr)
{
	return addr >> GRAIN_BITS << GRAIN_BITS ^ atomic_load_explicit(&changes, memory_order_acquire) * 0x9e3779b97f4a7c15u;
}

static _Atomic uint64_t *nothing_slot(uint64_t addr)
{
	return &nothing[(addr >> GRAIN_BITS) * 0x9e3779b97f4a7c15u >> 54];
}

struct answer { uint64_t start, bytes; enum ekka_alloc_kind kind; };

static struct answer ask_driver(const struct ekka_cuda_driver *drv, uint64_t addr)
{
	struct answer a = { 0 };
	CUmemorytype type = 0;
	CUdeviceptr start = 0;
	size_t bytes = 0;
	int mapped = 1;

	if (drv->p_cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, addr) != CUDA_SUCCESS ||
	    drv->p_cuPointerGetAttribute(&start, CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, addr) != CUDA_SUCCESS ||
	    drv->p_cuPointerGetAttribute(&bytes, CU_POINTER_ATTRIBUTE_RANGE_SIZE, addr) != CUDA_SUCCESS)
		return a;
	/* Memory of a graph that is not running has an address and nothing behind it. Older drivers do not tell. */
	if (drv->p_cuPointerGetAttribute(&mapped, CU_POINTER_ATTRIBUTE_MAPPED, addr) == CUDA_SUCCESS && !mapped)
		return a;
	if (addr < start || addr - start >= bytes)
		return a;
	return (struct answer){ start, bytes, type == CU_MEMORYTYPE_HOST ? EKKA_ALLOC_HOST : EKKA_ALLOC_DEVICE };
}

static void keep(const struct answer *a, uint64_t begun)
{
	struct ekka_range other;

	if (!take())
		return;
	if (atomic_load(&frees_begun) == begun && ekka_ranges_find(&live, a->start, &other) == EKKA_RANGES_NONE &&
	    ekka_ranges_find(&live, a->start + a->bytes - 1, &other) == EKKA_RANGES_NONE &&
	    !ekka_ranges_add(&live, (struct ekka_range){ a->start, a->bytes, (uint8_t)(a->kind | LEARNED) }))
		ekka_count_drop("allocation map", 1);
	ekka_lock_release(&lock);
}

static struct answer learn(uint64_t addr)
{
	const struct ekka_cuda_driver *drv = ekka_cuda_driver();
	_Atomic uint64_t *slot = nothing_slot(addr);
	uint64_t mark = mark_of(addr), ended = atomic_load(&frees_ended), begun = atomic_load(&frees_begun);
	bool inside = ekka_self.inside;
	struct ekka_range r;
	struct answer a;

	if (!drv || atomic_load_explicit(slot, memory_order_relaxed) == mark)
		return (struct answer){ 0 };
	if (find(&reserved, addr, &r))
		return (struct answer){ 0 };	/* what is mapped there is known */
	ekka_self.inside = true;
	a = ask_driver(drv, addr);
	ekka_self.inside = inside;
	if (a.kind == EKKA_ALLOC_NONE)
		atomic_store_explicit(slot, mark, memory_order_relaxed);
	else if (begun == ended)
		keep(&a, begun);
	return a;
}

static struct answer look_up(uint64_t addr, bool ask)
{
	struct ekka_range r;

	if (find(&live, addr, &r))
		return (struct answer){ r.start, r.bytes, (enum ekka_alloc_kind)(r.tag & ~LEARNED) };
	return ask && addr >> GRAIN_BITS != 0 ? learn(addr) : (struct answer){ 0 };
}

enum ekka_alloc_kind ekka_alloc_find(uint64_t addr, uint64_t *ret_start, uint64_t *ret_bytes)
{
	struct answer a = look_up(addr, true);

	if (a.kind != EKKA_ALLOC_NONE) {
		*ret_start = a.start;
		*ret_bytes = a.bytes;
	}
	return a.kind;
}

static bool device_range(uint64_t addr, bool ask, uint64_t *ret_start, uint64_t *ret_bytes)
{
	struct answer a = look_up(addr, ask);

	if (a.kind == EKKA_ALLOC_NONE || a.kind == EKKA_ALLOC_HOST)
		return false;
	*ret_start = a.start;
	*ret_bytes = a.bytes;
	return true;
}

bool ekka_alloc_range(uint64_t addr, uint64_t *ret_start, uint64_t *ret_bytes)
{
	return device_range(addr, true, ret_start, ret_bytes);
}

bool ekka_alloc_known(uint64_t addr, uint64_t *ret_start, uint64_t *ret_bytes)
{
	return device_range(addr, false, ret_start, ret_bytes);
}

/* Each counter only grows. */
uint64_t ekka_alloc_epoch(void)
{
	return atomic_load_explicit(&changes, memory_order_acquire) + atomic_load_explicit(&frees_begun, memory_order_acquire);
}

/* ---- changes ---------------------------------------------------------- */

static void changed(void)
{
	atomic_fetch_add_explicit(&changes, 1, memory_order_release);
}

void ekka_alloc_add(uint64_t start, uint64_t bytes, enum ekka_alloc_kind kind)
{
	changed();
	if (start == 0 || bytes == 0 || !take())
		return;
	if (!ekka_ranges_add(&live, (struct ekka_range){ start, bytes, (uint8_t)kind }))
		ekka_count_drop("allocation map", 1);
	ekka_lock_release(&lock);
}

void ekka_alloc_free_begin(uint64_t start)
{
	atomic_fetch_add(&frees_begun, 1);	/* first: whoever keeps an answer after this sees it */
	if (start == 0 || !take())
		return;
	ekka_ranges_drop(&live, start);
	ekka_lock_release(&lock);
}

void ekka_alloc_free_end(void)
{
	atomic_fetch_add(&frees_ended, 1);
}

void ekka_alloc_reserve(uint64_t start, uint64_t bytes)
{
	if (!take())
		return;
	(void)ekka_ranges_add(&reserved, (struct ekka_range){ start, bytes, 0 });	/* without room: a mapping stands for itself */
	ekka_lock_release(&lock);
}

void ekka_alloc_unreserve(uint64_t start)
{
	if (!take())
		return;
	ekka_ranges_drop(&reserved, start);
	ekka_lock_release(&lock);
}

void ekka_alloc_map(uint64_t start, uint64_t bytes)
{
	struct ekka_range within = { start, bytes, 0 };

	changed();
	if (!take())
		return;
	(void)ekka_ranges_find(&reserved, start, &within);
	if (!ekka_ranges_join(&live, (struct ekka_range){ start, bytes, EKKA_ALLOC_MAPPED }, within.start, within.start + within.bytes))
		ekka_count_drop("allocation map", 1);
	ekka_lock_release(&lock);
}

void ekka_alloc_unmap_begin(uint64_t start, uint64_t bytes)
{
	atomic_fetch_add(&frees_begun, 1);
	if (!take())
		return;
	ekka_ranges_cut(&live, start, bytes);
	ekka_lock_release(&lock);
}

void ekka_alloc_forget_learned(void)
{
	atomic_fetch_add(&frees_begun, 1);
	changed();
	if (take()) {
		ekka_ranges_drop_tagged(&live, LEARNED);
		ekka_lock_release(&lock);
	}
	atomic_fetch_add(&frees_ended, 1);
}

void ekka_alloc_forget(void)
{
	atomic_fetch_add(&frees_begun, 1);
	changed();
	if (take()) {
		ekka_ranges_drop_tagged(&live, 0);
		ekka_lock_release(&lock);
	}
	atomic_fetch_add(&frees_ended, 1);
}

void ekka_alloc_fork_child(void)
{
	lock = (struct ekka_lock){ 0 };
	ekka_ranges_forget(&live);
	ekka_ranges_forget(&reserved);
	atomic_store(&frees_begun, 0);
	atomic_store(&frees_ended, 0);
	changed();
}
