/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/audit_flow.h"

#include "compare/audit.h"
#include "replay/read.h"
#include "replay/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One edge with both its ends. */
struct flow {
	const struct ekka_blame *b;
	struct ekka_report *report;
	const struct ekka_edge *edge;
	size_t n_edges;
	struct ekka_event reader, writer;	/* writer: number 0 where it is not read yet */
	struct ekka_redescription *memory[2];	/* theirs */
};

static uint64_t tensor_bytes(const struct ekka_tensor *t)
{
	uint64_t n = ekka_dtype_bytes(t->dtype);

	for (unsigned d = 0; d < t->n_dims; d++)
		if (__builtin_mul_overflow(n, (uint64_t)t->dim[d], &n))
			return UINT64_MAX;
	return n;
}

/* ---- findings --------------------------------------------------------- */

static int add_finding(struct flow *f, const char *text, struct ekka_error *err)
{
	struct ekka_report *r = f->report;
	uint64_t event = f->reader.number;
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
	s->verdict.status = f->b->status[event];
	s->verdict.margin = __builtin_nan("");
	ekka_audit_append(&s->verdict, text);
	return 0;
}

static int find_in_edge(struct flow *f, const struct ekka_edge *edge, const char *name, struct ekka_error *err)
{
	char text[256];

	if (edge->beyond)
		(void)snprintf(text, sizeof(text), "%s reaches %" PRIu64 " bytes behind the end of the memory that event %" PRIu64 " allocated", name,
			       edge->bytes, edge->writer);
	else if (edge->changed)
		(void)snprintf(text, sizeof(text), "%s is not what event %" PRIu64 " left there, and nothing recorded wrote it since", name, edge->writer);
	else if (edge->allocation)
		(void)snprintf(text, sizeof(text), "%" PRIu64 " bytes of %s were never written since event %" PRIu64 " allocated them", edge->bytes, name,
			       edge->writer);
	else
		return 0;
	return add_finding(f, text, err);
}

/* ---- notes ------------------------------------------------------------ */

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

/* The same matrix with other strides, so that the reader reads what the writer did not write. */
static int note_strides(struct flow *f, const struct ekka_edge *edge, const struct ekka_tensor *mine, const struct ekka_tensor *theirs, struct ekka_error *err)
{
	int64_t read[EKKA_MAX_DIMS], written[EKKA_MAX_DIMS];
	char text[EKKA_NOTE];

	if (!sorted_strides(mine, read) || theirs->n_dims != mine->n_dims || memcmp(theirs->dim, mine->dim, mine->n_dims * sizeof(*mine->dim)) != 0 ||
	    !sorted_strides(theirs, written) || memcmp(read, written, mine->n_dims * sizeof(*read)) == 0)
		return 0;
	(void)snprintf(text, sizeof(text), "%s is read with a stride of %" PRId64 " elements, event %" PRIu64 " wrote it there with %" PRId64, mine->name,
		       read[mine->n_dims - 1], edge->writer, written[mine->n_dims - 1]);
	return ekka_report_note(f->report, f->reader.number, text, err) < 0 ? EKKA_ERR_NOMEM : 1;
}

/* As many elements as were written there, stretched over what others wrote. A copy has bytes, and says nothing of strides. */
static int note_reach(struct flow *f, const struct ekka_edge *edge, const struct ekka_tensor *mine, const struct ekka_tensor *theirs, struct ekka_error *err)
{
	const struct ekka_edge *other = f->edge;
	char text[EKKA_NOTE];

	while (other < f->edge + f->n_edges && (other->beyond || other->reader_tensor != edge->reader_tensor || other->writer == edge->writer))
		other++;
	if (other == f->edge + f->n_edges || mine->n_ptrs || theirs->n_ptrs || tensor_bytes(mine) != tensor_bytes(theirs) ||
	    theirs->span_bytes != tensor_bytes(theirs) || mine->span_bytes <= theirs->span_bytes)
		return 0;
	(void)snprintf(text, sizeof(text), "%s reaches %" PRIu64 " bytes further than what event %" PRIu64 " wrote there, which has as many %s, into what event %" PRIu64 " wrote",
		       mine->name, mine->span_bytes - theirs->span_bytes, edge->writer, theirs->dtype == mine->dtype ? "elements" : "bytes", other->writer);
	return ekka_report_note(f->report, f->reader.number, text, err);
}

/* Does the op only move elements: then their type is a matter of size. */
static bool only_moves(const struct ekka_event *e)
{
	const char *op = ekka_event_op(e);
	const struct ekka_value *expr = ekka_event_attr(e, "expr");

	return strcmp(op, "cat") == 0 || strcmp(op, "sort") == 0 ||
	       ((strcmp(op, "elementwise") == 0 || strcmp(op, "scatter") == 0) && (!expr || expr->kind != EKKA_V_STR || !strpbrk(expr->s, "+-*/(")));
}

/* Two formats of floating-point numbers of one size, and bytes of one taken for the other. */
static int note_format(struct flow *f, const struct ekka_edge *edge, const struct ekka_tensor *mine, const struct ekka_tensor *theirs, struct ekka_error *err)
{
	char text[EKKA_NOTE];

	if (mine->dtype == theirs->dtype || ekka_dtype_bytes(mine->dtype) > 2 || ekka_dtype_bytes(mine->dtype) != ekka_dtype_bytes(theirs->dtype) ||
	    ekka_dtype_unit_roundoff(mine->dtype) == 0 || ekka_dtype_unit_roundoff(theirs->dtype) == 0 || edge->bytes != tensor_bytes(mine) ||
	    only_moves(&f->reader) || only_moves(&f->writer))
		return 0;
	(void)snprintf(text, sizeof(text), "%s is read as %s, event %" PRIu64 " wrote it as %s", mine->name, ekka_dtype_name(mine->dtype), edge->writer,
		       ekka_dtype_name(theirs->dtype));
	return ekka_report_note(f->report, f->reader.number, text, err);
}

static int note_edge(struct flow *f, const struct ekka_edge *edge, const struct ekka_tensor *mine, struct ekka_error *err)
{
	const struct ekka_tensor *theirs;
	struct ekka_error ignored = { 0 };
	int r = 0;

	if (edge->beyond || !edge->writer || ekka_replay_event_read(f->b->trace, f->b->options, edge->writer, &f->writer, f->memory[1], &ignored) < 0 ||
	    edge->writer_tensor >= f->writer.call.n_tensors)
		return 0;
	theirs = &f->writer.call.tensors[edge->writer_tensor];
	if (theirs->addr != mine->addr)
		return 0;
	if (edge->bytes >= tensor_bytes(mine))
		return note_format(f, edge, mine, theirs, err);
	if (theirs->dtype == mine->dtype)
		r = note_strides(f, edge, mine, theirs, err);
	if (r == 0 && (theirs->dtype == mine->dtype || theirs->dtype == EKKA_U8))
		r = note_reach(f, edge, mine, theirs, err);
	return r < 0 ? r : note_format(f, edge, mine, theirs, err);
}

int ekka_audit_flow(const struct ekka_blame *b, uint64_t event, struct ekka_report *report, struct ekka_error *err)
{
	struct flow f = { .b = b, .report = report };
	struct ekka_error ignored = { 0 };
	int r = 0;

	f.edge = ekka_lineage_edges(b->lineage, event, &f.n_edges);
	if (f.n_edges == 0)
		return 0;
	for (unsigned i = 0; i < 2 && r == 0; i++)
		r = ekka_replay_memory_new(b->options, &f.memory[i], err);
	if (r == 0 && ekka_replay_event_read(b->trace, b->options, event, &f.reader, f.memory[0], &ignored) == 0)
		for (size_t i = 0; i < f.n_edges && r == 0; i++)
			if (f.edge[i].reader_tensor < f.reader.call.n_tensors) {
				const struct ekka_tensor *t = &f.reader.call.tensors[f.edge[i].reader_tensor];

				r = find_in_edge(&f, &f.edge[i], t->name, err);
				if (r == 0)
					r = note_edge(&f, &f.edge[i], t, err);
			}
	ekka_event_release(&f.reader);
	ekka_event_release(&f.writer);
	free(f.memory[0]);
	free(f.memory[1]);
	return r;
}
