/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/gemm.h"

#include <math.h>
#include <stdio.h>

#include "compare/elements.h"
#include "replay/backend.h"
#include "replay/gemm_blocks.h"
#include "replay/gemm_screen.h"

/* Multiplications up to which a wrong op is recomputed whole, to say where it is wrong: about half a minute of one core. */
static const double WHOLE_PICTURE = 4e11;

static uint64_t defined_elements(const struct ekka_gemm *g)
{
	uint64_t n = (uint64_t)g->m * (uint64_t)(g->uplo ? g->m + 1 : 2 * g->n) / 2;

	return n * (uint64_t)g->batch;
}

/* Screens; when something is wrong indeed, recomputes all, to see how far it goes. */
static int judge_screened(struct ekka_gemm *g, const struct ekka_gemm_options *o, struct ekka_tally *tally, struct ekka_verdict *v,
			  struct ekka_error *err)
{
	uint64_t rows;
	int r = ekka_gemm_screen(g, o, tally, &rows, err);

	if (r < 0)
		return r;
	if (tally->n_bad && (double)g->batch * (double)g->m * (double)g->n * (double)g->k <= WHOLE_PICTURE) {
		ekka_tally_clear(tally);
		r = ekka_gemm_blocks(g, o, tally, err);
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

/* Judged whole by the backend, and right. */
static bool judged_elsewhere(const struct ekka_gemm *g, const struct ekka_gemm_options *o, struct ekka_tally *tally)
{
	struct ekka_elements_part found;

	if (!o->backend || !o->backend->product || !o->backend->product(o->backend, g, &found))
		return false;
	ekka_tally_take(tally, &found);
	return true;
}

int ekka_gemm_judge(struct ekka_gemm *g, const struct ekka_gemm_options *o, struct ekka_verdict *v, struct ekka_error *err)
{
	bool screen = !o->exact && !(g->epilogue && g->epilogue->every) && ekka_gemm_screen_pays(g);
	struct ekka_tally tally;
	int r = ekka_tally_init(&tally, &g->model, g->batch, g->m, g->n, err);

	if (r == 0 && judged_elsewhere(g, o, &tally)) {
		ekka_tally_verdict(&tally, g->batched, v);
	} else if (r == 0 && screen) {
		r = judge_screened(g, o, &tally, v, err);
	} else if (r == 0) {
		r = ekka_gemm_blocks(g, o, &tally, err);
		if (r == 0)
			ekka_tally_verdict(&tally, g->batched, v);
	}
	(void)snprintf(v->output, sizeof v->output, "%s", g->output);
	if (r == 0 && tally.n_bad)
		r = ekka_gemm_explain(g, &tally, v, err);
	ekka_tally_release(&tally);
	return r;
}
