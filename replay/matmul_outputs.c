/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/matmul.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/elements.h"
#include "replay/array_gaps.h"
#include "replay/blobs.h"

enum { ROWS = 64 };	/* of D at a time */

void ekka_matmul_fail(struct ekka_verdict *v, const char *output, const char *where)
{
	v->status = EKKA_FAIL;
	v->reason[0] = '\0';
	(void)snprintf(v->output, sizeof v->output, "%s", output);
	(void)snprintf(v->where, sizeof v->where, "%s", where);
}

/* What another output's verdict adds to D's, which is not FAIL. */
static void merge(struct ekka_verdict *v, struct ekka_verdict *other)
{
	if (other->status == EKKA_FAIL || (other->status == EKKA_UNDECIDED && v->status == EKKA_PASS)) {
		memcpy(other->audit, v->audit, sizeof other->audit);
		*v = *other;
	}
}

static void release_slot(struct ekka_matmul *x, struct ekka_matrix *m)
{
	ekka_matrix_release(m);
	ekka_blobs_let_go(x->job.loaded[EKKA_SLOT_AUX]);
	x->job.loaded[EKKA_SLOT_AUX] = NULL;
}

static int judge_mask(struct ekka_matmul *x)
{
	const struct ekka_epilogue *e = &x->epilogue;
	char where[EKKA_TEXT];

	if (!e->n_mask_bad)
		return 0;
	(void)snprintf(where, sizeof where, "%llu of %llu bits of the ReLU mask, the first that of element (%lld, %lld)",
		       (unsigned long long)e->n_mask_bad, (unsigned long long)e->n_mask, (long long)e->mask_bad[1], (long long)e->mask_bad[2]);
	ekka_matmul_fail(x->job.verdict, "aux", where);
	return 0;
}

/* A largest magnitude of what an epilogue has gone through. */
static int judge_amax(struct ekka_matmul *x, const char *name, const struct ekka_epilogue *e, struct ekka_error *err)
{
	int index = ekka_matmul_tensor(x, name), r;
	struct ekka_matrix m = { 0 };
	char where[EKKA_TEXT];
	double got = NAN;
	struct ekka_panel p = { .re = &got };

	if (index < 0 || e->nonfinite)
		return 0;
	r = ekka_job_matrix(&x->job, index, EKKA_POST, EKKA_SLOT_AUX, &m, err);
	if (r == 0 && !x->job.settled)
		r = ekka_matrix_load(&m, 0, 0, 1, 0, 1, &p, err);
	release_slot(x, &m);
	if (r < 0 || x->job.settled || (got >= e->amax_low * (1 - 0x1p-22) && got <= e->amax_high * (1 + 0x1p-22)))
		return r;
	(void)snprintf(where, sizeof where, "%s is %g, the largest magnitude is %g to %g", name, got, e->amax_low, e->amax_high);
	ekka_matmul_fail(x->job.verdict, name, where);
	return 0;
}

/* The GELU's input: the same product without what follows on the bias. */
static int judge_aux(struct ekka_matmul *x, const struct ekka_gemm_options *o, struct ekka_error *err)
{
	struct ekka_epilogue plain = { .bias = x->epilogue.bias, .bias_step = x->epilogue.bias_step, .row_scale = x->epilogue.row_scale,
				       .col_scale = x->epilogue.col_scale, .scale = x->aux_scale, .every = true };
	struct ekka_verdict of_aux = { .event = x->job.verdict->event };
	struct ekka_gemm g = x->job.gemm;
	struct ekka_bound_facts facts;
	int r;

	g.c = (struct ekka_matrix){ 0 };
	r = ekka_job_matrix(&x->job, x->aux, EKKA_POST, EKKA_SLOT_AUX, &g.c, err);
	if (r == 0 && !x->job.settled) {
		plain.saturates = g.c.dtype == EKKA_E4M3 || g.c.dtype == EKKA_E5M2;
		g.epilogue = &plain;
		g.output = "aux";
		ekka_matmul_facts(x, g.c.dtype, &facts);
		if (g.c.rows != g.m || g.c.cols != g.n || g.c.batch != g.batch)
			ekka_job_settle(&x->job, EKKA_INCOMPLETE, "the recorded dimensions do not fit together");
		else if (ekka_bound_model_init(&g.model, &facts) < 0)
			ekka_job_settle(&x->job, EKKA_UNSUPPORTED, g.model.text);
		else
			r = ekka_gemm_judge(&g, o, &of_aux, err);
	}
	release_slot(x, &g.c);
	if (r < 0 || x->job.settled)
		return r;
	merge(x->job.verdict, &of_aux);
	return x->job.verdict->status == EKKA_FAIL ? 0 : judge_amax(x, "amaxAux", &plain, err);
}

/* ---- bias gradients --------------------------------------------------- */

/* 1 in the type, as bytes; NULL for types in which no bias gradient is known. */
static const void *one_of(enum ekka_dtype type)
{
	static const double f64 = 1;
	static const float f32 = 1;
	static const uint16_t f16 = 0x3c00, bf16 = 0x3f80;

	return type == EKKA_F64 ? (const void *)&f64 : type == EKKA_F32 ? (const void *)&f32 : type == EKKA_F16 ? (const void *)&f16 :
	       type == EKKA_BF16 ? (const void *)&bf16 : NULL;
}

/* The sums of A's rows or of B's columns: a product with ones. */
static int judge_operand_sums(struct ekka_matmul *x, bool of_a, struct ekka_matrix *out, const struct ekka_gemm_options *o,
			      struct ekka_verdict *ret, struct ekka_error *err)
{
	const struct ekka_gemm *d = &x->job.gemm;
	enum ekka_dtype type = of_a ? d->a.dtype : d->b.dtype;
	struct ekka_matrix ones = { .dtype = type, .batch = 1, .rows = of_a ? d->k : 1, .cols = of_a ? 1 : d->k,
				    .n_bytes = ekka_dtype_bytes(type), .bytes = one_of(type) };
	struct ekka_gemm g = { .m = of_a ? d->m : 1, .n = of_a ? 1 : d->n, .k = d->k, .batch = d->batch, .a = of_a ? d->a : ones,
			       .b = of_a ? ones : d->b, .c = *out, .has_product = true, .alpha = { 1, 0 }, .output = "dbias" };
	struct ekka_bound_facts facts;

	ekka_matmul_facts(x, out->dtype, &facts);
	facts.a = facts.b = type;
	facts.splits_known = false;	/* nothing says how these are summed */
	if (!ones.bytes || !d->has_product || d->alpha[0] != 1 || d->alpha[1] != 0)
		ekka_job_settle(&x->job, EKKA_UNSUPPORTED, "no reference for the bias gradient with this type, or with alpha other than 1");
	else if (!ekka_job_consistent(&g) || out->rows != g.m || out->cols != g.n || out->batch != g.batch)
		ekka_job_settle(&x->job, EKKA_INCOMPLETE, "the recorded dimensions do not fit together");
	else if (ekka_bound_model_init(&g.model, &facts) < 0)
		ekka_job_settle(&x->job, EKKA_UNSUPPORTED, g.model.text);
	else
		return ekka_gemm_judge(&g, o, ret, err);
	return 0;
}

/* Sums of the rows of D as stored: m an item, and behind all of them the sums of the magnitudes. */
static int sum_rows(struct ekka_gemm *g, double *ret, struct ekka_error *err)
{
	struct ekka_panel p = { .re = malloc((size_t)(ROWS * g->n) * sizeof *p.re) };
	int r = p.re ? 0 : ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %d rows of the output", ROWS);

	for (int64_t at = 0; r == 0 && at < g->batch * g->m; at += p.rows) {
		int64_t b = at / g->m, i = at % g->m;

		r = ekka_matrix_load(&g->c, b, i, g->m - i < ROWS ? g->m - i : ROWS, 0, g->n, &p, err);
		for (int64_t row = 0; r == 0 && row < p.rows; row++) {
			double sum = 0, abs = 0;

			for (int64_t j = 0; j < g->n; j++) {
				sum += p.re[row * p.rs + j * p.cs];
				abs += fabs(p.re[row * p.rs + j * p.cs]);
			}
			ret[at + row] = sum;
			ret[g->batch * g->m + at + row] = abs;
		}
	}
	free(p.re);
	return r;
}

/* Of each row the reference that the output is nearer to: the sum before the elements were rounded, or after. */
static void choose_references(const struct ekka_matmul *x, const double *stored, const double *out, double *ref, double *bound)
{
	const struct ekka_epilogue *e = &x->epilogue;
	int64_t rows = x->job.gemm.batch * x->job.gemm.m;
	double n = (double)x->job.gemm.n + 4, gamma = n * 0x1p-24 / (1 - n * 0x1p-24);

	for (int64_t i = 0; i < rows; i++) {
		double of_stored = gamma * stored[rows + i];

		ref[i] = e->row_sum[i];
		bound[i] = e->row_bound[i] + gamma * e->row_abs[i];
		if (e->scale == 1 && fabs(out[i] - stored[i]) - of_stored < fabs(out[i] - ref[i]) - bound[i]) {
			ref[i] = stored[i];
			bound[i] = of_stored;
		}
	}
}

static int judge_row_sums(struct ekka_matmul *x, struct ekka_matrix *out, int index, struct ekka_verdict *ret, struct ekka_error *err)
{
	int64_t rows = x->job.gemm.batch * x->job.gemm.m;
	double *all = malloc((size_t)rows * 5 * sizeof *all), *values = all ? all + 2 * rows : NULL;
	struct ekka_elements *e = ekka_elements_new();
	struct ekka_panel p = { 0 };
	int r = all && e ? sum_rows(&x->job.gemm, all, err) : ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for a bias gradient");

	for (int64_t b = 0; r == 0 && b < out->batch; b++) {
		p.re = values + b * out->rows;
		r = ekka_matrix_load(out, b, 0, out->rows, 0, 1, &p, err);
	}
	if (r == 0) {
		choose_references(x, all, values, values + rows, values + 2 * rows);
		do {
			ekka_elements_output(e, &x->job.event->call.tensors[index]);
			ekka_elements_add(e, 0, (size_t)rows, values, values + rows, values + 2 * rows, false);
		} while (ekka_elements_again(e));
		ekka_elements_verdict(e, "the elements' errors, and fp32 sums in any order", ret);
	}
	if (e)
		ekka_elements_free(e);
	free(all);
	return r;
}

static int judge_bias_gradient(struct ekka_matmul *x, const struct ekka_gemm_options *o, struct ekka_error *err)
{
	bool of_operand = !strncmp(x->name, "bgrad", 5);
	struct ekka_verdict of_bias = { .event = x->job.verdict->event };
	int index = ekka_matmul_tensor(x, "dbias"), r;
	struct ekka_matrix out = { 0 };

	if (index < 0) {
		ekka_job_settle(&x->job, EKKA_INCOMPLETE, "the bias gradient was not recorded");
		return 0;
	}
	r = ekka_job_matrix(&x->job, index, EKKA_POST, EKKA_SLOT_AUX, &out, err);
	if (r == 0 && !x->job.settled) {
		if (out.batch != x->job.gemm.batch)
			ekka_job_settle(&x->job, EKKA_UNSUPPORTED, "no reference for one bias gradient of several products");
		else if (of_operand)
			r = judge_operand_sums(x, x->name[5] == 'a', &out, o, &of_bias, err);
		else if (out.rows != x->job.gemm.m || out.cols != 1)
			ekka_job_settle(&x->job, EKKA_INCOMPLETE, "the recorded dimensions do not fit together");
		else if (!x->epilogue.nonfinite)
			r = judge_row_sums(x, &out, index, &of_bias, err);
	}
	release_slot(x, &out);
	if (r == 0 && !x->job.settled)
		merge(x->job.verdict, &of_bias);
	return r;
}

/* ---- between the elements ---------------------------------------------- */

/* Did bytes between the elements of output `index` change; why not, when it cannot be told, is no matter. Negative on lack of memory. */
static int gaps_changed(const struct ekka_job *job, int index, char text[EKKA_TEXT], struct ekka_error *err)
{
	struct ekka_array before = { 0 }, after = { 0 };
	struct ekka_verdict unused = { 0 };
	int r = ekka_array_load(job->ctx, job->event, index, EKKA_POST, &after, &unused, err);

	if (r > 0 && ekka_array_has_gaps(&after))
		r = ekka_array_load(job->ctx, job->event, index, EKKA_PRE, &before, &unused, err);
	if (r > 0 && before.bytes)
		r = ekka_array_gaps(&before, &after, text, err);
	else if (r > 0)
		r = 0;
	ekka_array_release(&before);
	ekka_array_release(&after);
	return r;
}

/* Of the outputs besides D, whose gaps replay/gaps.h looks at. */
static int judge_gaps(struct ekka_matmul *x, struct ekka_error *err)
{
	const struct ekka_event *e = x->job.event;
	struct ekka_verdict *v = x->job.verdict;
	char text[EKKA_TEXT];

	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		uint64_t bytes = e->data[i][EKKA_POST].rec.bytes;
		int r;

		if (e->call.tensors[i].dir == EKKA_IN || (int)i == ekka_matmul_tensor(x, "D") || bytes > x->job.room / 2 ||
		    !ekka_array_recorded(x->job.ctx, e, (int)i, EKKA_PRE))
			continue;
		r = gaps_changed(&x->job, (int)i, text, err);
		if (r < 0)
			return r;
		if (r == 0 || !ekka_event_runs_alone(x->job.ctx, e))
			continue;
		v->status = EKKA_UNDECIDED;
		(void)snprintf(v->reason, sizeof v->reason, "%.440s: by this call, or by another thread meanwhile", text);
	}
	return 0;
}

int ekka_matmul_judge_outputs(struct ekka_matmul *x, const struct ekka_gemm_options *o, struct ekka_error *err)
{
	const struct ekka_verdict *v = x->job.verdict;
	int r = judge_mask(x);

	if (r == 0 && v->status != EKKA_FAIL)
		r = judge_amax(x, "amax", &x->epilogue, err);
	if (r == 0 && !x->job.settled && v->status != EKKA_FAIL && x->aux >= 0 && !x->mask)
		r = judge_aux(x, o, err);
	if (r == 0 && !x->job.settled && v->status != EKKA_FAIL && strstr(x->name, "bgrad"))
		r = judge_bias_gradient(x, o, err);
	if (r == 0 && !x->job.settled && v->status == EKKA_PASS)
		r = judge_gaps(x, err);
	return r;
}
