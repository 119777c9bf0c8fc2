/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "topk_softmax": routing of tokens to experts. From logits x [tokens, experts], p = softmax(x) of every row (`scoring` "sigmoid": 1 / (1 +
 * exp(-x)); "none": x itself), out come the k experts with the largest p (+ `bias` [experts], which chooses but does not weigh), largest first: `weights`
 * [tokens, k] their p, with `renormalize` divided by their sum, then times `scale`; `indices` [tokens, k]; `source_rows`? [tokens, k], holding j *
 * tokens + token, as vLLM's kernels number them (token_expert_indices). k comes from the outputs' dims.
 *
 * Bound of p, relative: 2^-21 + 4 u |x - max| for exp and the rounding of its argument, as much (weighed by p) and (experts + 5) u for the sum in
 * any order and the quotient; 2^-126 for what is flushed. Renormalised: twice, and (k + 5) u. Sigmoid: the same with |x|.
 *
 * Indices: any order of ties. At each place an expert is right when it was not taken before and no remaining one beats it by more than both
 * bounds, since kernels compare rounded p; weights are judged for the experts that were chosen.
 */
#include <math.h>
#include <string.h>

#include "compare/audit.h"
#include "replay/rows.h"

struct routing {
	const struct ekka_array *x, *weights, *indices, *source;	/* source: may be NULL */
	int64_t tokens, experts, k;
	bool sigmoid, none, renormalize;
	double u, scale;
	double *bias;			/* [experts]; NULL: none */
	double *p, *error, *taken;	/* [experts]; taken: 1 where chosen already */
	double *ref, *bound;		/* [k] */
	int64_t *chosen, *want;		/* [k], in ref's memory */
};

static void score(const struct routing *t, int64_t token)
{
	double max = -INFINITY, sum = 0, spread = 0;

	ekka_array_get(t->x, token * t->experts, (size_t)t->experts, t->p);
	if (t->none) {
		memset(t->error, 0, (size_t)t->experts * sizeof *t->error);
		return;
	}
	for (int64_t e = 0; e < t->experts; e++)
		max = fmax(max, t->p[e]);
	for (int64_t e = 0; e < t->experts; e++) {
		double x = t->p[e];

		t->p[e] = t->sigmoid ? 1 / (1 + exp(-x)) : exp(x - max);
		t->error[e] = (0x1p-21 + 4 * t->u * fabs(t->sigmoid ? x : x - max)) * t->p[e] + 0x1p-126;
		sum += t->p[e];
		spread += t->error[e];
	}
	for (int64_t e = 0; e < t->experts && !t->sigmoid; e++) {
		t->p[e] /= sum;
		t->error[e] = t->error[e] / sum + t->p[e] * (spread / sum + ((double)t->experts + 5) * t->u);
	}
}

static double rank_of(const struct routing *t, int64_t e)
{
	return t->p[e] + (t->bias ? t->bias[e] : 0);
}

static double doubt(const struct routing *t, int64_t e)
{
	return t->error[e] + (t->bias ? t->u * fabs(rank_of(t, e)) : 0);
}

/* The expert that should come next, or -1 when none is left. */
static int64_t best(const struct routing *t)
{
	int64_t found = -1;

	for (int64_t e = 0; e < t->experts; e++)
		if (t->taken[e] == 0 && (found < 0 || rank_of(t, e) > rank_of(t, found)))
			found = e;
	return found;
}

/* Which experts were chosen, and which should have been: the same where the choice is fine. False: an index means nothing. */
static bool choose(const struct routing *t, int64_t token)
{
	bool sound = true;

	ekka_array_get_int(t->indices, token * t->k, (size_t)t->k, t->chosen);
	memset(t->taken, 0, (size_t)t->experts * sizeof *t->taken);
	for (int64_t j = 0; j < t->k; j++) {
		int64_t e = t->chosen[j], other = best(t);
		bool fine = e >= 0 && e < t->experts && t->taken[e] == 0;

		if (fine)	/* NaN ranks nowhere: any order */
			fine = !(rank_of(t, other) - doubt(t, other) > rank_of(t, e) + doubt(t, e));
		else
			sound = false;
		t->want[j] = fine ? e : other;
		if (t->want[j] >= 0)
			t->taken[t->want[j]] = 1;
	}
	return sound;
}

static void weigh(const struct routing *t)
{
	double sum = 0, size = 0, spread = 0;

	for (int64_t j = 0; j < t->k; j++) {
		sum += t->p[t->chosen[j]];
		size += fabs(t->p[t->chosen[j]]);
		spread += t->error[t->chosen[j]];
	}
	for (int64_t j = 0; j < t->k; j++) {
		double p = t->p[t->chosen[j]], e = t->error[t->chosen[j]];

		if (t->renormalize) {
			e = (e + fabs(p) * (spread + ((double)t->k + 5) * t->u * size) / fabs(sum)) / fabs(sum);
			p /= sum;
		}
		t->ref[j] = p * t->scale;
		t->bound[j] = (e + 2 * t->u * fabs(p)) * fabs(t->scale);
	}
}

static void judge_token(struct ekka_rows *r, const struct routing *t, int64_t token)
{
	bool sound;

	score(t, token);
	sound = choose(t, token);
	ekka_rows_compare_int(r, t->indices, token * t->k, t->k, t->want);
	if (sound) {
		weigh(t);
		ekka_rows_compare(r, t->weights, token * t->k, t->k, t->ref, t->bound);
	}
	if (!t->source)
		return;
	for (int64_t j = 0; j < t->k; j++)
		t->want[j] = j * t->tokens + token;
	ekka_rows_compare_int(r, t->source, token * t->k, t->k, t->want);
}

/* What the weights look like when all indices are right. */
static void explain(struct ekka_rows *r, struct routing *t)
{
	static const char *const names[2][2] = {
		{ "as if the weights were renormalised", "as if the weights were not renormalised" },
		{ "as if scores were logistic functions of each logit", "as if scores were a softmax over the experts" },
	};

	for (int change = 0; change < 2; change++) {
		bool fits = r->n_wrong > 0;

		t->renormalize ^= change == 0;
		t->sigmoid ^= change == 1;
		for (unsigned i = 0; i < r->n_wrong && fits; i++) {
			const struct ekka_wrong *w = &r->wrong[i];
			int64_t j = w->index % t->k;

			fits = w->output == t->weights;
			if (!fits)
				break;
			score(t, w->index / t->k);
			fits = choose(t, w->index / t->k);
			if (!fits)
				break;
			weigh(t);
			fits = ekka_near_holds(t->weights->dtype, w->got, (struct ekka_near){ t->ref[j], t->bound[j] });
		}
		if (fits)
			ekka_rows_looks_like(r, "%s", names[change][change == 0 ? !t->renormalize : !t->sigmoid]);
		t->renormalize ^= change == 0;
		t->sigmoid ^= change == 1;
	}
}

static bool fits(const struct routing *t)
{
	return t->x->n_dims == 2 && t->weights->n_dims == 2 && t->indices->n == t->weights->n && t->weights->dim[0] == t->x->dim[0] &&
	       t->weights->n == t->weights->dim[0] * t->weights->dim[1] && t->weights->dim[1] <= t->x->dim[1] &&
	       (!t->source || t->source->n == t->weights->n) &&
	       ekka_dtype_is_integer(t->indices->dtype);
}

static int complete(struct ekka_rows *r, struct routing *t, const struct ekka_array *bias, struct ekka_error *err)
{
	const char *scoring = ekka_rows_text(r, "scoring", "softmax");
	double *memory;

	if (!fits(t) || (bias && bias->n < t->x->dim[1])) {
		ekka_rows_settle(r, EKKA_INCOMPLETE, "the recorded dimensions do not fit together");
		return 0;
	}
	t->tokens = t->x->dim[0];
	t->experts = t->x->dim[1];
	t->k = t->weights->dim[1];
	t->sigmoid = !strcmp(scoring, "sigmoid");
	t->none = !strcmp(scoring, "none");
	if (!t->sigmoid && !t->none && strcmp(scoring, "softmax") != 0)
		ekka_rows_settle(r, EKKA_UNSUPPORTED, "no reference for this scoring");
	t->renormalize = ekka_rows_number(r, "renormalize", 0) != 0;
	t->scale = ekka_rows_number(r, "scale", 1);
	t->u = ekka_dtype_unit_roundoff(ekka_rows_compute(r, t->x->dtype));
	memory = ekka_rows_buffer(r, 4 * t->experts + 2 * t->k, err);
	t->chosen = (int64_t *)ekka_rows_buffer(r, 2 * t->k, err);	/* as large as doubles */
	if (!memory || !t->chosen)
		return EKKA_ERR_NOMEM;
	t->want = t->chosen + t->k;
	t->p = memory;
	t->error = t->p + t->experts;
	t->taken = t->error + t->experts;
	t->bias = bias ? t->taken + t->experts : NULL;
	t->ref = t->taken + 2 * t->experts;
	t->bound = t->ref + t->k;
	if (bias)
		ekka_array_get(bias, 0, (size_t)t->experts, t->bias);
	return 0;
}

static int judge(struct ekka_rows *r, struct ekka_error *err)
{
	static const char *const outputs[] = { "weights", "indices", "source_rows" };
	struct ekka_array *x, *bias = NULL, *out[3] = { NULL };
	struct routing t = { 0 };
	int n = ekka_rows_take(r, "x", EKKA_PRE, true, &x, err);

	for (int i = 0; i < 3 && n == 0 && !r->settled; i++)
		n = ekka_rows_take(r, outputs[i], EKKA_POST, i < 2, &out[i], err);
	if (n == 0 && !r->settled)
		n = ekka_rows_take(r, "bias", EKKA_PRE, false, &bias, err);
	if (n < 0 || r->settled)
		return n;
	t.x = x;
	t.weights = out[0];
	t.indices = out[1];
	t.source = out[2];
	n = complete(r, &t, bias, err);
	r->row_length = t.k;
	while (n == 0 && !r->settled) {
		r->n_wrong = 0;
		for (int64_t token = 0; token < t.tokens; token++)
			judge_token(r, &t, token);
		if (!ekka_elements_again(r->elements))
			break;
	}
	if (n == 0 && !r->settled)
		n = ekka_rows_verdict(r, "routing: exp, sum in any order; any order of ties", err);
	if (n == 0 && !r->settled && r->verdict->status == EKKA_FAIL)
		explain(r, &t);
	return n;
}

static int judge_topk_softmax(const struct ekka_op_context *ctx, const struct ekka_event *event, struct ekka_verdict *v, struct ekka_error *err)
{
	return ekka_rows_judge(ctx, event, judge, v, err);
}

const struct ekka_op ekka_op_topk_softmax = { "topk_softmax", judge_topk_softmax };
