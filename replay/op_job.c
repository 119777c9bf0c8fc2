/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/op_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/blobs.h"
#include "replay/convert.h"
#include "replay/gaps.h"

enum { NEIGHBOURS = 16 };	/* events on either side that tell whether calls run side by side */

void ekka_job_settle(struct ekka_job *job, enum ekka_status status, const char *reason)
{
	job->settled = true;
	job->verdict->status = status;
	(void)snprintf(job->verdict->reason, sizeof job->verdict->reason, "%s", reason);
}

static int read_blob(void *arg, uint64_t offset, void *buf, size_t len, struct ekka_error *err)
{
	const struct ekka_job_blob *blob = arg;

	return ekka_trace_blob_read(blob->trace, &blob->id, offset, buf, len, err);
}

int ekka_job_matrix(struct ekka_job *job, int index, enum ekka_phase phase, enum ekka_slot slot, struct ekka_matrix *m,
		    struct ekka_error *err)
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
		ekka_job_settle(job, EKKA_INCOMPLETE, reason);
		return 0;
	}
	if (ekka_matrix_init(m, t, bytes, &bad) < 0) {
		ekka_job_settle(job, EKKA_INCOMPLETE, bad.message);
		return 0;
	}
	job->blob[slot] = (struct ekka_job_blob){ job->ctx->trace, data->rec.id };
	m->read = read_blob;
	m->arg = &job->blob[slot];
	if (bytes > job->room || !bytes)
		return 0;
	r = ekka_blobs_hold(job->ctx->blobs, job->ctx->trace, &data->rec.id, bytes, &job->loaded[slot], err);
	if (r == EKKA_ERR_NOMEM)
		return 0;	/* piecewise, then */
	if (r < 0)
		return r;
	m->bytes = job->loaded[slot];
	m->held = true;
	job->room -= bytes;
	return 0;
}

int ekka_job_scalar(struct ekka_job *job, const char *name, double fallback, double ret[2], struct ekka_error *err)
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
			ekka_job_settle(job, EKKA_INCOMPLETE, reason);
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
		ekka_job_settle(job, EKKA_INCOMPLETE, reason);
	}
	return 0;
}

int64_t ekka_job_attr(const struct ekka_event *e, const char *name, int64_t fallback)
{
	const struct ekka_value *v = ekka_event_attr(e, name);

	return v && v->kind == EKKA_V_INT ? v->i : v && v->kind == EKKA_V_UINT && v->u <= INT64_MAX ? (int64_t)v->u : fallback;
}

int64_t ekka_job_compute_type(const struct ekka_event *e)
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

bool ekka_job_consistent(const struct ekka_gemm *g)
{
	bool ab = !g->has_product || (g->a.rows == g->m && g->b.cols == g->n && g->b.rows == g->k &&
				      (g->a.batch == g->batch || g->a.batch == 1) && (g->b.batch == g->batch || g->b.batch == 1));

	return ab && (!g->has_c0 || (g->c0.rows == g->m && g->c0.cols == g->n && g->c0.batch == g->batch));
}

void ekka_job_device(const struct ekka_job *job, struct ekka_bound_facts *facts)
{
	const struct ekka_event *e = job->event;

	for (size_t i = 0; e->segment && i < e->segment->n_devices; i++)
		if (e->segment->devices[i].ordinal == e->call.device) {
			facts->cc_major = e->segment->devices[i].cc_major;
			facts->cc_minor = e->segment->devices[i].cc_minor;
		}
}

bool ekka_event_runs_alone(const struct ekka_op_context *ctx, const struct ekka_event *event)
{
	uint64_t last = event->segment ? event->segment->first_event + event->segment->n_events : event->number;
	uint64_t first = event->segment ? event->segment->first_event : event->number;
	struct ekka_event other = { 0 };
	bool only = !ekka_event_attr(event, "concurrent");

	for (uint64_t n = event->number > first + NEIGHBOURS ? event->number - NEIGHBOURS : first;
	     only && n < last && n <= event->number + NEIGHBOURS; n++)
		only = ekka_trace_event_read(ctx->trace, n, &other, NULL) == 0 && other.call.tid == event->call.tid &&
		       other.call.stream == event->call.stream && other.call.device == event->call.device;
	ekka_event_release(&other);
	return only;
}

void ekka_job_gaps(struct ekka_job *job, const unsigned char *before, uint64_t before_bytes)
{
	struct ekka_verdict *v = job->verdict;
	char text[EKKA_TEXT];
	struct ekka_gaps gaps;

	if (!before || !job->loaded[EKKA_SLOT_C] || before_bytes != job->gemm.c.n_bytes ||
	    !ekka_gaps_compare(&job->gemm, before, &gaps) || !gaps.changed || !ekka_event_runs_alone(job->ctx, job->event))
		return;
	ekka_gaps_describe(&gaps, &job->gemm, text);
	if (v->status == EKKA_FAIL) {
		ekka_audit_append(v, text);
		return;
	}
	v->status = EKKA_UNDECIDED;
	(void)snprintf(v->reason, sizeof v->reason, "%.440s: by this call, or by another thread meanwhile", text);
}

void ekka_job_audit_numbers(struct ekka_job *job)
{
	ekka_audit_scalar(job->verdict, "alpha", job->gemm.alpha);
	ekka_audit_scalar(job->verdict, "beta", job->gemm.beta);
	if (job->gemm.model.policy[0])
		ekka_audit_append_policy(job->verdict, job->gemm.model.policy);
}

void ekka_job_release(struct ekka_job *job)
{
	struct ekka_matrix *all[] = { &job->gemm.a, &job->gemm.b, &job->gemm.c0, &job->gemm.c };

	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++)
		ekka_matrix_release(all[i]);
	for (unsigned i = 0; i < EKKA_SLOTS; i++)
		ekka_blobs_let_go(job->loaded[i]);
}
