/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "replay/redescribe.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 4096 };		/* kernels; what goes beyond half of them is bound at every launch */

struct ekka_redescriber {
	struct ekka_descriptions *set;
	pthread_mutex_t lock;		/* of what follows */
	struct { const char *name; const struct ekka_binding *binding; } slots[SLOTS];
	unsigned n;
};

uint32_t ekka_relaunch_arg_bytes(const struct ekka_event *e, unsigned i, uint32_t *ret_offset)
{
	unsigned bytes = 0, offset = 0;

	if (i >= e->fn->n_args || !e->fn->args[i].type || sscanf(e->fn->args[i].type, "%5u bytes at %5u", &bytes, &offset) != 2)
		return 0;
	if (ret_offset)
		*ret_offset = offset;
	return bytes;
}

static unsigned whole(const struct ekka_event *e, const char *name)
{
	const struct ekka_value *v = ekka_event_attr(e, name);

	return v && v->kind == EKKA_V_INT && v->i >= 0 && v->i <= UINT32_MAX ? (unsigned)v->i : 0;
}

/* Scalars were kept as the parameter's bits, little-endian. */
static void take_param(struct ekka_relaunch *l, const struct ekka_event *e, unsigned i)
{
	const struct ekka_value *v = &e->call.args[i];
	uint32_t bytes = ekka_relaunch_arg_bytes(e, i, NULL);

	switch (v->kind) {
	case EKKA_V_INT:
	case EKKA_V_UINT:
	case EKKA_V_PTR:
		l->word[i] = v->u;
		l->param[i] = &l->word[i];
		l->bytes[i] = bytes <= sizeof(l->word[i]) ? bytes : 0;
		break;
	case EKKA_V_BIN:
		l->param[i] = v->bin.p;
		l->bytes[i] = v->bin.n <= UINT32_MAX ? (uint32_t)v->bin.n : 0;
		break;
	default:
		break;
	}
}

/* What was recorded from there on: as much as was known of a buffer then. */
static uint64_t known_bytes(const void *arg, uint64_t addr)
{
	const struct ekka_event *e = arg;
	uint64_t most = 0;

	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		const struct ekka_tensor *t = &e->call.tensors[i];

		if (addr >= t->addr && addr - t->addr < t->span_bytes && t->span_bytes - (addr - t->addr) > most)
			most = t->span_bytes - (addr - t->addr);
	}
	return most;
}

bool ekka_relaunch_init(struct ekka_relaunch *ret, const struct ekka_event *e)
{
	*ret = (struct ekka_relaunch){ 0 };
	if (!ekka_event_is_launch(e) || ekka_event_attr(e, "params"))
		return false;
	ret->facts = (struct ekka_launch_facts){
		.grid = { whole(e, "grid_x"), whole(e, "grid_y"), whole(e, "grid_z") },
		.block = { whole(e, "block_x"), whole(e, "block_y"), whole(e, "block_z") },
		.shared = whole(e, "shared"),
		.n_params = e->call.n_args < EKKA_MAX_ARGS ? e->call.n_args : EKKA_MAX_ARGS,
		.param = ret->param,
		.param_bytes = ret->bytes,
		.arg = (void *)(uintptr_t)e,
		.known = known_bytes,
	};
	for (unsigned i = 0; i < ret->facts.n_params; i++)
		take_param(ret, e, i);
	return true;
}

int ekka_redescriber_new(struct ekka_descriptions *set, struct ekka_redescriber **ret, struct ekka_error *err)
{
	struct ekka_redescriber *r = calloc(1, sizeof(*r));

	if (!r)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "out of memory");
	r->set = set;
	(void)pthread_mutex_init(&r->lock, NULL);
	*ret = r;
	return 0;
}

void ekka_redescriber_free(struct ekka_redescriber *r)
{
	if (r)
		(void)pthread_mutex_destroy(&r->lock);
	free(r);
}

/* A trace has each name once a segment: pointers tell them apart well enough. */
static const struct ekka_binding *bind(struct ekka_redescriber *r, const char *name)
{
	unsigned i = (unsigned)((uintptr_t)name * 0x9e3779b97f4a7c15u >> 52) % SLOTS;
	const struct ekka_binding *binding;

	(void)pthread_mutex_lock(&r->lock);
	while (r->slots[i].name && r->slots[i].name != name)
		i = (i + 1) % SLOTS;
	binding = r->slots[i].binding;
	if (!r->slots[i].name) {
		binding = ekka_descriptions_bind(r->set, name);
		if (r->n < SLOTS / 2) {
			r->slots[i].name = name;
			r->slots[i].binding = binding;
			r->n++;
		}
	}
	(void)pthread_mutex_unlock(&r->lock);
	return binding;
}

static bool put_attr(struct ekka_event *e, struct ekka_redescription *d, const char *name, struct ekka_value value)
{
	if (e->call.n_attrs == EKKA_MAX_ATTRS)
		return false;
	d->attrs[e->call.n_attrs++] = (struct ekka_attr){ name, value };
	return true;
}

static bool put_text(struct ekka_event *e, struct ekka_redescription *d, const char *name, const char *text)
{
	return put_attr(e, d, name, (struct ekka_value){ .kind = EKKA_V_STR, .s = text });
}

/* What an earlier description said is over. */
static void keep_attrs(struct ekka_event *e, struct ekka_redescription *d)
{
	const struct ekka_attr *old = e->call.attrs;
	unsigned n = e->call.n_attrs;

	e->call.attrs = d->attrs;
	e->call.n_attrs = 0;
	for (unsigned i = 0; i < n; i++)
		if (strcmp(old[i].name, "description") != 0 && strcmp(old[i].name, "refused") != 0)
			(void)put_attr(e, d, old[i].name, old[i].value);
}

/* The recorded buffer in which all of a tensor lies, or -1. */
static int buffer_of(const struct ekka_event *e, const struct ekka_tensor *t)
{
	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		const struct ekka_tensor *b = &e->call.tensors[i];

		if (!b->n_ptrs && t->addr >= b->addr && t->addr - b->addr <= b->span_bytes && t->span_bytes <= b->span_bytes - (t->addr - b->addr))
			return (int)i;
	}
	return -1;
}

/* Ops on matrices read a blob from its beginning. */
static bool reads_views(const char *op)
{
	return strcmp(op, "gemm") != 0 && strcmp(op, "matmul") != 0;
}

/* Replaces the event's buffers by the described tensors and those buffers that they lie in; false: meaning.refused says why not. */
static bool put_tensors(struct ekka_event *e, struct ekka_redescription *d)
{
	struct ekka_meaning *m = &d->meaning;
	struct ekka_event_data data[EKKA_MAX_TENSORS][2];
	int place[EKKA_MAX_TENSORS];		/* of a buffer among the new tensors; -1: not needed */
	unsigned n = m->n_tensors;

	memset(place, 0xff, sizeof(place));
	memset(data, 0, sizeof(data));
	memcpy(d->tensors, m->tensors, n * sizeof(*d->tensors));
	for (unsigned i = 0; i < m->n_tensors; i++) {
		int b = buffer_of(e, &m->tensors[i]);

		if (b >= 0 && m->tensors[i].addr != e->call.tensors[b].addr && !reads_views(m->op))
			b = -1;
		if (b < 0 || (place[b] < 0 && n == EKKA_MAX_TENSORS)) {
			(void)snprintf(m->refused, sizeof(m->refused), b < 0 ? "tensor %s lies in no buffer that was recorded" : "too many buffers for tensor %s",
				       m->tensors[i].name);
			return false;
		}
		if (place[b] < 0) {
			d->tensors[n] = e->call.tensors[b];
			d->tensors[n].dir = EKKA_IN;	/* what is written are the views */
			memcpy(data[n], e->data[b], sizeof(data[n]));
			place[b] = (int)n++;
		}
		d->tensors[i].alias_of = place[b];
	}
	e->call.tensors = d->tensors;
	e->call.n_tensors = n;
	memcpy(e->data, data, sizeof(data));
	return true;
}

static bool put_meaning(struct ekka_event *e, struct ekka_redescription *d)
{
	struct ekka_meaning *m = &d->meaning;

	if (m->nothing)
		return put_attr(e, d, "nothing", (struct ekka_value){ .kind = EKKA_V_INT, .i = 1 });
	if (!m->op)
		return false;
	if (e->call.n_attrs + 1 + m->n_attrs > EKKA_MAX_ATTRS) {
		(void)snprintf(m->refused, sizeof(m->refused), "%u attributes are too many", m->n_attrs);
		return false;
	}
	if (!put_tensors(e, d))
		return false;
	for (unsigned i = 0; i < m->n_attrs; i++)
		(void)put_attr(e, d, m->attrs[i].name, m->attrs[i].value);
	return put_text(e, d, "op", m->op);
}

void ekka_redescribe(struct ekka_redescriber *r, struct ekka_event *e, struct ekka_redescription *d)
{
	const struct ekka_binding *binding;
	struct ekka_relaunch launch;

	if (!ekka_event_is_launch(e) || ekka_event_attr(e, "op") || ekka_event_attr(e, "nothing") || e->call.n_attrs > EKKA_MAX_ATTRS - 2)
		return;
	binding = bind(r, e->fn->name);
	if (!binding || !ekka_relaunch_init(&launch, e))
		return;
	ekka_describe(binding, &launch.facts, &d->meaning);
	keep_attrs(e, d);
	(void)put_text(e, d, "description", d->meaning.description);
	if (!put_meaning(e, d))
		(void)put_text(e, d, "refused", d->meaning.refused);
}
