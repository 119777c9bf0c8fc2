/* SPDX-License-Identifier: Apache-2.0 */
/* Assembles one event from its records. */
#include "trace/decode.h"
#include "trace/frame.h"
#include "trace/reader_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Most events lie in one piece this long, which one read fetches. */
enum { WINDOW = 8 << 10 };

struct arena {
	msgpack_zone zone;
	struct ekka_decode_zones zones;	/* both this zone */
	uint8_t *buf;			/* bytes of the file from `base` on */
	size_t cap, len;
	uint64_t base;
};

struct event_reader {
	const struct segment *seg;
	struct arena *arena;
	int fd;
	struct ekka_error *err;
};

static int failed(const struct event_reader *r, uint64_t at, const char *what)
{
	return ekka_error_set(r->err, EKKA_ERR_FORMAT, "%s: offset %" PRIu64 ": %s", r->seg->file.name, at, what);
}

/* Makes n bytes at `at` available, or as many as there are; returns how many through ret_n. */
static int window(const struct event_reader *r, uint64_t at, size_t n, size_t *ret_n)
{
	struct arena *a = r->arena;
	uint64_t left;
	int rc;

	if (at >= a->base && at - a->base < a->len && a->len - (at - a->base) >= n) {
		*ret_n = a->len - (size_t)(at - a->base);
		return 0;
	}
	left = at < r->seg->file.size ? r->seg->file.size - at : 0;
	if (n < WINDOW)
		n = WINDOW;
	if (n > left)
		n = (size_t)left;
	if (n > a->cap) {
		uint8_t *grown = realloc(a->buf, n);

		if (!grown)
			return ekka_error_set(r->err, EKKA_ERR_NOMEM, "out of memory");
		a->buf = grown;
		a->cap = n;
	}
	a->len = 0;
	rc = ekka_file_read(&r->seg->file, r->fd, at, a->buf, n, r->err);
	if (rc < 0)
		return rc;
	a->base = at;
	a->len = n;
	*ret_n = n;
	return 0;
}

/* The frame at `at`. It was whole and right when the file was scanned; files change. */
static int read_frame(const struct event_reader *r, uint64_t at, const char *kind, struct ekka_frame *ret)
{
	const char *why = NULL;
	size_t need = 2, have = 0;
	int rc;

	do {
		size_t wanted = need;

		rc = window(r, at, wanted, &have);
		if (rc < 0)
			return rc;
		if (have < wanted)
			return failed(r, at, "the file has become shorter");
		rc = ekka_frame_parse(r->arena->buf + (at - r->arena->base), have, ret, &need, &why);
	} while (rc == 0);
	if (rc < 0)
		return failed(r, at, why);
	if (!ekka_frame_is(ret, kind) || !ekka_frame_check(ret))
		return failed(r, at, "the file has changed since it was opened");
	return 0;
}

static int read_call(const struct event_reader *r, const struct event_entry *e, struct ekka_rec_call *ret)
{
	struct ekka_frame f;
	const char *why;
	int rc = read_frame(r, e->at, "call", &f);

	if (rc < 0)
		return rc;
	why = ekka_decode_call(&r->arena->zones, f.body, f.body_bytes, ret);
	return why ? ekka_error_set(r->err, EKKA_ERR_FORMAT, "%s: offset %" PRIu64 ": 'call' record: %s", r->seg->file.name, e->at, why)
		   : 0;
}

static int read_ret(const struct event_reader *r, uint64_t at, struct ekka_event *ev)
{
	struct ekka_rec_ret ret;
	struct ekka_frame f;
	const char *why;
	int rc = read_frame(r, at, "ret", &f);

	if (rc < 0)
		return rc;
	why = ekka_decode_ret(&r->arena->zones, f.body, f.body_bytes, &ret);
	if (why)
		return failed(r, at, why);
	ev->ret = ret.value;
	ev->ret_ns = ret.t_ns;
	return 0;
}

static int read_data(const struct event_reader *r, uint64_t at, struct ekka_event *ev)
{
	struct ekka_rec_data data;
	struct ekka_frame f;
	const char *why;
	int rc = read_frame(r, at, "data", &f);

	if (rc < 0)
		return rc;
	why = ekka_decode_data(&r->arena->zones, f.body, f.body_bytes, &data);
	if (!why && data.tensor >= ev->call.n_tensors)
		why = "'data' record of a tensor that the call does not have";
	if (why)
		return failed(r, at, why);
	data.event = ev->number;
	ev->data[data.tensor][data.phase] = (struct ekka_event_data){ .present = true, .rec = data };
	return 0;
}

static int read_stack(const struct event_reader *r, uint64_t id, struct ekka_event *ev)
{
	const struct stack_entry *s = ekka_segment_stack(r->seg, id);
	struct ekka_rec_stack *copy;
	struct ekka_frame f;
	const char *why;
	int rc;

	if (!s)
		return 0;
	rc = read_frame(r, s->at, "stack", &f);
	if (rc < 0)
		return rc;
	copy = msgpack_zone_malloc(&r->arena->zone, sizeof *copy);
	if (!copy)
		return ekka_error_set(r->err, EKKA_ERR_NOMEM, "out of memory");
	why = ekka_decode_stack(&r->arena->zones, f.body, f.body_bytes, copy);
	if (why)
		return failed(r, s->at, why);
	ev->stack = copy;
	return 0;
}

static int read_parts(const struct event_reader *r, const struct event_entry *e, struct ekka_event *ev)
{
	uint32_t i = e->first;

	while (i != 0) {
		const struct event_part *p = &r->seg->parts[i - 1];
		int rc = p->is_ret ? read_ret(r, p->at, ev) : read_data(r, p->at, ev);

		if (rc < 0)
			return rc;
		i = p->next;
	}
	return 0;
}

/* Event numbers of a segment, as its records have them, to those of the whole trace; 0 when there is no such event. */
static uint64_t global_number(const struct segment *g, uint64_t event)
{
	const struct event_entry *e = event ? ekka_segment_event(g, event) : NULL;

	return e ? g->pub.first_event + (uint64_t)(e - g->events) : 0;
}

static const struct segment *segment_of(const struct ekka_trace *t, uint64_t number)
{
	size_t low = 0, high = t->n_segments;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (t->segments[mid].pub.first_event <= number)
			low = mid;
		else
			high = mid;
	}
	return &t->segments[low];
}

static int prepare(struct ekka_event *ev, struct ekka_error *err)
{
	struct arena *a = ev->arena;

	if (!a) {
		a = calloc(1, sizeof *a);
		if (!a || !msgpack_zone_init(&a->zone, MSGPACK_ZONE_CHUNK_SIZE)) {
			free(a);
			return ekka_error_set(err, EKKA_ERR_NOMEM, "out of memory");
		}
		a->zones = (struct ekka_decode_zones){ &a->zone, &a->zone };
	}
	msgpack_zone_clear(&a->zone);
	a->len = 0;
	*ev = (struct ekka_event){ .arena = a };
	return 0;
}

int ekka_trace_event_read(struct ekka_trace *t, uint64_t number, struct ekka_event *ev, struct ekka_error *err)
{
	static const struct ekka_rec_fn unknown = { .name = "?", .library = "", .op = "", .object = "" };
	struct event_reader r = { .err = err };
	const struct event_entry *e;
	int rc;

	if (number == 0 || number > t->n_events)
		return ekka_error_set(err, EKKA_ERR_INVALID, "no event %" PRIu64 ": the trace has %" PRIu64, number, t->n_events);
	rc = prepare(ev, err);
	if (rc < 0)
		return rc;
	r.seg = segment_of(t, number);
	r.arena = ev->arena;
	r.fd = ekka_file_borrow(&r.seg->file, err);
	if (r.fd < 0)
		return r.fd;
	e = &r.seg->events[number - r.seg->pub.first_event];
	ev->number = number;
	ev->segment = &r.seg->pub;
	ev->state = (enum ekka_event_state)e->state;
	ev->timed = e->timed;
	ev->gpu_ns = e->gpu_ns;
	rc = read_call(&r, e, &ev->call);
	if (rc == 0)
		rc = read_parts(&r, e, ev);
	if (rc == 0)
		rc = read_stack(&r, ev->call.stack, ev);
	ekka_file_return(&r.seg->file, r.fd);
	if (rc < 0)
		return rc;
	ev->fn = ekka_segment_fn(r.seg, ev->call.fn);
	if (!ev->fn)
		ev->fn = &unknown;
	ev->call.event = number;
	ev->call.parent = global_number(r.seg, ev->call.parent);
	return 0;
}

void ekka_event_release(struct ekka_event *ev)
{
	struct arena *a = ev->arena;

	if (a) {
		msgpack_zone_destroy(&a->zone);
		free(a->buf);
		free(a);
	}
	*ev = (struct ekka_event){ 0 };
}

const struct ekka_rec_module *ekka_event_module(const struct ekka_event *ev)
{
	for (size_t i = 0; ev->fn->module != 0 && i < ev->segment->n_modules; i++) {
		if (ev->segment->modules[i].id == ev->fn->module)
			return &ev->segment->modules[i];
	}
	return NULL;
}

int ekka_event_arg_index(const struct ekka_event *ev, const char *name)
{
	for (unsigned i = 0; i < ev->fn->n_args && i < ev->call.n_args; i++) {
		if (strcmp(ev->fn->args[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

const struct ekka_value *ekka_event_arg(const struct ekka_event *ev, const char *name)
{
	int i = ekka_event_arg_index(ev, name);

	return i < 0 ? NULL : &ev->call.args[i];
}

const struct ekka_value *ekka_event_attr(const struct ekka_event *ev, const char *name)
{
	for (unsigned i = 0; i < ev->call.n_attrs; i++) {
		if (strcmp(ev->call.attrs[i].name, name) == 0)
			return &ev->call.attrs[i].value;
	}
	return NULL;
}

int ekka_event_tensor_index(const struct ekka_event *ev, const char *name)
{
	for (unsigned i = 0; i < ev->call.n_tensors; i++) {
		if (strcmp(ev->call.tensors[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}
