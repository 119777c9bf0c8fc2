/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cuBLASLt does to a matrix product before it stores it, and what that does to the error bound:
 *
 *	t = f alpha P + beta C0		f = row_scale[i] * col_scale[j]: alpha vectors, outer-vector scales
 *	t += bias[i]
 *	mask, amax, aux			see below
 *	t = relu(t) or gelu(t)		gelu(x) = x/2 (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x^3)
 *	t = t [mask] or t gelu'(aux)	the gradients; gelu'(x) = (1 + T)/2 + x/2 (1 - T^2) u', T = tanh(u), u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2)
 *	amax = max |t|
 *	D = round(clamp(scale * t))
 *
 * With E the bound of alpha P + beta C0 before rounding (compare/bound.h) and u the accumulator's unit roundoff (2^-24 for integers):
 *
 *	factors, bias: E += 4 u (|t before| + |t after| + |bias|): the factors' products and one addition, in any order
 *	relu: 1-Lipschitz, exact: E as it is
 *	gelu: |gelu'| <= 1.13, so E *= 1.13; tanh.approx.f32 has a relative error of 2^-11 (PTX ISA), which is x/2 2^-11 of the result,
 *	      and the argument's roundings are less than 8 u |x|: E += (2^-12 + 8 u) |x|
 *	gradient of relu: 1-Lipschitz, exact
 *	gradient of gelu: T is off by d = 2^-11 |T| + 8 u |u| (1 - T^2), so that gelu' is off by g = d/2 + |x| u' (|T| d + d^2 / 2) + 16 u (1 + |x| u'):
 *	      E = (|gelu'| + g) E + g |t| + u_aux |t gelu'|, u_aux of aux's type: seen on an H200 (cuBLASLt 13.1, bf16 and fp16), where t is rounded to
 *	      it before it is multiplied
 *	scale: E = |scale| E + u |t|
 *	clamp: FP8 and int8 outputs saturate; 1-Lipschitz
 *	round: u_out (|t| + E) + tiny_out as without; int8: 1/2, whichever way halves go
 *
 *
 * A block-scaled output (cuBLAS library, "1D Block Quantization"): D = round(clamp(scale * t / s)), s the scale of the element's block, as it was recorded. s is
 * multiplied by as its reciprocal: E = (|scale| E + u |scale t|) / s + 3 u |scale t / s|. Numbers are rounded to nearest, ties to even, so that D lies between what
 * the ends of the interval round to. Whether s itself is right says replay/matmul_quantized.h of the block's largest |scale t|, of which
 * account is kept here.
 *
 * amax lies between max (|t| - E') and max (|t| + E'), where E' has the rounding of scale * t to the output type in it, divided by the scale: the
 * documentation leaves open whether it is taken before or after.
 */
#ifndef EKKA_REPLAY_EPILOGUE_H
#define EKKA_REPLAY_EPILOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "compare/bound.h"
#include "replay/epilogue_element.h"
#include "replay/matrix.h"

struct ekka_epilogue {
	enum ekka_activation activation;
	/* Borrowed, NULL: absent. */
	const double *bias;		/* m per batch item, item b's at bias + b * bias_step */
	int64_t bias_step;
	const double *row_scale, *col_scale;	/* m, n */
	double scale;			/* of D */
	bool saturates;
	struct {
		const double *scale;	/* of elements i of a column with the same i / size: [batch, n, count]; NULL: none */
		int64_t size, count, columns;	/* columns: n */
		bool four_bits;		/* D is e2m1, as e4m3 */
		double *largest;	/* two each: what the largest magnitude is at least and at most; owned by the caller */
	} blocks;
	bool every;			/* something depends on every single element: no screen will do */
	/* The ReLU mask as recorded, an output or, for its gradient, the input: bit i of column j at mask[b * mask_item + j * mask_column + i / 8]; NULL: none. */
	const unsigned char *mask;
	int64_t mask_column, mask_item;	/* bytes */
	const struct ekka_matrix *input;	/* of the GELU whose gradient is taken; in memory */
	/* Sums of t over each item's columns, m an item, or NULL: the values, their errors and their magnitudes. Owned by the caller. */
	double *row_sum, *row_bound, *row_abs;
	int64_t row_sums_item;		/* m */
	/* Filled while elements are judged. */
	double amax_low, amax_high;	/* what amax may be */
	bool nonfinite;			/* some element was not finite: amax is not promised */
	uint64_t n_mask, n_mask_bad;	/* mask bits judged, and wrong */
	int64_t mask_bad[3];		/* b, i, j of the first wrong one */
};

/* What D's element is multiplied by to be that of the result: 1, or its block's scale. */
double ekka_epilogue_unit(const struct ekka_epilogue *, const int64_t at[3]);

/* What f alpha P is multiplied by besides alpha. */
double ekka_epilogue_factor(const struct ekka_epilogue *, int64_t i, int64_t j);

/*
 * From *t = f alpha P + beta C0 and its errors (the bound and the unusual one) to the value that D should hold, and its errors.
 * Keeps account of amax and the mask. True when a NaN or an infinity may have become anything: what relu and gelu make of those is not promised.
 */
bool ekka_epilogue_apply(struct ekka_epilogue *, const struct ekka_bound_model *, const int64_t at[3], long double *t, double *bound,
			 double *unusual);

/* Forgets the account; adds that of elements judged later by a copy. */
void ekka_epilogue_clear(struct ekka_epilogue *);
void ekka_epilogue_merge(struct ekka_epilogue *, const struct ekka_epilogue *later);

double ekka_gelu(double x);
double ekka_gelu_slope(double x);	/* its derivative */

#endif
