/* SPDX-License-Identifier: Apache-2.0 */
/* Everything about one event. */
#include "tools/command.h"
#include "tools/message.h"
#include "tools/open.h"
#include "tools/show.h"
#include "tools/term.h"

#include <string.h>

static struct {
	bool json, pre, post;
	const char *tensor, *slice, *kernels;
} opt;

const struct ekka_option ekka_show_options[] = {
	{ .kind = EKKA_OPT_FLAG, .name = "json", .value = &opt.json, .help = "print one JSON object" },
	{ .kind = EKKA_OPT_TEXT, .letter = 't', .name = "tensor", .metavar = "NAME", .value = &opt.tensor,
	  .help = "print values of this tensor instead" },
	{ .kind = EKKA_OPT_TEXT, .letter = 's', .name = "slice", .metavar = "RANGES", .value = &opt.slice,
	  .help = "which values: a range or index per dimension, such as 0:4,8:16 (default: a corner of 8 x 8)" },
	{ .kind = EKKA_OPT_FLAG, .name = "pre", .value = &opt.pre, .help = "values before the call (default for inputs)" },
	{ .kind = EKKA_OPT_FLAG, .name = "post", .value = &opt.post, .help = "values after the call (default for outputs)" },
	{ .kind = EKKA_OPT_TEXT, .name = "kernels", .metavar = "PATHS", .value = &opt.kernels, .complete = "@file",
	  .help = "describe a launch that was recorded without a meaning, as 'ekka replay --kernels' does" },
	EKKA_OPTIONS_END
};

static int show_tensor(struct ekka_trace *trace, const struct ekka_event *e)
{
	int i = ekka_event_tensor_index(e, opt.tensor);
	enum ekka_phase phase;
	struct ekka_slice slice;
	char why[256];

	if (i < 0)
		return ekka_fatal("event has no tensor '%s'", opt.tensor);
	phase = opt.post || (!opt.pre && (e->call.tensors[i].dir & EKKA_OUT)) ? EKKA_POST : EKKA_PRE;
	if (!opt.slice) {
		ekka_slice_corner(&e->call.tensors[i], 8, &slice);
	} else if (ekka_slice_parse(opt.slice, &e->call.tensors[i], &slice, why, sizeof(why)) != 0) {
		ekka_message("show: %s", why);
		return EKKA_EXIT_USAGE;
	}
	return opt.json ? ekka_show_values_json(trace, e, (unsigned)i, phase, &slice)
			: ekka_show_values_text(trace, e, (unsigned)i, phase, &slice);
}

static int show(struct ekka_trace *trace, const struct ekka_event *e)
{
	if (!opt.json)
		ekka_pager_start();
	if (opt.tensor)
		return show_tensor(trace, e);
	return opt.json ? ekka_show_json(trace, e) : ekka_show_text(trace, e);
}

int ekka_cmd_show(const struct ekka_command *self, int argc, char **argv)
{
	const char *path;
	uint64_t number;
	int status;
	int i = ekka_command_parse(self, argc, argv, &status);

	if (i < 0 || (status = ekka_operand_event(self, argc, argv, i, &number, &path)))
		return status;
	if (!opt.tensor && (opt.slice || opt.pre || opt.post))
		return ekka_command_usage_error(self, "--slice, --pre and --post need --tensor");
	if (opt.pre && opt.post)
		return ekka_command_usage_error(self, "either --pre or --post");
	return ekka_on_event(path, number, opt.kernels, show);
}
