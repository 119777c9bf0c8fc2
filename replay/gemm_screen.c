/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an epilogue adds to a row or multiplies it by is known exactly and taken into the sums: a bias b_i is b_i times the block's sum of signs, its
 * rounding that of one more addend like C0.
 *
 * Columns are taken in groups of blocks. For a group, B's signed sums (k x blocks) are formed once; then rows are taken
 * 256 at a time: A times those sums against the signed sums of C. Memory is that of one group, whatever the sizes. Both steps are
 * split over the team's threads by rows, of B and of A and C.
 *
 * Two stages, since the threshold's product term costs as much as all the rest. The quick one leaves the term out and takes squared powers of two for squares, which
 * makes the threshold smaller, does 16-bit operands in float or by tiles, and takes each operand straight from memory: what passes there passes. Only when some row does
 * not, the careful stage does it again with the whole threshold and in double.
 *
 * What the quick stage's own error y lets pass that the careful one would not: a row passes with |d| <= x + y, x = T without the product term, instead of |d| <= root(x^2 + t^2), t the
 * product term, which for 16-bit operands is at least 2^-23 sqrt(k) * factor (some 7) times the root of its sum. With y = t / f that is never more than root(1 + 1 / f^2) times as
 * much (Cauchy). Relative to the same root float's error is about 2^-25 sqrt(k / 2), f = 40: never 0.1 % more. Tiles' (tile_product.h) is about 2^-18.5 for bf16 and 2^-17.5 for
 * f16: never 8 % and 29 % more at k = 64, 1.1 % and 4 % from k = 512, 0.3 % and 1 % from k = 2048; and where the product does not cancel, so that x, 2^-8 and 2^-11 of that root or
 * more, is far larger than y, less than 2 % at any k.
 */
#include "replay/gemm_screen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/screen.h"
#include "replay/gemm_screen_internal.h"
#include "replay/signed_sum.h"
#include "replay/sum_product.h"
#include "replay/team.h"
#include "replay/tile_product.h"

enum { PACK = 16 * EKKA_TILE_K };	/* of k at a time */
static const int64_t GROUP_ELEMENTS = 1 << 20, MAX_GROUP = 512;	/* k x blocks, and blocks */

bool ekka_gemm_screen_pays(const struct ekka_gemm *g)
{
	return g->has_product && g->m >= 64 && g->n >= 64 && g->k >= 64;
}

struct part { double **at; size_t n; };

/* One allocation for all parts, each aligned for vectors. */
static int allot(struct screen *s, const struct part *part, size_t n)
{
	const size_t align = 64 / sizeof *s->memory;
	size_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += (part[i].n + align - 1) / align * align;
	s->memory = aligned_alloc(64, total * sizeof *s->memory);
	if (!s->memory)
		return ekka_error_set(s->err, EKKA_ERR_NOMEM, "no memory for the screen");
	total = 0;
	for (size_t i = 0; i < n; i++) {
		*part[i].at = part[i].n ? s->memory + total : NULL;
		total += (part[i].n + align - 1) / align * align;
	}
	return 0;
}

static int init(struct screen *s)
{
	const enum ekka_dtype a = s->g->a.dtype, b = s->g->b.dtype, c = s->g->c.dtype;
	int64_t k = s->g->k, blocks = (s->g->n + s->width - 1) / s->width;
	size_t bsum, lines;
	double *packed = NULL;
	int r;

	s->direct = !s->cx && ekka_sum_product_can(&s->g->a);
	s->half = s->direct && ekka_dtype_bytes(a) == 2 && a == b && (c == EKKA_F16 || c == EKKA_BF16);
	s->lined = s->direct && ekka_signed_line_can(&s->g->b) && (s->half || ekka_dtype_bytes(b) > 2);
	s->tiles = s->half && ekka_tile_product_can(&s->g->a) && ekka_tiles_there();
	s->group = min64(min64(blocks, MAX_GROUP), GROUP_ELEMENTS / k > 4 ? GROUP_ELEMENTS / k : 4);
	bsum = (size_t)(k * s->group);
	s->ld = (k + EKKA_SUM_ALIGN - 1) / EKKA_SUM_ALIGN * EKKA_SUM_ALIGN;
	lines = s->direct ? (size_t)((s->group + EKKA_SUM_VECTORS - 1) / EKKA_SUM_VECTORS * EKKA_SUM_VECTORS * s->ld) : 0;
	const struct part part[] = { { &s->sign, (size_t)(s->group * s->width) }, { &s->b_sum.re, bsum }, { &s->b_sum.im, s->cx ? bsum : 0 },
				     { &s->b_sq, bsum }, { &s->line, s->half ? (lines + 1) / 2 : lines },
				     { &packed, s->tiles ? ekka_tiles_size(s->group, k) / (sizeof(double) / sizeof(uint16_t)) : 0 } };

	r = allot(s, part, sizeof part / sizeof part[0]);
	s->packed = (uint16_t *)(void *)packed;
	if (r == 0 && s->direct)
		memset(s->line, 0, lines * (s->half ? sizeof(float) : sizeof(double)));
	return r;
}

/* A thread's own. */
static int init_lane(struct screen *s, const struct screen *shared)
{
	size_t cell = (size_t)(ROWS * shared->group), load = (size_t)ROWS * PIECE;
	int r;

	*s = *shared;
	s->memory = NULL;
	s->g = &s->gemm;
	s->w = &s->work;
	s->tally = &s->found;
	s->gemm = ekka_gemm_copy(shared->g, &s->epilogue);
	const struct part part[] = {
		/* also: sums of ROWS rows of B */
		{ &s->scratch, load > EKKA_SUM_SCRATCH / sizeof(double) ? load : EKKA_SUM_SCRATCH / sizeof(double) }, { &s->load.re, load }, { &s->load.im, s->cx ? load : 0 },
		{ &s->want[0], cell }, { &s->want[1], s->cx ? cell : 0 }, { &s->have[0], cell }, { &s->have[1], s->cx ? cell : 0 },
		{ &s->c0[0], cell }, { &s->c0[1], s->cx ? cell : 0 }, { &s->product2, cell }, { &s->out2, cell }, { &s->ulp2, cell },
		{ &s->c02, cell },
	};

	r = allot(s, part, sizeof part / sizeof part[0]);
	if (r == 0)
		r = ekka_tally_init(&s->found, shared->tally->model, s->g->batch, s->g->m, s->g->n, s->err);
	if (r == 0)
		r = ekka_gemm_work_init(&s->work, s->g, min64(ROWS, s->g->m), s->width, s->err);
	return r;
}

static void release_lane(struct screen *s)
{
	free(s->memory);
	ekka_tally_release(&s->found);
	ekka_gemm_work_release(&s->work);
	ekka_gemm_copy_release(&s->gemm);
}

/* A group of column blocks of one batch item, on all threads. */
struct group {
	struct screen *shared, *lane;
	struct ekka_team *team;
	struct ekka_parts parts;
	int64_t b, j0, nj;
};

static struct screen *lane_for(const struct group *x, unsigned slot, struct ekka_error *err)
{
	struct screen *s = &x->lane[slot];

	s->err = err;
	s->blocks = x->shared->blocks;
	s->b_sum = x->shared->b_sum;
	return s;
}

static int sum_part(void *arg, int64_t part, unsigned slot, struct ekka_error *err)
{
	const struct group *x = arg;
	int64_t k = part * ROWS;

	return ekka_screen_sum_b(lane_for(x, slot, err), x->b, k, min64(ROWS, x->shared->g->k - k), x->j0, x->nj);
}

static int line_part(void *arg, int64_t part, unsigned slot, struct ekka_error *err)
{
	const struct group *x = arg;
	const struct screen *s = x->shared;
	const int64_t j = part * s->width;

	(void)slot;
	(void)err;
	ekka_signed_line(&s->g->b, s->g->b.batch == 1 ? 0 : x->b, x->j0 + j, min64(s->width, x->nj - j), s->sign + j,
			 s->half ? (void *)((float *)(void *)s->line + part * s->ld) : s->line + part * s->ld);
	return 0;
}

static int pack_part(void *arg, int64_t part, unsigned slot, struct ekka_error *err)
{
	const struct group *x = arg;
	const struct screen *s = x->shared;
	const int64_t k = part * PACK;

	(void)slot;
	(void)err;
	ekka_tiles_pack((const float *)(const void *)s->line, s->ld, s->blocks, k, min64(PACK, s->g->k - k), s->packed);
	return 0;
}

static int screen_part(void *arg, int64_t part, unsigned slot, struct ekka_error *err)
{
	const struct group *x = arg;
	struct screen *s = lane_for(x, slot, err);
	int64_t i = part * ROWS;

	s->n_suspicious = 0;
	ekka_tally_clear(&s->found);
	return ekka_screen_rows(s, x->b, i, min64(ROWS, s->g->m - i), x->j0, x->nj);
}

static int take_part(void *arg, int64_t part, unsigned slot, struct ekka_error *err)
{
	const struct group *x = arg;

	(void)part;
	(void)err;
	ekka_tally_merge(x->shared->tally, &x->lane[slot].found);
	x->shared->n_suspicious += x->lane[slot].n_suspicious;
	return 0;
}

static int screen_group(struct group *x)
{
	struct screen *s = x->shared;
	int r;

	s->blocks = (x->nj + s->width - 1) / s->width;
	s->squares->there = false;
	s->b_sum.rows = s->g->k;
	s->b_sum.cols = s->b_sum.rs = s->blocks;
	s->b_sum.cs = 1;
	ekka_signs((uint64_t)(x->b * s->g->n + x->j0) + 1, x->nj, s->sign);
	x->parts.take = NULL;
	x->parts.n = s->lined ? s->blocks : (s->g->k + ROWS - 1) / ROWS;
	x->parts.compute = s->lined ? line_part : sum_part;
	r = ekka_team_run(x->team, &x->parts, s->err);
	if (r == 0 && s->tiles) {
		x->parts.n = (s->g->k + PACK - 1) / PACK;
		x->parts.compute = pack_part;
		r = ekka_team_run(x->team, &x->parts, s->err);
	}
	if (r < 0)
		return r;
	x->parts.n = (s->g->m + ROWS - 1) / ROWS;
	x->parts.compute = screen_part;
	x->parts.take = take_part;
	return ekka_team_run(x->team, &x->parts, s->err);
}

static int screen_all(struct screen *s, const struct ekka_gemm_options *o)
{
	struct squares squares = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct group x = { .shared = s, .team = o->team };
	int64_t parts = ((s->g->m > s->g->k ? s->g->m : s->g->k) + ROWS - 1) / ROWS;
	uint64_t bytes = ekka_gemm_work_bytes(s->g, min64(ROWS, s->g->m), s->width) +
			 (uint64_t)ROWS * (3 * PIECE + 11 * (uint64_t)s->group) * sizeof(double);
	int r = 0;

	s->squares = &squares;
	x.parts = (struct ekka_parts){ .slots = ekka_team_slots(o->team, parts, bytes, o->memory_bytes), .arg = &x };
	x.lane = calloc(x.parts.slots, sizeof *x.lane);
	if (!x.lane)
		return ekka_error_set(s->err, EKKA_ERR_NOMEM, "no memory for the screen");
	for (unsigned i = 0; i < x.parts.slots && r == 0; i++)
		r = init_lane(&x.lane[i], s);
	for (x.b = 0; x.b < s->g->batch && r == 0; x.b++)
		for (x.j0 = 0; x.j0 < s->g->n && r == 0; x.j0 += s->group * s->width) {
			x.nj = min64(s->group * s->width, s->g->n - x.j0);
			r = screen_group(&x);
		}
	for (unsigned i = 0; i < x.parts.slots; i++)
		release_lane(&x.lane[i]);
	free(x.lane);
	return r;
}

int ekka_gemm_screen(struct ekka_gemm *g, const struct ekka_gemm_options *o, struct ekka_tally *tally, uint64_t *ret_rows,
		     struct ekka_error *err)
{
	struct screen s = { .g = g, .tally = tally, .err = err, .cx = ekka_dtype_is_complex(g->model.out),
			    .width = ekka_screen_width(&g->model) };
	double tests = (double)g->batch * (double)g->m * ceil((double)g->n / (double)s.width) * (s.cx ? 2 : 1);
	int r = init(&s);

	s.factor = ekka_screen_factor(tests, o->delta > 0 ? o->delta : 1e-6);
	if (r == 0)
		r = screen_all(&s, o);
	free(s.memory);
	*ret_rows = s.n_suspicious;
	return r;
}
