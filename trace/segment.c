/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scans one events file: every frame is found and checked, of a call, data, ret or end record only what is needed to
 * find it again is decoded, everything else is decoded and kept.
 */
#include "trace/decode.h"
#include "trace/event_map.h"
#include "trace/frame.h"
#include "trace/mp.h"
#include "trace/reader_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SCAN_STEP = 1 << 20 };

struct seg_scan {
	struct ekka_trace *trace;
	struct segment *seg;
	struct event_map map;
	msgpack_zone temp;
	struct ekka_decode_zones zones;
	uint64_t at;		/* of the current frame */
	bool nomem;
};

/* A record that is whole but makes no sense is passed over. */
static void odd(struct seg_scan *s, const struct ekka_frame *f, const char *why)
{
	ekka_trace_add_problem(s->trace, "%s: offset %" PRIu64 ": '%.*s' record: %s", s->seg->file.name, s->at,
			       (int)f->kind_bytes, (const char *)f->kind, why);
}

static void *grow_for(struct seg_scan *s, void *p, size_t n, size_t *cap, size_t item_bytes)
{
	if (ekka_grow(&p, n, cap, item_bytes) < 0)
		s->nomem = true;
	return p;
}

static void scan_call(struct seg_scan *s, const struct ekka_frame *f)
{
	struct ekka_mp_want w = { .key = "ev" };
	struct segment *g = s->seg;

	if (!ekka_mp_peek(f->body, f->body_bytes, &w, 1)) {
		odd(s, f, "has no event number");
		return;
	}
	if (w.u == 0 || ekka_event_map_find(&s->map, w.u) >= 0) {
		odd(s, f, w.u == 0 ? "event number 0" : "its event number is taken");
		return;
	}
	g->events = grow_for(s, g->events, g->n_events, &g->cap_events, sizeof *g->events);
	if (s->nomem || ekka_event_map_add(&s->map, w.u, (uint32_t)g->n_events) < 0) {
		s->nomem = true;
		return;
	}
	g->events[g->n_events++] = (struct event_entry){ .event = w.u, .at = s->at, .state = EKKA_EVENT_BEGUN };
}

/* The event that a data, ret, time or end record names in wants[0]. */
static struct event_entry *owner(struct seg_scan *s, const struct ekka_frame *f, struct ekka_mp_want *wants, unsigned n_wants)
{
	int64_t i;

	if (!ekka_mp_peek(f->body, f->body_bytes, wants, n_wants)) {
		odd(s, f, "lacks a key");
		return NULL;
	}
	i = ekka_event_map_find(&s->map, wants[0].u);
	if (i < 0) {
		odd(s, f, "belongs to no call before it");
		return NULL;
	}
	return &s->seg->events[i];
}

/* The same for a record that must come before the end. */
static struct event_entry *open_owner(struct seg_scan *s, const struct ekka_frame *f, struct ekka_mp_want *wants, unsigned n_wants)
{
	struct event_entry *e = owner(s, f, wants, n_wants);

	if (e && e->state == EKKA_EVENT_COMPLETE) {
		odd(s, f, "comes after the end of its event");
		return NULL;
	}
	return e;
}

static void add_part(struct seg_scan *s, struct event_entry *e, bool is_ret)
{
	struct segment *g = s->seg;

	g->parts = grow_for(s, g->parts, g->n_parts, &g->cap_parts, sizeof *g->parts);
	if (s->nomem)
		return;
	g->parts[g->n_parts++] = (struct event_part){ .at = s->at, .is_ret = is_ret };
	if (e->last)
		g->parts[e->last - 1].next = (uint32_t)g->n_parts;
	else
		e->first = (uint32_t)g->n_parts;
	e->last = (uint32_t)g->n_parts;
}

static void scan_data(struct seg_scan *s, const struct ekka_frame *f)
{
	struct ekka_mp_want w[] = { { .key = "ev" }, { .key = "i" }, { .key = "ph" } };
	struct event_entry *e = open_owner(s, f, w, 3);
	uint16_t bit;

	if (!e)
		return;
	if (w[1].u >= EKKA_MAX_TENSORS || w[2].u > EKKA_POST) {
		odd(s, f, "names no tensor or phase that can be");
		return;
	}
	bit = (uint16_t)(1u << (2 * w[1].u + w[2].u));
	if (e->data_seen & bit) {
		odd(s, f, "repeats a tensor and phase");
		return;
	}
	e->data_seen |= bit;
	add_part(s, e, false);
}

static void scan_ret(struct seg_scan *s, const struct ekka_frame *f)
{
	struct ekka_mp_want w = { .key = "ev" };
	struct event_entry *e = open_owner(s, f, &w, 1);

	if (!e)
		return;
	if (e->state != EKKA_EVENT_BEGUN) {
		odd(s, f, "its event returned before");
		return;
	}
	e->state = EKKA_EVENT_RETURNED;
	add_part(s, e, true);
}

static void scan_end(struct seg_scan *s, const struct ekka_frame *f)
{
	struct ekka_mp_want w = { .key = "ev" };
	struct event_entry *e = open_owner(s, f, &w, 1);

	if (!e)
		return;
	if (e->state != EKKA_EVENT_RETURNED) {
		odd(s, f, "its event has not returned");
		return;
	}
	e->state = EKKA_EVENT_COMPLETE;
}

static void scan_time(struct seg_scan *s, const struct ekka_frame *f)
{
	struct ekka_mp_want w[] = { { .key = "ev" }, { .key = "gpu" } };
	struct event_entry *e = owner(s, f, w, 2);

	if (!e)
		return;
	if (e->timed) {
		odd(s, f, "its event has a time already");
		return;
	}
	e->timed = true;
	e->gpu_ns = w[1].u;
}

static void scan_stack(struct seg_scan *s, const struct ekka_frame *f)
{
	struct ekka_mp_want w = { .key = "id" };
	struct segment *g = s->seg;

	if (!ekka_mp_peek(f->body, f->body_bytes, &w, 1)) {
		odd(s, f, "has no id");
		return;
	}
	g->stacks = grow_for(s, g->stacks, g->n_stacks, &g->cap_stacks, sizeof *g->stacks);
	if (!s->nomem)
		g->stacks[g->n_stacks++] = (struct stack_entry){ w.u, s->at };
}

static void scan_fn(struct seg_scan *s, const struct ekka_frame *f)
{
	struct segment *g = s->seg;
	struct ekka_rec_fn r;
	const char *why = ekka_decode_fn(&s->zones, f->body, f->body_bytes, &r);

	if (why) {
		odd(s, f, why);
		return;
	}
	g->fns = grow_for(s, g->fns, g->n_fns, &g->cap_fns, sizeof *g->fns);
	if (!s->nomem)
		g->fns[g->n_fns++] = r;
}

static void scan_device(struct seg_scan *s, const struct ekka_frame *f)
{
	struct segment *g = s->seg;
	struct ekka_rec_device r;
	const char *why = ekka_decode_device(&s->zones, f->body, f->body_bytes, &r);

	if (why) {
		odd(s, f, why);
		return;
	}
	g->devices = grow_for(s, g->devices, g->pub.n_devices, &g->cap_devices, sizeof *g->devices);
	if (!s->nomem)
		g->devices[g->pub.n_devices++] = r;
}

static void scan_module(struct seg_scan *s, const struct ekka_frame *f)
{
	struct segment *g = s->seg;
	struct ekka_rec_module r;
	const char *why = ekka_decode_module(&s->zones, f->body, f->body_bytes, &r);

	if (why) {
		odd(s, f, why);
		return;
	}
	g->modules = grow_for(s, g->modules, g->pub.n_modules, &g->cap_modules, sizeof *g->modules);
	if (!s->nomem)
		g->modules[g->pub.n_modules++] = r;
}

static void scan_maps(struct seg_scan *s, const struct ekka_frame *f)
{
	struct segment *g = s->seg;
	struct ekka_rec_maps r;
	const char *why = ekka_decode_maps(&s->zones, f->body, f->body_bytes, &r);

	if (why) {
		odd(s, f, why);
		return;
	}
	for (unsigned i = 0; i < r.n_maps; i++) {
		g->maps = grow_for(s, g->maps, g->pub.n_maps, &g->cap_maps, sizeof *g->maps);
		if (s->nomem)
			return;
		g->maps[g->pub.n_maps++] = r.maps[i];
	}
}

static void scan_close(struct seg_scan *s, const struct ekka_frame *f)
{
	const char *why;

	if (s->seg->pub.closed) {
		odd(s, f, "the file has a trailer already");
		return;
	}
	why = ekka_decode_close(&s->zones, f->body, f->body_bytes, &s->seg->pub.close);
	if (why)
		odd(s, f, why);
	else
		s->seg->pub.closed = true;
}

static void scan_record(struct seg_scan *s, const struct ekka_frame *f)
{
	static const struct {
		const char *kind;
		void (*scan)(struct seg_scan *, const struct ekka_frame *);
		bool decodes;	/* leaves msgpack-c's objects in temp */
	} kinds[] = {	/* the frequent ones first */
		{ "data", scan_data, false }, { "call", scan_call, false }, { "ret", scan_ret, false }, { "end", scan_end, false },
		{ "time", scan_time, false }, { "stack", scan_stack, false }, { "fn", scan_fn, true }, { "maps", scan_maps, true }, { "device", scan_device, true },
		{ "module", scan_module, true }, { "close", scan_close, true },
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (ekka_frame_is(f, kinds[i].kind)) {
			kinds[i].scan(s, f);
			if (kinds[i].decodes)
				msgpack_zone_clear(&s->temp);
			return;
		}
	}
	/* An unknown kind comes from a later version that this one can do without. */
}

static int by_event(const void *pa, const void *pb)
{
	const struct event_entry *a = pa, *b = pb;

	return a->event < b->event ? -1 : a->event > b->event;
}

/* Two functions of one id are a damaged trace: either will do. */
static int by_fn(const void *pa, const void *pb)
{
	const struct ekka_rec_fn *a = pa, *b = pb;

	return a->id < b->id ? -1 : a->id > b->id;
}

static int by_stack(const void *pa, const void *pb)
{
	const struct stack_entry *a = pa, *b = pb;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

static void sort_all(struct segment *g)
{
	bool sorted = true;

	for (size_t i = 1; sorted && i < g->n_events; i++)
		sorted = g->events[i - 1].event < g->events[i].event;
	if (!sorted)
		qsort(g->events, g->n_events, sizeof *g->events, by_event);
	if (g->n_fns > 0)
		qsort(g->fns, g->n_fns, sizeof *g->fns, by_fn);
	if (g->n_stacks > 0)
		qsort(g->stacks, g->n_stacks, sizeof *g->stacks, by_stack);
	g->pub.devices = g->devices;
	g->pub.modules = g->modules;
	g->pub.maps = g->maps;
	g->pub.n_events = g->n_events;
}

/* The first frame says whether this is ours and of a version that we read. */
static int scan_open(struct seg_scan *s, struct ekka_scan *scan, struct ekka_error *err)
{
	struct segment *g = s->seg;
	struct ekka_frame f;
	const char *why;
	int rc = ekka_scan_next(scan, &f, &s->at, err);

	if (rc < 0)
		return rc;
	if (rc == 0 || !ekka_frame_is(&f, "open"))
		return ekka_error_set(err, EKKA_ERR_FORMAT, "%s: offset 0: does not start with an 'open' record", g->file.name);
	why = ekka_decode_open(&s->zones, f.body, f.body_bytes, &g->pub.open);
	if (why)
		return ekka_error_set(err, EKKA_ERR_FORMAT, "%s: offset 0: 'open' record: %s", g->file.name, why);
	if (g->pub.open.version == 0 || g->pub.open.version > EKKA_FORMAT_VERSION)
		return ekka_error_set(err, EKKA_ERR_VERSION, "%s: format version %u, this program reads up to %u", g->file.name,
				      g->pub.open.version, EKKA_FORMAT_VERSION);
	return 0;
}

int ekka_segment_scan(struct ekka_trace *t, struct segment *g, struct ekka_error *err)
{
	struct seg_scan s = { .trace = t, .seg = g };
	struct ekka_error damage = { 0 };
	struct ekka_scan scan;
	struct ekka_frame f;
	int rc;

	rc = ekka_scan_init(&scan, &g->file, SCAN_STEP, err);
	if (rc < 0)
		return rc;
	if (!msgpack_zone_init(&s.temp, MSGPACK_ZONE_CHUNK_SIZE)) {
		ekka_scan_release(&scan);
		return ekka_error_set(err, EKKA_ERR_NOMEM, "%s: out of memory", g->file.name);
	}
	s.zones = (struct ekka_decode_zones){ .keep = &g->zone, .temp = &s.temp };
	ekka_event_map_init(&s.map);
	rc = scan_open(&s, &scan, err);
	if (rc < 0)
		goto out;
	while (!s.nomem && (rc = ekka_scan_next(&scan, &f, &s.at, &damage)) > 0)
		scan_record(&s, &f);
	if (s.nomem)
		rc = ekka_error_set(err, EKKA_ERR_NOMEM, "%s: out of memory", g->file.name);
	else if (rc < 0)
		ekka_trace_add_problem(t, "%s", damage.message);
	if (!s.nomem)
		rc = 0;
	sort_all(g);
	g->pub.file = g->file.name;
out:
	ekka_event_map_release(&s.map);
	msgpack_zone_destroy(&s.temp);
	ekka_scan_release(&scan);
	return rc;
}

void ekka_segment_release(struct segment *g)
{
	msgpack_zone_destroy(&g->zone);
	ekka_file_close(&g->file);
	free(g->events);
	free(g->parts);
	free(g->stacks);
	free(g->fns);
	free(g->devices);
	free(g->modules);
	free(g->maps);
}

const struct event_entry *ekka_segment_event(const struct segment *g, uint64_t event)
{
	struct event_entry key = { .event = event };

	return g->n_events ? bsearch(&key, g->events, g->n_events, sizeof key, by_event) : NULL;
}

const struct ekka_rec_fn *ekka_segment_fn(const struct segment *g, uint32_t id)
{
	struct ekka_rec_fn key = { .id = id };

	return g->n_fns ? bsearch(&key, g->fns, g->n_fns, sizeof key, by_fn) : NULL;
}

const struct stack_entry *ekka_segment_stack(const struct segment *g, uint64_t id)
{
	size_t low = 0, high = g->n_stacks;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (g->stacks[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < g->n_stacks && g->stacks[low].id == id ? &g->stacks[low] : NULL;
}
