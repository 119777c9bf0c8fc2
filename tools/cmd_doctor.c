/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine can record, and why not the rest. Looks only; changes nothing. */
#include "config.h"

#include "tools/command.h"
#include "tools/json.h"
#include "tools/probe.h"
#include "tools/term.h"

#include <string.h>

static bool json;

const struct ekka_option ekka_doctor_options[] = {
	{ .kind = EKKA_OPT_FLAG, .name = "json", .value = &json, .help = "print one JSON object" },
	EKKA_OPTIONS_END
};

static const char *const words[] = { [EKKA_PROBE_OK] = "ok", [EKKA_PROBE_WARN] = "warn", [EKKA_PROBE_NO] = "no" };

static void print_json(const struct ekka_probe *probes, size_t n)
{
	struct json_object *top = ekka_json_object(), *list = ekka_json_array();

	ekka_json_add_text(top, "version", PACKAGE_VERSION);
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = ekka_json_object();

		ekka_json_add_text(o, "check", probes[i].name);
		ekka_json_add_text(o, "state", words[probes[i].state]);
		ekka_json_add_text(o, "detail", probes[i].detail);
		ekka_json_append(list, o);
	}
	ekka_json_add(top, "checks", list);
	ekka_json_print(top, true);
}

static void print_text(const struct ekka_probe *probes, size_t n)
{
	static const enum ekka_colour colours[] = { EKKA_GREEN, EKKA_YELLOW, EKKA_DIM };

	for (size_t i = 0; i < n; i++)
		printf("%s%-5s%s %-22s %s\n", ekka_colour(colours[probes[i].state]), words[probes[i].state],
		       ekka_colour(EKKA_PLAIN), probes[i].name, probes[i].detail);
}

int ekka_cmd_doctor(const struct ekka_command *self, int argc, char **argv)
{
	static struct ekka_probe probes[EKKA_MAX_PROBES];
	size_t n;
	int status;
	int i = ekka_command_parse(self, argc, argv, &status);

	if (i < 0)
		return status;
	if (i != argc)
		return ekka_command_usage_error(self, "takes no operands");
	n = ekka_probe_all(probes);
	if (json)
		print_json(probes, n);
	else
		print_text(probes, n);
	return EKKA_EXIT_CLEAN;
}
