/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/versions.h"

#include "preload/guard.h"
#include "preload/launch.h"
#include "preload/lock.h"

#include <stdatomic.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

enum {
	PAGE_BITS = 12, REGION_BITS = 21, PAGES = 1 << (REGION_BITS - PAGE_BITS),
	REGIONS = 1 << 17,		/* slots of 2 MiB each: 256 GiB, of which half are used at most */
	POOL_BYTES = 1 << 20,
	SNAPSHOTS = 1 << 15,		/* registered at a time; a later one takes an earlier one's place */
	CLOCK_MAX = 0x7fff0000,		/* a page's time above that: it is shared */
	CONTENTS = 1 << 16, MARGIN = 4096 /* serials that other threads may take between a look-up and its queue entry */
};

/* Times of the last writes into 2 MiB: as a whole, and page by page. */
struct region { _Atomic uint32_t all, page[PAGES]; };

static struct { _Atomic uint64_t number; _Atomic(struct region *) region; } regions[REGIONS];	/* number + 1; 0 free */
static struct region unknown = { .all = UINT32_MAX };	/* stands for one that is being made, or for which there was no memory */
static _Atomic uint32_t clock_now = 1, anything = 1, n_regions;
static atomic_bool enabled, disabled;

static struct ekka_lock lock;		/* guards the snapshots and the pool */
static struct { char *at; size_t left; } pool;
static struct { uint64_t addr, bytes, serial; uint32_t clock; } snapshots[SNAPSHOTS];

static _Atomic uint64_t serial_now;
static struct { uint64_t serial; struct ekka_blob_id id; const char *why; } contents[CONTENTS];	/* the sink's alone */

void ekka_versions_enable(void)
{
	ekka_versions_wrote_anything();
	if (!atomic_load(&disabled))
		atomic_store(&enabled, true);
}

void ekka_versions_disable(void)
{
	atomic_store(&disabled, true);
	atomic_store(&enabled, false);
}

static bool is_enabled(void)
{
	return atomic_load_explicit(&enabled, memory_order_relaxed);
}

uint32_t ekka_versions_now(void)
{
	return atomic_load(&clock_now);
}

static uint32_t tick(void)
{
	uint32_t now = atomic_fetch_add(&clock_now, 1) + 1;

	if (now >= CLOCK_MAX)	/* it would begin anew: every copy is made again from here on */
		atomic_store(&enabled, false);
	return now;
}

static uint32_t hash(uint64_t x)
{
	return (uint32_t)(x * 0x9e3779b97f4a7c15u >> 32);
}

/* ---- writes ----------------------------------------------------------- */

static struct region *new_region(void)
{
	struct region *r = NULL;

	if (!ekka_lock_take(&lock))
		return NULL;
	if (pool.left < sizeof(*r)) {
		void *p = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		pool.left = p == MAP_FAILED ? 0 : POOL_BYTES;
		pool.at = p;
	}
	if (pool.left >= sizeof(*r)) {
		r = (struct region *)pool.at;
		pool.at += sizeof(*r);
		pool.left -= sizeof(*r);
	}
	ekka_lock_release(&lock);
	return r;
}

/* The region with this number; NULL when it has none and none is to be made; `unknown` when it cannot be had. */
static struct region *region_of(uint64_t number, bool make)
{
	struct region *r;
	uint32_t i = hash(number) % REGIONS;
	uint64_t seen;

	for (;; i = (i + 1) % REGIONS) {
		seen = atomic_load_explicit(&regions[i].number, memory_order_acquire);
		if (seen == number + 1)
			break;
		if (seen != 0)
			continue;
		if (!make)
			return NULL;
		if (atomic_load(&n_regions) >= REGIONS / 2)
			return &unknown;
		if (atomic_compare_exchange_strong(&regions[i].number, &seen, number + 1)) {
			atomic_fetch_add(&n_regions, 1);
			atomic_store_explicit(&regions[i].region, new_region(), memory_order_release);
			break;
		}
		if (seen == number + 1)
			break;
	}
	r = atomic_load_explicit(&regions[i].region, memory_order_acquire);
	return r ? r : &unknown;
}

void ekka_versions_wrote_anything(void)
{
	atomic_store(&anything, tick());
}

/* `force`: what is shared gets that time, too. */
static void stamp(_Atomic uint32_t *at, uint32_t time, bool force)
{
	if (force || atomic_load_explicit(at, memory_order_relaxed) <= CLOCK_MAX)
		atomic_store_explicit(at, time, memory_order_release);
}

/* Gives a range its time, region by region; false: some of it has no place for one. */
static bool stamp_range(uint64_t addr, uint64_t bytes, uint32_t time, bool force)
{
	uint64_t end, next;

	if (__builtin_add_overflow(addr, bytes, &end))
		return false;
	for (; addr < end; addr = next) {
		struct region *r = region_of(addr >> REGION_BITS, true);

		next = ((addr >> REGION_BITS) + 1) << REGION_BITS;
		if (r == &unknown)
			return false;
		if (next <= end && addr >> REGION_BITS << REGION_BITS == addr) {
			stamp(&r->all, time, force);
			if (!force)
				continue;
		}
		for (uint64_t at = addr; at < end && at < next; at = ((at >> PAGE_BITS) + 1) << PAGE_BITS)
			stamp(&r->page[(at >> PAGE_BITS) % PAGES], time, force);
	}
	return true;
}

void ekka_versions_wrote(uint64_t addr, uint64_t bytes)
{
	if (bytes != 0 && is_enabled() && !stamp_range(addr, bytes, tick(), false))
		ekka_versions_wrote_anything();
}

/* Whether anything counts as known yet or not: it may, later. */
void ekka_versions_share(uint64_t addr, uint64_t bytes)
{
	if (bytes != 0 && !stamp_range(addr, bytes, UINT32_MAX, true))
		ekka_versions_disable();
}

void ekka_versions_own(uint64_t addr, uint64_t bytes)
{
	if (bytes != 0)
		(void)stamp_range(addr, bytes, tick(), true);
}

bool ekka_versions_on_host(const struct ekka_fn *fn)
{
	return strcmp(fn->library, "cblas") == 0 || strcmp(fn->library, "blas") == 0;
}

/*
 * A library call's tensors are all that it writes, and its workspace; so are those of the driver's plain memory operations, and a launch's if a
 * description says so.
 */
static bool knows_its_writes(struct ekka_call *call)
{
	const struct ekka_kernel *kernel = ekka_private(call)->kernel;

	if (call->fn)
		return call->rec.n_tensors > 0;
	if (kernel && kernel->library)
		return kernel->aside;
	for (unsigned i = 0; i < call->rec.n_attrs; i++)
		if (strcmp(call->attrs[i].name, "op") == 0)
			return true;
	return false;
}

static uint64_t number_of(const struct ekka_value *v)
{
	return v->kind == EKKA_V_INT ? (uint64_t)v->i : v->kind == EKKA_V_UINT || v->kind == EKKA_V_PTR ? v->u : 0;
}

/*
 * A library scribbles over its workspace, which an engine takes from where its tensors come from. Attributes tell it or arguments do: workspace and
 * workspace_bytes, workSpace and workSpaceSizeInBytes. Of one whose length is not known the end may be anywhere.
 */
static void wrote_workspace(struct ekka_call *call)
{
	static const char name[] = "workspace";
	uint64_t addr = 0, bytes = UINT64_MAX;

	for (unsigned i = 0; i < call->rec.n_attrs; i++)
		if (strncmp(call->attrs[i].name, name, sizeof(name) - 1) == 0)
			*(call->attrs[i].name[sizeof(name) - 1] ? &bytes : &addr) = number_of(&call->attrs[i].value);
	for (unsigned i = 0; i < call->rec.n_args && i < call->fn->n_args; i++)
		if (strncasecmp(call->fn->args[i].name, name, sizeof(name) - 1) == 0)
			*(call->fn->args[i].name[sizeof(name) - 1] ? &bytes : &addr) = number_of(&call->args[i]);
	if (addr != 0)
		ekka_versions_wrote(addr, bytes);
}

void ekka_versions_wrote_by(struct ekka_call *call)
{
	if (!is_enabled() || (call->fn && ekka_versions_on_host(call->fn)))
		return;
	if (!knows_its_writes(call)) {
		ekka_versions_wrote_anything();
		return;
	}
	if (call->fn)
		wrote_workspace(call);
	for (unsigned i = 0; i < call->rec.n_tensors; i++) {
		const struct ekka_tensor *t = &call->tensors[i];

		if (!(t->dir & EKKA_OUT) || t->place != EKKA_DEVICE)
			continue;
		if (t->n_ptrs > 0)
			ekka_versions_wrote_anything();
		else
			ekka_versions_wrote(t->addr, t->span_bytes);
	}
}

/* Was anything of [addr, addr + bytes) written after `clock`. */
static bool written_since(uint64_t addr, uint64_t bytes, uint32_t clock)
{
	uint64_t end = addr + bytes, next;

	if (atomic_load(&anything) > clock)
		return true;
	for (; addr < end; addr = next) {
		const struct region *r = region_of(addr >> REGION_BITS, false);

		next = ((addr >> REGION_BITS) + 1) << REGION_BITS;
		if (!r)
			continue;
		if (atomic_load_explicit(&r->all, memory_order_acquire) > clock)
			return true;
		for (uint64_t at = addr; at < end && at < next; at = ((at >> PAGE_BITS) + 1) << PAGE_BITS)
			if (atomic_load_explicit(&r->page[(at >> PAGE_BITS) % PAGES], memory_order_acquire) > clock)
				return true;
	}
	return false;
}

/* ---- snapshots -------------------------------------------------------- */

static uint32_t slot_of(uint64_t addr, uint64_t bytes)
{
	return hash(addr ^ bytes * 0xff51afd7ed558ccdu) % SNAPSHOTS;
}

uint64_t ekka_versions_find(uint64_t addr, uint64_t bytes)
{
	uint32_t i = slot_of(addr, bytes), clock = 0;
	uint64_t serial = 0;

	if (!is_enabled() || !ekka_lock_take(&lock))
		return 0;
	if (snapshots[i].addr == addr && snapshots[i].bytes == bytes) {
		serial = snapshots[i].serial;
		clock = snapshots[i].clock;
	}
	ekka_lock_release(&lock);
	if (serial == 0 || atomic_load(&serial_now) - serial >= CONTENTS - MARGIN || written_since(addr, bytes, clock))
		return 0;
	return serial;
}

uint64_t ekka_versions_serial(void)
{
	return atomic_fetch_add(&serial_now, 1) + 1;
}

void ekka_versions_publish(uint64_t addr, uint64_t bytes, uint32_t clock, uint64_t serial)
{
	uint32_t i = slot_of(addr, bytes);

	if (!is_enabled() || !ekka_lock_take(&lock))
		return;
	snapshots[i].addr = addr;
	snapshots[i].bytes = bytes;
	snapshots[i].clock = clock;
	snapshots[i].serial = serial;
	ekka_lock_release(&lock);
}

void ekka_versions_settle(uint64_t serial, const struct ekka_blob_id *id, const char *why)
{
	unsigned i = serial % CONTENTS;

	contents[i].serial = serial;
	contents[i].why = why;
	if (id)
		contents[i].id = *id;
}

bool ekka_versions_content(uint64_t serial, struct ekka_blob_id *ret_id, const char **ret_why)
{
	unsigned i = serial % CONTENTS;

	if (contents[i].serial != serial)
		return false;
	*ret_id = contents[i].id;
	*ret_why = contents[i].why;
	return true;
}
