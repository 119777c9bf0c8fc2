/* SPDX-License-Identifier: Apache-2.0 */
/* The screen's sums: of B's, C's and C0's rows with random signs, and A's product with B's. */
#include "replay/gemm_screen_internal.h"

#include "compare/clones.h"
#include "replay/signed_sum.h"
#include "replay/sum_product.h"
#include "replay/tile_product.h"

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
int ekka_screen_sum_b(struct screen *s, int64_t b, int64_t k, int64_t nk, int64_t j0, int64_t nj)
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
void ekka_screen_square_b(struct screen *s, int64_t b, int64_t j0, int64_t nj)
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
void ekka_screen_want_directly(struct screen *s, int64_t b, int64_t i0, int64_t ni)
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
int ekka_screen_want(struct screen *s, int64_t b, int64_t i0, int64_t ni, bool with_product2)
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

int ekka_screen_have(struct screen *s, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj)
{
	int r = sum_rows(s, &s->g->c, b, i0, ni, j0, nj, s->have[0], s->have[1], s->out2, s->ulp2);

	if (r == 0 && s->g->has_c0)
		r = sum_rows(s, &s->g->c0, b, i0, ni, j0, nj, s->c0[0], s->c0[1], s->c02, NULL);
	return r;
}
