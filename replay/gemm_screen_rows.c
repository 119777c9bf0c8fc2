/* SPDX-License-Identifier: Apache-2.0 */
/* The screen's judgement of rows: the quick stage, the careful one, and what is recomputed. */
#include "replay/gemm_screen_internal.h"

#include <float.h>
#include <math.h>

#include "compare/clones.h"
#include "compare/screen.h"

enum { FEW = 16 };	/* suspicious rows of a block that are recomputed one by one */

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

int ekka_screen_rows(struct screen *s, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj)
{
	const bool plain = is_plain(s->g);
	int r = 0;

	s->quick = true;
	clear_cells(s);
	if (s->direct)
		ekka_screen_want_directly(s, b, i0, ni);
	else
		r = ekka_screen_want(s, b, i0, ni, false);
	if (r == 0)
		r = ekka_screen_have(s, b, i0, ni, j0, nj);
	if (r == 0 && plain && !any_wrong_quickly(s, ni, nj))
		return 0;
	if (r == 0 && (plain || any_wrong(s, b, i0, ni, j0, nj))) {
		s->quick = false;
		clear_cells(s);
		ekka_screen_square_b(s, b, j0, nj);
		r = ekka_screen_want(s, b, i0, ni, true);
		if (r == 0)
			r = ekka_screen_have(s, b, i0, ni, j0, nj);
	}
	return r < 0 ? r : check_rows(s, b, i0, ni, j0, nj);
}
