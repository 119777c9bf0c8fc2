/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a wrong result of an expression looks like: computes a sample of its bad elements again with one thing changed that kernels get wrong, and names
 * the change that gives what was recorded. Tried are: an input read from somewhere else (a pointer, a row or an index off), two inputs swapped, an input
 * left out, another value of a scalar, another function or operator, a table's rows further apart, an input rounded to 16 bits first. A match is strong
 * evidence, not proof.
 */
#ifndef EKKA_REPLAY_EXPR_EXPLAIN_H
#define EKKA_REPLAY_EXPR_EXPLAIN_H

#include "compare/elements_bad.h"
#include "replay/expr_event.h"

/*
 * `out` is result k of the event's attribute `expr`, and `bad` its bad elements. Fills text (EKKA_TEXT bytes) with "as if in0 and in1 were swapped", or
 * leaves it empty: where nothing fits nine tenths of the sample, or most of it is zero or no number, which fits much.
 */
void ekka_expr_explain(struct ekka_expr_event *, unsigned k, const struct ekka_array *out, const struct ekka_bad *bad, char *text);

#endif
