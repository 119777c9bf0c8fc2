/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What dlsym answers for functions that we intercept. Zone: inside the host process.
 *
 * The exported dlsym is in thunk.S: it asks ekka_dlsym_answer and, if that has nothing to say, jumps to the C library's
 * with stack and arguments as they came, so that RTLD_NEXT and RTLD_DEFAULT keep their caller.
 *
 * A function found in some handle is answered by a thunk of its own, which tells our wrapper which real function is
 * meant. So two BLAS libraries in one process, and pointers that travel between modules, keep their meaning.
 */
#include "config.h"

#include "preload/count.h"
#include "preload/guard.h"
#include "preload/init.h"
#include "preload/launch.h"
#include "preload/nvtx.h"
#include "preload/resolve.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

enum { N_SLOTS = 512 };	/* thunk.S has as many */

struct ekka_answer { void *p; uint64_t answered; };
struct ekka_answer ekka_dlsym_answer(void *handle, const char *name, const void *caller) __attribute__((visibility("hidden")));

_Thread_local const struct ekka_slot *ekka_pending;

#if defined(__x86_64__)

/* Read by the thunks without a lock: an entry is filled before its thunk is given out, and never changes. */
extern struct ekka_slot ekka_slots[N_SLOTS] __attribute__((visibility("hidden")));
struct ekka_slot ekka_slots[N_SLOTS];
extern const char ekka_thunks[] __attribute__((visibility("hidden")));
enum { THUNK_BYTES = 32 };
static unsigned n_slots;
static struct ekka_lock slots_lock;

/* The thunk for `real`, made now if need be; NULL when there are no more. */
static void *thunk_for(unsigned fn_id, void *wrapper, void *real)
{
	unsigned i;

	ekka_pin(real);		/* not under our lock: it takes the loader's */
	if (!ekka_lock_take(&slots_lock))
		return NULL;
	for (i = 0; i < n_slots; i++)
		if (ekka_slots[i].real == real && ekka_slots[i].fn_id == fn_id)
			break;
	if (i == n_slots && n_slots < N_SLOTS) {
		ekka_slots[i] = (struct ekka_slot){ .wrapper = wrapper, .real = real, .fn_id = fn_id };
		n_slots++;
	}
	bool ok = i < n_slots;
	ekka_lock_release(&slots_lock);
	return ok ? (void *)(uintptr_t)(ekka_thunks + (size_t)i * THUNK_BYTES) : NULL;
}

/*
 * cuDNN and cuBLAS look up in their sub-libraries the very names that they export; a dispatcher that defines the name
 * itself (FlexiBLAS) does the same. Redirected, their look-ups would come back to them for ever.
 */
static bool caller_dispatches(const char *name, const void *caller)
{
	const char *path = ekka_object_path(caller);
	const char *base;
	void *handle, *own;

	if (!path)
		return false;
	base = strrchr(path, '/');
	base = base ? base + 1 : path;
	if (strncmp(base, "libcudnn", 8) == 0 || strncmp(base, "libcublas", 9) == 0)
		return true;
	handle = dlopen(path[0] ? path : NULL, RTLD_LAZY | RTLD_NOLOAD);
	if (!handle)
		return false;
	own = ekka_libc.dlsym(handle, name);
	ekka_libc.dlclose(handle);
	return own && ekka_same_object(own, caller);
}

static void *wrapper_of(const char *name)
{
	/* Ours comes first in a look-up that starts at ourselves. */
	static void *self;

	if (!self)
		self = dlopen(ekka_object_path((const void *)ekka_thunks), RTLD_LAZY | RTLD_NOLOAD);
	return self ? ekka_libc.dlsym(self, name) : NULL;
}

/* Nobody has it but us: NULL, with the dlerror of a look-up that starts behind us. */
static struct ekka_answer absent(const char *name)
{
	return (struct ekka_answer){ ekka_libc.dlsym(RTLD_NEXT, name), 1 };
}

static struct ekka_answer answer_for(int fn_id, void *handle, const char *name, const void *caller)
{
	const struct ekka_answer silent = { NULL, 0 };
	void *real, *thunk;

	if (caller_dispatches(name, caller))
		return silent;
	if (handle == RTLD_NEXT)
		return ekka_resolve((unsigned)fn_id, caller) ? silent : absent(name);
	real = ekka_libc.dlsym(handle, name);
	if (!real)
		return silent;		/* asked again with the right caller, for its dlerror */
	if (ekka_is_ours(real))		/* RTLD_DEFAULT, or the program's handle: NULL if it would be without us */
		return ekka_resolve((unsigned)fn_id, caller) ? (struct ekka_answer){ real, 1 } : absent(name);
	if (atomic_load(&ekka_state) != EKKA_STATE_ON)
		return silent;
	thunk = thunk_for((unsigned)fn_id, wrapper_of(name), real);
	if (!thunk) {
		ekka_count_drop("dlsym: too many functions", 1);
		return silent;
	}
	return (struct ekka_answer){ thunk, 1 };
}

#else

static struct ekka_answer answer_for(int fn_id, void *handle, const char *name, const void *caller)
{
	/* No thunks for this architecture yet: functions found by dlsym are not recorded, and that is said. */
	(void)fn_id, (void)handle, (void)name, (void)caller;
	ekka_count_drop("dlsym: not on this architecture", 1);
	return (struct ekka_answer){ NULL, 0 };
}

#endif

/* An entry point of the driver. Ours are found where there is no driver too: then there is none. */
static struct ekka_answer answer_driver(void *handle, const char *name)
{
	void *found = ekka_libc.dlsym(handle, name), *ours;

	ekka_launches_start();
	if (!found || handle == RTLD_NEXT)
		return (struct ekka_answer){ NULL, 0 };
	if (ekka_is_ours(found) && !ekka_resolve_name(name, NULL))
		return (struct ekka_answer){ ekka_libc.dlsym(RTLD_NEXT, name), 1 };	/* NULL, with its dlerror */
	ours = ekka_is_ours(found) ? found : ekka_launches_answer(name, found);
	return (struct ekka_answer){ ours, ours != NULL };
}

struct ekka_answer ekka_dlsym_answer(void *handle, const char *name, const void *caller)
{
	struct ekka_answer a = { NULL, 0 };
	int fn_id;

	ekka_resolve_init();
	if (!name || ekka_is_ours(caller))
		return a;
	fn_id = ekka_fn_find(name);
	bool nvtx = fn_id < 0 && ekka_nvtx_concern(name);
	if (fn_id < 0 && !nvtx && !ekka_launches_concern(name, caller))
		return a;
	int saved = errno;
	ekka_init();
	if (nvtx)
		a.p = ekka_nvtx_answer(name, ekka_libc.dlsym(handle, name)), a.answered = a.p != NULL;
	else
		a = fn_id < 0 ? answer_driver(handle, name) : answer_for(fn_id, handle, name, caller);
	errno = saved;
	return a;
}

#if !defined(__x86_64__)
EKKA_PUBLIC void *dlsym(void *restrict handle, const char *restrict name);
void *dlsym(void *restrict handle, const char *restrict name)
{
	struct ekka_answer a = ekka_dlsym_answer(handle, name, __builtin_return_address(0));

	if (a.answered)
		return a.p;
	return ekka_libc.dlsym(handle, name);	/* a sibling call at -O2 */
}
#endif

EKKA_PUBLIC int dlclose(void *handle);
int dlclose(void *handle)
{
	ekka_resolve_init();
	int r = ekka_libc.dlclose(handle);
	int saved = errno;

	ekka_resolve_flush();
	errno = saved;
	return r;
}
