/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/open.h"

#include "tools/event.h"
#include "tools/message.h"
#include "tools/trace_dir.h"

#include <inttypes.h>
#include <limits.h>

enum { MAX_WARNINGS = 5 };

static void warn(struct ekka_trace *trace, const char *path)
{
	size_t n = ekka_trace_n_problems(trace);

	for (size_t i = 0; i < n && i < MAX_WARNINGS; i++)
		ekka_warning("%s", ekka_trace_problem(trace, i));
	if (n > MAX_WARNINGS)
		ekka_warning("%zu more; 'ekka fsck %s' lists them", n - MAX_WARNINGS, path);
}

int ekka_open_trace_quietly(const char *path, struct ekka_trace **ret_trace, const char **ret_path)
{
	static char newest[PATH_MAX];
	struct ekka_error err = { 0 };

	if (!path) {
		if (ekka_trace_dir_newest(newest, sizeof(newest)) != 0)
			return ekka_fatal("no *.ekka directory here; name a trace");
		path = newest;
		ekka_message("using '%s'", path);
	}
	if (ekka_trace_open(path, ret_trace, &err) != 0)
		return ekka_fatal("%s", err.message);
	*ret_path = path;
	return 0;
}

int ekka_open_trace(const char *path, struct ekka_trace **ret_trace, const char **ret_path)
{
	int status = ekka_open_trace_quietly(path, ret_trace, ret_path);

	if (!status)
		warn(*ret_trace, *ret_path);
	return status;
}

int ekka_operand_trace(const struct ekka_command *c, int argc, char **argv, int i, const char **ret_path)
{
	if (argc - i > 1)
		return ekka_command_usage_error(c, "more than one trace");
	*ret_path = argc > i ? argv[i] : NULL;
	return 0;
}

int ekka_operand_event(const struct ekka_command *c, int argc, char **argv, int i, uint64_t *ret_event, const char **ret_path)
{
	if (argc == i)
		return ekka_command_usage_error(c, "no event given");
	if (argc - i > 2)
		return ekka_command_usage_error(c, "too many operands");
	*ret_path = argc - i == 2 ? argv[i + 1] : NULL;
	if (ekka_event_number(argv[i], ret_event) == 0)
		return 0;
	*ret_path = argv[i];
	if (argc - i == 2 && ekka_event_number(argv[i + 1], ret_event) == 0)
		return 0;
	return ekka_command_usage_error(c, "'%s' is no event number", argv[i]);
}

int ekka_open_event(struct ekka_trace *trace, const char *path, uint64_t number, struct ekka_event *event)
{
	struct ekka_error err = { 0 };
	uint64_t n = ekka_trace_n_events(trace);

	if (number < 1 || number > n)
		return ekka_fatal("no event %" PRIu64 " in '%s', which has %" PRIu64, number, path, n);
	if (ekka_trace_event_read(trace, number, event, &err) != 0)
		return ekka_fatal("event %" PRIu64 ": %s", number, err.message);
	return 0;
}

static void print_problem(void *arg, const char *text)
{
	*(int *)arg = EKKA_EXIT_FATAL;
	ekka_message("%s", text);
}

struct ekka_redescriber *ekka_open_kernels(const char *paths, int *ret_status)
{
	struct ekka_redescriber *r = NULL;
	struct ekka_descriptions *set;
	struct ekka_error err = { 0 };

	*ret_status = EKKA_EXIT_CLEAN;
	if (ekka_descriptions_load(paths, &set, print_problem, ret_status, &err) < 0 || ekka_redescriber_new(set, &r, &err) < 0)
		*ret_status = ekka_fatal("%s", err.message);
	if (*ret_status) {
		ekka_redescriber_free(r);
		r = NULL;
	}
	return r;
}

int ekka_on_event(const char *path, uint64_t number, const char *kernels, int (*fn)(struct ekka_trace *, const struct ekka_event *))
{
	struct ekka_redescriber *redescriber = NULL;
	struct ekka_redescription memory;
	struct ekka_event event = { 0 };
	struct ekka_trace *trace;
	int status = ekka_open_trace(path, &trace, &path);

	if (status)
		return status;
	if (kernels)
		redescriber = ekka_open_kernels(kernels, &status);
	if (!status)
		status = ekka_open_event(trace, path, number, &event);
	if (!status && redescriber)
		ekka_redescribe(redescriber, &event, &memory);
	if (!status)
		status = fn(trace, &event);
	ekka_event_release(&event);
	ekka_redescriber_free(redescriber);
	ekka_trace_close(trace);
	return status;
}
