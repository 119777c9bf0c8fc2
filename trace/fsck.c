/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/fsck.h"

#include "trace/reader_internal.h"
#include "trace/tensor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fsck {
	struct ekka_trace *trace;
	const struct ekka_fsck_options *opt;
	struct ekka_fsck_result *ret;
	const struct blob_table *blobs;	/* from the blob files themselves, never from an index */
	uint8_t *used;			/* a bit per blob */
	uint64_t done, total;
};

static void found(struct fsck *f, enum ekka_fsck_severity severity, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void found(struct fsck *f, enum ekka_fsck_severity severity, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (severity == EKKA_FSCK_DAMAGE)
		f->ret->damage++;
	else
		f->ret->notes++;
	if (!f->opt->finding)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	/* Names come from the file: they shall not move a terminal's cursor. */
	for (char *p = text; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	f->opt->finding(f->opt->arg, severity, text);
}

static void progress(struct fsck *f, uint64_t by)
{
	f->done += by;
	if (f->opt->progress)
		f->opt->progress(f->opt->arg, f->done, f->total);
}

/* A data record against the tensor it belongs to and the blob it names. */
static void check_data(struct fsck *f, const struct ekka_event *ev, const struct ekka_rec_data *d)
{
	const struct ekka_tensor *t = &ev->call.tensors[d->tensor];
	const struct blob_entry *b;
	uint64_t bytes = 0;

	if (d->missing) {
		found(f, EKKA_FSCK_NOTE, "event %" PRIu64 ": bytes of '%s' %s the call were not recorded: %s", ev->number, t->name,
		      d->phase == EKKA_PRE ? "before" : "after", d->missing);
		return;
	}
	if (ekka_tensor_blob_bytes(t, &bytes) && bytes != d->bytes)
		found(f, EKKA_FSCK_DAMAGE, "event %" PRIu64 ": '%s' spans %" PRIu64 " bytes, its data record says %" PRIu64, ev->number,
		      t->name, bytes, d->bytes);
	b = ekka_blob_table_find(f->blobs, &d->id);
	if (b)
		f->used[(b - f->blobs->blobs) / 8] |= (uint8_t)(1u << ((b - f->blobs->blobs) % 8));
	if (b ? !b->whole : !ekka_trace_blob_present(f->trace, &d->id, NULL))
		found(f, EKKA_FSCK_DAMAGE, "event %" PRIu64 ": the bytes of '%s' are not in the trace, though its data record names them",
		      ev->number, t->name);
	else if ((b ? b->size : 0) != d->bytes)
		found(f, EKKA_FSCK_DAMAGE, "event %" PRIu64 ": data of '%s' has %" PRIu64 " bytes, the blob it names %" PRIu64, ev->number,
		      t->name, d->bytes, b ? b->size : 0);
}

static void check_event(struct fsck *f, uint64_t number, struct ekka_event *ev)
{
	struct ekka_error err = { 0 };
	bool full;

	if (ekka_trace_event_read(f->trace, number, ev, &err) < 0) {
		found(f, EKKA_FSCK_DAMAGE, "event %" PRIu64 ": %s", number, err.message);
		return;
	}
	if (ev->state == EKKA_EVENT_COMPLETE)
		f->ret->complete_events++;
	else
		found(f, EKKA_FSCK_NOTE, "event %" PRIu64 ": '%s' %s", number, ev->fn->name,
		      ev->state == EKKA_EVENT_BEGUN ? "never returned" : "returned, but its data is not complete");
	full = ev->state == EKKA_EVENT_COMPLETE && strcmp(ev->segment->open.level, "full") == 0;
	if (strcmp(ev->fn->name, "?") == 0)
		found(f, EKKA_FSCK_DAMAGE, "event %" PRIu64 ": its function %" PRIu32 " is not in the trace", number, ev->call.fn);
	if (ev->call.stack != 0 && !ev->stack)
		found(f, EKKA_FSCK_DAMAGE, "event %" PRIu64 ": its stack %" PRIu64 " is not in the trace", number, ev->call.stack);
	for (unsigned i = 0; i < ev->call.n_tensors; i++) {
		for (int ph = EKKA_PRE; ph <= EKKA_POST; ph++) {
			const struct ekka_tensor *t = &ev->call.tensors[i];

			if (ev->data[i][ph].present)
				check_data(f, ev, &ev->data[i][ph].rec);
			else if (full && t->alias_of < 0 && (ph == EKKA_PRE ? t->pre : t->post))
				found(f, EKKA_FSCK_DAMAGE, "event %" PRIu64 ": no data record says what became of the bytes of '%s' %s the call",
				      number, t->name, ph == EKKA_PRE ? "before" : "after");
		}
	}
}

/* The images of GPU code. */
static void check_modules(struct fsck *f, const struct ekka_segment *s)
{
	for (size_t i = 0; i < s->n_modules; i++) {
		const struct ekka_rec_module *m = &s->modules[i];
		const struct blob_entry *b = m->missing ? NULL : ekka_blob_table_find(f->blobs, &m->blob);

		if (m->missing) {
			found(f, EKKA_FSCK_NOTE, "%s: module %" PRIu32 ": its image was not recorded: %s", s->file, m->id, m->missing);
			continue;
		}
		if (b)
			f->used[(b - f->blobs->blobs) / 8] |= (uint8_t)(1u << ((b - f->blobs->blobs) % 8));
		if (!b || !b->whole)
			found(f, EKKA_FSCK_DAMAGE, "%s: module %" PRIu32 ": its image is not in the trace", s->file, m->id);
		else if (b->size != m->bytes)
			found(f, EKKA_FSCK_DAMAGE, "%s: module %" PRIu32 " has %" PRIu64 " bytes, the blob it names %" PRIu64, s->file, m->id, m->bytes, b->size);
	}
}

static void check_segment(struct fsck *f, const struct ekka_segment *s)
{
	if (!s->closed) {
		found(f, EKKA_FSCK_NOTE, "%s: no trailer: process %d was killed, or still runs", s->file, s->open.pid);
		return;
	}
	if (s->close.events != s->n_events)
		found(f, EKKA_FSCK_DAMAGE, "%s: the trailer counts %" PRIu64 " events, the file has %" PRIu64, s->file, s->close.events,
		      s->n_events);
	for (unsigned i = 0; i < s->close.n_dropped; i++) {
		if (s->close.dropped[i].n > 0)
			found(f, EKKA_FSCK_NOTE, "%s: %" PRIu64 " dropped: %s", s->file, s->close.dropped[i].n, s->close.dropped[i].name);
	}
}

static void check_blob(struct fsck *f, size_t i)
{
	const struct blob_entry *b = &f->blobs->blobs[i];
	struct ekka_error err = { 0 };

	f->ret->blobs++;
	f->ret->blob_bytes += b->size;
	f->ret->stored_bytes += b->stored_bytes;
	if (!(f->used[i / 8] >> (i % 8) & 1))
		f->ret->unused_blobs++;
	if (!b->whole) {
		const struct blob_chunk *c = &f->blobs->chunks[f->blobs->parts[b->first].chunk];

		found(f, EKKA_FSCK_NOTE, "%s: offset %" PRIu64 ": a blob of %" PRIu64 " bytes is not whole: writing was interrupted",
		      f->trace->blob_files[c->file].name, c->at, b->size);
		return;
	}
	if (ekka_trace_blob_verify(f->trace, &b->id, &err) < 0)
		found(f, EKKA_FSCK_DAMAGE, "%s", err.message);
	progress(f, b->size);
}

int ekka_fsck_run(struct ekka_trace *t, const struct ekka_fsck_options *opt, struct ekka_fsck_result *ret, struct ekka_error *err)
{
	struct fsck f = { .trace = t, .opt = opt, .ret = ret };
	struct ekka_event ev = { 0 };

	*ret = (struct ekka_fsck_result){ .events = ekka_trace_n_events(t) };
	f.blobs = ekka_blobs_scanned(t, err);
	if (!f.blobs)
		return EKKA_ERR_NOMEM;
	f.used = calloc(f.blobs->n_blobs / 8 + 1, 1);
	if (!f.used)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "out of memory");
	f.total = ret->events;
	for (size_t i = 0; i < f.blobs->n_blobs; i++)
		f.total += f.blobs->blobs[i].whole ? f.blobs->blobs[i].size : 0;
	for (size_t i = 0; i < ekka_trace_n_problems(t); i++)
		found(&f, EKKA_FSCK_DAMAGE, "%s", ekka_trace_problem(t, i));
	for (size_t i = 0; i < ekka_trace_n_segments(t); i++) {
		check_segment(&f, ekka_trace_segment(t, i));
		check_modules(&f, ekka_trace_segment(t, i));
	}
	for (uint64_t n = 1; n <= ret->events; n++) {
		check_event(&f, n, &ev);
		progress(&f, 1);
	}
	for (size_t i = 0; i < f.blobs->n_blobs; i++)
		check_blob(&f, i);
	ekka_event_release(&ev);
	free(f.used);
	return 0;
}
