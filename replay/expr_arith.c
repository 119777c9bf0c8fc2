/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real operations over a block: a loop without branches, and a second look at blocks with an element that is not finite, near
 * overflow or unknown.
 */
#include <string.h>

#include "compare/clones.h"
#include "replay/expr_internal.h"

static const double ZEROS[EKKA_EXPR_BLOCK];

static const double *error_of(const struct ekka_expr_register *a)
{
	return a && !a->exact ? a->error : ZEROS;
}

/* The operands of element i. */
struct operands { double a, ea, b, eb, c, ec; };

/*
 * What an operation's rounding adds to error e of its result r, s = |r| + e. In binary32, nothing where the operands are exact and their result is such a
 * number: every way of computing it gives that one (but flushing of subnormals). In binary64, where the operands are exact, only what a product loses that may be
 * contracted: kernels round to nearest as this machine does, and flush nothing.
 */
static inline double rounding(double r, double e, double s, double lost, double unit, double normal, double never, double ieee)
{
	double more = unit * s + (s < normal ? s : normal);
	bool keeps = (e > 0) | (never > 0) | ((double)(float)r != r) | ((s < normal) & (s > 0));

	more = keeps ? more : 0;
	return ((ieee > 0) & (e == 0)) ? lost : more;
}

#define ARITH(name, R, E, LOST, MORE)                                                                                                    \
	EKKA_CLONES static double name(size_t n, const double *restrict pa, const double *restrict qa, const double *restrict pb,   \
				       const double *restrict qb, const double *restrict pc, const double *restrict qc,               \
				       double *restrict ret, double *restrict error, const struct ekka_expr_rounding *p)              \
	{                                                                                                                            \
		double odd = 0, unit = p->unit, normal = p->normal, overflow = p->overflow, never = p->single ? 0 : 1;               \
		double ieee = p->ieee ? 1 : 0;                                                                                       \
		(void)pc;                                                                                                            \
		(void)qc;                                                                                                            \
		(void)pb;                                                                                                            \
		(void)qb;                                                                                                            \
		for (size_t i = 0; i < n; i++) {                                                                                     \
			double a = pa[i], ea = qa[i], b = pb[i], eb = qb[i], r, e, s;                                                \
			(void)b;                                                                                                     \
			(void)eb;                                                                                                    \
			r = R;                                                                                                       \
			e = E;                                                                                                       \
			s = fabs(r) + e;                                                                                             \
			e += rounding(r, e, s, LOST, unit, normal, never, ieee);                                                     \
			odd += s + e < overflow && MORE ? 0 : 1;                                                                     \
			ret[i] = r;                                                                                                  \
			error[i] = e;                                                                                                \
		}                                                                                                                    \
		return odd;                                                                                                          \
	}
ARITH(block_add, a + b, ea + eb, 0, fabs(a) + ea < overflow && fabs(b) + eb < overflow)
ARITH(block_sub, a - b, ea + eb, 0, fabs(a) + ea < overflow && fabs(b) + eb < overflow)
ARITH(block_mul, a * b, fabs(a) * eb + ea * (fabs(b) + eb), 0, true)
ARITH(block_div, a / b, (ea + fabs(r) * eb) / (fabs(b) - eb < 0 ? 0 : fabs(b) - eb), 0, true)
ARITH(block_fma, a * b + pc[i], fabs(a) * eb + ea * (fabs(b) + eb) + qc[i], 0, true)
/* These two call the library where the machine has no such instruction; products of binary32 numbers need it not. */
ARITH(block_contracted, a * b, fabs(a) * eb + ea * (fabs(b) + eb), fabs(fma(a, b, -r)), true)
ARITH(block_fused, fma(a, b, pc[i]), fabs(a) * eb + ea * (fabs(b) + eb) + qc[i], 0, true)

static double result_of(enum ekka_expr_op op, const struct operands *o, double *ret_error)
{
	switch (op) {
	case EKKA_X_ADD: *ret_error = o->ea + o->eb; return o->a + o->b;
	case EKKA_X_SUB: *ret_error = o->ea + o->eb; return o->a - o->b;
	case EKKA_X_MUL: *ret_error = fabs(o->a) * o->eb + o->ea * (fabs(o->b) + o->eb); return o->a * o->b;
	case EKKA_X_FMA: *ret_error = fabs(o->a) * o->eb + o->ea * (fabs(o->b) + o->eb) + o->ec; return fma(o->a, o->b, o->c);
	default: *ret_error = (o->ea + fabs(o->a / o->b) * o->eb) / fmax(fabs(o->b) - o->eb, 0); return o->a / o->b;
	}
}

static bool surely_not_zero(double x, double e)
{
	return fabs(x) > e || isnan(x);
}

/* The error of a result that is not finite although every operand's error is. */
static double error_of_nonfinite(enum ekka_expr_op op, const struct operands *o, double overflow)
{
	bool certain;

	if (op == EKKA_X_ADD || op == EKKA_X_SUB) {
		/* Errors only matter for finite operands; but one that was a product too large may have become the other infinity. */
		double b = op == EKKA_X_SUB ? -o->b : o->b, sum = o->a + b, finite = isfinite(o->a) ? o->a : b;

		if (isinf(sum) && isfinite(finite) && signbit(finite) != signbit(sum) &&
		    fabs(finite) + (isfinite(o->a) ? o->ea : o->eb) >= overflow)
			return INFINITY;
		return 0;
	}
	if (o->ea == 0 && o->eb == 0 && o->ec == 0)
		return 0;
	if (isnan(o->a) || isnan(o->b) || isnan(o->c))
		return 0;
	switch (op) {
	case EKKA_X_DIV: certain = isinf(o->a) ? surely_not_zero(o->b, o->eb) : o->eb == 0 && surely_not_zero(o->a, o->ea); break;
	default: certain = surely_not_zero(o->a, o->ea) && surely_not_zero(o->b, o->eb); break;
	}
	return certain ? 0 : INFINITY;
}

/*
 * A sum of finite operands one of which overflows: a product that may or may not have been contracted. What the sum is then is certain where
 * it overflows too and nothing can cancel.
 */
static double error_of_swallowing(enum ekka_expr_op op, const struct operands *o, double *r, double e, double overflow)
{
	double b = op == EKKA_X_SUB ? -o->b : o->b;
	bool a_large = fabs(o->a) + o->ea >= overflow, b_large = fabs(b) + o->eb >= overflow;

	if (!(fabs(*r) - e >= overflow) || (a_large && b_large && signbit(o->a) != signbit(b)))
		return INFINITY;
	*r = copysign(INFINITY, *r);
	return 0;
}

/* Element i again, for all cases. */
static void settle(enum ekka_expr_op op, const struct operands *o, double *r, double *e, const struct ekka_expr_rounding *p)
{
	double size;

	*r = result_of(op, o, e);
	if (!(o->ea < INFINITY && o->eb < INFINITY && o->ec < INFINITY)) {
		*e = isnan(o->ea) || isnan(o->eb) || isnan(o->ec) ? NAN : INFINITY;
		return;
	}
	if (!isfinite(*r)) {
		*e = error_of_nonfinite(op, o, p->overflow);
		return;
	}
	if (!(*e < INFINITY)) {		/* 0 times infinity: by an infinite divisor, which gives an exact 0; or by one that may be 0 */
		*e = op == EKKA_X_DIV && isinf(o->b) ? 0 : INFINITY;
		return;
	}
	size = fabs(*r) + *e;
	*e += rounding(*r, *e, size, op == EKKA_X_MUL && p->contracts ? fabs(fma(o->a, o->b, -*r)) : 0, p->unit, p->normal,
		       op == EKKA_X_DIV || !p->single, p->ieee);
	if ((op == EKKA_X_ADD || op == EKKA_X_SUB) && (fabs(o->a) + o->ea >= p->overflow || fabs(o->b) + o->eb >= p->overflow))
		*e = error_of_swallowing(op, o, r, *e, p->overflow);
	else if (!p->contracts)
		*e = ekka_expr_overflow(r, *e, p);
}

static void copy_errors(const struct ekka_expr_register *a, size_t n, struct ekka_expr_register *r)
{
	r->exact = a->exact;
	if (!a->exact)
		memcpy(r->error, a->error, n * sizeof *r->error);
}

/* NaN of either operand is handed on; the error is the larger one, as both functions are 1-Lipschitz in the larger difference. */
EKKA_CLONES static void block_extreme(size_t n, const double *restrict a, const double *restrict ea, const double *restrict b,
				      const double *restrict eb, double sign, double *restrict r, double *restrict e)
{
	for (size_t i = 0; i < n; i++) {
		double x = a[i], y = b[i], m = sign * x > sign * y ? x : y, f = ea[i] > eb[i] ? ea[i] : eb[i];

		r[i] = x != x ? x : m;		/* with y NaN the comparison is false already */
		e[i] = f;
	}
}

/* Errors may be unknown, infinities decide alone, and an operand that is certainly not the larger one does not matter. */
static void settle_extremes(size_t n, const double *a, const double *ea, const double *b, const double *eb, double sign,
			    const double *r, double *e)
{
	for (size_t i = 0; i < n; i++) {
		double x = sign * a[i], y = sign * b[i];

		if (isnan(ea[i]) || isnan(eb[i]) || isinf(ea[i]) || isinf(eb[i]))
			e[i] = ekka_expr_unknown(ea[i], eb[i]);
		else if (isnan(r[i]))
			e[i] = 0;
		else if (x - ea[i] >= y + eb[i])
			e[i] = ea[i];
		else if (y - eb[i] >= x + ea[i])
			e[i] = eb[i];
	}
}

static void extreme(size_t n, const struct ekka_expr_register *a, const struct ekka_expr_register *b, double sign,
		    struct ekka_expr_register *r)
{
	block_extreme(n, a->re, error_of(a), b->re, error_of(b), sign, r->re, r->error);
	r->exact = a->exact && b->exact;
	if (!r->exact)
		settle_extremes(n, a->re, error_of(a), b->re, error_of(b), sign, r->re, r->error);
}

static void remainders(size_t n, const struct ekka_expr_register *a, const struct ekka_expr_register *b, struct ekka_expr_register *r)
{
	const double *ea = error_of(a), *eb = error_of(b);

	r->exact = a->exact && b->exact;
	for (size_t i = 0; i < n; i++) {
		double x = a->re[i], y = b->re[i], q = trunc(x / y);

		r->re[i] = fmod(x, y);
		if (ea[i] == 0 && eb[i] == 0) {
			r->error[i] = 0;
		} else if (!(ea[i] < INFINITY && eb[i] < INFINITY) || !(fabs(y) > eb[i])) {
			r->error[i] = ekka_expr_unknown(ea[i], eb[i]);
		} else {
			double reach = (ea[i] + fabs(x / y) * eb[i]) / (fabs(y) - eb[i]), lo = x / y - reach, hi = x / y + reach;

			r->error[i] = trunc(lo) == q && trunc(hi) == q ? ea[i] + fabs(q) * eb[i] : 2 * (fabs(y) + eb[i]);
		}
	}
}

static void signs(size_t n, const struct ekka_expr_register *a, struct ekka_expr_register *r)
{
	const double *ea = error_of(a);

	r->exact = a->exact;
	for (size_t i = 0; i < n; i++) {
		double x = a->re[i];

		r->re[i] = isnan(x) ? x : (double)((x > 0) - (x < 0));
		r->error[i] = ea[i] == 0 || fabs(x) > ea[i] ? 0 : ea[i] < INFINITY ? 2 : ea[i];
	}
}

void ekka_expr_arith(enum ekka_expr_op op, size_t n, const struct ekka_expr_register *a, const struct ekka_expr_register *b,
		     const struct ekka_expr_register *c, struct ekka_expr_register *r, const struct ekka_expr_rounding *p)
{
	const double *pb = b ? b->re : ZEROS, *pc = c ? c->re : ZEROS, *ea = error_of(a), *eb = error_of(b), *ec = error_of(c);
	bool contracted = p->ieee && p->contracts;
	double odd;

	switch (op) {
	case EKKA_X_NEG:
		for (size_t i = 0; i < n; i++)
			r->re[i] = -a->re[i];
		copy_errors(a, n, r);
		return;
	case EKKA_X_ABS:
		for (size_t i = 0; i < n; i++)
			r->re[i] = fabs(a->re[i]);
		copy_errors(a, n, r);
		return;
	case EKKA_X_SIGN: signs(n, a, r); return;
	case EKKA_X_MIN: extreme(n, a, b, -1, r); return;
	case EKKA_X_MAX: extreme(n, a, b, 1, r); return;
	case EKKA_X_REM: remainders(n, a, b, r); return;
	case EKKA_X_ADD: odd = block_add(n, a->re, ea, pb, eb, pc, ec, r->re, r->error, p); break;
	case EKKA_X_SUB: odd = block_sub(n, a->re, ea, pb, eb, pc, ec, r->re, r->error, p); break;
	case EKKA_X_MUL: odd = (contracted ? block_contracted : block_mul)(n, a->re, ea, pb, eb, pc, ec, r->re, r->error, p); break;
	case EKKA_X_FMA: odd = (p->ieee ? block_fused : block_fma)(n, a->re, ea, pb, eb, pc, ec, r->re, r->error, p); break;
	default: odd = block_div(n, a->re, ea, pb, eb, pc, ec, r->re, r->error, p); break;
	}
	r->exact = false;
	for (size_t i = 0; odd != 0 && i < n; i++) {
		struct operands o = { a->re[i], ea[i], pb[i], eb[i], pc[i], ec[i] };

		settle(op, &o, &r->re[i], &r->error[i], p);
	}
}

/* As in compare/format.c, but for overflow. */
EKKA_CLONES static double block_round(size_t n, const double *restrict a, double *restrict r, double unit, double normal, double overflow)
{
	double odd = 0;

	for (size_t i = 0; i < n; i++) {
		double size = fabs(a[i]), power = ekka_power_below(size), magic;

		power = power > normal ? power : normal;
		magic = power * unit * 0x1.8p53;
		odd += size < overflow ? 0 : 1;
		r[i] = copysign((a[i] + magic) - magic, a[i]);
	}
	return odd;
}

void ekka_expr_round_to(size_t n, const struct ekka_expr_register *a, struct ekka_expr_register *r, const struct ekka_format *f, bool saturates)
{
	double odd = 1;

	r->exact = a->exact;
	if (f->unit == 0x1p-53) {
		memcpy(r->re, a->re, n * sizeof *r->re);
		copy_errors(a, n, r);
		return;
	}
	odd = block_round(n, a->re, r->re, f->unit, f->normal, f->overflow);
	for (size_t i = 0; odd != 0 && i < n; i++)
		r->re[i] = ekka_format_round(f, a->re[i], saturates);
	if (a->exact)
		return;
	for (size_t i = 0; i < n; i++) {
		double e = a->error[i], lo, hi;

		r->error[i] = e;
		if (e == 0 || !(e < INFINITY))
			continue;
		lo = ekka_format_round(f, a->re[i] - e, saturates);
		hi = ekka_format_round(f, a->re[i] + e, saturates);
		r->error[i] = lo == r->re[i] && hi == r->re[i] ? 0 : isfinite(lo) && isfinite(hi) ? fmax(hi - r->re[i], r->re[i] - lo) : INFINITY;
	}
}
