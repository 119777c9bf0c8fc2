/* SPDX-License-Identifier: Apache-2.0 */
/* Writes one event as files that reproduce it without the trace. */
#include "tools/command.h"
#include "tools/event.h"
#include "tools/export.h"
#include "tools/json.h"
#include "tools/kernel_name.h"
#include "tools/message.h"
#include "tools/open.h"
#include "tools/show.h"
#include "tools/text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	const char *output, *kernels;
	bool force, json;
} opt;

const struct ekka_option ekka_export_options[] = {
	{ .kind = EKKA_OPT_TEXT, .letter = 'o', .name = "output", .metavar = "DIR", .value = &opt.output, .complete = "@dir",
	  .help = "directory to write to (default: event-N)" },
	{ .kind = EKKA_OPT_FLAG, .letter = 'f', .name = "force", .value = &opt.force, .help = "overwrite files that are there" },
	{ .kind = EKKA_OPT_FLAG, .name = "json", .value = &opt.json, .help = "print one JSON object with the names of the files" },
	{ .kind = EKKA_OPT_TEXT, .name = "kernels", .metavar = "PATHS", .value = &opt.kernels, .complete = "@file",
	  .help = "describe a launch that was recorded without a meaning, as 'ekka replay --kernels' does" },
	EKKA_OPTIONS_END
};

struct target {
	char dir[PATH_MAX];
	char tensors[NAME_MAX], program[NAME_MAX], trace[NAME_MAX], meaning[NAME_MAX];	/* in dir */
};

static int join(const struct target *t, const char *name, char *path, size_t len)
{
	int n = snprintf(path, len, "%s/%s", t->dir, name);

	return n < 0 || (size_t)n >= len ? ekka_fatal("the path of '%s' is too long", name) : 0;
}

/* Opens DIR/name for writing: NULL after having said why not. */
static FILE *create(const struct target *t, const char *name)
{
	char path[PATH_MAX];
	FILE *f;

	if (join(t, name, path, sizeof(path)) != 0)
		return NULL;
	f = fopen(path, opt.force ? "we" : "wxe");
	if (!f)
		(void)ekka_fatal_errno("cannot create '%s'", path);
	return f;
}

/* Closes; a write that failed shows here at the latest. */
static int finish(const struct target *t, const char *name, FILE *f)
{
	bool failed = ferror(f);

	if (fclose(f) != 0 || failed)
		return ekka_fatal_errno("cannot write '%s/%s'", t->dir, name);
	return 0;
}

static int write_tensors(const struct target *t, struct ekka_export *x)
{
	struct ekka_error err = { 0 };
	FILE *f = create(t, t->tensors);
	int r;

	if (!f)
		return EKKA_EXIT_FATAL;
	r = ekka_export_tensors(x, f, &err);
	if (r) {
		fclose(f);
		return ekka_fatal("%s", err.message);
	}
	return finish(t, t->tensors, f);
}

/* *ret_made: whether there is a program; an event that cannot be reissued is worth its tensors still. */
static int write_program(const struct target *t, const struct ekka_export *x, bool *ret_made)
{
	struct ekka_error err = { 0 };
	char path[PATH_MAX];
	FILE *f = create(t, t->program);
	int r;

	if (!f)
		return EKKA_EXIT_FATAL;
	r = ekka_export_program(x, f, &err);
	*ret_made = r == 0;
	r = finish(t, t->program, f);
	if (*ret_made || r)
		return r;
	if (join(t, t->program, path, sizeof(path)) == 0)
		(void)unlink(path);
	if (!ekka_event_is_launch(x->event) && !ekka_event_has_meaning(x->event))	/* of those nobody expects one */
		ekka_warning("no program: %s", err.message);
	return 0;
}

static int write_trace(const struct target *t, const struct ekka_export *x)
{
	struct ekka_error err = { 0 };
	char path[PATH_MAX];

	if (join(t, t->trace, path, sizeof(path)) != 0)
		return EKKA_EXIT_FATAL;
	return ekka_export_trace(x, path, opt.force, &err) ? ekka_fatal("%s", err.message) : 0;
}

/* All that is known of the event, as `ekka show --json` prints it. */
static int write_meaning(const struct target *t, const struct ekka_export *x)
{
	FILE *f = create(t, t->meaning);
	struct json_object *o;

	if (!f)
		return EKKA_EXIT_FATAL;
	o = ekka_show_json_object(x->trace, x->event);
	fprintf(f, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	return finish(t, t->meaning, f);
}

static int write_readme(const struct target *t, const struct ekka_export *x, bool has_program)
{
	const struct ekka_event *e = x->event;
	bool launch = ekka_event_is_launch(e);
	char title[256], *kernel = launch ? ekka_kernel_demangle(e->fn->name) : NULL;
	FILE *f = create(t, "README");

	if (!f) {
		free(kernel);
		return EKKA_EXIT_FATAL;
	}
	fprintf(f, "One %s of ", launch ? "launch" : "call");
	ekka_text_print(f, kernel ? kernel : e->fn->name);
	fprintf(f, ", recorded as event %" PRIu64 ".\n", e->number);
	if (ekka_event_has_meaning(e)) {
		fprintf(f, "It computes: ");
		ekka_text_print(f, ekka_event_title(e, title, sizeof(title)));
		fprintf(f, ".\n");
	}
	free(kernel);
	fprintf(f, "\n%s: this event alone, as a trace, which any machine can judge:\n\n    ekka replay -v %s\n\n"
		   "%s: what is known of it: op, attributes, arguments, dimensions, strides, stack.\n"
		   "%s: its tensors before (.pre) and after (.post) the call;\n"
		   ".span are the raw bytes in memory, where these have gaps or another order.\n", t->trace, t->trace, t->meaning, t->tensors);
	if (has_program)
		fprintf(f, "%s: makes this one call again and checks the result. In this directory:\n\n"
			   "    cc -O2 -o event-%" PRIu64 " %s %s && ./event-%" PRIu64 "\n\n"
			   "It prints OK or WRONG, and whether the output is the recorded one; exit status 0, 1, or 2 when it could not run.\n",
			t->program, e->number, t->program, ekka_export_link_flags(e), e->number);
	return finish(t, "README", f);
}

static void print_result(const struct target *t, uint64_t event, bool has_program)
{
	const struct { const char *key, *name; } files[] = { { "tensors", t->tensors }, { "program", has_program ? t->program : NULL },
							     { "trace", t->trace }, { "meaning", t->meaning }, { "readme", "README" } };
	struct json_object *o = ekka_json_object();
	char path[2 * PATH_MAX];

	ekka_json_add_uint(o, "event", event);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "%s/%s", t->dir, files[i].name ? files[i].name : "");
		ekka_json_add_text(o, files[i].key, files[i].name ? path : NULL);
		if (!opt.json && files[i].name)
			printf("%s\n", path);
	}
	if (opt.json)
		ekka_json_print(o, false);
	else
		json_object_put(o);
}

static int export(struct ekka_trace *trace, const struct ekka_event *e)
{
	struct target t;
	struct ekka_export x = { .trace = trace, .event = e, .file = t.tensors };
	bool has_program = false;
	int status;

	snprintf(t.tensors, sizeof(t.tensors), "event-%" PRIu64 ".safetensors", e->number);
	snprintf(t.program, sizeof(t.program), "event-%" PRIu64 ".c", e->number);
	snprintf(t.trace, sizeof(t.trace), "event-%" PRIu64 ".ekka", e->number);
	snprintf(t.meaning, sizeof(t.meaning), "event-%" PRIu64 ".json", e->number);
	if (opt.output)
		snprintf(t.dir, sizeof(t.dir), "%s", opt.output);
	else
		snprintf(t.dir, sizeof(t.dir), "event-%" PRIu64, e->number);
	umask(077);	/* as the trace: weights and prompts */
	if (mkdir(t.dir, 0700) != 0 && errno != EEXIST)
		return ekka_fatal_errno("cannot create '%s'", t.dir);
	if ((status = write_tensors(&t, &x)) || (status = write_program(&t, &x, &has_program)) ||
	    (status = write_trace(&t, &x)) || (status = write_meaning(&t, &x)) || (status = write_readme(&t, &x, has_program)))
		return status;
	print_result(&t, e->number, has_program);
	return EKKA_EXIT_CLEAN;
}

int ekka_cmd_export(const struct ekka_command *self, int argc, char **argv)
{
	const char *path;
	uint64_t number;
	int status;
	int i = ekka_command_parse(self, argc, argv, &status);

	if (i < 0 || (status = ekka_operand_event(self, argc, argv, i, &number, &path)))
		return status;
	if (opt.output && strlen(opt.output) >= PATH_MAX)
		return ekka_command_usage_error(self, "the path of the output is too long");
	return ekka_on_event(path, number, opt.kernels, export);
}
