/* SPDX-License-Identifier: Apache-2.0 */
/* The coefficients of attention's bound; replay/attention.h derives them. */
#include "replay/attention.h"

#include <math.h>
#include <stdio.h>

#include "compare/bound.h"

/* Products that a tensor core adds in one step, at most: the largest ones of the steps add up to no more than S, however k is permuted. */
enum { MAX_STEP = 16 };
enum { COMPUTE_32F = 68, COMPUTE_64F = 70, COMPUTE_32F_FAST_TF32 = 77 };	/* cublasComputeType_t, which compare/bound.h takes */

/* Error of a sum of k products relative to the product of norms (and to the sum of magnitudes), with f32 as three tf32 products. */
static int coefficient(const struct ekka_attention_facts *f, enum ekka_dtype t, int64_t k, double *ret, char *text)
{
	struct ekka_bound_facts facts = { .a = t, .b = t, .out = t == EKKA_F64 ? EKKA_F64 : EKKA_F32, .k = k, .on_device = f->on_device,
					  .cc_major = f->cc_major, .cc_minor = f->cc_minor, .math = -1, .splits_known = true,
					  .compute = t == EKKA_F64 ? COMPUTE_64F : COMPUTE_32F };
	struct ekka_bound_model m;
	double group;
	bool thrice = t == EKKA_F32 && f->on_device && !f->tf32;

	if (t == EKKA_F32 && f->on_device)
		facts.compute = COMPUTE_32F_FAST_TF32;
	if (ekka_bound_model_init(&m, &facts) < 0) {
		(void)snprintf(text, EKKA_TEXT, "%.400s", m.text);
		return -1;
	}
	group = m.group_coef * MAX_STEP / EKKA_BOUND_GROUP;
	*ret = m.in + m.gamma + group + m.acc_coef + m.own;
	if (thrice)
		*ret = 0x1p-19 + 3 * (group + m.acc_coef) + m.own;
	(void)snprintf(text, EKKA_TEXT, "%s%.200s", thrice ? "three " : "", m.text);
	return 0;
}

/* Half the spacing at the bottom of P's type, or where it is flushed to 0. */
static double tiny_of(enum ekka_dtype t)
{
	switch (t) {
	case EKKA_F16: return 0x1p-25;
	case EKKA_E4M3: return 0x1p-10;
	case EKKA_E5M2: return 0x1p-17;
	case EKKA_F64: return 0x1p-1022;
	default: return 0x1p-126;
	}
}

int ekka_attention_error_init(struct ekka_attention *x, const struct ekka_attention_facts *f)
{
	struct ekka_attention_error *e = &x->error;
	enum ekka_dtype t = x->q->dtype, v = x->v->dtype;
	double tiles = (double)x->n / 32 + 4 + 2, narrow = f->p == EKKA_F32 || f->p == EKKA_F64 ? 0 : ekka_dtype_unit_roundoff(f->p);
	bool blackwell = f->cc_major >= 10 || (f->on_device && f->cc_major == 0);
	char sum[EKKA_TEXT], product[EKKA_TEXT];

	*e = (struct ekka_attention_error){ .u = t == EKKA_F64 ? 0x1p-53 : 0x1p-24 };
	if (ekka_dtype_is_complex(t) || ekka_dtype_unit_roundoff(t) == 0 || coefficient(f, t, x->d, &e->product, product) < 0 ||
	    coefficient(f, f->p, x->n, &e->sum, sum) < 0) {
		(void)snprintf(e->text, sizeof e->text, "no bound for attention of %s with P in %s", ekka_dtype_name(t), ekka_dtype_name(f->p));
		return -1;
	}
	if (x->k->dtype != t)	/* a cache of another type is converted first, and its scale may be applied before or after */
		e->product += 2 * ekka_dtype_unit_roundoff(t);
	e->p_round = (double)f->roundings * narrow + (v != f->p ? 2 * ekka_dtype_unit_roundoff(f->p) : 0);
	e->p_tiny = tiny_of(f->p);
	e->exponential = t == EKKA_F64 ? tiles * 0x1p-52 : tiles * 0x1p-22 + (blackwell ? 0x1p-13 : 0);
	e->order = ((double)x->n + tiles) * e->u;
	e->rescale = tiles * e->u;
	e->softcap = x->softcap > 0 ? t == EKKA_F64 ? 0x1p-51 : 0x1p-10 : 0;
	(void)snprintf(e->text, sizeof e->text, "attention: P in %s (%lld rounding%s), Q K: %.120s; P V: %.120s", ekka_dtype_name(f->p),
		       (long long)f->roundings, f->roundings == 1 ? "" : "s", product, sum);
	return 0;
}
