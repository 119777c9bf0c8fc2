/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "matmul": cublasLtMatmul as preload/cublaslt.c describes it, D = epilogue(alpha A B + beta C), by the references of op gemm and
 * replay/epilogue.h. Tensors come by name. Secondary outputs are judged too: the GELU's input (aux) as a product of its own, the
 * ReLU mask bit by bit, amax against the largest element.
 *
 * Unsupported: gradients in the epilogue, block-scaled operands and outputs, beta as a vector, tiled orders, triangles.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/op_job.h"

enum { REDUCTION_INPLACE = 1, REDUCTION_OUTPUT_TYPE = 4, SCALE_OUTER_VECTOR = 3, FILL_MODE_FULL = 2 };

/* Vectors in memory, as doubles. */
enum { BIAS, ROW_SCALE, ROW_ALPHA, COL_SCALE, VECTORS };

struct matmul {
	struct ekka_job job;
	struct ekka_epilogue epilogue;
	double *vector[VECTORS];	/* owned */
	const char *name;		/* of the epilogue */
	int aux;			/* tensor index, -1 none */
	bool mask;			/* aux is a ReLU mask */
	double aux_scale;
};

static int tensor(const struct matmul *x, const char *name)
{
	return ekka_event_tensor_index(x->job.event, name);
}

/* What has no reference; NULL when all has. */
static const char *unsupported(const struct matmul *x)
{
	static const char *const modes[] = { "scaleA_mode", "scaleB_mode", "scaleC_mode", "scaleD_mode", "scaleAux_mode" };
	const struct ekka_event *e = x->job.event;
	const struct ekka_value *why = ekka_event_attr(e, "undescribed");
	int beta = tensor(x, "beta");

	if (why && why->kind == EKKA_V_STR)
		return why->s;
	if (!strcmp(x->name, "unknown") || strstr(x->name, "grad") || x->name[0] == 'd' || !strncmp(x->name, "bgrad", 5))
		if (strcmp(x->name, "default") != 0)
			return "no reference for gradients in the epilogue";
	for (unsigned i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		int64_t mode = ekka_job_attr(e, modes[i], 0);

		if (mode != 0 && !(mode == SCALE_OUTER_VECTOR && i < 2))
			return "no reference for block-scaled operands";
	}
	if (ekka_job_attr(e, "block_scaled_output", 0))
		return "no reference for a block-scaled output";
	if (ekka_job_attr(e, "fill_mode", FILL_MODE_FULL) != FILL_MODE_FULL)
		return "no reference for a triangle of a product";
	if (beta >= 0 && e->call.tensors[beta].n_dims > 1)
		return "no reference for beta as a vector";
	return NULL;
}

/* Tensor `index`, of `n` elements, as doubles. NULL when the verdict is settled. */
static int take_vector(struct matmul *x, int index, int64_t n, double **ret, struct ekka_error *err)
{
	struct ekka_matrix m = { 0 };
	struct ekka_panel p = { 0 };
	int r = ekka_job_matrix(&x->job, index, EKKA_PRE, EKKA_SLOT_AUX, &m, err);

	if (r == 0 && !x->job.settled && m.batch * m.rows * m.cols < n)
		ekka_job_settle(&x->job, EKKA_INCOMPLETE, "a vector of the epilogue is shorter than the output");
	if (r == 0 && !x->job.settled) {
		*ret = malloc((size_t)(m.batch * m.rows * m.cols) * sizeof **ret);
		if (!*ret)
			r = ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for a vector of %lld elements", (long long)n);
		for (int64_t b = 0; r == 0 && b < m.batch; b++) {
			p.re = *ret + b * m.rows * m.cols;
			r = ekka_matrix_load(&m, b, 0, m.rows, 0, m.cols, &p, err);
		}
	}
	ekka_matrix_release(&m);
	free(x->job.loaded[EKKA_SLOT_AUX]);
	x->job.loaded[EKKA_SLOT_AUX] = NULL;
	return r;
}

/* A one-element tensor's number after the call. */
static int take_result(struct matmul *x, int index, double *ret, struct ekka_error *err)
{
	struct ekka_matrix m = { 0 };
	struct ekka_panel p = { .re = ret };
	int r = ekka_job_matrix(&x->job, index, EKKA_POST, EKKA_SLOT_AUX, &m, err);

	if (r == 0 && !x->job.settled)
		r = ekka_matrix_load(&m, 0, 0, 1, 0, 1, &p, err);
	ekka_matrix_release(&m);
	free(x->job.loaded[EKKA_SLOT_AUX]);
	x->job.loaded[EKKA_SLOT_AUX] = NULL;
	return r;
}

/* alpha and beta with the per-tensor scales in them, and factors per row and column. */
static int take_factors(struct matmul *x, struct ekka_error *err)
{
	static const char *const names[] = { "scaleA", "scaleB" };
	struct ekka_gemm *g = &x->job.gemm;
	double scale[2] = { 1, 0 };
	int alpha = tensor(x, "alpha"), index, r = 0;

	g->alpha[0] = 1;
	if (alpha >= 0 && x->job.event->call.tensors[alpha].n_dims > 1)
		r = take_vector(x, alpha, g->m, &x->vector[ROW_ALPHA], err);
	else
		r = ekka_job_scalar(&x->job, "alpha", 1, g->alpha, err);
	for (int i = 0; i < 2 && r == 0 && !x->job.settled; i++) {
		bool vector = ekka_job_attr(x->job.event, i == 0 ? "scaleA_mode" : "scaleB_mode", 0) == SCALE_OUTER_VECTOR;

		index = tensor(x, names[i]);
		if (index >= 0 && vector) {
			r = take_vector(x, index, i == 0 ? g->m : g->n, &x->vector[i == 0 ? ROW_SCALE : COL_SCALE], err);
			continue;
		}
		r = ekka_job_scalar(&x->job, names[i], 1, scale, err);
		g->alpha[0] *= scale[0];
		g->alpha[1] *= scale[0];
	}
	if (r == 0 && !x->job.settled)
		r = ekka_job_scalar(&x->job, "beta", 0, g->beta, err);
	if (r == 0 && !x->job.settled)
		r = ekka_job_scalar(&x->job, "scaleC", 1, scale, err);
	g->beta[0] *= scale[0];
	g->beta[1] *= scale[0];
	if (x->vector[ROW_ALPHA] && x->vector[ROW_SCALE])
		for (int64_t i = 0; i < g->m; i++)
			x->vector[ROW_SCALE][i] *= x->vector[ROW_ALPHA][i];
	x->epilogue.row_scale = x->vector[ROW_SCALE] ? x->vector[ROW_SCALE] : x->vector[ROW_ALPHA];
	x->epilogue.col_scale = x->vector[COL_SCALE];
	return r;
}

static int take_mask(struct matmul *x, struct ekka_error *err)
{
	struct ekka_matrix m = { 0 };
	int r = ekka_job_matrix(&x->job, x->aux, EKKA_POST, EKKA_SLOT_AUX, &m, err);

	if (r < 0 || x->job.settled)
		return r;
	if (!m.bytes || m.rows < x->job.gemm.n || m.cols * 8 < x->job.gemm.m) {
		ekka_job_settle(&x->job, EKKA_INCOMPLETE, "the ReLU mask does not fit into memory, or is smaller than the output");
		return 0;
	}
	x->epilogue.mask = m.bytes;
	x->epilogue.mask_column = m.rs;
	x->epilogue.mask_item = m.bs;
	return 0;
}

/* The epilogue's operands. Leaves gemm.epilogue NULL when there is none at all. */
static int take_epilogue(struct matmul *x, struct ekka_error *err)
{
	struct ekka_epilogue *e = &x->epilogue;
	enum ekka_dtype out = x->job.gemm.c.dtype;
	int bias = tensor(x, "bias"), r = 0;
	double scale[2];

	e->activation = !strncmp(x->name, "relu", 4) ? EKKA_ACT_RELU : !strncmp(x->name, "gelu", 4) ? EKKA_ACT_GELU : EKKA_ACT_NONE;
	e->saturates = out == EKKA_E4M3 || out == EKKA_E5M2 || out == EKKA_I8;
	r = ekka_job_scalar(&x->job, "scaleD", 1, scale, err);
	e->scale = scale[0];
	if (strstr(x->name, "bias") && bias < 0)
		ekka_job_settle(&x->job, EKKA_INCOMPLETE, "the bias was not recorded");
	if (r == 0 && !x->job.settled && bias >= 0) {
		r = take_vector(x, bias, x->job.gemm.m, &x->vector[BIAS], err);
		e->bias = x->vector[BIAS];
		e->bias_step = x->job.event->call.tensors[bias].n_dims == 3 ? x->job.gemm.m : 0;
	}
	x->mask = e->activation == EKKA_ACT_RELU;
	x->aux = strstr(x->name, "_aux") ? tensor(x, "aux") : -1;
	if (r == 0 && !x->job.settled && x->aux >= 0 && x->mask)
		r = take_mask(x, err);
	if (r == 0 && !x->job.settled) {
		r = ekka_job_scalar(&x->job, "scaleAux", 1, scale, err);
		x->aux_scale = scale[0];
	}
	if (e->bias || e->activation != EKKA_ACT_NONE || e->row_scale || e->col_scale || e->saturates || e->scale != 1 || tensor(x, "amax") >= 0)
		x->job.gemm.epilogue = e;
	return r;
}

static void complete(struct matmul *x)
{
	struct ekka_job *job = &x->job;
	const struct ekka_event *e = job->event;
	struct ekka_gemm *g = &job->gemm;
	int64_t split_k = ekka_job_attr(e, "split_k", -1), reduction = ekka_job_attr(e, "reduction", -1);
	int a = tensor(x, "A"), b = tensor(x, "B");
	enum ekka_dtype out = g->c.dtype;
	struct ekka_bound_facts facts = {
		.a = a >= 0 ? e->call.tensors[a].dtype : out, .b = b >= 0 ? e->call.tensors[b].dtype : out, .out = out, .k = g->k,
		.compute = ekka_job_compute_type(e), .math = -1, .on_device = true,
		.promotes = ekka_job_attr(e, "fast_accum", -1) == 0, .fast_accum = ekka_job_attr(e, "fast_accum", -1) == 1,
		.splits_known = split_k >= 0 && reduction >= 0,
	};

	if (facts.splits_known && split_k > 1 && (reduction & (REDUCTION_INPLACE | REDUCTION_OUTPUT_TYPE)))
		facts.splits = split_k < UINT16_MAX ? (unsigned)split_k : UINT16_MAX;
	if (out == EKKA_F32)
		facts.splits = 0;
	g->a.conj = ekka_job_attr(e, "conja", 0) != 0;
	g->b.conj = ekka_job_attr(e, "conjb", 0) != 0;
	if (!ekka_job_consistent(g)) {
		ekka_job_settle(job, EKKA_INCOMPLETE, "the recorded dimensions do not fit together");
		return;
	}
	ekka_job_device(job, &facts);
	if (ekka_bound_model_init(&g->model, &facts) < 0)
		ekka_job_settle(job, EKKA_UNSUPPORTED, g->model.text);
}

static int take_matrices(struct matmul *x, struct ekka_error *err)
{
	struct ekka_gemm *g = &x->job.gemm;
	int a = tensor(x, "A"), b = tensor(x, "B"), c = tensor(x, "C"), r = 0;

	g->has_product = a >= 0 && b >= 0 && (g->alpha[0] != 0 || g->alpha[1] != 0);
	g->has_c0 = g->beta[0] != 0 || g->beta[1] != 0;
	if (g->has_c0 && c < 0)
		ekka_job_settle(&x->job, EKKA_INCOMPLETE, "C was not recorded");
	if (!x->job.settled && g->has_product)
		r = ekka_job_matrix(&x->job, a, EKKA_PRE, EKKA_SLOT_A, &g->a, err);
	if (r == 0 && !x->job.settled && g->has_product)
		r = ekka_job_matrix(&x->job, b, EKKA_PRE, EKKA_SLOT_B, &g->b, err);
	if (r == 0 && !x->job.settled && g->has_c0)
		r = ekka_job_matrix(&x->job, c, EKKA_PRE, EKKA_SLOT_C0, &g->c0, err);
	g->k = g->has_product ? g->a.cols : 0;
	return r;
}

static int prepare(struct matmul *x, struct ekka_error *err)
{
	const struct ekka_value *name = ekka_event_attr(x->job.event, "epilogue");
	struct ekka_gemm *g = &x->job.gemm;
	const char *why;
	int d = tensor(x, "D"), r;

	x->name = name && name->kind == EKKA_V_STR ? name->s : "unknown";
	why = unsupported(x);
	if (why) {
		ekka_job_settle(&x->job, EKKA_UNSUPPORTED, why);
		return 0;
	}
	if (d < 0) {
		ekka_job_settle(&x->job, EKKA_PASS, "nothing is computed");
		return 0;
	}
	r = ekka_job_matrix(&x->job, d, EKKA_POST, EKKA_SLOT_C, &g->c, err);
	if (r < 0 || x->job.settled)
		return r;
	g->output = "D";
	g->batched = x->job.event->call.tensors[d].n_dims == 3;
	g->m = g->c.rows;
	g->n = g->c.cols;
	g->batch = g->c.batch;
	r = take_factors(x, err);
	if (r == 0 && !x->job.settled)
		r = take_matrices(x, err);
	if (r == 0 && !x->job.settled)
		r = take_epilogue(x, err);
	if (r == 0 && !x->job.settled)
		complete(x);
	return r;
}

static void fail(struct ekka_verdict *v, const char *output, const char *where)
{
	v->status = EKKA_FAIL;
	v->reason[0] = '\0';
	(void)snprintf(v->output, sizeof v->output, "%s", output);
	(void)snprintf(v->where, sizeof v->where, "%s", where);
}

/* The mask and the largest magnitude, which judging D has taken account of. */
static int judge_small_outputs(struct matmul *x, struct ekka_error *err)
{
	const struct ekka_epilogue *e = &x->epilogue;
	struct ekka_verdict *v = x->job.verdict;
	int amax = tensor(x, "amax"), r;
	char where[EKKA_TEXT];
	double got = NAN;

	if (e->n_mask_bad) {
		(void)snprintf(where, sizeof where, "%llu of %llu bits of the ReLU mask, the first that of element (%lld, %lld)",
			       (unsigned long long)e->n_mask_bad, (unsigned long long)e->n_mask, (long long)e->mask_bad[1],
			       (long long)e->mask_bad[2]);
		fail(v, "aux", where);
		return 0;
	}
	if (amax < 0 || e->nonfinite)
		return 0;
	r = take_result(x, amax, &got, err);
	if (r < 0 || x->job.settled || (got >= e->amax_low * (1 - 0x1p-22) && got <= e->amax_high * (1 + 0x1p-22)))
		return r;
	(void)snprintf(where, sizeof where, "amax is %g, the largest magnitude of D is %g to %g", got, e->amax_low, e->amax_high);
	fail(v, "amax", where);
	return 0;
}

/* The GELU's input: the same product without what follows on the bias. */
static int judge_aux(struct matmul *x, const struct ekka_gemm_options *o, struct ekka_error *err)
{
	struct ekka_epilogue plain = { .bias = x->epilogue.bias, .bias_step = x->epilogue.bias_step, .row_scale = x->epilogue.row_scale,
				       .col_scale = x->epilogue.col_scale, .scale = x->aux_scale };
	struct ekka_verdict *v = x->job.verdict, of_aux = { .event = v->event };
	struct ekka_gemm *g = &x->job.gemm;
	int r;

	ekka_matrix_release(&g->c);
	r = ekka_job_matrix(&x->job, x->aux, EKKA_POST, EKKA_SLOT_AUX, &g->c, err);
	plain.saturates = g->c.dtype == EKKA_E4M3 || g->c.dtype == EKKA_E5M2;
	g->epilogue = &plain;
	g->output = "aux";
	if (r == 0 && !x->job.settled)
		complete(x);
	if (r == 0 && !x->job.settled)
		r = ekka_gemm_judge(g, o, &of_aux, err);
	if (r == 0 && !x->job.settled && of_aux.status == EKKA_FAIL) {
		memcpy(of_aux.audit, v->audit, sizeof of_aux.audit);
		*v = of_aux;
	}
	return r;
}

/* What the output's range held before, to see what lies between its elements; 0 bytes where that was not recorded. */
static int take_before(struct matmul *x, int d, uint64_t *ret_bytes, struct ekka_error *err)
{
	const struct ekka_event_data *before = &x->job.event->data[d][EKKA_PRE];
	struct ekka_matrix m = { 0 };
	int r;

	*ret_bytes = 0;
	if (x->job.settled || !before->present || before->rec.missing || !ekka_trace_blob_present(x->job.ctx->trace, &before->rec.id, NULL))
		return 0;
	r = ekka_job_matrix(&x->job, d, EKKA_PRE, EKKA_SLOT_BEFORE, &m, err);
	*ret_bytes = m.n_bytes;
	ekka_matrix_release(&m);
	return r;
}

static int judge_matmul(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	struct matmul x = { .job = { .ctx = ctx, .event = event, .verdict = v, .room = ctx->memory_bytes / 4 * 3 }, .aux = -1 };
	struct ekka_gemm_options o = { .exact = ctx->options->exact, .memory_bytes = ctx->memory_bytes / 4,
				       .delta = ctx->options->screen_delta };
	int d = ekka_event_tensor_index(event, "D"), r = prepare(&x, err);
	uint64_t before = 0;

	if (r == 0 && !x.job.settled)
		r = take_before(&x, d, &before, err);
	if (r == 0 && !x.job.settled)
		r = ekka_gemm_judge(&x.job.gemm, &o, v, err);
	if (r == 0 && !x.job.settled)
		ekka_job_gaps(&x.job, x.job.loaded[EKKA_SLOT_BEFORE], before);
	if (r == 0 && !x.job.settled && v->status != EKKA_FAIL)
		r = judge_small_outputs(&x, err);
	if (r == 0 && !x.job.settled && v->status != EKKA_FAIL && x.aux >= 0 && !x.mask)
		r = judge_aux(&x, &o, err);
	ekka_job_audit_numbers(&x.job);
	ekka_job_release(&x.job);
	for (unsigned i = 0; i < VECTORS; i++)
		free(x.vector[i]);
	return r;
}

const struct ekka_op ekka_op_matmul = { "matmul", judge_matmul };
