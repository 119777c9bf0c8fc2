/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one real, and pow: values in double, errors as replay/expr.h says; one element, on the CPU and in device kernels. Pure functions. */
#ifndef EKKA_REPLAY_EXPR_FUNCTION_H
#define EKKA_REPLAY_EXPR_FUNCTION_H

#include "replay/expr_element.h"

/* What the error of a function is made of: ekka_function_error. */
enum ekka_function_kind {
	EKKA_F_PLAIN, EKKA_F_SQRT, EKKA_F_EXACT, EKKA_F_EXP, EKKA_F_SIGMOID, EKKA_F_SILU, EKKA_F_GELU, EKKA_F_TAN, EKKA_F_COSH, EKKA_F_ROUND
};

/* name, value at x, kind, k of the rounding in units of u, Lipschitz constant (0: monotone), domain */
#define EKKA_EXPR_FUNCTIONS(f)                                                                    \
	f(exp, exp(x), EXP, 0, 0, -INFINITY, INFINITY)                                            \
	f(exp2, exp2(x), EXP, 0, 0, -INFINITY, INFINITY)                                          \
	f(expm1, expm1(x), PLAIN, 3, 0, -INFINITY, INFINITY)                                      \
	f(log, log(x), PLAIN, 3, 0, 0, INFINITY)                                                  \
	f(log2, log2(x), PLAIN, 3, 0, 0, INFINITY)                                                \
	f(log10, log10(x), PLAIN, 5, 0, 0, INFINITY)                                              \
	f(log1p, log1p(x), PLAIN, 3, 0, -1, INFINITY)                                             \
	f(sqrt, sqrt(x), SQRT, 3, 0, 0, INFINITY)                                                 \
	f(rsqrt, 1 / sqrt(x), PLAIN, 5, 0, 0, INFINITY)                                           \
	f(sin, sin(x), PLAIN, 5, 1, -INFINITY, INFINITY)                                          \
	f(cos, cos(x), PLAIN, 5, 1, -INFINITY, INFINITY)                                          \
	f(tan, tan(x), TAN, 9, 0, -INFINITY, INFINITY)                                            \
	f(sinh, sinh(x), PLAIN, 7, 0, -INFINITY, INFINITY)                                        \
	f(cosh, cosh(x), COSH, 5, 0, -INFINITY, INFINITY)                                         \
	f(tanh, tanh(x), PLAIN, 5, 0, -INFINITY, INFINITY)                                        \
	f(asin, asin(x), PLAIN, 5, 0, -1, 1)                                                      \
	f(acos, acos(x), PLAIN, 5, 0, -1, 1)                                                      \
	f(atan, atan(x), PLAIN, 5, 0, -INFINITY, INFINITY)                                        \
	f(erf, erf(x), PLAIN, 5, 0, -INFINITY, INFINITY)                                          \
	f(erfc, erfc(x), PLAIN, 11, 0, -INFINITY, INFINITY)                                       \
	f(sigmoid, ekka_function_sigmoid(x), SIGMOID, 8, 0, -INFINITY, INFINITY)                  \
	f(silu, isinf(x) && x < 0 ? (double)NAN : x / (1 + exp(-x)), SILU, 12, 1.1, -INFINITY, INFINITY) \
	f(softplus, x > 40 ? x + exp(-x) : log1p(exp(x)), SIGMOID, 4, 0, -INFINITY, INFINITY)     \
	f(gelu, 0.5 * x * erfc(-x * M_SQRT1_2), GELU, 4, 1.13, -INFINITY, INFINITY)               \
	/* x/2 (1 + tanh z) = x sigmoid(2 z) */                                                   \
	f(gelu_tanh, x * ekka_function_sigmoid(2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)), GELU, 4, 1.13, -INFINITY, INFINITY) \
	f(gelu_quick, x * ekka_function_sigmoid(1.702 * x), SILU, 12, 1.1, -INFINITY, INFINITY)   \
	f(floor, floor(x), EXACT, 0, 0, -INFINITY, INFINITY)                                      \
	f(ceil, ceil(x), EXACT, 0, 0, -INFINITY, INFINITY)                                        \
	f(trunc, trunc(x), EXACT, 0, 0, -INFINITY, INFINITY)                                      \
	f(rint, rint(x), EXACT, 0, 0, -INFINITY, INFINITY)                                        \
	f(round, rint(x), ROUND, 0, 0, -INFINITY, INFINITY)

enum ekka_function_id {
#define ID(name, value, kind, k, lipschitz, low, high) EKKA_F_##name,
	EKKA_EXPR_FUNCTIONS(ID)
#undef ID
	EKKA_N_FUNCTIONS
};

struct ekka_function {
	int32_t id, kind;
	double k, lipschitz, low, high;
};

EKKA_SHARED double ekka_function_sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

EKKA_SHARED_FOLDED double ekka_function_folded(int id, double x)
{
	switch (id) {
#define CASE(name, value, kind, k, lipschitz, low, high) case EKKA_F_##name: return value;
	EKKA_EXPR_FUNCTIONS(CASE)
#undef CASE
	default: return (double)NAN;
	}
}

EKKA_SHARED_LARGE double ekka_function_value(int id, double x)
{
	return ekka_function_folded(id, x);
}

/* A unit roundoff u is that of f64. */
EKKA_SHARED bool ekka_function_of_doubles(double u)
{
	return u < 0x1p-40;
}

/* k of exp's rounding. */
EKKA_SHARED double ekka_function_exp_k(double x, double u)
{
	return ekka_function_of_doubles(u) ? 3 : 2 * (2 + 1.173 * fabs(x)) + 1;
}

/* What the operand's error becomes: of a monotone function, by its ends; infinite where those leave the domain. */
EKKA_SHARED double ekka_function_carried(const struct ekka_function *f, struct ekka_real x, double r)
{
	double lo = x.v - x.e, hi = x.v + x.e, a, b;

	if (x.e == 0)
		return 0;
	if (f->lipschitz > 0)
		return f->lipschitz * x.e;
	/* A sum of squares that vanished in rounding is no negative number. */
	if (lo < f->low && f->low == 0 && lo > -0x1p-125)
		lo = 0;
	if (lo < f->low || hi > f->high)
		return (double)INFINITY;
	a = fabs(ekka_function_value(f->id, lo) - r);
	b = fabs(ekka_function_value(f->id, hi) - r);
	return a < (double)INFINITY && b < (double)INFINITY ? fmax(a, b) : (double)INFINITY;
}

/* All of the error of r = f(x): finite x and r. */
EKKA_SHARED double ekka_function_error(const struct ekka_function *f, struct ekka_real x, double r, double u)
{
	bool quick = f->id == EKKA_F_gelu_quick;
	double c, size, z = quick ? 1.702 * x.v : x.v;

	if (f->kind == EKKA_F_SQRT && ekka_function_of_doubles(u) && x.e == 0)
		return 0;		/* of doubles it rounds as IEEE 754 has it */
	/* tan is monotone between its poles; cosh grows with |x|. */
	if (f->kind == EKKA_F_TAN && floor((x.v - x.e) / M_PI + 0.5) != floor((x.v + x.e) / M_PI + 0.5))
		return (double)INFINITY;
	if (f->kind == EKKA_F_COSH)
		c = x.e == 0 ? 0 : cosh(fabs(x.v) + x.e) - r;
	else
		c = ekka_function_carried(f, x, r);
	size = fabs(r) + c;
	switch (f->kind) {
	case EKKA_F_EXACT: return c;
	case EKKA_F_ROUND: return fmax(fabs(x.v - trunc(x.v)) == 0.5 ? 1.0 : 0.0, c);	/* of an exact half both neighbours */
	case EKKA_F_EXP: return c + ekka_function_exp_k(f->id == EKKA_F_exp2 ? x.v * M_LN2 : x.v, u) * u * size;
	case EKKA_F_SIGMOID: return c + (ekka_function_exp_k(x.v, u) + f->k) * u * size;
	case EKKA_F_SILU:
		return c + (ekka_function_exp_k(z, u) + f->k + (quick ? 4 * fabs(x.v) : 0)) * u * size + (z - 2 * x.e < -87 ? size : 0);
	case EKKA_F_GELU: return c + f->k * u * size + 5 * u * (fabs(x.v) + x.e);
	default: return c + f->k * u * size;
	}
}

EKKA_SHARED bool ekka_function_same(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

/* v, the function's value at x.v, with its error. */
EKKA_SHARED_LARGE struct ekka_real ekka_function_apply(const struct ekka_function *f, struct ekka_real x, double v, const struct ekka_expr_rounding *p)
{
	bool rounds = f->kind != EKKA_F_EXACT && f->kind != EKKA_F_ROUND, correctly = p->ieee && f->kind == EKKA_F_SQRT;
	struct ekka_real r = { v, 0 };

	if (!(x.e < (double)INFINITY)) {
		r.e = x.e;
		return r;
	}
	if (!isfinite(x.v) || !isfinite(r.v)) {
		/* A pole, overflow or outside the domain: certain when it is so on both sides. */
		bool certain = x.e == 0 || !isfinite(x.v) ||
			       (ekka_function_same(ekka_function_value(f->id, x.v - x.e), r.v) && ekka_function_same(ekka_function_value(f->id, x.v + x.e), r.v));

		r.e = certain ? 0 : (double)INFINITY;
		return r;
	}
	r.e = ekka_function_error(f, x, r.v, p->unit);
	if (rounds && !(correctly && r.e == 0)) {
		double size = fabs(r.v) + r.e;

		r.e += size < p->normal ? size : p->normal;
		r.e = ekka_expr_overflow(&r.v, r.e, p);
	}
	return r;
}

EKKA_SHARED_LARGE struct ekka_real ekka_function_pow(struct ekka_real x, struct ekka_real y, const struct ekka_expr_rounding *p)
{
	double v = pow(x.v, y.v), d = 0, lo = x.v - x.e, hi = x.v + x.e;
	struct ekka_real r = { v, 0 };

	if (!(x.e < (double)INFINITY && y.e < (double)INFINITY)) {
		r.e = ekka_expr_unknown(x.e, y.e);
		return r;
	}
	if (!isfinite(v)) {
		r.e = x.e == 0 && y.e == 0 ? 0 : (double)INFINITY;
		return r;
	}
	if (x.e != 0 || y.e != 0) {
		/* Of a positive base it is monotone in each argument; of others only exact whole exponents are known. */
		if (!(lo > 0) && !(y.e == 0 && y.v == rint(y.v) && (lo > 0 || hi < 0)))
			d = (double)INFINITY;
		for (int k = 0; k < 4 && d < (double)INFINITY; k++)
			d = fmax(d, fabs(pow(k & 1 ? hi : lo, k & 2 ? y.v + y.e : y.v - y.e) - v));
	}
	d += 17 * p->unit * (fabs(v) + d);
	d += fmin(fabs(v) + d, p->normal);
	r.e = ekka_expr_overflow(&r.v, d, p);
	return r;
}

#endif
