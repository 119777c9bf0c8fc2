/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/audit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char POLICY[] = "policy: ";

/* Findings stand before policy notes, so that the first characters tell whether there are any. */
void ekka_audit_append(struct ekka_verdict *v, const char *finding)
{
	char notes[EKKA_TEXT] = "";
	char *at = strstr(v->audit, POLICY);
	size_t len;

	if (at) {
		(void)snprintf(notes, sizeof notes, "%s", at);
		*at = '\0';
	}
	len = strlen(v->audit);
	(void)snprintf(v->audit + len, sizeof v->audit - len, "%s%s%s%s", len && !at ? "; " : "", finding, at ? "; " : "", notes);
}

void ekka_audit_append_policy(struct ekka_verdict *v, const char *note)
{
	size_t len = strlen(v->audit);

	(void)snprintf(v->audit + len, sizeof v->audit - len, "%s%s%s", len ? "; " : "", POLICY, note);
}

bool ekka_audit_is_finding(const char *audit)
{
	return audit[0] && strncmp(audit, POLICY, sizeof POLICY - 1);
}

bool ekka_audit_call_failed(const struct ekka_event *e)
{
	return e->state != EKKA_EVENT_BEGUN && e->fn && !strncmp(e->fn->library, "cublas", 6) && e->ret.kind == EKKA_V_INT && e->ret.i != 0;
}

static void audit_null(const struct ekka_event *e, const char *name, struct ekka_verdict *v)
{
	const struct ekka_value *value = ekka_event_attr(e, name);
	char text[96];

	if (!value || value->kind != EKKA_V_NIL)
		return;
	(void)snprintf(text, sizeof text, "%s is a null pointer", name);
	ekka_audit_append(v, text);
}

/* Dimensions with more than one element, smallest stride first. */
static unsigned sorted_dims(const struct ekka_tensor *t, int64_t dim[EKKA_MAX_DIMS], uint64_t stride[EKKA_MAX_DIMS])
{
	unsigned n = 0;

	for (unsigned d = 0; d < t->n_dims && d < EKKA_MAX_DIMS; d++) {
		uint64_t s = t->stride[d] < 0 ? 0 - (uint64_t)t->stride[d] : (uint64_t)t->stride[d];
		unsigned at = n;

		if (t->dim[d] <= 1 || (d == 0 && t->n_ptrs))
			continue;
		for (; at > 0 && stride[at - 1] > s; at--) {
			dim[at] = dim[at - 1];
			stride[at] = stride[at - 1];
		}
		dim[at] = t->dim[d];
		stride[at] = s;
		n++;
	}
	return n;
}

/* Do elements of an output share memory: a stride that the smaller dimensions reach or pass. */
static bool overlaps_itself(const struct ekka_tensor *t)
{
	int64_t dim[EKKA_MAX_DIMS];
	uint64_t stride[EKKA_MAX_DIMS], reach = 0, more;
	unsigned n = sorted_dims(t, dim, stride);

	for (unsigned d = 0; d < n; d++) {
		if (stride[d] <= reach)
			return true;
		if (__builtin_mul_overflow(stride[d], (uint64_t)dim[d] - 1, &more) || __builtin_add_overflow(reach, more, &reach))
			return false;
	}
	return false;
}

/* A matrix as lines of `length` bytes, `step` bytes apart; false when it is not of that form. */
struct lines { uint64_t addr, length, step, n; };

static bool as_lines(const struct ekka_tensor *t, struct lines *l)
{
	int64_t dim[EKKA_MAX_DIMS];
	uint64_t stride[EKKA_MAX_DIMS], size = ekka_dtype_bytes(t->dtype);
	unsigned n = sorted_dims(t, dim, stride), d = 0;

	if (t->n_ptrs || t->offset || overlaps_itself(t) || !t->span_bytes)
		return false;
	*l = (struct lines){ t->addr, size, t->span_bytes, 1 };
	for (; d < n && stride[d] * size == l->length; d++)
		l->length *= (uint64_t)dim[d];
	if (d + 1 < n)
		return false;
	if (d < n) {
		l->step = stride[d] * size;
		l->n = (uint64_t)dim[d];
	}
	return true;
}

/* Do two tensors certainly share bytes. Parts of one larger matrix lie in one range without touching: then the lines decide. */
static bool overlap(const struct ekka_tensor *x, const struct ekka_tensor *y)
{
	struct lines a, b;
	uint64_t off, line;

	if (x->place != y->place || !as_lines(x, &a) || !as_lines(y, &b))
		return false;
	if (a.addr > b.addr) {
		struct lines t = a;

		a = b;
		b = t;
	}
	if (b.addr - a.addr >= (a.n - 1) * a.step + a.length)
		return false;
	if (a.n == 1 && b.n == 1)
		return true;
	if (a.n == 1)
		a.step = b.step;	/* one line of a matrix with b's lines */
	if (b.n == 1)
		b.step = a.step;
	if (a.step != b.step)
		return false;
	off = (b.addr - a.addr) % a.step;
	line = (b.addr - a.addr) / a.step;
	/* b's lines begin within a's, or run over into a's next line. */
	return (off < a.length && line < a.n) || (off + b.length > a.step && line + 1 < a.n);
}

/*
 * In place: the output's elements are the input's, one by one, and the op reads an element, or its row, before it writes it. A product of
 * matrices reads on after it has begun to write.
 */
static bool in_place(const struct ekka_event *e, const struct ekka_tensor *out, const struct ekka_tensor *in)
{
	const struct ekka_value *expr = ekka_event_attr(e, "expr");
	char indexed[64];

	static const char *const unsafe[] = { "gemm", "matmul", "conv", "attention", "cat", "sort", "scatter" };

	for (size_t i = 0; i < sizeof unsafe / sizeof unsafe[0]; i++)
		if (!strcmp(ekka_event_op(e), unsafe[i]))
			return false;
	/* An expression that picks elements of the input by index reads what another thread may have written. */
	(void)snprintf(indexed, sizeof indexed, "%.48s[", in->name);
	if (expr && expr->kind == EKKA_V_STR && strstr(expr->s, indexed))
		return false;
	if (out->addr != in->addr || out->n_dims != in->n_dims || ekka_dtype_bytes(out->dtype) != ekka_dtype_bytes(in->dtype))
		return false;
	for (unsigned d = 0; d < out->n_dims; d++)
		if (out->dim[d] != in->dim[d] || (out->stride[d] != in->stride[d] && out->dim[d] > 1))
			return false;
	return true;
}

/* Does a byte of these lines lie in [from, to). */
static bool lines_touch(const struct lines *l, uint64_t from, uint64_t to)
{
	uint64_t line = from <= l->addr ? 0 : (from - l->addr) / l->step, start = l->addr + line * l->step;

	if (line >= l->n || start >= to)
		return false;
	return start + l->length > from || (line + 1 < l->n && start + l->step < to);
}

/* The library's scratch memory must be nobody's operand. */
static void audit_workspace(const struct ekka_event *e, struct ekka_verdict *v)
{
	const struct ekka_value *at = ekka_event_attr(e, "workspace"), *bytes = ekka_event_attr(e, "workspace_bytes");
	char text[160];

	if (!at || !bytes || (at->kind != EKKA_V_INT && at->kind != EKKA_V_UINT) || (bytes->kind != EKKA_V_INT && bytes->kind != EKKA_V_UINT) ||
	    !at->u || bytes->u > UINT64_MAX - at->u)
		return;
	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		const struct ekka_tensor *t = &e->call.tensors[i];
		struct lines l;

		if (t->place != EKKA_DEVICE || t->alias_of >= 0 || !as_lines(t, &l) || !lines_touch(&l, at->u, at->u + bytes->u))
			continue;
		(void)snprintf(text, sizeof text, "the workspace overlaps %s", t->name);
		ekka_audit_append(v, text);
	}
}

static void audit_tensors(const struct ekka_event *e, struct ekka_verdict *v)
{
	char text[160];

	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		const struct ekka_tensor *out = &e->call.tensors[i];

		if (!out->addr && out->span_bytes) {
			(void)snprintf(text, sizeof text, "%s is a null pointer", out->name);
			ekka_audit_append(v, text);
			continue;
		}
		if (!(out->dir & EKKA_OUT))
			continue;
		if (overlaps_itself(out)) {
			(void)snprintf(text, sizeof text, "elements of the output %s lie on top of each other", out->name);
			ekka_audit_append(v, text);
		}
		for (unsigned j = 0; j < e->call.n_tensors; j++) {
			const struct ekka_tensor *in = &e->call.tensors[j];

			/* A view stands for the tensor it views; of launches described afterwards all are views of what was recorded. */
			if (in->dir != EKKA_IN || (in->alias_of >= 0) != (out->alias_of >= 0) || !overlap(out, in) || in_place(e, out, in))
				continue;
			(void)snprintf(text, sizeof text, "the output %s overlaps the input %s", out->name, in->name);
			ekka_audit_append(v, text);
		}
	}
}

void ekka_audit_scalar(struct ekka_verdict *v, const char *name, const double value[2])
{
	char text[96];

	if (isfinite(value[0]) && isfinite(value[1]))
		return;
	(void)snprintf(text, sizeof text, "%s is %s", name, isnan(value[0]) || isnan(value[1]) ? "NaN" : "infinite");
	ekka_audit_append(v, text);
}

/* Does this address lie in one of the event's tensors. */
static bool is_address(const struct ekka_event *e, uint64_t word)
{
	for (unsigned i = 0; i < e->call.n_tensors; i++)
		if (word >= e->call.tensors[i].addr && word - e->call.tensors[i].addr <= e->call.tensors[i].span_bytes)
			return true;
	return false;
}

/*
 * May a struct hold a number of 64 bits: an aligned word whose upper half is 0 or -1, and that is no address. Two small numbers side by side, the
 * second of them 0, look the same: then nothing is said.
 */
static bool may_hold_int64(const struct ekka_event *e, const uint8_t *p, uint64_t n)
{
	for (uint64_t at = 0; at + 8 <= n; at += 8) {
		uint64_t word;

		memcpy(&word, p + at, sizeof word);
		if (word && (word >> 32 == 0 || word >> 32 == UINT32_MAX) && !is_address(e, word))
			return true;
	}
	return false;
}

/* "4 bytes at 16": is a parameter of that many bytes the largest that the kernel takes, addresses aside; those in structs, too. */
static bool takes_int32_only(const struct ekka_event *e)
{
	for (unsigned i = 0; i < e->call.n_args; i++) {
		const char *type = i < e->fn->n_args ? e->fn->args[i].type : NULL;
		const struct ekka_value *v = &e->call.args[i];

		if (v->kind == EKKA_V_BIN && (v->bin.n < 8 || !may_hold_int64(e, v->bin.p, v->bin.n)))
			continue;
		if (v->kind != EKKA_V_PTR && (!type || strtoul(type, NULL, 10) > 4))
			return false;
	}
	return e->call.n_args > 0;
}

/* A kernel without a 64-bit number among its parameters, and a tensor whose elements' numbers need one: it may multiply in 32 bits. */
static void audit_indices(const struct ekka_event *e, struct ekka_verdict *v)
{
	char text[160];

	if (!ekka_event_is_launch(e) || !takes_int32_only(e))
		return;
	for (unsigned i = 0; i < e->call.n_tensors; i++) {
		const struct ekka_tensor *t = &e->call.tensors[i];
		uint64_t size = ekka_dtype_bytes(t->dtype);

		if (!size || t->span_bytes / size <= INT32_MAX || !ekka_event_op(e)[0])
			continue;
		(void)snprintf(text, sizeof text, "%.32s reaches over %llu elements, and all integers that the kernel takes have 32 bits", t->name,
			       (unsigned long long)(t->span_bytes / size));
		ekka_audit_append_policy(v, text);
		return;
	}
}

void ekka_audit_event(const struct ekka_event *e, struct ekka_verdict *v)
{
	if (e->call.bad_args)
		ekka_audit_append(v, e->call.bad_args);
	audit_null(e, "alpha", v);
	audit_null(e, "beta", v);
	audit_tensors(e, v);
	audit_workspace(e, v);
	audit_indices(e, v);
}
