/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/gemm_blocks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/backend.h"
#include "replay/gemm_exact.h"
#include "replay/gemm_thin.h"
#include "replay/team.h"

enum { BLOCK = 256, MAX_BLOCK = 4096, ELSEWHERE_BLOCK = 512 };
static const double PART_WORK = 1 << 22;	/* multiplications that a part has at least: milliseconds */

/* What one thread works with. */
struct lane {
	struct ekka_gemm gemm;
	struct ekka_epilogue epilogue;
	struct ekka_gemm_work work;
	struct ekka_tally tally;
};

struct blocks {
	struct ekka_gemm *g;
	struct ekka_tally *tally;
	int64_t rows, cols, down, across;	/* of a block; blocks of a batch item */
	int64_t n, per_part;			/* blocks in all */
	unsigned slots;
	struct lane *lane;			/* [slots] */
};

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Few enough lines of the wide operand that there are parts for all threads. */
static int64_t thin_lines(const struct ekka_gemm *g, int64_t lines, int64_t vectors)
{
	return min64(lines, (int64_t)fmax(1, ceil(PART_WORK / ((double)vectors * (double)g->k))));
}

/*
 * Block sides: 256 x 256 keeps everything in the second-level cache; long and thin outputs get long blocks of about as many
 * elements; operands that are read piecewise get the largest blocks that memory allows, so that they are read fewer times.
 */
static void block_size(const struct ekka_gemm *g, const struct ekka_gemm_options *o, int64_t *ret_rows, int64_t *ret_cols)
{
	int64_t side = g->elsewhere ? ELSEWHERE_BLOCK : BLOCK;
	bool streamed = g->has_product && (!g->a.bytes || !g->b.bytes);

	if (streamed)
		while (side < MAX_BLOCK && 4 * side * side * 16 * (int64_t)sizeof(double) <= (int64_t)(o->memory_bytes / 2))
			side *= 2;
	*ret_cols = min64(g->n, side);
	*ret_rows = min64(g->m, min64(MAX_BLOCK, side * side / *ret_cols));
	*ret_cols = min64(g->n, min64(MAX_BLOCK, side * side / *ret_rows));
	if (!g->elsewhere && !streamed && g->has_product && ekka_gemm_thin_can(g, *ret_rows, *ret_cols)) {
		if (*ret_cols < *ret_rows)
			*ret_rows = thin_lines(g, *ret_rows, *ret_cols);
		else
			*ret_cols = thin_lines(g, *ret_cols, *ret_rows);
	}
}

struct ekka_gemm ekka_gemm_copy(const struct ekka_gemm *g, struct ekka_epilogue *epilogue)
{
	struct ekka_gemm copy = *g;
	struct ekka_matrix *const all[] = { &copy.a, &copy.b, &copy.c0, &copy.c };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		all[i]->window = NULL;
		all[i]->window_len = all[i]->window_cap = 0;
	}
	if (g->epilogue) {
		*epilogue = *g->epilogue;
		copy.epilogue = epilogue;
	}
	return copy;
}

void ekka_gemm_copy_release(struct ekka_gemm *copy)
{
	ekka_matrix_release(&copy->a);
	ekka_matrix_release(&copy->b);
	ekka_matrix_release(&copy->c0);
	ekka_matrix_release(&copy->c);
}

static void lane_release(struct lane *l)
{
	ekka_gemm_work_release(&l->work);
	ekka_tally_release(&l->tally);
	ekka_gemm_copy_release(&l->gemm);
}

static int lane_init(struct lane *l, const struct blocks *s, struct ekka_error *err)
{
	int r;

	l->gemm = ekka_gemm_copy(s->g, &l->epilogue);
	r = ekka_tally_init(&l->tally, s->tally->model, s->g->batch, s->g->m, s->g->n, err);
	if (r == 0)
		r = ekka_gemm_work_init(&l->work, s->g, s->rows, s->cols, err);
	return r;
}

static int compute(void *arg, int64_t part, unsigned slot, struct ekka_error *err)
{
	struct blocks *s = arg;
	struct lane *l = &s->lane[slot];
	int64_t end = min64(s->n, (part + 1) * s->per_part);

	ekka_tally_clear(&l->tally);
	if (l->gemm.epilogue)
		ekka_epilogue_clear(l->gemm.epilogue);
	for (int64_t at = part * s->per_part; at < end; at++) {
		int64_t b = at / (s->down * s->across), i = at / s->across % s->down * s->rows, j = at % s->across * s->cols;
		int r = ekka_gemm_exact(&l->gemm, &l->work, b, i, min64(s->rows, s->g->m - i), j, min64(s->cols, s->g->n - j), &l->tally, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int take(void *arg, int64_t part, unsigned slot, struct ekka_error *err)
{
	struct blocks *s = arg;
	struct lane *l = &s->lane[slot];

	(void)part;
	(void)err;
	ekka_tally_merge(s->tally, &l->tally);
	if (s->g->epilogue)
		ekka_epilogue_merge(s->g->epilogue, l->gemm.epilogue);
	return 0;
}

static int run(struct blocks *s, const struct ekka_gemm_options *o, struct ekka_error *err)
{
	struct ekka_parts parts = { .n = (s->n + s->per_part - 1) / s->per_part, .compute = compute, .take = take, .arg = s };
	int r = 0;

	s->slots = ekka_team_slots(o->team, parts.n, ekka_gemm_work_bytes(s->g, s->rows, s->cols), o->memory_bytes);
	if (s->g->epilogue && (s->g->epilogue->row_sum || s->g->epilogue->blocks.largest))
		s->slots = 1;		/* all copies write to the same account */
	s->lane = calloc(s->slots, sizeof *s->lane);
	if (!s->lane)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %u threads", s->slots);
	for (unsigned i = 0; i < s->slots && r == 0; i++)
		r = lane_init(&s->lane[i], s, err);
	parts.slots = s->slots;
	if (r == 0)
		r = ekka_team_run(o->team, &parts, err);
	for (unsigned i = 0; i < s->slots; i++)
		lane_release(&s->lane[i]);
	free(s->lane);
	return r;
}

int ekka_gemm_blocks(struct ekka_gemm *g, const struct ekka_gemm_options *o, struct ekka_tally *tally, struct ekka_error *err)
{
	struct blocks s = { .g = g, .tally = tally };
	int r;

	g->elsewhere = o->backend && g->has_product ? o->backend->gemm_begin(o->backend, g) : NULL;
	block_size(g, o, &s.rows, &s.cols);
	s.down = (g->m + s.rows - 1) / s.rows;
	s.across = (g->n + s.cols - 1) / s.cols;
	s.n = g->batch * s.down * s.across;
	s.per_part = (int64_t)fmin((double)s.n, fmax(1, PART_WORK / ((double)s.rows * (double)s.cols * (double)(g->has_product ? g->k : 1))));
	r = run(&s, o, err);
	if (g->elsewhere)
		o->backend->gemm_end(g->elsewhere);
	g->elsewhere = NULL;
	return r;
}
