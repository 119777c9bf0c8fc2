/* SPDX-License-Identifier: Apache-2.0 */
/* What the host and the device kernels say to each other. C and CUDA C++. */
#ifndef EKKA_REPLAY_GPU_SHARED_H
#define EKKA_REPLAY_GPU_SHARED_H

#include "compare/bound_element.h"
#include "compare/element.h"
#include "replay/attention_bound.h"
#include "replay/epilogue_element.h"

enum { EKKA_GPU_DIMS = 6, EKKA_GPU_TEAM = 32 };	/* EKKA_GPU_TEAM: threads that work together, replay/gpu_device.cuh */

/* A tensor on the device: struct ekka_array's walk (replay/array.h). */
struct ekka_gpu_array {
	uint64_t bytes;			/* device address of the recorded bytes */
	int64_t offset;			/* elements, of the first */
	int64_t n;
	int32_t dtype;			/* enum ekka_dtype */
	int32_t n_walk;
	int64_t dim[EKKA_GPU_DIMS], stride[EKKA_GPU_DIMS];	/* elements; row-major order of dim is the tensor's */
};

/* What a group of threads found: struct ekka_elements_part (compare/elements.h) word for word. n 0: nothing. */
struct ekka_gpu_part {
	uint64_t n, n_measured, n_loose, n_wide, n_bad;
	double margin, max_error;
	int64_t index;
	double out, ref, bound;
};

/* A matrix on the device: element (b, r, c) is where struct ekka_matrix (replay/matrix.h) has it. */
struct ekka_gpu_matrix {
	uint64_t bytes;			/* device address; 0: none */
	uint64_t item_bytes;
	int64_t offset, bs, rs, cs;	/* elements */
	int32_t dtype;
};

/* c = alpha a b + beta c0, of real numbers, and how far off it may be. */
struct ekka_gpu_product {
	struct ekka_bound_numbers bound;
	int64_t m, n, k;
	struct ekka_gpu_matrix a, b, c0, c;
	double alpha, beta;
	/* The epilogue, where there is one: struct ekka_epilogue (replay/epilogue.h) as far as the device has it. Vectors: doubles on the device, 0: none. */
	bool has_epilogue, saturates;
	int32_t activation;		/* enum ekka_activation: none, relu or gelu */
	uint64_t bias, row_scale, col_scale;
	int64_t bias_step;
	double scale;
};

/* Lines of elements: element c of line i of head h of item b is where the strides say. */
struct ekka_gpu_lines {
	uint64_t bytes;			/* device address; 0: none */
	int64_t offset, stride[4];	/* elements; of b, h, i, c */
	int32_t dtype;
};

/* An attention event: struct ekka_attention (replay/attention.h) as far as the device judges it. */
enum ekka_gpu_attention_output { EKKA_GPU_OUT, EKKA_GPU_LSE, EKKA_GPU_MAX, EKKA_GPU_SUM, EKKA_GPU_ATTENTION_OUTPUTS };
struct ekka_gpu_attention {
	struct ekka_gpu_lines q, k, v, bias, mask;	/* the last two by b, h, row and key */
	struct ekka_gpu_array output[EKKA_GPU_ATTENTION_OUTPUTS];	/* bytes 0: none */
	struct ekka_format format[EKKA_GPU_ATTENTION_OUTPUTS];
	struct ekka_attention_terms terms;
	int64_t batch, heads, heads_k, m, n, d, dv;
	int64_t first, left, right;	/* key at the diagonal of row 0; -1: unlimited */
	double scale, softcap, lse_unit;
	double product, base, softcap_error;	/* of struct ekka_attention_error; base: what multiplies p in W */
};

#endif
