/* SPDX-License-Identifier: Apache-2.0 */
/* One event as a trace of its own: the records that belong to it and its blobs, and nothing of any other event. */
#include "tools/export.h"

#include "replay/op.h"
#include "trace/chunk.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BUF_BYTES = (int)EKKA_MAX_BODY_BYTES + 4096 };

struct writer {
	const struct ekka_export *x;
	FILE *events, *blobs;
	struct ekka_buf buf;			/* owned */
	unsigned char *raw, *scratch;		/* of one chunk; owned */
	ZSTD_CCtx *zstd;			/* owned */
	struct ekka_blob_id stored[2 * EKKA_MAX_TENSORS + 1];	/* and the module */
	unsigned n_stored;
	uint64_t seen_bytes, stored_bytes;
	struct ekka_error *err;
};

/* Writes the record that was encoded into the buffer: `n` is what the encoder returned. */
static int put(struct writer *w, FILE *f, size_t n)
{
	bool written = n && fwrite(w->buf.data, w->buf.len, 1, f) == 1;

	w->buf.len = 0;
	if (!n)
		return ekka_error_set(w->err, EKKA_ERR_INVALID, "a record of the event is too large");
	return written ? 0 : ekka_error_set(w->err, EKKA_ERR_IO, "cannot write: %s", strerror(errno));
}

static FILE *create(const struct writer *w, const char *dir, const char *kind, bool replace)
{
	char path[PATH_MAX + NAME_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s-%d-0.ekka", dir, kind, w->x->event->segment->open.pid);
	f = fopen(path, replace ? "we" : "wxe");
	if (!f)
		(void)ekka_error_set(w->err, EKKA_ERR_IO, "cannot create '%s': %s", path, strerror(errno));
	return f;
}

static int begin(struct writer *w, const char *dir, bool replace)
{
	struct ekka_rec_open open = w->x->event->segment->open;
	int r;

	open.n_argv = 0;	/* may name what is nobody's business */
	open.argv = NULL;
	open.version = EKKA_FORMAT_VERSION;
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return ekka_error_set(w->err, EKKA_ERR_IO, "cannot create '%s': %s", dir, strerror(errno));
	w->events = create(w, dir, "events", replace);
	w->blobs = w->events ? create(w, dir, "blobs", replace) : NULL;
	if (!w->blobs)
		return EKKA_ERR_IO;
	r = put(w, w->events, ekka_encode_open(&w->buf, &open));
	return r ? r : put(w, w->blobs, ekka_encode_open(&w->buf, &open));
}

/* ---- what stands before the call -------------------------------------- */

/* Those mappings that the stack's addresses lie in. */
static int put_maps(struct writer *w)
{
	const struct ekka_event *e = w->x->event;
	struct ekka_map *maps = calloc(e->segment->n_maps ? e->segment->n_maps : 1, sizeof(*maps));
	unsigned n = 0;
	int r;

	if (!maps)
		return ekka_error_set(w->err, EKKA_ERR_NOMEM, "out of memory");
	for (size_t m = 0; m < e->segment->n_maps; m++)
		for (unsigned i = 0; i < e->stack->n_pc; i++)
			if (e->stack->pc[i] >= e->segment->maps[m].start && e->stack->pc[i] < e->segment->maps[m].end) {
				maps[n++] = e->segment->maps[m];
				break;
			}
	r = n ? put(w, w->events, ekka_encode_maps(&w->buf, &(struct ekka_rec_maps){ maps, n })) : 0;
	free(maps);
	return r;
}

static int put_blob(struct writer *w, const struct ekka_blob_id *id, uint64_t size);

/* The code that a kernel comes from, whole. */
static int put_module(struct writer *w, struct ekka_rec_fn *fn)
{
	const struct ekka_rec_module *m = ekka_event_module(w->x->event);
	struct ekka_rec_module rec;
	int r = 0;

	fn->module = m ? 1 : 0;
	if (!m)
		return 0;
	rec = *m;
	rec.id = 1;
	if (!rec.missing && !ekka_trace_blob_present(w->x->trace, &rec.blob, NULL))
		rec.missing = "not in the trace that this was taken from";
	if (!rec.missing)
		r = put_blob(w, &rec.blob, rec.bytes);
	return r ? r : put(w, w->events, ekka_encode_module(&w->buf, &rec));
}

static int put_surroundings(struct writer *w)
{
	const struct ekka_event *e = w->x->event;
	struct ekka_rec_fn fn = *e->fn;
	struct ekka_rec_stack stack;
	int r = 0;

	fn.id = 1;
	for (size_t i = 0; i < e->segment->n_devices && !r; i++)
		if (e->segment->devices[i].ordinal == e->call.device)
			r = put(w, w->events, ekka_encode_device(&w->buf, &e->segment->devices[i]));
	if (!r)
		r = put_module(w, &fn);
	if (!r)
		r = put(w, w->events, ekka_encode_fn(&w->buf, &fn));
	if (r || !e->stack)
		return r;
	stack = *e->stack;
	stack.id = 1;
	r = put_maps(w);
	return r ? r : put(w, w->events, ekka_encode_stack(&w->buf, &stack));
}

/* Whether others ran meanwhile cannot be seen in a trace of one event: it is said. */
static int put_call(struct writer *w)
{
	const struct ekka_event *e = w->x->event;
	struct ekka_op_context ctx = { .trace = w->x->trace };
	struct ekka_attr attrs[EKKA_MAX_ATTRS];
	struct ekka_rec_call call = e->call;

	call.event = 1;
	call.parent = 0;
	call.depth = 0;
	call.fn = 1;
	call.stack = e->stack ? 1 : 0;
	if (!ekka_event_attr(e, "concurrent") && call.n_attrs < EKKA_MAX_ATTRS && !ekka_event_runs_alone(&ctx, e)) {
		if (call.n_attrs)
			memcpy(attrs, call.attrs, call.n_attrs * sizeof(*attrs));
		attrs[call.n_attrs++] = (struct ekka_attr){ "concurrent", { .kind = EKKA_V_INT, .i = 1 } };
		call.attrs = attrs;
	}
	return put(w, w->events, ekka_encode_call(&w->buf, &call));
}

/* ---- bytes ------------------------------------------------------------ */

static int put_chunk(struct writer *w, const struct ekka_blob_id *id, uint64_t size, uint64_t at)
{
	uint32_t n = (uint32_t)(size - at < EKKA_CHUNK_BYTES ? size - at : EKKA_CHUNK_BYTES);
	struct ekka_rec_chunk rec;
	const void *data;
	int r = ekka_trace_blob_read(w->x->trace, id, at, w->raw, n, w->err);

	if (r)
		return r;
	ekka_chunk_make(w->zstd, 1, id, size, at, w->raw, n, w->scratch, &rec, &data);
	r = put(w, w->blobs, ekka_encode_chunk_head(&w->buf, &rec));
	if (!r && fwrite(data, 1, rec.data_bytes, w->blobs) != rec.data_bytes)
		r = ekka_error_set(w->err, EKKA_ERR_IO, "cannot write: %s", strerror(errno));
	w->stored_bytes += rec.data_bytes;
	return r;
}

/* Stores a blob that was not stored yet. */
static int put_blob(struct writer *w, const struct ekka_blob_id *id, uint64_t size)
{
	int r = 0;

	for (unsigned i = 0; i < w->n_stored; i++)
		if (memcmp(&w->stored[i], id, sizeof(*id)) == 0)
			return 0;
	w->stored[w->n_stored++] = *id;
	for (uint64_t at = 0; at < size && !r; at += EKKA_CHUNK_BYTES)
		r = put_chunk(w, id, size, at);
	return r;
}

static int put_data(struct writer *w, enum ekka_phase phase)
{
	const struct ekka_event *e = w->x->event;
	int r = 0;

	for (unsigned i = 0; i < e->call.n_tensors && !r; i++) {
		struct ekka_rec_data data = e->data[i][phase].rec;

		if (!e->data[i][phase].present)
			continue;
		data.event = 1;
		data.tensor = i;
		data.phase = phase;
		if (!data.missing && !ekka_trace_blob_present(w->x->trace, &data.id, NULL))
			data.missing = "not in the trace that this was taken from";
		if (!data.missing)
			r = put_blob(w, &data.id, data.bytes);
		if (!r)
			r = put(w, w->events, ekka_encode_data(&w->buf, &data));
		w->seen_bytes += data.bytes;
	}
	return r;
}

/* ---- the whole -------------------------------------------------------- */

static int put_event(struct writer *w)
{
	const struct ekka_event *e = w->x->event;
	struct ekka_rec_close close = { .t_ns = e->ret_ns, .events = 1, .why = "exit" };
	int r = put_surroundings(w);

	if (!r)
		r = put_call(w);
	if (!r)
		r = put_data(w, EKKA_PRE);
	if (r || e->state == EKKA_EVENT_BEGUN)
		return r;
	r = put(w, w->events, ekka_encode_ret(&w->buf, &(struct ekka_rec_ret){ 1, e->ret_ns, e->ret }));
	if (!r)
		r = put_data(w, EKKA_POST);
	if (r || e->state != EKKA_EVENT_COMPLETE)
		return r;
	r = put(w, w->events, ekka_encode_end(&w->buf, &(struct ekka_rec_end){ 1, e->ret_ns }));
	if (!r && e->timed)
		r = put(w, w->events, ekka_encode_time(&w->buf, &(struct ekka_rec_time){ 1, e->gpu_ns }));
	close.seen_bytes = w->seen_bytes;
	close.stored_bytes = w->stored_bytes;
	return r ? r : put(w, w->events, ekka_encode_close(&w->buf, &close));
}

static int close_file(struct writer *w, FILE *f, int r)
{
	if (f && fclose(f) != 0 && !r)
		r = ekka_error_set(w->err, EKKA_ERR_IO, "cannot write: %s", strerror(errno));
	return r;
}

int ekka_export_trace(const struct ekka_export *x, const char *dir, bool replace, struct ekka_error *err)
{
	struct writer w = { .x = x, .buf = { .data = malloc(BUF_BYTES), .cap = BUF_BYTES }, .raw = malloc(EKKA_CHUNK_BYTES),
			    .scratch = malloc(ekka_chunk_scratch_bytes()), .zstd = ZSTD_createCCtx(), .err = err };
	int r = w.buf.data && w.raw && w.scratch && w.zstd ? 0 : ekka_error_set(err, EKKA_ERR_NOMEM, "out of memory");

	if (!r)
		r = begin(&w, dir, replace);
	if (!r)
		r = put_event(&w);
	r = close_file(&w, w.events, r);
	r = close_file(&w, w.blobs, r);
	ZSTD_freeCCtx(w.zstd);
	free(w.scratch);
	free(w.raw);
	free(w.buf.data);
	return r;
}
