/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/unjudged.h"

/* What the event adds to the totals that coverage is a part of. */
static void add_size(struct ekka_report *r, const struct ekka_event *e, uint64_t output_bytes)
{
	r->bytes_total += output_bytes;
	r->gpu_ns_total += e->gpu_ns;
	r->timed += e->timed;
	r->untimed += !e->timed && (e->call.device >= 0 || ekka_event_is_launch(e));
}

int ekka_report_add(struct ekka_report_builder *b, const struct ekka_event *e, const struct ekka_verdict *v, uint64_t output_bytes,
		    struct ekka_error *err)
{
	bool fail = v->status == EKKA_FAIL;
	int r;

	b->report.ops++;
	b->report.count[v->status]++;
	add_size(&b->report, e, output_bytes);
	if (v->status == EKKA_PASS || fail) {
		b->report.judged++;
		b->report.bytes_judged += output_bytes;
		b->report.gpu_ns_judged += e->gpu_ns;
	} else {
		r = ekka_unjudged_add(&b->report, e, v, output_bytes, err);
		if (r < 0)
			return r;
	}
	if ((!fail && !ekka_audit_is_finding(v->audit)) || b->n_of[fail] >= EKKA_REPORT_SUSPECTS)
		return 0;
	if (b->n == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : 16;
		void *grown = realloc(b->entry, cap * sizeof *b->entry);

		if (!grown)
			return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %zu suspects", cap);
		b->entry = grown;
		b->cap = cap;
	}
	b->entry[b->n++] = (struct ekka_report_entry){ e->call.t_ns, fail, *v };
	b->n_of[fail]++;
	return 0;
}

int ekka_report_note(struct ekka_report *r, uint64_t event, const char *text, struct ekka_error *err)
{
	struct ekka_note *grown;

	if (r->n_notes == EKKA_REPORT_NOTES) {
		r->more_notes++;
		return 0;
	}
	grown = realloc(r->notes, (r->n_notes + 1) * sizeof *grown);
	if (!grown)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for a note");
	r->notes = grown;
	grown[r->n_notes].event = event;
	(void)snprintf(grown[r->n_notes++].text, EKKA_NOTE, "%s", text);
	return 0;
}

void ekka_report_add_not_sampled(struct ekka_report_builder *b, const struct ekka_event *e, uint64_t output_bytes)
{
	b->report.ops++;
	b->report.not_sampled++;
	add_size(&b->report, e, output_bytes);
}

void ekka_report_add_segment(struct ekka_report_builder *b, const struct ekka_segment *s)
{
	if (!s->closed) {
		b->report.unclosed = true;
		return;
	}
	b->report.left_out += s->close.left_out;
	b->report.seen_bytes += s->close.seen_bytes;
	b->report.known_bytes += s->close.known_bytes;
	b->report.stored_bytes += s->close.stored_bytes;
	for (unsigned i = 0; i < s->close.n_dropped; i++)
		b->report.dropped += s->close.dropped[i].n;
}

/*
 * An op is judged with its inputs as captured, so one that fails is guilty whatever came before it, and one that passes is
 * exonerated whatever it was fed. Among the guilty the first in time comes first: the others may not even have seen the inputs they
 * would have had otherwise. Processes are compared by their common clock.
 */
static int by_guilt(const void *pa, const void *pb)
{
	const struct ekka_report_entry *a = pa, *b = pb;

	if (a->fail != b->fail)
		return a->fail ? -1 : 1;
	if (a->t_ns != b->t_ns)
		return a->t_ns < b->t_ns ? -1 : 1;
	return a->verdict.event < b->verdict.event ? -1 : a->verdict.event > b->verdict.event;
}

int ekka_report_take(struct ekka_report_builder *b, struct ekka_report *ret, struct ekka_error *err)
{
	struct ekka_report *r = &b->report;

	if (b->n) {
		r->suspects = calloc(b->n, sizeof *r->suspects);
		if (!r->suspects)
			return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %zu suspects", b->n);
		qsort(b->entry, b->n, sizeof *b->entry, by_guilt);
	}
	for (size_t i = 0; i < b->n; i++)
		r->suspects[i] = (struct ekka_suspect){ .rank = (unsigned)i + 1, .verdict = b->entry[i].verdict };
	r->n_suspects = b->n;
	ekka_unjudged_sort(r);
	r->coverage = r->ops ? (double)r->judged / (double)r->ops : 0;
	*ret = *r;
	memset(r, 0, sizeof *r);
	ekka_report_builder_release(b);
	return 0;
}

void ekka_report_builder_release(struct ekka_report_builder *b)
{
	free(b->entry);
	ekka_report_release(&b->report);
	memset(b, 0, sizeof *b);
}

void ekka_report_release(struct ekka_report *r)
{
	free(r->suspects);
	free(r->unjudged);
	free(r->notes);
	memset(r, 0, sizeof *r);
}
