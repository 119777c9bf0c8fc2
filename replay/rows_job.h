/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What device kernels are told of an event that goes row by row (replay/gpu_rows.cuh), one structure each: the op fills in the numbers, the backend where
 * tensors are. C and CUDA C++.
 */
#ifndef EKKA_REPLAY_ROWS_JOB_H
#define EKKA_REPLAY_ROWS_JOB_H

#include "replay/gpu_shared.h"
#include "replay/norm_element.h"
#include "replay/quantize_element.h"
#include "replay/rope_element.h"
#include "replay/softmax_element.h"

/* bytes 0: the event has no such tensor. */
struct ekka_rows_output {
	struct ekka_gpu_array array;
	struct ekka_format format;
	uint64_t parts;			/* where teams tell what they found */
};

struct ekka_norm_job {
	struct ekka_gpu_array x, residual, weight, bias;	/* weight and bias: [rows, n], row r takes those of r % rows */
	struct ekka_rows_output y, residual_out, mean, rstd;
	int64_t n, n_rows, weight_rows, bias_rows;
	struct ekka_norm_form form;
	struct ekka_norm_limits limits;
	struct ekka_format residual_format, weight_format;	/* of the roundings of h and before the weight; f64: none */
	bool use_stored;
};

struct ekka_reduce_job {
	struct ekka_gpu_array in;
	struct ekka_rows_output out, second;
	struct ekka_fold_options o;
	int64_t n, n_rows;
	int64_t pieces, piece;		/* of a row, and elements of each but the last; several: found[row * pieces + p] keeps what each comes to */
	uint64_t found;
	bool is_unsigned, first_tie;
	bool index;			/* second is an index, else the mean */
};

enum { EKKA_ROWS_TENSORS = 8, EKKA_ROWS_STEPS = 3 };

struct ekka_softmax_job {
	struct ekka_gpu_array x, mask;	/* mask: broadcast to x's dims */
	struct ekka_rows_output y;
	int64_t n, n_rows;
	struct ekka_softmax_form form;
	enum ekka_mask_kind mask_kind;
	struct ekka_softmax_limits limits;
	double floor;			/* of exponents */
	double empty;			/* of a row of which nothing is left */
	bool exact;			/* exp as good as float64 has it */
};

struct ekka_cat_job {
	struct ekka_rows_output out;
	struct { struct ekka_gpu_array array; int64_t at, length; } part[EKKA_ROWS_TENSORS];	/* indices at..at+length-1 of the dimension */
	int32_t n_parts;
	int64_t length, inner;		/* of the output along the dimension; elements behind one index of it */
};

struct ekka_quantize_extremes { double low, high; bool nan; };

struct ekka_quantize_job {
	struct ekka_gpu_array x, scale, zero;
	struct ekka_rows_output y, scale_out, zero_out;	/* scale_out: compared by the kernel for scales */
	int64_t rows, n;
	int64_t r, g, block_rows, block;	/* r by g blocks of block_rows by block elements, or what is left of them */
	int64_t pieces, piece;		/* of a block, and elements of each; found[block * pieces + p] keeps their extremes */
	uint64_t found;
	struct ekka_quantize_range range;
	struct ekka_scaling how;
	double u;
	bool inverse;
};

struct ekka_rope_tensor { struct ekka_gpu_array x; struct ekka_rows_output y; int64_t heads, d; };	/* [tokens, heads, d] */

struct ekka_rope_job {
	struct ekka_rope_tensor tensor[2];
	struct ekka_gpu_array cos, sin, positions, offsets;	/* no cos: angles are computed */
	int64_t rot, columns, positions_known;	/* of the tables */
	int64_t sines;			/* how far behind cosines they are in a cache */
	double theta, scaling, u, roundings;
	bool interleaved;
	bool by_pair;			/* tables have a column for each pair, else for each element */
};

/* ---- from an op to the backend: not for kernels ---- */

#define EKKA_ROWS_KERNELS(f) f(norm) f(reduce) f(reduce_ints) f(reduce_pieces) f(reduce_ints_pieces) f(softmax_rows) f(cat) \
	f(quantize_extremes) f(quantize_scales) f(quantize) f(rope)
enum ekka_rows_kernel {
#define NUMBER(name) EKKA_ROWS_##name,
	EKKA_ROWS_KERNELS(NUMBER)
#undef NUMBER
	EKKA_ROWS_N_KERNELS
};

struct ekka_array;

/* Kernels that compare all outputs of an event, one after another; of each output one of them tells. */
struct ekka_rows_work {
	void *job;			/* the structure, `bytes` long; its arrays and outputs are filled in */
	uint64_t bytes;
	struct { const struct ekka_array *from; struct ekka_gpu_array *to; } in[EKKA_ROWS_TENSORS];
	struct { const struct ekka_array *from; struct ekka_rows_output *to; } out[EKKA_ROWS_TENSORS];
	unsigned n_in, n_out, n_steps;
	struct { enum ekka_rows_kernel kernel; int64_t teams; } step[EKKA_ROWS_STEPS];
	uint64_t scratch;		/* bytes of memory that steps hand on */
	uint64_t *scratch_at;		/* where its address goes; NULL: none */
};

#endif
