/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matrix product as a problem to judge: C[b] = alpha op(A[b]) op(B[b]) + beta C0[b] against what was recorded.
 *
 * Independent of traces: op_gemm.c fills it from an event, tests from arrays. Memory used is a fixed number of blocks,
 * whatever the sizes. One problem belongs to one thread; those of its team work on copies.
 */
#ifndef EKKA_REPLAY_GEMM_H
#define EKKA_REPLAY_GEMM_H

#include "compare/bound.h"
#include "compare/tally.h"
#include "compare/verdict.h"
#include "replay/epilogue.h"
#include "replay/matrix.h"

struct ekka_backend;
struct ekka_backend_gemm;
struct ekka_team;

struct ekka_gemm {
	int64_t m, n, k, batch;
	struct ekka_matrix a, b, c0, c;	/* a, b unset when the product does not count (k or alpha 0); c0 when beta is 0 */
	bool has_product, has_c0;
	bool knows_c0;			/* c0 is set although beta is 0: only to explain failures */
	bool batched;			/* the output has a batch dimension */
	double alpha[2], beta[2];
	char uplo;			/* 'U', 'L': only that triangle is defined; 0: all */
	bool hermitian;			/* the diagonal's imaginary part is zero, in C0 too */
	struct ekka_bound_model model;
	const char *output;		/* name, for the verdict */
	struct ekka_epilogue *epilogue;	/* what follows on the sum, borrowed; NULL: nothing */
	struct ekka_backend_gemm *elsewhere;	/* computes the sums instead of the CPU (replay/backend.h); NULL: none */
};

struct ekka_gemm_options {
	bool exact;
	uint64_t memory_bytes;		/* for blocks; 0: as little as is fast */
	double delta;			/* chance that the screen escalates a right op; 0: 1e-6 */
	struct ekka_team *team;		/* threads that may help, replay/team.h; NULL: none */
	struct ekka_backend *backend;	/* NULL: the CPU */
};

/* Judges; fills every field of the verdict that concerns numbers. Negative only when out of memory or when read() failed. */
int ekka_gemm_judge(struct ekka_gemm *g, const struct ekka_gemm_options *o, struct ekka_verdict *ret, struct ekka_error *err);

/* Puts into words which elements are wrong, and what that looks like. Negative as above. */
int ekka_gemm_explain(struct ekka_gemm *g, const struct ekka_tally *tally, struct ekka_verdict *v, struct ekka_error *err);

/* Is (i, j) an element the call defines. */
static inline bool ekka_gemm_defines(const struct ekka_gemm *g, int64_t i, int64_t j)
{
	return g->uplo == 'U' ? j >= i : g->uplo == 'L' ? j <= i : true;
}

#endif
