/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The expressions that say what a kernel computes for each element (spec/kernels/README.md), evaluated with error bounds.
 *
 * A value is an exact 64-bit integer (without sign where an operand is u64, as in C) or a double v with an absolute error e: whatever the kernel computed lies within v +- e, provided its
 * operands lay within theirs. e = 0: the kernel must have exactly v. e infinite: nothing is known; e NaN: the same, because a table was
 * read out of its range. Integers have an e too, not 0 where a comparison or truncation could go either way.
 *
 * Let u be the compute type's unit roundoff, N its smallest normal number, r the result in double. Each operation propagates e
 * and then adds its own rounding, k u s + min(s, N), s = |r| + e; the last term is for flushing to zero (ftz), and covers subnormal rounding. k:
 *
 *	+ - * fma		1. The compiler may contract a b + c: it then makes one rounding of the two. A product that overflows
 *				before a sum is unknown, not infinite
 *				None where the operands are exact, the type is f32 and the result such a number: i0 * 0.5, a - a
 *				In f64, where the operands are exact: nothing either, but for what a product loses that may be contracted. CUDA's
 *				+ - * / fma and sqrt of doubles are those of IEEE 754, to nearest (the guide below: 0 ulp), as here
 *	/			4: div.full.f32 is within 2 ulp (PTX ISA), and an ulp is at most 2 u |r|; f64: 1
 *	functions		2 n + 1, n the ulps by which they may differ from the correctly rounded result, measured by NVIDIA: CUDA Programming Guide 13,
 *				sections 5.5.7 and 5.5.8 (in older editions appendix "Mathematical Functions"), the worse one of single (sqrt with
 *				fast math, and pow as in older editions) and double precision:
 *				sqrt log log2 log1p expm1 1, rsqrt log10 sin cos tanh atan asin acos erf 2, sinh 3, cosh 2, tan 4, erfc 5, pow 8
 *	exp exp2		2 (2 + 1.173 |x|) + 1: covers __expf, which engines use, by the same guide, 5.5.9 (exp2: x ln 2); f64: 3
 *	sigmoid			that of exp + 8: 1 / (1 + exp(-x)), one addition and one division
 *	silu			that + 4, and |r| where x < -87: exp(-x) may overflow there and the result is 0
 *	softplus		that of exp + 4: log1p(exp(x)), whose condition t / ((1 + t) log1p(t)) is at most 1
 *	gelu gelu_tanh		4, and absolutely 5 u |x|: x/2 (1 + erf) loses what cancels; the argument's roundings contribute
 *				at most z erf'(z) 2 u < u, erf or tanh 5 u, the sum u (tanh: z tanh'(z) 6 u < 3 u)
 *	gelu_quick		that of silu at 1.702 x, and 4 |x|
 *	neg abs min max clamp relu where floor ceil trunc round sign fmod, indexing: 0, exact
 *
 * Errors of the operands: a function that is monotone is also evaluated at v - e and v + e; of others a Lipschitz constant is taken (sin, cos: 1;
 * gelu, gelu_tanh: 1.13; silu, gelu_quick: 1.1). Where v - e and v + e lie on both sides of a pole or of a domain's end, e is infinite. A
 * comparison that could go either way makes where() the hull of both of its branches. max, min and clamp are 1-Lipschitz; NaN is handed on.
 *
 * A rounding such as bf16(x) of an exact value is exact (to nearest even; to the compute type it is the rounding of the operation in it), otherwise its e is the hull of what v - e to v + e round to;
 * e4m3 and e5m2 saturate. Integer casts truncate and, of integers, wrap. round(x) may go either way for halves (rint: to even).
 * The doubles' own rounding, 2^-53 per operation, is covered by adding 2^-52 to k u.
 */
#ifndef EKKA_REPLAY_EXPR_H
#define EKKA_REPLAY_EXPR_H

#include "replay/array.h"

enum { EKKA_EXPR_BLOCK = 256, EKKA_EXPR_RESULTS = 16, EKKA_EXPR_NAME = 32 };

/* What a name in an expression means. i0...i5 need no symbol: the element's index. */
struct ekka_expr_symbol {
	const char *name;
	enum ekka_expr_kind {
		EKKA_EXPR_REAL,		/* input number `input`, floating */
		EKKA_EXPR_INT,		/* input number `input`, integers */
		EKKA_EXPR_NUMBER,	/* `number`; rounded to the compute type, unless it is exact in it */
		EKKA_EXPR_INTEGER,	/* `integer` */
		EKKA_EXPR_TABLE		/* `table`, to be indexed; borrowed as long as the expression lives. Inputs may have one too */
	} kind;
	unsigned input;
	double number;
	int64_t integer;
	const struct ekka_array *table;
	bool is_unsigned;		/* INT: of 64 bits without sign. Tables say it themselves */
};

struct ekka_expr;	/* immutable once parsed, thread-safe */

/*
 * Parses "EXPR", "NAME = EXPR; NAME = EXPR; ..." (later ones may use the names of earlier ones) or "EXPR, EXPR, ...". `compute`: floating
 * type of the kernel's arithmetic. Returns 0, or negative with what is wrong and where.
 */
int ekka_expr_parse(const char *text, const struct ekka_expr_symbol *, unsigned n_symbols, enum ekka_dtype compute,
		    struct ekka_expr **ret, struct ekka_error *err);
void ekka_expr_free(struct ekka_expr *);	/* NULL is fine */

unsigned ekka_expr_n_results(const struct ekka_expr *);
const char *ekka_expr_result_name(const struct ekka_expr *, unsigned k);	/* "" without assignment */
int ekka_expr_result_index(const struct ekka_expr *, const char *name);		/* -1: not among them */
bool ekka_expr_is_integer(const struct ekka_expr *, unsigned k);

/*
 * Result k is stored as `dtype`: where that is the compute type, the last operation's rounding is the store's, and is left to
 * who judges the stored value (compare/elements.h); where it is an integer type, the result becomes such an integer, and an integer that is stored as
 * another floating type is rounded to the compute type on the way. To be called at most
 * once per result, before there is a state.
 */
void ekka_expr_stored_as(struct ekka_expr *, unsigned k, enum ekka_dtype dtype);

/* One block of an input: n doubles with their errors (NULL: all exact), or n integers. */
struct ekka_expr_input { const double *re, *error; const int64_t *ints; };

struct ekka_expr_result {
	const double *re;		/* NULL for integers */
	const int64_t *ints;		/* NULL for reals */
	const double *error;		/* never NULL */
	bool exact;			/* all errors are 0 */
};

/* Registers of one thread's evaluation. */
struct ekka_expr_state;
struct ekka_expr_state *ekka_expr_state_new(const struct ekka_expr *);	/* NULL: no memory */
void ekka_expr_state_free(struct ekka_expr_state *);

/*
 * Evaluates n <= EKKA_EXPR_BLOCK elements. input[s] belongs to the symbols whose `input` is s. index[d][0..n-1] is i<d>; NULL where the expression is known not
 * to use it. results[k], for every result, point into the state until the next evaluation.
 */
void ekka_expr_eval(const struct ekka_expr *, struct ekka_expr_state *, size_t n, const struct ekka_expr_input *input,
		    const int64_t *const index[EKKA_MAX_DIMS], struct ekka_expr_result *results);

/* Does the expression use i<d>. */
bool ekka_expr_uses_index(const struct ekka_expr *, unsigned d);

/* The first read out of a table's range, "weight[50257] of 50257": into text; false when there was none. */
bool ekka_expr_out_of_range(const struct ekka_expr_state *, char text[EKKA_TEXT]);

#endif
