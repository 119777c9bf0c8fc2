/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the screen share: gemm_screen.c (threads, groups of columns), gemm_screen_sums.c and gemm_screen_rows.c (judging). b, i0, j0: batch item, first row and column. */
#ifndef EKKA_REPLAY_GEMM_SCREEN_INTERNAL_H
#define EKKA_REPLAY_GEMM_SCREEN_INTERNAL_H

#include <pthread.h>
#include <string.h>

#include "replay/gemm_blocks.h"
#include "replay/gemm_exact.h"

enum {
	ROWS = 256,		/* of A and C at a time */
	DEPTH = 512,		/* of k at a time */
	PIECE = 512,		/* columns of B and C at a time: a multiple of every block width; the piece stays in the second-level cache */
};

/* Guards b_sq: whoever is the first to need it fills it. */
struct squares { pthread_mutex_t lock; bool there; };

/* What all threads share, and what each has for itself: a thread's is a copy of the shared one with the fields below `memory` its own. */
struct screen {
	struct ekka_gemm *g;
	struct ekka_gemm_work *w;
	struct ekka_tally *tally;
	struct ekka_error *err;
	bool cx, direct, half;		/* direct: A is multiplied where it lies; half: A, B and C are 16-bit, the quick stage uses float */
	bool lined, tiles;		/* lined: B's sums are made as lines; tiles: A's product with them is made by tiles */
	bool quick;			/* which stage it is */
	int64_t width, group, blocks;	/* columns of a block, blocks of the largest group and of this one */
	double factor;
	double *sign;			/* of the group's columns */
	struct ekka_panel b_sum;	/* k x group, row-major: signed sums of B; when lined, once somebody needs them */
	double *b_sq;			/* k x group: sums of squares, once somebody needs them */
	struct squares *squares;
	int64_t ld;			/* direct: of lines */
	double *line;			/* direct: b_sum.re, a block a line; floats when half */
	uint16_t *packed;		/* tiles: the same once more */
	double *memory;
	struct ekka_gemm gemm;
	struct ekka_epilogue epilogue;
	struct ekka_gemm_work work;
	struct ekka_tally found;
	double *scratch;		/* squares for complex and of A, or EKKA_SUM_SCRATCH */
	struct ekka_panel load;		/* ROWS x PIECE, also DEPTH x PIECE and ROWS x DEPTH */
	double *want[2], *have[2], *c0[2], *product2, *out2, *ulp2, *c02;	/* ROWS x group */
	bool suspicious[ROWS];
	uint64_t n_suspicious;
};

static inline int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* NULL is fine. */
static inline void zero(double *v, size_t n)
{
	if (v)
		memset(v, 0, n * sizeof *v);
}

/* The sums of rows [k, k+nk) of B, nk at most ROWS; of squares only where panels are needed anyway. 0, or negative with s->err filled, as the others. */
int ekka_screen_sum_b(struct screen *, int64_t b, int64_t k, int64_t nk, int64_t j0, int64_t nj);

/* Those of squares that were left out: by the first who needs them. Any thread. */
void ekka_screen_square_b(struct screen *, int64_t b, int64_t j0, int64_t nj);

/* want = op(A) times B's signed sums for rows [i0, i0+ni): the quick stage's way, and the other; product2: of squares, if asked for. */
void ekka_screen_want_directly(struct screen *, int64_t b, int64_t i0, int64_t ni);
int ekka_screen_want(struct screen *, int64_t b, int64_t i0, int64_t ni, bool with_product2);

/* The signed sums of C and C0 for these rows. */
int ekka_screen_have(struct screen *, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj);

/* Screens these rows of the group's columns and recomputes what is suspicious. */
int ekka_screen_rows(struct screen *, int64_t b, int64_t i0, int64_t ni, int64_t j0, int64_t nj);

#endif
