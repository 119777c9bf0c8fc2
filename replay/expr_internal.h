/* SPDX-License-Identifier: Apache-2.0 */
/* What the parser and the evaluator of expressions share. */
#ifndef EKKA_REPLAY_EXPR_INTERNAL_H
#define EKKA_REPLAY_EXPR_INTERNAL_H

#include "compare/format.h"
#include "replay/expr.h"

enum { EKKA_EXPR_NODES = 230, EKKA_EXPR_ARGS = 6 };	/* parsed ones; storing may add one per result */

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

struct ekka_expr_function;

struct ekka_expr_node {
	enum ekka_expr_op op;
	bool is_int;			/* of the value */
	bool is_unsigned;		/* an integer operation on 64 bits without sign; of a comparison, its operands */
	bool contracts;			/* a product that the compiler may contract with the sum that uses it */
	bool last;			/* the store, or a cast, rounds */
	unsigned n_args;
	uint8_t arg[EKKA_EXPR_ARGS];
	unsigned input;			/* INPUT: which; INDEX: dim */
	enum ekka_dtype dtype;		/* ROUND_TO, WRAP, TO_INT */
	double number;
	int64_t integer;
	const struct ekka_array *table;
	const char *name;		/* of the table; owned by the expression */
	const struct ekka_expr_function *function;
};

struct ekka_expr {
	enum ekka_dtype compute;
	struct ekka_format format;
	struct ekka_expr_node node[EKKA_EXPR_NODES + EKKA_EXPR_RESULTS];	/* arguments come before those that use them */
	unsigned n_nodes;
	uint8_t reg[EKKA_EXPR_NODES + EKKA_EXPR_RESULTS];	/* a node's register; numbers keep theirs */
	unsigned n_regs;
	struct { char name[EKKA_EXPR_NAME]; uint8_t node; } result[EKKA_EXPR_RESULTS];
	unsigned n_results;
	char *text;			/* names of tables, one behind the other */
};

/* Is the value an integer of 64 bits without sign. What is 0 or 1 is none. */
static inline bool ekka_expr_node_unsigned(const struct ekka_expr_node *n)
{
	return n->is_unsigned && n->is_int && !(n->op >= EKKA_X_EQ && n->op <= EKKA_X_OR);
}

/* Gives a parsed expression its registers, marks what rounds how, and makes the names its own. 0, or negative with err filled. */
int ekka_expr_lay_out(struct ekka_expr *, struct ekka_error *err);

/* How an operation rounds: k u, and when results overflow; a product that may be contracted keeps what overflows, for the sum to decide. */
struct ekka_expr_rounding {
	double unit, normal, overflow;
	bool contracts;
	bool single;			/* results that are binary32 numbers are exact: the type is f32, and the operation correctly rounded */
	bool ieee;			/* the type is f64: of exact operands the operations that round correctly give what they give here */
};

struct ekka_expr_register {
	union { double re[EKKA_EXPR_BLOCK]; int64_t ints[EKKA_EXPR_BLOCK]; };
	double error[EKKA_EXPR_BLOCK];
	bool exact;			/* `error` is not written, and all 0 */
};

struct ekka_expr_function {
	const char *name;
	double (*value)(double x);
	/* All of the error of r = value(x), x within `error`: finite x and r. */
	double (*error)(const struct ekka_expr_function *, double x, double error, double r, double u);
	double k;			/* of the rounding, in units of u */
	double lipschitz;		/* 0: monotone */
	double low, high;		/* domain; -inf, inf */
};

const struct ekka_expr_function *ekka_expr_function_find(const char *name);

/* Real operations over blocks; `r` may not be one of the operands. */
void ekka_expr_arith(enum ekka_expr_op, size_t n, const struct ekka_expr_register *a, const struct ekka_expr_register *b,
		     const struct ekka_expr_register *c, struct ekka_expr_register *r, const struct ekka_expr_rounding *);
void ekka_expr_round_to(size_t n, const struct ekka_expr_register *a, struct ekka_expr_register *r, const struct ekka_format *, bool saturates);
void ekka_expr_apply(const struct ekka_expr_function *, size_t n, const struct ekka_expr_register *a, struct ekka_expr_register *r,
		     const struct ekka_expr_rounding *);
void ekka_expr_pow(size_t n, const struct ekka_expr_register *a, const struct ekka_expr_register *b, struct ekka_expr_register *r,
		   const struct ekka_expr_rounding *);

/* Integer operations, and those that lead from reals to integers. */
void ekka_expr_integers(const struct ekka_expr_node *, size_t n, const struct ekka_expr_register *const *arg, bool real_args,
			struct ekka_expr_register *r);

/* The error of a value that is unknown because one of its operands is. */
static inline double ekka_expr_unknown(double a, double b)
{
	return isnan(a) || isnan(b) ? NAN : INFINITY;
}

/* The error of result r whose error without overflow and the like is e: an infinity where it certainly overflows, unknown where it may. */
static inline double ekka_expr_overflow(double *r, double e, const struct ekka_expr_rounding *p)
{
	double size = fabs(*r);

	if (size + e < p->overflow)
		return e;
	if (!(size - e >= p->overflow))
		return isnan(e) ? NAN : INFINITY;
	*r = copysign(INFINITY, *r);
	return 0;
}

#endif
