/* SPDX-License-Identifier: Apache-2.0 */
/* The part of an exported program that declares the function and calls it with the recorded arguments. */
#ifndef EKKA_TOOLS_EXPORT_CALL_H
#define EKKA_TOOLS_EXPORT_CALL_H

#include "tools/export.h"

/* Writes the declaration and `static void call(void)`. Negative with the reason in err when an argument cannot be rebuilt. */
int ekka_export_call(const struct ekka_export *x, FILE *out, struct ekka_error *err);

/* The tensor that is written to, or -1. */
int ekka_export_output(const struct ekka_event *);

/* Is tensor i a scalar that lay on the device (alpha, beta) instead of a factor. */
bool ekka_export_is_scalar(const struct ekka_event *, unsigned i);

/* alpha or beta, from an attribute or from device memory: 0, or -1 when it was not recorded. */
int ekka_export_scalar(const struct ekka_export *, const char *name, double ret_value[2], bool *ret_complex);

/* A double as a C constant that reads back the same. Returns buf. */
const char *ekka_export_number(double v, char *buf, size_t len);

#endif
