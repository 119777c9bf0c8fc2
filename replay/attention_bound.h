/* SPDX-License-Identifier: Apache-2.0 */
/* The bound of attention's results from a row's sums, as replay/attention.h derives it; on the CPU and in device kernels. */
#ifndef EKKA_REPLAY_ATTENTION_BOUND_H
#define EKKA_REPLAY_ATTENTION_BOUND_H

#include "compare/shared.h"

#define EKKA_ATTENTION_WIDEN (1 + 0x1p-10)	/* rounding in float32 sums of |v| */
#define EKKA_ATTENTION_ABSORBED (-0x1p100)	/* a row whose largest logit is below this sees only masked keys */

/* What is the same for all rows: of struct ekka_attention_error. */
struct ekka_attention_terms { double u, order, exponential, p_round, p_tiny; };

/* One row: l, lambda without and with the rounding of P. */
struct ekka_attention_total { double max, l, lambda, lambda_out; };

EKKA_SHARED struct ekka_attention_total ekka_attention_total(const struct ekka_attention_terms *e, double max, double l, double eta)
{
	struct ekka_attention_total t = { max, l, eta / l + e->order + e->exponential, 0 };

	t.lambda_out = t.lambda + e->p_round;
	return t;
}

/* Of max + log l. */
EKKA_SHARED double ekka_attention_lse_bound(const struct ekka_attention_terms *e, const struct ekka_attention_total *t)
{
	return t->lambda * (1 + t->lambda) + 4 * e->u * (fabs(t->max) + fabs(log(t->l)) + 1);
}

/* Of an element that is `out`; w: sum W |v|, v_sum: sum |v|, of its column. */
EKKA_SHARED double ekka_attention_out_bound(const struct ekka_attention_terms *e, const struct ekka_attention_total *t, double w, double v_sum, double out)
{
	double error = (w * EKKA_ATTENTION_WIDEN + e->p_tiny * v_sum) / t->l, lambda = t->lambda_out;

	return lambda < 0.5 ? (error + lambda * fabs(out)) / (1 - lambda) + 4 * e->u * fabs(out) + 0x1p-140 : (double)INFINITY;
}

#endif
