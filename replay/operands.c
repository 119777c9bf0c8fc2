/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/operands.h"

#include "replay/op.h"
#include "replay/read.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 64 };					/* of one input */
static const double MOST_WORK = 4e9;			/* multiplications, roughly */
static const uint64_t LEAST_MEMORY = (uint64_t)64 << 20;

/* Bytes that another event read or wrote. */
struct candidate {
	struct ekka_blob_id id;
	uint64_t event, distance;
	unsigned tensor;
	char name[32];
};

struct look {
	const struct ekka_blame *b;
	struct ekka_event event, other;
	struct ekka_redescription *memory[2];	/* theirs */
	const struct ekka_op *op;
	struct candidate found[TRIES];
	unsigned n_found;
	double work, left;			/* of one try; for all that are still to come */
};

static const struct ekka_rec_data *bytes_of(const struct look *k, const struct ekka_event *e, unsigned i)
{
	const struct ekka_tensor *t = &e->call.tensors[i];
	const struct ekka_event_data *d = &e->data[i][t->dir == EKKA_IN ? EKKA_PRE : EKKA_POST];

	return t->alias_of < 0 && !t->n_ptrs && d->present && !d->rec.missing && ekka_trace_blob_present(k->b->trace, &d->rec.id, NULL) ? &d->rec : NULL;
}

static bool same_shape(const struct ekka_tensor *a, const struct ekka_tensor *b)
{
	return a->dtype == b->dtype && a->n_dims == b->n_dims && a->offset == b->offset && a->span_bytes == b->span_bytes &&
	       memcmp(a->dim, b->dim, a->n_dims * sizeof(a->dim[0])) == 0 && memcmp(a->stride, b->stride, a->n_dims * sizeof(a->stride[0])) == 0;
}

/* Keeps the nearest ones, each content once. */
static void keep(struct look *k, const struct candidate *c)
{
	unsigned at = k->n_found;

	for (unsigned i = 0; i < k->n_found; i++)
		if (memcmp(&k->found[i].id, &c->id, sizeof(c->id)) == 0) {
			if (c->distance < k->found[i].distance)
				k->found[i] = *c;
			return;
		}
	if (at == TRIES) {
		at = 0;
		for (unsigned i = 1; i < TRIES; i++)
			at = k->found[i].distance > k->found[at].distance ? i : at;
		if (k->found[at].distance <= c->distance)
			return;
	} else {
		k->n_found++;
	}
	k->found[at] = *c;
}

/* What other events read or wrote that might stand in input i's place. */
static void collect(struct look *k, unsigned i)
{
	const struct ekka_tensor *mine = &k->event.call.tensors[i];
	const struct ekka_rec_data *own = bytes_of(k, &k->event, i);
	struct ekka_error ignored = { 0 };

	k->n_found = 0;
	for (uint64_t n = 1; own && n <= k->b->n_events; n++) {
		if (n == k->event.number || ekka_replay_event_read(k->b->trace, k->b->options, n, &k->other, k->memory[1], &ignored) < 0)
			continue;
		for (unsigned j = 0; j < k->other.call.n_tensors; j++) {
			const struct ekka_tensor *t = &k->other.call.tensors[j];
			const struct ekka_rec_data *rec = same_shape(mine, t) ? bytes_of(k, &k->other, j) : NULL;
			struct candidate c = { .event = n, .tensor = j, .distance = n < k->event.number ? k->event.number - n : n - k->event.number };

			if (!rec || rec->bytes != own->bytes || memcmp(&rec->id, &own->id, sizeof(own->id)) == 0)
				continue;
			c.id = rec->id;
			(void)snprintf(c.name, sizeof(c.name), "%s", t->name);
			keep(k, &c);
		}
	}
}

/* Is the event right with these bytes in input i's place. */
static int is_right(struct look *k, unsigned i, const struct candidate *c, bool *ret, struct ekka_error *err)
{
	struct ekka_rec_data *rec = &k->event.data[i][EKKA_PRE].rec;
	struct ekka_op_context ctx = { .trace = k->b->trace, .options = k->b->options, .memory_bytes = k->b->options->memory_bytes / 2 };
	struct ekka_blob_id own = rec->id;
	struct ekka_verdict v = { .event = k->event.number };
	int r;

	if (ctx.memory_bytes < LEAST_MEMORY)
		ctx.memory_bytes = LEAST_MEMORY;
	rec->id = c->id;
	r = k->op->judge(&ctx, &k->event, &v, err);
	rec->id = own;
	*ret = r == 0 && v.status == EKKA_PASS;
	return r == EKKA_ERR_NOMEM ? r : 0;
}

static int try_input(struct look *k, unsigned i, struct ekka_verdict *v, struct ekka_error *err)
{
	const struct candidate *best = NULL;
	unsigned n_right = 0;
	int r = 0;

	collect(k, i);
	for (unsigned c = 0; c < k->n_found && r == 0 && k->left >= k->work; c++) {
		bool right;

		k->left -= k->work;
		r = is_right(k, i, &k->found[c], &right, err);
		n_right += right;
		best = right ? &k->found[c] : best;
	}
	if (r == 0 && n_right == 1)
		(void)snprintf(v->looks_like, sizeof(v->looks_like), "as if %.32s was %s of event %" PRIu64, k->event.call.tensors[i].name, best->name, best->event);
	return r;
}

/* Roughly the multiplications of one try: elements times the longest line of an input. */
static double work_of(const struct ekka_event *e, const struct ekka_verdict *v)
{
	double longest = 1;

	for (unsigned i = 0; i < e->call.n_tensors; i++)
		for (unsigned d = 0; d < e->call.tensors[i].n_dims; d++)
			longest = (double)e->call.tensors[i].dim[d] > longest ? (double)e->call.tensors[i].dim[d] : longest;
	return longest * (double)v->n_elements;
}

/* The input with the fewest bytes that was not tried yet; -1: none. */
static int smallest(const struct look *k, const bool *tried)
{
	int best = -1;

	for (unsigned i = 0; i < k->event.call.n_tensors; i++) {
		const struct ekka_tensor *t = &k->event.call.tensors[i];

		/* A single number has no content to speak of. */
		if (t->dir == EKKA_IN && !tried[i] && t->span_bytes > ekka_dtype_bytes(t->dtype) && bytes_of(k, &k->event, i) &&
		    (best < 0 || t->span_bytes < k->event.call.tensors[best].span_bytes))
			best = (int)i;
	}
	return best;
}

int ekka_operands_explain(const struct ekka_blame *b, struct ekka_verdict *v, struct ekka_error *err)
{
	struct look *k;
	bool tried[EKKA_MAX_TENSORS] = { false };
	struct ekka_error ignored = { 0 };
	int r = 0;

	if (v->looks_like[0] || v->status != EKKA_FAIL || !v->n_bad)
		return 0;
	k = calloc(1, sizeof(*k));
	if (!k)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory to explain a failure");
	*k = (struct look){ .b = b, .left = MOST_WORK };
	for (unsigned i = 0; i < 2 && r == 0; i++)
		r = ekka_replay_memory_new(b->options, &k->memory[i], err);
	if (r == 0 && ekka_replay_event_read(b->trace, b->options, v->event, &k->event, k->memory[0], &ignored) == 0) {
		k->op = ekka_op_find(ekka_event_op(&k->event));
		k->work = work_of(&k->event, v);
		for (int i; k->op && r == 0 && !v->looks_like[0] && (i = smallest(k, tried)) >= 0;) {
			tried[i] = true;
			r = try_input(k, (unsigned)i, v, err);
		}
	}
	ekka_event_release(&k->event);
	ekka_event_release(&k->other);
	free(k->memory[0]);
	free(k->memory[1]);
	free(k);
	return r;
}
