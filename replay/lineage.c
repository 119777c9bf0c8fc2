/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/lineage.h"

#include "replay/allocations.h"
#include "replay/interval.h"
#include "replay/read.h"
#include "replay/runs.h"
#include "trace/tensor.h"

#include <stdlib.h>
#include <string.h>

enum { TENSOR_BITS = 6, WORKSPACE = (1 << TENSOR_BITS) - 1 /* stands for a tensor's number */ };

struct ekka_lineage {
	struct ekka_edge *edge;			/* of all events, one after another */
	size_t n, cap;
	size_t *first;				/* n_events + 2 entries: edges of event e are [first[e], first[e + 1]) */
	bool *allocates;			/* by event */
	struct ekka_remnant *remnant;		/* of all events, one after another */
	size_t n_remnants, cap_remnants;
	uint64_t n_events;
};

/* One pass over the events. */
struct pass {
	struct ekka_trace *trace;
	struct ekka_lineage *l;
	const struct ekka_segment *segment;
	struct ekka_interval_map memory[2];	/* by place: who wrote, as event << TENSOR_BITS | tensor */
	uint64_t opaque;			/* last event whose writes are not known */
	bool whole;				/* the segment has all that was to be recorded */
	bool memory_operations, launches;	/* were seen so far, hence are recorded */
	const struct ekka_replay_options *options;
	const uint8_t *status;			/* by event */
	struct ekka_allocations allocations;
	struct ekka_event event, other;
	struct ekka_redescription *meaning[2];	/* of event and other */
	unsigned reader_tensor;
	size_t edges_of_event;
	struct ekka_error *err;
};

static bool from_library(const struct ekka_event *e, const char *library)
{
	return e->fn->library && strcmp(e->fn->library, library) == 0;
}

static int no_memory(struct pass *p)
{
	return ekka_error_set(p->err, EKKA_ERR_NOMEM, "no memory for the memory map");
}

/* The launch of a graph is many kernels: its buffers are some of theirs. */
static bool is_raw(const struct ekka_event *e)
{
	return (from_library(e, "kernel") || strncmp(e->fn->name, "cuGraphLaunch", strlen("cuGraphLaunch")) == 0) && !ekka_event_attr(e, "op");
}

/* It went into a graph, or the driver refused it. */
static bool did_not_run(const struct ekka_event *e)
{
	bool of_driver = from_library(e, "driver") || from_library(e, "kernel");

	return ekka_event_attr(e, "captured") || (of_driver && e->state != EKKA_EVENT_BEGUN && e->ret.kind == EKKA_V_INT && e->ret.i != 0);
}

/* ---- reading ---------------------------------------------------------- */

static int push_edge(struct pass *p, const struct ekka_edge *edge)
{
	struct ekka_lineage *l = p->l;

	for (size_t i = l->n - p->edges_of_event; i < l->n; i++) {
		struct ekka_edge *e = &l->edge[i];

		if (e->writer == edge->writer && e->writer_tensor == edge->writer_tensor && e->reader_tensor == edge->reader_tensor &&
		    e->beyond == edge->beyond) {
			e->bytes += edge->bytes;
			return 0;
		}
	}
	if (p->edges_of_event == EKKA_EDGES_MAX)
		return 0;
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 1024;
		void *grown = realloc(l->edge, cap * sizeof(*l->edge));

		if (!grown)
			return ekka_error_set(p->err, EKKA_ERR_NOMEM, "no memory for %zu edges", cap);
		l->edge = grown;
		l->cap = cap;
	}
	l->edge[l->n++] = *edge;
	p->edges_of_event++;
	return 0;
}

static int read_piece(void *arg, const struct ekka_interval *piece)
{
	struct pass *p = arg;
	struct ekka_edge edge = { .writer = piece->value >> TENSOR_BITS, .writer_tensor = piece->value & ((1u << TENSOR_BITS) - 1),
				  .reader_tensor = (uint16_t)p->reader_tensor, .bytes = piece->end - piece->start };

	return push_edge(p, &edge);
}

static int read_run(void *arg, uint64_t start, uint64_t end)
{
	struct pass *p = arg;

	return ekka_interval_each(&p->memory[p->event.call.tensors[p->reader_tensor].place], start, end, read_piece, p);
}

/* A raw buffer whose described views are tensors, too: what is read and written are these. */
static bool is_viewed(const struct ekka_event *e, unsigned i)
{
	for (unsigned j = 0; j < e->call.n_tensors && from_library(e, "kernel"); j++)
		if (e->call.tensors[j].alias_of == (int)i)
			return true;
	return false;
}

/* The blob that is the tensor's span, no more and no less; NULL: there is none. */
static const struct ekka_rec_data *bytes_of(const struct ekka_event *e, unsigned tensor, enum ekka_phase phase)
{
	const struct ekka_tensor *t = &e->call.tensors[tensor], *base = t->alias_of >= 0 ? &e->call.tensors[t->alias_of] : t;
	const struct ekka_event_data *d = &e->data[base - e->call.tensors][phase];

	if (base->addr != t->addr || base->span_bytes != t->span_bytes)
		return NULL;
	return d->present && !d->rec.missing ? &d->rec : NULL;
}

/* Are the bytes read other than those written: told only where the writer's tensor is the reader's, without gaps, to the byte. */
static bool differs(struct pass *p, const struct ekka_edge *edge)
{
	const struct ekka_tensor *mine = &p->event.call.tensors[edge->reader_tensor], *theirs;
	const struct ekka_rec_data *before = bytes_of(&p->event, edge->reader_tensor, EKKA_PRE), *after;
	struct ekka_error ignored = { 0 };

	if (mine->place != EKKA_DEVICE || !before || edge->bytes != mine->span_bytes ||
	    ekka_replay_event_read(p->trace, p->options, edge->writer, &p->other, p->meaning[1], &ignored) < 0 || edge->writer_tensor >= p->other.call.n_tensors)
		return false;
	theirs = &p->other.call.tensors[edge->writer_tensor];
	after = bytes_of(&p->other, edge->writer_tensor, EKKA_POST);
	return after && theirs->addr == mine->addr && theirs->span_bytes == mine->span_bytes &&
	       memcmp(&before->id, &after->id, sizeof(after->id)) != 0;
}

/* Every element of the tensor certainly counts: not where it is read by index, by length, or only kept where nothing is written to it. */
static bool reads_whole(const struct ekka_event *e, const struct ekka_tensor *t)
{
	static const char *const whole[] = { "gemm", "matmul", "cat", "reduce", "scan", "softmax", "norm", "sort", "conv", "quantize" };
	const char *op = ekka_event_op(e);

	if (t->dir != EKKA_IN)
		return false;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		if (strcmp(op, whole[i]) == 0)
			return true;
	/* Others that these read are tables. */
	return (strcmp(op, "elementwise") == 0 || strcmp(op, "scatter") == 0) && strncmp(t->name, "in", 2) == 0 && t->name[2] >= '0' && t->name[2] <= '9';
}

/* A library computes with what it is told, and does not ask where an allocation ends. A launch like that is not described in the first place. */
static int check_reach(struct pass *p, unsigned i)
{
	uint64_t event, beyond = 0;

	if (!from_library(&p->event, "kernel") && !from_library(&p->event, "driver"))
		beyond = ekka_allocations_beyond(&p->allocations, &p->event.call.tensors[i], &event);
	return beyond ? push_edge(p, &(struct ekka_edge){ .writer = event, .reader_tensor = (uint16_t)i, .beyond = true, .bytes = beyond }) : 0;
}

static int read_inputs(struct pass *p)
{
	const struct ekka_event *e = &p->event;

	p->edges_of_event = 0;
	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		int r = check_reach(p, i);

		if (r < 0)
			return r;
	}
	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		const struct ekka_tensor *t = &e->call.tensors[i];
		int r;

		if (!(t->dir & EKKA_IN) || t->place > EKKA_DEVICE || is_viewed(e, i))
			continue;
		p->reader_tensor = i;
		r = ekka_each_run(t, read_run, p);
		if (r < 0)
			return r;
	}
	for (size_t i = p->l->n - p->edges_of_event; i < p->l->n; i++) {
		struct ekka_edge *edge = &p->l->edge[i];

		if (edge->beyond || !p->whole || !p->memory_operations || !p->launches || edge->writer <= p->opaque || is_raw(e))
			continue;	/* of a raw buffer it is not even known that it was read */
		edge->allocation = p->l->allocates[edge->writer] && reads_whole(e, &e->call.tensors[edge->reader_tensor]);
		edge->changed = differs(p, edge);
	}
	return 0;
}

/* ---- writing ---------------------------------------------------------- */

static int write_workspace(struct pass *p)
{
	uint64_t addr, bytes, end;

	if (!ekka_workspace_of(&p->event, &addr, &bytes))
		return 0;
	if (__builtin_add_overflow(addr, bytes, &end)) {
		p->opaque = p->event.number;
		return 0;
	}
	return ekka_interval_set(&p->memory[EKKA_DEVICE], addr, end, p->event.number << TENSOR_BITS | WORKSPACE) < 0 ? no_memory(p) : 0;
}

static int write_run(void *arg, uint64_t start, uint64_t end)
{
	struct pass *p = arg;
	struct ekka_interval_map *map = &p->memory[p->event.call.tensors[p->reader_tensor].place];

	return ekka_interval_set(map, start, end, p->event.number << TENSOR_BITS | p->reader_tensor) < 0 ? no_memory(p) : 0;
}

static int keep_remnant(void *arg, const struct ekka_interval *piece)
{
	struct pass *p = arg;
	struct ekka_lineage *l = p->l;

	if (l->n_remnants == l->cap_remnants) {
		size_t cap = l->cap_remnants ? 2 * l->cap_remnants : 64;
		void *grown = realloc(l->remnant, cap * sizeof(*l->remnant));

		if (!grown)
			return no_memory(p);
		l->remnant = grown;
		l->cap_remnants = cap;
	}
	l->remnant[l->n_remnants++] = (struct ekka_remnant){ .event = p->event.number, .writer = piece->value >> TENSOR_BITS,
							     .writer_tensor = piece->value & ((1u << TENSOR_BITS) - 1),
							     .tensor = (uint16_t)p->reader_tensor, .start = piece->start, .end = piece->end };
	return 0;
}

/* What lies where an event that fails was to write. */
static int keep_remnants(struct pass *p)
{
	const struct ekka_event *e = &p->event;
	int r = 0;

	if (!p->status || p->status[e->number] != EKKA_FAIL)
		return 0;
	for (unsigned i = 0; i < e->call.n_tensors && r == 0; i++) {
		const struct ekka_tensor *t = &e->call.tensors[i];

		p->reader_tensor = i;
		if ((t->dir & EKKA_OUT) && t->place == EKKA_DEVICE && !t->n_ptrs)
			r = ekka_interval_each(&p->memory[EKKA_DEVICE], t->addr, t->addr + t->span_bytes, keep_remnant, p);
	}
	return r;
}

static bool unchanged(const struct ekka_event *e, unsigned tensor)
{
	const struct ekka_rec_data *before = bytes_of(e, tensor, EKKA_PRE), *after = bytes_of(e, tensor, EKKA_POST);

	return before && after && memcmp(&before->id, &after->id, sizeof(before->id)) == 0;
}

static int write_outputs(struct pass *p)
{
	const struct ekka_event *e = &p->event;

	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		const struct ekka_tensor *t = &e->call.tensors[i];
		int r;

		if (!(t->dir & EKKA_OUT) || t->place > EKKA_DEVICE || (is_raw(e) && unchanged(e, i)))
			continue;
		p->reader_tensor = i;
		r = ekka_each_run(t, write_run, p);
		if (r < 0)
			return r;
	}
	/* A kernel of unknown meaning writes where it likes, a library call of unknown meaning too. */
	if (is_raw(e) || (!from_library(e, "driver") && !from_library(e, "kernel") && e->call.n_tensors == 0))
		p->opaque = e->number;
	return from_library(e, "driver") || from_library(e, "kernel") ? 0 : write_workspace(p);
}

/* ---- the pass --------------------------------------------------------- */

static void enter_segment(struct pass *p, const struct ekka_segment *segment)
{
	p->segment = segment;
	for (unsigned place = 0; place < 2; place++)
		ekka_interval_release(&p->memory[place]);
	ekka_allocations_release(&p->allocations);
	p->opaque = 0;
	p->memory_operations = p->launches = false;
	/* What a killed process dropped is not known. */
	p->whole = segment && segment->closed && segment->close.n_dropped == 0 && segment->close.left_out == 0;
}

static int run_pass(struct pass *p)
{
	int r = 0;

	for (uint64_t number = 1; number <= p->l->n_events && r == 0; number++) {
		struct ekka_error ignored = { 0 };

		p->l->first[number] = p->l->n;
		if (ekka_replay_event_read(p->trace, p->options, number, &p->event, p->meaning[0], &ignored) < 0 || p->event.call.depth > 0 ||
		    did_not_run(&p->event))
			continue;
		if (p->event.segment != p->segment || number == 1)
			enter_segment(p, p->event.segment);
		p->l->allocates[number] = ekka_allocates(&p->event);
		p->memory_operations |= from_library(&p->event, "driver");
		p->launches |= from_library(&p->event, "kernel");
		r = read_inputs(p);
		if (r == 0)
			r = keep_remnants(p);
		if (r == 0)
			r = write_outputs(p);
		if (r == 0 && ekka_allocations_follow(&p->allocations, &p->event) < 0)
			r = no_memory(p);
	}
	p->l->first[p->l->n_events + 1] = p->l->n;
	return r;
}

int ekka_lineage_build(struct ekka_trace *trace, const struct ekka_replay_options *options, const uint8_t *status, struct ekka_lineage **ret,
		       struct ekka_error *err)
{
	struct ekka_lineage *l = calloc(1, sizeof(*l));
	struct pass p = { .trace = trace, .options = options, .status = status, .l = l, .err = err };
	int r = 0;

	if (l) {
		l->n_events = ekka_trace_n_events(trace);
		l->first = calloc(l->n_events + 2, sizeof(*l->first));
		l->allocates = calloc(l->n_events + 1, sizeof(*l->allocates));
	}
	if (!l || !l->first || !l->allocates) {
		ekka_lineage_free(l);
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for the lineage");
	}
	for (unsigned i = 0; i < 2 && r == 0; i++)
		r = ekka_replay_memory_new(options, &p.meaning[i], err);
	if (r == 0)
		r = run_pass(&p);
	enter_segment(&p, NULL);	/* forgets all */
	ekka_event_release(&p.event);
	ekka_event_release(&p.other);
	free(p.meaning[0]);
	free(p.meaning[1]);
	if (r < 0)
		ekka_lineage_free(l);
	else
		*ret = l;
	return r;
}

void ekka_lineage_free(struct ekka_lineage *l)
{
	if (!l)
		return;
	free(l->edge);
	free(l->first);
	free(l->allocates);
	free(l->remnant);
	free(l);
}

const struct ekka_edge *ekka_lineage_edges(const struct ekka_lineage *l, uint64_t number, size_t *ret_n)
{
	*ret_n = 0;
	if (number == 0 || number > l->n_events)
		return NULL;
	*ret_n = l->first[number + 1] - l->first[number];
	return &l->edge[l->first[number]];
}

const struct ekka_remnant *ekka_lineage_remnants(const struct ekka_lineage *l, uint64_t number, size_t *ret_n)
{
	size_t first = 0;

	while (first < l->n_remnants && l->remnant[first].event != number)
		first++;
	*ret_n = 0;
	while (first + *ret_n < l->n_remnants && l->remnant[first + *ret_n].event == number)
		++*ret_n;
	return &l->remnant[first];
}
