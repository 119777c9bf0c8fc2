/* SPDX-License-Identifier: Apache-2.0 */
/* One event for people. */
#include "tools/caller.h"
#include "tools/command.h"
#include "tools/event.h"
#include "tools/kernel_name.h"
#include "tools/kernels_modules.h"
#include "tools/message.h"
#include "tools/show.h"
#include "tools/show_pointers.h"
#include "tools/tensor_view.h"
#include "tools/term.h"
#include "tools/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void heading(const char *text)
{
	printf("%s%s%s\n", ekka_colour(EKKA_BOLD), text, ekka_colour(EKKA_PLAIN));
}

/* "label   text": both may come from the trace. */
static void field(const char *label, const char *text)
{
	char safe[256];

	printf("  %-10s ", ekka_text_fit(label, 0, safe, sizeof(safe)));
	ekka_text_print(stdout, text);
	putchar('\n');
}

/* The image that a kernel comes from. */
static void print_module(const struct ekka_event *e)
{
	const struct ekka_rec_module *m = ekka_event_module(e);
	char name[EKKA_BLOB_NAME], bytes[32], all[32], text[512];

	if (!m)
		return;
	if (m->missing)
		snprintf(text, sizeof(text), "%s, missing: %s", m->kind, m->missing);
	else
		snprintf(text, sizeof(text), "%s, %s %s%s%s", ekka_blob_name(&m->blob, name), m->kind, ekka_text_bytes(m->bytes, bytes, sizeof(bytes)),
			 m->of_bytes > m->bytes ? " of " : "", m->of_bytes > m->bytes ? ekka_text_bytes(m->of_bytes, all, sizeof(all)) : "");
	field("module", text);
}

static void print_head(const struct ekka_event *e)
{
	const struct ekka_segment *s = e->segment;
	char text[512], shape[160], *kernel;

	printf("%sevent %" PRIu64 "%s  ", ekka_colour(EKKA_BOLD), e->number, ekka_colour(EKKA_PLAIN));
	ekka_text_print(stdout, e->fn->name);
	printf(", %s\n", ekka_event_state_name(e->state));
	snprintf(text, sizeof(text), "%d %s, thread %d", s->open.pid, s->open.exe ? s->open.exe : "", e->call.tid);
	if (ekka_event_is_launch(e) && (kernel = ekka_kernel_demangle(e->fn->name))) {
		field("kernel", kernel);
		free(kernel);
		field("launch", ekka_launch_shape(e, shape, sizeof(shape)));
		if (e->fn->via && e->fn->via[0])
			field("seen by", e->fn->via);
		print_module(e);
	}
	field("process", text);
	if (e->call.parent) {
		snprintf(text, sizeof(text), "event %" PRIu64 " (depth %u)", e->call.parent, e->call.depth);
		field("inside", text);
	}
	if (e->fn->object && e->fn->object[0])
		field("library", e->fn->object);
	if (e->call.device >= 0) {
		snprintf(text, sizeof(text), "%d, stream 0x%" PRIx64, e->call.device, e->call.stream);
		field("device", text);
	}
	if (e->state == EKKA_EVENT_BEGUN)
		snprintf(text, sizeof(text), "%.6f s after the start; did not return", (double)(e->call.t_ns - s->open.mono_ns) / 1e9);
	else
		snprintf(text, sizeof(text), "%.6f s after the start, for %.1f us", (double)(e->call.t_ns - s->open.mono_ns) / 1e9,
			 (double)(e->ret_ns - e->call.t_ns) / 1e3);
	field("time", text);
	if (e->timed)
		field("GPU time", ekka_text_duration(e->gpu_ns, text, sizeof(text)));
	if (e->call.bad_args)
		field("invalid", e->call.bad_args);
}

static void print_values(const struct ekka_event *e)
{
	char text[256], name[256], type[256];

	heading("arguments");
	for (unsigned i = 0; i < e->call.n_args; i++) {
		bool known = i < e->fn->n_args;

		printf("  %-10s %-22s ", ekka_text_fit(known ? e->fn->args[i].name : "?", 0, name, sizeof(name)),
		       ekka_text_fit(known ? e->fn->args[i].type : "?", 0, type, sizeof(type)));
		ekka_text_print(stdout, ekka_value_text(&e->call.args[i], known ? e->fn->args[i].type : "", text, sizeof(text)));
		putchar('\n');
	}
	if (e->state != EKKA_EVENT_BEGUN && e->ret.kind != EKKA_V_NIL)
		field("returned", ekka_value_text(&e->ret, "", text, sizeof(text)));
	if (e->call.n_attrs)
		heading("attributes");
	for (unsigned i = 0; i < e->call.n_attrs; i++)
		field(e->call.attrs[i].name, ekka_attr_text(&e->call.attrs[i], text, sizeof(text)));
}

/* Statistics of one phase, or why there are none; nothing for a phase that was never wanted. */
static void print_phase(struct ekka_trace *trace, const struct ekka_event *e, unsigned i, enum ekka_phase phase)
{
	const struct ekka_tensor *t = &e->call.tensors[i];
	const struct ekka_event_data *data = &e->data[i][phase];
	struct ekka_tensor_view v;
	struct ekka_tensor_stats s;
	struct ekka_error err = { 0 };
	char message[1024];
	int r;

	if (!data->present && !(phase == EKKA_PRE ? t->pre : t->post))
		return;
	printf("    %-6s ", ekka_phase_name(phase));
	if (data->present && data->rec.missing) {
		printf("missing: ");
		ekka_text_print(stdout, data->rec.missing);
		putchar('\n');
		return;
	}
	r = ekka_tensor_view_init(&v, trace, e, i, phase, &err);
	if (r == 0)
		r = ekka_tensor_view_stats(&v, &s, &err);
	ekka_tensor_view_release(&v);
	if (r)
		printf("missing: %s\n", ekka_text_fit(err.message, 0, message, sizeof(message)));
	else
		printf("min %.6g  max %.6g  mean %.6g  abs max %.6g  NaN %" PRIu64 "  Inf %" PRIu64 "  zero %" PRIu64
		       "  denormal %" PRIu64 "\n", s.min, s.max, s.mean, s.abs_max, s.nan, s.inf, s.zeros, s.denormals);
}

enum { POINTERS_SHOWN = 8 };

/* Words of a raw buffer that lie in memory. */
static void print_pointers(const struct ekka_pointers *p, unsigned i)
{
	unsigned n = p->tensor[i].n, more = p->tensor[i].more;
	char bytes[32];

	for (unsigned k = 0; k < n && k < POINTERS_SHOWN; k++) {
		const struct ekka_pointer *at = &p->tensor[i].pointer[k];

		printf("    %-6s [%u] 0x%" PRIx64 ", %s into what event %" PRIu64 " allocated\n", k ? "" : "leads", at->word, at->addr,
		       ekka_text_bytes(at->offset, bytes, sizeof(bytes)), at->owner);
	}
	if (n > POINTERS_SHOWN || more)
		printf("           and %u more; --json has them\n", n - POINTERS_SHOWN + more);
}

static void print_tensors(struct ekka_trace *trace, const struct ekka_event *e)
{
	static struct ekka_pointers pointers;
	struct ekka_error err = { 0 };
	static const char *const dirs[] = { "?", "in", "out", "in/out" };
	char dims[128], strides[128], bytes[32], name[256];

	if (ekka_pointers_find(trace, e, &pointers, &err) < 0)
		ekka_message("where its buffers lead to: %s", err.message);
	if (e->call.n_tensors)
		heading("tensors");
	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		const struct ekka_tensor *t = &e->call.tensors[i];

		printf("  %s  %s %s [%s] strides [%s]", ekka_text_fit(t->name, 0, name, sizeof(name)), dirs[t->dir & EKKA_INOUT], ekka_dtype_name(t->dtype),
		       ekka_dims_text(t->dim, t->n_dims, ", ", dims, sizeof(dims)),
		       ekka_dims_text(t->stride, t->n_dims, ", ", strides, sizeof(strides)));
		if (t->offset)
			printf(" offset %" PRId64, t->offset);
		printf(" at 0x%" PRIx64 "%s", t->addr, t->place == EKKA_DEVICE ? " on the device" : "");
		if (t->n_ptrs)
			printf(" (%" PRIu64 " pointers)", t->n_ptrs);
		if (t->alias_of >= 0 && (unsigned)t->alias_of < e->call.n_tensors)
			printf(", a view of %s\n", ekka_text_fit(e->call.tensors[t->alias_of].name, 0, name, sizeof(name)));
		else
			printf(", %s%s\n", ekka_text_bytes(t->span_bytes, bytes, sizeof(bytes)), t->n_ptrs ? " each" : "");
		print_phase(trace, e, i, EKKA_PRE);
		print_phase(trace, e, i, EKKA_POST);
		print_pointers(&pointers, i);
	}
}

static void print_stack(const struct ekka_event *e)
{
	struct ekka_symbolizer *s;
	struct ekka_frame_info info;
	char text[1024];

	if (!e->stack)
		return;
	heading("stack");
	for (unsigned i = 0; i < e->stack->n_py; i++) {
		const struct ekka_pyframe *f = &e->stack->py[i];

		snprintf(text, sizeof(text), "%s:%d %s", f->file, f->line, f->func);
		field(i ? "" : "python", text);
	}
	s = ekka_symbolizer_new(e->segment);
	for (unsigned i = 0; s && i < e->stack->n_pc; i++) {
		ekka_symbolizer_lookup(s, e->stack->pc[i], &info);
		ekka_frame_info_format(&info, text, sizeof(text));
		field(i ? "" : "native", text);
	}
	ekka_symbolizer_free(s);
}

int ekka_show_text(struct ekka_trace *trace, const struct ekka_event *e)
{
	print_head(e);
	print_values(e);
	print_tensors(trace, e);
	print_stack(e);
	return EKKA_EXIT_CLEAN;
}
