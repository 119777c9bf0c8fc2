/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/resolve.h"

#include "preload/guard.h"
#include "preload/init.h"
#include "preload/say.h"
#include "spec/gen/ids.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct ekka_libc ekka_libc;

/* By pointer: a direct reference would make the dynamic linker itself one of our DT_NEEDED. */
static int (*find_object)(void *, struct dl_find_object *);

/* dlsym is ours; the C library's is found by its version, which our own, unversioned one cannot answer for. */
static void *libc_symbol(const char *name)
{
	static const char *const versions[] = { "GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_2.17" };
	void *p = NULL;

	for (unsigned i = 0; !p && i < sizeof(versions) / sizeof(versions[0]); i++)
		p = dlvsym(RTLD_NEXT, name, versions[i]);
	return p;
}

void ekka_resolve_init(void)
{
	struct ekka_libc found;

	if (ekka_libc.exit_now)
		return;
	*(void **)&found.dlsym = libc_symbol("dlsym");
	if (!found.dlsym)
		return;
	*(void **)&found.dlclose = found.dlsym(RTLD_NEXT, "dlclose");
	*(void **)&found.execve = found.dlsym(RTLD_NEXT, "execve");
	*(void **)&found.execvpe = found.dlsym(RTLD_NEXT, "execvpe");
	*(void **)&found.fexecve = found.dlsym(RTLD_NEXT, "fexecve");
	*(void **)&found.execveat = found.dlsym(RTLD_NEXT, "execveat");
	*(void **)&found.exit_now = found.dlsym(RTLD_NEXT, "_exit");
	*(void **)&find_object = found.dlsym(RTLD_DEFAULT, "_dl_find_object");
	ekka_libc = found;
}

const char *ekka_object_path(const void *p)
{
	struct dl_find_object o;

	if (!find_object || find_object((void *)(uintptr_t)p, &o) != 0)
		return NULL;
	return o.dlfo_link_map->l_name;
}

const void *ekka_object_base(const void *p)
{
	struct dl_find_object o;

	if (!find_object || find_object((void *)(uintptr_t)p, &o) != 0)
		return NULL;
	return o.dlfo_map_start;
}

bool ekka_same_object(const void *p, const void *q)
{
	const void *base = ekka_object_base(p);

	return base && base == ekka_object_base(q);
}

/* The definition of `name` that a handle to `path` finds, unless it is ours; path "" is the program. */
static void *lookup_in(const char *path, const char *name)
{
	void *handle = dlopen(path[0] ? path : NULL, RTLD_LAZY | RTLD_NOLOAD);
	void *p = NULL;

	if (handle) {
		p = ekka_libc.dlsym(handle, name);
		ekka_libc.dlclose(handle);
	}
	return p && !ekka_is_ours(p) ? p : NULL;
}

static void *lookup_sonames(const struct ekka_fn *fn)
{
	for (unsigned i = 0; i < ekka_n_libraries; i++) {
		if (strcmp(ekka_libraries[i].name, fn->library) != 0)
			continue;
		for (const char *const *so = ekka_libraries[i].sonames; *so; so++) {
			void *p = lookup_in(*so, fn->name);
			if (p)
				return p;
		}
	}
	return NULL;
}

struct paths { size_t len; char text[128 << 10]; };	/* NUL-terminated, one after another */

static int collect_path(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct paths *p = arg;
	size_t n = info->dlpi_name ? strlen(info->dlpi_name) + 1 : 0;

	(void)size;
	if (n > 1 && n <= sizeof(p->text) - p->len) {
		memcpy(p->text + p->len, info->dlpi_name, n);
		p->len += n;
	}
	return 0;
}

/* In any loaded library. Paths are collected first: dlopen must not be called under the lock of dl_iterate_phdr. */
static void *lookup_anywhere(const char *name)
{
	struct paths *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *found = NULL;

	if (p == MAP_FAILED)
		return NULL;
	dl_iterate_phdr(collect_path, p);
	for (size_t at = 0; at < p->len && !found; at += strlen(p->text + at) + 1)
		found = lookup_in(p->text + at, name);
	munmap(p, sizeof(*p));
	return found;
}

void ekka_pin(const void *p)
{
	const char *path = ekka_object_path(p);

	if (path && path[0])
		(void)dlopen(path, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

/* fn NULL: a name that is in no spec. */
static void *resolve(const char *name, const struct ekka_fn *fn, const void *caller)
{
	void *real = ekka_libc.dlsym(RTLD_NEXT, name);

	if (!real || ekka_is_ours(real)) {
		const char *path = ekka_object_path(caller);
		real = path ? lookup_in(path, name) : NULL;
	}
	if (!real && fn)
		real = lookup_sonames(fn);
	if (!real)
		real = lookup_anywhere(name);
	if (real)
		ekka_pin(real);
	return real;
}

void *ekka_resolve(unsigned fn_id, const void *caller)
{
	return resolve(ekka_fns[fn_id].name, &ekka_fns[fn_id], caller);
}

void *ekka_resolve_name(const char *name, const void *caller)
{
	return resolve(name, NULL, caller);
}

/*
 * What was answered before, by calling instruction. A reader takes an entry only if its sequence number was even and
 * the same before and after (seqlock); a writer that finds an entry busy does not cache.
 */
enum { CACHE_SLOTS = 1024 };
static struct {
	_Atomic uint32_t seq;
	_Atomic uint32_t epoch;
	_Atomic(const void *) caller;
	_Atomic uint32_t fn_id;
	_Atomic(void *) real;
} cache[CACHE_SLOTS];
static _Atomic uint32_t cache_epoch = 1;

static unsigned cache_index(unsigned fn_id, const void *caller)
{
	uint64_t h = ((uint64_t)(uintptr_t)caller ^ (uint64_t)fn_id << 48) * 0x9e3779b97f4a7c15u;

	return (unsigned)(h >> 54) % CACHE_SLOTS;
}

static void *cache_get(unsigned fn_id, const void *caller)
{
	unsigned i = cache_index(fn_id, caller);
	uint32_t seq = atomic_load_explicit(&cache[i].seq, memory_order_acquire);
	bool hit = atomic_load_explicit(&cache[i].caller, memory_order_relaxed) == caller &&
		   atomic_load_explicit(&cache[i].fn_id, memory_order_relaxed) == fn_id &&
		   atomic_load_explicit(&cache[i].epoch, memory_order_relaxed) ==
			   atomic_load_explicit(&cache_epoch, memory_order_relaxed);
	void *real = atomic_load_explicit(&cache[i].real, memory_order_relaxed);

	atomic_thread_fence(memory_order_acquire);
	return hit && !(seq & 1) && atomic_load_explicit(&cache[i].seq, memory_order_relaxed) == seq ? real : NULL;
}

static void cache_put(unsigned fn_id, const void *caller, void *real, uint32_t epoch)
{
	unsigned i = cache_index(fn_id, caller);
	uint32_t seq = atomic_load(&cache[i].seq);

	if ((seq & 1) || !atomic_compare_exchange_strong(&cache[i].seq, &seq, seq + 1))
		return;
	atomic_store(&cache[i].caller, caller);
	atomic_store(&cache[i].fn_id, fn_id);
	atomic_store(&cache[i].real, real);
	atomic_store(&cache[i].epoch, epoch);
	atomic_store_explicit(&cache[i].seq, seq + 2, memory_order_release);
}

void ekka_resolve_flush(void)
{
	atomic_fetch_add(&cache_epoch, 1);
}

static bool has_missing(const struct ekka_fn *fn)
{
	for (unsigned i = 0; i < ekka_n_libraries; i++)
		if (strcmp(ekka_libraries[i].name, fn->library) == 0)
			return ekka_libraries[i].has_missing;
	return false;
}

/* Nothing is kept: the library may be loaded later. */
static void tell_missing(unsigned fn_id)
{
	static _Atomic bool told[EKKA_FN_COUNT];

	if (!atomic_exchange(&told[fn_id], true))
		ekka_say("symbol lookup error: %s is in no loaded library", ekka_fns[fn_id].name);
	if (!has_missing(&ekka_fns[fn_id]))
		ekka_libc.exit_now(127);
}

static __attribute__((noinline)) void *resolve_slowly(unsigned fn_id, const void *caller)
{
	int saved = errno;
	uint32_t epoch = atomic_load(&cache_epoch);

	ekka_resolve_init();
	void *real = ekka_resolve(fn_id, caller);
	if (real)
		cache_put(fn_id, caller, real, epoch);
	else
		tell_missing(fn_id);
	errno = saved;
	return real;
}

void *ekka_real(unsigned fn_id, const void *caller)
{
	const struct ekka_slot *slot = ekka_pending;
	void *real;

	if (slot) {
		ekka_pending = NULL;
		if (slot->fn_id == fn_id)
			return ekka_self.real = slot->real;
	}
	real = cache_get(fn_id, caller);
	if (!real)
		real = resolve_slowly(fn_id, caller);
	return ekka_self.real = real;
}

enum { NAME_SLOTS = 8192 };
_Static_assert(EKKA_FN_COUNT <= NAME_SLOTS / 2, "NAME_SLOTS is too small");
static _Atomic uint16_t names[NAME_SLOTS];	/* index + 1 */
static _Atomic bool names_ready;

static uint32_t name_hash(const char *s)
{
	uint32_t h = 2166136261u;

	while (*s)
		h = (h ^ (uint8_t)*s++) * 16777619u;
	return h % NAME_SLOTS;
}

/* Two threads may build it at the same time: they write the same values. */
static void build_names(void)
{
	for (unsigned i = 0; i < ekka_n_fns; i++) {
		uint32_t h = name_hash(ekka_fns[i].name);
		for (;; h = (h + 1) % NAME_SLOTS) {
			uint16_t seen = 0;
			if (atomic_compare_exchange_strong(&names[h], &seen, (uint16_t)(i + 1)) || seen == i + 1)
				break;
		}
	}
	atomic_store(&names_ready, true);
}

int ekka_fn_find(const char *name)
{
	if (!atomic_load(&names_ready))
		build_names();
	for (uint32_t h = name_hash(name);; h = (h + 1) % NAME_SLOTS) {
		uint16_t i = atomic_load_explicit(&names[h], memory_order_relaxed);
		if (i == 0)
			return -1;
		if (strcmp(ekka_fns[i - 1].name, name) == 0)
			return i - 1;
	}
}
