/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions given as text, and launches made up for them. Not thread-safe. */
#ifndef EKKA_TESTS_DESCRIBE_CASE_H
#define EKKA_TESTS_DESCRIBE_CASE_H

#include "spec/describe.h"

struct ekka_describe_case {
	const char *text;			/* the description file */
	const char *name;			/* the kernel's */
	struct ekka_launch_facts facts;
	const void *param[EKKA_MAX_ARGS];
	uint32_t bytes[EKKA_MAX_ARGS];
	char problems[4096];			/* what loading said, a line each */
};

/* Adds a parameter; the bytes are borrowed. */
void describe_case_param(struct ekka_describe_case *, const void *p, uint32_t bytes);
#define PARAM(c, object) describe_case_param(c, &(object), sizeof(object))

/* Loads the text as "case.kd", binds and describes. Returns NULL when nothing binds; else the same meaning every time. */
const struct ekka_meaning *describe_case_run(struct ekka_describe_case *);

/* Writes the text to case.kd in a folder of its own and loads it; problems go to `c`. */
struct ekka_descriptions *describe_case_load(struct ekka_describe_case *);

const struct ekka_tensor *meaning_tensor(const struct ekka_meaning *, const char *name);	/* or NULL */
const struct ekka_value *meaning_attr(const struct ekka_meaning *, const char *name);		/* or NULL */

#endif
