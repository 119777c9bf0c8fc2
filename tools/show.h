/* SPDX-License-Identifier: Apache-2.0 */
/* What `ekka show` prints. Each returns an exit status, after having said why when it is not 0. */
#ifndef EKKA_TOOLS_SHOW_H
#define EKKA_TOOLS_SHOW_H

#include <json-c/json.h>

#include "tools/slice.h"
#include "trace/reader.h"

int ekka_show_text(struct ekka_trace *, const struct ekka_event *);
struct json_object *ekka_show_json_object(struct ekka_trace *, const struct ekka_event *);	/* what ekka_show_json prints; the caller's */
int ekka_show_json(struct ekka_trace *, const struct ekka_event *);

/* Values of a part of tensor i. */
int ekka_show_values_text(struct ekka_trace *, const struct ekka_event *, unsigned i, enum ekka_phase, const struct ekka_slice *);
int ekka_show_values_json(struct ekka_trace *, const struct ekka_event *, unsigned i, enum ekka_phase, const struct ekka_slice *);

#endif
