/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integer operations over a block, and those that lead from reals to integers. Arithmetic wraps at 64 bits. An integer's error is 0 but
 * where a comparison or a truncation could go either way.
 */
#include <string.h>

#include "replay/expr_internal.h"

static double error_at(const struct ekka_expr_register *a, size_t i)
{
	return a->exact ? 0 : a->error[i];
}

static int64_t quotient_unsigned(int64_t a, int64_t b)
{
	return b == 0 ? 0 : (int64_t)((uint64_t)a / (uint64_t)b);
}

static int64_t remainder_unsigned(int64_t a, int64_t b)
{
	return b == 0 ? 0 : (int64_t)((uint64_t)a % (uint64_t)b);
}

static bool less_unsigned(int64_t a, int64_t b)
{
	return (uint64_t)a < (uint64_t)b;
}

static int64_t quotient(int64_t a, int64_t b)
{
	return b == 0 ? 0 : b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
}

static int64_t remainder_of(int64_t a, int64_t b)
{
	return b == 0 || b == -1 ? 0 : a % b;
}

static int64_t left(int64_t a, int64_t b)
{
	return b < 0 || b > 63 ? 0 : (int64_t)((uint64_t)a << b);
}

static int64_t right(int64_t a, int64_t b)
{
	return b < 0 || b > 63 ? (a < 0 ? -1 : 0) : a >> b;
}

static void values(enum ekka_expr_op op, size_t n, const int64_t *a, const int64_t *b, int64_t *r)
{
#define EACH(e)                                         \
	for (size_t i = 0; i < n; i++) {                \
		int64_t x = a[i], y = b[i];             \
		(void)y;                                \
		r[i] = e;                               \
	}                                               \
	break
	switch (op) {
	case EKKA_X_NEG: EACH((int64_t)(0 - (uint64_t)x));
	case EKKA_X_ABS: EACH(x < 0 ? (int64_t)(0 - (uint64_t)x) : x);
	case EKKA_X_SIGN: EACH((x > 0) - (x < 0));
	case EKKA_X_ADD: EACH((int64_t)((uint64_t)x + (uint64_t)y));
	case EKKA_X_SUB: EACH((int64_t)((uint64_t)x - (uint64_t)y));
	case EKKA_X_MUL: EACH((int64_t)((uint64_t)x * (uint64_t)y));
	case EKKA_X_DIV: EACH(quotient(x, y));
	case EKKA_X_REM: EACH(remainder_of(x, y));
	case EKKA_X_MIN: EACH(x < y ? x : y);
	case EKKA_X_MAX: EACH(x > y ? x : y);
	case EKKA_X_EQ: EACH(x == y);
	case EKKA_X_NE: EACH(x != y);
	case EKKA_X_LT: EACH(x < y);
	case EKKA_X_LE: EACH(x <= y);
	case EKKA_X_NOT: EACH(!x);
	case EKKA_X_AND: EACH(x && y);
	case EKKA_X_OR: EACH(x || y);
	case EKKA_X_BIT_NOT: EACH(~x);
	case EKKA_X_BIT_AND: EACH(x & y);
	case EKKA_X_BIT_OR: EACH(x | y);
	case EKKA_X_BIT_XOR: EACH(x ^ y);
	case EKKA_X_LEFT: EACH(left(x, y));
	case EKKA_X_RIGHT: EACH(right(x, y));
	default: break;
	}
}

/* Operations that the sign bit makes a difference to; false: none of them. */
static bool values_unsigned(enum ekka_expr_op op, size_t n, const int64_t *a, const int64_t *b, int64_t *r)
{
	switch (op) {
	case EKKA_X_ABS: EACH(x);
	case EKKA_X_SIGN: EACH(x != 0);
	case EKKA_X_DIV: EACH(quotient_unsigned(x, y));
	case EKKA_X_REM: EACH(remainder_unsigned(x, y));
	case EKKA_X_MIN: EACH(less_unsigned(y, x) ? y : x);
	case EKKA_X_MAX: EACH(less_unsigned(x, y) ? y : x);
	case EKKA_X_LT: EACH(less_unsigned(x, y));
	case EKKA_X_LE: EACH(!less_unsigned(y, x));
	case EKKA_X_RIGHT: EACH(y < 0 || y > 63 ? 0 : (int64_t)((uint64_t)x >> y));
	default: return false;
	}
#undef EACH
	return true;
}

/* Could a value be zero, could it be anything else. */
static bool may_be_zero(double v, double e)
{
	return !(fabs(v) > e);
}

static bool may_be_nonzero(double v, double e)
{
	return v != 0 || e != 0;
}

/* Is a < b (or a <= b) open. */
static bool open_order(double a, double ea, double b, double eb, bool or_equal)
{
	if (isnan(a) || isnan(b))
		return !(ea < INFINITY && eb < INFINITY);
	if (or_equal)
		return !(a + ea <= b - eb || a - ea > b + eb);
	return !(a + ea < b - eb || a - ea >= b + eb);
}

static double error_of_truth(enum ekka_expr_op op, double a, double ea, double b, double eb)
{
	bool open;

	if (isnan(ea) || isnan(eb))
		return NAN;
	if (ea == 0 && eb == 0)
		return 0;
	switch (op) {
	case EKKA_X_LT: open = open_order(a, ea, b, eb, false); break;
	case EKKA_X_LE: open = open_order(a, ea, b, eb, true); break;
	case EKKA_X_NOT: open = may_be_zero(a, ea) && may_be_nonzero(a, ea); break;
	case EKKA_X_AND: open = may_be_nonzero(a, ea) && may_be_nonzero(b, eb) && (may_be_zero(a, ea) || may_be_zero(b, eb)); break;
	case EKKA_X_OR: open = may_be_zero(a, ea) && may_be_zero(b, eb) && (may_be_nonzero(a, ea) || may_be_nonzero(b, eb)); break;
	default: open = isnan(a) || isnan(b) ? !(ea < INFINITY && eb < INFINITY) : !(fabs(a - b) > ea + eb); break;
	}
	return open ? 1 : 0;
}

static double error_of_number(enum ekka_expr_op op, double a, double ea, double b, double eb)
{
	if (op == EKKA_X_DIV || op == EKKA_X_REM)
		return ea == 0 && eb == 0 && b != 0 ? 0 : ekka_expr_unknown(ea, eb);
	if (ea == 0 && eb == 0)
		return 0;
	if (!(ea < INFINITY && eb < INFINITY))
		return ekka_expr_unknown(ea, eb);
	switch (op) {
	case EKKA_X_NEG:
	case EKKA_X_ABS: return ea;
	case EKKA_X_SIGN: return fabs(a) > ea ? 0 : 2;
	case EKKA_X_ADD:
	case EKKA_X_SUB: return ea + eb;
	case EKKA_X_MUL: return fabs(a) * eb + ea * (fabs(b) + eb);
	case EKKA_X_MIN:
	case EKKA_X_MAX: return fmax(ea, eb);
	default: return INFINITY;
	}
}

static bool is_truth(enum ekka_expr_op op)
{
	return (op >= EKKA_X_EQ && op <= EKKA_X_LE) || (op >= EKKA_X_NOT && op <= EKKA_X_OR);
}

static void compare_reals(enum ekka_expr_op op, size_t n, const double *a, const double *b, int64_t *r)
{
	switch (op) {
	case EKKA_X_EQ:
		for (size_t i = 0; i < n; i++)
			r[i] = a[i] == b[i];
		break;
	case EKKA_X_NE:
		for (size_t i = 0; i < n; i++)
			r[i] = a[i] != b[i];
		break;
	case EKKA_X_LT:
		for (size_t i = 0; i < n; i++)
			r[i] = a[i] < b[i];
		break;
	default:
		for (size_t i = 0; i < n; i++)
			r[i] = a[i] <= b[i];
		break;
	}
}

static void classify(enum ekka_expr_op op, size_t n, const struct ekka_expr_register *a, struct ekka_expr_register *r)
{
	for (size_t i = 0; i < n; i++) {
		double x = a->re[i], e = error_at(a, i);

		r->ints[i] = op == EKKA_X_ISNAN ? isnan(x) != 0 : op == EKKA_X_ISINF ? isinf(x) != 0 : isfinite(x) != 0;
		r->error[i] = e < INFINITY ? 0 : isinf(e) ? 1 : NAN;
	}
}

/* Smallest and largest value of an integer type, as doubles; those of 64 bits are rounded outward by less than matters here. */
static void limits(enum ekka_dtype t, double *lo, double *hi)
{
	double bits = 8 * (double)ekka_dtype_bytes(t);
	bool is_signed = t == EKKA_I8 || t == EKKA_I16 || t == EKKA_I32 || t == EKKA_I64;

	*lo = is_signed ? -exp2(bits - 1) : 0;
	*hi = exp2(is_signed ? bits - 1 : bits) - 1;
}

static int64_t int_of(double x)
{
	return x >= 0x1p63 ? (int64_t)(uint64_t)x : (int64_t)x;
}

/* Truncated; what lies outside the type is whatever the hardware makes of it. */
static void truncate_reals(enum ekka_dtype t, size_t n, const struct ekka_expr_register *a, struct ekka_expr_register *r)
{
	double lo, hi;

	limits(t, &lo, &hi);
	for (size_t i = 0; i < n; i++) {
		double e = error_at(a, i), x = trunc(a->re[i]), x0 = trunc(a->re[i] - e), x1 = trunc(a->re[i] + e);

		r->ints[i] = 0;
		r->error[i] = isnan(e) ? NAN : INFINITY;
		if (!(x0 >= lo && x1 <= hi && x < 0x1p64))
			continue;
		r->ints[i] = int_of(x);
		r->error[i] = fmax(x1 - x, x - x0);
	}
}

static void wrap_integers(enum ekka_dtype t, size_t n, const struct ekka_expr_register *a, struct ekka_expr_register *r)
{
	r->exact = a->exact;
	for (size_t i = 0; i < n; i++) {
		double e = error_at(a, i);

		r->ints[i] = ekka_dtype_wrap(t, a->ints[i]);
		if (a->exact)
			continue;
		/* Near the type's end a small uncertainty becomes a large one. */
		r->error[i] = e == 0 || (e < 0x1p62 && ekka_dtype_wrap(t, a->ints[i] + (int64_t)e) - r->ints[i] == (int64_t)e &&
					 r->ints[i] - ekka_dtype_wrap(t, a->ints[i] - (int64_t)e) == (int64_t)e) ? e : ekka_expr_unknown(e, e);
	}
}

void ekka_expr_integers(const struct ekka_expr_node *node, size_t n, const struct ekka_expr_register *const *arg, bool real_args,
			struct ekka_expr_register *r)
{
	const struct ekka_expr_register *a = arg[0], *b = node->n_args > 1 ? arg[1] : arg[0];
	bool truth = is_truth(node->op);

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
	else if (!node->is_unsigned || !values_unsigned(node->op, n, a->ints, b->ints, r->ints))
		values(node->op, n, a->ints, b->ints, r->ints);
	r->exact = a->exact && b->exact && node->op != EKKA_X_DIV && node->op != EKKA_X_REM;
	for (size_t i = 0; !r->exact && i < n; i++) {
		double x = real_args ? a->re[i] : (double)a->ints[i], y = real_args ? b->re[i] : (double)b->ints[i];
		double ex = error_at(a, i), ey = node->n_args > 1 ? error_at(b, i) : 0;

		r->error[i] = truth ? error_of_truth(node->op, x, ex, y, ey) : error_of_number(node->op, x, ex, y, ey);
	}
}
