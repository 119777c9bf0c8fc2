/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the Python interpreter of this process, if there is one, and chooses how to read its frames. No link to Python:
 * everything comes from dlsym. Zone: inside the host process.
 */
#include "config.h"

#include "preload/pystack.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

/* Looking the interpreter up is done by one thread at a time; others meanwhile go without Python frames. */
enum state { UNKNOWN, SEARCHING, ABSENT, PRESENT };
static _Atomic int state;
static struct ekka_python python;

void ekka_pystack_objects_changed(void)
{
	int absent = ABSENT;

	atomic_compare_exchange_strong(&state, &absent, UNKNOWN);
}

static int find_libpython(struct dl_phdr_info *info, size_t size, void *arg)
{
	char *path = arg;
	const char *slash = strrchr(info->dlpi_name, '/');
	const char *base = slash ? slash + 1 : info->dlpi_name;
	size_t len = strlen(info->dlpi_name);

	(void)size;
	/* libpython3.so only forwards to the one with a version. */
	if (strncmp(base, "libpython3.", 11) != 0 || base[11] < '0' || base[11] > '9' || len >= PATH_BYTES)
		return 0;
	memcpy(path, info->dlpi_name, len + 1);
	return 1;
}

/* The scope with the interpreter's symbols: the global one, or a libpython that an engine loaded RTLD_LOCAL. */
static bool python_scope(void **ret_scope)
{
	char path[PATH_BYTES];

	*ret_scope = RTLD_DEFAULT;
	if (dlsym(RTLD_DEFAULT, "PyGILState_GetThisThreadState"))
		return true;
	if (dl_iterate_phdr(find_libpython, path) != 1)
		return false;
	*ret_scope = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);	/* a reference that is kept: interpreters are never unloaded */
	return *ret_scope && dlsym(*ret_scope, "PyGILState_GetThisThreadState");
}

/* ISO C has no cast between object and function pointers; POSIX says that this works. */
#define FIND(field, name) (*(void **)&python.field = dlsym(scope, name))

static void find_api(void *scope)
{
	FIND(frame_of, "PyThreadState_GetFrame");
	FIND(frame_back, "PyFrame_GetBack");
	FIND(frame_code, "PyFrame_GetCode");
	FIND(frame_line, "PyFrame_GetLineNumber");
	FIND(get_attr, "PyObject_GetAttrString");
	FIND(as_utf8, "PyUnicode_AsUTF8AndSize");
	FIND(dec_ref, "Py_DecRef");
	FIND(err_fetch, "PyErr_Fetch");
	FIND(err_restore, "PyErr_Restore");
	if (!FIND(current_thread_state, "PyThreadState_GetUnchecked"))	/* 3.13 on */
		FIND(current_thread_state, "_PyThreadState_UncheckedGet");
	python.api = python.current_thread_state && python.frame_of && python.frame_back && python.frame_code &&
		     python.frame_line && python.get_attr && python.as_utf8 && python.dec_ref && python.err_fetch &&
		     python.err_restore;
}

static bool find_python(void)
{
	const char *(*get_version)(void);
	void *scope;

	if (!python_scope(&scope))
		return false;
	FIND(this_thread_state, "PyGILState_GetThisThreadState");
	*(void **)&get_version = dlsym(scope, "Py_GetVersion");
	python.frame_type = dlsym(scope, "PyFrame_Type");
	python.code_type = dlsym(scope, "PyCode_Type");
	python.str_type = dlsym(scope, "PyUnicode_Type");
	python.bytes_type = dlsym(scope, "PyBytes_Type");
	python.raw = get_version && python.frame_type && python.code_type && python.str_type && python.bytes_type &&
		     ekka_pylayout_find(get_version(), dlsym(scope, "_PyRuntime"), &python.layout);
	find_api(scope);
	return true;
}

const struct ekka_python *ekka_pystack_python(void)
{
	int unknown = UNKNOWN;

	if (atomic_load_explicit(&state, memory_order_acquire) == PRESENT)
		return &python;
	if (!atomic_compare_exchange_strong(&state, &unknown, SEARCHING))
		return NULL;
	atomic_store(&state, find_python() ? PRESENT : ABSENT);
	return atomic_load(&state) == PRESENT ? &python : NULL;
}

static unsigned at_most(unsigned depth)
{
	return depth > EKKA_STACK_MAX_PY ? EKKA_STACK_MAX_PY : depth;
}

bool ekka_pystack_key(unsigned depth, uint64_t *h)
{
	const struct ekka_python *py = ekka_pystack_python();
	void *tstate = py ? py->this_thread_state() : NULL;

	return !tstate || (py->raw && ekka_pystack_raw_key(py, tstate, at_most(depth), h));
}

void ekka_pystack_capture(struct ekka_stack *st, unsigned depth)
{
	const struct ekka_python *py = ekka_pystack_python();
	void *tstate = py ? py->this_thread_state() : NULL;

	if (!tstate)
		return;
	depth = at_most(depth);
	if (py->raw && ekka_pystack_raw(py, tstate, st, depth))
		return;
	/* Only the thread state that is current holds the GIL; PyGILState_Check says yes too readily (sub-interpreters). */
	if (py->api && py->current_thread_state() == tstate)
		ekka_pystack_api(py, tstate, st, depth);
}
