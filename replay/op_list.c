/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "list": several of another op at once, whose name attribute `of` gives: kernels that go through lists of tensors. Item k, from 0 on, has the tensors NAME_k and the
 * attributes NAME_k under their NAME, and those that have no number; each is judged as an event of its own. An item without an output is none.
 *
 * The verdict: FAIL when an item's is, else the first that is not PASS; margin and worst element of the item that is furthest off, and the outputs' full names.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/op.h"

enum { NAME_BYTES = 32 };

/* One item as an event; what it does not own is borrowed from the whole one. */
struct item {
	struct ekka_event event;
	struct ekka_tensor tensor[EKKA_MAX_TENSORS];
	struct ekka_attr attr[EKKA_MAX_ATTRS];
	char tensor_name[EKKA_MAX_TENSORS][NAME_BYTES], attr_name[EKKA_MAX_ATTRS][NAME_BYTES];
	int place[EKKA_MAX_TENSORS];	/* of the whole event's tensors in the item; -1: not its */
	unsigned n_outputs;
};

/* The number that a name ends with, behind an underscore, and the name's length in front; -1: none. */
static long number_of(const char *name, size_t *ret_length)
{
	const char *at = strrchr(name, '_');
	size_t digits = at ? strspn(at + 1, "0123456789") : 0;

	*ret_length = strlen(name);
	if (digits == 0 || digits > 6 || at[1 + digits] != '\0')
		return -1;
	*ret_length = (size_t)(at - name);
	return strtol(at + 1, NULL, 10);
}

/* Its name in item k; false when it is another's, or too long for a name of anything that an op knows. */
static bool name_in(long k, const char *name, char ret[NAME_BYTES])
{
	size_t length;
	long n = number_of(name, &length);

	if ((n >= 0 && n != k) || length >= NAME_BYTES)
		return false;
	memcpy(ret, name, length);
	ret[length] = '\0';
	return true;
}

static void take_tensors(struct item *x, const struct ekka_event *whole, long k)
{
	const struct ekka_rec_call *call = &whole->call;
	unsigned n = 0;

	for (unsigned i = 0; i < call->n_tensors; i++) {
		size_t length;

		x->place[i] = -1;
		if (!name_in(k, call->tensors[i].name, x->tensor_name[n]))
			continue;
		x->place[i] = (int)n;
		x->tensor[n] = call->tensors[i];
		x->tensor[n].name = x->tensor_name[n];
		memcpy(x->event.data[n], whole->data[i], sizeof whole->data[i]);
		x->n_outputs += (call->tensors[i].dir & EKKA_OUT) && number_of(call->tensors[i].name, &length) >= 0;
		n++;
	}
	for (unsigned i = 0; i < n; i++)
		x->tensor[i].alias_of = x->tensor[i].alias_of < 0 ? -1 : x->place[x->tensor[i].alias_of];
	x->event.call.tensors = x->tensor;
	x->event.call.n_tensors = n;
}

static void take_attrs(struct item *x, const struct ekka_event *whole, long k, const char *of)
{
	unsigned n = 0;

	for (unsigned i = 0; i < whole->call.n_attrs; i++) {
		const struct ekka_attr *a = &whole->call.attrs[i];

		if (!name_in(k, a->name, x->attr_name[n]) || strcmp(a->name, "of") == 0)
			continue;
		x->attr[n] = (struct ekka_attr){ x->attr_name[n], a->value };
		if (strcmp(a->name, "op") == 0)
			x->attr[n].value = (struct ekka_value){ .kind = EKKA_V_STR, .s = of };
		n++;
	}
	x->event.call.attrs = x->attr;
	x->event.call.n_attrs = n;
}

static long count(const struct ekka_event *e)
{
	long n = 0;
	size_t length;

	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		long k = number_of(e->call.tensors[i].name, &length);

		n = k >= n ? k + 1 : n;
	}
	return n;
}

/* How much a status says against a PASS of all. */
static int weight(enum ekka_status s)
{
	return s == EKKA_FAIL ? 2 : s == EKKA_PASS ? 0 : 1;
}

static bool worse(const struct ekka_verdict *a, const struct ekka_verdict *b)
{
	if (weight(a->status) != weight(b->status))
		return weight(a->status) > weight(b->status);
	return weight(a->status) != 1 && (isnan(b->margin) || a->margin > b->margin);
}

/* Adds item k's verdict to that of all. */
static void merge(struct ekka_verdict *all, struct ekka_verdict *v, long k, bool first)
{
	uint64_t n_elements = all->n_elements + v->n_elements, n_bad = all->n_bad + v->n_bad;
	char audit[EKKA_TEXT], output[64];

	memcpy(audit, all->audit, sizeof audit);
	if (v->output[0]) {
		(void)snprintf(output, sizeof output, "%.24s_%ld", v->output, k);
		memcpy(v->output, output, sizeof v->output);
		v->output[sizeof v->output - 1] = '\0';
	}
	if (first || worse(v, all)) {
		char found[EKKA_TEXT];

		memcpy(found, v->audit, sizeof found);
		*all = *v;
		memcpy(all->audit, audit, sizeof audit);
		memcpy(v->audit, found, sizeof found);
	}
	if (v->audit[0] && !strstr(all->audit, v->audit))
		ekka_audit_append(all, v->audit);
	all->n_elements = n_elements;
	all->n_bad = n_bad;
}

static int judge_item(const struct ekka_op_context *ctx, const struct ekka_event *event, const struct ekka_op *op, long k, struct ekka_verdict *all,
		      bool *ret_any, struct ekka_error *err)
{
	struct item *x = calloc(1, sizeof *x);
	struct ekka_verdict v = { .event = event->number, .margin = NAN };
	int r = 0;

	if (!x)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for one item of a list");
	x->event = *event;
	x->event.arena = NULL;
	take_tensors(x, event, k);
	take_attrs(x, event, k, op->name);
	if (x->n_outputs) {
		r = op->judge(ctx, &x->event, &v, err);
		if (r >= 0)
			merge(all, &v, k, !*ret_any);
		*ret_any = true;
	}
	free(x);
	return r;
}

static int judge_list(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	const struct ekka_value *of = ekka_event_attr(event, "of");
	const struct ekka_op *op = of && of->kind == EKKA_V_STR && strcmp(of->s, "list") != 0 ? ekka_op_find(of->s) : NULL;
	long n = count(event);
	bool any = false;
	int r = 0;

	for (long k = 0; op && k < n && r >= 0; k++)
		r = judge_item(ctx, event, op, k, v, &any, err);
	if (r >= 0 && !any) {
		v->status = EKKA_UNSUPPORTED;
		(void)snprintf(v->reason, sizeof v->reason, op ? "a list without outputs" : "no reference for a list of this op");
	}
	return r < 0 ? r : 0;
}

const struct ekka_op ekka_op_list = { "list", judge_list };
