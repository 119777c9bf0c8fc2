/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/lineage.h"

#include "replay/interval.h"
#include "trace/tensor.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	TENSOR_BITS = 6, WORKSPACE = (1 << TENSOR_BITS) - 1,	/* stands for a tensor's number */
	RUNS_MAX = 4096			/* beyond so many runs a strided tensor counts as its whole span */
};

struct ekka_lineage {
	struct ekka_edge *edge;			/* of all events, one after another */
	size_t n, cap;
	size_t *first;				/* n_events + 2 entries: edges of event e are [first[e], first[e + 1]) */
	bool *allocates;			/* by event */
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
	struct ekka_event event, other;
	unsigned reader_tensor;
	size_t edges_of_event;
	struct ekka_error *err;
};

static bool from_library(const struct ekka_event *e, const char *library)
{
	return e->fn->library && strcmp(e->fn->library, library) == 0;
}

static bool allocates(const struct ekka_event *e)
{
	return from_library(e, "driver") && strstr(e->fn->name, "Alloc");
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

/* ---- the bytes of a tensor, run by run -------------------------------- */

struct runs {
	int64_t dim[EKKA_MAX_DIMS], stride[EKKA_MAX_DIMS];	/* outer dimensions, bytes */
	unsigned n_dims;
	uint64_t start, bytes;		/* of the first run */
	uint64_t n;
};

/* Dimensions sorted by stride, those that continue a run folded into it. */
static void find_runs(const struct ekka_tensor *t, struct runs *r)
{
	int64_t size = (int64_t)ekka_dtype_bytes(t->dtype);

	*r = (struct runs){ .start = t->addr, .bytes = (uint64_t)size, .n = 1 };
	for (unsigned d = 0; d < t->n_dims; d++) {
		int64_t stride;
		unsigned at = r->n_dims;

		if (t->dim[d] <= 1 || t->stride[d] == 0)
			continue;	/* the stride of a single element may be anything */
		stride = (t->stride[d] < 0 ? -t->stride[d] : t->stride[d]) * size;
		for (; at > 0 && r->stride[at - 1] > stride; at--) {
			r->dim[at] = r->dim[at - 1];
			r->stride[at] = r->stride[at - 1];
		}
		r->dim[at] = t->dim[d];
		r->stride[at] = stride;
		r->n_dims++;
	}
	while (r->n_dims > 0 && (uint64_t)r->stride[0] <= r->bytes) {
		r->bytes = (uint64_t)(r->dim[0] - 1) * (uint64_t)r->stride[0] + r->bytes;
		r->n_dims--;
		memmove(r->dim, r->dim + 1, r->n_dims * sizeof(r->dim[0]));
		memmove(r->stride, r->stride + 1, r->n_dims * sizeof(r->stride[0]));
	}
	for (unsigned d = 0; d < r->n_dims; d++)
		if (__builtin_mul_overflow(r->n, (uint64_t)r->dim[d], &r->n))
			r->n = UINT64_MAX;
}

/* Calls fn for every run of bytes of the tensor; its span alone where the runs are not known or too many. Returns what fn did, if not 0. */
static int each_run(const struct ekka_tensor *t, int (*fn)(struct pass *, uint64_t start, uint64_t end), struct pass *p)
{
	struct runs r;

	find_runs(t, &r);
	if (t->n_ptrs > 0)
		return 0;	/* the items' addresses are not recorded */
	if (r.n > RUNS_MAX)
		return fn(p, t->addr, t->addr + t->span_bytes);
	for (uint64_t i = 0; i < r.n; i++) {
		uint64_t start = r.start, rest = i;
		int result;

		for (unsigned d = 0; d < r.n_dims; d++) {
			start += rest % (uint64_t)r.dim[d] * (uint64_t)r.stride[d];
			rest /= (uint64_t)r.dim[d];
		}
		result = fn(p, start, start + r.bytes);
		if (result)
			return result;
	}
	return 0;
}

/* ---- reading ---------------------------------------------------------- */

static int push_edge(struct pass *p, const struct ekka_edge *edge)
{
	struct ekka_lineage *l = p->l;

	for (size_t i = l->n - p->edges_of_event; i < l->n; i++) {
		struct ekka_edge *e = &l->edge[i];

		if (e->writer == edge->writer && e->writer_tensor == edge->writer_tensor && e->reader_tensor == edge->reader_tensor) {
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

static int read_run(struct pass *p, uint64_t start, uint64_t end)
{
	return ekka_interval_each(&p->memory[p->event.call.tensors[p->reader_tensor].place], start, end, read_piece, p);
}

static const struct ekka_rec_data *bytes_of(const struct ekka_event *e, unsigned tensor, enum ekka_phase phase)
{
	const struct ekka_event_data *d = &e->data[tensor][phase];

	return d->present && !d->rec.missing ? &d->rec : NULL;
}

/* Are the bytes read other than those written: told only where the writer's tensor is the reader's, without gaps, to the byte. */
static bool differs(struct pass *p, const struct ekka_edge *edge)
{
	const struct ekka_tensor *mine = &p->event.call.tensors[edge->reader_tensor], *theirs;
	const struct ekka_rec_data *before = bytes_of(&p->event, edge->reader_tensor, EKKA_PRE), *after;
	struct ekka_error ignored = { 0 };

	if (mine->place != EKKA_DEVICE || !before || edge->bytes != mine->span_bytes ||
	    ekka_trace_event_read(p->trace, edge->writer, &p->other, &ignored) < 0 || edge->writer_tensor >= p->other.call.n_tensors)
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

static int read_inputs(struct pass *p)
{
	const struct ekka_event *e = &p->event;

	p->edges_of_event = 0;
	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		const struct ekka_tensor *t = &e->call.tensors[i];
		int r;

		if (!(t->dir & EKKA_IN) || t->place > EKKA_DEVICE)
			continue;
		p->reader_tensor = i;
		r = each_run(t, read_run, p);
		if (r < 0)
			return r;
	}
	for (size_t i = p->l->n - p->edges_of_event; i < p->l->n; i++) {
		struct ekka_edge *edge = &p->l->edge[i];

		if (!p->whole || !p->memory_operations || !p->launches || edge->writer <= p->opaque || is_raw(e))
			continue;	/* of a raw buffer it is not even known that it was read */
		edge->allocation = p->l->allocates[edge->writer] && reads_whole(e, &e->call.tensors[edge->reader_tensor]);
		edge->changed = differs(p, edge);
	}
	return 0;
}

/* ---- writing ---------------------------------------------------------- */

static uint64_t number_of(const struct ekka_value *v)
{
	return v->kind == EKKA_V_INT ? (uint64_t)v->i : v->kind == EKKA_V_UINT || v->kind == EKKA_V_PTR ? v->u : 0;
}

/* What a library scribbles over: by the attributes workspace and workspace_bytes, or the arguments of those names or much like them. */
static int write_workspace(struct pass *p)
{
	static const char name[] = "workspace";
	const struct ekka_event *e = &p->event;
	uint64_t addr = 0, bytes = UINT64_MAX, end;		/* not known: anywhere */

	for (unsigned i = 0; i < e->call.n_attrs; i++)
		if (strncmp(e->call.attrs[i].name, name, sizeof(name) - 1) == 0)
			*(e->call.attrs[i].name[sizeof(name) - 1] ? &bytes : &addr) = number_of(&e->call.attrs[i].value);
	for (unsigned i = 0; i < e->call.n_args && i < e->fn->n_args; i++)
		if (strncasecmp(e->fn->args[i].name, name, sizeof(name) - 1) == 0)
			*(e->fn->args[i].name[sizeof(name) - 1] ? &bytes : &addr) = number_of(&e->call.args[i]);
	if (addr == 0)
		return 0;
	if (__builtin_add_overflow(addr, bytes, &end)) {
		p->opaque = e->number;
		return 0;
	}
	if (ekka_interval_set(&p->memory[EKKA_DEVICE], addr, end, e->number << TENSOR_BITS | WORKSPACE) < 0)
		return ekka_error_set(p->err, EKKA_ERR_NOMEM, "no memory for the memory map");
	return 0;
}

static int write_run(struct pass *p, uint64_t start, uint64_t end)
{
	struct ekka_interval_map *map = &p->memory[p->event.call.tensors[p->reader_tensor].place];

	if (ekka_interval_set(map, start, end, p->event.number << TENSOR_BITS | p->reader_tensor) < 0)
		return ekka_error_set(p->err, EKKA_ERR_NOMEM, "no memory for the memory map");
	return 0;
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
		r = each_run(t, write_run, p);
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
		if (ekka_trace_event_read(p->trace, number, &p->event, &ignored) < 0 || p->event.call.depth > 0 ||
		    did_not_run(&p->event))
			continue;
		if (p->event.segment != p->segment || number == 1)
			enter_segment(p, p->event.segment);
		p->l->allocates[number] = allocates(&p->event);
		p->memory_operations |= from_library(&p->event, "driver");
		p->launches |= from_library(&p->event, "kernel");
		r = read_inputs(p);
		if (r == 0)
			r = write_outputs(p);
	}
	p->l->first[p->l->n_events + 1] = p->l->n;
	return r;
}

int ekka_lineage_build(struct ekka_trace *trace, struct ekka_lineage **ret, struct ekka_error *err)
{
	struct ekka_lineage *l = calloc(1, sizeof(*l));
	struct pass p = { .trace = trace, .l = l, .err = err };
	int r;

	if (l) {
		l->n_events = ekka_trace_n_events(trace);
		l->first = calloc(l->n_events + 2, sizeof(*l->first));
		l->allocates = calloc(l->n_events + 1, sizeof(*l->allocates));
	}
	if (!l || !l->first || !l->allocates) {
		ekka_lineage_free(l);
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for the lineage");
	}
	r = run_pass(&p);
	for (unsigned place = 0; place < 2; place++)
		ekka_interval_release(&p.memory[place]);
	ekka_event_release(&p.event);
	ekka_event_release(&p.other);
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
