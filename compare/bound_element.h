/* SPDX-License-Identifier: Apache-2.0 */
/* The bound of one element of a matrix product, whose formulas compare/bound.h has; on the CPU and in device kernels. */
#ifndef EKKA_COMPARE_BOUND_ELEMENT_H
#define EKKA_COMPARE_BOUND_ELEMENT_H

#include "compare/shared.h"

enum { EKKA_BOUND_CHUNK = 128, EKKA_BOUND_GROUP = 64 };	/* k; the reference sums chunk by chunk */

enum ekka_bound_kind { EKKA_BOUND_INTEGER, EKKA_BOUND_ANY_ORDER, EKKA_BOUND_TENSOR_CORE };

/* What is the same for all elements: members of struct ekka_bound_model, too. */
#define EKKA_BOUND_NUMBERS                                                                                                       \
	enum ekka_bound_kind kind;                                                                                               \
	bool twofold;			/* double is not enough for the reference */                                             \
	int64_t k;                                                                                                               \
	double u_out, max_out, tiny_out;                                                                                         \
	double u_acc, max_acc, tiny_acc;                                                                                         \
	double max_in, tiny_in;		/* of the type operands are rounded to */                                                \
	double gamma;			/* any order: B_acc / S */                                                               \
	double in;			/* B_in / S */                                                                           \
	double group_coef;		/* tensor cores: B_acc per 2^e summed over groups */                                     \
	double acc_coef;		/* tensor cores: B_acc per M */                                                          \
	double promoted;		/* tensor cores: B_acc / S where partial sums are promoted to f32; 0: they are not */    \
	unsigned max_splits;		/* in the output type; 0: none */                                                        \
	double own;			/* the reference's own error / S */                                                      \
	double walk;			/* any order: what rounding hardly ever exceeds, per M */                                \
	double typical;			/* what accumulation loses typically, relative to the root of the products' summed squares */
struct ekka_bound_numbers { EKKA_BOUND_NUMBERS };

/* Sums along k that belong to one output element. */
struct ekka_bound_sums {
	double abs;			/* S */
	double prefix;			/* max |prefix sum| at chunk ends */
	double chunk;			/* max S of one chunk */
	double variation;		/* sum of |chunk sum| */
	double group;			/* sum of 2^e over groups */
	double largest;			/* largest |a| of the row plus largest |b| of the column */
};

#define EKKA_BOUND_WALK_OF_CHUNK 0.125

/* How large an accumulator can have been. */
EKKA_SHARED double ekka_bound_accumulator(const struct ekka_bound_sums *s)
{
	return fmin(s->abs, 2 * s->prefix + 2 * s->chunk);
}

/* Scaling and adding C0, underflow. */
EKKA_SHARED double ekka_bound_behind(const struct ekka_bound_numbers *m, const struct ekka_bound_sums *s, double sum_error, double alpha, double p,
				     double c0)
{
	return alpha * sum_error + 4 * m->u_acc * (alpha * p + c0) +
	       ((double)m->k + 4) * (1 + alpha) * (m->tiny_acc + m->tiny_in * s->largest);
}

/* Error of alpha P + beta C0 before it is rounded to the output type; alpha, p and c0 (times beta) are magnitudes. */
EKKA_SHARED double ekka_bound_of_sum(const struct ekka_bound_numbers *m, const struct ekka_bound_sums *s, double alpha, double p, double c0)
{
	double acc = m->acc_coef * ekka_bound_accumulator(s), sum_error = (m->in + m->own) * s->abs;

	if (m->kind == EKKA_BOUND_INTEGER)
		return 0;
	if (m->kind == EKKA_BOUND_ANY_ORDER)
		return ekka_bound_behind(m, s, sum_error + m->gamma * s->abs, alpha, p, c0) + m->gamma * c0;
	if (m->promoted > 0)
		acc = fmin(acc, m->promoted * s->abs);
	sum_error += m->group_coef * s->group + acc;
	if (m->max_splits)
		sum_error += m->u_out * (m->k < 2 * EKKA_BOUND_CHUNK ? s->abs : fmin(s->variation, 2 * m->max_splits * s->prefix));
	return ekka_bound_behind(m, s, sum_error, alpha, p, c0);
}

/* The error that rounding alone makes hardly ever. */
EKKA_SHARED double ekka_bound_of_sum_unusual(const struct ekka_bound_numbers *m, const struct ekka_bound_sums *s, double alpha, double p, double c0)
{
	double bound = ekka_bound_of_sum(m, s, alpha, p, c0), walk;

	if (m->kind != EKKA_BOUND_ANY_ORDER)
		return bound;
	walk = m->walk * fmin(s->abs, 2 * s->prefix + 2 * EKKA_BOUND_WALK_OF_CHUNK * s->chunk);
	return fmin(bound, ekka_bound_behind(m, s, m->own * s->abs + walk, alpha, p, c0) + m->walk * c0);
}

/* Error after a value of size `ref` with error `before` was rounded to the output type. */
EKKA_SHARED double ekka_bound_of_rounded(const struct ekka_bound_numbers *m, double before, double ref)
{
	return m->kind == EKKA_BOUND_INTEGER ? before : before + m->u_out * (ref + before) + m->tiny_out;
}

/* May the output be infinite or NaN although the operands are not: some intermediate value can leave the type's range. */
EKKA_SHARED bool ekka_bound_overflows(const struct ekka_bound_numbers *m, const struct ekka_bound_sums *s, double alpha, double c0, double ref,
				      double bound)
{
	return fmax(1.0, alpha) * s->abs + c0 >= m->max_acc * (1 - 0x1p-10) || ref + bound >= m->max_out || s->largest >= m->max_in;
}

/*
 * Size of the error of one real element that is no integer, and with it how much of its bound that is: infinite where the result is infinite or NaN
 * and should not be, nothing where it may be (`free`).
 */
EKKA_SHARED double ekka_bound_margin(double out, double ref, double bound, bool free, double *ret_error)
{
	double error = fabs(out - ref);
	bool agrees = free || (isnan(ref) ? isnan(out) : out == ref);

	if (isnan(out) || isnan(ref) || isinf(out) || isinf(ref)) {
		*ret_error = agrees ? 0 : (double)INFINITY;
		return *ret_error;
	}
	*ret_error = error;
	return error == 0 ? 0 : bound > 0 ? error / bound : (double)INFINITY;
}

#endif
