/* SPDX-License-Identifier: Apache-2.0 */
/* Every kernel of a trace: how often it was launched, for how long, in how many shapes, by which library call, and what descriptions say of it. */
#include "replay/redescribe.h"
#include "tools/command.h"
#include "tools/event.h"
#include "tools/json.h"
#include "tools/kernel_name.h"
#include "tools/kernels_collect.h"
#include "tools/kernels_modules.h"
#include "tools/kernels_skeleton.h"
#include "tools/message.h"
#include "tools/open.h"
#include "tools/term.h"
#include "tools/text.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct {
	bool json, modules;
	const char *only, *kernels, *skeleton, *extract, *check;
} opt;

const struct ekka_option ekka_kernels_options[] = {
	{ .kind = EKKA_OPT_FLAG, .name = "json", .value = &opt.json, .help = "print one JSON object a line" },
	{ .kind = EKKA_OPT_TEXT, .name = "only", .metavar = "GLOB", .value = &opt.only,
	  .help = "only kernels whose mangled or demangled names match" },
	{ .kind = EKKA_OPT_TEXT, .name = "kernels", .metavar = "PATHS", .value = &opt.kernels, .complete = "@file",
	  .help = "descriptions to look into before those that are built in: files and folders, separated by colons" },
	{ .kind = EKKA_OPT_TEXT, .name = "skeleton", .metavar = "NAME", .value = &opt.skeleton,
	  .help = "print a description to start from, for the first kernel with NAME in its mangled or demangled name" },
	{ .kind = EKKA_OPT_FLAG, .name = "modules", .value = &opt.modules, .help = "list the images of GPU code that the kernels come from instead" },
	{ .kind = EKKA_OPT_TEXT, .name = "extract", .metavar = "DIR", .value = &opt.extract, .complete = "@file",
	  .help = "write these images into DIR, which is made, and print their paths" },
	{ .kind = EKKA_OPT_TEXT, .name = "check", .metavar = "PATHS", .value = &opt.check, .complete = "@file",
	  .help = "only say what is wrong with these descriptions: files and folders, separated by colons" },
	EKKA_OPTIONS_END
};

static struct ekka_kernels all;

/* Most time first, where it is known, then most launches. */
static int by_weight(const void *a, const void *b)
{
	const struct ekka_kernel_uses *x = a, *y = b;

	if (x->gpu_ns != y->gpu_ns)
		return x->gpu_ns < y->gpu_ns ? 1 : -1;
	if (x->launches != y->launches)
		return x->launches < y->launches ? 1 : -1;
	return strcmp(x->name, y->name);
}

static int by_share(const void *a, const void *b)
{
	const struct ekka_kernel_parent *x = a, *y = b;

	if (x->launches != y->launches)
		return x->launches < y->launches ? 1 : -1;
	return strcmp(x->name, y->name);
}

static double share(const struct ekka_kernel_uses *k)
{
	return (double)k->launches / (double)all.launches;
}

/* Of all the time that was measured. */
static double time_share(const struct ekka_kernel_uses *k)
{
	return all.time.total_ns ? (double)k->gpu_ns / (double)all.time.total_ns : 0;
}

static void print_json(const struct ekka_kernel_uses *k)
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

static const char *meaning(const struct ekka_kernel_uses *k)
{
	return k->refused ? "refused" : k->op[0] ? k->op : k->nothing ? "nothing" : "-";
}

static void print_row(const struct ekka_kernel_uses *k)
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

static bool wanted(const struct ekka_kernel_uses *k)
{
	return !opt.only || fnmatch(opt.only, k->name, 0) == 0 || fnmatch(opt.only, k->text, 0) == 0;
}

static bool is_wanted(const char *name)
{
	for (size_t i = 0; i < all.n; i++)
		if (all.k[i].name == name || strcmp(all.k[i].name, name) == 0)
			return wanted(&all.k[i]);
	return false;
}

/* --modules, --extract */
static int show_modules(struct ekka_trace *trace)
{
	int status = ekka_kernels_modules_collect(trace, is_wanted), extracted;

	if (opt.extract) {
		extracted = ekka_kernels_modules_extract(trace, opt.extract);
		status = extracted ? extracted : status;
	} else {
		if (!opt.json)
			ekka_pager_start();
		ekka_kernels_modules_print(opt.json);
		ekka_pager_finish();
	}
	ekka_kernels_modules_release();
	return status;
}

static void list(void)
{
	qsort(all.k, all.n, sizeof(*all.k), by_weight);
	if (!opt.json)
		print_head();
	for (size_t i = 0; i < all.n; i++) {
		struct ekka_kernel_uses *k = &all.k[i];

		qsort(k->parents, k->n_parents, sizeof(*k->parents), by_share);
		if (!wanted(k))
			continue;
		if (opt.json)
			print_json(k);
		else
			print_row(k);
	}
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
		const struct ekka_kernel_uses *k = &all.k[i];

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
static const struct ekka_kernel_uses *kernel_named(const char *part)
{
	for (size_t i = 0; i < all.n; i++)
		if (strstr(all.k[i].name, part) || strstr(all.k[i].text, part))
			return &all.k[i];
	ekka_message("no kernel of the trace has '%s' in its name", part);
	return NULL;
}

static int print_skeleton(struct ekka_trace *trace)
{
	const struct ekka_kernel_uses *k;
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
	status = ekka_kernels_collect(&all, trace);
	if (all.launches == 0) {
		ekka_message("no kernel launches in '%s'; unless EKKA_LAUNCHES is off, 'ekka record' records them", path);
	} else if (opt.skeleton) {
		int skeleton = print_skeleton(trace);

		status = skeleton ? skeleton : status;
	} else if (opt.modules || opt.extract) {
		int shown = show_modules(trace);

		status = shown ? shown : status;
	} else {
		if (!opt.json)
			ekka_pager_start();
		list();
		ekka_pager_finish();
		if (!opt.json)
			sum_up();
	}
	ekka_kernels_release(&all);
	ekka_trace_close(trace);
	return status ? status : problem;
}
