/* SPDX-License-Identifier: Apache-2.0 */
/* Judges a whole matrix product block by block, replay/gemm_exact.h, with the threads and the backend that the options offer. */
#ifndef EKKA_REPLAY_GEMM_BLOCKS_H
#define EKKA_REPLAY_GEMM_BLOCKS_H

#include "replay/gemm.h"

/*
 * Adds every element that the call defines to the tally, and to the epilogue's account. What comes out does not depend on the number of
 * threads. Negative with err filled: no memory, or read() failed.
 */
int ekka_gemm_blocks(struct ekka_gemm *g, const struct ekka_gemm_options *o, struct ekka_tally *tally, struct ekka_error *err);

/* A copy for another thread, with its own windows on the operands and its own epilogue in *epilogue (unused when g has none). */
struct ekka_gemm ekka_gemm_copy(const struct ekka_gemm *g, struct ekka_epilogue *epilogue);
void ekka_gemm_copy_release(struct ekka_gemm *copy);

#endif
