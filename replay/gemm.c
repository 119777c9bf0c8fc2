/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/gemm.h"

#include <math.h>
#include <stdio.h>

#include "replay/gemm_exact.h"
#include "replay/gemm_screen.h"

enum { BLOCK = 256, MAX_BLOCK = 4096 };

/* Multiplications up to which a wrong op is recomputed whole, to say where it is wrong: about half a minute of one core. */
static const double WHOLE_PICTURE = 4e11;

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/*
 * Block sides: 256 x 256 keeps everything in the second-level cache; long and thin outputs get long blocks of about as many
 * elements; operands that are read piecewise get the largest blocks that memory allows, so that they are read fewer times.
 */
static void block_size(const struct ekka_gemm *g, const struct ekka_gemm_options *o, int64_t *ret_rows, int64_t *ret_cols)
{
	int64_t side = BLOCK;
	bool streamed = g->has_product && (!g->a.bytes || !g->b.bytes);

	if (streamed)
		while (side < MAX_BLOCK && 4 * side * side * 16 * (int64_t)sizeof(double) <= (int64_t)(o->memory_bytes / 2))
			side *= 2;
	*ret_cols = min64(g->n, side);
	*ret_rows = min64(g->m, min64(MAX_BLOCK, side * side / *ret_cols));
	*ret_cols = min64(g->n, min64(MAX_BLOCK, side * side / *ret_rows));
}

static int judge_all(struct ekka_gemm *g, struct ekka_gemm_work *w, struct ekka_tally *tally, struct ekka_error *err)
{
	int r;

	for (int64_t b = 0; b < g->batch; b++)
		for (int64_t i = 0; i < g->m; i += w->rows)
			for (int64_t j = 0; j < g->n; j += w->cols) {
				r = ekka_gemm_exact(g, w, b, i, min64(w->rows, g->m - i), j, min64(w->cols, g->n - j), tally, err);
				if (r < 0)
					return r;
			}
	return 0;
}

static uint64_t defined_elements(const struct ekka_gemm *g)
{
	uint64_t n = (uint64_t)g->m * (uint64_t)(g->uplo ? g->m + 1 : 2 * g->n) / 2;

	return n * (uint64_t)g->batch;
}

/* Screens; when something is wrong indeed, recomputes all, to see how far it goes. */
static int judge_screened(struct ekka_gemm *g, const struct ekka_gemm_options *o, struct ekka_gemm_work *w, struct ekka_tally *tally,
			  struct ekka_verdict *v, struct ekka_error *err)
{
	uint64_t rows;
	int r = ekka_gemm_screen(g, w, o, tally, &rows, err);

	if (r < 0)
		return r;
	if (tally->n_bad && (double)g->batch * (double)g->m * (double)g->n * (double)g->k <= WHOLE_PICTURE) {
		ekka_tally_clear(tally);
		r = judge_all(g, w, tally, err);
	} else if (!tally->n_bad) {
		v->screened = true;
	}
	if (r == 0)
		ekka_tally_verdict(tally, g->batched, v);
	if (v->screened) {
		v->n_elements = defined_elements(g);
		v->margin = tally->n ? v->margin : NAN;
	}
	return r;
}

int ekka_gemm_judge(struct ekka_gemm *g, const struct ekka_gemm_options *o, struct ekka_verdict *v, struct ekka_error *err)
{
	bool screen = !o->exact && !(g->epilogue && g->epilogue->every) && ekka_gemm_screen_pays(g);
	struct ekka_gemm_work w = { 0 };
	struct ekka_tally tally;
	int64_t rows, cols;
	int r;

	if (screen)
		ekka_gemm_screen_block(g, &rows, &cols);
	else
		block_size(g, o, &rows, &cols);
	r = ekka_tally_init(&tally, &g->model, g->batch, g->m, g->n, err);
	if (r == 0)
		r = ekka_gemm_work_init(&w, g, rows, cols, err);
	if (r == 0 && screen) {
		r = judge_screened(g, o, &w, &tally, v, err);
	} else if (r == 0) {
		r = judge_all(g, &w, &tally, err);
		if (r == 0)
			ekka_tally_verdict(&tally, g->batched, v);
	}
	(void)snprintf(v->output, sizeof v->output, "%s", g->output);
	if (r == 0 && tally.n_bad)
		r = ekka_gemm_explain(g, &tally, v, err);
	ekka_gemm_work_release(&w);
	ekka_tally_release(&tally);
	return r;
}
