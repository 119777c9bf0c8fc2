/* SPDX-License-Identifier: Apache-2.0 */
/* The O(n^2) check of a matrix product, compare/screen.h, and the exact recomputation of what it finds suspicious. */
#ifndef EKKA_REPLAY_GEMM_SCREEN_H
#define EKKA_REPLAY_GEMM_SCREEN_H

#include "replay/gemm.h"

/* Is the screen worth its while for this problem. */
bool ekka_gemm_screen_pays(const struct ekka_gemm *g);

/*
 * Screens all elements that the call defines; suspicious rows of column blocks are recomputed and added to the tally. The
 * others are right as far as the screen can see. *ret_rows: how many (row, block) pairs were recomputed because they were suspicious.
 */
int ekka_gemm_screen(struct ekka_gemm *g, const struct ekka_gemm_options *o, struct ekka_tally *tally, uint64_t *ret_rows,
		     struct ekka_error *err);

#endif
