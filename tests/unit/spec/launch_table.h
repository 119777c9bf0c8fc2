/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of recorded launches (*.launches) with what they mean. Not thread-safe. */
#ifndef EKKA_TESTS_LAUNCH_TABLE_H
#define EKKA_TESTS_LAUNCH_TABLE_H

#include <stdio.h>

#include "spec/describe.h"

enum { LAUNCH_LINE_BYTES = 8192, LAUNCH_PARAMS_MAX = 32, LAUNCH_PARAM_BYTES = 4096 };

/* A record; pointers of `facts` go into it. */
struct launch_row {
	char what[LAUNCH_LINE_BYTES], kernel[LAUNCH_LINE_BYTES], means[LAUNCH_LINE_BYTES];
	struct ekka_launch_facts facts;
	const void *param[LAUNCH_PARAMS_MAX];
	uint32_t param_bytes[LAUNCH_PARAMS_MAX];
	uint8_t bytes[LAUNCH_PARAMS_MAX][LAUNCH_PARAM_BYTES];
};

/* The descriptions that are built in; the test fails when one of them has an error. */
struct ekka_descriptions *launch_descriptions(void);

/* Reads the next record; false behind the last. What is malformed ends the test. */
bool launch_next(FILE *table, struct launch_row *ret);

/* Is its meaning an op: neither `nothing` nor a refusal. */
bool launch_is_op(const struct launch_row *);

/* Describes it; ends the test when nothing binds. */
void launch_describe(struct ekka_descriptions *, const struct launch_row *, struct ekka_meaning *ret);

#endif
