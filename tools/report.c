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

/* Appends one word of a command line, quoted for a shell where it must be. */
static size_t put_word(char *buf, size_t len, size_t at, const char *word)
{
	bool plain = word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+,@%:-")] == '\0' && *word != '-' && *word;

	if (plain)
		return at < len ? at + (size_t)snprintf(buf + at, len - at, " %s", word) : at;
	if (at + 8 < len)
		at += (size_t)snprintf(buf + at, len - at, " '%s", *word == '-' ? "./" : "");
	for (; *word && at + 7 < len; word++)
		at += (size_t)snprintf(buf + at, len - at, *word == '\'' ? "'\\''" : "%c", *word);
	return at + 1 < len ? at + (size_t)snprintf(buf + at, len - at, "'") : at;
}

const char *ekka_report_reproduce(const struct ekka_report_source *from, uint64_t event, char *buf, size_t len)
{
	size_t at = (size_t)snprintf(buf, len, "ekka export %" PRIu64, event);

	if (from->descriptions) {
		at += (size_t)snprintf(buf + at, len - at, " --kernels");
		at = put_word(buf, len, at, from->descriptions);
	}
	(void)put_word(buf, len, at, from->path);
	return buf;
}
