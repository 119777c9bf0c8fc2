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

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/screen.h"
#include "compare/clones.h"
#include "replay/gemm_blocks.h"
#include "replay/gemm_exact.h"
#include "replay/signed_sum.h"
#include "replay/sum_product.h"
#include "replay/team.h"
#include "replay/tile_product.h"

enum {
	ROWS = 256,		/* of A and C at a time */
	DEPTH = 512,		/* of k at a time */
	PIECE = 512,		/* columns of B and C at a time: a multiple of every block width; the piece stays in the second-level cache */
	FEW = 16		/* suspicious rows of a block that are recomputed one by one */
};
enum { PACK = 16 * EKKA_TILE_K };	/* of k at a time */
static const int64_t GROUP_ELEMENTS = 1 << 20, MAX_GROUP = 512;	/* k x blocks, and blocks */

/* Guards b_sq: whoever is the first to need it fills it. */
struct squares { pthread_mutex_t lock; bool there; };

/* What all threads share, and what each has for itself: a thread's is a copy of the shared one with the fields below `memory` its own. */
struct screen {
	struct ekka_gemm *g;
	struct ekka_gemm_work *w;
	struct ekka_tally *tally;
	struct ekka_error *err;
	bool cx, direct, half;		/* direct: A is multiplied where it lies; half: A, B and C are 16-bit, the quick stage uses float */
	bool lined, tiles;		/* lined: B's sums are made as lines; tiles: A's product with them is made by tiles */
	bool quick;			/* which stage it is */
	int64_t width, group, blocks;	/* columns of a block, blocks of the largest group and of this one */
	double factor;
	double *sign;			/* of the group's columns */
	struct ekka_panel b_sum;	/* k x group, row-major: signed sums of B; when lined, once somebody needs them */
	double *b_sq;			/* k x group: sums of squares, once somebody needs them */
	struct squares *squares;
	int64_t ld;			/* direct: of lines */
	double *line;			/* direct: b_sum.re, a block a line; floats when half */
	uint16_t *packed;		/* tiles: the same once more */
	double *memory;
	struct ekka_gemm gemm;
	struct ekka_epilogue epilogue;
	struct ekka_gemm_work work;
	struct ekka_tally found;
	double *scratch;		/* squares for complex and of A, or EKKA_SUM_SCRATCH */
	struct ekka_panel load;		/* ROWS x PIECE, also DEPTH x PIECE and ROWS x DEPTH */
	double *want[2], *have[2], *c0[2], *product2, *out2, *ulp2, *c02;	/* ROWS x group */
	bool suspicious[ROWS];
	uint64_t n_suspicious;
};

bool ekka_gemm_screen_pays(const struct ekka_gemm *g)
{
	return g->has_product && g->m >= 64 && g->n >= 64 && g->k >= 64;
}

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
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

/* Adds the signed sums of the loaded piece, whose first column is `col` of the group, to rows of a result with `blocks` columns. */
static void add_piece(const struct screen *s, int64_t col, double *sum_re, double *sum_im, double *sq, double *ulp2)
{
	for (int64_t j = 0; j < s->load.cols; j += s->width) {
		int64_t at = (col + j) / s->width, n = min64(s->width, s->load.cols - j);

		ekka_signed_sum(&s->load, s->load.re, j, n, s->sign + col + j, sum_re + at, sq + at, ulp2 ? ulp2 + at : NULL, s->blocks);
		if (s->load.im)
			ekka_signed_sum(&s->load, s->load.im, j, n, s->sign + col + j, sum_im + at, sq + at,
					ulp2 ? ulp2 + at : NULL, s->blocks);
	}
}

static void zero(double *v, size_t n)
{
	if (v)
		memset(v, 0, n * sizeof *v);
}

/* The signed sums of rows [r0, r0+nr) of m in one pass over its memory; false when only panels can do it. */
static bool sum_directly(const struct screen *s, const struct ekka_matrix *m, int64_t b, int64_t r0, int64_t nr, int64_t j0, int64_t nj,
			 double *sum, double *sq, double *ulp2)
{
	struct ekka_sum_blocks blocks = { .cols = nj, .width = s->width, .sign = s->sign, .sum = sum, .sq = sq, .ulp2 = ulp2,
					  .stride = s->blocks };

	return ekka_signed_sums(m, b, r0, nr, j0, &blocks);
}

static int sum_b_by_panels(struct screen *s, int64_t b, int64_t k, int64_t nk, int64_t j0, int64_t nj)
{
	int64_t at = k * s->blocks;

	zero(s->b_sum.re + at, (size_t)(nk * s->blocks));
	zero(s->cx ? s->b_sum.im + at : NULL, (size_t)(nk * s->blocks));
	zero(s->b_sq + at, (size_t)(nk * s->blocks));
	for (int64_t j = 0; j < nj; j += PIECE) {
		int r = ekka_matrix_load(&s->g->b, b, k, nk, j0 + j, min64(PIECE, nj - j), &s->load, s->err);

		if (r < 0)
			return r;
		add_piece(s, j, s->b_sum.re + at, s->cx ? s->b_sum.im + at : NULL, s->b_sq + at, NULL);
	}
	return 0;
}

/* The sums of rows [k, k+nk), a block a line. */
static void turn_sums(const struct screen *s, int64_t k, int64_t nk)
{
	for (int64_t j = 0; j < s->blocks; j++) {
		const double *from = s->b_sum.re + k * s->blocks + j;
		double *d = s->line + j * s->ld + k;
		float *f = (float *)(void *)s->line + j * s->ld + k;

		for (int64_t i = 0; !s->half && i < nk; i++)
			d[i] = from[i * s->blocks];
		for (int64_t i = 0; s->half && i < nk; i++)
			f[i] = (float)from[i * s->blocks];
	}
}

/* The sums of rows [k, k+nk) of B, nk at most ROWS; of squares only where panels are needed anyway. */
static int sum_b(struct screen *s, int64_t b, int64_t k, int64_t nk, int64_t j0, int64_t nj)
{
	int64_t at = k * s->blocks;
	int r = 0;

	b = s->g->b.batch == 1 ? 0 : b;
	if (!sum_directly(s, &s->g->b, b, k, nk, j0, nj, s->b_sum.re + at, NULL, NULL))
		r = sum_b_by_panels(s, b, k, nk, j0, nj);
	if (r == 0 && s->direct)
		turn_sums(s, k, nk);
	return r;
}

/* What sum_b and sum_lines leave out. */
static void sum_squares_of_b(struct screen *s, int64_t b, int64_t j0, int64_t nj)
{
	pthread_mutex_lock(&s->squares->lock);
	for (int64_t k = 0; !s->squares->there && k < s->g->k; k += ROWS)
		if (!sum_directly(s, &s->g->b, s->g->b.batch == 1 ? 0 : b, k, min64(ROWS, s->g->k - k), j0, nj,
				  s->lined ? s->b_sum.re + k * s->blocks : s->scratch, s->b_sq + k * s->blocks, NULL))
			break;
	s->squares->there = true;
	pthread_mutex_unlock(&s->squares->lock);
}

/* |z|^2 in place of (|re| + |im|)^2: this is for typical sizes, not for bounds. */
EKKA_CLONES static void square(int64_t n, const double *restrict re, const double *restrict im, double *restrict out)
{
	if (im)
		for (int64_t e = 0; e < n; e++)
			out[e] = re[e] * re[e] + im[e] * im[e];
	else
		for (int64_t e = 0; e < n; e++)
			out[e] = re[e] * re[e];
}

/* The quick stage's product. */
static void want_rows_directly(struct screen *s, int64_t b, int64_t i0, int64_t ni)
{
	const int64_t item = s->g->a.batch == 1 ? 0 : b;
	struct ekka_sum_vectors v = { .d = s->half ? NULL : s->line, .f = s->half ? (float *)(void *)s->line : NULL, .n = s->blocks, .ld = s->ld };

	if (s->tiles)
		ekka_tile_product(&s->g->a, item, i0, ni, s->packed, s->blocks, s->want[0], s->blocks);
	else
		ekka_sum_product(&s->g->a, item, i0, ni, &v, s->scratch, s->want[0], s->blocks);
}

_Static_assert((int)ROWS <= (int)EKKA_SUM_ROWS, "rows at a time");

/* want = op(A) times B's signed sums and, if asked for, product2 = squares of A times sums of squares of B, for rows [i0, i0+ni). */
static int want_rows(struct screen *s, int64_t b, int64_t i0, int64_t ni, bool with_product2)
{
	struct ekka_panel sums = s->b_sum, squares, sq_sums = s->b_sum;

	for (int64_t k = 0; k < s->g->k; k += DEPTH) {
		int64_t nk = min64(DEPTH, s->g->k - k);
		int r = ekka_matrix_load(&s->g->a, s->g->a.batch == 1 ? 0 : b, i0, ni, k, nk, &s->load, s->err);

		if (r < 0)
			return r;
		sums.re = s->b_sum.re + k * s->blocks;
		sums.im = s->cx ? s->b_sum.im + k * s->blocks : NULL;
		sums.rows = sq_sums.rows = nk;
		sq_sums.re = s->b_sq + k * s->blocks;
		sq_sums.im = NULL;
		ekka_panel_multiply(&s->load, s->g->a.conj, &sums, s->g->b.conj, s->want[0], s->want[1]);
		if (!with_product2)
			continue;
		squares = s->load;
		squares.re = s->scratch;
		squares.im = NULL;
		square(ni * nk, s->load.re, s->load.im, s->scratch);
		ekka_panel_multiply(&squares, false, &sq_sums, false, s->product2, NULL);
	}
	return 0;
}

/* In the quick stage squares of powers of two, unless only panels can do it, stand for squares: they are never larger. */
static int sum_rows(struct screen *s, struct ekka_matrix *m, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj, double *sum_re,
		    double *sum_im, double *sq, double *ulp2)
{
	if (sum_directly(s, m, b, i0, ni, j0, nj, sum_re, s->quick ? NULL : sq, s->quick && !ulp2 ? sq : ulp2))
		return 0;
	for (int64_t j = 0; j < nj; j += PIECE) {
		int r = ekka_matrix_load(m, b, i0, ni, j0 + j, min64(PIECE, nj - j), &s->load, s->err);

		if (r < 0)
			return r;
		add_piece(s, j, sum_re, sum_im, sq, ulp2);
	}
	return 0;
}

static int have_rows(struct screen *s, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj)
{
	int r = sum_rows(s, &s->g->c, b, i0, ni, j0, nj, s->have[0], s->have[1], s->out2, s->ulp2);

	if (r == 0 && s->g->has_c0)
		r = sum_rows(s, &s->g->c0, b, i0, ni, j0, nj, s->c0[0], s->c0[1], s->c02, NULL);
	return r;
}

/* What an epilogue that is linear in the product does to a row: a factor, and the same number for every column of the block. */
struct affine { double factor, bias, signs; };

static struct affine affine_of(const struct screen *s, int64_t b, int64_t i, int64_t col, int64_t nj)
{
	const struct ekka_epilogue *e = s->g->epilogue;
	struct affine a = { 1, 0, 0 };

	if (!e)
		return a;
	a.factor = e->row_scale ? e->row_scale[i] : 1;
	a.bias = e->bias ? e->bias[b * e->bias_step + i] : 0;
	for (int64_t j = 0; e->bias && j < nj; j++)
		a.signs += s->sign[col + j];
	return a;
}

/* Is row i of item b right in the columns [col, col+nj) of the group, as far as the sums at `at` can tell. */
static bool looks_right(const struct screen *s, size_t at, int64_t b, int64_t i, int64_t col, int64_t nj)
{
	const struct ekka_gemm *g = s->g;
	struct affine a = affine_of(s, b, i, col, nj);
	double al = fabs(g->alpha[0]) + fabs(g->alpha[1]), be = fabs(g->beta[0]) + fabs(g->beta[1]), d[2], limit;
	double p[2] = { a.factor * s->want[0][at], s->cx ? a.factor * s->want[1][at] : 0 }, c0[2] = { s->c0[0][at], s->cx ? s->c0[1][at] : 0 };
	struct ekka_screen_sums sums = { .ulp2 = s->ulp2[at], .out2 = s->quick ? s->ulp2[at] : s->out2[at], .product2 = al * al * a.factor * a.factor * s->product2[at],
					 .c02 = be * be * s->c02[at] + (double)nj * a.bias * a.bias, .n = nj };

	d[0] = s->have[0][at] - a.bias * a.signs - (g->alpha[0] * p[0] - g->alpha[1] * p[1]);
	d[1] = s->cx ? s->have[1][at] - (g->alpha[0] * p[1] + g->alpha[1] * p[0]) : 0;
	if (g->has_c0) {
		d[0] -= g->beta[0] * c0[0] - g->beta[1] * c0[1];
		d[1] -= s->cx ? g->beta[0] * c0[1] + g->beta[1] * c0[0] : 0;
	}
	limit = ekka_screen_threshold(&g->model, &sums, s->factor);
	return isfinite(limit) && fabs(d[0]) <= limit && fabs(d[1]) <= limit;	/* not so when either is NaN */
}

enum defined { NONE, PARTLY, WHOLLY };

static enum defined how_defined(const struct ekka_gemm *g, int64_t i, int64_t j0, int64_t nj)
{
	bool first = ekka_gemm_defines(g, i, j0), last = ekka_gemm_defines(g, i, j0 + nj - 1);

	return first && last && !(g->hermitian && i >= j0 && i < j0 + nj) ? WHOLLY : first || last ? PARTLY : NONE;
}

/* Recomputes the suspicious rows of one block; when they are many, everything between the first and the last. */
static int recompute(struct screen *s, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj)
{
	int64_t first = -1, last = -1, n = 0;
	int r = 0;

	for (int64_t i = 0; i < ni; i++)
		if (s->suspicious[i]) {
			first = first < 0 ? i : first;
			last = i;
			n++;
		}
	if (n > FEW)
		return ekka_gemm_exact(s->g, s->w, b, i0 + first, last - first + 1, j0, nj, s->tally, s->err);
	for (int64_t i = first; n && i <= last && r == 0; i++)
		if (s->suspicious[i])
			r = ekka_gemm_exact(s->g, s->w, b, i0 + i, 1, j0, nj, s->tally, s->err);
	return r;
}

/* Does anything that the screen can judge look wrong. */
static bool any_wrong(const struct screen *s, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj)
{
	for (int64_t i = 0; i < ni; i++)
		for (int64_t j = 0; j < nj; j += s->width) {
			int64_t n = min64(s->width, nj - j);

			if (how_defined(s->g, i0 + i, j0 + j, n) == WHOLLY && !looks_right(s, (size_t)(i * s->blocks + j / s->width), b, i0 + i, j, n))
				return true;
		}
	return false;
}

/* Nothing but alpha A B + beta C0 of real numbers, all of it. */
static bool is_plain(const struct ekka_gemm *g)
{
	return !ekka_dtype_is_complex(g->model.out) && g->model.kind != EKKA_BOUND_INTEGER && !g->epilogue && !g->uplo && !g->hermitian;
}

/* How many of n blocks that start at `at` do not look right: looks_right() for what is plain, in the quick stage. */
EKKA_CLONES static int64_t wrong_blocks(const struct screen *s, const struct ekka_screen_terms *t, size_t at, int64_t n)
{
	const double *restrict want = s->want[0] + at, *restrict have = s->have[0] + at, *restrict c0 = s->c0[0] + at, *restrict ulp2 = s->ulp2 + at, *restrict c02 = s->c02 + at;
	const double alpha = s->g->alpha[0], beta = s->g->has_c0 ? s->g->beta[0] : 0, f2 = s->factor * s->factor, tiny = t->tiny, of_ulp2 = t->ulp2 + t->rest,
		     of_c02 = beta * beta * t->rest;
	int64_t wrong = 0;

	for (int64_t j = 0; j < n; j++) {
		double d = fabs(have[j] - alpha * want[j] - beta * c0[j]) - tiny, limit2 = f2 * (of_ulp2 * ulp2[j] + of_c02 * c02[j]);

		wrong += !((d <= 0 || d * d <= limit2) && limit2 <= DBL_MAX);	/* also when something is NaN */
	}
	return wrong;
}

static bool any_wrong_quickly(const struct screen *s, int64_t ni, int64_t nj)
{
	const int64_t full = nj / s->width;
	const struct ekka_screen_terms whole = ekka_screen_terms(&s->g->model, s->width), last = ekka_screen_terms(&s->g->model, nj % s->width);
	int64_t wrong = 0;

	for (int64_t i = 0; i < ni && !wrong; i++) {
		wrong = wrong_blocks(s, &whole, (size_t)(i * s->blocks), full);
		if (full < s->blocks)
			wrong += wrong_blocks(s, &last, (size_t)(i * s->blocks + full), 1);
	}
	return wrong;
}

static int check_rows(struct screen *s, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj)
{
	int r = 0;

	for (int64_t j = 0; j < nj && r == 0; j += s->width) {
		int64_t n = min64(s->width, nj - j);

		for (int64_t i = 0; i < ni; i++) {
			enum defined d = how_defined(s->g, i0 + i, j0 + j, n);

			s->suspicious[i] = d == PARTLY ||
					   (d == WHOLLY && !looks_right(s, (size_t)(i * s->blocks + j / s->width), b, i0 + i, j, n));
			s->n_suspicious += s->suspicious[i] && d == WHOLLY;
		}
		r = recompute(s, b, i0, ni, j0 + j, n);
	}
	return r;
}

/* All that is added to or may be read without having been set. */
static void clear_cells(struct screen *s)
{
	double *const cells[] = { s->want[0], s->want[1], s->have[0], s->have[1], s->c0[0], s->c0[1], s->product2, s->out2, s->ulp2, s->c02 };

	for (size_t c = 0; c < sizeof cells / sizeof cells[0]; c++)
		zero(cells[c], (size_t)(ROWS * s->blocks));
}

static int screen_rows(struct screen *s, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj)
{
	const bool plain = is_plain(s->g);
	int r = 0;

	s->quick = true;
	clear_cells(s);
	if (s->direct)
		want_rows_directly(s, b, i0, ni);
	else
		r = want_rows(s, b, i0, ni, false);
	if (r == 0)
		r = have_rows(s, b, i0, ni, j0, nj);
	if (r == 0 && plain && !any_wrong_quickly(s, ni, nj))
		return 0;
	if (r == 0 && (plain || any_wrong(s, b, i0, ni, j0, nj))) {
		s->quick = false;
		clear_cells(s);
		sum_squares_of_b(s, b, j0, nj);
		r = want_rows(s, b, i0, ni, true);
		if (r == 0)
			r = have_rows(s, b, i0, ni, j0, nj);
	}
	return r < 0 ? r : check_rows(s, b, i0, ni, j0, nj);
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

	return sum_b(lane_for(x, slot, err), x->b, k, min64(ROWS, x->shared->g->k - k), x->j0, x->nj);
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
	return screen_rows(s, x->b, i, min64(ROWS, s->g->m - i), x->j0, x->nj);
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
