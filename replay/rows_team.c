/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/rows_team.h"

#include <stdlib.h>
#include <string.h>

#include "replay/team.h"

static const int64_t PART = 1 << 16, WORTH = 8;	/* elements that a thread takes at a time; parts below which splitting costs too much */

struct lane { struct ekka_rows *rows; struct ekka_verdict verdict; };

struct split {
	const struct ekka_rows_op *op;
	struct ekka_rows *rows;
	int64_t rows_of_part;
	struct lane lane[EKKA_TEAM_SLOTS];
	struct ekka_elements *all;
	bool odd;
};

static int compare_part(void *arg, int64_t part, unsigned slot, struct ekka_error *err)
{
	const struct split *s = arg;
	struct ekka_rows *r = s->lane[slot].rows;

	ekka_elements_free(r->elements);
	r->elements = ekka_elements_new();
	if (!r->elements)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for a comparison");
	r->first = part * s->rows_of_part;
	r->end = s->rows->n_rows - r->first < s->rows_of_part ? s->rows->n_rows : r->first + s->rows_of_part;
	s->op->compare(r);
	return 0;
}

static int take_part(void *arg, int64_t part, unsigned slot, struct ekka_error *err)
{
	struct split *s = arg;
	const struct ekka_rows *r = s->lane[slot].rows;

	(void)part;
	(void)err;
	s->odd |= r->n_wrong > 0 || !ekka_elements_merge(s->all, r->elements);
	return 0;
}

/* The tensors are those that the event's own rows hold. */
static bool prepare(struct split *s, struct lane *l)
{
	l->rows = calloc(1, s->op->bytes);
	if (!l->rows || ekka_rows_init(l->rows, s->rows->ctx, s->rows->event, &l->verdict, NULL) != 0)
		return false;
	memcpy(l->rows->array, s->rows->array, sizeof l->rows->array);
	return s->op->prepare(l->rows, NULL) == 0 && !l->rows->settled;
}

static void release(const struct split *s, struct lane *l)
{
	if (!l->rows)
		return;
	if (s->op->release)
		s->op->release(l->rows);
	for (unsigned i = 0; i < EKKA_MAX_TENSORS; i++)
		for (unsigned phase = 0; phase < 2; phase++)
			if (s->rows->array[i][phase].bytes)
				memset(&l->rows->array[i][phase], 0, sizeof l->rows->array[i][phase]);
	ekka_rows_release(l->rows);
	free(l->rows);
}

bool ekka_rows_together(const struct ekka_rows_op *op, struct ekka_rows *r)
{
	int64_t some = r->elements_of_row > 0 && r->elements_of_row < PART ? PART / r->elements_of_row : 1, n = (r->n_rows + some - 1) / some;
	struct ekka_parts parts = { .n = n, .slots = ekka_team_slots(r->ctx->team, n, 0, 0), .compute = compare_part, .take = take_part };
	bool worth = n > 1 && parts.slots > 1 && (double)r->n_rows * (double)r->elements_of_row >= (double)(WORTH * PART), good;
	struct split *s = worth ? calloc(1, sizeof *s) : NULL;

	if (!s)
		return false;
	s->op = op;
	s->rows = r;
	s->rows_of_part = some;
	s->all = ekka_elements_new();
	good = s->all != NULL;
	for (unsigned i = 0; good && i < parts.slots; i++)
		good = prepare(s, &s->lane[i]);
	parts.arg = s;
	good = good && ekka_team_run(r->ctx->team, &parts, NULL) == 0 && !s->odd && ekka_elements_merge(r->elements, s->all);
	for (unsigned i = 0; i < parts.slots; i++)
		release(s, &s->lane[i]);
	ekka_elements_free(s->all);
	free(s);
	return good;
}
