/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op "matmul" between its files: matmul_take.c and matmul_blocks.c take its operands from the event, op_matmul.c judges D, matmul_outputs.c and, of the scales
 * of D's blocks, matmul_quantized.c judge what else is written. One belongs to one thread. Functions return as those of replay/op_job.h do.
 */
#ifndef EKKA_REPLAY_MATMUL_H
#define EKKA_REPLAY_MATMUL_H

#include "replay/op_job.h"

/* Vectors and scales in memory, as doubles. */
enum { EKKA_MATMUL_BIAS, EKKA_MATMUL_ROW_SCALE, EKKA_MATMUL_ROW_ALPHA, EKKA_MATMUL_COL_SCALE, EKKA_MATMUL_BLOCKS_A, EKKA_MATMUL_BLOCKS_B,
       EKKA_MATMUL_BLOCKS_C, EKKA_MATMUL_BLOCKS_D, EKKA_MATMUL_ROW_SUMS, EKKA_MATMUL_LARGEST, EKKA_MATMUL_VECTORS };

/* Those of the matrices that may be packed, or have factors for blocks. */
enum ekka_matmul_matrix { EKKA_MATMUL_A, EKKA_MATMUL_B, EKKA_MATMUL_C, EKKA_MATMUL_D, EKKA_MATMUL_MATRICES };

/* cublasLtMatmulMatrixScale_t, and the attributes that tell it of A, B, C, D and aux. */
enum { EKKA_SCALE_SCALAR, EKKA_SCALE_VEC16_UE4M3, EKKA_SCALE_VEC32_UE8M0, EKKA_SCALE_OUTER_VECTOR, EKKA_SCALE_VEC128, EKKA_SCALE_BLK128 };
enum { EKKA_MATMUL_SCALES = 5 };
extern const char *const ekka_matmul_scale_modes[EKKA_MATMUL_SCALES];

struct ekka_matmul {
	struct ekka_job job;
	struct ekka_epilogue epilogue;
	struct ekka_matrix input;	/* of the GELU whose gradient is taken */
	double *vector[EKKA_MATMUL_VECTORS];	/* owned */
	unsigned char *unpacked[EKKA_MATMUL_MATRICES];	/* numbers of four bits as e4m3; owned */
	const char *name;		/* of the epilogue */
	struct ekka_matrix stored;	/* D as it lies in memory, packed or not */
	int aux;			/* tensor that the epilogue writes besides D, -1 none */
	bool mask;			/* aux is a ReLU mask */
	double aux_scale;
};

int ekka_matmul_tensor(const struct ekka_matmul *, const char *name);	/* its index, -1 none */

bool ekka_matmul_takes_gradient(const char *epilogue);	/* of an activation, so that aux is an input */

/* Tensor `index`, of `n` elements, as doubles that are the caller's. Untouched when the verdict is settled. */
int ekka_matmul_take_vector(struct ekka_matmul *, int index, enum ekka_phase phase, int64_t n, double **ret, struct ekka_error *err);

/* Elements along k (of C and D: m) that share a factor in this mode; 0: none do. */
int64_t ekka_matmul_block(int64_t mode);
/* A matrix's packed numbers, if it has such, and then the factors of its blocks if it is an input: replay/matmul_blocks.c. */
int ekka_matmul_unpack(struct ekka_matmul *, enum ekka_matmul_matrix which, struct ekka_matrix *matrix, struct ekka_error *err);
int ekka_matmul_take_blocks(struct ekka_matmul *, enum ekka_matmul_matrix which, struct ekka_matrix *matrix, struct ekka_error *err);
/* Factors that are bytes in tiles, n of `blocks` for each of `lines` lines: into *ret, [batch, lines, blocks]. */
int ekka_matmul_take_tiles(struct ekka_matmul *, int index, enum ekka_phase phase, int64_t mode, int64_t lines, int64_t blocks, double **ret,
			   struct ekka_error *err);
/* Is it an assumption where factors lie: those of items behind the first. */
bool ekka_matmul_assumes_places(const struct ekka_matmul *);

/*
 * Block-scaled outputs: the recorded scales go into the epilogue, once D's own sizes are set; and once D was judged by them, they are judged themselves:
 * replay/matmul_quantized.c.
 */
bool ekka_matmul_quantizes(const struct ekka_matmul *);
int ekka_matmul_take_out_scales(struct ekka_matmul *, struct ekka_error *err);
int ekka_matmul_judge_out_scales(struct ekka_matmul *, const struct ekka_gemm_options *, struct ekka_error *err);

/* The verdict is that an output besides D is wrong. */
void ekka_matmul_fail(struct ekka_verdict *, const char *output, const char *where);

/* In this order, once gemm.c, m, n and batch are set: */
int ekka_matmul_take_factors(struct ekka_matmul *, struct ekka_error *err);	/* alpha and beta with the scales in them, factors of rows and columns */
int ekka_matmul_take_matrices(struct ekka_matmul *, struct ekka_error *err);	/* A, B, C, block scales */
int ekka_matmul_take_epilogue(struct ekka_matmul *, struct ekka_error *err);	/* leaves gemm.epilogue NULL when there is nothing to do */

/* Facts for the bounds of a product into `out` with this event's operands and algorithm. */
void ekka_matmul_facts(const struct ekka_matmul *, enum ekka_dtype out, struct ekka_bound_facts *ret);

/*
 * Once D was judged and found right: the ReLU mask bit by bit, amax against the largest element, the GELU's input (aux) as a product of its own,
 * the bias gradient: of A or B a product with ones, of D sums of its rows, either of what D holds or of what it was rounded from:
 * errors of the elements and gamma_n with n columns in any order, u = 2^-24. Leaves the first that is wrong in the verdict. Bytes between their elements
 * that changed leave it UNDECIDED, as those of D do.
 */
int ekka_matmul_judge_outputs(struct ekka_matmul *, const struct ekka_gemm_options *, struct ekka_error *err);

#endif
