/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A BLAS that is wrong on purpose: see README.md. wrap.c exports the BLAS functions and describes each call as one
 * struct product; config.c decides whether this call is to be wrong; fault.c computes it wrongly;
 * real.c finds the functions that stand behind ours.
 */
#ifndef FAULTY_BLAS_FAULTY_H
#define FAULTY_BLAS_FAULTY_H

#include <stdbool.h>

enum entry { GEMM, GEMV, SYRK, DOT };

/* Element (i, j) lies at p + i * row_stride + j * col_stride, in elements. */
struct operand { void *p; long rows, cols, row_stride, col_stride; };

/* C = alpha * A * B + beta * C; A is m x k, B k x n, C m x n, transposes folded into the strides. */
struct product {
	enum entry entry;
	bool is_double;
	const char *name;		/* symbol called */
	long m, n, k;
	struct operand a, b, c;
	double alpha, beta;
	/*
	 * Calls the real function. Of the fields above it reads k, a.p, b.p, alpha and beta, which a fault may
	 * change in its copy; the rest of the call is in these.
	 */
	void (*run)(const struct product *);
	void *real;
	bool row_major, trans_a, trans_b, upper;
	long lda, ldb, ldc;
};

/* One way of being wrong. */
struct fault {
	const char *name;
	bool (*applies)(const struct product *);	/* could this call come out wrong in this way */
	void (*run)(const struct product *);		/* computes it wrongly */
	void (*after)(const struct product *);		/* told of every call when it was computed, or NULL */
};

/* The fault of that name, or NULL. */
const struct fault *fault_find(const char *name);

/* Writes the names of all faults to `fd`, one line. */
void fault_list(int fd);

/*
 * Computes the product: rightly, or as $FAULTY_BLAS says. Thread-safe. A $FAULTY_BLAS that makes no sense ends the
 * process with status 2 and a line on stderr: an experiment without its fault would be misread.
 */
void product_run(const struct product *);

/* Does $FAULTY_BLAS name a fault. Thread-safe. */
bool faults_wanted(void);

/*
 * The function of that name that the program would have called without this library. Never NULL: ends the process as
 * the dynamic linker would, with status 127, when there is none. Thread-safe.
 */
void *real_function(const char *name);

#endif
