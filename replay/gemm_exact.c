/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/gemm_exact.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/backend.h"
#include "compare/clones.h"
#include "replay/gemm_thin.h"

enum { GROUPS = EKKA_BOUND_CHUNK / EKKA_BOUND_GROUP };

int ekka_gemm_work_init(struct ekka_gemm_work *w, const struct ekka_gemm *g, int64_t rows, int64_t cols, struct ekka_error *err)
{
	bool cx = ekka_dtype_is_complex(g->model.out);
	size_t block = (size_t)(rows * cols), sa = (size_t)rows * EKKA_BOUND_CHUNK, sb = (size_t)cols * EKKA_BOUND_CHUNK;
	struct { double **at; size_t n; } part[] = {
		{ &w->a.re, sa }, { &w->a.im, cx ? sa : 0 }, { &w->b.re, sb }, { &w->b.im, cx ? sb : 0 },
		{ &w->c.re, block }, { &w->c.im, cx ? block : 0 }, { &w->c0.re, block }, { &w->c0.im, cx ? block : 0 },
		{ &w->a_abs, sa }, { &w->b_abs, sb }, { &w->b_row, g->model.twofold ? sb * (cx ? 2 : 1) : 0 },
		{ &w->a_pow, (size_t)rows * GROUPS }, { &w->b_pow, (size_t)cols * GROUPS },
		{ &w->a_max, (size_t)rows }, { &w->b_max, (size_t)cols },
		{ &w->ref[0], block }, { &w->ref[1], cx ? block : 0 },
		{ &w->lo[0], g->model.twofold ? block : 0 }, { &w->lo[1], g->model.twofold && cx ? block : 0 },
		{ &w->part[0], block }, { &w->part[1], cx ? block : 0 }, { &w->part_abs, block },
		{ &w->abs, block }, { &w->prefix, block }, { &w->chunk, block }, { &w->variation, block }, { &w->group, block },
	};
	size_t total = 0;

	*w = (struct ekka_gemm_work){ .rows = rows, .cols = cols };
	for (size_t i = 0; i < sizeof part / sizeof part[0]; i++)
		total += part[i].n;
	w->memory = malloc(total * sizeof *w->memory);
	if (!w->memory)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for blocks of %lld x %lld elements", (long long)rows,
				      (long long)cols);
	total = 0;
	for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
		*part[i].at = part[i].n ? w->memory + total : NULL;
		total += part[i].n;
	}
	return 0;
}

/* All planes, as if every kind of them were needed. */
uint64_t ekka_gemm_work_bytes(const struct ekka_gemm *g, int64_t rows, int64_t cols)
{
	uint64_t times = (uint64_t)(ekka_dtype_is_complex(g->model.out) ? 2 : 1) * (g->model.twofold ? 2 : 1);

	return ((uint64_t)(rows * cols) * (7 + 5 * times) + (uint64_t)(rows + cols) * EKKA_BOUND_CHUNK * 3 * times) * sizeof(double);
}

void ekka_gemm_work_release(struct ekka_gemm_work *w)
{
	free(w->memory);
	w->memory = NULL;
}

/* Largest magnitude and, per group of k, largest power of two not above it, of every line of |operand|. `k_step` is its stride along k. */
static void line_extremes(const double *abs, int64_t lines, int64_t line_step, int64_t nk, int64_t k_step, double *max, double *pow2)
{
	for (int64_t l = 0; l < lines; l++) {
		for (int64_t g = 0; g < GROUPS; g++) {
			int64_t end = (g + 1) * EKKA_BOUND_GROUP < nk ? (g + 1) * EKKA_BOUND_GROUP : nk;
			double most = 0;

			for (int64_t k = g * EKKA_BOUND_GROUP; k < end; k++)
				most = fmax(most, abs[l * line_step + k * k_step]);
			max[l] = fmax(max[l], most);
			pow2[l * GROUPS + g] = most > 0 && isfinite(most) ? ldexp(1, ilogb(most)) : 0;
		}
	}
}

/* Adds one chunk of k to the sums that bounds need. */
EKKA_CLONES static void add_chunk(int64_t n, const double *restrict part_re, const double *restrict part_im,
				  const double *restrict part_abs, double *restrict ref_re, double *restrict ref_im,
				  double *restrict abs, double *restrict chunk, double *restrict variation, double *restrict prefix)
{
	for (int64_t e = 0; e < n; e++) {
		double v = fabs(part_re[e]), p;

		ref_re[e] += part_re[e];
		p = fabs(ref_re[e]);
		if (part_im) {
			v += fabs(part_im[e]);
			ref_im[e] += part_im[e];
			p += fabs(ref_im[e]);
		}
		abs[e] += part_abs[e];
		chunk[e] = part_abs[e] > chunk[e] ? part_abs[e] : chunk[e];
		variation[e] += v;
		prefix[e] = p > prefix[e] ? p : prefix[e];
	}
}

/* With a twofold reference the product went into ref directly. */
EKKA_CLONES static void add_chunk_twofold(int64_t n, const double *restrict part_abs, const double *restrict ref_re,
					  const double *restrict ref_im, double *restrict abs, double *restrict chunk,
					  double *restrict prefix)
{
	for (int64_t e = 0; e < n; e++) {
		double p = fabs(ref_re[e]) + (ref_im ? fabs(ref_im[e]) : 0);

		abs[e] += part_abs[e];
		chunk[e] = part_abs[e] > chunk[e] ? part_abs[e] : chunk[e];
		prefix[e] = p > prefix[e] ? p : prefix[e];
	}
}

/* b as a row-major panel in w->b_row. */
static struct ekka_panel row_major(const struct ekka_gemm_work *w, const struct ekka_panel *b)
{
	struct ekka_panel r = { .re = w->b_row, .rows = b->rows, .cols = b->cols, .rs = b->cols, .cs = 1 };

	if (b->cs == 1)
		return *b;
	if (b->im)
		r.im = w->b_row + w->cols * EKKA_BOUND_CHUNK;
	for (int64_t k = 0; k < b->rows; k++)
		for (int64_t j = 0; j < b->cols; j++) {
			r.re[k * r.rs + j] = b->re[k * b->rs + j * b->cs];
			if (b->im)
				r.im[k * r.rs + j] = b->im[k * b->rs + j * b->cs];
		}
	return r;
}

static void multiply_chunk(const struct ekka_gemm *g, struct ekka_gemm_work *w)
{
	size_t bytes = (size_t)(w->a.rows * w->b.cols) * sizeof *w->part[0];
	struct ekka_panel a_abs = w->a, b_abs = w->b;

	ekka_panel_abs(&w->a, w->a_abs);
	ekka_panel_abs(&w->b, w->b_abs);
	a_abs.re = w->a_abs;
	b_abs.re = w->b_abs;
	a_abs.im = b_abs.im = NULL;
	memset(w->part_abs, 0, bytes);
	ekka_panel_multiply(&a_abs, false, &b_abs, false, w->part_abs, NULL);
	if (g->model.twofold) {
		struct ekka_panel b = row_major(w, &w->b);
		struct ekka_twofold acc = { w->ref[0], w->lo[0], w->ref[1], w->lo[1] };

		ekka_panel_multiply_twofold(&w->a, g->a.conj, &b, g->b.conj, &acc);
		add_chunk_twofold(w->a.rows * w->b.cols, w->part_abs, w->ref[0], w->ref[1], w->abs, w->chunk, w->prefix);
		return;
	}
	memset(w->part[0], 0, bytes);
	if (w->part[1])
		memset(w->part[1], 0, bytes);
	ekka_panel_multiply(&w->a, g->a.conj, &w->b, g->b.conj, w->part[0], w->part[1]);
	add_chunk(w->a.rows * w->b.cols, w->part[0], w->part[1], w->part_abs, w->ref[0], w->ref[1], w->abs, w->chunk, w->variation,
		  w->prefix);
}

static int product(struct ekka_gemm *g, struct ekka_gemm_work *w, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj,
		   struct ekka_error *err)
{
	for (int64_t k0 = 0; k0 < g->k; k0 += EKKA_BOUND_CHUNK) {
		int64_t nk = g->k - k0 < EKKA_BOUND_CHUNK ? g->k - k0 : EKKA_BOUND_CHUNK;
		int r = ekka_matrix_load(&g->a, g->a.batch == 1 ? 0 : b, i0, ni, k0, nk, &w->a, err);

		if (r == 0)
			r = ekka_matrix_load(&g->b, g->b.batch == 1 ? 0 : b, k0, nk, j0, nj, &w->b, err);
		if (r < 0)
			return r;
		multiply_chunk(g, w);
		line_extremes(w->a_abs, ni, w->a.rs, nk, w->a.cs, w->a_max, w->a_pow);
		line_extremes(w->b_abs, nj, w->b.cs, nk, w->b.rs, w->b_max, w->b_pow);
		if (g->model.kind == EKKA_BOUND_TENSOR_CORE)
			cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)ni, (int)nj, GROUPS, 1, w->a_pow, GROUPS, w->b_pow,
				    GROUPS, 1, w->group, (int)nj);
	}
	return 0;
}

static long double magnitude(const long double v[2])
{
	return fabsl(v[0]) + fabsl(v[1]);
}

/* x * y for complex numbers, in which a zero imaginary part does not turn an infinity into NaN. */
static void times(const double x[2], const long double y[2], long double ret[2])
{
	ret[0] = x[0] * y[0];
	ret[1] = x[0] * y[1];
	if (x[1] != 0) {
		ret[0] -= x[1] * y[1];
		ret[1] += x[1] * y[0];
	}
}

/* Reference and bound of the element at (i, j) of the block. */
static void evaluate(const struct ekka_gemm *g, const struct ekka_gemm_work *w, int64_t i, int64_t j, struct ekka_element *e)
{
	int64_t at = i * w->b.cols + j, at_c = i * w->c.rs + j * w->c.cs, at_c0 = i * w->c0.rs + j * w->c0.cs;
	bool cx = w->ref[1], real_diagonal = g->hermitian && e->i == e->j;
	struct ekka_bound_sums sums = { w->abs[at], w->prefix[at], w->chunk[at], w->variation[at], w->group[at],
					w->a_max[i] + w->b_max[j] };
	long double p[2] = { w->ref[0][at], cx ? w->ref[1][at] : 0 }, c0[2] = { 0, 0 }, ap[2], bc[2] = { 0, 0 }, ref[2];
	double factor = g->epilogue ? ekka_epilogue_factor(g->epilogue, e->i, e->j) : 1;
	double alpha = (fabs(g->alpha[0]) + fabs(g->alpha[1])) * fabs(factor), size_p, size_c0, size;
	bool anything = false, saturates;

	if (w->lo[0] && isfinite(w->ref[0][at]))
		p[0] += w->lo[0][at];
	if (w->lo[1] && isfinite(w->ref[1][at]))
		p[1] += w->lo[1][at];
	times(g->alpha, p, ap);
	ap[0] *= factor;
	ap[1] *= factor;
	if (!g->has_product)
		ap[0] = ap[1] = 0;
	if (g->has_c0) {
		c0[0] = w->c0.re[at_c0];
		c0[1] = cx && !real_diagonal ? w->c0.im[at_c0] : 0;
		times(g->beta, c0, bc);
	}
	ref[0] = ap[0] + bc[0];
	ref[1] = real_diagonal ? 0 : ap[1] + bc[1];
	size_p = (double)magnitude(p);
	size_c0 = (double)magnitude(bc);
	size = (double)magnitude(ref);
	e->out[0] = w->c.re[at_c];
	e->out[1] = cx ? w->c.im[at_c] : 0;
	e->bound = ekka_bound_before(&g->model, &sums, alpha, size_p, size_c0);
	e->unusual = ekka_bound_before_unusual(&g->model, &sums, alpha, size_p, size_c0);
	if (g->epilogue) {
		anything = ekka_epilogue_apply(g->epilogue, &g->model, (const int64_t[]){ e->b, e->i, e->j }, &ref[0], &e->bound,
					       &e->unusual);
		size = (double)magnitude(ref);
	} else {
		e->bound = ekka_bound_rounded(&g->model, e->bound, size);
		e->unusual = ekka_bound_rounded(&g->model, e->unusual, size);
	}
	/* Infinite operands explain the reference's infinities themselves; where the output saturates, it is no reason for any. */
	saturates = g->epilogue && g->epilogue->saturates;
	e->may_overflow = anything || (isfinite(sums.largest) &&
				       ekka_bound_may_overflow(&g->model, &sums, alpha, size_c0, saturates ? 0 : size,
							       saturates ? 0 : e->bound));
	for (int c = 0; c < 2; c++) {
		e->ref[c] = (double)ref[c];
		if (g->model.twofold && isfinite(e->out[c]) && isfinite(e->ref[c]))
			e->residue[c] = (double)(ref[c] - e->ref[c]);
	}
	e->trivial = fmax(fabs(e->out[0] - e->ref[0]), fabs(e->out[1] - e->ref[1])) <=
		     g->model.u_out * size + g->model.tiny_out + g->model.own * alpha * sums.abs;
}

/*
 * Root mean square of what this block's elements should be, as far as they are finite. A lone result that cancels is no measure of what a
 * fault would do to it; a part of its products is: S / sqrt(K) <= sqrt(sum of (a_k b_k)^2), by Cauchy and Schwarz.
 */
static double typical(const struct ekka_gemm *g, const struct ekka_gemm_work *w, int64_t n)
{
	double alpha = fabs(g->alpha[0]) + fabs(g->alpha[1]), sum = 0, root_k = sqrt(fmax(1, (double)g->k));
	int64_t count = 0;

	for (int64_t e = 0; e < n; e++) {
		double v = alpha * fmax(fabs(w->ref[0][e]) + (w->ref[1] ? fabs(w->ref[1][e]) : 0), w->abs[e] / root_k);

		if (isfinite(v * v)) {
			sum += v * v;
			count++;
		}
	}
	return count ? sqrt(sum / (double)count) * (g->epilogue ? fabs(g->epilogue->scale) : 1) : 0;
}

static void clear(struct ekka_gemm_work *w, int64_t ni, int64_t nj)
{
	size_t bytes = (size_t)(ni * nj) * sizeof(double);
	double *const all[] = { w->ref[0], w->ref[1], w->lo[0], w->lo[1], w->abs, w->prefix, w->chunk, w->variation, w->group };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (all[i])
			memset(all[i], 0, bytes);
	memset(w->a_max, 0, (size_t)ni * sizeof(double));
	memset(w->b_max, 0, (size_t)nj * sizeof(double));
	w->a.rows = ni;
	w->b.cols = nj;
}

/* Elsewhere if possible; what fails there is done here. */
static int sums(struct ekka_gemm *g, struct ekka_gemm_work *w, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj,
		struct ekka_error *err)
{
	if (g->elsewhere) {
		if (g->elsewhere->sums(g->elsewhere, w, b, i0, ni, j0, nj))
			return 0;
		clear(w, ni, nj);
	}
	if (ekka_gemm_thin_can(g, ni, nj))
		return ekka_gemm_thin(g, w, b, i0, ni, j0, nj, err);
	return product(g, w, b, i0, ni, j0, nj, err);
}

int ekka_gemm_exact(struct ekka_gemm *g, struct ekka_gemm_work *w, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj,
		    struct ekka_tally *tally, struct ekka_error *err)
{
	int r = ekka_matrix_load(&g->c, b, i0, ni, j0, nj, &w->c, err);
	double usual;

	clear(w, ni, nj);
	if (r == 0 && g->has_c0)
		r = ekka_matrix_load(&g->c0, b, i0, ni, j0, nj, &w->c0, err);
	if (r == 0 && g->has_product)
		r = sums(g, w, b, i0, ni, j0, nj, err);
	if (r < 0)
		return r;
	usual = typical(g, w, ni * nj);
	for (int64_t i = 0; i < ni; i++)
		for (int64_t j = 0; j < nj; j++) {
			struct ekka_element e = { .b = b, .i = i0 + i, .j = j0 + j };

			if (!ekka_gemm_defines(g, i0 + i, j0 + j))
				continue;
			evaluate(g, w, i, j, &e);
			ekka_tally_add(tally, &e, g->epilogue ? usual / ekka_epilogue_unit(g->epilogue, (const int64_t[]){ b, i0 + i, j0 + j }) : usual);
		}
	return 0;
}
