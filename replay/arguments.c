/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/arguments.h"

#include "replay/audit_bytes.h"
#include "replay/convert.h"
#include "replay/report.h"
#include "trace/hash.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AGREE_LEAST = 8, NAME = 32 };

struct number { uint64_t kind, event; double value; char name[NAME]; };

struct ekka_arguments {
	struct number *number;	/* owned */
	size_t n, cap;
	struct { uint64_t event; char text[EKKA_NOTE]; } *note;	/* owned; those found */
	size_t n_notes;
};

struct ekka_arguments *ekka_arguments_new(void)
{
	return calloc(1, sizeof(struct ekka_arguments));
}

void ekka_arguments_free(struct ekka_arguments *a)
{
	if (a) {
		free(a->number);
		free(a->note);
	}
	free(a);
}

/* Numbers of one kind: the same argument of the same function, called from the same place in the same process. */
static uint64_t kind_of(const struct ekka_event *e, const char *name)
{
	const char *function = e->fn->name;
	uint64_t part[4] = { ekka_check64(function, strlen(function)), ekka_check64(name, strlen(name)), e->stack ? e->stack->id : 0,
			     e->segment ? e->segment->first_event : 0 };

	return ekka_check64(part, sizeof(part));
}

static int add(struct ekka_arguments *a, const struct ekka_event *e, const char *name, double value, struct ekka_error *err)
{
	struct number *x;

	if (a->n == a->cap) {
		size_t cap = a->cap ? 2 * a->cap : 256;
		void *grown = realloc(a->number, cap * sizeof(*a->number));

		if (!grown)
			return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %zu arguments", cap);
		a->number = grown;
		a->cap = cap;
	}
	x = &a->number[a->n++];
	*x = (struct number){ .kind = kind_of(e, name), .event = e->number, .value = value };
	(void)snprintf(x->name, sizeof(x->name), "%s", name);
	return 0;
}

/* The value of a scale of one element; false when it is none, or not to be had. */
static bool scale_of(struct ekka_trace *trace, const struct ekka_event *e, unsigned i, double *ret)
{
	const struct ekka_tensor *t = &e->call.tensors[i];
	const struct ekka_event_data *pre = &e->data[i][EKKA_PRE];
	struct ekka_error ignored = { 0 };
	unsigned char bytes[16];
	size_t n = ekka_dtype_bytes(t->dtype);

	if (!ekka_is_scale(t) || t->span_bytes != n || !pre->present || pre->rec.missing || pre->rec.bytes != n ||
	    !ekka_trace_blob_present(trace, &pre->rec.id, NULL) || ekka_trace_blob_read(trace, &pre->rec.id, 0, bytes, n, &ignored) != 0)
		return false;
	ekka_convert(t->dtype, bytes, 1, 1, ret, NULL);
	return true;
}

int ekka_arguments_add(struct ekka_arguments *a, struct ekka_trace *trace, const struct ekka_event *e, struct ekka_error *err)
{
	double value;
	int r = 0;

	for (unsigned i = 0; i < e->call.n_attrs && r == 0; i++)
		if (e->call.attrs[i].value.kind == EKKA_V_REAL)
			r = add(a, e, e->call.attrs[i].name, e->call.attrs[i].value.r[0], err);
	for (unsigned i = 0; i < e->call.n_tensors && r == 0; i++)
		if (scale_of(trace, e, i, &value))
			r = add(a, e, e->call.tensors[i].name, value, err);
	return r;
}

/* ---- what stands out -------------------------------------------------- */

/* By kind, then by value; NaN last, then by event. */
static int by_kind(const void *pa, const void *pb)
{
	const struct number *a = pa, *b = pb;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (isnan(a->value) != isnan(b->value))
		return isnan(a->value) ? 1 : -1;
	if (a->value != b->value && !isnan(a->value))
		return a->value < b->value ? -1 : 1;
	return a->event < b->event ? -1 : a->event > b->event;
}

static bool agrees(double value, double median)
{
	return fabs(value - median) <= 0.01 * fabs(median);
}

/* NaN does, too. */
static bool stands_out(double value, double median)
{
	double ratio = value / median;

	return median == 0 ? value != 0 : !(ratio >= 0.5 && ratio <= 2);
}

static int note(struct ekka_arguments *a, const struct number *x, double median, size_t n_agree, struct ekka_error *err)
{
	void *grown = realloc(a->note, (a->n_notes + 1) * sizeof(*a->note));

	if (!grown)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for a note");
	a->note = grown;
	a->note[a->n_notes].event = x->event;
	(void)snprintf(a->note[a->n_notes].text, EKKA_NOTE, "%s is %.6g, in %zu other calls from the same place %.6g", x->name, x->value, n_agree, median);
	a->n_notes++;
	return 0;
}

/* Numbers of one kind, sorted. */
static int look_at(struct ekka_arguments *a, const struct number *x, size_t n, struct ekka_error *err)
{
	double median = x[n / 2].value;
	size_t n_agree = 0, n_out = 0;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		n_agree += agrees(x[i].value, median);
		n_out += stands_out(x[i].value, median);
	}
	if (n_agree < AGREE_LEAST || n_agree + n_out != n || 8 * n_out > n)
		return 0;
	for (size_t i = 0; i < n && r == 0; i++)
		if (stands_out(x[i].value, median))
			r = note(a, &x[i], median, n_agree, err);
	return r;
}

static int by_event(const void *pa, const void *pb)
{
	uint64_t a = *(const uint64_t *)pa, b = *(const uint64_t *)pb;	/* the first member of a note */

	return a < b ? -1 : a > b;
}

int ekka_arguments_report(struct ekka_arguments *a, struct ekka_report *report, struct ekka_error *err)
{
	int r = 0;

	if (a->n)
		qsort(a->number, a->n, sizeof(*a->number), by_kind);
	for (size_t i = 0, end; i < a->n && r == 0; i = end) {
		for (end = i + 1; end < a->n && a->number[end].kind == a->number[i].kind; end++)
			;
		r = look_at(a, &a->number[i], end - i, err);
	}
	if (a->n_notes)
		qsort(a->note, a->n_notes, sizeof(*a->note), by_event);
	for (size_t i = 0; i < a->n_notes && r == 0; i++)
		r = ekka_report_note(report, a->note[i].event, a->note[i].text, err);
	return r;
}
