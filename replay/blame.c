/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/blame.h"

#include "replay/audit_flow.h"
#include "replay/operands.h"
#include "replay/stale.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { DETAILED = 32 /* suspects whose consequences are counted */, EXPLAINED = 16 /* failed ones that are judged again with other operands */ };

static enum ekka_status status_of(const struct ekka_blame *b, uint64_t event)
{
	return event <= b->n_events ? (enum ekka_status)b->status[event] : EKKA_STATUS_COUNT;
}

/* Marks what was fed by events that `is_source` names. Returns how many judged events are marked that are no sources themselves. */
static uint64_t spread(const struct ekka_blame *b, bool *marked, uint64_t only)
{
	uint64_t n = 0;

	memset(marked, 0, b->n_events + 1);
	for (uint64_t e = only ? only + 1 : 1; e <= b->n_events; e++) {
		size_t n_edges;
		const struct ekka_edge *edge = ekka_lineage_edges(b->lineage, e, &n_edges);

		for (size_t i = 0; i < n_edges && !marked[e]; i++) {
			uint64_t w = edge[i].writer;

			marked[e] = marked[w] || (only ? w == only : status_of(b, w) == EKKA_FAIL);
		}
		n += marked[e] && status_of(b, e) < EKKA_STATUS_COUNT && (only || status_of(b, e) != EKKA_FAIL);
	}
	return n;
}

static void find_sources(const struct ekka_blame *b, struct ekka_suspect *s)
{
	size_t n;
	const struct ekka_edge *edge = ekka_lineage_edges(b->lineage, s->verdict.event, &n);

	s->n_sources = s->n_more_sources = 0;
	for (size_t i = 0; i < n; i++) {
		if (edge[i].beyond)
			continue;
		if (s->n_sources == EKKA_SOURCES)
			s->n_more_sources++;
		else
			s->source[s->n_sources++] = (struct ekka_source){ edge[i].writer, status_of(b, edge[i].writer), edge[i].reader_tensor };
	}
}

int ekka_blame_report(const struct ekka_blame *b, struct ekka_report *r, struct ekka_error *err)
{
	bool *marked = calloc(b->n_events + 1, sizeof(*marked));
	unsigned n_explained = 0;
	int res = 0;

	if (!marked)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %" PRIu64 " events", b->n_events);
	for (uint64_t number = 1; number <= b->n_events && res == 0; number++)
		if (status_of(b, number) < EKKA_STATUS_COUNT)
			res = ekka_audit_flow(b, number, r, err);
	if (r->count[EKKA_FAIL])
		r->infected = spread(b, marked, 0);
	for (size_t i = 0; i < r->n_suspects && i < DETAILED && res == 0; i++) {
		find_sources(b, &r->suspects[i]);
		if (r->suspects[i].verdict.status != EKKA_FAIL)
			continue;
		r->suspects[i].infected = spread(b, marked, r->suspects[i].verdict.event);
		res = ekka_stale_explain(b, &r->suspects[i].verdict, err);
		if (res == 0 && n_explained++ < EXPLAINED)
			res = ekka_operands_explain(b, &r->suspects[i].verdict, err);
	}
	free(marked);
	return res;
}
