/* SPDX-License-Identifier: Apache-2.0 */
/* Integer operations over a block, and those that lead from reals to integers. */
#include "replay/expr_internal.h"

static double error_at(const struct ekka_expr_register *a, size_t i)
{
	return a->exact ? 0 : a->error[i];
}

#define EACH(op, e)                            \
	case op:                               \
		for (size_t i = 0; i < n; i++) \
			r[i] = e(op, a[i], b[i]); \
		break;

static void values(enum ekka_expr_op op, size_t n, const int64_t *a, const int64_t *b, int64_t *r)
{
	switch (op) {
	EACH(EKKA_X_NEG, ekka_whole_value)
	EACH(EKKA_X_ABS, ekka_whole_value)
	EACH(EKKA_X_SIGN, ekka_whole_value)
	EACH(EKKA_X_ADD, ekka_whole_value)
	EACH(EKKA_X_SUB, ekka_whole_value)
	EACH(EKKA_X_MUL, ekka_whole_value)
	EACH(EKKA_X_DIV, ekka_whole_value)
	EACH(EKKA_X_REM, ekka_whole_value)
	EACH(EKKA_X_MIN, ekka_whole_value)
	EACH(EKKA_X_MAX, ekka_whole_value)
	EACH(EKKA_X_EQ, ekka_whole_value)
	EACH(EKKA_X_NE, ekka_whole_value)
	EACH(EKKA_X_LT, ekka_whole_value)
	EACH(EKKA_X_LE, ekka_whole_value)
	EACH(EKKA_X_NOT, ekka_whole_value)
	EACH(EKKA_X_AND, ekka_whole_value)
	EACH(EKKA_X_OR, ekka_whole_value)
	EACH(EKKA_X_BIT_NOT, ekka_whole_value)
	EACH(EKKA_X_BIT_AND, ekka_whole_value)
	EACH(EKKA_X_BIT_OR, ekka_whole_value)
	EACH(EKKA_X_BIT_XOR, ekka_whole_value)
	EACH(EKKA_X_LEFT, ekka_whole_value)
	EACH(EKKA_X_RIGHT, ekka_whole_value)
	default: break;
	}
}

static void values_unsigned(enum ekka_expr_op op, size_t n, const int64_t *a, const int64_t *b, int64_t *r)
{
	switch (op) {
	EACH(EKKA_X_ABS, ekka_whole_unsigned)
	EACH(EKKA_X_SIGN, ekka_whole_unsigned)
	EACH(EKKA_X_DIV, ekka_whole_unsigned)
	EACH(EKKA_X_REM, ekka_whole_unsigned)
	EACH(EKKA_X_MIN, ekka_whole_unsigned)
	EACH(EKKA_X_MAX, ekka_whole_unsigned)
	EACH(EKKA_X_LT, ekka_whole_unsigned)
	EACH(EKKA_X_LE, ekka_whole_unsigned)
	EACH(EKKA_X_RIGHT, ekka_whole_unsigned)
	default: break;
	}
}

static void compare_reals(enum ekka_expr_op op, size_t n, const double *a, const double *b, int64_t *r)
{
	switch (op) {
	EACH(EKKA_X_EQ, ekka_whole_of_reals)
	EACH(EKKA_X_NE, ekka_whole_of_reals)
	EACH(EKKA_X_LT, ekka_whole_of_reals)
	EACH(EKKA_X_LE, ekka_whole_of_reals)
	default: break;
	}
}
#undef EACH

struct ekka_whole_type ekka_expr_whole_type(enum ekka_dtype t)
{
	int bits = 8 * (int)ekka_dtype_bytes(t);
	bool is_signed = t == EKKA_I8 || t == EKKA_I16 || t == EKKA_I32 || t == EKKA_I64;

	return (struct ekka_whole_type){ bits, is_signed, is_signed ? -exp2(bits - 1) : 0, exp2(is_signed ? bits - 1 : bits) - 1 };
}

static void classify(enum ekka_expr_op op, size_t n, const struct ekka_expr_register *a, struct ekka_expr_register *r)
{
	for (size_t i = 0; i < n; i++) {
		struct ekka_whole y = ekka_whole_class(op, ekka_expr_real_at(a, i));

		r->ints[i] = y.v;
		r->error[i] = y.e;
	}
}

static void truncate_reals(enum ekka_dtype t, size_t n, const struct ekka_expr_register *a, struct ekka_expr_register *r)
{
	struct ekka_whole_type type = ekka_expr_whole_type(t);

	for (size_t i = 0; i < n; i++) {
		struct ekka_whole y = ekka_whole_truncated(&type, ekka_expr_real_at(a, i));

		r->ints[i] = y.v;
		r->error[i] = y.e;
	}
}

static void wrap_integers(enum ekka_dtype t, size_t n, const struct ekka_expr_register *a, struct ekka_expr_register *r)
{
	struct ekka_whole_type type = ekka_expr_whole_type(t);

	r->exact = a->exact;
	for (size_t i = 0; i < n; i++)
		r->ints[i] = ekka_whole_wrap(&type, a->ints[i]);
	for (size_t i = 0; !r->exact && i < n; i++)
		r->error[i] = ekka_whole_wrap_error(&type, (struct ekka_whole){ a->ints[i], a->error[i] });
}

void ekka_expr_integers(const struct ekka_expr_node *node, size_t n, const struct ekka_expr_register *const *arg, bool real_args,
			struct ekka_expr_register *r)
{
	const struct ekka_expr_register *a = arg[0], *b = node->n_args > 1 ? arg[1] : arg[0];

	r->exact = false;
	switch (node->op) {
	case EKKA_X_ISNAN:
	case EKKA_X_ISINF:
	case EKKA_X_ISFINITE: classify(node->op, n, a, r); return;
	case EKKA_X_TO_INT: truncate_reals(node->dtype, n, a, r); return;
	case EKKA_X_WRAP: wrap_integers(node->dtype, n, a, r); return;
	default: break;
	}
	if (real_args)
		compare_reals(node->op, n, a->re, b->re, r->ints);
	else if (node->is_unsigned && ekka_whole_has_unsigned(node->op))
		values_unsigned(node->op, n, a->ints, b->ints, r->ints);
	else
		values(node->op, n, a->ints, b->ints, r->ints);
	r->exact = a->exact && b->exact && node->op != EKKA_X_DIV && node->op != EKKA_X_REM;
	for (size_t i = 0; !r->exact && i < n; i++) {
		double x = real_args ? a->re[i] : (double)a->ints[i], y = real_args ? b->re[i] : (double)b->ints[i];
		double ex = error_at(a, i), ey = node->n_args > 1 ? error_at(b, i) : 0;

		r->error[i] = ekka_whole_error(node->op, x, ex, y, ey);
	}
}
