/* SPDX-License-Identifier: Apache-2.0 */
/* What test_pyframes.py calls through ctypes in place of a BLAS: captures the caller's stack and hands the Python frames back. */
#include "preload/capture.h"
#include "preload/pystack.h"
#include "preload/stack.h"

#include <stdio.h>
#include <string.h>

EKKA_PUBLIC int probe_init(void);
EKKA_PUBLIC int probe(int way, char *out, int size, unsigned depth);

enum { WAY_CAPTURE, WAY_RAW, WAY_API, WAY_KEY };

int probe_init(void)
{
	return ekka_stack_init() == NULL;
}

/*
 * One line per frame: file, tab, line, tab, function. Returns the number of frames, or -1 when they could not be read. WAY_KEY: the key of the
 * Python frames alone, and whether there is one.
 */
int probe(int way, char *out, int size, unsigned depth)
{
	struct ekka_stack st;
	const struct ekka_python *py = ekka_pystack_python();
	int used = 0;

	st.n_py = 0;
	st.text_len = 0;
	st.n_pc = 0;
	if (way == WAY_KEY) {
		uint64_t key = ekka_stack_key(&st, depth);

		(void)snprintf(out, (size_t)size, "%llx", (unsigned long long)key);
		return key != 0;
	}
	if (way == WAY_CAPTURE)
		ekka_stack_python(&st, depth);
	else if (!py || !(way == WAY_RAW ? ekka_pystack_raw : ekka_pystack_api)(py, py->this_thread_state(), &st, depth))
		return -1;
	out[0] = '\0';
	for (unsigned i = 0; i < st.n_py && used < size; i++)
		used += snprintf(out + used, (size_t)(size - used), "%s\t%d\t%s\n", st.py[i].file, (int)st.py[i].line, st.py[i].func);
	return (int)st.n_py;
}
