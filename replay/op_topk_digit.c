/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "topk_digit": a step of a radix selection, which finds the k-th largest (or smallest) of every row digit by digit of 8 bits, from the highest. Given `counts`
 * [rows, blocks, 256], how many elements of each part of a row have each digit, their sums `sums` [rows, 256] over parts and digits up to each, `k` [rows] and
 * `known` [rows], the k-th value's digits above `bit`, the k-th value has the first digit d with k <= sums[d]:
 *
 *	known_out [rows]	known, with d as the digit at `bit`
 *	k_out? [rows]		k less sums[d - 1]
 *	value? [rows]		what known_out stands for: `order` "unsigned": itself; "signed": its first bit turned over; "float": that, or all
 *				bits, where the first one is 0
 *	above [rows, blocks]	inout: more by the part's elements with digits above d (`descending`), or below
 *
 * All exact. A row in which no digit is the k-th's is one that nothing can be said of: INCOMPLETE.
 */
#include <string.h>

#include "replay/rows.h"

enum { DIGITS = 256 };

struct step {
	struct ekka_array *counts, *sums, *k, *known, *known_out, *k_out, *value, *above, *before;
	int64_t rows, blocks, bit;
	bool descending, floats, is_signed;
	int64_t *count;		/* [256] */
	int64_t *above_ref;	/* [blocks] */
};

static int take(struct ekka_rows *r, struct step *x, struct ekka_error *err)
{
	static const char *const in[] = { "counts", "sums", "k", "known" };
	static const struct { const char *name; bool needed; } out[] = { { "known_out", true }, { "k_out", false }, { "value", false }, { "above", true } };
	struct ekka_array **const inputs[] = { &x->counts, &x->sums, &x->k, &x->known };
	struct ekka_array **const outputs[] = { &x->known_out, &x->k_out, &x->value, &x->above };
	int n = 0;

	for (int i = 0; i < 4 && n == 0 && !r->settled; i++)
		n = ekka_rows_take(r, in[i], EKKA_PRE, true, inputs[i], err);
	for (int i = 0; i < 4 && n == 0 && !r->settled; i++)
		n = ekka_rows_take(r, out[i].name, EKKA_POST, out[i].needed, outputs[i], err);
	if (n == 0 && !r->settled)
		n = ekka_rows_take(r, "above", EKKA_PRE, true, &x->before, err);
	return n;
}

static bool fits(const struct step *x)
{
	return x->counts->n_dims == 3 && x->counts->dim[2] == DIGITS && x->sums->n == x->rows * DIGITS && x->k->n == x->rows && x->known->n == x->rows &&
	       x->known_out->n == x->rows && (!x->k_out || x->k_out->n == x->rows) && (!x->value || x->value->n == x->rows) &&
	       x->above->n == x->rows * x->blocks && x->before->n == x->above->n && x->bit >= 0 && x->bit <= 56;
}

static int64_t value_of(const struct step *x, int64_t known)
{
	uint64_t top = (uint64_t)1 << (8 * ekka_dtype_bytes(x->value->dtype) - 1), v = (uint64_t)known;

	if (x->floats)
		return (int64_t)(v & top ? v ^ top : ~v);
	return (int64_t)(x->is_signed ? v ^ top : v);
}

/* An integer as an output holds it. */
static void compare(struct ekka_rows *r, const struct ekka_array *out, int64_t at, int64_t n, int64_t *ref)
{
	for (int64_t i = 0; i < n; i++)
		ref[i] = ekka_dtype_wrap(out->dtype, ref[i]);
	ekka_rows_compare_int(r, out, at, n, ref);
}

/* False: no digit is the k-th's. */
static bool judge_row(struct ekka_rows *r, const struct step *x, int64_t row)
{
	int64_t k, known, digit = 0, below = 0, ref;

	ekka_array_get_int(x->k, row, 1, &k);
	ekka_array_get_int(x->known, row, 1, &known);
	ekka_array_get_int(x->sums, row * DIGITS, DIGITS, x->count);
	while (digit < DIGITS && x->count[digit] < k)
		below = x->count[digit++];
	if (digit == DIGITS || k <= 0)
		return false;
	known = (int64_t)(((uint64_t)known & ~((uint64_t)(DIGITS - 1) << x->bit)) | (uint64_t)digit << x->bit);
	ref = known;
	compare(r, x->known_out, row, 1, &ref);
	ref = k - below;
	if (x->k_out)
		compare(r, x->k_out, row, 1, &ref);
	if (x->value) {
		ref = value_of(x, known);
		compare(r, x->value, row, 1, &ref);
	}
	ekka_array_get_int(x->before, row * x->blocks, (size_t)x->blocks, x->above_ref);
	for (int64_t b = 0; b < x->blocks; b++) {
		ekka_array_get_int(x->counts, (row * x->blocks + b) * DIGITS, DIGITS, x->count);
		for (int64_t d = x->descending ? digit + 1 : 0; d < (x->descending ? DIGITS : digit); d++)
			x->above_ref[b] += x->count[d];
	}
	compare(r, x->above, row * x->blocks, x->blocks, x->above_ref);
	return true;
}

static int judge(struct ekka_rows *r, struct ekka_error *err)
{
	const char *order = ekka_rows_text(r, "order", "unsigned");
	struct step x = { 0 };
	int n = take(r, &x, err);

	if (n < 0 || r->settled)
		return n;
	x.rows = x.counts->dim[0];
	x.blocks = x.counts->n_dims == 3 ? x.counts->dim[1] : 0;
	x.bit = (int64_t)ekka_rows_number(r, "bit", 0);
	x.descending = ekka_rows_number(r, "descending", 0) != 0;
	x.floats = !strcmp(order, "float");
	x.is_signed = !strcmp(order, "signed");
	if (!fits(&x)) {
		ekka_rows_settle(r, EKKA_INCOMPLETE, "the recorded dimensions do not fit together");
		return 0;
	}
	x.count = (int64_t *)(void *)ekka_rows_buffer(r, DIGITS + x.blocks, err);
	if (!x.count)
		return EKKA_ERR_NOMEM;
	x.above_ref = x.count + DIGITS;
	for (int64_t row = 0; row < x.rows; row++)
		if (!judge_row(r, &x, row)) {
			ekka_rows_settle(r, EKKA_INCOMPLETE, "the sums of counts do not reach k");
			return 0;
		}
	return ekka_rows_verdict(r, "exact", err);
}

static int judge_topk_digit(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	return ekka_rows_judge(ctx, event, judge, v, err);
}

const struct ekka_op ekka_op_topk_digit = { "topk_digit", judge_topk_digit };
