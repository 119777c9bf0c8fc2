/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one real, and pow: values in double, errors as replay/expr.h says. */
#include <string.h>

#include "replay/expr_internal.h"

static double rsqrt_of(double x) { return 1 / sqrt(x); }
static double sigmoid_of(double x) { return 1 / (1 + exp(-x)); }
static double silu_of(double x) { return isinf(x) && x < 0 ? NAN : x / (1 + exp(-x)); }
static double softplus_of(double x) { return x > 40 ? x + exp(-x) : log1p(exp(x)); }
static double gelu_of(double x) { return 0.5 * x * erfc(-x * M_SQRT1_2); }
static double quick_of(double x) { return x * sigmoid_of(1.702 * x); }

/* x/2 (1 + tanh z) = x sigmoid(2 z) */
static double gelu_tanh_of(double x)
{
	return x * sigmoid_of(2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x));
}

static double rint_of(double x) { return rint(x); }

static const double DOUBLES = 0x1p-40;	/* a unit roundoff below is that of f64 */

/* k of exp's rounding. */
static double exp_k(double x, double u)
{
	return u < DOUBLES ? 3 : 2 * (2 + 1.173 * fabs(x)) + 1;
}

/* What the operand's error becomes: of a monotone function, by its ends; infinite where those leave the domain. */
static double carried(const struct ekka_expr_function *f, double x, double e, double r)
{
	double lo = x - e, hi = x + e, a, b;

	if (e == 0)
		return 0;
	if (f->lipschitz > 0)
		return f->lipschitz * e;
	/* A sum of squares that vanished in rounding is no negative number. */
	if (lo < f->low && f->low == 0 && lo > -0x1p-125)
		lo = 0;
	if (lo < f->low || hi > f->high)
		return INFINITY;
	a = fabs(f->value(lo) - r);
	b = fabs(f->value(hi) - r);
	return a < INFINITY && b < INFINITY ? fmax(a, b) : INFINITY;
}

static double plain_error(const struct ekka_expr_function *f, double x, double e, double r, double u)
{
	double c = carried(f, x, e, r);

	return c + f->k * u * (fabs(r) + c);
}

/* Of doubles it rounds as IEEE 754 has it. */
static double sqrt_error(const struct ekka_expr_function *f, double x, double e, double r, double u)
{
	return u < DOUBLES && e == 0 ? 0 : plain_error(f, x, e, r, u);
}

static double exact_error(const struct ekka_expr_function *f, double x, double e, double r, double u)
{
	(void)u;
	return carried(f, x, e, r);
}

static double exp_error(const struct ekka_expr_function *f, double x, double e, double r, double u)
{
	double c = carried(f, x, e, r), z = f->value == exp2 ? x * M_LN2 : x;

	return c + exp_k(z, u) * u * (fabs(r) + c);
}

static double sigmoid_error(const struct ekka_expr_function *f, double x, double e, double r, double u)
{
	double c = carried(f, x, e, r);

	return c + (exp_k(x, u) + f->k) * u * (fabs(r) + c);
}

static double silu_error(const struct ekka_expr_function *f, double x, double e, double r, double u)
{
	double z = f->value == quick_of ? 1.702 * x : x, c = carried(f, x, e, r);
	double k = exp_k(z, u) + f->k + (f->value == quick_of ? 4 * fabs(x) : 0);

	return c + k * u * (fabs(r) + c) + (z - 2 * e < -87 ? fabs(r) + c : 0);
}

static double gelu_error(const struct ekka_expr_function *f, double x, double e, double r, double u)
{
	double c = carried(f, x, e, r);

	return c + f->k * u * (fabs(r) + c) + 5 * u * (fabs(x) + e);
}

/* tan: monotone between its poles. */
static double tan_error(const struct ekka_expr_function *f, double x, double e, double r, double u)
{
	if (floor((x - e) / M_PI + 0.5) != floor((x + e) / M_PI + 0.5))
		return INFINITY;
	return plain_error(f, x, e, r, u);
}

/* cosh grows with |x|. */
static double cosh_error(const struct ekka_expr_function *f, double x, double e, double r, double u)
{
	double c = e == 0 ? 0 : cosh(fabs(x) + e) - r;

	return c + f->k * u * (fabs(r) + c);
}

/* Either way for halves: of an exact half both neighbours. */
static double round_error(const struct ekka_expr_function *f, double x, double e, double r, double u)
{
	double half = fabs(x - trunc(x)) == 0.5 ? 1 : 0;

	return fmax(half, exact_error(f, x, e, r, u));
}

static const struct ekka_expr_function functions[] = {
	{ "exp", exp, exp_error, 0, 0, -INFINITY, INFINITY },
	{ "exp2", exp2, exp_error, 0, 0, -INFINITY, INFINITY },
	{ "expm1", expm1, plain_error, 3, 0, -INFINITY, INFINITY },
	{ "log", log, plain_error, 3, 0, 0, INFINITY },
	{ "log2", log2, plain_error, 3, 0, 0, INFINITY },
	{ "log10", log10, plain_error, 5, 0, 0, INFINITY },
	{ "log1p", log1p, plain_error, 3, 0, -1, INFINITY },
	{ "sqrt", sqrt, sqrt_error, 3, 0, 0, INFINITY },
	{ "rsqrt", rsqrt_of, plain_error, 5, 0, 0, INFINITY },
	{ "sin", sin, plain_error, 5, 1, -INFINITY, INFINITY },
	{ "cos", cos, plain_error, 5, 1, -INFINITY, INFINITY },
	{ "tan", tan, tan_error, 9, 0, -INFINITY, INFINITY },
	{ "sinh", sinh, plain_error, 7, 0, -INFINITY, INFINITY },
	{ "cosh", cosh, cosh_error, 5, 0, -INFINITY, INFINITY },
	{ "tanh", tanh, plain_error, 5, 0, -INFINITY, INFINITY },
	{ "asin", asin, plain_error, 5, 0, -1, 1 },
	{ "acos", acos, plain_error, 5, 0, -1, 1 },
	{ "atan", atan, plain_error, 5, 0, -INFINITY, INFINITY },
	{ "erf", erf, plain_error, 5, 0, -INFINITY, INFINITY },
	{ "erfc", erfc, plain_error, 11, 0, -INFINITY, INFINITY },
	{ "sigmoid", sigmoid_of, sigmoid_error, 8, 0, -INFINITY, INFINITY },
	{ "silu", silu_of, silu_error, 12, 1.1, -INFINITY, INFINITY },
	{ "softplus", softplus_of, sigmoid_error, 4, 0, -INFINITY, INFINITY },
	{ "gelu", gelu_of, gelu_error, 4, 1.13, -INFINITY, INFINITY },
	{ "gelu_tanh", gelu_tanh_of, gelu_error, 4, 1.13, -INFINITY, INFINITY },
	{ "gelu_quick", quick_of, silu_error, 12, 1.1, -INFINITY, INFINITY },
	{ "floor", floor, exact_error, 0, 0, -INFINITY, INFINITY },
	{ "ceil", ceil, exact_error, 0, 0, -INFINITY, INFINITY },
	{ "trunc", trunc, exact_error, 0, 0, -INFINITY, INFINITY },
	{ "rint", rint_of, exact_error, 0, 0, -INFINITY, INFINITY },
	{ "round", rint_of, round_error, 0, 0, -INFINITY, INFINITY },
};

const struct ekka_expr_function *ekka_expr_function_find(const char *name)
{
	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
		if (!strcmp(functions[i].name, name))
			return &functions[i];
	return NULL;
}

static bool same(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

void ekka_expr_apply(const struct ekka_expr_function *f, size_t n, const struct ekka_expr_register *a, struct ekka_expr_register *r,
		     const struct ekka_expr_rounding *p)
{
	bool rounds = f->error != exact_error && f->error != round_error, correctly = p->ieee && f->error == sqrt_error;

	r->exact = false;
	for (size_t i = 0; i < n; i++) {
		double x = a->re[i], e = a->exact ? 0 : a->error[i], v = f->value(x), d;

		r->re[i] = v;
		if (!(e < INFINITY)) {
			r->error[i] = e;
			continue;
		}
		if (!isfinite(x) || !isfinite(v)) {
			/* A pole, overflow or outside the domain: certain when it is so on both sides. */
			bool certain = e == 0 || !isfinite(x) || (same(f->value(x - e), v) && same(f->value(x + e), v));

			r->error[i] = certain ? 0 : INFINITY;
			continue;
		}
		d = f->error(f, x, e, v, p->unit);
		if (rounds && !(correctly && d == 0)) {
			d += fmin(fabs(v) + d, p->normal);
			d = ekka_expr_overflow(&r->re[i], d, p);
		}
		r->error[i] = d;
	}
}

void ekka_expr_pow(size_t n, const struct ekka_expr_register *a, const struct ekka_expr_register *b, struct ekka_expr_register *r,
		   const struct ekka_expr_rounding *p)
{
	r->exact = false;
	for (size_t i = 0; i < n; i++) {
		double x = a->re[i], y = b->re[i], ex = a->exact ? 0 : a->error[i], ey = b->exact ? 0 : b->error[i], v = pow(x, y), d = 0;

		r->re[i] = v;
		if (!(ex < INFINITY && ey < INFINITY)) {
			r->error[i] = ekka_expr_unknown(ex, ey);
			continue;
		}
		if (!isfinite(v)) {
			r->error[i] = ex == 0 && ey == 0 ? 0 : INFINITY;
			continue;
		}
		if (ex != 0 || ey != 0) {
			/* Of a positive base it is monotone in each argument; of others only exact whole exponents are known. */
			const double xs[2] = { x - ex, x + ex }, ys[2] = { y - ey, y + ey };

			if (!(xs[0] > 0) && !(ey == 0 && y == rint(y) && (xs[0] > 0 || xs[1] < 0)))
				d = INFINITY;
			for (int k = 0; k < 4 && d < INFINITY; k++)
				d = fmax(d, fabs(pow(xs[k & 1], ys[k >> 1]) - v));
		}
		d += 17 * p->unit * (fabs(v) + d);
		d += fmin(fabs(v) + d, p->normal);
		r->error[i] = ekka_expr_overflow(&r->re[i], d, p);
	}
}
