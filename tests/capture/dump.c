/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints a trace as lines that a shell test can match, and verifies every blob. Exit status 1 when it cannot be opened.
 *
 *	segment PID PPID CLOSED-WHY|open EVENTS LEVEL
 *	drop NAME COUNT
 *	problem TEXT
 *	event NUMBER SEGMENT NAME depth D parent P STATE object BASENAME args N bad REASON|- pc N py N
 *	data NUMBER TENSOR pre|post BYTES whole|absent|missing:REASON
 *	indexed 1|0		was an index believed
 *	blobs N bytes B
 */
#include "trace/reader_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_segments(const struct ekka_trace *t)
{
	for (size_t i = 0; i < ekka_trace_n_segments(t); i++) {
		const struct ekka_segment *s = ekka_trace_segment(t, i);
		printf("segment %d %d %s %" PRIu64 " %s\n", s->open.pid, s->open.ppid, s->closed ? s->close.why : "open",
		       s->n_events, s->open.level);
		if (s->closed && s->close.left_out)
			printf("left %" PRIu64 "\n", s->close.left_out);
		for (unsigned d = 0; s->closed && d < s->close.n_dropped; d++)
			printf("drop %s %" PRIu64 "\n", s->close.dropped[d].name, s->close.dropped[d].n);
	}
	for (size_t i = 0; i < ekka_trace_n_problems(t); i++)
		printf("problem %s\n", ekka_trace_problem(t, i));
}

static void print_data(struct ekka_trace *t, const struct ekka_event *e)
{
	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		for (int ph = 0; ph < 2; ph++) {
			const struct ekka_event_data *d = &e->data[i][ph];
			uint64_t bytes;
			if (!d->present)
				continue;
			printf("data %" PRIu64 " %s %s %" PRIu64 " ", e->number, e->call.tensors[i].name, ph ? "post" : "pre",
			       d->rec.bytes);
			if (d->rec.missing)
				printf("missing:%s\n", d->rec.missing);
			else
				puts(ekka_trace_blob_present(t, &d->rec.id, &bytes) && bytes == d->rec.bytes ? "whole" : "absent");
		}
	}
}

static int print_event(struct ekka_trace *t, uint64_t n, struct ekka_event *e)
{
	static const char *const states[] = { "begun", "returned", "complete" };
	struct ekka_error err = { 0 };

	if (ekka_trace_event_read(t, n, e, &err) != 0) {
		printf("error %s\n", err.message);
		return -1;
	}
	const char *object = strrchr(e->fn->object, '/');
	size_t seg = 0;
	while (ekka_trace_segment(t, seg) != e->segment)
		seg++;
	printf("event %" PRIu64 " %zu %s depth %u parent %" PRIu64 " %s object %s args %u bad %s pc %u py %u\n", n, seg, e->fn->name,
	       e->call.depth, e->call.parent, states[e->state], object ? object + 1 : e->fn->object, e->call.n_args,
	       e->call.bad_args ? e->call.bad_args : "-", e->stack ? e->stack->n_pc : 0, e->stack ? e->stack->n_py : 0);
	print_data(t, e);
	return 0;
}

struct blob_totals { struct ekka_trace *trace; uint64_t n, bytes; int bad; };

static int check_blob(const struct ekka_blob_info *info, void *arg)
{
	struct blob_totals *totals = arg;
	struct ekka_error err = { 0 };

	if (info->whole && ekka_trace_blob_verify(totals->trace, &info->id, &err) != 0) {
		printf("error %s\n", err.message);
		totals->bad++;
	}
	totals->n++;
	totals->bytes += info->size;
	return 0;
}

int main(int argc, char **argv)
{
	struct ekka_trace *t;
	struct ekka_error err = { 0 };
	struct ekka_event e = { 0 };
	int bad = 0;

	if (argc != 2 || ekka_trace_open(argv[1], &t, &err) != 0) {
		fprintf(stderr, "dump: %s\n", err.message);
		return 1;
	}
	print_segments(t);
	for (uint64_t n = 1; n <= ekka_trace_n_events(t); n++)
		bad |= print_event(t, n, &e);
	struct blob_totals totals = { .trace = t };
	printf("indexed %d\n", t->indexed);
	ekka_trace_blobs_foreach(t, check_blob, &totals);
	printf("blobs %" PRIu64 " bytes %" PRIu64 "\n", totals.n, totals.bytes);
	ekka_event_release(&e);
	ekka_trace_close(t);
	return bad || totals.bad;
}
