/* SPDX-License-Identifier: Apache-2.0 */
/* Access to the elements of a product's operands. */
#ifndef FAULTY_BLAS_ELEMENT_H
#define FAULTY_BLAS_ELEMENT_H

#include "faulty.h"

#include <stddef.h>

static inline double get(const struct product *p, const struct operand *o, long i, long j)
{
	long at = i * o->row_stride + j * o->col_stride;

	return p->is_double ? ((double *)o->p)[at] : ((float *)o->p)[at];
}

static inline void set(const struct product *p, const struct operand *o, long i, long j, double v)
{
	long at = i * o->row_stride + j * o->col_stride;

	if (p->is_double)
		((double *)o->p)[at] = v;
	else
		((float *)o->p)[at] = v;
}

static inline size_t size(const struct product *p)
{
	return p->is_double ? sizeof(double) : sizeof(float);
}

static inline void *advance(const struct product *p, const struct operand *o, long elements)
{
	return (char *)o->p + elements * (long)size(p);
}

/* Bytes from the first to the last element. */
static inline size_t span(const struct product *p, const struct operand *o)
{
	return ((o->rows - 1) * o->row_stride + (o->cols - 1) * o->col_stride + 1) * size(p);
}

/* Negative increments run backwards from elsewhere: such vectors are left alone. */
static inline bool forward(const struct product *p)
{
	return p->a.col_stride > 0 && p->b.row_stride > 0 && p->c.row_stride > 0;
}

#endif
