/* SPDX-License-Identifier: Apache-2.0 */
/* What the parser and the evaluator of expressions share. */
#ifndef EKKA_REPLAY_EXPR_INTERNAL_H
#define EKKA_REPLAY_EXPR_INTERNAL_H

#include "compare/format.h"
#include "replay/expr.h"
#include "replay/expr_function.h"
#include "replay/expr_whole.h"

enum { EKKA_EXPR_NODES = 230, EKKA_EXPR_ARGS = 6 };	/* parsed ones; storing may add one per result */

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

struct ekka_expr_register {
	union { double re[EKKA_EXPR_BLOCK]; int64_t ints[EKKA_EXPR_BLOCK]; };
	double error[EKKA_EXPR_BLOCK];
	bool exact;			/* `error` is not written, and all 0 */
};

struct ekka_expr_function { const char *name; struct ekka_function f; };

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

/* How a node's operation rounds; the error of a node that is a number, when it is not one of the compute type; an integer type. */
struct ekka_expr_rounding ekka_expr_rounding_of(const struct ekka_expr *, const struct ekka_expr_node *);
double ekka_expr_number_error(const struct ekka_expr *, const struct ekka_expr_node *);
struct ekka_whole_type ekka_expr_whole_type(enum ekka_dtype);

/* Element i of a register. */
static inline struct ekka_real ekka_expr_real_at(const struct ekka_expr_register *a, size_t i)
{
	return (struct ekka_real){ a->re[i], a->exact ? 0 : a->error[i] };
}

#endif
