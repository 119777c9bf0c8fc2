/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of spec/ as the tools see them: every function known, also those of libraries that this build does not wrap.
 * Generated and constant; all strings are static. Thread-safe.
 */
#ifndef EKKA_SPEC_SPEC_H
#define EKKA_SPEC_SPEC_H

#include <stddef.h>
#include <stdint.h>

enum ekka_spec_class {
	EKKA_SPEC_CALL,		/* intercepted, wrapper generated */
	EKKA_SPEC_IRREGULAR,	/* intercepted, wrapper written by hand */
	EKKA_SPEC_NOTHING,	/* computes nothing, not intercepted */
	EKKA_SPEC_LATER,	/* computes something, not recorded yet */
};

/* As written in the spec: formal types and expressions over the parameters. */
struct ekka_spec_tensor {
	const char *name;
	const char *dir;	/* "in", "out", "inout" */
	const char *dtype;	/* dtype name, or an expression */
	const char *dims;	/* "m, k" */
	const char *strides;
};

struct ekka_spec_fn {
	const char *name;	/* ELF symbol */
	const char *library;	/* "cblas" */
	enum ekka_spec_class class;
	const char *op;		/* "gemm"; "" when none */
	const char *signature;	/* "cblas_gemm"; "" for functions that are not intercepted */
	const char *returns;	/* C type; "" likewise */
	const struct ekka_spec_tensor *tensors;
	unsigned n_tensors;
};

/* In strcmp order of the names. */
extern const struct ekka_spec_fn ekka_spec_fns[];
extern const unsigned ekka_spec_n_fns;

/* The row of a symbol, or NULL. */
const struct ekka_spec_fn *ekka_spec_find(const char *symbol);

/*
 * Name of an enumeration value, by the C type of the argument as recorded ("cublasOperation_t", "const blas_trans *"), or NULL when
 * the type is no enumeration or the value is not one of its.
 */
const char *ekka_enum_name(const char *type, int64_t value);

/* Generated, for spec.c. */
struct ekka_enum_row { const char *type; int64_t value; const char *name; };
extern const struct ekka_enum_row ekka_enum_rows[];
extern const unsigned ekka_n_enum_rows;

#endif
