/* SPDX-License-Identifier: Apache-2.0 */
/* Op "gemm": from an event of any BLAS spelling (gemv, dot, syrk and herk included) to struct ekka_gemm. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/convert.h"
#include "replay/gaps.h"
#include "replay/gemm.h"
#include "replay/op.h"

enum { NEIGHBOURS = 16 };	/* events on either side that tell whether calls run side by side */

/* Where a matrix's bytes come from when they are not in memory. */
struct blob { struct ekka_trace *trace; struct ekka_blob_id id; };

struct job {
	const struct ekka_op_context *ctx;
	const struct ekka_event *event;
	struct ekka_verdict *verdict;
	struct ekka_gemm gemm;
	struct blob blob[4];		/* of a, b, c0, c */
	unsigned char *loaded[4];	/* whole operands in memory; owned */
	double returned[2];		/* dot's result */
	uint64_t room;			/* memory left for whole operands */
	bool settled;			/* verdict->status is final, nothing to compute */
};

static void settle(struct job *job, enum ekka_status status, const char *reason)
{
	job->settled = true;
	job->verdict->status = status;
	(void)snprintf(job->verdict->reason, sizeof job->verdict->reason, "%s", reason);
}

static int read_blob(void *arg, uint64_t offset, void *buf, size_t len, struct ekka_error *err)
{
	const struct blob *blob = arg;

	return ekka_trace_blob_read(blob->trace, &blob->id, offset, buf, len, err);
}

/* The bytes of tensor `index` as they were in `phase`, as matrix *m. Settles the verdict when they are not to be had. */
static int take_matrix(struct job *job, int index, enum ekka_phase phase, unsigned slot, struct ekka_matrix *m, struct ekka_error *err)
{
	const struct ekka_tensor *t = &job->event->call.tensors[index];
	int source = t->alias_of >= 0 ? t->alias_of : index;
	const struct ekka_event_data *data = &job->event->data[source][phase];
	struct ekka_error bad = { 0 };
	char reason[EKKA_TEXT];
	uint64_t bytes;
	int r;

	if (!data->present || data->rec.missing || !ekka_trace_blob_present(job->ctx->trace, &data->rec.id, &bytes)) {
		(void)snprintf(reason, sizeof reason, "bytes of %s %s the call are missing: %s", t->name,
			       phase == EKKA_PRE ? "before" : "after",
			       !data->present ? "not recorded" : data->rec.missing ? data->rec.missing : "not in the trace");
		settle(job, EKKA_INCOMPLETE, reason);
		return 0;
	}
	if (ekka_matrix_init(m, t, bytes, &bad) < 0) {
		settle(job, EKKA_INCOMPLETE, bad.message);
		return 0;
	}
	job->blob[slot] = (struct blob){ job->ctx->trace, data->rec.id };
	m->read = read_blob;
	m->arg = &job->blob[slot];
	if (bytes > job->room || !bytes)
		return 0;
	job->loaded[slot] = malloc(bytes);
	if (!job->loaded[slot])
		return 0;	/* piecewise, then */
	r = read_blob(m->arg, 0, job->loaded[slot], bytes, err);
	if (r < 0)
		return r;
	m->bytes = job->loaded[slot];
	job->room -= bytes;
	return 0;
}

/* A scalar: attribute `name`, or a one-element device tensor of that name. Settles the verdict when it is not known. */
static int take_scalar(struct job *job, const char *name, double fallback, double ret[2], struct ekka_error *err)
{
	const struct ekka_value *v = ekka_event_attr(job->event, name);
	int index = ekka_event_tensor_index(job->event, name);
	unsigned char raw[16] = { 0 };
	char reason[EKKA_TEXT];

	ret[0] = fallback;
	ret[1] = 0;
	if (index >= 0) {
		const struct ekka_tensor *t = &job->event->call.tensors[index];
		const struct ekka_event_data *data = &job->event->data[index][EKKA_PRE];
		size_t size = ekka_dtype_bytes(t->dtype);

		if (!data->present || data->rec.missing || data->rec.bytes < size ||
		    !ekka_trace_blob_present(job->ctx->trace, &data->rec.id, NULL)) {
			(void)snprintf(reason, sizeof reason, "the device scalar %s was not recorded", name);
			settle(job, EKKA_INCOMPLETE, reason);
			return 0;
		}
		if (size > sizeof raw)
			return ekka_error_set(err, EKKA_ERR_FORMAT, "scalar %s of %zu bytes", name, size);
		int r = ekka_trace_blob_read(job->ctx->trace, &data->rec.id, 0, raw, size, err);

		if (r < 0)
			return r;
		ekka_convert(t->dtype, raw, 1, 1, &ret[0], &ret[1]);
		return 0;
	}
	if (!v)
		return 0;
	switch (v->kind) {
	case EKKA_V_INT: ret[0] = (double)v->i; break;
	case EKKA_V_UINT: ret[0] = (double)v->u; break;
	case EKKA_V_REAL: ret[0] = v->r[0]; break;
	case EKKA_V_COMPLEX: memcpy(ret, v->r, sizeof v->r); break;
	default:
		(void)snprintf(reason, sizeof reason, "%s is not a number (null pointer)", name);
		settle(job, EKKA_INCOMPLETE, reason);
	}
	return 0;
}

static int64_t attr_int(const struct ekka_event *e, const char *name, int64_t fallback)
{
	const struct ekka_value *v = ekka_event_attr(e, name);

	return v && v->kind == EKKA_V_INT ? v->i : v && v->kind == EKKA_V_UINT && v->u <= INT64_MAX ? (int64_t)v->u : fallback;
}

/* The trace names the compute type (FORMAT: attribute "compute"); the bounds know it by cuBLAS's number. -1 when absent or unknown. */
static int64_t compute_type(const struct ekka_event *e)
{
	static const struct { const char *name; int number; } types[] = {
		{ "f16", 64 }, { "f16_pedantic", 65 }, { "f32", 68 }, { "f32_pedantic", 69 }, { "f64", 70 },
		{ "f64_pedantic", 71 }, { "i32", 72 }, { "i32_pedantic", 73 }, { "f32_fast_16f", 74 },
		{ "f32_fast_16bf", 75 }, { "tf32", 77 },
	};
	const struct ekka_value *v = ekka_event_attr(e, "compute");

	for (size_t i = 0; v && v->kind == EKKA_V_STR && i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(v->s, types[i].name))
			return types[i].number;
	return -1;
}

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
static bool take_returned(struct job *job, enum ekka_dtype dtype)
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

static int take_output(struct job *job, int c, enum ekka_dtype operand, enum ekka_dtype *ret_dtype, struct ekka_error *err)
{
	struct ekka_gemm *g = &job->gemm;

	if (c < 0) {
		/* dsdot: floats in, a double sum out. */
		bool wide = strstr(job->event->fn->name, "dsdot") && !strstr(job->event->fn->name, "sdsdot");

		*ret_dtype = wide ? EKKA_F64 : operand;
		if (!take_returned(job, operand))
			settle(job, EKKA_PASS, "nothing is computed");
		return 0;
	}
	*ret_dtype = job->event->call.tensors[c].dtype;
	g->output = job->event->call.tensors[c].name;
	g->batched = job->event->call.tensors[c].n_dims == 3;
	return take_matrix(job, c, EKKA_POST, 3, &g->c, err);
}

static bool consistent(const struct ekka_gemm *g)
{
	bool ab = !g->has_product || (g->a.rows == g->m && g->b.cols == g->n && g->b.rows == g->k &&
				      (g->a.batch == g->batch || g->a.batch == 1) && (g->b.batch == g->batch || g->b.batch == 1));

	return ab && (!g->has_c0 || (g->c0.rows == g->m && g->c0.cols == g->n && g->c0.batch == g->batch));
}

/* Dimensions, flags and bound. */
static void complete(struct job *job, enum ekka_dtype a, enum ekka_dtype b, enum ekka_dtype out)
{
	struct ekka_gemm *g = &job->gemm;
	const struct ekka_event *e = job->event;
	const struct ekka_value *uplo = ekka_event_attr(e, "uplo");
	struct ekka_bound_facts facts = { .a = a, .b = b, .out = out, .compute = compute_type(e),
					  .math = attr_int(e, "math", -1), .on_device = e->call.device >= 0 };

	g->m = g->c.rows;
	g->n = g->c.cols;
	g->batch = g->c.batch;
	g->k = g->has_product ? g->a.cols : 0;
	g->a.conj = attr_int(e, "conja", 0) != 0;
	g->b.conj = attr_int(e, "conjb", 0) != 0;
	g->hermitian = attr_int(e, "hermitian", 0) != 0;
	g->uplo = uplo && uplo->kind == EKKA_V_STR ? (char)toupper((unsigned char)uplo->s[0]) : 0;
	if (!consistent(g)) {
		settle(job, EKKA_INCOMPLETE, "the recorded dimensions do not fit together");
		return;
	}
	facts.k = g->k;
	for (size_t i = 0; e->segment && i < e->segment->n_devices; i++)
		if (e->segment->devices[i].ordinal == e->call.device) {
			facts.cc_major = e->segment->devices[i].cc_major;
			facts.cc_minor = e->segment->devices[i].cc_minor;
		}
	if (ekka_bound_model_init(&g->model, &facts) < 0)
		settle(job, EKKA_UNSUPPORTED, g->model.text);
}

static int prepare(struct job *job, struct ekka_error *err)
{
	struct ekka_gemm *g = &job->gemm;
	const struct ekka_tensor *t = job->event->call.tensors;
	enum ekka_dtype out = EKKA_F32;
	int a, b, c, r;

	find_operands(job->event, &a, &b, &c);
	r = take_scalar(job, "alpha", 1, g->alpha, err);
	if (r == 0 && !job->settled)
		r = take_scalar(job, "beta", 0, g->beta, err);
	if (r == 0 && !job->settled)
		r = take_output(job, c, a >= 0 ? t[a].dtype : EKKA_F32, &out, err);
	if (r < 0 || job->settled)
		return r;
	g->has_product = a >= 0 && b >= 0 && (g->alpha[0] != 0 || g->alpha[1] != 0);
	g->has_c0 = c >= 0 && (g->beta[0] != 0 || g->beta[1] != 0);
	if (g->has_product) {
		r = take_matrix(job, a, EKKA_PRE, 0, &g->a, err);
		if (r == 0 && !job->settled)
			r = take_matrix(job, b, EKKA_PRE, 1, &g->b, err);
	}
	if (r == 0 && !job->settled && g->has_c0)
		r = take_matrix(job, c, EKKA_PRE, 2, &g->c0, err);
	if (r == 0 && !job->settled && !g->has_c0 && c >= 0 && job->event->data[c][EKKA_PRE].present &&
	    !job->event->data[c][EKKA_PRE].rec.missing) {
		r = take_matrix(job, c, EKKA_PRE, 2, &g->c0, err);
		g->knows_c0 = r == 0 && !job->settled;
		job->settled = false;	/* not needed for the judgement */
	}
	if (r == 0 && !job->settled)
		complete(job, a >= 0 ? t[a].dtype : out, b >= 0 ? t[b].dtype : out, out);
	return r;
}

/*
 * Did another call run at the same time: then it may have written into gaps of this output. Looks at the events begun shortly before
 * and after; an engine that computes with several threads or streams shows there.
 */
static bool alone(const struct ekka_op_context *ctx, const struct ekka_event *event)
{
	uint64_t last = event->segment ? event->segment->first_event + event->segment->n_events : event->number;
	uint64_t first = event->segment ? event->segment->first_event : event->number;
	struct ekka_event other = { 0 };
	bool only = true;

	for (uint64_t n = event->number > first + NEIGHBOURS ? event->number - NEIGHBOURS : first;
	     only && n < last && n <= event->number + NEIGHBOURS; n++)
		only = ekka_trace_event_read(ctx->trace, n, &other, NULL) == 0 && other.call.tid == event->call.tid &&
		       other.call.stream == event->call.stream && other.call.device == event->call.device;
	ekka_event_release(&other);
	return only;
}

/*
 * Nothing but the output's elements should have changed. What did change raises doubt and no more: a thread that computes without
 * any BLAS may own what lies beside the output, and the trace cannot tell.
 */
static void judge_gaps(struct job *job)
{
	struct ekka_verdict *v = job->verdict;
	char text[EKKA_TEXT];
	struct ekka_gaps gaps;

	if (!job->loaded[2] || !job->loaded[3] || job->gemm.c0.n_bytes != job->gemm.c.n_bytes ||
	    !ekka_gaps_compare(&job->gemm, job->loaded[2], &gaps) || !gaps.changed || !alone(job->ctx, job->event))
		return;
	ekka_gaps_describe(&gaps, &job->gemm, text);
	if (v->status == EKKA_FAIL) {
		ekka_audit_append(v, text);
		return;
	}
	v->status = EKKA_UNDECIDED;
	(void)snprintf(v->reason, sizeof v->reason, "%.440s: by this call, or by another thread meanwhile", text);
}

static void audit_numbers(struct job *job)
{
	ekka_audit_scalar(job->verdict, "alpha", job->gemm.alpha);
	ekka_audit_scalar(job->verdict, "beta", job->gemm.beta);
	if (job->gemm.model.policy[0])
		ekka_audit_append_policy(job->verdict, job->gemm.model.policy);
}

static int judge_gemm(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	struct job job = { .ctx = ctx, .event = event, .verdict = v, .room = ctx->memory_bytes / 4 * 3 };
	struct ekka_gemm_options o = { .exact = ctx->options->exact, .memory_bytes = ctx->memory_bytes / 4,
				       .delta = ctx->options->screen_delta };
	struct ekka_matrix *all[] = { &job.gemm.a, &job.gemm.b, &job.gemm.c0, &job.gemm.c };
	int r = prepare(&job, err);

	if (r == 0 && !job.settled)
		r = ekka_gemm_judge(&job.gemm, &o, v, err);
	if (r == 0 && !job.settled)
		judge_gaps(&job);
	audit_numbers(&job);
	for (unsigned i = 0; i < 4; i++) {
		ekka_matrix_release(all[i]);
		free(job.loaded[i]);
	}
	return r;
}

const struct ekka_op ekka_op_gemm = { "gemm", judge_gemm };
