/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of an output's range that are no element of it: between lines (ld larger than a line), between batch items, the other triangle. */
#ifndef EKKA_REPLAY_GAPS_H
#define EKKA_REPLAY_GAPS_H

#include "compare/verdict.h"
#include "replay/gemm.h"

struct ekka_gaps {
	uint64_t changed;		/* bytes that differ before and after */
	uint64_t first;			/* the first of them, from the range's start */
	int64_t b;			/* batch item, and line (row or column) behind or in which it lies; -1: before the first */
	int64_t line;
	bool by_row;
};

/*
 * Compares g->c with `before`, both wholly in memory and of one shape. False when the layout is none that this can tell
 * gaps of (a negative stride, overlapping elements). Pure.
 */
bool ekka_gaps_compare(const struct ekka_gemm *g, const unsigned char *before, struct ekka_gaps *ret);

/* "outside the output: 64 bytes changed, the first behind column 3" */
void ekka_gaps_describe(const struct ekka_gaps *gaps, const struct ekka_gemm *g, char text[EKKA_TEXT]);

#endif
