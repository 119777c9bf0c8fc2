/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "attention_combine": what becomes of attention whose keys were split, FlashAttention's splitkv_combine and vLLM's paged_attention_v2_reduce.
 * From `parts` [rows..., P, Dv], each normalised, and either `lse` [rows..., P] or `max` and `sum` (of exp(logit - max)) [rows..., P]
 *
 *	w_p = exp(lse_p - M)  or  sum_p exp(max_p - M), M the largest;	out = sum w_p parts_p / (sum w_p + eps) [rows..., Dv]
 *	out_lse = M + log(sum w_p) [rows...], optional
 *
 * `lse_base` 2: both are base 2 logarithms. With `seqlens_k` [first of rows] and attribute `partition`, keys a part, only the first
 * ceil(length / partition) parts count. Rows without any weight may hold 0 or NaN (out_lse: an infinity or NaN).
 *
 * Bound, u = 2^-24: w_p is off by eta_p = 2^-21 + 4 u (|lse_p| + |M|) relative (ex2.approx, and its argument's rounding); the sums of P terms in any order,
 * the division and the product by (P + 6) u:
 *
 *	|error| <= sum w_p |parts_p| (eta_p + (P + 6) u) / sum w_p + |out| (sum w_p eta_p / sum w_p + (P + 6) u)
 *	|error of out_lse| <= sum w_p eta_p / sum w_p + (P + 6) u + 4 u (|M| + |out_lse|)
 */
#include <math.h>
#include <string.h>

#include "replay/rows.h"

struct combine {
	const struct ekka_array *parts, *lse, *max, *sum, *lengths, *out, *out_lse;	/* NULL: absent */
	int64_t rows, n, dv, per_batch;	/* rows; parts; rows of one batch item */
	int64_t partition;
	double eps, unit;		/* unit: 1, or 1 / log 2 */
	double *weight, *eta;		/* [n] */
	double *line, *ref, *bound, *got;	/* [dv] */
};

/* Parts that count for a row. */
static int64_t live(const struct combine *c, int64_t row)
{
	int64_t length, n;

	if (!c->lengths || !c->partition)
		return c->n;
	ekka_array_get_int(c->lengths, row / c->per_batch, 1, &length);
	n = length > 0 ? (length - 1) / c->partition + 1 : 0;
	return n < c->n ? n : c->n;
}

/* Weights and their errors; the largest exponent through ret_max. Returns the sum. */
static double weigh(const struct combine *c, int64_t row, int64_t n, double *ret_max)
{
	const struct ekka_array *exponents = c->lse ? c->lse : c->max;
	double max = -INFINITY, total = 0;

	ekka_array_get(exponents, row * c->n, (size_t)n, c->eta);
	for (int64_t p = 0; p < n; p++) {
		c->eta[p] /= c->unit;
		max = c->eta[p] > max ? c->eta[p] : max;
	}
	for (int64_t p = 0; p < n; p++) {
		double x = c->eta[p], s = 1;

		if (c->sum)
			ekka_array_get(c->sum, row * c->n + p, 1, &s);
		c->weight[p] = x == -INFINITY ? 0 : s * exp(x - max);
		c->eta[p] = c->weight[p] == 0 ? 0 : 0x1p-21 + 0x1p-22 * (fabs(x) + fabs(max));
		total += c->weight[p];
	}
	*ret_max = max;
	return total;
}

static void judge_lse(struct ekka_rows *r, const struct combine *c, int64_t row, double max, double total, double eta)
{
	double ref = (max + log(total)) * c->unit, bound = (eta + 0x1p-22 * (fabs(max) + fabs(ref))) * c->unit, got;

	if (!c->out_lse)
		return;
	ekka_array_get(c->out_lse, row, 1, &got);
	if (total == 0) {
		ref = isinf(got) || isnan(got) ? got : -INFINITY;
		bound = 0;
	}
	ekka_rows_compare(r, c->out_lse, row, 1, &ref, &bound);
}

static void judge_row(struct ekka_rows *r, const struct combine *c, int64_t row)
{
	int64_t n = live(c, row);
	double max, total = n ? weigh(c, row, n, &max) : 0, eta = 0, order = ((double)c->n + 6) * 0x1p-24;

	memset(c->ref, 0, (size_t)c->dv * sizeof *c->ref);
	memset(c->bound, 0, (size_t)c->dv * sizeof *c->bound);
	for (int64_t p = 0; p < n && total != 0; p++) {
		double w = c->weight[p] / (total + c->eps), e = c->eta[p] + order;

		eta += c->weight[p] / total * c->eta[p];
		if (w == 0)
			continue;	/* what such a part holds is nobody's business */
		ekka_array_get(c->parts, (row * c->n + p) * c->dv, (size_t)c->dv, c->line);
		for (int64_t d = 0; d < c->dv; d++) {
			c->ref[d] += w * c->line[d];
			c->bound[d] += w * fabs(c->line[d]) * e;
		}
	}
	ekka_array_get(c->out, row * c->dv, (size_t)c->dv, c->got);
	for (int64_t d = 0; d < c->dv; d++) {
		c->bound[d] += fabs(c->ref[d]) * (eta + order);
		if (total == 0 && isnan(c->got[d]))
			c->ref[d] = c->got[d];
	}
	ekka_rows_compare(r, c->out, row * c->dv, c->dv, c->ref, c->bound);
	judge_lse(r, c, row, max, total, eta + order);
}

/* Do all wrong elements hold what the parts but for the last give. */
static bool lacks_last(struct ekka_rows *r, const struct combine *c)
{
	for (unsigned i = 0; i < r->n_wrong; i++) {
		int64_t row = r->wrong[i].index / c->dv, n = live(c, row);
		double max, total = weigh(c, row, n - 1, &max), sum = 0, size = 0, x;

		for (int64_t p = 0; p < n - 1; p++) {
			ekka_array_get(c->parts, (row * c->n + p) * c->dv + r->wrong[i].index % c->dv, 1, &x);
			sum += c->weight[p] / (total + c->eps) * x;
			size += fabs(c->weight[p] / (total + c->eps) * x);
		}
		if (!ekka_near_holds(c->out->dtype, r->wrong[i].got, (struct ekka_near){ sum, size * 0x1p-18 }))
			return false;
	}
	return true;
}

/* Do all wrong rows hold what equal weights would give: the fault of a combination that forgets them. */
static void explain(struct ekka_rows *r, const struct combine *c)
{
	bool mean = r->n_wrong > 0, first = r->n_wrong > 0;

	for (unsigned i = 0; i < r->n_wrong; i++) {
		const struct ekka_wrong *w = &r->wrong[i];
		int64_t row = w->index / c->dv, n = live(c, row);
		double sum = 0, size = 0, x = 0, one = 0;

		if (w->output != c->out)
			return;
		mean &= n > 1;
		first &= n > 1;
		for (int64_t p = 0; p < n; p++) {
			ekka_array_get(c->parts, (row * c->n + p) * c->dv + w->index % c->dv, 1, &x);
			one = p == 0 ? x : one;
			sum += x / (double)n;
			size += fabs(x) / (double)n;
		}
		mean &= ekka_near_holds(c->out->dtype, w->got, (struct ekka_near){ sum, size * 0x1p-18 });
		first &= ekka_near_holds(c->out->dtype, w->got, (struct ekka_near){ one, fabs(one) * 0x1p-18 });
	}
	if (mean)
		ekka_rows_looks_like(r, "as if all parts weighed the same");
	if (first)
		ekka_rows_looks_like(r, "as if only the first part counted");
	if (r->n_wrong && lacks_last(r, c))
		ekka_rows_looks_like(r, "as if the last part was left out");
}

/* Is there one number for every part of every row. */
static bool per_part(const struct combine *c, const struct ekka_array *a)
{
	return !a || a->n == c->rows * c->n;
}

static int complete(struct ekka_rows *r, struct combine *c, struct ekka_error *err)
{
	const struct ekka_array *p = c->parts;
	double *memory;

	c->dv = p->dim[p->n_dims - 1];
	c->n = p->n_dims > 1 ? p->dim[p->n_dims - 2] : 1;
	c->rows = p->n / c->dv / c->n;
	c->partition = (int64_t)ekka_rows_number(r, "partition", 0);
	c->eps = ekka_rows_number(r, "eps", 0);
	c->unit = ekka_rows_number(r, "lse_base", 0) == 2 ? 0x1.71547652b82fep0 : 1;
	c->per_batch = c->lengths ? c->rows / c->lengths->n : c->rows;
	if (!(c->lse || (c->max && c->sum)))
		ekka_rows_settle(r, EKKA_INCOMPLETE, "neither the parts' lse nor their maxima and sums are known");
	else if (!per_part(c, c->lse) || !per_part(c, c->max) || !per_part(c, c->sum) || c->out->n != c->rows * c->dv || c->partition < 0 ||
		 (c->out_lse && c->out_lse->n != c->rows) || (c->lengths && (c->per_batch < 1 || c->rows % c->lengths->n)))
		ekka_rows_settle(r, EKKA_INCOMPLETE, "the recorded dimensions do not fit together");
	memory = ekka_rows_buffer(r, 2 * c->n + 4 * c->dv, err);
	if (!memory)
		return EKKA_ERR_NOMEM;
	c->weight = memory;
	c->eta = c->weight + c->n;
	c->line = c->eta + c->n;
	c->ref = c->line + c->dv;
	c->bound = c->ref + c->dv;
	c->got = c->bound + c->dv;
	return 0;
}

static int take(struct ekka_rows *r, struct combine *c, struct ekka_error *err)
{
	static const char *const names[] = { "parts", "lse", "max", "sum", "seqlens_k" };
	struct ekka_array *in[5] = { NULL }, *out = NULL, *out_lse = NULL;
	int n = 0;

	for (int i = 0; i < 5 && n == 0 && !r->settled; i++)
		n = ekka_rows_take(r, names[i], EKKA_PRE, i == 0, &in[i], err);
	if (n == 0 && !r->settled)
		n = ekka_rows_take(r, "out", EKKA_POST, true, &out, err);
	if (n == 0 && !r->settled)
		n = ekka_rows_output(r, "out_lse", &out_lse, err);
	*c = (struct combine){ .parts = in[0], .lse = in[1], .max = in[2], .sum = in[3], .lengths = in[4], .out = out, .out_lse = out_lse };
	return n == 0 && !r->settled ? complete(r, c, err) : n;
}

static int judge_attention_combine(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v,
				   struct ekka_error *err)
{
	struct ekka_rows rows;
	struct combine c = { 0 };
	int n = ekka_rows_init(&rows, ctx, event, v, err);

	if (n == 0)
		n = take(&rows, &c, err);
	rows.row_length = c.dv;
	while (n == 0 && !rows.settled) {
		rows.n_wrong = 0;
		for (int64_t row = 0; row < c.rows; row++)
			judge_row(&rows, &c, row);
		if (!ekka_elements_again(rows.elements))
			break;
	}
	if (n == 0 && !rows.settled)
		n = ekka_rows_verdict(&rows, "combination of parts: weights, sums in any order", err);
	if (n == 0 && !rows.settled && v->status == EKKA_FAIL)
		explain(&rows, &c);
	ekka_rows_release(&rows);
	return n;
}

const struct ekka_op ekka_op_attention_combine = { "attention_combine", judge_attention_combine };
