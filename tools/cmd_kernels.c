/* SPDX-License-Identifier: Apache-2.0 */
/* Every kernel of a trace: how often it was launched, for how long, in how many shapes, by which library call, and what descriptions say of it. */
#include "replay/redescribe.h"
#include "tools/command.h"
#include "tools/event.h"
#include "tools/json.h"
#include "tools/kernel_name.h"
#include "tools/kernels_skeleton.h"
#include "tools/kernels_time.h"
#include "tools/message.h"
#include "tools/open.h"
#include "tools/term.h"
#include "tools/text.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct {
	bool json;
	const char *only, *kernels, *skeleton, *check;
} opt;

const struct ekka_option ekka_kernels_options[] = {
	{ .kind = EKKA_OPT_FLAG, .name = "json", .value = &opt.json, .help = "print one JSON object a line" },
	{ .kind = EKKA_OPT_TEXT, .name = "only", .metavar = "GLOB", .value = &opt.only,
	  .help = "only kernels whose mangled or demangled names match" },
	{ .kind = EKKA_OPT_TEXT, .name = "kernels", .metavar = "PATHS", .value = &opt.kernels, .complete = "@file",
	  .help = "descriptions to look into before those that are built in: files and folders, separated by colons" },
	{ .kind = EKKA_OPT_TEXT, .name = "skeleton", .metavar = "NAME", .value = &opt.skeleton,
	  .help = "print a description to start from, for the first kernel with NAME in its mangled or demangled name" },
	{ .kind = EKKA_OPT_TEXT, .name = "check", .metavar = "PATHS", .value = &opt.check, .complete = "@file",
	  .help = "only say what is wrong with these descriptions: files and folders, separated by colons" },
	EKKA_OPTIONS_END
};

struct parent { const char *name; uint64_t launches; };		/* name "": the program itself */

struct kernel {
	const char *name;		/* mangled; the trace's */
	char *text;			/* demangled */
	uint64_t launches, outside;	/* outside: of library calls, which are judged themselves */
	uint64_t first;			/* event */
	uint64_t gpu_ns, timed;		/* of launches whose time is known, and how many those are */
	uint64_t *shapes;		/* hashes of distinct grids and blocks */
	size_t n_shapes;
	struct parent *parents;
	size_t n_parents;
	const struct ekka_binding *binding;	/* NULL: no description has its name */
	uint64_t described, nothing, refused;	/* launches: with an op, with nothing to judge, refused */
	uint64_t covered;			/* outside, with an op or nothing to judge */
	char op[32];				/* of the first that has one */
	char *reason;				/* of the first that was refused */
};

static struct {
	struct kernel *k;
	size_t n;
	uint64_t launches;
	struct ekka_kernels_time time;
	struct ekka_descriptions *descriptions;
} all;

/* A larger array of n + 1 items; ends the command when there is no memory. */
static void *one_more(void *array, size_t n, size_t item_bytes)
{
	/* Grows in powers of two. */
	if (n & (n - 1))
		return array;
	array = reallocarray(array, n ? 2 * n : 1, item_bytes);
	if (!array)
		exit(ekka_fatal("out of memory"));
	return array;
}

static struct kernel *kernel_of(const char *name)
{
	struct kernel *k;

	for (size_t i = 0; i < all.n; i++)
		if (all.k[i].name == name || strcmp(all.k[i].name, name) == 0)
			return &all.k[i];
	all.k = one_more(all.k, all.n, sizeof(*all.k));
	k = &all.k[all.n++];
	*k = (struct kernel){ .name = name, .text = ekka_kernel_demangle(name) };
	if (!k->text)
		exit(ekka_fatal("out of memory"));
	k->binding = ekka_descriptions_bind(all.descriptions, name);
	return k;
}

static void add_refusal(struct kernel *k, const char *reason)
{
	k->refused++;
	if (!k->reason)
		k->reason = strdup(reason);
}

static void add_meaning(struct kernel *k, const struct ekka_event *e)
{
	static struct ekka_meaning m;
	static struct ekka_relaunch launch;

	if (!k->binding)
		return;
	if (!ekka_relaunch_init(&launch, e)) {
		add_refusal(k, "the trace does not have its parameters");
		return;
	}
	ekka_describe(k->binding, &launch.facts, &m);
	k->covered += e->call.parent == 0 && (m.nothing || m.op);
	if (m.nothing) {
		k->nothing++;
	} else if (m.op) {
		k->described++;
		if (!k->op[0])
			snprintf(k->op, sizeof(k->op), "%s", m.op);
	} else {
		add_refusal(k, m.refused);
	}
}

static void add_shape(struct kernel *k, const struct ekka_event *e)
{
	static const char *const names[] = { "grid_x", "grid_y", "grid_z", "block_x", "block_y", "block_z" };
	uint64_t h = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const struct ekka_value *v = ekka_event_attr(e, names[i]);

		h = (h ^ (v ? v->u : 0)) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	for (size_t i = 0; i < k->n_shapes; i++)
		if (k->shapes[i] == h)
			return;
	k->shapes = one_more(k->shapes, k->n_shapes, sizeof(*k->shapes));
	k->shapes[k->n_shapes++] = h;
}

static void add_parent(struct kernel *k, const char *name)
{
	for (size_t i = 0; i < k->n_parents; i++) {
		if (strcmp(k->parents[i].name, name) == 0) {
			k->parents[i].launches++;
			return;
		}
	}
	k->parents = one_more(k->parents, k->n_parents, sizeof(*k->parents));
	k->parents[k->n_parents++] = (struct parent){ name, 1 };
}

static void add_time(size_t kernel, uint64_t ns)
{
	all.k[kernel].gpu_ns += ns;
	all.k[kernel].timed++;
}

/* Where it was made, and whose its time is. Launches of one call follow each other: `parent` keeps what was read last. */
static void add_place(struct kernel *k, struct ekka_trace *trace, const struct ekka_event *e, struct ekka_event *parent)
{
	size_t kernel = (size_t)(k - all.k);
	struct ekka_error err = { 0 };

	if (e->call.parent == 0) {
		add_parent(k, "");
		if (e->timed)
			add_time(kernel, e->gpu_ns);
	} else if (parent->number != e->call.parent && ekka_trace_event_read(trace, e->call.parent, parent, &err) < 0) {
		add_parent(k, "?");
	} else {
		add_parent(k, parent->fn->name);
		ekka_kernels_time_add_inner(&all.time, parent, kernel);
	}
}

static int collect(struct ekka_trace *trace)
{
	struct ekka_event e = { 0 }, parent = { 0 };
	struct ekka_error err = { 0 };
	int status = EKKA_EXIT_CLEAN;

	for (uint64_t i = 1; i <= ekka_trace_n_events(trace); i++) {
		if (ekka_trace_event_read(trace, i, &e, &err) < 0) {
			ekka_message("event %" PRIu64 ": %s", i, err.message);
			status = EKKA_EXIT_FATAL;
			continue;
		}
		ekka_kernels_time_add(&all.time, &e);
		if (!ekka_event_is_launch(&e))
			continue;
		struct kernel *k = kernel_of(e.fn->name);
		k->first = k->first ? k->first : i;
		k->launches++;
		k->outside += e.call.parent == 0;
		all.launches++;
		add_shape(k, &e);
		add_meaning(k, &e);
		add_place(k, trace, &e, &parent);
	}
	ekka_kernels_time_split(&all.time, add_time);
	ekka_event_release(&e);
	ekka_event_release(&parent);
	return status;
}

/* Most time first, where it is known, then most launches. */
static int by_weight(const void *a, const void *b)
{
	const struct kernel *x = a, *y = b;

	if (x->gpu_ns != y->gpu_ns)
		return x->gpu_ns < y->gpu_ns ? 1 : -1;
	if (x->launches != y->launches)
		return x->launches < y->launches ? 1 : -1;
	return strcmp(x->name, y->name);
}

static int by_share(const void *a, const void *b)
{
	const struct parent *x = a, *y = b;

	if (x->launches != y->launches)
		return x->launches < y->launches ? 1 : -1;
	return strcmp(x->name, y->name);
}

static double share(const struct kernel *k)
{
	return (double)k->launches / (double)all.launches;
}

/* Of all the time that was measured. */
static double time_share(const struct kernel *k)
{
	return all.time.total_ns ? (double)k->gpu_ns / (double)all.time.total_ns : 0;
}

static void print_json(const struct kernel *k)
{
	struct json_object *o = ekka_json_object(), *parents = ekka_json_array();

	ekka_json_add_text(o, "kernel", k->text);
	ekka_json_add_text(o, "name", k->name);
	ekka_json_add_uint(o, "launches", k->launches);
	ekka_json_add_real(o, "share", share(k));
	ekka_json_add(o, "gpu_ns", k->timed ? json_object_new_uint64(k->gpu_ns) : NULL);
	ekka_json_add(o, "gpu_time_share", k->timed ? ekka_json_real(time_share(k)) : NULL);
	ekka_json_add_uint(o, "timed", k->timed);
	ekka_json_add_uint(o, "shapes", k->n_shapes);
	for (size_t i = 0; i < k->n_parents; i++) {
		struct json_object *p = ekka_json_object();

		ekka_json_add_text(p, "name", k->parents[i].name[0] ? k->parents[i].name : NULL);
		ekka_json_add_uint(p, "launches", k->parents[i].launches);
		ekka_json_append(parents, p);
	}
	ekka_json_add(o, "parents", parents);
	ekka_json_add_text(o, "op", k->op[0] ? k->op : NULL);
	ekka_json_add_uint(o, "described", k->described);
	ekka_json_add_uint(o, "nothing", k->nothing);
	ekka_json_add_uint(o, "refused", k->refused);
	ekka_json_add_text(o, "reason", k->reason);
	ekka_json_print(o, false);
}

enum { PARENT_COLUMNS = 24, MEANING_COLUMNS = 12, NUMBER_COLUMNS = 9 + 2 + 6 + 2 + 8 + 2 + 6 + 2, COLUMNS_BEFORE_NAME = NUMBER_COLUMNS + MEANING_COLUMNS + 2 + PARENT_COLUMNS + 2 };

static void print_head(void)
{
	printf("%s%9s  %6s  %8s  %6s  %-*s  %-*s  %s%s\n", ekka_colour(EKKA_BOLD), "LAUNCHES", "SHARE", "GPU TIME", "SHAPES", MEANING_COLUMNS, "MEANING",
	       PARENT_COLUMNS, "INSIDE", "KERNEL", ekka_colour(EKKA_PLAIN));
}

static const char *meaning(const struct kernel *k)
{
	return k->refused ? "refused" : k->op[0] ? k->op : k->nothing ? "nothing" : "-";
}

static void print_row(const struct kernel *k)
{
	size_t width = ekka_term_width();
	char parent[256], text[256], time[16], name[4096], *pattern = k->text + ekka_return_type_length(k->text);

	snprintf(text, sizeof(text), "%s%s", k->parents[0].name[0] ? k->parents[0].name : "-", k->n_parents > 1 ? ", ..." : "");
	ekka_text_fit(text, PARENT_COLUMNS, parent, sizeof(parent));
	if (width)
		width = width > COLUMNS_BEFORE_NAME + 16 ? width - COLUMNS_BEFORE_NAME : 16;
	pattern = strndup(pattern, ekka_kernel_name_length(k->text) - (size_t)(pattern - k->text));
	snprintf(time, sizeof(time), k->timed ? "%.1f%%" : "-", 100 * time_share(k));
	printf("%9" PRIu64 "  %5.1f%%  %8s  %6zu  %-*s  %-*s  %s\n", k->launches, 100 * share(k), time, k->n_shapes, MEANING_COLUMNS, meaning(k),
	       PARENT_COLUMNS, parent, ekka_text_fit(pattern ? pattern : k->text, width, name, sizeof(name)));
	free(pattern);
	if (k->reason)
		printf("%*s%s: %" PRIu64 " of %" PRIu64 " launches\n", NUMBER_COLUMNS, "", k->reason, k->refused, k->launches);
}

static bool wanted(const struct kernel *k)
{
	return !opt.only || fnmatch(opt.only, k->name, 0) == 0 || fnmatch(opt.only, k->text, 0) == 0;
}

static void list(void)
{
	qsort(all.k, all.n, sizeof(*all.k), by_weight);
	if (!opt.json)
		print_head();
	for (size_t i = 0; i < all.n; i++) {
		struct kernel *k = &all.k[i];

		qsort(k->parents, k->n_parents, sizeof(*k->parents), by_share);
		if (!wanted(k))
			continue;
		if (opt.json)
			print_json(k);
		else
			print_row(k);
	}
}

static void release(void)
{
	for (size_t i = 0; i < all.n; i++) {
		free(all.k[i].text);
		free(all.k[i].shapes);
		free(all.k[i].parents);
		free(all.k[i].reason);
	}
	free(all.k);
	ekka_kernels_time_release(&all.time);
}

static void print_problem(void *arg, const char *text)
{
	*(int *)arg = EKKA_EXIT_FATAL;
	ekka_message("%s", text);
}

/* How much of the trace descriptions cover, for people. */
static void sum_up(void)
{
	uint64_t covered = 0, outside = 0, refused = 0;
	size_t kernels = 0, covered_kernels = 0;
	char total[32], nobodys[32];

	for (size_t i = 0; i < all.n; i++) {
		const struct kernel *k = &all.k[i];

		covered += k->covered;
		outside += k->outside;
		refused += k->refused;
		kernels += k->outside != 0;
		covered_kernels += k->outside && k->covered == k->outside;
	}
	if (outside)
		ekka_message("outside of library calls %" PRIu64 " of %" PRIu64 " launches (%.1f%%) and %zu of %zu kernels are described; %" PRIu64
			     " launches are refused", covered, outside, 100 * (double)covered / (double)outside, covered_kernels, kernels, refused);
	if (all.time.total_ns)
		ekka_message("GPU time measured: %s; of it %s in calls with several launches inside, which is no kernel's here",
			     ekka_text_duration(all.time.total_ns, total, sizeof(total)),
			     ekka_text_duration(all.time.nobodys_ns, nobodys, sizeof(nobodys)));
}

/* The first one with the text in either name; NULL after having said that there is none. */
static const struct kernel *kernel_named(const char *part)
{
	for (size_t i = 0; i < all.n; i++)
		if (strstr(all.k[i].name, part) || strstr(all.k[i].text, part))
			return &all.k[i];
	ekka_message("no kernel of the trace has '%s' in its name", part);
	return NULL;
}

static int print_skeleton(struct ekka_trace *trace)
{
	const struct kernel *k;
	struct ekka_event e = { 0 };
	struct ekka_error err = { 0 };

	qsort(all.k, all.n, sizeof(*all.k), by_weight);
	k = kernel_named(opt.skeleton);
	if (!k)
		return EKKA_EXIT_FATAL;
	if (ekka_trace_event_read(trace, k->first, &e, &err) < 0) {
		ekka_event_release(&e);
		return ekka_fatal("event %" PRIu64 ": %s", k->first, err.message);
	}
	ekka_kernels_skeleton(&e, k->text);
	ekka_event_release(&e);
	return EKKA_EXIT_CLEAN;
}

/* --check: the errors of description files are the result. */
static void print_found(void *arg, const char *text)
{
	*(int *)arg = EKKA_EXIT_FAULT;
	puts(text);
}

static int check(void)
{
	struct ekka_descriptions *set;
	struct ekka_error err = { 0 };
	int status = EKKA_EXIT_CLEAN;

	if (ekka_descriptions_load(opt.check, &set, print_found, &status, &err) < 0)
		return ekka_fatal("%s", err.message);
	return status;
}

int ekka_cmd_kernels(const struct ekka_command *self, int argc, char **argv)
{
	struct ekka_error err = { 0 };
	struct ekka_trace *trace;
	const char *path;
	int status, problem = EKKA_EXIT_CLEAN, i;

	i = ekka_command_parse(self, argc, argv, &status);
	if (i >= 0 && opt.check)
		return i < argc ? ekka_command_usage_error(self, "--check looks at no trace") : check();
	if (i < 0 || (status = ekka_operand_trace(self, argc, argv, i, &path)) || (status = ekka_open_trace(path, &trace, &path)))
		return status;
	if (ekka_descriptions_load(opt.kernels, &all.descriptions, print_problem, &problem, &err) < 0)
		return ekka_fatal("%s", err.message);
	status = collect(trace);
	if (all.launches == 0) {
		ekka_message("no kernel launches in '%s'; unless EKKA_LAUNCHES is off, 'ekka record' records them", path);
	} else if (opt.skeleton) {
		int skeleton = print_skeleton(trace);

		status = skeleton ? skeleton : status;
	} else {
		if (!opt.json)
			ekka_pager_start();
		list();
		ekka_pager_finish();
		if (!opt.json)
			sum_up();
	}
	release();
	ekka_trace_close(trace);
	return status ? status : problem;
}
