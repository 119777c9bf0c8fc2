/* SPDX-License-Identifier: Apache-2.0 */
/* Recomputes a trace and says which calls are wrong. */
#include "tools/command.h"
#include "tools/margins.h"
#include "tools/message.h"
#include "tools/open.h"
#include "tools/report.h"
#include "tools/term.h"

#include "replay/backend.h"
#include "replay/redescribe.h"
#include "replay/replay.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static struct {
	bool json, strict, exact, verbose, margins;
	const char *only, *kernels, *backend, *sample;
	uint64_t jobs, event, memory, seed;
	double fraction;		/* of sample; 0: all */
} opt;

const struct ekka_option ekka_replay_options_table[] = {
	{ .kind = EKKA_OPT_FLAG, .name = "json", .value = &opt.json, .help = "print one JSON object" },
	{ .kind = EKKA_OPT_FLAG, .name = "strict", .value = &opt.strict,
	  .help = "exit with 2 when nothing is wrong but something could not be judged" },
	{ .kind = EKKA_OPT_FLAG, .name = "exact", .value = &opt.exact,
	  .help = "recompute every element of every call; do without the quick screen" },
	{ .kind = EKKA_OPT_TEXT, .name = "only", .metavar = "GLOB", .value = &opt.only,
	  .help = "only functions whose names match" },
	{ .kind = EKKA_OPT_NUMBER, .name = "event", .metavar = "N", .value = &opt.event, .help = "only this event" },
	{ .kind = EKKA_OPT_TEXT, .name = "kernels", .metavar = "PATHS", .value = &opt.kernels, .complete = "@file",
	  .help = "descriptions for launches that were recorded without one: files and folders, separated by colons, then those that are built in" },
	{ .kind = EKKA_OPT_TEXT, .name = "backend", .metavar = "WHERE", .value = &opt.backend, .complete = "auto|cpu|gpu",
	  .help = "cpu, gpu, or auto: large products on a GPU if there is one (default: auto)" },
	{ .kind = EKKA_OPT_TEXT, .name = "sample", .metavar = "FRACTION", .value = &opt.sample,
	  .help = "judge a random part of the calls (0 to 1); the report says what that may miss" },
	{ .kind = EKKA_OPT_NUMBER, .name = "seed", .metavar = "N", .value = &opt.seed, .help = "of the sample: another one takes other calls (default: 0)" },
	{ .kind = EKKA_OPT_NUMBER, .letter = 'j', .name = "jobs", .metavar = "N", .value = &opt.jobs,
	  .help = "threads (default: one per core)" },
	{ .kind = EKKA_OPT_BYTES, .name = "memory", .metavar = "SIZE", .value = &opt.memory,
	  .help = "working memory of all threads together (default: 256M for each, 1G at least), and as much for tensors that are read again (default: an eighth of the machine's memory, 8G at most)" },
	{ .kind = EKKA_OPT_FLAG, .letter = 'v', .name = "verbose", .value = &opt.verbose, .help = "list every verdict" },
	{ .kind = EKKA_OPT_FLAG, .name = "margins", .value = &opt.margins,
	  .help = "say how far results that passed lie from their references, by op and element types" },
	EKKA_OPTIONS_END
};

static void progress(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	ekka_progress("replaying", done, total);
}

struct listing {
	struct json_object *verdicts;	/* NULL: none are wanted as JSON */
	struct ekka_margins *margins;	/* NULL: none are wanted */
	bool out_of_memory;
};

static void verdict(void *arg, const struct ekka_event *e, const struct ekka_verdict *v)
{
	struct listing *l = arg;

	if (l->margins && ekka_margins_add(l->margins, e, v) != 0)
		l->out_of_memory = true;
	if (l->verdicts) {
		ekka_report_json_verdict(l->verdicts, e, v);
	} else if (opt.verbose) {
		ekka_progress_hide();
		ekka_report_text_verdict(e, v);
	}
}

static int status_of(const struct ekka_report *r)
{
	bool open_questions = !r->ops || r->count[EKKA_UNDECIDED] || r->count[EKKA_UNSUPPORTED] || r->count[EKKA_INCOMPLETE] ||
			      r->dropped || r->unclosed;

	if (r->count[EKKA_FAIL] || r->n_suspects)
		return EKKA_EXIT_FAULT;
	return opt.strict && open_questions ? EKKA_EXIT_UNJUDGED : EKKA_EXIT_CLEAN;
}

/* Prints a report; takes the verdicts over. */
static int print(const struct ekka_report_source *from, const struct ekka_report *report, struct listing *l)
{
	struct json_object *verdicts = l->verdicts;

	l->verdicts = NULL;
	if (opt.json)
		return ekka_report_json(from, report, verdicts, l->margins ? ekka_margins_json(l->margins) : NULL);
	if (l->margins)
		ekka_margins_print(l->margins);
	return ekka_report_text(from, report);
}

static bool take_fraction(void)
{
	char *end = NULL;

	if (!opt.sample)
		return true;
	opt.fraction = strtod(opt.sample, &end);
	return *opt.sample && !*end && opt.fraction > 0 && opt.fraction <= 1;
}

static bool backend_is(const char *name)
{
	return !strcmp(opt.backend ? opt.backend : "auto", name);
}

/* NULL: the CPU. A GPU that was asked for and is not there sets *ret_status. */
static struct ekka_backend *open_backend(int *ret_status)
{
	struct ekka_error err = { 0 };
	struct ekka_backend *b;

	if (!backend_is("gpu"))
		return backend_is("cpu") ? NULL : ekka_gpu_when_it_pays();
	b = ekka_gpu_open(EKKA_GPU_ALWAYS, &err);
	if (!b)
		*ret_status = ekka_fatal("no GPU to compute on: %s", err.message);
	return b;
}

/* Where a GPU could have helped and did not, the reader should know: the same verdicts, later. */
static void say_where(struct ekka_backend *backend)
{
	char text[EKKA_TEXT];

	if (!backend)
		return;
	backend->note(backend, text);
	if (text[0])
		ekka_message("large references were computed on the CPU: %s", text);
}

static int run(const struct ekka_report_source *from, struct ekka_backend *backend, struct listing *l)
{
	struct ekka_replay_options options = {
		.exact = opt.exact, .threads = (unsigned)opt.jobs, .memory_bytes = opt.memory, .only = opt.only, .event = opt.event,
		.progress = progress, .verdict = opt.verbose || opt.margins ? verdict : NULL, .arg = l,
		.redescribe = from->kernels ? ekka_redescribe : NULL, .kernels = from->kernels, .backend = backend,
		.sample = opt.fraction, .seed = opt.seed,
	};
	struct ekka_report report = { 0 };
	struct ekka_error err = { 0 };
	int status;

	if (ekka_replay_run(from->trace, &options, &report, &err) != 0)
		return ekka_fatal("%s: %s", from->path, err.message);
	ekka_progress_hide();
	say_where(backend);
	status = l->out_of_memory ? ekka_fatal("out of memory") : print(from, &report, l);
	if (!status)
		status = status_of(&report);
	ekka_report_release(&report);
	return status;
}

/* Working memory of megabytes comes and goes with every event: going back to the kernel in between would cost as much as many ops do. */
static void keep_memory(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

static int replay(struct ekka_trace *trace, const char *path, struct ekka_redescriber *kernels, struct ekka_backend *backend)
{
	struct listing l = { .verdicts = opt.json && opt.verbose ? ekka_report_json_verdicts() : NULL,
			     .margins = opt.margins ? ekka_margins_new() : NULL };
	int status = opt.margins && !l.margins ? ekka_fatal("out of memory")
					       : run(&(struct ekka_report_source){ trace, path, kernels, opt.kernels }, backend, &l);

	ekka_report_json_drop(l.verdicts);
	ekka_margins_free(l.margins);
	return status;
}

int ekka_cmd_replay(const struct ekka_command *self, int argc, char **argv)
{
	struct ekka_redescriber *kernels = NULL;
	struct ekka_backend *backend = NULL;
	struct ekka_trace *trace;
	const char *path;
	int status, problem = EKKA_EXIT_CLEAN;
	int i = ekka_command_parse(self, argc, argv, &status);

	if (i < 0 || (status = ekka_operand_trace(self, argc, argv, i, &path)))
		return status;
	if (opt.jobs > 4096)
		return ekka_command_usage_error(self, "-j is at most 4096");
	if (!backend_is("auto") && !backend_is("cpu") && !backend_is("gpu"))
		return ekka_command_usage_error(self, "--backend is cpu, gpu or auto");
	if (!take_fraction())
		return ekka_command_usage_error(self, "--sample is a fraction above 0 and up to 1");
	keep_memory();
	if ((status = ekka_open_trace(path, &trace, &path)))
		return status;
	if (opt.kernels)
		kernels = ekka_open_kernels(opt.kernels, &problem);
	if (!problem)
		backend = open_backend(&problem);
	if (problem)
		status = problem;
	else if (opt.event > ekka_trace_n_events(trace))
		status = ekka_fatal("no event %" PRIu64 " in '%s', which has %" PRIu64, opt.event, path, ekka_trace_n_events(trace));
	else
		status = replay(trace, path, kernels, backend);
	if (backend)
		backend->close(backend);
	ekka_redescriber_free(kernels);
	ekka_trace_close(trace);
	return status;
}
