/* SPDX-License-Identifier: Apache-2.0 */
/* Puts into words which elements are wrong: "columns 4032-4095 of every row". Pure function of a tally. */
#ifndef EKKA_COMPARE_WHERE_H
#define EKKA_COMPARE_WHERE_H

#include "compare/tally.h"

/*
 * Writes at most EKKA_TEXT bytes. `triangle`: 'U' or 'L' when only that part of a square matrix is defined, else 0. Empty when nothing is bad.
 */
void ekka_where_describe(const struct ekka_tally *t, char triangle, char *ret_text);

#endif
