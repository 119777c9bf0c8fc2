/* SPDX-License-Identifier: Apache-2.0 */
/* Changed expressions, as texts: what kernels may have computed instead. Pure functions. */
#ifndef EKKA_REPLAY_EXPR_EDIT_H
#define EKKA_REPLAY_EXPR_EDIT_H

#include <stdbool.h>
#include <stddef.h>

enum { EKKA_EXPR_LONGEST = 4096 };	/* of a changed expression, with its end */

/* The expression with every `word` replaced; false when it has none, or gets too long. Names that are assigned to stay. */
bool ekka_expr_replaced(const char *expr, const char *word, const char *by, char ret[EKKA_EXPR_LONGEST]);

/*
 * The expression in which the `number`th call (from 0) of `function` is replaced by `form`, whose $0, $1... stand for the call's arguments. False when there is no such
 * call, it has no such argument, or it gets too long.
 */
bool ekka_expr_recalled(const char *expr, const char *function, unsigned number, const char *form, char ret[EKKA_EXPR_LONGEST]);

#endif
