/* SPDX-License-Identifier: Apache-2.0 */
/* One event as one JSON object. */
#include "tools/caller.h"
#include "tools/command.h"
#include "tools/event.h"
#include "tools/json.h"
#include "tools/kernel_name.h"
#include "tools/kernels_modules.h"
#include "tools/message.h"
#include "tools/show.h"
#include "tools/show_pointers.h"
#include "tools/tensor_view.h"

#include <inttypes.h>
#include <stdlib.h>

static struct json_object *integers(const int64_t *v, unsigned n)
{
	struct json_object *list = ekka_json_array();

	for (unsigned i = 0; i < n; i++)
		ekka_json_append(list, json_object_new_int64(v[i]));
	return list;
}

static struct json_object *arguments(const struct ekka_event *e)
{
	struct json_object *list = ekka_json_array();
	char text[256];

	for (unsigned i = 0; i < e->call.n_args; i++) {
		struct json_object *o = ekka_json_object();
		const char *type = i < e->fn->n_args ? e->fn->args[i].type : "";

		ekka_json_add_text(o, "name", i < e->fn->n_args ? e->fn->args[i].name : NULL);
		ekka_json_add_text(o, "type", type);
		ekka_json_add(o, "value", ekka_value_json(&e->call.args[i]));
		ekka_json_add_text(o, "text", ekka_value_text(&e->call.args[i], type, text, sizeof(text)));
		ekka_json_append(list, o);
	}
	return list;
}

static struct json_object *attributes(const struct ekka_event *e)
{
	struct json_object *o = ekka_json_object();

	for (unsigned i = 0; i < e->call.n_attrs; i++)
		json_object_object_add(o, e->call.attrs[i].name, ekka_value_json(&e->call.attrs[i].value));
	return o;
}

static struct json_object *phase(struct ekka_trace *trace, const struct ekka_event *e, unsigned i, enum ekka_phase p)
{
	const struct ekka_rec_data *data = ekka_event_bytes(e, i, p);
	struct json_object *o = ekka_json_object();
	struct ekka_tensor_view v;
	struct ekka_tensor_stats s;
	struct ekka_error err = { 0 };
	char id[33];
	int r;

	if (!data && e->data[i][p].present) {
		ekka_json_add_text(o, "missing", e->data[i][p].rec.missing);
		return o;
	}
	r = ekka_tensor_view_init(&v, trace, e, i, p, &err);
	if (r == 0)
		r = ekka_tensor_view_stats(&v, &s, &err);
	ekka_tensor_view_release(&v);
	if (r) {
		ekka_json_add_text(o, "missing", err.message);
		return o;
	}
	for (unsigned b = 0; b < 16; b++)
		snprintf(id + 2 * b, 3, "%02x", data->id.b[b]);
	ekka_json_add_text(o, "blob", id);
	ekka_json_add_uint(o, "bytes", data->bytes);
	ekka_json_add_real(o, "min", s.min);
	ekka_json_add_real(o, "max", s.max);
	ekka_json_add_real(o, "mean", s.mean);
	ekka_json_add_real(o, "abs_max", s.abs_max);
	ekka_json_add_uint(o, "nan", s.nan);
	ekka_json_add_uint(o, "inf", s.inf);
	ekka_json_add_uint(o, "zeros", s.zeros);
	ekka_json_add_uint(o, "denormals", s.denormals);
	return o;
}

static struct json_object *leads_to(const struct ekka_pointers *p, unsigned i)
{
	struct json_object *list = ekka_json_array();

	for (unsigned k = 0; k < p->tensor[i].n; k++) {
		const struct ekka_pointer *at = &p->tensor[i].pointer[k];
		struct json_object *o = ekka_json_object();

		ekka_json_add_uint(o, "word", at->word);
		ekka_json_add(o, "address", ekka_json_hex(at->addr));
		ekka_json_add_uint(o, "allocated_by", at->owner);
		ekka_json_add_uint(o, "offset", at->offset);
		ekka_json_append(list, o);
	}
	return list;
}

static struct json_object *tensors(struct ekka_trace *trace, const struct ekka_event *e)
{
	static const char *const dirs[] = { "?", "in", "out", "inout" };
	static struct ekka_pointers pointers;
	struct json_object *list = ekka_json_array();
	struct ekka_error err = { 0 };

	if (ekka_pointers_find(trace, e, &pointers, &err) < 0)
		ekka_message("where its buffers lead to: %s", err.message);

	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		const struct ekka_tensor *t = &e->call.tensors[i];
		struct json_object *o = ekka_json_object();
		bool alias = t->alias_of >= 0 && (unsigned)t->alias_of < e->call.n_tensors;

		ekka_json_add_text(o, "name", t->name);
		ekka_json_add_text(o, "dir", dirs[t->dir & EKKA_INOUT]);
		ekka_json_add_text(o, "dtype", ekka_dtype_name(t->dtype));
		ekka_json_add_text(o, "place", t->place == EKKA_DEVICE ? "device" : "host");
		ekka_json_add(o, "dims", integers(t->dim, t->n_dims));
		ekka_json_add(o, "strides", integers(t->stride, t->n_dims));
		ekka_json_add_int(o, "offset", t->offset);
		ekka_json_add(o, "address", ekka_json_hex(t->addr));
		ekka_json_add_uint(o, "pointers", t->n_ptrs);
		ekka_json_add_uint(o, "span_bytes", t->span_bytes);
		ekka_json_add_text(o, "view_of", alias ? e->call.tensors[t->alias_of].name : NULL);
		if (t->pre || e->data[i][EKKA_PRE].present)
			ekka_json_add(o, "before", phase(trace, e, i, EKKA_PRE));
		if (t->post || e->data[i][EKKA_POST].present)
			ekka_json_add(o, "after", phase(trace, e, i, EKKA_POST));
		if (pointers.tensor[i].n)
			ekka_json_add(o, "leads_to", leads_to(&pointers, i));
		ekka_json_append(list, o);
	}
	return list;
}

static struct json_object *native_frame(struct ekka_symbolizer *s, uint64_t pc)
{
	struct json_object *o = ekka_json_object();
	struct ekka_frame_info info = { 0 };
	char text[1024] = "";

	if (s) {
		ekka_symbolizer_lookup(s, pc, &info);
		ekka_frame_info_format(&info, text, sizeof(text));
	}
	ekka_json_add(o, "pc", ekka_json_hex(pc));
	ekka_json_add_text(o, "text", text);
	ekka_json_add_text(o, "module", info.module);
	ekka_json_add_text(o, "function", info.function);
	ekka_json_add_text(o, "file", info.file);
	ekka_json_add(o, "line", info.line ? json_object_new_int(info.line) : NULL);
	return o;
}

static struct json_object *stack(const struct ekka_event *e)
{
	struct json_object *o = ekka_json_object(), *python = ekka_json_array(), *native = ekka_json_array();
	struct ekka_symbolizer *s = ekka_symbolizer_new(e->segment);

	for (unsigned i = 0; e->stack && i < e->stack->n_py; i++) {
		struct json_object *f = ekka_json_object();

		ekka_json_add_text(f, "file", e->stack->py[i].file);
		ekka_json_add_int(f, "line", e->stack->py[i].line);
		ekka_json_add_text(f, "function", e->stack->py[i].func);
		ekka_json_append(python, f);
	}
	for (unsigned i = 0; e->stack && i < e->stack->n_pc; i++)
		ekka_json_append(native, native_frame(s, e->stack->pc[i]));
	ekka_symbolizer_free(s);
	ekka_json_add(o, "python", python);
	ekka_json_add(o, "native", native);
	return o;
}

static struct json_object *module(const struct ekka_rec_module *m)
{
	struct json_object *o = ekka_json_object();
	char name[EKKA_BLOB_NAME];

	ekka_json_add_text(o, "kind", m->kind);
	ekka_json_add_text(o, "blob", m->missing ? NULL : ekka_blob_name(&m->blob, name));
	ekka_json_add_text(o, "missing", m->missing);
	ekka_json_add_uint(o, "bytes", m->bytes);
	ekka_json_add_uint(o, "of_bytes", m->of_bytes);
	return o;
}

struct json_object *ekka_show_json_object(struct ekka_trace *trace, const struct ekka_event *e)
{
	char *kernel = ekka_event_is_launch(e) ? ekka_kernel_demangle(e->fn->name) : NULL;
	struct json_object *o = ekka_json_object();
	bool returned = e->state != EKKA_EVENT_BEGUN;

	ekka_json_add_uint(o, "event", e->number);
	ekka_json_add_text(o, "name", e->fn->name);
	if (kernel)
		ekka_json_add_text(o, "kernel", kernel);
	free(kernel);
	ekka_json_add_text(o, "status", ekka_event_state_name(e->state));
	ekka_json_add_text(o, "op", ekka_event_op(e));
	ekka_json_add_text(o, "library", e->fn->library);
	ekka_json_add_text(o, "object", e->fn->object);
	if (e->fn->via && e->fn->via[0])
		ekka_json_add_text(o, "via", e->fn->via);
	if (ekka_event_module(e))
		ekka_json_add(o, "module", module(ekka_event_module(e)));
	ekka_json_add_uint(o, "depth", e->call.depth);
	ekka_json_add_uint(o, "parent", e->call.parent);
	ekka_json_add_int(o, "pid", e->segment->open.pid);
	ekka_json_add_int(o, "tid", e->call.tid);
	ekka_json_add_int(o, "device", e->call.device);
	ekka_json_add(o, "stream", ekka_json_hex(e->call.stream));
	ekka_json_add_uint(o, "t_ns", e->call.t_ns - e->segment->open.mono_ns);
	ekka_json_add(o, "duration_ns", returned ? json_object_new_uint64(e->ret_ns - e->call.t_ns) : NULL);
	ekka_json_add(o, "gpu_ns", e->timed ? json_object_new_uint64(e->gpu_ns) : NULL);
	ekka_json_add_text(o, "bad_args", e->call.bad_args);
	ekka_json_add(o, "arguments", arguments(e));
	ekka_json_add(o, "returned", returned ? ekka_value_json(&e->ret) : NULL);
	ekka_json_add(o, "attributes", attributes(e));
	ekka_json_add(o, "tensors", tensors(trace, e));
	ekka_json_add(o, "stack", stack(e));
	return o;
}

int ekka_show_json(struct ekka_trace *trace, const struct ekka_event *e)
{
	ekka_json_print(ekka_show_json_object(trace, e), true);
	return EKKA_EXIT_CLEAN;
}
