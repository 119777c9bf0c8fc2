/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of spec/kernels, as built in: the last one's file is NULL. */
#ifndef EKKA_SPEC_KERNELS_BUILTIN_H
#define EKKA_SPEC_KERNELS_BUILTIN_H

#include <stddef.h>

struct ekka_builtin_kernels { const char *file, *text; };
extern const struct ekka_builtin_kernels ekka_builtin_kernels[];

#endif
