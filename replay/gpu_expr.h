/* SPDX-License-Identifier: Apache-2.0 */
/* An expression and what it reads, as the device evaluates them element by element. C and CUDA C++. */
#ifndef EKKA_REPLAY_GPU_EXPR_H
#define EKKA_REPLAY_GPU_EXPR_H

#include "replay/expr_function.h"
#include "replay/expr_whole.h"
#include "replay/gpu_shared.h"

enum { EKKA_GPU_REGISTERS = 24, EKKA_GPU_STEPS = 96, EKKA_GPU_EXPR_INPUTS = 12, EKKA_GPU_EXPR_FUNCTIONS = 8, EKKA_GPU_EXPR_FORMATS = 4 };

/* What a step is besides its operation. */
enum { EKKA_GPU_INT = 1, EKKA_GPU_UNSIGNED = 2, EKKA_GPU_OF_INTS = 4, EKKA_GPU_CONTRACTS = 8, EKKA_GPU_SINGLE = 16, EKKA_GPU_SIGNED = 32, EKKA_GPU_SATURATES = 64 };

/*
 * Register `to` becomes what the operation makes of registers arg[0..n_args-1]. EKKA_GPU_OF_INTS: the operands are integers. `which`: of INPUT and TABLE the array;
 * of INDEX the dim; of FUNCTION the function; of ROUND_TO the format; of WRAP and TO_INT the type's bits (EKKA_GPU_SIGNED: it has a sign).
 */
struct ekka_gpu_step {
	uint8_t op, to, flags, which, n_args, arg[6];
	union {
		double number;		/* NUMBER; TO_INT: smallest value of the type; else k u of the operation's rounding */
		int64_t integer;	/* INTEGER */
	};
	double more;			/* NUMBER: its error; TO_INT: largest value; TO_REAL: up to where integers are exact */
};

struct ekka_gpu_expr_job {
	int32_t n_steps, result, result_is_int;	/* register of the result */
	int32_t ieee;			/* computed in f64 */
	double unit, normal, overflow;	/* of the compute type */
	struct ekka_format stored;	/* of the output's type */
	struct ekka_gpu_array out;
	struct ekka_gpu_step step[EKKA_GPU_STEPS];
	struct ekka_gpu_array input[EKKA_GPU_EXPR_INPUTS];	/* broadcast to the elements; tables: dims and strides as they are indexed */
	struct ekka_function function[EKKA_GPU_EXPR_FUNCTIONS];
	struct ekka_format format[EKKA_GPU_EXPR_FORMATS];
	int64_t dim[EKKA_GPU_DIMS], behind[EKKA_GPU_DIMS];	/* of the elements; how many lie behind an index */
};

#endif
