/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/hypothesis_sums.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/round.h"

typedef double complex cx;

enum { PIECES = 256 };	/* the middle part's ends are tried on a grid this fine */

/* What the sum must have been for the recorded value, if scaling and C0 were right. */
static cx recorded_sum(const struct ekka_hypothesis_sums *h, const struct ekka_hypothesis_sample *s)
{
	cx alpha = __builtin_complex(h->in->alpha[0], h->in->alpha[1]), beta = __builtin_complex(h->in->beta[0], h->in->beta[1]), r = s->out;

	if (h->in->unfinish)
		r = h->in->unfinish(h->in->arg, s->element, creal(r));
	if (beta != 0)
		r -= beta * s->c0;
	return r / alpha;
}

/* Squared distance relative to the error to be explained. */
static double relative(const struct ekka_hypothesis_sample *s, cx want, cx got)
{
	double was = cabs(want - s->total), d = cabs(want - got);

	return was > 0 ? (d / was) * (d / was) : 1;
}

/* For every k0 the summed residue of "the products from k0 on are lost", or those before k0. */
static bool cut(struct ekka_hypothesis_sums *h, bool head, char *text)
{
	int64_t K = h->in->k, best = -1;
	double *residue = calloc((size_t)K + 1, sizeof *residue);

	if (!residue)
		return false;
	for (unsigned s = 0; s < h->n; s++) {
		const struct ekka_hypothesis_sample *x = &h->sample[s];
		cx want = recorded_sum(h, x), prefix = 0;

		for (int64_t k = 0; k <= K; k++) {
			residue[k] += relative(x, want, head ? x->total - prefix : prefix);
			prefix += k < K ? x->a[k] * x->b[k] : 0;
		}
	}
	for (int64_t k = 1; k < K; k++)
		if (best < 0 || residue[k] < residue[best])
			best = k;
	free(residue);
	if (best < 0)
		return false;
	h->tries = (double)K;
	for (unsigned s = 0; s < h->n; s++) {
		cx prefix = 0;

		for (int64_t k = 0; k < best; k++)
			prefix += h->sample[s].a[k] * h->sample[s].b[k];
		h->predicted[s] = head ? h->sample[s].total - prefix : prefix;
	}
	if (head)
		(void)snprintf(text, EKKA_TEXT, "as if the first %lld of K=%lld products were lost", (long long)best, (long long)K);
	else
		(void)snprintf(text, EKKA_TEXT, "as if K was cut at %lld (of %lld)", (long long)best, (long long)K);
	return true;
}

static void grid_prefixes(const struct ekka_hypothesis_sample *s, int64_t K, int64_t step, cx *prefix)
{
	cx sum = 0;

	for (int64_t k = 0; k < K; k++) {
		if (k % step == 0)
			prefix[k / step] = sum;
		sum += s->a[k] * s->b[k];
	}
	prefix[(K + step - 1) / step] = sum;
}

/* A part [k0, k1) lost (sign -1) or counted twice (sign 1), both ends on a grid. */
static bool part(struct ekka_hypothesis_sums *h, double sign, char *text)
{
	int64_t K = h->in->k, step = 1, n, at0 = -1, at1 = -1;
	double best = INFINITY;
	cx *prefix;

	while (K / step > PIECES)
		step *= 2;
	n = (K + step - 1) / step;
	prefix = malloc((size_t)(h->n * (n + 1)) * sizeof *prefix);
	if (!prefix)
		return false;
	for (unsigned s = 0; s < h->n; s++)
		grid_prefixes(&h->sample[s], K, step, prefix + s * (n + 1));
	for (int64_t k0 = 0; k0 < n; k0++)
		for (int64_t k1 = k0 + 1; k1 <= n; k1++) {
			double r = 0;

			for (unsigned s = 0; s < h->n && r < best; s++) {
				const cx *p = prefix + s * (n + 1);

				r += relative(&h->sample[s], recorded_sum(h, &h->sample[s]), h->sample[s].total + sign * (p[k1] - p[k0]));
			}
			if (r < best) {
				best = r;
				at0 = k0;
				at1 = k1;
			}
		}
	for (unsigned s = 0; s < h->n; s++)
		h->predicted[s] = h->sample[s].total + sign * (prefix[s * (n + 1) + at1] - prefix[s * (n + 1) + at0]);
	free(prefix);
	h->tries = (double)n * (double)n / 2;
	(void)snprintf(text, EKKA_TEXT, "as if products %lld to %lld of K=%lld were %s", (long long)(at0 * step),
		       (long long)((at1 * step < K ? at1 * step : K) - 1), (long long)K, sign < 0 ? "lost" : "counted twice");
	return at0 >= 0;
}

/* What periodic() does with each period-th k: the product is lost, or an operand's element is its neighbour's. */
enum change { LOST, NEIGHBOURS_A, NEIGHBOURS_B };

static cx changed(const struct ekka_hypothesis_sample *s, int64_t k, int64_t n, int64_t neighbour, enum change change)
{
	int64_t other = k + neighbour;

	if (other < 0 || other >= n)
		return s->a[k] * s->b[k];
	return change == LOST ? 0 : change == NEIGHBOURS_A ? s->a[other] * s->b[k] : s->a[k] * s->b[other];
}

/* Every period-th product, from the best `from`, is changed. */
static bool periodic(struct ekka_hypothesis_sums *h, enum change change, char *text)
{
	double best = INFINITY;
	int64_t best_period = 0, best_from = 0, side = change == LOST ? 0 : -1;

	for (int64_t period = 2; period <= 64 && period < h->in->k; period *= 2)
		for (int64_t from = 0; from < period; from++)
			for (int64_t neighbour = side; neighbour <= -side; neighbour += 2) {
				cx got[EKKA_TALLY_SAMPLES];
				double r = 0;

				h->tries++;
				for (unsigned s = 0; s < h->n; s++) {
					const struct ekka_hypothesis_sample *x = &h->sample[s];

					got[s] = x->total;
					for (int64_t k = from; k < h->in->k; k += period)
						got[s] += changed(x, k, h->in->k, neighbour, change) - x->a[k] * x->b[k];
					r += relative(x, recorded_sum(h, x), got[s]);
				}
				if (r >= best)
					continue;
				best = r;
				best_period = period;
				best_from = from;
				memcpy(h->predicted, got, sizeof got);
			}
	if (change == LOST)
		(void)snprintf(text, EKKA_TEXT, "as if every %lldth product from %lld was lost", (long long)best_period,
			       (long long)best_from);
	else
		(void)snprintf(text, EKKA_TEXT, "as if every %lldth element of the %s factor along K, from %lld, was a neighbour's",
			       (long long)best_period, change == NEIGHBOURS_A ? "left" : "right", (long long)best_from);
	return best_period > 0;
}

static cx rounded(cx v, float (*to)(float))
{
	return __builtin_complex(to((float)creal(v)), to((float)cimag(v)));
}

static bool operands_rounded(struct ekka_hypothesis_sums *h, float (*to)(float), const char *type, char *text)
{
	for (unsigned s = 0; s < h->n; s++) {
		h->predicted[s] = 0;
		for (int64_t k = 0; k < h->in->k; k++)
			h->predicted[s] += rounded(h->sample[s].a[k], to) * rounded(h->sample[s].b[k], to);
	}
	(void)snprintf(text, EKKA_TEXT, "as if the operands were rounded to %s", type);
	return true;
}

static bool f16_accumulator(struct ekka_hypothesis_sums *h, char *text)
{
	for (unsigned s = 0; s < h->n; s++) {
		cx sum = 0;

		for (int64_t k = 0; k < h->in->k; k++)
			sum = rounded(sum + h->sample[s].a[k] * h->sample[s].b[k], ekka_round_f16);
		h->predicted[s] = sum;
	}
	(void)snprintf(text, EKKA_TEXT, "as if accumulated in f16, one product after the other");
	return true;
}

static bool conjugated(struct ekka_hypothesis_sums *h, bool left, char *text)
{
	if (!ekka_dtype_is_complex(h->in->model->out))
		return false;
	for (unsigned s = 0; s < h->n; s++) {
		h->predicted[s] = 0;
		for (int64_t k = 0; k < h->in->k; k++) {
			cx a = h->sample[s].a[k], b = h->sample[s].b[k];

			h->predicted[s] += left ? conj(a) * b : a * conj(b);
		}
	}
	(void)snprintf(text, EKKA_TEXT, "as if the %s factor %s", left ? "left" : "right",
		       (left ? h->in->conj_a : h->in->conj_b) ? "was not conjugated" : "was conjugated");
	return true;
}

bool ekka_hypothesis_sums(struct ekka_hypothesis_sums *h, enum ekka_sums kind, char *text)
{
	h->tries = 1;
	switch (kind) {
	case EKKA_SUMS_CUT: return cut(h, false, text);
	case EKKA_SUMS_HEAD_LOST: return cut(h, true, text);
	case EKKA_SUMS_EVERY_LOST: return periodic(h, LOST, text);
	case EKKA_SUMS_REPEATED_A: return periodic(h, NEIGHBOURS_A, text);
	case EKKA_SUMS_REPEATED_B: return periodic(h, NEIGHBOURS_B, text);
	case EKKA_SUMS_MIDDLE_LOST: return part(h, -1, text);
	case EKKA_SUMS_PART_TWICE: return part(h, 1, text);
	case EKKA_SUMS_CONJ_A: return conjugated(h, true, text);
	case EKKA_SUMS_CONJ_B: return conjugated(h, false, text);
	case EKKA_SUMS_TF32: return operands_rounded(h, ekka_round_tf32, "tf32", text);
	case EKKA_SUMS_BF16: return operands_rounded(h, ekka_round_bf16, "bf16", text);
	case EKKA_SUMS_F16: return operands_rounded(h, ekka_round_f16, "f16", text);
	case EKKA_SUMS_F16_ACCUMULATOR: return f16_accumulator(h, text);
	default: return false;
	}
}
