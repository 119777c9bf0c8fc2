/* SPDX-License-Identifier: Apache-2.0 */
/* The report of a replay as one JSON object. Margins that JSON cannot hold are null; `margin_infinite` tells them from those not computed. */
#include "tools/caller.h"
#include "tools/command.h"
#include "tools/event.h"
#include "tools/json.h"
#include "tools/kernel_name.h"
#include "tools/message.h"
#include "tools/report.h"

#include "replay/sample.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void add_finite(struct json_object *o, const char *key, double v)
{
	ekka_json_add(o, key, isfinite(v) ? ekka_json_real(v) : NULL);
}

static void add_verdict(struct json_object *o, const struct ekka_event *e, const struct ekka_verdict *v)
{
	char text[256], *kernel = ekka_event_is_launch(e) ? ekka_kernel_demangle(e->fn->name) : NULL;

	ekka_json_add_uint(o, "event", v->event);
	ekka_json_add_text(o, "name", e->fn->name);
	if (kernel)
		ekka_json_add_text(o, "kernel", kernel);
	free(kernel);
	ekka_json_add_text(o, "title", ekka_event_title(e, text, sizeof(text)));
	ekka_json_add_text(o, "op", ekka_event_op(e));
	ekka_json_add_text(o, "verdict", ekka_status_name(v->status));
	add_finite(o, "margin", v->margin);
	ekka_json_add_bool(o, "margin_infinite", isinf(v->margin));
	ekka_json_add_bool(o, "screened", v->screened);
	ekka_json_add_text(o, "where", v->where);
	ekka_json_add_text(o, "looks_like", v->looks_like);
	ekka_json_add_text(o, "reason", v->reason);
	ekka_json_add_text(o, "audit", v->audit);
	ekka_json_add_text(o, "shapes", ekka_event_shapes(e, text, sizeof(text)));
	ekka_json_add_text(o, "dtype", ekka_event_dtypes(e, text, sizeof(text)));
}

static struct json_object *number(const double v[2], bool is_complex)
{
	struct json_object *pair;

	if (!is_complex)
		return ekka_json_real(v[0]);
	pair = ekka_json_array();
	ekka_json_append(pair, ekka_json_real(v[0]));
	ekka_json_append(pair, ekka_json_real(v[1]));
	return pair;
}

static void add_worst(struct json_object *o, const struct ekka_event *e, const struct ekka_verdict *v)
{
	struct json_object *index = ekka_json_array();
	int t = ekka_event_tensor_index(e, v->output);
	bool is_complex = t >= 0 && ekka_dtype_is_complex(e->call.tensors[t].dtype);

	for (unsigned i = 0; i < v->n_worst; i++)
		ekka_json_append(index, json_object_new_int64(v->worst[i]));
	ekka_json_add_text(o, "bound", v->bound);
	add_finite(o, "max_abs_error", v->max_abs_error);
	add_finite(o, "max_bound", v->max_bound);
	ekka_json_add_uint(o, "n_elements", v->n_elements);
	ekka_json_add_uint(o, "n_bad", v->n_bad);
	ekka_json_add_text(o, "output", v->output);
	ekka_json_add(o, "worst", index);
	ekka_json_add(o, "worst_out", number(v->worst_out, is_complex));
	ekka_json_add(o, "worst_ref", number(v->worst_ref, is_complex));
}

/* Lines of text, innermost first, Python before native. */
static struct json_object *stack(struct ekka_callers *callers, const struct ekka_event *e)
{
	struct json_object *list = ekka_json_array();
	struct ekka_symbolizer *s;
	struct ekka_frame_info info;
	char text[1024];

	if (!e->stack)
		return list;
	for (unsigned i = 0; i < e->stack->n_py; i++) {
		const struct ekka_pyframe *f = &e->stack->py[i];

		snprintf(text, sizeof(text), "%s:%d %s", f->file, f->line, f->func);
		ekka_json_append(list, ekka_json_text(text));
	}
	s = ekka_callers_symbolizer(callers, e->segment);
	for (unsigned i = 0; s && i < e->stack->n_pc; i++) {
		ekka_symbolizer_lookup(s, e->stack->pc[i], &info);
		ekka_frame_info_format(&info, text, sizeof(text));
		ekka_json_append(list, ekka_json_text(text));
	}
	return list;
}

static struct json_object *summary(const struct ekka_report *r)
{
	struct json_object *o = ekka_json_object();

	ekka_json_add_uint(o, "ops", r->ops);
	ekka_json_add_uint(o, "judged", r->judged);
	ekka_json_add_uint(o, "pass", r->count[EKKA_PASS]);
	ekka_json_add_uint(o, "fail", r->count[EKKA_FAIL]);
	ekka_json_add_uint(o, "undecided", r->count[EKKA_UNDECIDED]);
	ekka_json_add_uint(o, "unsupported", r->count[EKKA_UNSUPPORTED]);
	ekka_json_add_uint(o, "incomplete", r->count[EKKA_INCOMPLETE]);
	ekka_json_add_real(o, "coverage", r->coverage);
	ekka_json_add_uint(o, "dropped", r->dropped);
	ekka_json_add_uint(o, "seen_bytes", r->seen_bytes);
	ekka_json_add_uint(o, "known_bytes", r->known_bytes);
	ekka_json_add_uint(o, "stored_bytes", r->stored_bytes);
	ekka_json_add_uint(o, "not_sampled", r->not_sampled);
	if (r->not_sampled) {
		ekka_json_add_real(o, "miss_one", ekka_sample_miss(r->ops, r->judged, 1));
		ekka_json_add_real(o, "miss_1_in_100", ekka_sample_miss(r->ops, r->judged, ekka_sample_bad(r->ops, 100)));
		ekka_json_add_real(o, "miss_1_in_10", ekka_sample_miss(r->ops, r->judged, ekka_sample_bad(r->ops, 10)));
	}
	ekka_json_add_uint(o, "left_out", r->left_out);
	ekka_json_add_uint(o, "infected", r->infected);
	ekka_json_add_bool(o, "unclosed", r->unclosed);
	ekka_json_add_uint(o, "bytes_judged", r->bytes_judged);
	ekka_json_add_uint(o, "bytes_total", r->bytes_total);
	ekka_json_add_real(o, "coverage_bytes", r->bytes_total ? (double)r->bytes_judged / (double)r->bytes_total : 0);
	ekka_json_add_uint(o, "gpu_ns_judged", r->gpu_ns_judged);
	ekka_json_add_uint(o, "gpu_ns_total", r->gpu_ns_total);
	ekka_json_add_uint(o, "timed", r->timed);
	ekka_json_add_uint(o, "untimed", r->untimed);
	ekka_json_add(o, "coverage_gpu_time", r->timed ? ekka_json_real(r->gpu_ns_total ? (double)r->gpu_ns_judged / (double)r->gpu_ns_total : 0) : NULL);
	ekka_json_add_uint(o, "unjudged_elsewhere", r->unjudged_elsewhere);
	return o;
}

static struct json_object *sources(const struct ekka_report_source *report, const struct ekka_suspect *s)
{
	char tensor[64];

	struct json_object *list = ekka_json_array();

	for (unsigned i = 0; i < s->n_sources; i++) {
		const struct ekka_source *from = &s->source[i];
		struct json_object *o = ekka_json_object();

		ekka_json_add_text(o, "tensor", ekka_report_tensor(report, s->verdict.event, from->tensor, tensor, sizeof(tensor)));
		ekka_json_add_uint(o, "event", from->writer);
		ekka_json_add_text(o, "verdict", from->status < EKKA_STATUS_COUNT ? ekka_status_name(from->status) : "");
		ekka_json_append(list, o);
	}
	return list;
}

static struct json_object *suspect(struct ekka_callers *callers, const struct ekka_event *e, const struct ekka_suspect *s,
				   const struct ekka_report_source *report)
{
	struct json_object *o = ekka_json_object();
	char text[5000];

	ekka_json_add_uint(o, "rank", s->rank);
	add_verdict(o, e, &s->verdict);
	add_worst(o, e, &s->verdict);
	ekka_json_add(o, "sources", sources(report, s));
	ekka_json_add_uint(o, "infected", s->infected);
	ekka_json_add(o, "stack", stack(callers, e));
	ekka_json_add_text(o, "reproduce", ekka_report_reproduce(report, s->verdict.event, text, sizeof(text)));
	return o;
}

static struct json_object *unjudged(const struct ekka_event *e, const struct ekka_unjudged *u)
{
	struct json_object *o = ekka_json_object();
	char text[256];

	ekka_json_add_text(o, "verdict", ekka_status_name(u->status));
	ekka_json_add_text(o, "reason", u->reason);
	ekka_json_add_text(o, "name", e->fn->name);
	ekka_json_add_text(o, "title", ekka_event_title(e, text, sizeof(text)));
	ekka_json_add_uint(o, "events", u->events);
	ekka_json_add_uint(o, "bytes", u->bytes);
	ekka_json_add_uint(o, "gpu_ns", u->gpu_ns);
	ekka_json_add_uint(o, "first", u->first);
	return o;
}

static int add_unjudged(struct json_object *top, const struct ekka_report_source *from, const struct ekka_report *r)
{
	struct json_object *list = ekka_json_array();
	struct ekka_redescription memory;
	struct ekka_event e = { 0 };
	struct ekka_error err = { 0 };
	int status = 0;

	ekka_json_add(top, "unjudged", list);
	for (size_t i = 0; i < r->n_unjudged && !status; i++) {
		if (ekka_report_event(from, r->unjudged[i].first, &e, &memory, &err) != 0)
			status = ekka_fatal("%s", err.message);
		else
			ekka_json_append(list, unjudged(&e, &r->unjudged[i]));
	}
	ekka_event_release(&e);
	return status;
}

static struct json_object *notes(const struct ekka_report *r)
{
	struct json_object *list = ekka_json_array();

	for (size_t i = 0; i < r->n_notes; i++) {
		struct json_object *o = ekka_json_object();

		ekka_json_add_uint(o, "event", r->notes[i].event);
		ekka_json_add_text(o, "text", r->notes[i].text);
		ekka_json_append(list, o);
	}
	return list;
}

static int add_suspects(struct json_object *top, const struct ekka_report_source *from, const struct ekka_report *r)
{
	struct json_object *list = ekka_json_array();
	struct ekka_callers *callers = ekka_callers_new();
	struct ekka_redescription memory;
	struct ekka_event e = { 0 };
	struct ekka_error err = { 0 };
	int status = callers ? 0 : ekka_fatal("out of memory");

	ekka_json_add(top, "suspects", list);
	for (size_t i = 0; i < r->n_suspects && !status; i++) {
		if (ekka_report_event(from, r->suspects[i].verdict.event, &e, &memory, &err) != 0)
			status = ekka_fatal("%s", err.message);
		else
			ekka_json_append(list, suspect(callers, &e, &r->suspects[i], from));
	}
	ekka_event_release(&e);
	ekka_callers_free(callers);
	return status;
}

int ekka_report_json(const struct ekka_report_source *from, const struct ekka_report *r, struct json_object *verdicts, struct json_object *margins)
{
	struct json_object *top = ekka_json_object();
	int status;

	ekka_json_add(top, "summary", summary(r));
	status = add_suspects(top, from, r);
	ekka_json_add(top, "notes", notes(r));
	if (!status)
		status = add_unjudged(top, from, r);
	if (verdicts)
		ekka_json_add(top, "verdicts", verdicts);
	if (margins)
		ekka_json_add(top, "margins", margins);
	if (status)
		json_object_put(top);
	else
		ekka_json_print(top, true);
	return status;
}

struct json_object *ekka_report_json_verdicts(void)
{
	return ekka_json_array();
}

void ekka_report_json_verdict(struct json_object *list, const struct ekka_event *e, const struct ekka_verdict *v)
{
	struct json_object *o = ekka_json_object();

	add_verdict(o, e, v);
	add_worst(o, e, v);
	ekka_json_append(list, o);
}

void ekka_report_json_drop(struct json_object *list)
{
	json_object_put(list);
}
