/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/rows.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/array_gaps.h"
#include "compare/clones.h"
#include "replay/rows_team.h"

int ekka_rows_init(struct ekka_rows *r, const struct ekka_op_context *ctx, const struct ekka_event *e, struct ekka_verdict *v,
		   struct ekka_error *err)
{
	memset(r, 0, sizeof *r);
	r->ctx = ctx;
	r->event = e;
	r->verdict = v;
	r->elements = ekka_elements_new();
	return r->elements ? 0 : ekka_error_set(err, EKKA_ERR_NOMEM, "no memory to compare elements");
}

void ekka_rows_release(struct ekka_rows *r)
{
	ekka_elements_free(r->elements);
	for (unsigned i = 0; i < EKKA_MAX_TENSORS; i++)
		for (unsigned phase = 0; phase < 2; phase++)
			ekka_array_release(&r->array[i][phase]);
	for (unsigned i = 0; i < r->n_buffers; i++)
		free(r->buffer[i]);
}

int ekka_rows_judge(const struct ekka_op_context *ctx, const struct ekka_event *e, int (*judge)(struct ekka_rows *, struct ekka_error *),
		    struct ekka_verdict *v, struct ekka_error *err)
{
	struct ekka_rows rows;
	int n = ekka_rows_init(&rows, ctx, e, v, err);

	if (n == 0)
		n = judge(&rows, err);
	ekka_rows_release(&rows);
	return n;
}

int ekka_rows_run(const struct ekka_rows_op *op, const struct ekka_op_context *ctx, const struct ekka_event *e, struct ekka_verdict *v,
		  struct ekka_error *err)
{
	struct ekka_rows *r = calloc(1, op->bytes);
	char text[EKKA_TEXT] = "";
	int n;

	if (!r)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory to judge rows");
	n = ekka_rows_init(r, ctx, e, v, err);
	if (n == 0)
		n = op->prepare(r, err);
	if (n == 0 && !r->settled) {
		r->end = r->n_rows;
		if ((!op->device || !op->device(r)) && !ekka_rows_together(op, r))
			do
				op->compare(r);
			while (ekka_elements_again(r->elements));
		op->bound(r, text);
		n = ekka_rows_verdict(r, text, err);
		if (v->status == EKKA_FAIL)
			op->explain(r);
	}
	if (op->release)
		op->release(r);
	ekka_rows_release(r);
	free(r);
	return n;
}

void ekka_rows_settle(struct ekka_rows *r, enum ekka_status status, const char *reason)
{
	r->settled = true;
	r->verdict->status = status;
	(void)snprintf(r->verdict->reason, sizeof r->verdict->reason, "%s", reason);
}

int ekka_rows_take(struct ekka_rows *r, const char *name, enum ekka_phase phase, bool needed, struct ekka_array **ret, struct ekka_error *err)
{
	int index = ekka_event_tensor_index(r->event, name), n;
	char text[EKKA_TEXT];

	*ret = NULL;
	if (r->settled)
		return 0;
	if (index < 0) {
		(void)snprintf(text, sizeof text, "the event has no tensor %.64s", name);
		if (needed)
			ekka_rows_settle(r, EKKA_INCOMPLETE, text);
		return 0;
	}
	if (!r->array[index][phase].bytes) {
		n = ekka_array_load(r->ctx, r->event, index, phase, &r->array[index][phase], r->verdict, err);
		if (n < 0)
			return n;
		r->settled = n == 0;
		if (n == 0)
			return 0;
	}
	if (ekka_dtype_is_complex(r->array[index][phase].dtype)) {
		ekka_rows_settle(r, EKKA_UNSUPPORTED, "no reference for complex numbers");
		return 0;
	}
	*ret = &r->array[index][phase];
	return 0;
}

int ekka_rows_output(struct ekka_rows *r, const char *name, struct ekka_array **ret, struct ekka_error *err)
{
	int index = ekka_event_tensor_index(r->event, name);

	*ret = NULL;
	if (index >= 0 && r->event->call.tensors[index].dir == EKKA_IN)
		return 0;
	return ekka_rows_take(r, name, EKKA_POST, false, ret, err);
}

double *ekka_rows_buffer(struct ekka_rows *r, int64_t n, struct ekka_error *err)
{
	double *p = NULL;

	if (r->n_buffers < sizeof r->buffer / sizeof r->buffer[0] && n > 0 && (uint64_t)n <= SIZE_MAX / sizeof *p)
		p = calloc((size_t)n, sizeof *p);
	if (!p)
		(void)ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %lld numbers", (long long)n);
	else
		r->buffer[r->n_buffers++] = p;
	return p;
}

double ekka_rows_number(const struct ekka_rows *r, const char *name, double fallback)
{
	const struct ekka_value *v = ekka_event_attr(r->event, name);

	if (!v)
		return fallback;
	switch (v->kind) {
	case EKKA_V_INT: return (double)v->i;
	case EKKA_V_UINT: return (double)v->u;
	case EKKA_V_REAL: return v->r[0];
	default: return fallback;
	}
}

const char *ekka_rows_text(const struct ekka_rows *r, const char *name, const char *fallback)
{
	const struct ekka_value *v = ekka_event_attr(r->event, name);

	return v && v->kind == EKKA_V_STR ? v->s : fallback;
}

enum ekka_dtype ekka_rows_dtype(const struct ekka_rows *r, const char *name, enum ekka_dtype fallback)
{
	enum ekka_dtype t;

	return ekka_dtype_from_name(ekka_rows_text(r, name, ""), &t) == 0 ? t : fallback;
}

enum ekka_dtype ekka_rows_compute(const struct ekka_rows *r, enum ekka_dtype input)
{
	enum ekka_dtype t = ekka_rows_dtype(r, "compute", input == EKKA_F64 ? EKKA_F64 : EKKA_F32);

	return ekka_dtype_unit_roundoff(t) > 0 && !ekka_dtype_is_complex(t) ? t : EKKA_F32;
}

double ekka_rows_additions(const struct ekka_rows *r, int64_t n, double u)
{
	double depth = ekka_rows_number(r, "depth", INFINITY), most = (double)(n > 1 ? n - 1 : 0);

	return depth >= 0 && depth * u < 0.5 && depth / (1 - depth * u) < most ? depth / (1 - depth * u) : most;
}

int64_t ekka_rows_length(const struct ekka_array *a, unsigned trailing)
{
	int64_t n = 1;

	for (unsigned d = a->n_dims > trailing ? a->n_dims - trailing : 0; d < a->n_dims; d++)
		n *= a->dim[d];
	return n;
}

int64_t ekka_rows_count(const struct ekka_array *a, unsigned trailing)
{
	return a->n / ekka_rows_length(a, trailing);
}

bool ekka_near_holds(enum ekka_dtype t, double got, struct ekka_near x)
{
	if (isnan(x.value) || isnan(got))
		return isnan(x.value) && isnan(got);
	return got >= ekka_narrow(t, x.value - x.error) && got <= ekka_narrow(t, x.value + x.error);
}

static void note_wrong(struct ekka_rows *r, const struct ekka_array *out, int64_t index, double got)
{
	const struct ekka_wrong *last = r->n_wrong ? &r->wrong[r->n_wrong - 1] : NULL;
	int64_t length = r->row_length > 0 ? r->row_length : 1;

	if (r->n_wrong == EKKA_ROWS_WRONG || (last && last->output == out && last->index / length == index / length))
		return;
	r->wrong[r->n_wrong++] = (struct ekka_wrong){ out, index, got };
}

/* Half the spacing of numbers of this size, for unit roundoff u. */
static inline double half_spacing(double size, double u)
{
	uint64_t bits;

	memcpy(&bits, &size, sizeof bits);
	bits &= 0x7ff0000000000000u;	/* the power of two below */
	memcpy(&size, &bits, sizeof size);
	return size * u;
}

/* How many elements may be wrong. Subnormals are looked at more closely by who asks. */
EKKA_CLONES static double count_odd(size_t n, const double *restrict got, const double *restrict ref, const double *restrict bound, double u)
{
	double odd[8] = { 0 };
	size_t i = 0;

	for (; i + 8 <= n; i += 8)
		for (unsigned l = 0; l < 8; l++) {
			double size = fabs(ref[i + l]);

			odd[l] += fabs(got[i + l] - ref[i + l]) <= bound[i + l] + half_spacing(size + bound[i + l], u) ? 0 : 1;
		}
	for (; i < n; i++)
		odd[0] += fabs(got[i] - ref[i]) <= bound[i] + half_spacing(fabs(ref[i]) + bound[i], u) ? 0 : 1;
	return odd[0] + odd[1] + odd[2] + odd[3] + odd[4] + odd[5] + odd[6] + odd[7];
}

/* Elements that stand out; a rough look first, since nearly all are right. */
static void find_wrong(struct ekka_rows *r, const struct ekka_array *out, int64_t first, int64_t n, const double *got, const double *ref,
		       const double *bound)
{
	double odd = r->n_wrong < EKKA_ROWS_WRONG ? count_odd((size_t)n, got, ref, bound, ekka_dtype_unit_roundoff(out->dtype)) : 0;

	for (int64_t i = 0; odd > 0 && i < n && r->n_wrong < EKKA_ROWS_WRONG; i++)
		if (bound[i] < INFINITY && !ekka_near_holds(out->dtype, got[i], (struct ekka_near){ ref[i], bound[i] }))
			note_wrong(r, out, first + i, got[i]);
}

void ekka_rows_compare(struct ekka_rows *r, const struct ekka_array *out, int64_t first, int64_t n, const double *ref, const double *bound)
{
	static const double exact[1024];
	double got[1024];

	ekka_elements_output(r->elements, out->tensor);
	for (int64_t done = 0, m; done < n; done += m) {
		const double *want = ref + done, *b = bound ? bound + done : exact;

		m = n - done < 1024 ? n - done : 1024;
		ekka_array_get(out, first + done, (size_t)m, got);
		ekka_elements_add(r->elements, first + done, (size_t)m, got, want, b, false);
		find_wrong(r, out, first + done, m, got, want, b);
	}
}

void ekka_rows_compare_int(struct ekka_rows *r, const struct ekka_array *out, int64_t first, int64_t n, const int64_t *ref)
{
	int64_t got[1024];

	ekka_elements_output(r->elements, out->tensor);
	for (int64_t done = 0, m; done < n; done += m) {
		m = n - done < 1024 ? n - done : 1024;
		ekka_array_get_int(out, first + done, (size_t)m, got);
		ekka_elements_add_int(r->elements, first + done, (size_t)m, got, ref + done);
		for (int64_t i = 0; i < m; i++)
			if (got[i] != ref[done + i])
				note_wrong(r, out, first + done + i, (double)got[i]);
	}
}

void ekka_rows_looks_like(struct ekka_rows *r, const char *format, ...)
{
	va_list args;

	if (r->explained || ekka_not_written(r->verdict))
		return;
	r->explained = true;
	va_start(args, format);
	(void)vsnprintf(r->verdict->looks_like, sizeof r->verdict->looks_like, format, args);
	va_end(args);
}

/* Does another output have elements there: then what changed may be its. */
static bool shared(const struct ekka_event *e, unsigned i)
{
	const struct ekka_tensor *t = e->call.tensors;

	for (unsigned j = 0; j < e->call.n_tensors; j++)
		if (j != i && t[j].dir != EKKA_IN && t[j].addr < t[i].addr + t[i].span_bytes && t[i].addr < t[j].addr + t[j].span_bytes)
			return true;
	return false;
}

/* Bytes in an output's range that are none of its elements and that the event changed. */
static int judge_gaps(struct ekka_rows *r, struct ekka_error *err)
{
	for (unsigned i = 0; i < r->event->call.n_tensors; i++) {
		const struct ekka_array *after = &r->array[i][EKKA_POST];
		struct ekka_array *before;
		char text[EKKA_TEXT];
		int n;

		if (!after->bytes || !ekka_array_has_gaps(after) || shared(r->event, i) ||
		    !ekka_array_recorded(r->ctx, r->event, (int)i, EKKA_PRE))
			continue;
		n = ekka_rows_take(r, after->tensor->name, EKKA_PRE, false, &before, err);
		if (n == 0 && before)
			n = ekka_array_gaps(before, after, text, err);
		if (n < 0)
			return n;
		if (n == 0 || !ekka_event_runs_alone(r->ctx, r->event))
			continue;
		if (r->verdict->status == EKKA_PASS) {
			r->verdict->status = EKKA_UNDECIDED;
			(void)snprintf(r->verdict->reason, sizeof r->verdict->reason, "%.440s: by this call, or by another thread meanwhile",
				       text);
		} else {
			ekka_audit_append(r->verdict, text);
		}
	}
	return 0;
}

static bool value_before(void *arg, int64_t index, double *ret)
{
	ekka_array_get(arg, index, 1, ret);
	return true;
}

/* What outputs with bad elements held before, where that was recorded: it may be what they hold still. */
static int know_before(struct ekka_rows *r, struct ekka_error *err)
{
	for (unsigned i = 0; i < r->event->call.n_tensors; i++) {
		const struct ekka_tensor *t = &r->event->call.tensors[i];
		struct ekka_array *before;
		int n;

		if (!r->array[i][EKKA_POST].bytes || !ekka_elements_bad(r->elements, t) || !ekka_array_recorded(r->ctx, r->event, (int)i, EKKA_PRE))
			continue;
		n = ekka_rows_take(r, t->name, EKKA_PRE, false, &before, err);
		r->settled = false;	/* only for the explanation */
		if (n < 0)
			return n;
		if (!before)
			continue;
		ekka_elements_output(r->elements, t);
		ekka_elements_before(r->elements, value_before, before);
	}
	return 0;
}

int ekka_rows_verdict(struct ekka_rows *r, const char *bound, struct ekka_error *err)
{
	int n = know_before(r, err);

	if (n < 0)
		return n;
	ekka_elements_verdict(r->elements, bound, r->verdict);
	return judge_gaps(r, err);
}
