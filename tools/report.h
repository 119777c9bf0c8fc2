/* SPDX-License-Identifier: Apache-2.0 */
/* What `ekka replay` prints. Those that return an int return an exit status, EKKA_EXIT_FATAL after having said why. */
#ifndef EKKA_TOOLS_REPORT_H
#define EKKA_TOOLS_REPORT_H

#include <json-c/json.h>

#include "replay/replay.h"

/* One line for one event, for --verbose. */
void ekka_report_text_verdict(const struct ekka_event *, const struct ekka_verdict *);

/* The suspects, the first in detail, and the summary. */
int ekka_report_text(struct ekka_trace *, const char *path, const struct ekka_report *);

/* A list that verdicts are appended to; ekka_report_json takes it over, drop releases it. */
struct json_object *ekka_report_json_verdicts(void);
void ekka_report_json_verdict(struct json_object *list, const struct ekka_event *, const struct ekka_verdict *);
void ekka_report_json_drop(struct json_object *list);

/* One object: summary, suspects, and the verdicts when they are not NULL. */
int ekka_report_json(struct ekka_trace *, const char *path, const struct ekka_report *, struct json_object *verdicts);

/* The command that reproduces an event alone, quoted for a shell, into buf. Returns buf. */
const char *ekka_report_reproduce(uint64_t event, const char *path, char *buf, size_t len);

#endif
