/* SPDX-License-Identifier: Apache-2.0 */
/* Lists events, one at a time: a trace of any size needs the memory of one. */
#include "tools/caller.h"
#include "tools/command.h"
#include "tools/event.h"
#include "tools/json.h"
#include "tools/kernel_name.h"
#include "tools/message.h"
#include "tools/open.h"
#include "tools/term.h"
#include "tools/text.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>

static struct {
	bool json, incomplete, all;
	const char *only;
	uint64_t depth, thread, from, to;
} opt;

const struct ekka_option ekka_log_options[] = {
	{ .kind = EKKA_OPT_FLAG, .name = "json", .value = &opt.json, .help = "print one JSON object a line" },
	{ .kind = EKKA_OPT_FLAG, .name = "all", .value = &opt.all, .help = "also the driver's copies, fills, allocations and waits" },
	{ .kind = EKKA_OPT_TEXT, .name = "only", .metavar = "GLOB", .value = &opt.only,
	  .help = "only functions whose names match" },
	{ .kind = EKKA_OPT_NUMBER, .name = "depth", .metavar = "N", .value = &opt.depth,
	  .help = "only calls nested at most N deep; 0: those of the program itself (default: all)" },
	{ .kind = EKKA_OPT_NUMBER, .name = "thread", .metavar = "TID", .value = &opt.thread, .help = "only calls of this thread" },
	{ .kind = EKKA_OPT_NUMBER, .name = "from", .metavar = "EVENT", .value = &opt.from, .help = "begin with this event" },
	{ .kind = EKKA_OPT_NUMBER, .name = "to", .metavar = "EVENT", .value = &opt.to, .help = "end with this event" },
	{ .kind = EKKA_OPT_FLAG, .name = "incomplete", .value = &opt.incomplete,
	  .help = "only calls that did not finish or whose bytes are missing" },
	EKKA_OPTIONS_END
};

/* Columns of the table; caller 0: no limit. */
static struct {
	int number, name, shapes, dtype, status, caller;
} columns = { 7, 24, 26, 10, 12, 0 };

enum { GAPS = 5 * 2, CALLER_WANTED = 24, NARROW_NAME = 15, NARROW_SHAPES = 16, NARROW_DTYPE = 8, NARROW_STATUS = 11, LEAST_CALLER = 1 };

static int room_for_caller(void)
{
	return (int)ekka_term_width() - columns.number - columns.name - columns.shapes - columns.dtype - columns.status - GAPS;
}

/* On a narrow terminal the caller gets room at the cost of the other columns. */
static void fit_columns(void)
{
	if (!ekka_term_width())
		return;
	if (room_for_caller() < CALLER_WANTED) {
		columns.name = NARROW_NAME;
		columns.shapes = NARROW_SHAPES;
		columns.dtype = NARROW_DTYPE;
		columns.status = NARROW_STATUS;
	}
	columns.caller = room_for_caller() > LEAST_CALLER ? room_for_caller() : LEAST_CALLER;
}

/*
 * Of a Python package's path, where packages lie says nothing. Of a path that does not fit, leading folders go first: the file's name, the line
 * and the function say most.
 */
static const char *fit_caller(const char *line, char *buf, size_t len)
{
	static const char packages[] = "-packages/";
	const char *slash = strstr(line, packages);

	if (slash && line[0] == '/')
		line = slash + sizeof(packages) - 1;
	while (columns.caller && line[0] == '/' && strlen(line) > (size_t)columns.caller && (slash = strchr(line + 1, '/')))
		line = slash;
	if (columns.caller && line[0] == '/' && strlen(line) > (size_t)columns.caller)
		line++;
	return ekka_text_fit(line, (size_t)columns.caller, buf, len);
}

/* A function of the driver that computes nothing: there are many. A graph's launch is none. */
static bool is_aside(const struct ekka_event *e)
{
	return strcmp(e->fn->library, "driver") == 0 && !ekka_event_attr(e, "nodes");
}

static bool wanted(const struct ekka_event *e, unsigned n_missing)
{
	if (!opt.all && !opt.only && is_aside(e))
		return false;
	return (!opt.only || fnmatch(opt.only, e->fn->name, 0) == 0) && e->call.depth <= opt.depth &&
	       (!opt.thread || (uint64_t)e->call.tid == opt.thread) &&
	       (!opt.incomplete || e->state != EKKA_EVENT_COMPLETE || n_missing);
}

static struct json_object *missing_json(const struct ekka_event *e, const struct ekka_missing *missing, unsigned n)
{
	struct json_object *list = ekka_json_array();

	for (unsigned i = 0; i < n; i++) {
		struct json_object *o = ekka_json_object();

		ekka_json_add_text(o, "tensor", e->call.tensors[missing[i].tensor].name);
		ekka_json_add_text(o, "phase", ekka_phase_name(missing[i].phase));
		ekka_json_add_text(o, "why", missing[i].why);
		ekka_json_append(list, o);
	}
	return list;
}

static void print_json(struct ekka_callers *callers, const struct ekka_event *e, const struct ekka_missing *missing,
		       unsigned n_missing)
{
	struct json_object *o = ekka_json_object();
	char text[1024];

	ekka_json_add_uint(o, "event", e->number);
	ekka_json_add_text(o, "name", e->fn->name);
	ekka_json_add_uint(o, "depth", e->call.depth);
	ekka_json_add_text(o, "status", ekka_event_state_name(e->state));
	ekka_json_add(o, "missing", missing_json(e, missing, n_missing));
	ekka_json_add_text(o, "library", e->fn->library);
	ekka_json_add_text(o, "op", ekka_event_op(e));
	ekka_json_add_text(o, "shapes", ekka_event_shapes(e, text, sizeof(text)));
	ekka_json_add_text(o, "dtype", ekka_event_dtypes(e, text, sizeof(text)));
	ekka_json_add_uint(o, "parent", e->call.parent);
	ekka_json_add_uint(o, "group", e->call.group);
	ekka_json_add_int(o, "pid", e->segment->open.pid);
	ekka_json_add_int(o, "tid", e->call.tid);
	ekka_json_add_int(o, "device", e->call.device);
	ekka_json_add_uint(o, "t_ns", e->call.t_ns - e->segment->open.mono_ns);
	ekka_json_add(o, "duration_ns", e->state == EKKA_EVENT_BEGUN ? NULL : json_object_new_uint64(e->ret_ns - e->call.t_ns));
	ekka_json_add_text(o, "bad_args", e->call.bad_args);
	ekka_json_add_text(o, "caller", ekka_callers_line(callers, e));
	ekka_json_print(o, false);
}

static void print_head(void)
{
	printf("%s%*s  %-*s  %-*s  %-*s  %-*s  %s%s\n", ekka_colour(EKKA_BOLD), columns.number, "EVENT", columns.name, "FUNCTION",
	       columns.shapes, "SHAPES", columns.dtype, "DTYPE", columns.status, "STATUS", "CALLER", ekka_colour(EKKA_PLAIN));
}

static void print_row(struct ekka_callers *callers, const struct ekka_event *e, unsigned n_missing)
{
	int indent = e->call.depth < 8 ? (int)e->call.depth : 8;
	bool fine = e->state == EKKA_EVENT_COMPLETE && !n_missing && !e->call.bad_args;
	char text[1024], full[1024], name[256], shapes[1024], caller[1024], status[32];

	if (e->state == EKKA_EVENT_COMPLETE && e->call.bad_args)
		snprintf(status, sizeof(status), "bad args");
	else if (n_missing)
		snprintf(status, sizeof(status), "%s -%u", ekka_event_state_name(e->state), n_missing);
	else
		snprintf(status, sizeof(status), "%s", ekka_event_state_name(e->state));
	ekka_text_fit(ekka_event_name(e, full, sizeof(full)), (size_t)(columns.name - indent), name, sizeof(name));
	ekka_text_fit(ekka_event_shapes(e, text, sizeof(text)), ekka_term_width() ? (size_t)columns.shapes : 0, shapes, sizeof(shapes));
	printf("%*" PRIu64 "  %*s%-*s  %-*s  %-*s  %s%-*s%s  %s\n", columns.number, e->number, indent, "", columns.name - indent, name,
	       columns.shapes, shapes, columns.dtype, ekka_event_dtypes(e, text, sizeof(text)),
	       ekka_colour(fine ? EKKA_PLAIN : EKKA_YELLOW), columns.status, status, ekka_colour(EKKA_PLAIN),
	       fit_caller(ekka_callers_line(callers, e), caller, sizeof(caller)));
}

static int list(struct ekka_trace *trace, struct ekka_callers *callers)
{
	uint64_t last = ekka_trace_n_events(trace);
	struct ekka_missing missing[EKKA_MAX_MISSING];
	struct ekka_event e = { 0 };
	struct ekka_error err = { 0 };
	int status = EKKA_EXIT_CLEAN;

	if (opt.to < last)
		last = opt.to;
	if (!opt.json) {
		fit_columns();
		print_head();
	}
	for (uint64_t i = opt.from; i <= last && !ferror(stdout); i++) {
		unsigned n_missing;

		if (ekka_trace_event_read(trace, i, &e, &err) != 0) {
			status = ekka_fatal("event %" PRIu64 ": %s", i, err.message);
			continue;
		}
		n_missing = ekka_event_missing(&e, missing);
		if (!wanted(&e, n_missing))
			continue;
		if (opt.json)
			print_json(callers, &e, missing, n_missing);
		else
			print_row(callers, &e, n_missing);
	}
	ekka_event_release(&e);
	return status;
}

/* A listing that is not all there says so. */
static void tell_shortcomings(const struct ekka_trace *trace)
{
	uint64_t dropped = 0;
	size_t n = ekka_trace_n_segments(trace), n_unclosed = 0;

	for (size_t i = 0; i < n; i++) {
		const struct ekka_segment *s = ekka_trace_segment(trace, i);

		n_unclosed += !s->closed;
		for (unsigned d = 0; s->closed && d < s->close.n_dropped; d++)
			dropped += s->close.dropped[d].n;
	}
	if (n_unclosed)
		ekka_warning("%zu of %zu processes were killed, or still run: their last calls may be missing", n_unclosed, n);
	if (dropped)
		ekka_warning("the recording dropped %" PRIu64 " calls or tensors; 'ekka fsck' says why", dropped);
}

int ekka_cmd_log(const struct ekka_command *self, int argc, char **argv)
{
	struct ekka_trace *trace;
	struct ekka_callers *callers;
	const char *path;
	int status, i;

	opt.depth = opt.to = UINT64_MAX;
	opt.from = 1;
	i = ekka_command_parse(self, argc, argv, &status);
	if (i < 0 || (status = ekka_operand_trace(self, argc, argv, i, &path)))
		return status;
	if (opt.from < 1)
		return ekka_command_usage_error(self, "events are numbered from 1");
	if ((status = ekka_open_trace(path, &trace, &path)))
		return status;
	callers = ekka_callers_new();
	if (!callers) {
		ekka_trace_close(trace);
		return ekka_fatal("out of memory");
	}
	if (!opt.json)
		ekka_pager_start();
	status = list(trace, callers);
	ekka_pager_finish();
	tell_shortcomings(trace);
	ekka_callers_free(callers);
	ekka_trace_close(trace);
	return status;
}
