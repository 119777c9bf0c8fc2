/* SPDX-License-Identifier: Apache-2.0 */
/* The report of a replay for people. */
#include "tools/caller.h"
#include "tools/command.h"
#include "tools/event.h"
#include "tools/kernel_name.h"
#include "tools/message.h"
#include "tools/report.h"
#include "tools/term.h"
#include "tools/text.h"

#include "replay/sample.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FURTHER = 20, MAX_FRAMES = 4, MAX_UNJUDGED = 5, MAX_NOTES = 5, NAME_COLUMNS = 22, LIST_COLUMNS = 34, MARGIN_COLUMNS = 10 };

/* An infinite margin: a number that is not the only right one; else it is NaN or Inf that is in the wrong place. */
static bool is_inexact(const struct ekka_verdict *v)
{
	return isinf(v->margin) && v->max_bound == 0 && isfinite(v->max_abs_error) && isfinite(v->worst_out[0]) && isfinite(v->worst_ref[0]);
}

static const char *margin_text(const struct ekka_verdict *v, char *buf, size_t len)
{
	if (isnan(v->margin))
		snprintf(buf, len, "-");
	else if (isinf(v->margin))
		snprintf(buf, len, "%s", is_inexact(v) ? "inf" : "NaN/Inf");
	else
		snprintf(buf, len, "%.3g", v->margin);
	return buf;
}

static enum ekka_colour colour_of(enum ekka_status s)
{
	return s == EKKA_FAIL ? EKKA_RED : s == EKKA_PASS ? EKKA_GREEN : EKKA_YELLOW;
}

/* What an event does, fit for a terminal. */
static const char *title(const struct ekka_event *e, char *buf, size_t len)
{
	char text[256];

	ekka_text_fit(ekka_event_title(e, text, sizeof(text)), 0, buf, len);
	return buf;
}

/* Why, in the words of the verdict that say most. */
static const char *why(const struct ekka_verdict *v)
{
	return v->where[0] ? v->where : v->reason[0] ? v->reason : v->audit;
}

void ekka_report_text_verdict(const struct ekka_event *e, const struct ekka_verdict *v)
{
	char shapes[256], dtypes[64], margin[32], name[256], text[256];

	printf("%7" PRIu64 "  %s%-11s%s  %-*s  %-24s  %-9s  %-*s  ", e->number, ekka_colour(colour_of(v->status)),
	       ekka_status_name(v->status), ekka_colour(EKKA_PLAIN), LIST_COLUMNS,
	       ekka_text_fit(ekka_event_title(e, text, sizeof(text)), LIST_COLUMNS, name, sizeof(name)), ekka_event_shapes(e, shapes, sizeof(shapes)),
	       ekka_event_dtypes(e, dtypes, sizeof(dtypes)), MARGIN_COLUMNS,
	       v->screened ? "screened" : margin_text(v, margin, sizeof(margin)));
	if (ekka_event_has_meaning(e))	/* the function's name did not come yet */
		printf("%s%s", ekka_text_fit(ekka_event_name(e, shapes, sizeof(shapes)), 0, name, sizeof(name)), *why(v) ? ": " : "");
	ekka_text_print(stdout, why(v));
	putchar('\n');
}

static void field(const char *label, const char *text)
{
	if (!*text)
		return;
	printf("   %-12s ", label);
	ekka_text_print(stdout, text);
	putchar('\n');
}

/* "0.25" or "0.25-1.5i" */
static const char *value_text(const double v[2], bool is_complex, char *buf, size_t len)
{
	if (is_complex)
		snprintf(buf, len, "%.9g%+.9gi", v[0], v[1]);
	else
		snprintf(buf, len, "%.9g", v[0]);
	return buf;
}

static void print_size(const struct ekka_event *e, const struct ekka_verdict *v)
{
	char text[2 * EKKA_TEXT], index[128], out[64], ref[64];
	int t = ekka_event_tensor_index(e, v->output);
	bool is_complex = t >= 0 && ekka_dtype_is_complex(e->call.tensors[t].dtype);

	if (isnan(v->margin))
		return;
	if (is_inexact(v))
		snprintf(text, sizeof(text), "off by %.3g where only one result is right (%s)", v->max_abs_error, v->bound);
	else if (isinf(v->margin))
		snprintf(text, sizeof(text), "NaN or Inf where the reference has none, or the reverse");
	else
		snprintf(text, sizeof(text), "%.3g times the bound; off by %.3g where %.3g is the most (%s)", v->margin,
			 v->max_abs_error, v->max_bound, v->bound);
	field("how much", text);
	if (!v->n_worst)
		return;
	snprintf(text, sizeof(text), "%s[%s] is %s, should be %s", v->output,
		 ekka_dims_text(v->worst, v->n_worst, ", ", index, sizeof(index)),
		 value_text(v->worst_out, is_complex, out, sizeof(out)), value_text(v->worst_ref, is_complex, ref, sizeof(ref)));
	field("worst", text);
}

/* The function behind an op: a kernel in full, with its launch, and where its meaning came from. */
static void print_function(const struct ekka_event *e)
{
	enum { NAME_MOST = 400 };
	const struct ekka_value *from = ekka_event_attr(e, "description");
	char shape[160], text[NAME_MOST + 200], *name;

	if (!ekka_event_is_launch(e)) {
		field("function", ekka_event_has_meaning(e) ? e->fn->name : "");
		return;
	}
	name = ekka_kernel_demangle(e->fn->name);
	snprintf(text, sizeof(text), "%.*s%s %s", NAME_MOST, name ? name : e->fn->name, strlen(name ? name : e->fn->name) > NAME_MOST ? "..." : "",
		 ekka_launch_shape(e, shape, sizeof(shape)));
	free(name);
	field("kernel", text);
	field("described", from && from->kind == EKKA_V_STR ? from->s : "");
}

/* The attributes that the op goes by. */
static void print_meaning(const struct ekka_event *e)
{
	static const char *const said[] = { "op", "description", "nodes", "kernels" };
	char text[1024] = "", value[256];
	size_t at = 0;

	if (!ekka_event_has_meaning(e))
		return;
	at = (size_t)snprintf(text, sizeof(text), "%s", ekka_event_op(e));
	for (unsigned i = 0; i < e->call.n_attrs && at < sizeof(text); i++) {
		const struct ekka_attr *a = &e->call.attrs[i];
		bool known = ekka_is_launch_attr(a->name);

		for (size_t k = 0; k < sizeof(said) / sizeof(*said); k++)
			known = known || strcmp(a->name, said[k]) == 0;
		if (!known)
			at += (size_t)snprintf(text + at, sizeof(text) - at, ", %s %s", a->name, ekka_attr_text(a, value, sizeof(value)));
	}
	field("computes", text);
}

/* The innermost Python frame, then a few native ones: the caller alone is often just a wrapper. */
static void print_callers(struct ekka_callers *callers, const struct ekka_event *e)
{
	struct ekka_symbolizer *s;
	struct ekka_frame_info info;
	const char *label = "called from";
	char text[1024];

	if (!e->stack)
		return;
	if (e->stack->n_py) {
		field(label, ekka_callers_line(callers, e));
		label = "";
	}
	s = ekka_callers_symbolizer(callers, e->segment);
	for (unsigned i = 0; s && i < e->stack->n_pc && i < MAX_FRAMES; i++) {
		ekka_symbolizer_lookup(s, e->stack->pc[i], &info);
		ekka_frame_info_format(&info, text, sizeof(text));
		field(label, text);
		label = "";
	}
}

/* Who wrote what the suspect read. */
static void print_sources(const struct ekka_report_source *from, const struct ekka_suspect *s)
{
	char text[1024], name[64], tensor[64];
	size_t at = 0;

	for (unsigned i = 0; i < s->n_sources && at < sizeof(text); i++) {
		const struct ekka_source *source = &s->source[i];
		bool judged = source->status < EKKA_STATUS_COUNT;
		struct ekka_redescription memory;
		struct ekka_event writer = { 0 };
		struct ekka_error ignored = { 0 };
		bool found = ekka_report_event(from, source->writer, &writer, &memory, &ignored) == 0;

		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s by event %" PRIu64 " %s%s%s%s", i ? "; " : "",
				       ekka_report_tensor(from, s->verdict.event, source->tensor, tensor, sizeof(tensor)), source->writer,
				       found ? title(&writer, name, sizeof(name)) : "", judged ? " (" : "",
				       judged ? ekka_status_name(source->status) : "", judged ? ")" : "");
		ekka_event_release(&writer);
	}
	if (s->n_more_sources && at < sizeof(text))
		snprintf(text + at, sizeof(text) - at, "; and %u more", s->n_more_sources);
	field("inputs", s->n_sources ? text : "");
}

static void print_first(const struct ekka_report_source *from, struct ekka_callers *callers, const struct ekka_event *e, const struct ekka_suspect *s)
{
	const struct ekka_verdict *v = &s->verdict;
	char shapes[256], dtypes[64], text[5000], name[256];

	printf("%s%u. %sevent %" PRIu64 ": %s %s %s, %s%s\n", ekka_colour(EKKA_BOLD), s->rank,
	       ekka_colour(colour_of(v->status)), v->event, title(e, name, sizeof(name)),
	       ekka_event_shapes(e, shapes, sizeof(shapes)), ekka_event_dtypes(e, dtypes, sizeof(dtypes)), ekka_status_name(v->status), ekka_colour(EKKA_PLAIN));
	print_meaning(e);
	print_function(e);
	if (v->where[0] && v->n_bad == 0)	/* what is wrong is no element */
		snprintf(text, sizeof(text), "%s", v->where);
	else
		snprintf(text, sizeof(text), "%s%s%" PRIu64 " of %" PRIu64 " elements of %s", v->where, v->where[0] ? ": " : "", v->n_bad,
			 v->n_elements, v->output);
	if (v->status == EKKA_FAIL)
		field("where", text);
	print_size(e, v);
	field("looks", v->looks_like);
	print_sources(from, s);
	if (s->infected) {
		snprintf(text, sizeof(text), "%" PRIu64 " later calls computed with what it wrote", s->infected);
		field("after it", text);
	}
	field("reason", v->reason);
	field("arguments", v->audit);
	print_callers(callers, e);
	field("reproduce", ekka_report_reproduce(from, v->event, text, sizeof(text)));
}

static void print_row(const struct ekka_event *e, const struct ekka_suspect *s)
{
	unsigned width = ekka_term_width();
	char name[64], margin[32], text[EKKA_TEXT + 16];

	ekka_text_fit(ekka_event_title(e, text, sizeof(text)), NAME_COLUMNS, name, sizeof(name));
	ekka_text_fit(why(&s->verdict), width > 56 ? width - 56 : width ? 8 : 0, text, sizeof(text));
	printf("%4u  %7" PRIu64 "  %-*s  %-7.7s  %-*s  %s\n", s->rank, s->verdict.event, NAME_COLUMNS, name,
	       ekka_status_name(s->verdict.status), MARGIN_COLUMNS, margin_text(&s->verdict, margin, sizeof(margin)), text);
}

static int print_suspects(const struct ekka_report_source *from, struct ekka_callers *callers, const struct ekka_report *r)
{
	struct ekka_redescription memory;
	struct ekka_event e = { 0 };
	struct ekka_error err = { 0 };
	int status = 0;

	for (size_t i = 0; i < r->n_suspects && i <= MAX_FURTHER && !status; i++) {
		if (ekka_report_event(from, r->suspects[i].verdict.event, &e, &memory, &err) != 0) {
			status = ekka_fatal("%s", err.message);
			break;
		}
		if (i == 0)
			print_first(from, callers, &e, &r->suspects[i]);
		if (i == 1)
			printf("\n%sRANK    EVENT  %-*s  VERDICT  %-*s  WHERE%s\n", ekka_colour(EKKA_BOLD), NAME_COLUMNS, "FUNCTION",
			       MARGIN_COLUMNS, "MARGIN", ekka_colour(EKKA_PLAIN));
		if (i > 0)
			print_row(&e, &r->suspects[i]);
	}
	if (r->n_suspects > MAX_FURTHER + 1)
		printf("and %zu more; --json has them\n", r->n_suspects - MAX_FURTHER - 1);
	if (r->n_suspects)
		putchar('\n');
	ekka_event_release(&e);
	return status;
}

/* No faults, but what an engineer would look at. */
static int print_notes(const struct ekka_report_source *from, const struct ekka_report *r)
{
	struct ekka_redescription memory;
	struct ekka_event e = { 0 };
	struct ekka_error err = { 0 };
	char name[64];

	if (r->n_notes)
		printf("%sworth a look:%s\n", ekka_colour(EKKA_BOLD), ekka_colour(EKKA_PLAIN));
	for (size_t i = 0; i < r->n_notes && i < MAX_NOTES; i++) {
		if (ekka_report_event(from, r->notes[i].event, &e, &memory, &err) != 0)
			return ekka_fatal("%s", err.message);
		printf("   event %" PRIu64 ", %s: ", r->notes[i].event, title(&e, name, sizeof(name)));
		ekka_text_print(stdout, r->notes[i].text);
		putchar('\n');
	}
	if (r->n_notes > MAX_NOTES)
		printf("   and %" PRIu64 " more; --json has them\n", r->n_notes - MAX_NOTES + r->more_notes);
	if (r->n_notes)
		putchar('\n');
	ekka_event_release(&e);
	return 0;
}

/* What is missing most, so that a user sees at once what to describe. */
static int print_unjudged(const struct ekka_report_source *from, const struct ekka_report *r)
{
	uint64_t more = r->unjudged_elsewhere;
	struct ekka_event e = { 0 };
	struct ekka_error err = { 0 };

	if (r->n_unjudged)
		printf("%snot judged:%s\n", ekka_colour(EKKA_BOLD), ekka_colour(EKKA_PLAIN));
	for (size_t i = 0; i < r->n_unjudged; i++) {
		const struct ekka_unjudged *u = &r->unjudged[i];
		struct ekka_redescription memory;
		char name[64], bytes[32];

		if (i >= MAX_UNJUDGED) {
			more += u->events;
			continue;
		}
		if (ekka_report_event(from, u->first, &e, &memory, &err) != 0)
			return ekka_fatal("%s", err.message);
		printf("%8" PRIu64 " call%s, %s: %s, %s: ", u->events, u->events == 1 ? "" : "s", ekka_text_bytes(u->bytes, bytes, sizeof(bytes)),
		       title(&e, name, sizeof(name)), ekka_status_name(u->status));
		ekka_text_print(stdout, u->reason);
		printf(" (event %" PRIu64 "%s)\n", u->first, u->events > 1 ? " is the first" : "");
	}
	if (more)
		printf("%8" PRIu64 " call%s for other reasons; --json has them\n", more, more == 1 ? "" : "s");
	if (r->n_unjudged)
		putchar('\n');
	ekka_event_release(&e);
	return 0;
}

static void print_summary(const struct ekka_report *r)
{
	char judged[32], total[32];
	bool wrong = r->count[EKKA_FAIL] || r->n_suspects;
	bool whole = r->ops && r->judged == r->ops && !r->dropped && !r->unclosed;

	printf("%s%s%s: %" PRIu64 " of %" PRIu64 " calls judged (%.4g %%), %s of %s of their outputs (%.4g %%)\n",
	       ekka_colour(wrong ? EKKA_RED : whole ? EKKA_GREEN : EKKA_YELLOW),
	       wrong ? "something is wrong" : whole ? "nothing wrong found" : r->ops ? "nothing wrong found in what could be judged" :
	       "nothing was judged",
	       ekka_colour(EKKA_PLAIN), r->judged, r->ops, 100 * r->coverage,
	       ekka_text_bytes(r->bytes_judged, judged, sizeof(judged)), ekka_text_bytes(r->bytes_total, total, sizeof(total)),
	       r->bytes_total ? 100 * (double)r->bytes_judged / (double)r->bytes_total : 0);
	printf("pass %" PRIu64 ", fail %" PRIu64 ", undecided %" PRIu64 ", unsupported %" PRIu64 ", incomplete %" PRIu64
	       "; dropped by the recording: %s%" PRIu64 "\n", r->count[EKKA_PASS], r->count[EKKA_FAIL], r->count[EKKA_UNDECIDED],
	       r->count[EKKA_UNSUPPORTED], r->count[EKKA_INCOMPLETE], r->unclosed ? "at least " : "", r->dropped);
	if (r->timed) {
		printf("of the GPU time measured, %s, judged: %.4g %%", ekka_text_duration(r->gpu_ns_total, total, sizeof(total)),
		       r->gpu_ns_total ? 100 * (double)r->gpu_ns_judged / (double)r->gpu_ns_total : 0);
		if (r->untimed)
			printf("; the time of %" PRIu64 " calls is not known", r->untimed);
		putchar('\n');
	}
	if (r->infected)
		printf("passed, but fed by a call that failed: %" PRIu64 "\n", r->infected);
	if (r->not_sampled)
		printf("sampled: %" PRIu64 " of %" PRIu64 " calls left alone; a fault in one call is missed with probability %.3g, in 1 %% of the calls %.3g, in 10 %% %.3g\n",
		       r->not_sampled, r->ops, ekka_sample_miss(r->ops, r->judged, 1),
		       ekka_sample_miss(r->ops, r->judged, ekka_sample_bad(r->ops, 100)),
		       ekka_sample_miss(r->ops, r->judged, ekka_sample_bad(r->ops, 10)));
	if (r->left_out)
		printf("left out by the recording's settings, hence not among these calls: %" PRIu64 "\n", r->left_out);
	if (r->unclosed)
		printf("a process was killed, or still runs: its last calls may be missing\n");
}

int ekka_report_text(const struct ekka_report_source *from, const struct ekka_report *r)
{
	struct ekka_callers *callers = ekka_callers_new();
	int status;

	if (!callers)
		return ekka_fatal("out of memory");
	status = print_suspects(from, callers, r);
	if (!status)
		status = print_notes(from, r);
	if (!status)
		status = print_unjudged(from, r);
	print_summary(r);
	ekka_callers_free(callers);
	return status;
}
