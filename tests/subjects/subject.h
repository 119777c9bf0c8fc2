/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subject programs: what an engine may do to a shim. One executable per way of linking; each file s-NAME.c holds scenarios.
 *
 *	subject MODE SCENARIO [ARGUMENT]...	MODE: local (a module loaded RTLD_LOCAL), dlsym
 *	subject-linked linked SCENARIO ...
 *
 * They print what they computed, so that a run with the shim can be compared with one without.
 */
#ifndef TESTS_SUBJECTS_SUBJECT_H
#define TESTS_SUBJECTS_SUBJECT_H

#include "tests/subjects/toyblas.h"

enum { N = 16 };

struct subject {
	gemm_fn *gemm;			/* found as the mode says */
	int (**hook)(void);		/* toy_hook of that library */
	int argc;
	char **argv;			/* the scenario's arguments */
	const char *program, *mode;
};

struct scenario { const char *name; int (*run)(struct subject *); };
extern const struct scenario scenarios_basic[], scenarios_process[], scenarios_hostile[], scenarios_lookup[];

/* One N x N multiplication of numbers made from `seed`; prints "NAME: sum of the result as hex float". */
void subject_call(struct subject *, const char *name, unsigned seed);

/* The same with any function; returns the sum. */
float subject_gemm(gemm_fn *gemm, unsigned seed);

/* A symbol of a library, loaded RTLD_LOCAL; ends the program when there is none. */
void *subject_find(const char *library, const char *symbol);

/* Environment variable that must be set. */
const char *subject_env(const char *name);

#endif
