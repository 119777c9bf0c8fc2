/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "compare/hypothesis.h"
#include "compare/where.h"
#include "replay/gemm.h"

struct explain {
	struct ekka_gemm *g;
	double *re, *im;		/* scratch for one line */
	struct ekka_error *err;
};

/* A line of an operand as complex numbers, conjugated if the op does so. */
static int load_line(struct explain *x, struct ekka_matrix *m, int64_t b, bool row, int64_t at, double (*ret)[2])
{
	struct ekka_panel p = { .re = x->re, .im = ekka_dtype_is_complex(m->dtype) ? x->im : NULL };
	int64_t n = row ? m->cols : m->rows;
	int r = ekka_matrix_load(m, m->batch == 1 ? 0 : b, row ? at : 0, row ? 1 : n, row ? 0 : at, row ? n : 1, &p, x->err);

	if (r < 0)
		return r;
	for (int64_t i = 0; i < n; i++) {
		ret[i][0] = p.re[i];
		ret[i][1] = p.im ? (m->conj ? -p.im[i] : p.im[i]) : 0;
	}
	return 0;
}

/* The operand as a fault might read it; false when that is no other reading. */
static bool read_as(struct ekka_matrix *m, enum ekka_reading how)
{
	bool by_row = m->rows > 1 && m->cols > 1 ? m->rs >= m->cs : m->cols > 1;
	int64_t *ld = by_row ? &m->rs : &m->cs, length = by_row ? m->cols : m->rows, lines = by_row ? m->rows : m->cols, swap = m->rs;

	if (how == EKKA_READ_RIGHT)
		return true;
	int64_t by = how < EKKA_READ_LARGER_LD ? 0 : (int64_t)1 << (how - EKKA_READ_LARGER_LD) % EKKA_READ_STEPS;

	if (lines < 2 || m->rs < 0 || m->cs < 0 || (how == EKKA_READ_TRANSPOSED && m->rows != m->cols) ||
	    (how == EKKA_READ_PACKED && *ld == length) || (how == EKKA_READ_HALF_LD && *ld % 2))
		return false;
	if (how >= EKKA_READ_AHEAD)
		m->offset += how < EKKA_READ_BEHIND ? by : -by;
	else if (how >= EKKA_READ_LARGER_LD)
		*ld += how < EKKA_READ_SMALLER_LD ? by : -by;
	if (how >= EKKA_READ_LARGER_LD)
		return *ld > 0;
	switch (how) {
	case EKKA_READ_TRANSPOSED:
		m->rs = m->cs;
		m->cs = swap;
		break;
	case EKKA_READ_PACKED: *ld = length; break;
	case EKKA_READ_HALF_LD: *ld /= 2; break;
	default: *ld *= 2;
	}
	return true;
}

/* One line of the matrix as a matrix; false where it lies outside its bytes. */
static bool cut_line(struct ekka_matrix *m, int64_t b, bool row, int64_t at)
{
	m->offset += at * (row ? m->rs : m->cs);
	*(row ? &m->rows : &m->cols) = 1;
	if (!m->item_bytes && m->batch > 1) {
		m->offset += b * m->bs;
		m->batch = 1;
	}
	return !m->scale && ekka_matrix_fits(m);
}

/* As load_line, of an operand that is misread. */
static int misread_line(struct explain *x, const struct ekka_matrix *m, int64_t b, bool row, int64_t at, enum ekka_reading how,
			double (*ret)[2])
{
	struct ekka_matrix copy = *m;
	int r;

	copy.window = NULL;	/* m keeps its own */
	copy.window_cap = copy.window_len = 0;
	if (!read_as(&copy, how) || !cut_line(&copy, b, row, at))
		return 1;
	r = load_line(x, &copy, b, row, 0, ret);
	ekka_matrix_release(&copy);
	return r;
}

static int a_line(void *arg, int64_t b, int64_t i, enum ekka_reading how, double (*ret)[2])
{
	struct explain *x = arg;

	return how == EKKA_READ_RIGHT ? load_line(x, &x->g->a, b, true, i, ret) : misread_line(x, &x->g->a, b, true, i, how, ret);
}

static int b_line(void *arg, int64_t b, int64_t j, enum ekka_reading how, double (*ret)[2])
{
	struct explain *x = arg;

	return how == EKKA_READ_RIGHT ? load_line(x, &x->g->b, b, false, j, ret) : misread_line(x, &x->g->b, b, false, j, how, ret);
}

static int c0_element(void *arg, int64_t b, int64_t i, int64_t j, double ret[2])
{
	struct explain *x = arg;
	struct ekka_panel p = { .re = &ret[0], .im = ekka_dtype_is_complex(x->g->c0.dtype) ? &ret[1] : NULL };

	ret[1] = 0;
	if (!x->g->has_c0 && !x->g->knows_c0)
		return EKKA_ERR_MISSING;
	return ekka_matrix_load(&x->g->c0, b, i, 1, j, 1, &p, x->err);
}

static double finish(void *arg, enum ekka_finish how, const struct ekka_element *element, double product, double added)
{
	const struct ekka_gemm *g = ((struct explain *)arg)->g;
	const int64_t at[3] = { element->b, element->i, element->j };
	struct ekka_epilogue e = *g->epilogue;
	double bound = 0, unusual = 0;
	long double t;
	bool applies = true;

	e.row_sum = e.blocks.largest = NULL;	/* this is no account */
	switch (how) {
	case EKKA_FINISH_NO_BIAS:
	case EKKA_FINISH_NEXT_BIAS:
		applies = e.bias && (how == EKKA_FINISH_NO_BIAS || at[1] + 1 < g->m);
		e.bias = how == EKKA_FINISH_NO_BIAS || !e.bias ? NULL : e.bias + 1;
		break;
	case EKKA_FINISH_NO_ACTIVATION:
		applies = e.activation != EKKA_ACT_NONE;
		e.activation = EKKA_ACT_NONE;
		break;
	case EKKA_FINISH_NO_SCALE:
		applies = e.scale != 1;
		e.scale = 1;
		break;
	case EKKA_FINISH_NO_FACTORS:
		applies = e.row_scale || e.col_scale;
		e.row_scale = e.col_scale = NULL;
		break;
	default: break;
	}
	if (!applies)
		return NAN;
	t = (long double)ekka_epilogue_factor(&e, at[1], at[2]) * product + added;
	(void)ekka_epilogue_apply(&e, &g->model, at, &t, &bound, &unusual);
	return (double)t;
}

/* Of a bias and scales alone. */
static double unfinish(void *arg, const struct ekka_element *element, double result)
{
	const struct ekka_gemm *g = ((struct explain *)arg)->g;
	const struct ekka_epilogue *e = g->epilogue;
	const int64_t at[3] = { element->b, element->i, element->j };
	double bias = e->bias ? e->bias[element->b * e->bias_step + element->i] : 0;

	return (result * ekka_epilogue_unit(e, at) / e->scale - bias) / ekka_epilogue_factor(e, element->i, element->j);
}

static bool is_linear(const struct ekka_gemm *g)
{
	return g->epilogue->activation == EKKA_ACT_NONE && g->epilogue->scale != 0 && g->beta[0] == 0;
}

int ekka_gemm_explain(struct ekka_gemm *g, const struct ekka_tally *tally, struct ekka_verdict *v, struct ekka_error *err)
{
	struct explain x = { .g = g, .err = err };
	struct ekka_hypothesis_input in = {
		.m = g->m, .n = g->n, .k = g->k, .batch = g->batch, .alpha = { g->alpha[0], g->alpha[1] },
		.beta = { g->beta[0], g->beta[1] }, .has_product = g->has_product, .conj_a = g->a.conj, .conj_b = g->b.conj,
		.model = &g->model, .a_line = a_line, .b_line = b_line, .c0 = c0_element, .arg = &x,
	};
	int64_t longest = g->k > g->m ? g->k : g->m;
	int r;

	ekka_where_describe(tally, g->uplo, v->where);
	if (g->epilogue) {
		in.finish = finish;
		in.unfinish = is_linear(g) ? unfinish : NULL;
	}
	longest = g->n > longest ? g->n : longest;
	x.re = malloc((size_t)longest * 2 * sizeof *x.re);
	if (!x.re)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory to explain a failure");
	x.im = x.re + longest;
	r = ekka_hypothesis_find(&in, tally, v->looks_like, err);
	free(x.re);
	return r;
}
