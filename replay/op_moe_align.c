/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "moe_align": sorts the slots of a batch, slot i being token i / k's choice i % k, by the expert that `ids` [tokens, k] names, so that
 * every block of `block` places belongs to one expert. Slots of expert e fill ceil(count / block) blocks, experts in order; what is left over in
 * them holds the number of slots. Outputs: `sorted` [places]; `expert_ids` [blocks], the expert of every block (through `map`? [experts], where there is one);
 * `total` [1], the places in use. Attributes `experts`, `block`. Each output may be absent, and there are two more: `first` [experts + 1], where every expert begins
 * and the last ends, and `filled`, the number of slots throughout.
 *
 * With `first` as an input that is written, too, it is the second of two kernels, which puts slots where the first one said: expert e's into `sorted` from
 * first[e] on, and first[e] becomes the place behind the last of them. Padding stays as it was.
 *
 * Exact. Slots of one expert may come in any order, since kernels count them with atomics, and padding anywhere among them; what
 * lies behind `total` is not judged: kernels leave it alone or fill it in different ways.
 */
#include <stdlib.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/rows.h"

struct align {
	const struct ekka_array *ids, *sorted, *expert_ids, *total, *map, *begins, *filled;	/* NULL where absent */
	const struct ekka_array *placed, *before;	/* second kernel: begins, sorted as they were; else NULL */
	int64_t slots, experts, block;
	int64_t *id;			/* [slots] */
	int64_t *first;			/* [experts + 1]: places where experts begin */
	int64_t *missing;		/* [slots]: 1 while a slot was not met */
	int64_t *spare;			/* [experts]: padding that may still come */
	int64_t *got, *want;		/* [places] */
};

/* Where every expert begins. Slots whose id is no expert are left out, as vLLM's kernels do. */
static void count(struct align *a)
{
	int64_t *first = a->first;

	memset(first, 0, ((size_t)a->experts + 1) * sizeof *first);
	for (int64_t i = 0; i < a->slots; i++)
		if (a->id[i] >= 0 && a->id[i] < a->experts)
			first[a->id[i] + 1]++;
	for (int64_t e = 0; e < a->experts; e++) {
		int64_t n = first[e + 1], padded = (n + a->block - 1) / a->block * a->block;

		a->spare[e] = padded - n;
		first[e + 1] = first[e] + padded;
	}
}

/* The next slot of expert e that was not met, from *cursor on, or padding. */
static int64_t lacking(const struct align *a, int64_t e, int64_t *cursor)
{
	while (*cursor < a->slots && !(a->id[*cursor] == e && a->missing[*cursor]))
		(*cursor)++;
	return *cursor < a->slots ? *cursor : a->slots;
}

/* Places of expert e, [from, to): what is there counts where it may be there; other places want what is lacking. */
static void match(struct align *a, int64_t e, int64_t from, int64_t to)
{
	int64_t cursor = 0;

	for (int64_t p = from; p < to; p++) {
		int64_t s = a->got[p];
		bool padding = s == a->slots && a->spare[e] > 0, slot = s >= 0 && s < a->slots && a->id[s] == e && a->missing[s];

		a->want[p] = padding || slot ? s : -1;
		a->spare[e] -= padding;
		if (slot)
			a->missing[s] = 0;
	}
	for (int64_t p = from; p < to; p++) {
		if (a->want[p] >= 0)
			continue;
		a->want[p] = lacking(a, e, &cursor);
		if (a->want[p] < a->slots)
			a->missing[a->want[p]] = 0;
	}
}

static void judge_blocks(struct ekka_rows *r, struct align *a)
{
	int64_t used = a->first[a->experts], blocks = used / a->block, expert = 0;

	if (a->total)
		ekka_rows_compare_int(r, a->total, 0, 1, &used);
	if (a->begins)
		ekka_rows_compare_int(r, a->begins, 0, a->experts + 1, a->first);
	for (int64_t b = 0; a->expert_ids && b < blocks; b++) {
		int64_t e;

		while (a->first[expert + 1] <= b * a->block)
			expert++;
		e = expert;
		if (a->map)
			ekka_array_get_int(a->map, expert, 1, &e);
		ekka_rows_compare_int(r, a->expert_ids, b, 1, &e);
	}
}

static void judge_all(struct ekka_rows *r, struct align *a)
{
	int64_t used = a->first[a->experts];

	for (int64_t i = 0; i < a->slots; i++)
		a->missing[i] = 1;
	count(a);
	if (a->sorted) {
		ekka_array_get_int(a->sorted, 0, (size_t)used, a->got);
		for (int64_t e = 0; e < a->experts; e++)
			match(a, e, a->first[e], a->first[e + 1]);
		ekka_rows_compare_int(r, a->sorted, 0, used, a->want);
	}
	for (int64_t i = 0; a->filled && i < a->filled->n; i++)
		ekka_rows_compare_int(r, a->filled, i, 1, &a->slots);
	judge_blocks(r, a);
}

static int64_t slots_of(const struct align *a, int64_t e)
{
	int64_t n = 0;

	for (int64_t i = 0; i < a->slots; i++)
		n += a->id[i] == e;
	return n;
}

/* The second kernel: a->first holds where experts begin. What lies behind the last place in use may be something else. */
static void judge_placed(struct ekka_rows *r, struct align *a)
{
	int64_t used = a->first[a->experts];

	for (int64_t i = 0; i < a->slots; i++)
		a->missing[i] = 1;
	memset(a->spare, 0, (size_t)a->experts * sizeof *a->spare);
	ekka_array_get_int(a->sorted, 0, (size_t)used, a->got);
	ekka_array_get_int(a->before, 0, (size_t)used, a->want);
	for (int64_t e = 0; e < a->experts; e++) {
		int64_t n = slots_of(a, e);

		match(a, e, a->first[e], a->first[e] + n);
		a->spare[e] = a->first[e] + n;
	}
	ekka_rows_compare_int(r, a->sorted, 0, used, a->want);
	ekka_rows_compare_int(r, a->begins, 0, a->experts, a->spare);
}

/* Do the places that the second kernel was given hold all slots? */
static bool places_fit(const struct align *a)
{
	for (int64_t e = 0; e < a->experts; e++) {
		if (a->first[e] < 0 || a->first[e + 1] < a->first[e] || a->first[e + 1] > a->sorted->n || slots_of(a, e) > a->first[e + 1] - a->first[e])
			return false;
	}
	return true;
}

static bool large_enough(struct align *a)
{
	int64_t used;

	if (a->placed) {
		ekka_array_get_int(a->placed, 0, (size_t)a->experts + 1, a->first);
		return places_fit(a);
	}
	count(a);
	used = a->first[a->experts];
	return (!a->sorted || used <= a->sorted->n) && (!a->expert_ids || used / a->block <= a->expert_ids->n);
}

/* Working memory, and whether the outputs are large enough. */
static int complete(struct ekka_rows *r, struct align *a, struct ekka_error *err)
{
	int64_t places = a->sorted ? a->sorted->n : 1;

	a->slots = a->ids->n;
	a->experts = (int64_t)ekka_rows_number(r, "experts", 0);
	a->block = (int64_t)ekka_rows_number(r, "block", a->placed ? 1 : 0);
	if (a->experts < 1 || a->block < 1 || a->experts > INT32_MAX || a->block > INT32_MAX || (a->map && a->map->n < a->experts) ||
	    (a->begins && a->begins->n <= a->experts) || (a->placed && (!a->sorted || !a->before || !a->begins))) {
		ekka_rows_settle(r, EKKA_INCOMPLETE, "the number of experts or the block is not known");
		return 0;
	}
	/* 64-bit integers are as large as doubles. */
	a->id = (int64_t *)ekka_rows_buffer(r, 2 * a->slots, err);
	a->first = (int64_t *)ekka_rows_buffer(r, 2 * a->experts + 1, err);
	a->got = (int64_t *)ekka_rows_buffer(r, 2 * places, err);
	if (!a->id || !a->first || !a->got)
		return EKKA_ERR_NOMEM;
	a->missing = a->id + a->slots;
	a->spare = a->first + a->experts + 1;
	a->want = a->got + places;
	ekka_array_get_int(a->ids, 0, (size_t)a->slots, a->id);
	if (!large_enough(a))
		ekka_rows_settle(r, EKKA_INCOMPLETE, "the outputs are smaller than what must be written");
	return 0;
}

static int take(struct ekka_rows *r, struct align *a, struct ekka_error *err)
{
	static const struct { const char *name; bool before, needed; } names[] = {
		{ "ids", true, true }, { "map", true, false }, { "first", true, false }, { "sorted", false, false }, { "expert_ids", false, false },
		{ "total", false, false }, { "first", false, false }, { "filled", false, false }, { "sorted", true, false },
	};
	struct ekka_array *found[9] = { NULL };
	int n = 0;

	for (int i = 0; i < 9 && n == 0 && !r->settled; i++) {
		int index = ekka_event_tensor_index(r->event, names[i].name);
		bool there = index >= 0 && (r->event->call.tensors[index].dir & (names[i].before ? EKKA_IN : EKKA_OUT));

		if (names[i].needed || (there && (i < 8 || found[2])))
			n = ekka_rows_take(r, names[i].name, names[i].before ? EKKA_PRE : EKKA_POST, names[i].needed, &found[i], err);
	}
	a->ids = found[0];
	a->map = found[1];
	a->placed = found[2];
	a->sorted = found[3];
	a->expert_ids = found[4];
	a->total = found[5];
	a->begins = found[6];
	a->filled = found[7];
	a->before = found[8];
	return n;
}

static int judge(struct ekka_rows *r, struct ekka_error *err)
{
	struct align a = { 0 };
	int n = take(r, &a, err);

	if (n < 0 || r->settled)
		return n;
	n = complete(r, &a, err);
	while (n == 0 && !r->settled) {
		(a.placed ? judge_placed : judge_all)(r, &a);
		if (!ekka_elements_again(r->elements))
			break;
	}
	return n == 0 && !r->settled ? ekka_rows_verdict(r, "exact; any order within an expert", err) : n;
}

static int judge_moe_align(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	return ekka_rows_judge(ctx, event, judge, v, err);
}

const struct ekka_op ekka_op_moe_align = { "moe_align", judge_moe_align };
