/* SPDX-License-Identifier: Apache-2.0 */
/* Op "gemm": from an event of any BLAS spelling (gemv, dot, syrk and herk included) to struct ekka_gemm. */
#include <ctype.h>
#include <string.h>

#include "replay/op_job.h"

static bool is_scalar_name(const char *name)
{
	return !strcmp(name, "alpha") || !strcmp(name, "beta");
}

/* Left factor, right factor and output among the tensors, by order; -1 when absent. */
static void find_operands(const struct ekka_event *e, int *ret_a, int *ret_b, int *ret_c)
{
	*ret_a = *ret_b = *ret_c = -1;
	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		const struct ekka_tensor *t = &e->call.tensors[i];

		if (is_scalar_name(t->name))
			continue;
		if (t->dir & EKKA_OUT)
			*ret_c = *ret_c < 0 ? (int)i : *ret_c;
		else if (*ret_a < 0)
			*ret_a = (int)i;
		else if (*ret_b < 0)
			*ret_b = (int)i;
	}
}

/* The output of a function that returns its result: dot. */
static bool take_returned(struct ekka_job *job, enum ekka_dtype dtype)
{
	const struct ekka_value *v = &job->event->ret;
	bool cx = ekka_dtype_is_complex(dtype);

	if (v->kind != EKKA_V_REAL && v->kind != EKKA_V_COMPLEX)
		return false;
	job->returned[0] = v->r[0];
	job->returned[1] = v->kind == EKKA_V_COMPLEX ? v->r[1] : 0;
	job->gemm.c = (struct ekka_matrix){ .dtype = cx ? EKKA_C128 : EKKA_F64, .batch = 1, .rows = 1, .cols = 1, .rs = 1, .cs = 1,
					    .n_bytes = sizeof job->returned, .bytes = (const unsigned char *)job->returned };
	job->gemm.output = "result";
	return true;
}

static int take_output(struct ekka_job *job, int c, enum ekka_dtype operand, enum ekka_dtype *ret_dtype, struct ekka_error *err)
{
	struct ekka_gemm *g = &job->gemm;

	if (c < 0) {
		/* dsdot: floats in, a double sum out. */
		bool wide = strstr(job->event->fn->name, "dsdot") && !strstr(job->event->fn->name, "sdsdot");

		*ret_dtype = wide ? EKKA_F64 : operand;
		if (!take_returned(job, operand))
			ekka_job_settle(job, EKKA_PASS, "nothing is computed");
		return 0;
	}
	*ret_dtype = job->event->call.tensors[c].dtype;
	g->output = job->event->call.tensors[c].name;
	g->batched = job->event->call.tensors[c].n_dims == 3;
	return ekka_job_matrix(job, c, EKKA_POST, EKKA_SLOT_C, &g->c, err);
}

/* Dimensions, flags and bound. */
static void complete(struct ekka_job *job, enum ekka_dtype a, enum ekka_dtype b, enum ekka_dtype out)
{
	struct ekka_gemm *g = &job->gemm;
	const struct ekka_event *e = job->event;
	const struct ekka_value *uplo = ekka_event_attr(e, "uplo");
	struct ekka_bound_facts facts = { .a = a, .b = b, .out = out, .compute = ekka_job_compute_type(e),
					  .math = ekka_job_attr(e, "math", -1), .on_device = e->call.device >= 0 };

	g->m = g->c.rows;
	g->n = g->c.cols;
	g->batch = g->c.batch;
	g->k = g->has_product ? g->a.cols : 0;
	g->a.conj = ekka_job_attr(e, "conja", 0) != 0;
	g->b.conj = ekka_job_attr(e, "conjb", 0) != 0;
	g->hermitian = ekka_job_attr(e, "hermitian", 0) != 0;
	g->uplo = uplo && uplo->kind == EKKA_V_STR ? (char)toupper((unsigned char)uplo->s[0]) : 0;
	if (!ekka_job_consistent(g)) {
		ekka_job_settle(job, EKKA_INCOMPLETE, "the recorded dimensions do not fit together");
		return;
	}
	facts.k = g->k;
	ekka_job_device(job, &facts);
	if (ekka_bound_model_init(&g->model, &facts) < 0)
		ekka_job_settle(job, EKKA_UNSUPPORTED, g->model.text);
}

static int prepare(struct ekka_job *job, struct ekka_error *err)
{
	struct ekka_gemm *g = &job->gemm;
	const struct ekka_tensor *t = job->event->call.tensors;
	enum ekka_dtype out = EKKA_F32;
	int a, b, c, r;

	find_operands(job->event, &a, &b, &c);
	r = ekka_job_scalar(job, "alpha", 1, g->alpha, err);
	if (r == 0 && !job->settled)
		r = ekka_job_scalar(job, "beta", 0, g->beta, err);
	if (r == 0 && !job->settled)
		r = take_output(job, c, a >= 0 ? t[a].dtype : EKKA_F32, &out, err);
	if (r < 0 || job->settled)
		return r;
	g->has_product = a >= 0 && b >= 0 && (g->alpha[0] != 0 || g->alpha[1] != 0);
	g->has_c0 = c >= 0 && (g->beta[0] != 0 || g->beta[1] != 0);
	if (g->has_product) {
		r = ekka_job_matrix(job, a, EKKA_PRE, EKKA_SLOT_A, &g->a, err);
		if (r == 0 && !job->settled)
			r = ekka_job_matrix(job, b, EKKA_PRE, EKKA_SLOT_B, &g->b, err);
	}
	if (r == 0 && !job->settled && g->has_c0)
		r = ekka_job_matrix(job, c, EKKA_PRE, EKKA_SLOT_C0, &g->c0, err);
	if (r == 0 && !job->settled && !g->has_c0 && c >= 0 && job->event->data[c][EKKA_PRE].present &&
	    !job->event->data[c][EKKA_PRE].rec.missing) {
		r = ekka_job_matrix(job, c, EKKA_PRE, EKKA_SLOT_C0, &g->c0, err);
		g->knows_c0 = r == 0 && !job->settled;
		job->settled = false;	/* not needed for the judgement */
	}
	if (r == 0 && !job->settled)
		complete(job, a >= 0 ? t[a].dtype : out, b >= 0 ? t[b].dtype : out, out);
	return r;
}

static int judge_gemm(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	struct ekka_job job = { .ctx = ctx, .event = event, .verdict = v, .room = ctx->memory_bytes / 4 * 3 };
	struct ekka_gemm_options o = { .exact = ctx->options->exact, .delta = ctx->options->screen_delta, .team = ctx->team,
				       .backend = ctx->backend };
	int r = prepare(&job, err);

	o.memory_bytes = ctx->memory_bytes / 4 + job.room;
	if (r == 0 && !job.settled)
		r = ekka_gemm_judge(&job.gemm, &o, v, err);
	if (r == 0 && !job.settled)
		ekka_job_gaps(&job, job.loaded[EKKA_SLOT_C0], job.gemm.c0.n_bytes);
	ekka_job_audit_numbers(&job);
	ekka_job_release(&job);
	return r;
}

const struct ekka_op ekka_op_gemm = { "gemm", judge_gemm };
