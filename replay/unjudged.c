/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/unjudged.h"

#include "trace/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *reason_of(const struct ekka_verdict *v)
{
	return v->reason[0] ? v->reason : v->where;
}

/* Of status, function and reason: two groups with one key would need some 2^32 different ones. */
static uint64_t key_of(const struct ekka_event *e, const struct ekka_verdict *v)
{
	const char *reason = reason_of(v);
	uint64_t part[3] = { v->status, ekka_check64(e->fn->name, strlen(e->fn->name)), ekka_check64(reason, strlen(reason)) };

	return ekka_check64(part, sizeof(part));
}

int ekka_unjudged_add(struct ekka_report *r, const struct ekka_event *e, const struct ekka_verdict *v, uint64_t bytes, struct ekka_error *err)
{
	uint64_t key = key_of(e, v);
	struct ekka_unjudged *u;

	for (size_t i = 0; i < r->n_unjudged; i++)
		if (r->unjudged[i].key == key) {
			r->unjudged[i].events++;
			r->unjudged[i].bytes += bytes;
			r->unjudged[i].gpu_ns += e->gpu_ns;
			return 0;
		}
	if (r->n_unjudged == EKKA_UNJUDGED_GROUPS) {
		r->unjudged_elsewhere++;
		return 0;
	}
	if (!r->unjudged && !(r->unjudged = malloc(EKKA_UNJUDGED_GROUPS * sizeof(*r->unjudged))))
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for what could not be judged");
	u = &r->unjudged[r->n_unjudged++];
	*u = (struct ekka_unjudged){ .key = key, .status = v->status, .first = e->number, .events = 1, .bytes = bytes, .gpu_ns = e->gpu_ns };
	(void)snprintf(u->reason, sizeof(u->reason), "%s", reason_of(v));
	return 0;
}

static int by_events(const void *pa, const void *pb)
{
	const struct ekka_unjudged *a = pa, *b = pb;

	if (a->events != b->events)
		return a->events > b->events ? -1 : 1;
	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return a->first < b->first ? -1 : a->first > b->first;
}

void ekka_unjudged_sort(struct ekka_report *r)
{
	if (r->n_unjudged)
		qsort(r->unjudged, r->n_unjudged, sizeof(*r->unjudged), by_events);
}
