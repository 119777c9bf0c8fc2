/* SPDX-License-Identifier: Apache-2.0 */
/* What the judgement of one event says, and of a whole run. */
#ifndef EKKA_COMPARE_VERDICT_H
#define EKKA_COMPARE_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ekka_status {
	EKKA_PASS,		/* every element within its bound */
	EKKA_FAIL,		/* an element beyond its bound, or NaN/Inf where the reference has none or the reverse */
	EKKA_UNDECIDED,		/* the bound is too loose to tell right from wrong here */
	EKKA_UNSUPPORTED,	/* no reference for this op or dtype */
	EKKA_INCOMPLETE,	/* bytes are missing */
	EKKA_STATUS_COUNT
};
const char *ekka_status_name(enum ekka_status);	/* "PASS" ... */

enum { EKKA_TEXT = 512 };

/* What looks_like begins with where elements hold what they held before the call: no other explanation is wanted then. */
#define EKKA_NOT_WRITTEN "not written"

/* Strings are UTF-8, one line, empty when there is nothing to say. */
struct ekka_verdict {
	uint64_t event;
	enum ekka_status status;
	bool screened;			/* passed the O(n^2) screen; no per-element margin was computed */
	double margin;			/* max |out - ref| / bound over the elements; infinity on a NaN pattern mismatch; NaN when not computed */
	double max_abs_error;
	double max_bound;		/* bound at the worst element */
	uint64_t n_elements, n_bad;	/* judged, and beyond the bound */
	int64_t worst[6];		/* index of the worst element, in the output tensor's dims */
	unsigned n_worst;
	double worst_out[2], worst_ref[2];	/* re, im */
	char output[32];		/* name of the output tensor with the worst element */
	char where[EKKA_TEXT];		/* "columns 4032-4095 of every row" */
	char looks_like[EKKA_TEXT];	/* "as if K was cut at 4096" */
	char reason[EKKA_TEXT];		/* why UNDECIDED, UNSUPPORTED, INCOMPLETE; or the audit's finding */
	char bound[EKKA_TEXT];		/* which bound was used: "fp32 any-order, gamma_K, K=512" */
	char audit[EKKA_TEXT];		/* findings about the arguments, "; " between them; independent of status */
};

/* Does the verdict say so. */
bool ekka_not_written(const struct ekka_verdict *);

#endif
