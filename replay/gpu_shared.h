/* SPDX-License-Identifier: Apache-2.0 */
/* What the host and the device kernels say to each other. C and CUDA C++. */
#ifndef EKKA_REPLAY_GPU_SHARED_H
#define EKKA_REPLAY_GPU_SHARED_H

#include "compare/bound_element.h"
#include "compare/element.h"

enum { EKKA_GPU_DIMS = 6 };

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
};

#endif
