/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native call stacks of the calling thread. Zone: inside the host process.
 *
 * The unwinder is libunwind's unw_backtrace: it follows frame pointers and CFI and keeps a cache of frame layouts per
 * thread, so that a known call path costs nanoseconds per frame. It is dlopened RTLD_LOCAL: in the global scope its
 * _Unwind_* functions would replace libgcc's under the engine's C++ exceptions.
 *
 * What libunwind does behind the first look at a frame it has not seen: dl_iterate_phdr (the loader's recursive lock, so a
 * call from a constructor is fine), its own locks with all signals blocked, mmap for its caches; and the first call of a
 * thread allocates its thread-local storage. None of that happens on a path seen before. A child forked while another thread
 * unwinds has no native stacks; nor has a call made by a signal handler while its thread unwinds (`busy`). In frames
 * without CFI libunwind checks memory before it reads it.
 */
#include "config.h"

#include "preload/pystack.h"
#include "preload/stack.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The shim's own frames between unw_backtrace and the wrapper's caller; more than there ever are. */
enum { OWN_FRAMES = 16 };

static int (*_Atomic backtrace_fn)(void **pcs, int size);

/* The wrapper can run inside a signal handler that interrupted an unwind. */
static __thread bool busy __attribute__((tls_model("initial-exec")));

/* Threads inside libunwind, which may hold its locks. */
static _Atomic unsigned unwinding;

/* In a forked child the other threads are gone with the locks they held: unwinding again could wait for ever. */
static void forked(void)
{
	unsigned own = busy;

	if (atomic_load(&unwinding) != own)
		atomic_store(&backtrace_fn, NULL);
	atomic_store(&unwinding, own);
}

/* "dir of our own object" + suffix; false when that does not fit. */
static bool beside_us(char *path, size_t size, const char *suffix)
{
	Dl_info info;
	const char *slash;
	size_t dir_len, suffix_len = strlen(suffix);

	if (!dladdr((void *)beside_us, &info) || !info.dli_fname)
		return false;
	slash = strrchr(info.dli_fname, '/');
	dir_len = slash ? (size_t)(slash - info.dli_fname) : 0;
	if (!slash || dir_len + suffix_len + 1 > size)
		return false;
	memcpy(path, info.dli_fname, dir_len);
	memcpy(path + dir_len, suffix, suffix_len + 1);
	return true;
}

/* A bundle brings a copy under a name of its own, lest the engine get it when it asks for libunwind; otherwise the system's. */
static void *open_libunwind(void)
{
	static const char *const places[] = { "/libekka-unwind.so.8", "/../lib/libekka-unwind.so.8" };
	char path[4096];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		void *lib = beside_us(path, sizeof(path), places[i]) ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;

		if (lib)
			return lib;
	}
	return dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
}

const char *ekka_stack_init(void)
{
	void *lib = open_libunwind();
	int (*fn)(void **, int);

	if (!lib)
		return "libunwind.so.8 cannot be loaded";
	fn = (int (*)(void **, int))dlsym(lib, "unw_backtrace");
	if (!fn || pthread_atfork(NULL, NULL, forked) != 0) {
		dlclose(lib);
		return fn ? "out of memory" : "libunwind.so.8 has no unw_backtrace";
	}
	atomic_store(&backtrace_fn, fn);
	return NULL;
}

/* Return addresses of this thread, ours included; 0 when there is no unwinder or it is at work already. */
static int unwind(void **pcs, int max)
{
	int (*backtrace)(void **, int) = atomic_load_explicit(&backtrace_fn, memory_order_relaxed);
	int n;

	if (!backtrace || busy)
		return 0;
	busy = true;
	atomic_fetch_add(&unwinding, 1);
	n = backtrace(pcs, max);
	atomic_fetch_sub(&unwinding, 1);
	busy = false;
	return n;
}

static void keep_native(struct ekka_stack *st, void *const *pcs, int n, unsigned depth)
{
	for (int i = 0; i < n && st->n_pc < depth && pcs[i]; i++)
		st->pc[st->n_pc++] = (uintptr_t)pcs[i];
}

static unsigned reset(struct ekka_stack *st, unsigned depth)
{
	st->n_pc = 0;
	st->n_py = 0;
	st->text_len = 0;
	return depth > EKKA_STACK_MAX_PC ? EKKA_STACK_MAX_PC : depth;
}

void ekka_stack_native(struct ekka_stack *st, const void *caller, bool (*above)(const void *pc), unsigned depth)
{
	int saved_errno = errno, n, first = 0;
	void *pcs[EKKA_STACK_MAX_PC + OWN_FRAMES];

	depth = reset(st, depth);
	if (depth == 0)
		return;
	n = unwind(pcs, (int)depth + OWN_FRAMES);
	if (caller) {
		st->pc[st->n_pc++] = (uintptr_t)caller;
		while (first < n && pcs[first] != caller)
			first++;
		first++;
	} else {
		while (first < n && above(pcs[first]))
			first++;
	}
	if (first < n)
		keep_native(st, pcs + first, n - first, depth);
	errno = saved_errno;
}

void ekka_stack_python(struct ekka_stack *st, unsigned depth)
{
	int saved_errno = errno;

	if (depth > 0)
		ekka_pystack_capture(st, depth);
	errno = saved_errno;
}

uint64_t ekka_stack_key(const struct ekka_stack *st, unsigned depth)
{
	uint64_t h = XXH3_64bits(st->pc, st->n_pc * sizeof(st->pc[0]));

	return ekka_pystack_key(depth, &h) ? h : 0;
}

char *ekka_stack_text(struct ekka_stack *st, const char *bytes, size_t n)
{
	char *to = st->text + st->text_len;

	if (n >= sizeof(st->text) - st->text_len)
		return NULL;
	memcpy(to, bytes, n);
	to[n] = '\0';
	st->text_len += n + 1;
	return to;
}

uint64_t ekka_stack_hash(const struct ekka_stack *st)
{
	uint64_t h = XXH3_64bits(st->pc, st->n_pc * sizeof(st->pc[0]));

	for (unsigned i = 0; i < st->n_py; i++) {
		/* Frames share texts: which text belongs to which frame counts too. */
		int64_t frame[3] = { st->py[i].line, st->py[i].file - st->text, st->py[i].func - st->text };

		h = XXH3_64bits_withSeed(frame, sizeof(frame), h);
	}
	return XXH3_64bits_withSeed(st->text, st->text_len, h);
}
