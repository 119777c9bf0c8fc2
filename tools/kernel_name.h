/* SPDX-License-Identifier: Apache-2.0 */
/* Names of kernels for people. Thread-safe. */
#ifndef EKKA_TOOLS_KERNEL_NAME_H
#define EKKA_TOOLS_KERNEL_NAME_H

#include "trace/reader.h"

/*
 * The demangled name, or a copy of `mangled` when it is none; at most 64 KiB of it. NULL: out of memory. The caller frees it.
 */
char *ekka_kernel_demangle(const char *mangled);

/* "vectorized_elementwise_kernel": the demangled name without scope, template arguments and parameters, into buf. Returns buf. */
const char *ekka_kernel_short(const char *mangled, char *buf, size_t len);

/* Characters of a demangled name in front of its parameter list. */
size_t ekka_kernel_name_length(const char *demangled);

/* A function's name as a listing shows it: a kernel's is shortened. Returns buf or the name. */
const char *ekka_event_name(const struct ekka_event *, char *buf, size_t len);

/* "<<<64, 32x4>>>": grid and block of a launch into buf. Returns buf. */
const char *ekka_launch_shape(const struct ekka_event *, char *buf, size_t len);

/* Is this one of the attributes that every launch has: grid, block, shared memory and the like. */
bool ekka_is_launch_attr(const char *name);

#endif
