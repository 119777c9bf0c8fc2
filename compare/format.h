/* SPDX-License-Identifier: Apache-2.0 */
/* Floating-point formats as error bounds need them. Pure functions, safe from any thread. */
#ifndef EKKA_COMPARE_FORMAT_H
#define EKKA_COMPARE_FORMAT_H

#include "compare/rounding.h"
#include "trace/model.h"

/* Of a complex type the parts' format, of an integer type one without rounding. */
struct ekka_format ekka_format_of(enum ekka_dtype);

/* Rounds to the format, ties to even; overflow gives infinity, or the largest number when `saturates`. NaN stays. */
double ekka_format_round(const struct ekka_format *, double x, bool saturates);

#endif
