/* SPDX-License-Identifier: Apache-2.0 */
/* Hypotheses about the sum over k alone: parts of it lost or counted twice, operands rounded, narrow accumulators. */
#ifndef EKKA_COMPARE_HYPOTHESIS_SUMS_H
#define EKKA_COMPARE_HYPOTHESIS_SUMS_H

#include <complex.h>

#include "compare/hypothesis.h"

struct ekka_hypothesis_sample {
	const struct ekka_element *element;
	double complex out, c0, total;		/* total: sum of a[l] * b[l], without alpha */
	double complex *a, *b;			/* k each */
	bool have_c0;
};

struct ekka_hypothesis_sums {
	const struct ekka_hypothesis_input *in;
	const struct ekka_hypothesis_sample *sample;
	unsigned n;
	double complex predicted[EKKA_TALLY_SAMPLES];	/* of the sum, without alpha and C0 */
	double tries;					/* parameters of which the best was taken */
};

/* In order of preference between equally good ones. */
enum ekka_sums {
	EKKA_SUMS_CUT, EKKA_SUMS_HEAD_LOST, EKKA_SUMS_EVERY_LOST, EKKA_SUMS_REPEATED_A, EKKA_SUMS_REPEATED_B,
	EKKA_SUMS_MIDDLE_LOST, EKKA_SUMS_PART_TWICE, EKKA_SUMS_CONJ_A, EKKA_SUMS_CONJ_B,
	EKKA_SUMS_TF32, EKKA_SUMS_BF16, EKKA_SUMS_F16, EKKA_SUMS_F16_ACCUMULATOR, EKKA_SUMS_COUNT
};

/* Fills predicted with the best choice of this kind and says it in words (EKKA_TEXT bytes). False when it does not apply. */
bool ekka_hypothesis_sums(struct ekka_hypothesis_sums *h, enum ekka_sums kind, char *text);

#endif
