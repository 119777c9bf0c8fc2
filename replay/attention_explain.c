/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a wrong attention looks like: recomputes some wrong rows as known kinds of faults would have, and names the one that
 * reproduces what was recorded. A match is strong evidence, not proof.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/attention.h"
#include "replay/convert.h"

/* A fault is named when it leaves less than this of the deviation. */
static const double EXPLAINS = 0.15;

struct look {
	const struct ekka_attention *x;
	const struct ekka_attention_row *rows;
	unsigned n_rows;
	const struct ekka_array *lse;	/* what is looked at instead of out, or NULL */
	int64_t n;			/* values of a row: dv, or 1 */
	double *out, *ref, *alt;	/* [n_rows, dv], [n_rows, dv], [dv] */
	double deviation;		/* sum of squares of out - ref */
	double best;			/* of sum of squares of out - alt over it */
	char *text;
};

int ekka_attention_one(const struct ekka_attention *x, struct ekka_attention_row row, double *ret, double *ret_lse, struct ekka_error *err)
{
	int64_t hk = ekka_attention_head_k(x, row.h), lo, hi, n;
	double *memory, *q, *line, *s, max = -INFINITY, l = 0;

	memset(ret, 0, (size_t)x->dv * sizeof *ret);
	*ret_lse = -INFINITY;
	ekka_attention_range(x, row.b, row.i, &lo, &hi);
	n = hi - lo;
	if (n <= 0)
		return 0;
	memory = calloc((size_t)(x->d + (x->d > x->dv ? x->d : x->dv) + 2 * n), sizeof *memory);
	if (!memory)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for a row of %lld keys", (long long)n);
	q = memory;
	s = q + x->d;
	line = s + 2 * n;
	ekka_attention_q_line(x, row.b, row.h, row.i, q);
	for (int64_t j = 0; j < n; j++) {
		ekka_attention_k_lines(x, row.b, hk, lo + j, 1, line);
		for (int64_t c = 0; c < x->d; c++)
			s[j] += q[c] * line[c];
	}
	ekka_attention_logits(x, row.b, row.h, row.i, lo, n, s, NULL, s + n);
	for (int64_t j = 0; j < n; j++)
		max = fmax(max, s[j]);
	for (int64_t j = 0; j < n && max > -INFINITY; j++) {
		double p = exp(s[j] - max);

		ekka_attention_v_lines(x, row.b, hk, lo + j, 1, line);
		l += p;
		for (int64_t c = 0; c < x->dv; c++)
			ret[c] += p * line[c];
	}
	for (int64_t c = 0; c < x->dv && l > 0 && !x->fault_softmax; c++)
		ret[c] /= l;
	*ret_lse = (max + log(l)) * x->lse_unit;
	free(memory);
	return 0;
}

/* A row's values that are looked at: into ret, which has room for dv. */
static int row_values(const struct look *k, const struct ekka_attention *x, struct ekka_attention_row row, double *ret, struct ekka_error *err)
{
	double lse;
	int r = ekka_attention_one(x, row, ret, &lse, err);

	if (k->lse)
		ret[0] = lse;
	return r;
}

/* How much of the deviation a faulty reading leaves; infinity where it gives something that is not a number. */
static int residue(struct look *k, const struct ekka_attention *alt, double *ret, struct ekka_error *err)
{
	double sum = 0;

	for (unsigned r = 0; r < k->n_rows; r++) {
		int e = row_values(k, alt, k->rows[r], k->alt, err);

		if (e < 0)
			return e;
		for (int64_t c = 0; c < k->n; c++) {
			double d = k->alt[c] - k->out[r * k->x->dv + c];

			sum += d * d;
		}
	}
	*ret = isnan(sum) ? INFINITY : sum / k->deviation;
	return 0;
}

/* Notes `alt` under the name when nothing fitted better so far. */
static int attempt(struct look *k, const struct ekka_attention *alt, const char *name, struct ekka_error *err)
{
	double left;
	int r = residue(k, alt, &left, err);

	if (r == 0 && left < k->best) {
		k->best = left;
		(void)snprintf(k->text, EKKA_TEXT, "%s", name);
	}
	return r;
}

/* An unknown factor on the scale, by golden section over its logarithm. */
static int fit_scale(struct look *k, struct ekka_error *err)
{
	static const double part = 0.6180339887498949;
	struct ekka_attention alt = *k->x;
	double lo = -4, hi = 4, at[2], left[2] = { 0 };
	char name[EKKA_TEXT];
	int r = 0;

	at[0] = hi - part * (hi - lo);
	at[1] = lo + part * (hi - lo);
	for (int i = 0; i < 2 && r == 0; i++) {
		alt.scale = k->x->scale * exp2(at[i]);
		r = residue(k, &alt, &left[i], err);
	}
	for (int step = 0; step < 28 && r == 0; step++) {
		int better = left[0] < left[1] ? 0 : 1;

		*(better ? &lo : &hi) = at[!better];
		at[!better] = at[better];
		left[!better] = left[better];
		at[better] = better ? lo + part * (hi - lo) : hi - part * (hi - lo);
		alt.scale = k->x->scale * exp2(at[better]);
		r = residue(k, &alt, &left[better], err);
	}
	if (r < 0)
		return r;
	if (hi < -3.9 || lo > 3.9)	/* it is somewhere beyond */
		return 0;
	alt.scale = k->x->scale * exp2((lo + hi) / 2);
	(void)snprintf(name, sizeof name, "as if the scale was %.5g (instead of %.5g)", alt.scale, k->x->scale);
	return attempt(k, &alt, name, err);
}

/* Scales that are wrong in a known way. */
static int scales(struct look *k, struct ekka_error *err)
{
	const struct ekka_attention *x = k->x;
	double root = sqrt((double)x->d);
	const struct { double scale; const char *name; } known[] = {
		{ 1, "as if no scale was applied" },
		{ 0, "as if the scale was 0: all keys weigh the same" },
		{ 1 / (double)x->d, "as if the scale was 1 / D" },
		{ x->scale / root, "as if the scale was applied twice" },
		{ x->scale * 0x1.71547652b82fep0, "as if the scale was multiplied by log2(e) twice" },
		{ x->scale / 0x1.71547652b82fep0, "as if exp2 was taken of natural logits" },
	};
	int r = 0;

	for (size_t i = 0; i < sizeof known / sizeof known[0] && r == 0; i++) {
		struct ekka_attention alt = *x;

		alt.scale = known[i].scale;
		if (fabs(alt.scale - x->scale) > 1e-6 * fabs(x->scale))
			r = attempt(k, &alt, known[i].name, err);
	}
	return r;
}

/* Which keys are seen. */
static int masks(struct look *k, struct ekka_error *err)
{
	struct ekka_attention alt = *k->x;
	char name[EKKA_TEXT];
	int r = 0;

	if (alt.right >= 0 && alt.left < 0) {
		alt.right = -1;
		r = attempt(k, &alt, "as if there was no causal mask", err);
		alt.right = k->x->right;
	} else if (alt.right < 0 && alt.left < 0 && !alt.mask.array && k->x->m > 1) {
		alt.right = 0;
		r = attempt(k, &alt, "as if there was a causal mask", err);
		alt.right = -1;
	}
	if (r == 0 && (alt.right >= 0 || alt.left >= 0)) {
		alt.top_left = !alt.top_left;
		r = attempt(k, &alt, alt.top_left ? "as if the mask began at the top left, not at the bottom right" :
						    "as if the mask began at the bottom right, not at the top left", err);
		alt.top_left = k->x->top_left;
	}
	for (int by = -1; by <= 1 && r == 0; by += 2) {
		alt.fault_right = by;
		(void)snprintf(name, sizeof name, "as if every row saw one key %s at the mask's end", by > 0 ? "more" : "less");
		if (alt.right >= 0)
			r = attempt(k, &alt, name, err);
		alt.fault_right = 0;
		alt.left = k->x->left >= 0 ? k->x->left + by : -1;
		(void)snprintf(name, sizeof name, "as if the window was one key %s", by > 0 ? "longer" : "shorter");
		if (r == 0 && alt.left >= 0)
			r = attempt(k, &alt, name, err);
		alt.left = k->x->left;
	}
	if (r == 0 && alt.left >= 0) {
		alt.left = -1;
		r = attempt(k, &alt, "as if there was no window", err);
	}
	alt = *k->x;
	alt.mask.array = NULL;
	if (r == 0 && k->x->mask.array)
		r = attempt(k, &alt, "as if the mask was ignored", err);
	alt = *k->x;
	alt.bias.array = NULL;
	if (r == 0 && k->x->bias.array)
		r = attempt(k, &alt, "as if the bias was ignored", err);
	return r;
}

/* How many keys there are. */
static int lengths(struct look *k, struct ekka_error *err)
{
	static const int64_t tiles[] = { 1, 8, 16, 32, 64, 128, 256 };
	struct ekka_attention alt = *k->x;
	char name[EKKA_TEXT];
	bool several = false;
	int r = 0;

	for (int64_t b = 0; b < alt.batch; b++)
		several |= alt.k_len[b] != alt.n;
	if (several && !alt.packed_k && !alt.pages) {
		alt.fault_lengths = true;
		r = attempt(k, &alt, "as if the batch items' lengths were ignored", err);
		alt.fault_lengths = false;
	}
	for (size_t i = 0; i < sizeof tiles / sizeof tiles[0] && r == 0; i++) {
		alt.fault_drop = tiles[i];
		(void)snprintf(name, sizeof name, tiles[i] > 1 ? "as if the last %lld keys were missing" : "as if the last key was missing", (long long)tiles[i]);
		r = attempt(k, &alt, name, err);
		alt.fault_drop = k->rows[0].b < alt.batch ? alt.k_len[k->rows[0].b] % tiles[i] : 0;
		(void)snprintf(name, sizeof name, "as if the keys behind the last whole tile of %lld were missing", (long long)tiles[i]);
		if (r == 0 && alt.fault_drop && tiles[i] > 1)
			r = attempt(k, &alt, name, err);
	}
	return r;
}

static int rest(struct look *k, struct ekka_error *err)
{
	struct ekka_attention alt = *k->x;
	int r = 0;

	if (alt.heads_k < alt.heads && alt.heads_k > 1) {
		alt.fault_groups = true;
		r = attempt(k, &alt, "as if head h read K head h modulo their number, not its group's", err);
		alt.fault_groups = false;
	}
	for (int by = 1; by <= 2 && r == 0 && alt.heads_k > 1; by++) {
		int add = by == 1 ? 1 : (int)alt.heads_k - 1;

		alt.fault_head_v = add;
		r = attempt(k, &alt, by == 1 ? "as if V was the next head's" : "as if V was the previous head's", err);
		alt.fault_head_k = add;
		if (r == 0)
			r = attempt(k, &alt, by == 1 ? "as if K and V were the next head's" : "as if K and V were the previous head's", err);
		alt.fault_head_k = alt.fault_head_v = 0;
	}
	alt.fault_softmax = true;
	if (r == 0)
		r = attempt(k, &alt, "as if P was not normalised", err);
	alt.fault_softmax = false;
	if (r == 0 && alt.softcap > 0) {
		alt.softcap = 0;
		r = attempt(k, &alt, "as if there was no softcap", err);
		alt.softcap = k->x->softcap;
	}
	if (r == 0 && alt.alibi) {
		alt.alibi = NULL;
		r = attempt(k, &alt, "as if there was no ALiBi", err);
	}
	return r;
}

/* The recorded rows, and how far they are off. False: they are not numbers, or as they should be. */
static int gather(struct look *k, bool *ret_usable, struct ekka_error *err)
{
	const struct ekka_attention *x = k->x;

	for (unsigned r = 0; r < k->n_rows; r++) {
		double *out = k->out + r * x->dv, *ref = k->ref + r * x->dv;
		const struct ekka_array *a = k->lse ? k->lse : x->out;
		int e = row_values(k, x, k->rows[r], ref, err);

		if (e < 0)
			return e;
		ekka_array_get(a, ekka_attention_out_row(x, k->rows[r].b, k->rows[r].h, k->rows[r].i) * k->n, (size_t)k->n, out);
		for (int64_t c = 0; c < k->n; c++)
			k->deviation += (out[c] - ref[c]) * (out[c] - ref[c]);
	}
	*ret_usable = isfinite(k->deviation) && k->deviation > 0;
	return 0;
}

int ekka_attention_explain(const struct ekka_attention *x, const struct ekka_array *lse, const struct ekka_attention_row *rows, unsigned n_rows, char *text,
			   struct ekka_error *err)
{
	struct look k = { .x = x, .rows = rows, .n_rows = n_rows, .lse = lse, .n = lse ? 1 : x->dv, .best = EXPLAINS * EXPLAINS, .text = text };
	double *memory = calloc((size_t)(2 * n_rows + 1) * (size_t)x->dv, sizeof *memory);
	bool usable;
	int r;

	if (!memory)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for %u rows", n_rows);
	k.out = memory;
	k.ref = k.out + n_rows * x->dv;
	k.alt = k.ref + n_rows * x->dv;
	r = gather(&k, &usable, err);
	if (r == 0 && usable) {
		r = scales(&k, err);
		if (r == 0)
			r = masks(&k, err);
		if (r == 0)
			r = lengths(&k, err);
		if (r == 0)
			r = rest(&k, err);
		if (r == 0 && k.best >= EXPLAINS * EXPLAINS / 4)
			r = fit_scale(&k, err);
	} else if (r == 0 && !isfinite(k.deviation)) {
		(void)snprintf(text, EKKA_TEXT, "rows that are not numbers, from finite operands");
	}
	free(memory);
	return r;
}
