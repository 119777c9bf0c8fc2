/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Python frames through the stable C API, for interpreters whose layout is not known. The calling thread holds
 * the GIL. Zone: inside the host process.
 */
#include "config.h"

#include "preload/pystack.h"

/* Text of a string attribute of `object`, or NULL. */
static const char *attr_text(const struct ekka_python *py, void *object, const char *name, struct ekka_stack *st)
{
	void *str = py->get_attr(object, name);
	const char *utf8, *text = NULL;
	ssize_t len = 0;

	if (!str)
		return NULL;
	utf8 = py->as_utf8(str, &len);
	if (utf8)
		text = ekka_stack_text(st, utf8, (size_t)len);
	py->dec_ref(str);
	return text;
}

static bool add_frame(const struct ekka_python *py, void *frame, struct ekka_stack *st)
{
	void *code = py->frame_code(frame);
	struct ekka_pyframe *to = &st->py[st->n_py];

	if (!code)
		return false;
	to->file = attr_text(py, code, "co_filename", st);
	to->func = to->file ? attr_text(py, code, "co_qualname", st) : NULL;
	if (to->file && !to->func)	/* before 3.11 */
		to->func = attr_text(py, code, "co_name", st);
	to->line = py->frame_line(frame);
	py->dec_ref(code);
	if (!to->func)
		return false;
	st->n_py++;
	return true;
}

bool ekka_pystack_api(const struct ekka_python *py, void *tstate, struct ekka_stack *st, unsigned depth)
{
	void *type, *value, *traceback, *frame, *back;

	py->err_fetch(&type, &value, &traceback);
	frame = py->frame_of(tstate);
	while (frame) {
		bool more = st->n_py < depth && add_frame(py, frame, st);

		back = more ? py->frame_back(frame) : NULL;
		py->dec_ref(frame);
		frame = back;
	}
	py->err_restore(type, value, traceback);	/* also drops what a failed attribute raised */
	return st->n_py > 0;
}
