/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integers of expressions, one element; on the CPU and in device kernels. Arithmetic wraps at 64 bits. An integer's error is 0 but where a comparison or a truncation
 * could go either way. Pure functions.
 */
#ifndef EKKA_REPLAY_EXPR_WHOLE_H
#define EKKA_REPLAY_EXPR_WHOLE_H

#include "replay/expr_element.h"

struct ekka_whole { int64_t v; double e; };

/* An integer type: its width, and its smallest and largest value as doubles; those of 64 bits are rounded outward by less than matters here. */
struct ekka_whole_type { int bits; bool is_signed; double lo, hi; };

EKKA_SHARED int64_t ekka_whole_shift_right(int64_t a, int64_t b)
{
	return b < 0 || b > 63 ? (a < 0 ? -1 : 0) : a >> b;
}

/* Operations that the sign bit makes no difference to, or with sign. */
EKKA_SHARED_FOLDED int64_t ekka_whole_value(int op, int64_t x, int64_t y)
{
	switch (op) {
	case EKKA_X_NEG: return (int64_t)(0 - (uint64_t)x);
	case EKKA_X_ABS: return x < 0 ? (int64_t)(0 - (uint64_t)x) : x;
	case EKKA_X_SIGN: return (x > 0) - (x < 0);
	case EKKA_X_ADD: return (int64_t)((uint64_t)x + (uint64_t)y);
	case EKKA_X_SUB: return (int64_t)((uint64_t)x - (uint64_t)y);
	case EKKA_X_MUL: return (int64_t)((uint64_t)x * (uint64_t)y);
	case EKKA_X_DIV: return y == 0 ? 0 : y == -1 ? (int64_t)(0 - (uint64_t)x) : x / y;
	case EKKA_X_REM: return y == 0 || y == -1 ? 0 : x % y;
	case EKKA_X_MIN: return x < y ? x : y;
	case EKKA_X_MAX: return x > y ? x : y;
	case EKKA_X_EQ: return x == y;
	case EKKA_X_NE: return x != y;
	case EKKA_X_LT: return x < y;
	case EKKA_X_LE: return x <= y;
	case EKKA_X_NOT: return !x;
	case EKKA_X_AND: return x && y;
	case EKKA_X_OR: return x || y;
	case EKKA_X_BIT_NOT: return ~x;
	case EKKA_X_BIT_AND: return x & y;
	case EKKA_X_BIT_OR: return x | y;
	case EKKA_X_BIT_XOR: return x ^ y;
	case EKKA_X_LEFT: return y < 0 || y > 63 ? 0 : (int64_t)((uint64_t)x << y);
	default: return ekka_whole_shift_right(x, y);
	}
}

/* Does the sign bit make a difference to the operation. */
EKKA_SHARED bool ekka_whole_has_unsigned(int op)
{
	return op == EKKA_X_ABS || op == EKKA_X_SIGN || op == EKKA_X_DIV || op == EKKA_X_REM || op == EKKA_X_MIN || op == EKKA_X_MAX || op == EKKA_X_LT ||
	       op == EKKA_X_LE || op == EKKA_X_RIGHT;
}

/* Those, without sign. */
EKKA_SHARED_FOLDED int64_t ekka_whole_unsigned(int op, int64_t a, int64_t b)
{
	uint64_t x = (uint64_t)a, y = (uint64_t)b;

	switch (op) {
	case EKKA_X_ABS: return a;
	case EKKA_X_SIGN: return x != 0;
	case EKKA_X_DIV: return y == 0 ? 0 : (int64_t)(x / y);
	case EKKA_X_REM: return y == 0 ? 0 : (int64_t)(x % y);
	case EKKA_X_MIN: return (int64_t)(y < x ? y : x);
	case EKKA_X_MAX: return (int64_t)(x < y ? y : x);
	case EKKA_X_LT: return x < y;
	case EKKA_X_LE: return x <= y;
	default: return y > 63 ? 0 : (int64_t)(x >> y);
	}
}

EKKA_SHARED_FOLDED int64_t ekka_whole_of_reals(int op, double a, double b)
{
	switch (op) {
	case EKKA_X_EQ: return a == b;
	case EKKA_X_NE: return a != b;
	case EKKA_X_LT: return a < b;
	default: return a <= b;
	}
}

/* ---- errors ------------------------------------------------------------- */

/* Could a value be zero, could it be anything else. */
EKKA_SHARED bool ekka_whole_may_be_zero(double v, double e)
{
	return !(fabs(v) > e);
}

EKKA_SHARED bool ekka_whole_may_be_nonzero(double v, double e)
{
	return v != 0 || e != 0;
}

/* Is a < b (or a <= b) open. */
EKKA_SHARED bool ekka_whole_open_order(double a, double ea, double b, double eb, bool or_equal)
{
	if (isnan(a) || isnan(b))
		return !(ea < (double)INFINITY && eb < (double)INFINITY);
	if (or_equal)
		return !(a + ea <= b - eb || a - ea > b + eb);
	return !(a + ea < b - eb || a - ea >= b + eb);
}

EKKA_SHARED bool ekka_whole_is_truth(int op)
{
	return (op >= EKKA_X_EQ && op <= EKKA_X_LE) || (op >= EKKA_X_NOT && op <= EKKA_X_OR);
}

/* Of what is 0 or 1. */
EKKA_SHARED double ekka_whole_truth_error(int op, double a, double ea, double b, double eb)
{
	bool open;

	if (isnan(ea) || isnan(eb))
		return (double)NAN;
	if (ea == 0 && eb == 0)
		return 0;
	switch (op) {
	case EKKA_X_LT: open = ekka_whole_open_order(a, ea, b, eb, false); break;
	case EKKA_X_LE: open = ekka_whole_open_order(a, ea, b, eb, true); break;
	case EKKA_X_NOT: open = ekka_whole_may_be_zero(a, ea) && ekka_whole_may_be_nonzero(a, ea); break;
	case EKKA_X_AND:
		open = ekka_whole_may_be_nonzero(a, ea) && ekka_whole_may_be_nonzero(b, eb) && (ekka_whole_may_be_zero(a, ea) || ekka_whole_may_be_zero(b, eb));
		break;
	case EKKA_X_OR:
		open = ekka_whole_may_be_zero(a, ea) && ekka_whole_may_be_zero(b, eb) && (ekka_whole_may_be_nonzero(a, ea) || ekka_whole_may_be_nonzero(b, eb));
		break;
	default: open = isnan(a) || isnan(b) ? !(ea < (double)INFINITY && eb < (double)INFINITY) : !(fabs(a - b) > ea + eb); break;
	}
	return open ? 1 : 0;
}

EKKA_SHARED double ekka_whole_number_error(int op, double a, double ea, double b, double eb)
{
	if (op == EKKA_X_DIV || op == EKKA_X_REM)
		return ea == 0 && eb == 0 && b != 0 ? 0 : ekka_expr_unknown(ea, eb);
	if (ea == 0 && eb == 0)
		return 0;
	if (!(ea < (double)INFINITY && eb < (double)INFINITY))
		return ekka_expr_unknown(ea, eb);
	switch (op) {
	case EKKA_X_NEG:
	case EKKA_X_ABS: return ea;
	case EKKA_X_SIGN: return fabs(a) > ea ? 0 : 2;
	case EKKA_X_ADD:
	case EKKA_X_SUB: return ea + eb;
	case EKKA_X_MUL: return ekka_expr_product_error(a, ea, b, eb);
	case EKKA_X_MIN:
	case EKKA_X_MAX: return fmax(ea, eb);
	default: return (double)INFINITY;
	}
}

/* Of an operation with these operands, reals or integers; eb 0 when there is but one. */
EKKA_SHARED double ekka_whole_error(int op, double a, double ea, double b, double eb)
{
	return ekka_whole_is_truth(op) ? ekka_whole_truth_error(op, a, ea, b, eb) : ekka_whole_number_error(op, a, ea, b, eb);
}

/* ---- from reals, and to other types -------------------------------------- */

/* isnan, isinf, isfinite */
EKKA_SHARED struct ekka_whole ekka_whole_class(int op, struct ekka_real a)
{
	struct ekka_whole r;

	r.v = op == EKKA_X_ISNAN ? isnan(a.v) != 0 : op == EKKA_X_ISINF ? isinf(a.v) != 0 : isfinite(a.v) != 0;
	r.e = a.e < (double)INFINITY ? 0 : isinf(a.e) ? 1 : (double)NAN;
	return r;
}

/* Truncated; what lies outside the type is whatever the hardware makes of it. */
EKKA_SHARED struct ekka_whole ekka_whole_truncated(const struct ekka_whole_type *t, struct ekka_real a)
{
	double x = trunc(a.v), x0 = trunc(a.v - a.e), x1 = trunc(a.v + a.e);
	struct ekka_whole r;

	r.v = 0;
	r.e = isnan(a.e) ? (double)NAN : (double)INFINITY;
	if (!(x0 >= t->lo && x1 <= t->hi && x < 0x1p64))
		return r;
	r.v = x >= 0x1p63 ? (int64_t)(uint64_t)x : (int64_t)x;
	r.e = fmax(x1 - x, x - x0);
	return r;
}

EKKA_SHARED int64_t ekka_whole_wrap(const struct ekka_whole_type *t, int64_t v)
{
	uint64_t high = (uint64_t)v << (64 - t->bits);

	return t->is_signed ? (int64_t)high >> (64 - t->bits) : (int64_t)(high >> (64 - t->bits));
}

/* Near the type's end a small uncertainty becomes a large one. */
EKKA_SHARED double ekka_whole_wrap_error(const struct ekka_whole_type *t, struct ekka_whole a)
{
	int64_t r = ekka_whole_wrap(t, a.v), by;

	if (a.e == 0)
		return 0;
	if (!(a.e < 0x1p62))
		return ekka_expr_unknown(a.e, a.e);
	by = (int64_t)a.e;
	return ekka_whole_wrap(t, (int64_t)((uint64_t)a.v + (uint64_t)by)) - r == by && r - ekka_whole_wrap(t, (int64_t)((uint64_t)a.v - (uint64_t)by)) == by ?
		       a.e : (double)INFINITY;
}

#endif
