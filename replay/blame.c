/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/blame.h"

#include "compare/audit.h"
#include "replay/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DETAILED = 32 /* suspects whose consequences are counted */ };

static enum ekka_status status_of(const struct ekka_blame *b, uint64_t event)
{
	return event <= b->n_events ? (enum ekka_status)b->status[event] : EKKA_STATUS_COUNT;
}

/* Marks what was fed by events that `is_source` names. Returns how many judged events are marked that are no sources themselves. */
static uint64_t spread(const struct ekka_lineage *l, const struct ekka_blame *b, bool *marked, uint64_t only)
{
	uint64_t n = 0;

	memset(marked, 0, b->n_events + 1);
	for (uint64_t e = only ? only + 1 : 1; e <= b->n_events; e++) {
		size_t n_edges;
		const struct ekka_edge *edge = ekka_lineage_edges(l, e, &n_edges);

		for (size_t i = 0; i < n_edges && !marked[e]; i++) {
			uint64_t w = edge[i].writer;

			marked[e] = marked[w] || (only ? w == only : status_of(b, w) == EKKA_FAIL);
		}
		n += marked[e] && status_of(b, e) < EKKA_STATUS_COUNT && (only || status_of(b, e) != EKKA_FAIL);
	}
	return n;
}

static const char *tensor_name(const struct ekka_event *e, unsigned i)
{
	return i < e->call.n_tensors ? e->call.tensors[i].name : "?";
}

static uint64_t tensor_bytes(const struct ekka_tensor *t)
{
	uint64_t n = ekka_dtype_bytes(t->dtype);

	for (unsigned d = 0; d < t->n_dims; d++)
		if (__builtin_mul_overflow(n, (uint64_t)t->dim[d], &n))
			return UINT64_MAX;
	return n;
}

static void find_sources(const struct ekka_lineage *l, const struct ekka_blame *b, struct ekka_suspect *s)
{
	size_t n;
	const struct ekka_edge *edge = ekka_lineage_edges(l, s->verdict.event, &n);

	s->n_sources = n < EKKA_SOURCES ? (unsigned)n : EKKA_SOURCES;
	s->n_more_sources = (unsigned)n - s->n_sources;
	for (unsigned i = 0; i < s->n_sources; i++)
		s->source[i] = (struct ekka_source){ edge[i].writer, status_of(b, edge[i].writer), edge[i].reader_tensor };
}

/* ---- findings --------------------------------------------------------- */

static int add_finding(struct ekka_report *r, const struct ekka_blame *b, uint64_t event, const char *text, struct ekka_error *err)
{
	struct ekka_suspect *s;
	void *grown;

	for (size_t i = 0; i < r->n_suspects; i++)
		if (r->suspects[i].verdict.event == event) {
			ekka_audit_append(&r->suspects[i].verdict, text);
			return 0;
		}
	if (r->n_suspects >= 2 * EKKA_REPORT_SUSPECTS)
		return 0;
	grown = realloc(r->suspects, (r->n_suspects + 1) * sizeof(*r->suspects));
	if (!grown)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for a suspect");
	r->suspects = grown;
	s = &r->suspects[r->n_suspects];
	*s = (struct ekka_suspect){ .rank = (unsigned)++r->n_suspects };
	s->verdict.event = event;
	s->verdict.status = status_of(b, event);
	s->verdict.margin = __builtin_nan("");
	ekka_audit_append(&s->verdict, text);
	return 0;
}

/* Strides without regard to order and sign: a transposed view has the same. False: no matrix, or elements on top of each other. */
static bool sorted_strides(const struct ekka_tensor *t, int64_t ret[EKKA_MAX_DIMS])
{
	for (unsigned d = 0; d < t->n_dims; d++) {
		int64_t stride = t->dim[d] == 1 ? 0 : t->stride[d] < 0 ? -t->stride[d] : t->stride[d];
		unsigned at = d;

		if (stride == 0 && t->dim[d] != 1)
			return false;
		for (; at > 0 && ret[at - 1] > stride; at--)
			ret[at] = ret[at - 1];
		ret[at] = stride;
	}
	return t->n_dims >= 2 && t->n_ptrs == 0;
}

/* The same matrix at the same place, but with other strides, so that the reader reads what the writer did not write. */
static int note_strides(struct ekka_trace *trace, const struct ekka_edge *edge, const struct ekka_event *e, struct ekka_report *r, struct ekka_error *err)
{
	const struct ekka_tensor *mine, *theirs;
	struct ekka_event writer = { 0 };
	struct ekka_error ignored = { 0 };
	int64_t read[EKKA_MAX_DIMS], written[EKKA_MAX_DIMS];
	char text[EKKA_NOTE];
	int res = 0;

	mine = &e->call.tensors[edge->reader_tensor];
	if (!sorted_strides(mine, read) || ekka_trace_event_read(trace, edge->writer, &writer, &ignored) < 0)
		goto out;
	theirs = &writer.call.tensors[edge->writer_tensor];
	if (edge->writer_tensor >= writer.call.n_tensors || theirs->addr != mine->addr || theirs->dtype != mine->dtype ||
	    theirs->n_dims != mine->n_dims ||
	    memcmp(theirs->dim, mine->dim, mine->n_dims * sizeof(*mine->dim)) != 0 || !sorted_strides(theirs, written) ||
	    memcmp(read, written, mine->n_dims * sizeof(*read)) == 0)
		goto out;
	(void)snprintf(text, sizeof(text), "%s is read with a stride of %" PRId64 " elements, event %" PRIu64 " wrote it there with %" PRId64, mine->name,
		       read[mine->n_dims - 1], edge->writer, written[mine->n_dims - 1]);
	res = ekka_report_note(r, e->number, text, err);
out:
	ekka_event_release(&writer);
	return res;
}

static int find_in_event(struct ekka_trace *trace, const struct ekka_lineage *l, const struct ekka_blame *b, uint64_t number,
			 struct ekka_event *e, struct ekka_report *r, struct ekka_error *err)
{
	struct ekka_error ignored = { 0 };
	size_t n;
	const struct ekka_edge *edge = ekka_lineage_edges(l, number, &n);

	for (size_t i = 0; i < n; i++) {
		char text[256];
		int res;

		if (i == 0 && ekka_trace_event_read(trace, number, e, &ignored) < 0)
			return 0;
		if (edge[i].reader_tensor < e->call.n_tensors && edge[i].bytes < tensor_bytes(&e->call.tensors[edge[i].reader_tensor])) {
			res = note_strides(trace, &edge[i], e, r, err);
			if (res < 0)
				return res;
		}
		if (!edge[i].changed && !edge[i].allocation)
			continue;
		if (edge[i].changed)
			(void)snprintf(text, sizeof(text), "%s is not what event %" PRIu64 " left there, and nothing recorded wrote it since",
				       tensor_name(e, edge[i].reader_tensor), edge[i].writer);
		else
			(void)snprintf(text, sizeof(text), "%" PRIu64 " bytes of %s were never written since event %" PRIu64 " allocated them",
				       edge[i].bytes, tensor_name(e, edge[i].reader_tensor), edge[i].writer);
		res = add_finding(r, b, number, text, err);
		if (res < 0)
			return res;
	}
	return 0;
}

int ekka_blame_report(struct ekka_trace *trace, const struct ekka_lineage *l, const struct ekka_blame *b, struct ekka_report *r,
		      struct ekka_error *err)
{
	struct ekka_event e = { 0 };
	bool *marked = calloc(b->n_events + 1, sizeof(*marked));
	int res = 0;

	if (!marked)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %" PRIu64 " events", b->n_events);
	for (uint64_t number = 1; number <= b->n_events && res == 0; number++)
		if (status_of(b, number) < EKKA_STATUS_COUNT)
			res = find_in_event(trace, l, b, number, &e, r, err);
	if (r->count[EKKA_FAIL])
		r->infected = spread(l, b, marked, 0);
	for (size_t i = 0; i < r->n_suspects && i < DETAILED; i++) {
		find_sources(l, b, &r->suspects[i]);
		if (r->suspects[i].verdict.status == EKKA_FAIL)
			r->suspects[i].infected = spread(l, b, marked, r->suspects[i].verdict.event);
	}
	ekka_event_release(&e);
	free(marked);
	return res;
}
