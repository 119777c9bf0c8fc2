/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's own entry points, as the engine gets them: linked, by dlsym, or from cuGetProcAddress, which is how every CUDA runtime
 * gets them. Ours call the real ones, and record launches when CUPTI does not. They are given out from the start, those of launches and of memory when
 * EKKA_LAUNCHES is not off, because what an engine has asked for once it never asks for again.
 *
 * A profiler that subscribes to CUPTI after us takes our place there: it could not work otherwise.
 */
#include "config.h"

#define CUDA_ENABLE_DEPRECATED
#include "cupti/alloc.h"
#include "cupti/graph.h"
#include "cupti/hooks.h"
#include "cupti/kernel.h"
#include "cupti/launch.h"
#include "cupti/memory.h"
#include "cupti/module.h"
#include "cupti/shared.h"
#include "cupti/slot.h"
#include "cupti/uploads.h"

#include "preload/conf.h"
#include "preload/guard.h"
#include "preload/init.h"
#include "preload/resolve.h"
#include "preload/say.h"
#include "preload/timing.h"
#include "preload/versions.h"

#include <cupti.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* cuda.h's renaming ends here: below, names are symbols. */
#undef cuGetProcAddress
CUresult CUDAAPI cuGetProcAddress(const char *symbol, void **pfn, int version, cuuint64_t flags);

CUresult cuGetProcAddress_v2(const char *, void **, int, cuuint64_t, CUdriverProcAddressQueryResult *);
CUresult cuLaunchKernel_ptsz(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void **, void **);
CUresult cuLaunchKernelEx_ptsz(const CUlaunchConfig *, CUfunction, void **, void **);
CUresult cuLaunchCooperativeKernel_ptsz(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void **);

/* Those of other files; cuda.h has no prototype for some, and no pointer of ours is ever called as anything but what it is. */
#define HOOK(symbol, asked, since, per_thread, writes) extern const char ekka_hook_##symbol[] __asm__(#symbol);
#include "cupti/hooks.def"
static const struct { const char *symbol, *asked; int since; bool per_thread, writes, always; const void *ours; } hooks[EKKA_HOOKS] = {
#define HOOK(symbol, asked, since, per_thread, writes) { #symbol, asked, since, per_thread, writes, false, ekka_hook_##symbol },
#define HOOK_ALWAYS(symbol, asked, since, per_thread, writes) { #symbol, asked, since, per_thread, writes, true, ekka_hook_##symbol },
#include "cupti/hooks.def"
};
static _Atomic(void *) real[EKKA_HOOKS];
static _Atomic int source = EKKA_SOURCE_NONE;

static _Atomic(const char *) via = "driver";

const char *ekka_launch_via(void)
{
	return atomic_load(&via);
}

enum ekka_launch_source ekka_launch_source(void)
{
	return (enum ekka_launch_source)atomic_load_explicit(&source, memory_order_relaxed);
}

bool ekka_launches_are_seen(void)
{
	return ekka_launch_source() != EKKA_SOURCE_NONE;
}

void *ekka_hook_real(enum ekka_hook h, const void *caller)
{
	void *p = atomic_load_explicit(&real[h], memory_order_acquire);
	int saved = errno;

	if (p)
		return p;
	ekka_resolve_init();
	p = ekka_resolve_name(hooks[h].symbol, caller);
	if (p)
		atomic_store_explicit(&real[h], p, memory_order_release);
	errno = saved;
	return p;
}

/* ---- giving ours out -------------------------------------------------- */

static int find_hook(const char *name)
{
	for (int h = 0; h < EKKA_HOOKS; h++)
		if (strcmp(hooks[h].symbol, name) == 0)
			return h;
	return -1;
}

/* Ours for a real entry point. What comes from elsewhere than the one we know, from another shim, is left as it is. */
static void *ours_for(int h, void *found)
{
	void *known = NULL;

	if (atomic_compare_exchange_strong(&real[h], &known, found) || ekka_same_object(known, found))
		return (void *)(uintptr_t)hooks[h].ours;
	return NULL;
}

static bool is_given_out(int h)
{
	return h >= 0 && (ekka_conf.launches != EKKA_LAUNCHES_OFF || (hooks[h].always && ekka_conf.level == EKKA_LEVEL_FULL));
}

static bool is_tool(const void *caller)
{
	static const char *const tools[] = { "libcuda.", "libcupti.", "libnvperf" };
	const char *path = ekka_object_path(caller), *base = path ? strrchr(path, '/') : NULL;

	base = base ? base + 1 : path ? path : "";
	for (unsigned i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		if (strncmp(base, tools[i], strlen(tools[i])) == 0)
			return true;
	return false;
}

bool ekka_launches_concern(const char *name, const void *caller)
{
	if (name[0] != 'c' || name[1] != 'u' || (!(name[2] >= 'A' && name[2] <= 'Z') && strncmp(name, "cuptiSubscribe", 14) != 0))
		return false;
	return !is_tool(caller);
}

void *ekka_launches_answer(const char *name, void *found)
{
	int h = find_hook(name);
	void *ours;

	if (!is_given_out(h) || atomic_load(&ekka_state) != EKKA_STATE_ON)
		return NULL;
	ours = ours_for(h, found);
	if (!ours)
		ekka_versions_disable();
	return ours;
}

/*
 * Which of our entry points stands for what cuGetProcAddress found: several symbols go by one name there, and the version that was asked for and
 * the kind of default stream choose. The address tells; a driver that gives out addresses which are no symbol's leaves the table to
 * tell. A version of a function that we do not know, of other parameters, is none of ours.
 */
static int hook_for(const char *asked, const void *found, int version, bool per_thread)
{
	void *lib = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
	int by_address = -1, by_version = -1;
	Dl_info info;

	for (int h = 0; lib && h < EKKA_HOOKS; h++) {
		if (strcmp(hooks[h].asked, asked) != 0 && strcmp(hooks[h].symbol, asked) != 0)
			continue;
		bool fits = hooks[h].since <= version && (per_thread || !hooks[h].per_thread);
		if (ekka_libc.dlsym(lib, hooks[h].symbol) == found && (by_address < 0 || fits))
			by_address = h;
		if (fits && (by_version < 0 || (hooks[h].per_thread && !hooks[by_version].per_thread) ||
			     (hooks[h].per_thread == hooks[by_version].per_thread && hooks[h].since > hooks[by_version].since)))
			by_version = h;
	}
	if (lib)
		ekka_libc.dlclose(lib);
	if (by_address >= 0 || (dladdr(found, &info) && info.dli_saddr == found && info.dli_sname))
		return by_address;
	return by_version;
}

/* Is it a function that may change memory, and one that we watch. */
static bool may_write(const char *asked)
{
	for (int h = 0; h < EKKA_HOOKS; h++)
		if (hooks[h].writes && strcmp(hooks[h].asked, asked) == 0)
			return true;
	return false;
}

/* What cuGetProcAddress found for `symbol` becomes ours where we have one. */
static void swap(const char *symbol, void **pfn, int version, cuuint64_t flags)
{
	int saved = errno, h;
	void *ours;

	if (!symbol || !pfn || !*pfn || symbol[0] != 'c' || symbol[1] != 'u')
		return;
	h = hook_for(symbol, *pfn, version, flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM);
	ours = is_given_out(h) ? ours_for(h, *pfn) : NULL;
	if (ours)
		*pfn = ours;
	else if (may_write(symbol))
		ekka_versions_disable();	/* somebody can call it behind our back now */
	errno = saved;
}

EKKA_PUBLIC CUresult cuGetProcAddress(const char *symbol, void **pfn, int version, cuuint64_t flags)
{
	__typeof__(&cuGetProcAddress) call = REAL(cuGetProcAddress);
	CUresult res = call ? call(symbol, pfn, version, flags) : CUDA_ERROR_NOT_INITIALIZED;

	ekka_launches_start();
	if (res == CUDA_SUCCESS && !is_tool(__builtin_return_address(0)))
		swap(symbol, pfn, version, flags);
	return res;
}

EKKA_PUBLIC CUresult cuGetProcAddress_v2(const char *symbol, void **pfn, int version, cuuint64_t flags, CUdriverProcAddressQueryResult *status)
{
	__typeof__(&cuGetProcAddress_v2) call = REAL(cuGetProcAddress_v2);
	CUresult res = call ? call(symbol, pfn, version, flags, status) : CUDA_ERROR_NOT_INITIALIZED;

	ekka_launches_start();
	if (res == CUDA_SUCCESS && !is_tool(__builtin_return_address(0)))
		swap(symbol, pfn, version, flags);
	return res;
}

/* ---- start ------------------------------------------------------------ */

void ekka_launches_start(void)
{
	static atomic_bool started;
	static char fallback[120];
	const char *why = NULL;
	int saved = errno;

	if (atomic_load_explicit(&ekka_state, memory_order_relaxed) == EKKA_STATE_WRONG)
		(void)ekka_ready();	/* says what is wrong with the settings */
	if (ekka_conf.launches == EKKA_LAUNCHES_OFF || atomic_load_explicit(&started, memory_order_relaxed) ||
	    atomic_load(&ekka_state) != EKKA_STATE_ON || atomic_exchange(&started, true))
		return;
	if (ekka_conf.launches != EKKA_LAUNCHES_DRIVER)
		why = ekka_cupti_subscribe();
	if (ekka_conf.launches != EKKA_LAUNCHES_DRIVER && !why) {
		atomic_store(&via, "cupti");
		atomic_store(&source, EKKA_SOURCE_CUPTI);
	} else {
		if (why) {
			(void)snprintf(fallback, sizeof(fallback), "driver: %s", why);
			atomic_store(&via, fallback);
		}
		atomic_store(&source, EKKA_SOURCE_DRIVER);
		if (why && ekka_conf.launches == EKKA_LAUNCHES_CUPTI)
			ekka_say("%s: kernel launches are recorded at the driver's entry points instead", why);
	}
	if (ekka_conf.level == EKKA_LEVEL_FULL && ekka_conf.lineage)
		ekka_versions_enable();
	errno = saved;
}

void ekka_launches_fork_child(void)
{
	ekka_alloc_fork_child();
	ekka_shared_fork_child();
	ekka_graphs_fork_child();
	ekka_slots_fork_child();
	ekka_modules_fork_child();
	ekka_uploads_fork_child();
}

EKKA_PUBLIC CUresult cuInit(unsigned flags)
{
	__typeof__(&cuInit) call = REAL(cuInit);

	ekka_launches_start();
	return call ? call(flags) : CUDA_ERROR_NOT_INITIALIZED;
}

/* Somebody else wants to be CUPTI's subscriber. */
static void make_way(const void *caller)
{
	int cupti = EKKA_SOURCE_CUPTI;

	if (ekka_is_ours(caller) || !atomic_compare_exchange_strong(&source, &cupti, EKKA_SOURCE_DRIVER))
		return;
	ekka_cupti_unsubscribe();
	atomic_store(&via, "driver: a profiler uses CUPTI");
	ekka_say("a profiler uses CUPTI now: kernel launches are recorded at the driver's entry points instead");
}

EKKA_PUBLIC CUptiResult CUPTIAPI cuptiSubscribe(CUpti_SubscriberHandle *subscriber, CUpti_CallbackFunc callback, void *user)
{
	__typeof__(&cuptiSubscribe) call = REAL(cuptiSubscribe);

	make_way(__builtin_return_address(0));
	return call ? call(subscriber, callback, user) : CUPTI_ERROR_NOT_INITIALIZED;
}

EKKA_PUBLIC CUptiResult CUPTIAPI cuptiSubscribe_v2(CUpti_SubscriberHandle *subscriber, CUpti_CallbackFunc callback, void *user,
						    CUpti_SubscriberParams *params)
{
	__typeof__(&cuptiSubscribe_v2) call = REAL(cuptiSubscribe_v2);

	make_way(__builtin_return_address(0));
	return call ? call(subscriber, callback, user, params) : CUPTI_ERROR_NOT_INITIALIZED;
}

/* ---- launches --------------------------------------------------------- */

static struct ekka_launch_mark before(const struct ekka_launch *launch)
{
	struct ekka_launch_mark mark = { 0 };

	ekka_launches_start();
	if (ekka_launch_source() == EKKA_SOURCE_DRIVER) {
		mark = ekka_launch_record(launch);
		ekka_timing_inner_begin((uintptr_t)launch->stream);
	}
	return mark;
}

static void after(CUstream stream, struct ekka_launch_mark mark, CUresult res)
{
	if (ekka_launch_source() == EKKA_SOURCE_DRIVER)
		ekka_timing_inner_end((uintptr_t)stream);
	ekka_launch_end(mark, res);
}

#define GRID unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz
#define GRID_ARGS gx, gy, gz, bx, by, bz
#define GRID_INIT .grid = { gx, gy, gz }, .block = { bx, by, bz }

#define LAUNCH(name, handle)                                                                                                     \
	EKKA_PUBLIC CUresult name(CUfunction f, GRID, unsigned shared, CUstream s, void **params, void **extra)                  \
	{                                                                                                                        \
		__typeof__(&name) call = REAL(name);                                                                             \
		struct ekka_launch_mark mark = before(&(struct ekka_launch){                                                     \
			.f = f, GRID_INIT, .shared_bytes = shared, .stream = handle, .params = params, .extra = extra,           \
			.caller = __builtin_return_address(0) });                                                                \
		CUresult res = call ? call(f, GRID_ARGS, shared, s, params, extra) : CUDA_ERROR_NOT_INITIALIZED;                 \
		after(handle, mark, res);                                                                                        \
		return res;                                                                                                      \
	}
LAUNCH(cuLaunchKernel, s)
LAUNCH(cuLaunchKernel_ptsz, ekka_own_stream(s))

#define LAUNCH_COOPERATIVE(name, handle)                                                                                         \
	EKKA_PUBLIC CUresult name(CUfunction f, GRID, unsigned shared, CUstream s, void **params)                                \
	{                                                                                                                        \
		__typeof__(&name) call = REAL(name);                                                                             \
		struct ekka_launch_mark mark = before(&(struct ekka_launch){                                                     \
			.f = f, GRID_INIT, .shared_bytes = shared, .stream = handle, .params = params, .cooperative = true,      \
			.caller = __builtin_return_address(0) });                                                                \
		CUresult res = call ? call(f, GRID_ARGS, shared, s, params) : CUDA_ERROR_NOT_INITIALIZED;                        \
		after(handle, mark, res);                                                                                        \
		return res;                                                                                                      \
	}
LAUNCH_COOPERATIVE(cuLaunchCooperativeKernel, s)
LAUNCH_COOPERATIVE(cuLaunchCooperativeKernel_ptsz, ekka_own_stream(s))

#define LAUNCH_EX(name, per_thread)                                                                                              \
	EKKA_PUBLIC CUresult name(const CUlaunchConfig *config, CUfunction f, void **params, void **extra)                       \
	{                                                                                                                        \
		__typeof__(&name) call = REAL(name);                                                                             \
		struct ekka_launch launch = { .f = f, .params = params, .extra = extra, .caller = __builtin_return_address(0) }; \
		ekka_launch_from_config(&launch, config, per_thread);                                                            \
		struct ekka_launch_mark mark = before(&launch);                                                                  \
		CUresult res = call ? call(config, f, params, extra) : CUDA_ERROR_NOT_INITIALIZED;                               \
		after(launch.stream, mark, res);                                                                                 \
		return res;                                                                                                      \
	}
LAUNCH_EX(cuLaunchKernelEx, false)
LAUNCH_EX(cuLaunchKernelEx_ptsz, true)
