/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an expression's operations do to one element and its error, as replay/expr.h defines them; on the CPU, whose loops go over blocks, and in device
 * kernels. Here: what operations there are, and those on reals; functions are in expr_function.h, integers in expr_whole.h. Pure functions.
 */
#ifndef EKKA_REPLAY_EXPR_ELEMENT_H
#define EKKA_REPLAY_EXPR_ELEMENT_H

#include "compare/rounding.h"

enum ekka_expr_op {
	/* Leaves. */
	EKKA_X_NUMBER, EKKA_X_INTEGER, EKKA_X_INPUT, EKKA_X_INDEX,
	/* Read a table: the arguments are integers, one a dim. */
	EKKA_X_TABLE,
	/* From an integer to a real of the compute type; from a real, truncated. */
	EKKA_X_TO_REAL, EKKA_X_TO_INT,
	/* Reals and integers alike: the node's kind decides, its arguments are of the same. */
	EKKA_X_NEG, EKKA_X_ABS, EKKA_X_SIGN, EKKA_X_ADD, EKKA_X_SUB, EKKA_X_MUL, EKKA_X_DIV, EKKA_X_REM, EKKA_X_MIN, EKKA_X_MAX,
	/* condition, one branch, the other */
	EKKA_X_WHERE,
	/* Of two alike to an integer 0 or 1. */
	EKKA_X_EQ, EKKA_X_NE, EKKA_X_LT, EKKA_X_LE,
	/* Of reals to 0 or 1. */
	EKKA_X_ISNAN, EKKA_X_ISINF, EKKA_X_ISFINITE,
	/* Of integers. */
	EKKA_X_NOT, EKKA_X_AND, EKKA_X_OR, EKKA_X_BIT_NOT, EKKA_X_BIT_AND, EKKA_X_BIT_OR, EKKA_X_BIT_XOR, EKKA_X_LEFT, EKKA_X_RIGHT,
	EKKA_X_WRAP,		/* to the integer type `dtype` */
	/* Of reals. */
	EKKA_X_FMA, EKKA_X_ROUND_TO, EKKA_X_POW, EKKA_X_FUNCTION
};

/* How an operation rounds: k u, and when results overflow; a product that may be contracted keeps what overflows, for the sum to decide. */
struct ekka_expr_rounding {
	double unit, normal, overflow;
	bool contracts;
	bool single;			/* results that are binary32 numbers are exact: the type is f32, and the operation correctly rounded */
	bool ieee;			/* the type is f64: of exact operands the operations that round correctly give what they give here */
};

struct ekka_real { double v, e; };	/* a value and its error */

/* The error of a value that is unknown because one of its operands is. */
EKKA_SHARED double ekka_expr_unknown(double a, double b)
{
	return isnan(a) || isnan(b) ? (double)NAN : (double)INFINITY;
}

/* The error of result r whose error without overflow and the like is e: an infinity where it certainly overflows, unknown where it may. */
EKKA_SHARED double ekka_expr_overflow(double *r, double e, const struct ekka_expr_rounding *p)
{
	double size = fabs(*r);

	if (size + e < p->overflow)
		return e;
	if (!(size - e >= p->overflow))
		return isnan(e) ? (double)NAN : (double)INFINITY;
	*r = copysign((double)INFINITY, *r);
	return 0;
}

/* ---- sums, products, quotients ------------------------------------------ */

/*
 * What an operation's rounding adds to error e of its result r, s = |r| + e. In binary32, nothing where the operands are exact and their result is such a
 * number: every way of computing it gives that one (but flushing of subnormals). In binary64, where the operands are exact, only what a product loses that may be
 * contracted: kernels round to nearest as this machine does, and flush nothing. never, ieee: 0 or 1.
 */
EKKA_SHARED double ekka_expr_rounded(double r, double e, double s, double lost, double unit, double normal, double never, double ieee)
{
	double more = unit * s + (s < normal ? s : normal);
	bool keeps = (e > 0) | (never > 0) | ((double)(float)r != r) | ((s < normal) & (s > 0));

	more = keeps ? more : 0;
	return ((ieee > 0) & (e == 0)) ? lost : more;
}

/* The errors of operands in their product, and in their quotient r. */
EKKA_SHARED double ekka_expr_product_error(double a, double ea, double b, double eb)
{
	return fabs(a) * eb + ea * (fabs(b) + eb);
}

EKKA_SHARED double ekka_expr_quotient_error(double ea, double b, double eb, double r)
{
	return (ea + fabs(r) * eb) / (fabs(b) - eb < 0 ? 0 : fabs(b) - eb);
}

EKKA_SHARED struct ekka_real ekka_expr_plain_arith(int op, struct ekka_real a, struct ekka_real b, struct ekka_real c, bool ieee)
{
	struct ekka_real r;

	switch (op) {
	case EKKA_X_ADD:
		r.v = a.v + b.v;
		r.e = a.e + b.e;
		break;
	case EKKA_X_SUB:
		r.v = a.v - b.v;
		r.e = a.e + b.e;
		break;
	case EKKA_X_MUL:
		r.v = a.v * b.v;
		r.e = ekka_expr_product_error(a.v, a.e, b.v, b.e);
		break;
	case EKKA_X_FMA:
		r.v = ieee ? fma(a.v, b.v, c.v) : a.v * b.v + c.v;
		r.e = ekka_expr_product_error(a.v, a.e, b.v, b.e) + c.e;
		break;
	default:
		r.v = a.v / b.v;
		r.e = ekka_expr_quotient_error(a.e, b.v, b.e, r.v);
		break;
	}
	return r;
}

EKKA_SHARED bool ekka_expr_surely_not_zero(struct ekka_real x)
{
	return fabs(x.v) > x.e || isnan(x.v);
}

/* The error of a result that is not finite although every operand's error is. */
EKKA_SHARED double ekka_expr_error_of_nonfinite(int op, struct ekka_real a, struct ekka_real b, struct ekka_real c, double overflow)
{
	bool certain;

	if (op == EKKA_X_ADD || op == EKKA_X_SUB) {
		/* Errors only matter for finite operands; but one that was a product too large may have become the other infinity. */
		double y = op == EKKA_X_SUB ? -b.v : b.v, sum = a.v + y, finite = isfinite(a.v) ? a.v : y;

		if (isinf(sum) && isfinite(finite) && signbit(finite) != signbit(sum) && fabs(finite) + (isfinite(a.v) ? a.e : b.e) >= overflow)
			return (double)INFINITY;
		return 0;
	}
	if (a.e == 0 && b.e == 0 && c.e == 0)
		return 0;
	if (isnan(a.v) || isnan(b.v) || isnan(c.v))
		return 0;
	if (op == EKKA_X_DIV)
		certain = isinf(a.v) ? ekka_expr_surely_not_zero(b) : b.e == 0 && ekka_expr_surely_not_zero(a);
	else
		certain = ekka_expr_surely_not_zero(a) && ekka_expr_surely_not_zero(b);
	return certain ? 0 : (double)INFINITY;
}

/*
 * A sum r of finite operands one of which overflows: a product that may or may not have been contracted. What the sum is then is certain where
 * it overflows too and nothing can cancel.
 */
EKKA_SHARED struct ekka_real ekka_expr_swallowing(int op, struct ekka_real a, struct ekka_real b, struct ekka_real r, double overflow)
{
	double y = op == EKKA_X_SUB ? -b.v : b.v;
	bool a_large = fabs(a.v) + a.e >= overflow, b_large = fabs(y) + b.e >= overflow;

	if (!(fabs(r.v) - r.e >= overflow) || (a_large && b_large && signbit(a.v) != signbit(y))) {
		r.e = (double)INFINITY;
		return r;
	}
	r.v = copysign((double)INFINITY, r.v);
	r.e = 0;
	return r;
}

/* ADD, SUB, MUL, DIV, FMA, for all cases. */
EKKA_SHARED_LARGE struct ekka_real ekka_expr_arith_one(int op, struct ekka_real a, struct ekka_real b, struct ekka_real c, const struct ekka_expr_rounding *p)
{
	struct ekka_real r = ekka_expr_plain_arith(op, a, b, c, p->ieee);
	double inf = (double)INFINITY, lost;

	if (!(a.e < inf && b.e < inf && c.e < inf)) {
		r.e = isnan(a.e) || isnan(b.e) || isnan(c.e) ? (double)NAN : inf;
		return r;
	}
	if (!isfinite(r.v)) {
		r.e = ekka_expr_error_of_nonfinite(op, a, b, c, p->overflow);
		return r;
	}
	if (!(r.e < inf)) {		/* 0 times infinity: by an infinite divisor, which gives an exact 0; or by one that may be 0 */
		r.e = op == EKKA_X_DIV && isinf(b.v) ? 0 : inf;
		return r;
	}
	lost = op == EKKA_X_MUL && p->contracts ? fabs(fma(a.v, b.v, -r.v)) : 0;
	r.e += ekka_expr_rounded(r.v, r.e, fabs(r.v) + r.e, lost, p->unit, p->normal, op == EKKA_X_DIV || !p->single ? 1 : 0, p->ieee ? 1 : 0);
	if ((op == EKKA_X_ADD || op == EKKA_X_SUB) && (fabs(a.v) + a.e >= p->overflow || fabs(b.v) + b.e >= p->overflow))
		return ekka_expr_swallowing(op, a, b, r, p->overflow);
	if (!p->contracts)
		r.e = ekka_expr_overflow(&r.v, r.e, p);
	return r;
}

/* ---- exact operations --------------------------------------------------- */

/*
 * max (sign 1) or min (-1). NaN of either operand is handed on; the error is the larger one, as both functions are 1-Lipschitz in the larger difference; in a form that
 * compilers vectorise.
 */
EKKA_SHARED struct ekka_real ekka_expr_extreme(struct ekka_real a, struct ekka_real b, double sign)
{
	struct ekka_real r;

	r.v = sign * a.v > sign * b.v ? a.v : b.v;
	r.v = a.v != a.v ? a.v : r.v;		/* with b NaN the comparison is false already */
	r.e = a.e > b.e ? a.e : b.e;
	return r;
}

/* The error of such a result r: those of the operands may be unknown, infinities decide alone, and an operand that is certainly not the larger one does not matter. */
EKKA_SHARED double ekka_expr_extreme_error(struct ekka_real a, struct ekka_real b, double sign, struct ekka_real r)
{
	double x = sign * a.v, y = sign * b.v;

	if (isnan(a.e) || isnan(b.e) || isinf(a.e) || isinf(b.e))
		return ekka_expr_unknown(a.e, b.e);
	if (isnan(r.v))
		return 0;
	return x - a.e >= y + b.e ? a.e : y - b.e >= x + a.e ? b.e : r.e;
}

/* fmod */
EKKA_SHARED_LARGE struct ekka_real ekka_expr_remainder(struct ekka_real a, struct ekka_real b)
{
	double x = a.v, y = b.v, q = trunc(x / y);
	struct ekka_real r;

	r.v = fmod(x, y);
	if (a.e == 0 && b.e == 0) {
		r.e = 0;
	} else if (!(a.e < (double)INFINITY && b.e < (double)INFINITY) || !(fabs(y) > b.e)) {
		r.e = ekka_expr_unknown(a.e, b.e);
	} else {
		double reach = (a.e + fabs(x / y) * b.e) / (fabs(y) - b.e), lo = x / y - reach, hi = x / y + reach;

		r.e = trunc(lo) == q && trunc(hi) == q ? a.e + fabs(q) * b.e : 2 * (fabs(y) + b.e);
	}
	return r;
}

EKKA_SHARED struct ekka_real ekka_expr_sign(struct ekka_real a)
{
	struct ekka_real r;

	r.v = isnan(a.v) ? a.v : (double)((a.v > 0) - (a.v < 0));
	r.e = a.e == 0 || fabs(a.v) > a.e ? 0 : a.e < (double)INFINITY ? 2 : a.e;
	return r;
}

/* The error of r, what a rounded to the format is: the hull of what a - e to a + e round to. */
EKKA_SHARED double ekka_expr_round_error(struct ekka_real a, double r, const struct ekka_format *f, bool saturates)
{
	double lo, hi;

	if (f->unit == 0x1p-53 || a.e == 0 || !(a.e < (double)INFINITY))
		return a.e;
	lo = ekka_round_to_format(f, a.v - a.e, saturates);
	hi = ekka_round_to_format(f, a.v + a.e, saturates);
	return lo == r && hi == r ? 0 : isfinite(lo) && isfinite(hi) ? fmax(hi - r, r - lo) : (double)INFINITY;
}

/* The error of r, which is an integer with error e as a number of the format; limit: up to where those are exact. */
EKKA_SHARED double ekka_expr_real_error(double r, double e, double unit, double limit)
{
	double size = fabs(r) + e;

	return e + (size > limit ? (unit + 0x1p-53) * size : 0);
}

/* ---- one of two --------------------------------------------------------- */

/* The error of r, one of a and b, of which it may be the other: their hull. */
EKKA_SHARED double ekka_expr_hull(double r, struct ekka_real a, struct ekka_real b)
{
	double e;

	if (isnan(a.e) || isnan(b.e))
		return (double)NAN;
	if (a.v == b.v || (isnan(a.v) && isnan(b.v)))
		return fmax(a.e, b.e);
	if (isnan(a.v) || isnan(b.v))
		return (double)INFINITY;
	e = fmax(fabs(a.v - r) + a.e, fabs(b.v - r) + b.e);
	return e < (double)INFINITY ? e : (double)INFINITY;
}

/* The error of `c ? a : b`, c an integer with an error. Of integers a and b as doubles. */
EKKA_SHARED double ekka_expr_choice_error(int64_t c, double ec, struct ekka_real a, struct ekka_real b)
{
	if (ec == 0 || fabs((double)c) > ec)
		return c ? a.e : b.e;
	return isnan(ec) ? (double)NAN : ekka_expr_hull(c ? a.v : b.v, a, b);
}

#endif
