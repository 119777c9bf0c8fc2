/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/stale.h"

#include "replay/read.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t MOST = (uint64_t)64 << 20;	/* bytes of an output that are looked at */

/* An output of n elements against what was there. */
struct look {
	const struct ekka_blame *b;
	struct ekka_event event, writer;
	struct ekka_redescription *memory[2];	/* theirs */
	unsigned output;
	uint64_t n, size;
	unsigned char *after, *before;		/* n * size bytes each */
	bool *known;				/* by element: all its bytes are known */
	uint64_t source, sources;		/* one of those whose bytes are there still, and how many */
};

static const struct ekka_rec_data *written(const struct ekka_event *e, unsigned tensor)
{
	const struct ekka_event_data *d = &e->data[tensor][EKKA_POST];

	return tensor < e->call.n_tensors && e->call.tensors[tensor].alias_of < 0 && d->present && !d->rec.missing ? &d->rec : NULL;
}

/* The output without gaps, and its bytes. False: there is nothing to look at. */
static bool load(struct look *k, const struct ekka_verdict *v)
{
	const struct ekka_tensor *t = NULL;
	const struct ekka_rec_data *data;
	struct ekka_error ignored = { 0 };

	for (unsigned i = 0; i < k->event.call.n_tensors; i++)
		if (strcmp(k->event.call.tensors[i].name, v->output) == 0 && (k->event.call.tensors[i].dir & EKKA_OUT)) {
			t = &k->event.call.tensors[i];
			k->output = i;
		}
	data = t ? written(&k->event, k->output) : NULL;
	k->size = t ? ekka_dtype_bytes(t->dtype) : 0;
	if (!data || t->n_ptrs || t->span_bytes != data->bytes || data->bytes > MOST || data->bytes == 0 || k->size == 0)
		return false;
	k->n = 1;
	for (unsigned d = 0; d < t->n_dims; d++)
		if (__builtin_mul_overflow(k->n, (uint64_t)t->dim[d], &k->n))
			return false;
	if (k->n > MOST || k->n * k->size != t->span_bytes)
		return false;
	k->after = malloc(data->bytes);
	k->before = malloc(data->bytes);
	k->known = calloc(k->n, sizeof(*k->known));
	return k->after && k->before && k->known && ekka_trace_blob_read(k->b->trace, &data->id, 0, k->after, data->bytes, &ignored) == 0;
}

/* What one earlier event left there. */
static void take(struct look *k, const struct ekka_remnant *r)
{
	const struct ekka_tensor *t = &k->event.call.tensors[k->output], *theirs;
	uint64_t at = r->start - t->addr, bytes = r->end - r->start;
	const struct ekka_rec_data *data;
	struct ekka_error ignored = { 0 };
	bool still = false;

	if (r->tensor != k->output || (k->writer.number != r->writer &&
	    ekka_replay_event_read(k->b->trace, k->b->options, r->writer, &k->writer, k->memory[1], &ignored) < 0))
		return;
	data = written(&k->writer, r->writer_tensor);
	theirs = &k->writer.call.tensors[r->writer_tensor];
	if (!data || theirs->n_ptrs || r->start < theirs->addr || r->end - theirs->addr > data->bytes ||
	    ekka_trace_blob_read(k->b->trace, &data->id, r->start - theirs->addr, k->before + at, bytes, &ignored) != 0)
		return;
	for (uint64_t i = (at + k->size - 1) / k->size; (i + 1) * k->size <= at + bytes; i++) {
		k->known[i] = true;
		still |= memcmp(k->before + i * k->size, k->after + i * k->size, k->size) == 0;
	}
	k->sources += still && k->source != r->writer;
	k->source = still ? r->writer : k->source;
}

/* Elements that are what they were: how many, and how many at either end. `plain`: they are all the same. */
struct same { uint64_t n, head, tail; bool plain; };

static struct same count(const struct look *k)
{
	struct same s = { .plain = true };
	uint64_t run = 0, first = k->n;

	for (uint64_t i = 0; i < k->n; i++) {
		bool same = k->known[i] && memcmp(k->before + i * k->size, k->after + i * k->size, k->size) == 0;

		run = same ? run + 1 : 0;
		s.n += same;
		first = same && first == k->n ? i : first;
		s.plain &= !same || memcmp(k->after + first * k->size, k->after + i * k->size, k->size) == 0;
		s.head = run == i + 1 ? run : s.head;
	}
	s.tail = run;
	return s;
}

static void say(const struct look *k, const struct same *s, struct ekka_verdict *v)
{
	uint64_t least = v->n_bad - v->n_bad / 10;	/* a right element may be what it was before by chance, and a few wrong ones may not */
	char what[128], from[64];

	if (s->n == k->n)
		(void)snprintf(what, sizeof(what), EKKA_NOT_WRITTEN);
	else if (s->tail >= least && s->tail > 1 && s->tail < k->n)
		(void)snprintf(what, sizeof(what), "the last %" PRIu64 " of %" PRIu64 " elements were not written", s->tail, k->n);
	else if (s->head >= least && s->head > 1 && s->head < k->n)
		(void)snprintf(what, sizeof(what), "the first %" PRIu64 " of %" PRIu64 " elements were not written", s->head, k->n);
	else if (s->n >= least && s->n - v->n_bad / 10 <= v->n_bad && s->n > 1)
		(void)snprintf(what, sizeof(what), "%" PRIu64 " of %" PRIu64 " elements were not written", s->n, k->n);
	else
		return;
	(void)snprintf(from, sizeof(from), k->sources > 1 ? "earlier events" : "event %" PRIu64, k->source);
	(void)snprintf(v->looks_like, sizeof(v->looks_like), "%s: still what %s left there", what, from);
}

int ekka_stale_explain(const struct ekka_blame *b, struct ekka_verdict *v, struct ekka_error *err)
{
	struct look k = { .b = b };
	struct ekka_error ignored = { 0 };
	const struct ekka_remnant *remnant;
	struct same s;
	size_t n;
	int r = 0;

	remnant = ekka_lineage_remnants(b->lineage, v->event, &n);
	for (unsigned i = 0; i < 2 && r == 0; i++)
		r = ekka_replay_memory_new(b->options, &k.memory[i], err);
	if (n > 0 && r == 0 && ekka_replay_event_read(b->trace, b->options, v->event, &k.event, k.memory[0], &ignored) == 0 && load(&k, v)) {
		for (size_t i = 0; i < n; i++)
			take(&k, &remnant[i]);
		s = count(&k);
		/* Zeros or NaN that were zeros or NaN before prove little, unless nothing else is known. */
		if (k.sources > 0 && (!s.plain || !v->looks_like[0] || s.n == k.n))
			say(&k, &s, v);
	}
	ekka_event_release(&k.event);
	ekka_event_release(&k.writer);
	free(k.memory[0]);
	free(k.memory[1]);
	free(k.after);
	free(k.before);
	free(k.known);
	return r;
}
