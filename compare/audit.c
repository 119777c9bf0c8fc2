/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/audit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char POLICY[] = "policy: ";

/* Findings stand before policy notes, so that the first characters tell whether there are any. */
void ekka_audit_append(struct ekka_verdict *v, const char *finding)
{
	char notes[EKKA_TEXT] = "";
	char *at = strstr(v->audit, POLICY);
	size_t len;

	if (at) {
		(void)snprintf(notes, sizeof notes, "%s", at);
		*at = '\0';
	}
	len = strlen(v->audit);
	(void)snprintf(v->audit + len, sizeof v->audit - len, "%s%s%s%s", len && !at ? "; " : "", finding, at ? "; " : "", notes);
}

void ekka_audit_append_policy(struct ekka_verdict *v, const char *note)
{
	size_t len = strlen(v->audit);

	(void)snprintf(v->audit + len, sizeof v->audit - len, "%s%s%s", len ? "; " : "", POLICY, note);
}

bool ekka_audit_is_finding(const char *audit)
{
	return audit[0] && strncmp(audit, POLICY, sizeof POLICY - 1);
}

bool ekka_audit_call_failed(const struct ekka_event *e)
{
	return e->state != EKKA_EVENT_BEGUN && e->fn && !strncmp(e->fn->library, "cublas", 6) && e->ret.kind == EKKA_V_INT && e->ret.i != 0;
}

/* alpha and beta as attributes; those on the device are looked at when the op is judged. */
static void audit_scalar(const struct ekka_event *e, const char *name, struct ekka_verdict *v)
{
	const struct ekka_value *value = ekka_event_attr(e, name);
	char text[96];

	if (!value)
		return;
	if (value->kind == EKKA_V_NIL) {
		(void)snprintf(text, sizeof text, "%s is a null pointer", name);
		ekka_audit_append(v, text);
	} else if ((value->kind == EKKA_V_REAL && !isfinite(value->r[0])) ||
		   (value->kind == EKKA_V_COMPLEX && !(isfinite(value->r[0]) && isfinite(value->r[1])))) {
		(void)snprintf(text, sizeof text, "%s is %s", name, isnan(value->r[0]) ? "NaN" : "not finite");
		ekka_audit_append(v, text);
	}
}

void ekka_audit_event(struct ekka_trace *trace, const struct ekka_event *e, struct ekka_verdict *v)
{
	(void)trace;
	if (e->call.bad_args)
		ekka_audit_append(v, e->call.bad_args);
	audit_scalar(e, "alpha", v);
	audit_scalar(e, "beta", v);
}
