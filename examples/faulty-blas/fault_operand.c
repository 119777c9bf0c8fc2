/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of the load: the wrong elements of A or B are read. */
#include "element.h"
#include "fault.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A copy of the operand with its strides; freed by the caller; NULL when out of memory. */
static void *copy(const struct product *p, const struct operand *o)
{
	void *bytes = malloc(span(p, o));

	return bytes ? memcpy(bytes, o->p, span(p, o)) : NULL;
}

/* NVIDIA/cutlass#2740: the instruction is given A[2] twice and A[1] never. */
static bool has_elements(const struct product *p)
{
	return forward(p) && p->k > 2;
}

static void run_a_element(const struct product *p)
{
	struct product q = *p;
	void *bytes = copy(p, &p->a);

	if (bytes) {
		q.a.p = bytes;
		for (long i = 0; i < p->m; i++)
			for (long k = 1; k + 1 < p->k; k += 8)
				set(p, &q.a, i, k, get(p, &p->a, i, k + 1));
	}
	q.run(&q);
	free(bytes);
}

/* The operand that is a matrix and no vector; of two, the second. SYRK and DOT have none that could be replaced. */
static struct operand *matrix(struct product *p)
{
	return p->entry == GEMV ? &p->a : &p->b;
}

static bool has_matrix(const struct product *p)
{
	return forward(p) && (p->entry == GEMM || p->entry == GEMV);
}

/* A matrix is lines of `length` adjacent elements, the lines `ld` apart. */
struct shape { long lines, length, ld; };

static struct shape shape(const struct operand *o)
{
	bool columns = o->row_stride == 1;

	return (struct shape){ columns ? o->cols : o->rows, columns ? o->rows : o->cols, columns ? o->col_stride : o->row_stride };
}

/* Computes the product with the matrix's lines taken to be `ld` elements apart, which is less than they are. */
static void run_with_ld(const struct product *p, long ld)
{
	struct product q = *p;
	struct operand *o = matrix(&q), wrong = *o;
	void *bytes = copy(p, o);

	if (bytes) {
		*(wrong.row_stride == 1 ? &wrong.col_stride : &wrong.row_stride) = ld;
		o->p = bytes;
		for (long i = 0; i < o->rows; i++)
			for (long j = 0; j < o->cols; j++)
				set(p, o, i, j, get(p, &wrong, i, j));
	}
	q.run(&q);
	free(bytes);
}

/* NVIDIA/cutlass#3140: the layout of B has a stride of 32 where it is 64. */
static bool has_lines(const struct product *p)
{
	struct product q = *p;
	struct shape s = shape(matrix(&q));

	return has_matrix(p) && s.lines > 1 && s.length > 1 && s.ld > 1;
}

static void run_half_stride(const struct product *p)
{
	struct product q = *p;

	run_with_ld(p, shape(matrix(&q)).ld / 2);
}

/* ggml-org/llama.cpp#13155: an operand with gaps between its lines is read as if there were none. */
static bool has_gaps(const struct product *p)
{
	struct product q = *p;
	struct shape s = shape(matrix(&q));

	return has_lines(p) && s.ld > s.length;
}

static void run_linear_read(const struct product *p)
{
	struct product q = *p;

	run_with_ld(p, shape(matrix(&q)).length);
}

/*
 * ggml-org/llama.cpp#15038: the wrong matrix is picked for each entry of a batch. Batches come here as call after
 * call of one shape: each gets the matrix of the call before.
 */
static struct { struct operand matrix; bool is_double; } before;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool same_matrix_shape(const struct product *p)
{
	struct product q = *p;
	const struct operand *o = matrix(&q), *b = &before.matrix;

	return b->p && before.is_double == p->is_double && b->rows == o->rows && b->cols == o->cols &&
	       b->row_stride == o->row_stride && b->col_stride == o->col_stride;
}

static bool follows_same_shape(const struct product *p)
{
	if (!has_matrix(p))
		return false;
	pthread_mutex_lock(&lock);
	bool same = same_matrix_shape(p);
	pthread_mutex_unlock(&lock);
	return same;
}

static void run_previous_matrix(const struct product *p)
{
	struct product q = *p;
	void *bytes = NULL;

	pthread_mutex_lock(&lock);
	if (same_matrix_shape(p))
		bytes = copy(p, &before.matrix);
	pthread_mutex_unlock(&lock);
	if (bytes)
		matrix(&q)->p = bytes;
	q.run(&q);
	free(bytes);
}

static void remember_matrix(const struct product *p)
{
	struct product q = *p;

	if (!has_matrix(p) || p->m < 1 || p->n < 1 || p->k < 1)
		return;
	void *bytes = copy(p, matrix(&q));
	pthread_mutex_lock(&lock);
	free(before.matrix.p);
	before.matrix = *matrix(&q);
	before.matrix.p = bytes;
	before.is_double = p->is_double;
	pthread_mutex_unlock(&lock);
}

const struct fault fault_a_element = { "a-element", has_elements, run_a_element, NULL };
const struct fault fault_half_stride = { "half-stride", has_lines, run_half_stride, NULL };
const struct fault fault_linear_read = { "linear-read", has_gaps, run_linear_read, NULL };
const struct fault fault_previous_matrix = { "previous-matrix", follows_same_shape, run_previous_matrix, remember_matrix };
