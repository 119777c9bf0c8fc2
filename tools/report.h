/* SPDX-License-Identifier: Apache-2.0 */
/* What `ekka replay` prints. Those that return an int return an exit status, EKKA_EXIT_FATAL after having said why. */
#ifndef EKKA_TOOLS_REPORT_H
#define EKKA_TOOLS_REPORT_H

#include <json-c/json.h>

#include "replay/redescribe.h"
#include "replay/replay.h"

/* The trace that was replayed, and what described its launches. All borrowed. */
struct ekka_report_source {
	struct ekka_trace *trace;
	const char *path;			/* as the user named it */
	struct ekka_redescriber *kernels;	/* or NULL */
	const char *descriptions;		/* --kernels as the user gave it, or NULL */
};

/* Reads an event as it was judged; it points into `memory`. 0, or negative with err filled. */
int ekka_report_event(const struct ekka_report_source *, uint64_t number, struct ekka_event *, struct ekka_redescription *memory,
		      struct ekka_error *err);

/* The name of a tensor of an event as it was judged. Into buf; returns it. */
const char *ekka_report_tensor(const struct ekka_report_source *, uint64_t event, unsigned tensor, char *buf, size_t len);

/* One line for one event, for --verbose. */
void ekka_report_text_verdict(const struct ekka_event *, const struct ekka_verdict *);

/* The suspects, the first in detail, what could not be judged, and the summary. */
int ekka_report_text(const struct ekka_report_source *, const struct ekka_report *);

/* A list that verdicts are appended to; ekka_report_json takes it over, drop releases it. */
struct json_object *ekka_report_json_verdicts(void);
void ekka_report_json_verdict(struct json_object *list, const struct ekka_event *, const struct ekka_verdict *);
void ekka_report_json_drop(struct json_object *list);

/* One object: summary, suspects, what could not be judged, and verdicts and margins (taken over) when they are not NULL. */
int ekka_report_json(const struct ekka_report_source *, const struct ekka_report *, struct json_object *verdicts, struct json_object *margins);

/* The command that writes an event out alone, quoted for a shell, into buf, which holds at least 64 bytes. Returns buf. */
const char *ekka_report_reproduce(const struct ekka_report_source *, uint64_t event, char *buf, size_t len);

#endif
