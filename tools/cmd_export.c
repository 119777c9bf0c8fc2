/* SPDX-License-Identifier: Apache-2.0 */
/* Writes one event as files that reproduce it without the trace. */
#include "tools/command.h"
#include "tools/export.h"
#include "tools/json.h"
#include "tools/message.h"
#include "tools/open.h"
#include "tools/text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	const char *output;
	bool force, json;
} opt;

const struct ekka_option ekka_export_options[] = {
	{ .kind = EKKA_OPT_TEXT, .letter = 'o', .name = "output", .metavar = "DIR", .value = &opt.output, .complete = "@dir",
	  .help = "directory to write to (default: event-N)" },
	{ .kind = EKKA_OPT_FLAG, .letter = 'f', .name = "force", .value = &opt.force, .help = "overwrite files that are there" },
	{ .kind = EKKA_OPT_FLAG, .name = "json", .value = &opt.json, .help = "print one JSON object with the names of the files" },
	EKKA_OPTIONS_END
};

struct target {
	char dir[PATH_MAX];
	char tensors[NAME_MAX], program[NAME_MAX];	/* in dir */
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
	ekka_warning("no program: %s", err.message);
	return 0;
}

static int write_readme(const struct target *t, const struct ekka_export *x, bool has_program)
{
	const struct ekka_event *e = x->event;
	FILE *f = create(t, "README");

	if (!f)
		return EKKA_EXIT_FATAL;
	fprintf(f, "One call of ");
	ekka_text_print(f, e->fn->name);
	fprintf(f, ", recorded as event %" PRIu64 ".\n\n%s: its tensors before (.pre) and after (.post) the call;\n"
		   ".span are the raw bytes in memory, where these have gaps or another order.\n", e->number, t->tensors);
	if (has_program)
		fprintf(f, "%s: makes this one call again and checks the result. In this directory:\n\n"
			   "    cc -O2 -o event-%" PRIu64 " %s %s && ./event-%" PRIu64 "\n\n"
			   "It prints OK or WRONG, and whether the output is the recorded one; exit status 0, 1, or 2 when it could not run.\n",
			t->program, e->number, t->program, ekka_export_link_flags(e), e->number);
	return finish(t, "README", f);
}

static void print_result(const struct target *t, uint64_t event, bool has_program)
{
	struct json_object *o;
	char path[2 * PATH_MAX];

	if (!opt.json) {
		printf("%s/%s\n", t->dir, t->tensors);
		if (has_program)
			printf("%s/%s\n", t->dir, t->program);
		printf("%s/README\n", t->dir);
		return;
	}
	o = ekka_json_object();
	ekka_json_add_uint(o, "event", event);
	snprintf(path, sizeof(path), "%s/%s", t->dir, t->tensors);
	ekka_json_add_text(o, "tensors", path);
	snprintf(path, sizeof(path), "%s/%s", t->dir, t->program);
	ekka_json_add_text(o, "program", has_program ? path : NULL);
	ekka_json_print(o, false);
}

static int export(struct ekka_trace *trace, const struct ekka_event *e)
{
	struct target t;
	struct ekka_export x = { .trace = trace, .event = e, .file = t.tensors };
	bool has_program = false;
	int status;

	snprintf(t.tensors, sizeof(t.tensors), "event-%" PRIu64 ".safetensors", e->number);
	snprintf(t.program, sizeof(t.program), "event-%" PRIu64 ".c", e->number);
	if (opt.output)
		snprintf(t.dir, sizeof(t.dir), "%s", opt.output);
	else
		snprintf(t.dir, sizeof(t.dir), "event-%" PRIu64, e->number);
	umask(077);	/* as the trace: weights and prompts */
	if (mkdir(t.dir, 0700) != 0 && errno != EEXIST)
		return ekka_fatal_errno("cannot create '%s'", t.dir);
	if ((status = write_tensors(&t, &x)) || (status = write_program(&t, &x, &has_program)) ||
	    (status = write_readme(&t, &x, has_program)))
		return status;
	print_result(&t, e->number, has_program);
	return EKKA_EXIT_CLEAN;
}

int ekka_cmd_export(const struct ekka_command *self, int argc, char **argv)
{
	struct ekka_event event = { 0 };
	struct ekka_trace *trace;
	const char *path;
	uint64_t number;
	int status;
	int i = ekka_command_parse(self, argc, argv, &status);

	if (i < 0 || (status = ekka_operand_event(self, argc, argv, i, &number, &path)))
		return status;
	if (opt.output && strlen(opt.output) >= PATH_MAX)
		return ekka_command_usage_error(self, "the path of the output is too long");
	if ((status = ekka_open_trace(path, &trace, &path)))
		return status;
	status = ekka_open_event(trace, path, number, &event);
	if (!status)
		status = export(trace, &event);
	ekka_event_release(&event);
	ekka_trace_close(trace);
	return status;
}
