/* SPDX-License-Identifier: Apache-2.0 */
/* What an event computes, and whether it counts. Pure. */
#include <string.h>

#include "trace/reader.h"

static bool of_library(const struct ekka_event *e, const char *library)
{
	return e->fn && e->fn->library && !strcmp(e->fn->library, library);
}

bool ekka_event_is_launch(const struct ekka_event *e)
{
	return of_library(e, "kernel");
}

const char *ekka_event_op(const struct ekka_event *e)
{
	const struct ekka_value *v = ekka_event_attr(e, "op");

	if (v && v->kind == EKKA_V_STR && v->s)
		return v->s;
	return e->fn && e->fn->op ? e->fn->op : "";
}

bool ekka_event_computes(const struct ekka_event *e)
{
	if (e->call.depth > 0 || ekka_event_attr(e, "captured"))
		return false;
	if (of_library(e, "driver"))
		return ekka_event_attr(e, "nodes");	/* the launch of a graph */
	if (ekka_event_op(e)[0])
		return true;
	/* Every function of cuDNN that is recorded at all computes something. */
	if (of_library(e, "cudnn"))
		return true;
	/* A launch that is described and has no op computes nothing worth judging. */
	return ekka_event_is_launch(e) && (!ekka_event_attr(e, "description") || ekka_event_attr(e, "refused"));
}
