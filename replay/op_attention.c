/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "attention": from an event to struct ekka_attention, whose header gives the mathematics and the bound. spec/kernels/README.md lists
 * tensors and attributes. Not supported: dropout.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/backend.h"
#include "replay/op_attention.h"

/* What rows that see nothing, or only keys masked by a large bias, may hold. */
static void excuse(const struct ekka_attention_result *row, int64_t n, const double *out, double *ref, double *bound)
{
	for (int64_t c = 0; c < n; c++) {
		bool fine = out[c] == 0 || isnan(out[c]) || (row->kind == EKKA_ROW_ABSORBED && fabs(out[c]) <= row->bound[c]);

		ref[c] = fine ? out[c] : 0;
		bound[c] = 0;
	}
}

static void add_per_row(struct ekka_attention_task *t, struct ekka_array *a, int64_t index, double ref, double bound, bool anything)
{
	double out;

	if (!a)
		return;
	ekka_array_get(a, index, 1, &out);
	if (anything || isnan(ref))
		bound = INFINITY;
	if (anything && (isinf(out) || isnan(out))) {	/* as it should be: no number */
		ref = out;
		bound = 0;
	}
	if (isnan(ref) && isnan(out))
		bound = 0;
	ekka_elements_output(t->rows.elements, a->tensor);
	ekka_elements_add(t->rows.elements, index, 1, &out, &ref, &bound, false);
}

static void add_statistics(struct ekka_attention_task *t, const struct ekka_attention_result *row)
{
	int64_t index = ekka_attention_out_row(&t->x, row->row.b, row->row.h, row->row.i);
	bool none = row->kind != EKKA_ROW_PLAIN;
	double lse = row->lse, out;

	if (t->lse) {
		ekka_array_get(t->lse, index, 1, &out);
		if (fabs(out - lse - row->lse_shift) < fabs(out - lse))
			lse += row->lse_shift;
		add_per_row(t, t->lse, index, lse, row->lse_bound, none);
		if (!none && t->n_bad_lse < EKKA_ATTENTION_ROWS && !ekka_near_holds(t->lse->dtype, out, (struct ekka_near){ lse, row->lse_bound }))
			t->bad_lse[t->n_bad_lse++] = row->row;
	}
	add_per_row(t, t->max, index, row->max, row->lse_bound, none);
	add_per_row(t, t->sum, index, row->sum, row->sum_bound + row->lse_bound * row->sum, none);
}

/* Keeps some of the wrong rows, from all over: the n-th takes the place of one before with decreasing likelihood. */
static void note_bad(struct ekka_attention_task *t, const struct ekka_attention_row *row)
{
	uint64_t n = t->n_bad_seen++, at = n < EKKA_ATTENTION_ROWS ? n : (n * 0x9e3779b97f4a7c15u >> 32) % (n + 1);

	if (at < EKKA_ATTENTION_ROWS)
		t->bad[at] = *row;
	t->n_bad = n < EKKA_ATTENTION_ROWS ? (unsigned)n + 1 : EKKA_ATTENTION_ROWS;
}

/* Keeps the rows whose errors are the largest part of their bounds: `part` of them, squared. */
static void keep_near(struct ekka_attention_task *t, struct ekka_attention_row row, double part)
{
	unsigned at = 0;

	if (!(part > 0 && part < INFINITY))
		return;
	for (unsigned k = 1; k < t->n_near; k++)
		at = t->near_part[k] < t->near_part[at] ? k : at;
	if (t->n_near < EKKA_ATTENTION_ROWS)
		at = t->n_near++;
	else if (part <= t->near_part[at])
		return;
	t->near[at] = row;
	t->near_part[at] = part;
}

static void note_near(struct ekka_attention_task *t, const struct ekka_attention_result *row, const double *out)
{
	double errors = 0, bounds = 0;

	for (int64_t c = 0; c < t->x.dv; c++) {
		errors += (out[c] - row->ref[c]) * (out[c] - row->ref[c]);
		bounds += row->bound[c] * row->bound[c];
	}
	keep_near(t, row->row, errors / bounds);
}

/* Fails an event that passed when one of those rows is beyond what it can be, all columns together. */
static int judge_aligned(struct ekka_attention_task *t, struct ekka_error *err)
{
	struct ekka_verdict *v = t->rows.verdict;
	double u_p = ekka_dtype_unit_roundoff(t->x.q->dtype), u_out = ekka_dtype_unit_roundoff(t->out->dtype), most = 1, part;
	enum ekka_dtype type = t->x.q->dtype;

	if (v->status != EKKA_PASS || (type != EKKA_BF16 && type != EKKA_F16) || t->x.error.p_round != u_p || t->x.k->dtype != type || t->x.v->dtype != type)
		return 0;
	for (unsigned k = 0; k < t->n_near; k++) {
		int64_t index = ekka_attention_out_row(&t->x, t->near[k].b, t->near[k].h, t->near[k].i);
		int r;

		ekka_array_get(t->out, index * t->x.dv, (size_t)t->x.dv, t->line);
		r = ekka_attention_aligned(&t->x, t->near[k], t->line, u_out, &part, err);
		if (r < 0)
			return r;
		if (!(part > 1))
			continue;
		v->status = EKKA_FAIL;
		note_bad(t, &t->near[k]);
		if (part <= most)
			continue;
		most = v->margin = part;
		(void)snprintf(v->output, sizeof v->output, "%s", t->out->tensor->name);
		(void)snprintf(v->where, sizeof v->where, "row %lld of head %lld, batch item %lld: each column is within its bound, all together are not",
			       (long long)t->near[k].i, (long long)t->near[k].h, (long long)t->near[k].b);
	}
	return 0;
}

static void judge_row(void *arg, const struct ekka_attention_result *row)
{
	struct ekka_attention_task *t = arg;
	int64_t n = t->x.dv, first = ekka_attention_out_row(&t->x, row->row.b, row->row.h, row->row.i) * n;
	double *out = t->line, *ref = out + n, *bound = ref + n, u = ekka_dtype_unit_roundoff(t->out->dtype);
	bool bad = false;

	if (row->kind == EKKA_ROW_EMPTY && row->row.i % t->x.parts * t->x.partition >= t->x.k_len[row->row.b] && t->x.partition)
		return;
	ekka_array_get(t->out, first, (size_t)n, out);
	ekka_elements_output(t->rows.elements, t->out->tensor);
	if (row->kind == EKKA_ROW_PLAIN) {
		for (int64_t c = 0; c < n; c++)
			bad |= !(fabs(out[c] - row->ref[c]) <= row->bound[c] + u * (fabs(row->ref[c]) + row->bound[c]));
		ekka_elements_add(t->rows.elements, first, (size_t)n, out, row->ref, row->bound, false);
	} else {
		t->n_empty++;
		excuse(row, n, out, ref, bound);
		ekka_elements_add(t->rows.elements, first, (size_t)n, out, ref, bound, false);
	}
	if (bad)
		note_bad(t, &row->row);
	else if (row->kind == EKKA_ROW_PLAIN)
		note_near(t, row, out);
	add_statistics(t, row);
}

/* Suspicious arguments: an op can be right for arguments that are wrong. */
static void audit(struct ekka_attention_task *t)
{
	const struct ekka_attention *x = &t->x;
	uint64_t rows = 0;
	char text[EKKA_TEXT];

	for (int64_t b = 0; b < x->batch; b++)
		rows += (uint64_t)(x->heads * ekka_attention_rows(x, b));
	if (!isfinite(x->scale) || x->scale == 0) {
		(void)snprintf(text, sizeof text, "the attention scale is %g", x->scale);
		ekka_audit_append(t->rows.verdict, text);
	} else if (x->scale == 1 && x->d > 1) {
		ekka_audit_append_policy(t->rows.verdict, "the attention scale is 1: q or k must carry 1 / sqrt(D)");
	}
	if (rows && t->n_empty == rows && !x->partition && x->n > 0)
		ekka_audit_append(t->rows.verdict, "every row of the attention is masked altogether");
}

/* All rows judged by the backend, and right. */
static bool judged_elsewhere(struct ekka_attention_task *t, struct ekka_backend *b)
{
	struct ekka_attention_outputs o = { { t->out, t->lse, t->max, t->sum } };
	int64_t rows = t->x.dv > 0 ? t->out->n / t->x.dv : 0;
	struct ekka_attention_found found = { .near = NULL };
	bool good;

	if (!b || !b->attention_event || rows < 1)
		return false;
	found.near = malloc((size_t)rows * sizeof *found.near);
	good = found.near && b->attention_event(b, &t->x, &o, &found);
	for (int i = 0; good && i < EKKA_ATTENTION_OUTPUTS; i++)
		good = !o.array[i] || ekka_elements_take(t->rows.elements, o.array[i]->tensor, &found.part[i]);
	for (int64_t r = 0; good && r < rows; r++) {
		keep_near(t, (struct ekka_attention_row){ r / (t->x.heads * t->x.m), r / t->x.m % t->x.heads, r % t->x.m }, found.near[r]);
		t->n_empty += found.near[r] < 0;
	}
	free(found.near);
	return good;
}

static int judge_attention(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	struct ekka_attention_task t = { 0 };
	struct ekka_attention_means means = { .team = ctx->team, .backend = ctx->backend, .memory_bytes = ctx->memory_bytes / 4 };
	int r = ekka_rows_init(&t.rows, ctx, event, v, err);
	bool elsewhere;

	if (r == 0)
		r = ekka_attention_take(&t, err);
	elsewhere = r == 0 && !t.rows.settled && judged_elsewhere(&t, ctx->backend);
	while (r == 0 && !t.rows.settled && !elsewhere) {
		t.n_empty = t.n_bad_seen = t.n_bad = t.n_bad_lse = t.n_near = 0;
		r = ekka_attention_run(&t.x, &means, judge_row, &t, err);
		if (r < 0 || !ekka_elements_again(t.rows.elements))
			break;
	}
	if (r == 0 && !t.rows.settled) {
		r = ekka_rows_verdict(&t.rows, t.x.error.text, err);
		audit(&t);
	}
	if (r == 0 && !t.rows.settled)
		r = judge_aligned(&t, err);
	if (r == 0 && !t.rows.settled && v->status == EKKA_FAIL && t.n_bad && !ekka_not_written(v))
		r = ekka_attention_explain(&t.x, NULL, t.bad, t.n_bad, v->looks_like, err);
	/* What is lost in the rounding of out may be plain in lse. Other forms of ALiBi add to that what is nobody's fault. */
	if (r == 0 && !t.rows.settled && v->status == EKKA_FAIL && !v->looks_like[0] && t.n_bad_lse && !t.x.alibi && !ekka_not_written(v))
		r = ekka_attention_explain(&t.x, t.lse, t.bad_lse, t.n_bad_lse, v->looks_like, err);
	free((void *)(uintptr_t)t.x.pages);
	free(t.numbers);
	ekka_rows_release(&t.rows);
	return r;
}

const struct ekka_op ekka_op_attention = { "attention", judge_attention };
