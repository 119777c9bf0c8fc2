/* SPDX-License-Identifier: Apache-2.0 */
/* Verifies everything in a trace; a finding of damage is a fault. */
#include "tools/command.h"
#include "tools/json.h"
#include "tools/message.h"
#include "tools/open.h"
#include "tools/term.h"
#include "tools/text.h"

#include "trace/fsck.h"

#include <inttypes.h>

static bool json;

const struct ekka_option ekka_fsck_options_table[] = {
	{ .kind = EKKA_OPT_FLAG, .name = "json", .value = &json, .help = "print one JSON object" },
	EKKA_OPTIONS_END
};

static const char *const severities[] = { [EKKA_FSCK_NOTE] = "note", [EKKA_FSCK_DAMAGE] = "damage" };

static void print_finding(void *arg, enum ekka_fsck_severity s, const char *text)
{
	(void)arg;
	ekka_progress_hide();
	printf("%s%s%s: ", ekka_colour(s == EKKA_FSCK_DAMAGE ? EKKA_RED : EKKA_YELLOW), severities[s], ekka_colour(EKKA_PLAIN));
	ekka_text_print(stdout, text);
	putchar('\n');
}

static void list_finding(void *arg, enum ekka_fsck_severity s, const char *text)
{
	struct json_object *o = ekka_json_object();

	ekka_json_add_text(o, "severity", severities[s]);
	ekka_json_add_text(o, "text", text);
	ekka_json_append(arg, o);
}

static void progress(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	ekka_progress("verifying", done, total);
}

static void print_text(const struct ekka_fsck_result *r)
{
	char raw[32], stored[32];

	printf("%" PRIu64 " events, %" PRIu64 " complete; %" PRIu64 " blobs of %s in %s on disk, %" PRIu64 " unused\n", r->events,
	       r->complete_events, r->blobs, ekka_text_bytes(r->blob_bytes, raw, sizeof(raw)),
	       ekka_text_bytes(r->stored_bytes, stored, sizeof(stored)), r->unused_blobs);
	printf("%s%" PRIu64 " damaged%s, %" PRIu64 " notes\n", ekka_colour(r->damage ? EKKA_RED : EKKA_GREEN), r->damage,
	       ekka_colour(EKKA_PLAIN), r->notes);
}

static void print_json(const struct ekka_fsck_result *r, struct json_object *findings)
{
	struct json_object *o = ekka_json_object();

	ekka_json_add_uint(o, "damage", r->damage);
	ekka_json_add_uint(o, "notes", r->notes);
	ekka_json_add_uint(o, "events", r->events);
	ekka_json_add_uint(o, "complete_events", r->complete_events);
	ekka_json_add_uint(o, "blobs", r->blobs);
	ekka_json_add_uint(o, "blob_bytes", r->blob_bytes);
	ekka_json_add_uint(o, "stored_bytes", r->stored_bytes);
	ekka_json_add_uint(o, "unused_blobs", r->unused_blobs);
	ekka_json_add(o, "findings", findings);
	ekka_json_print(o, true);
}

int ekka_cmd_fsck(const struct ekka_command *self, int argc, char **argv)
{
	struct ekka_fsck_options options = { .finding = print_finding, .progress = progress };
	struct ekka_fsck_result result = { 0 };
	struct json_object *findings = NULL;
	struct ekka_error err = { 0 };
	struct ekka_trace *trace;
	const char *path;
	int status, r;
	int i = ekka_command_parse(self, argc, argv, &status);

	if (i < 0 || (status = ekka_operand_trace(self, argc, argv, i, &path)) ||
	    (status = ekka_open_trace_quietly(path, &trace, &path)))
		return status;
	if (json) {
		options.finding = list_finding;
		options.arg = findings = ekka_json_array();
	}
	r = ekka_fsck_run(trace, &options, &result, &err);
	ekka_progress_hide();
	ekka_trace_close(trace);
	if (r != 0) {
		json_object_put(findings);
		return ekka_fatal("%s: %s", path, err.message);
	}
	if (json)
		print_json(&result, findings);
	else
		print_text(&result);
	return result.damage ? EKKA_EXIT_FAULT : EKKA_EXIT_CLEAN;
}
