/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show_pointers.h"

#include "replay/allocations.h"

#include <string.h>

enum { WORD = sizeof(uint64_t) };

struct find { struct ekka_pointers *ret; uint64_t words[EKKA_MAX_TENSORS][EKKA_POINTERS_BYTES / WORD]; unsigned n[EKKA_MAX_TENSORS]; bool any; };

/* As capture has it: below 4 GiB lies no device memory, and user space ends at 57 bits at most. */
static bool may_be_address(uint64_t v)
{
	return v >> 32 != 0 && v >> 57 == 0;
}

/* A buffer of a launch that no description explains, whose first bytes before it are there. */
static bool is_raw(const struct ekka_event *e, unsigned i)
{
	const struct ekka_tensor *t = &e->call.tensors[i];

	return ekka_event_is_launch(e) && !ekka_event_attr(e, "op") && t->dtype == EKKA_U8 && t->place == EKKA_DEVICE && t->n_ptrs == 0 &&
	       e->data[i][EKKA_PRE].present && !e->data[i][EKKA_PRE].rec.missing && t->addr % WORD == 0;
}

static int read_words(struct ekka_trace *trace, const struct ekka_event *e, struct find *f, struct ekka_error *err)
{
	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		const struct ekka_rec_data *d = &e->data[i][EKKA_PRE].rec;
		uint64_t bytes = d->bytes < EKKA_POINTERS_BYTES ? d->bytes : EKKA_POINTERS_BYTES;
		int r;

		if (!is_raw(e, i))
			continue;
		f->n[i] = (unsigned)(bytes / WORD);
		r = ekka_trace_blob_read(trace, &d->id, 0, f->words[i], f->n[i] * WORD, err);
		if (r < 0)
			return r;
		for (unsigned k = 0; k < f->n[i]; k++)
			f->any |= may_be_address(f->words[i][k]);
	}
	return 0;
}

static int follow(struct ekka_trace *trace, const struct ekka_event *e, struct ekka_allocations *a, struct ekka_error *err)
{
	struct ekka_event before = { 0 };
	int r = 0;

	for (uint64_t n = e->segment->first_event; n < e->number && r == 0; n++)
		if (ekka_trace_event_read(trace, n, &before, err) == 0 && ekka_allocations_follow(a, &before) < 0)
			r = ekka_error_set(err, EKKA_ERR_NOMEM, "out of memory");
	ekka_event_release(&before);
	return r;
}

static int keep(void *arg, const struct ekka_interval *piece)
{
	*(struct ekka_interval *)arg = *piece;
	return 1;
}

/* Where the allocation begins: a piece of the map is cut to what was asked for. */
static uint64_t start_of(struct ekka_trace *trace, uint64_t number)
{
	struct ekka_event owner = { 0 };
	struct ekka_error err = { 0 };
	uint64_t start = 0;

	if (ekka_trace_event_read(trace, number, &owner, &err) == 0 && owner.call.n_tensors > 0)
		start = owner.call.tensors[0].addr;
	ekka_event_release(&owner);
	return start;
}

static void add(struct ekka_trace *trace, struct ekka_pointers *ret, unsigned tensor, unsigned word, uint64_t addr, uint64_t owner)
{
	unsigned n = ret->tensor[tensor].n;

	if (n == EKKA_POINTERS_MAX) {
		ret->tensor[tensor].more++;
		return;
	}
	ret->tensor[tensor].pointer[n] = (struct ekka_pointer){ .word = word, .addr = addr, .owner = owner, .offset = addr - start_of(trace, owner) };
	ret->tensor[tensor].n++;
}

int ekka_pointers_find(struct ekka_trace *trace, const struct ekka_event *e, struct ekka_pointers *ret, struct ekka_error *err)
{
	static struct find f;
	struct ekka_allocations a = { 0 };
	int r;

	memset(&f, 0, sizeof(f));
	memset(ret, 0, sizeof(*ret));
	r = read_words(trace, e, &f, err);
	if (r == 0 && f.any)
		r = follow(trace, e, &a, err);
	for (unsigned i = 0; i < e->call.n_tensors && r == 0 && f.any; i++)
		for (unsigned k = 0; k < f.n[i]; k++) {
			struct ekka_interval piece = { 0 };
			uint64_t v = f.words[i][k];

			if (may_be_address(v) && ekka_interval_each(&a.live, v, v + 1, keep, &piece) && piece.value != 0)
				add(trace, ret, i, k, v, piece.value);
		}
	ekka_allocations_release(&a);
	return r;
}
