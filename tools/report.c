/* SPDX-License-Identifier: Apache-2.0 */
/* What the text and the JSON of a report share. */
#include "tools/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int ekka_report_event(const struct ekka_report_source *from, uint64_t number, struct ekka_event *e, struct ekka_redescription *memory,
		      struct ekka_error *err)
{
	int r = ekka_trace_event_read(from->trace, number, e, err);

	if (r == 0 && from->kernels)
		ekka_redescribe(from->kernels, e, memory);
	return r;
}

const char *ekka_report_tensor(const struct ekka_report_source *from, uint64_t event, unsigned tensor, char *buf, size_t len)
{
	struct ekka_redescription memory;
	struct ekka_event e = { 0 };
	struct ekka_error ignored = { 0 };
	bool known = ekka_report_event(from, event, &e, &memory, &ignored) == 0 && tensor < e.call.n_tensors;

	snprintf(buf, len, "%s", known ? e.call.tensors[tensor].name : "?");
	ekka_event_release(&e);
	return buf;
}

const char *ekka_report_reproduce(uint64_t event, const char *path, char *buf, size_t len)
{
	bool plain = path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+,@%-")] == '\0';
	size_t at = (size_t)snprintf(buf, len, "ekka export %" PRIu64 " %s", event, plain && *path != '-' ? path : "");

	if (plain && *path != '-')
		return buf;
	at += (size_t)snprintf(buf + at, len - at, "%s'", *path == '-' ? "./" : "");
	for (; *path && at + 7 < len; path++)
		at += (size_t)snprintf(buf + at, len - at, *path == '\'' ? "'\\''" : "%c", *path);
	snprintf(buf + at, len - at, "'");
	return buf;
}
