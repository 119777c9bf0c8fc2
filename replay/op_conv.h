/* SPDX-License-Identifier: Apache-2.0 */
/* What judging a convolution, explaining a wrong one, and pooling share; op_conv.c has the mathematics. One thread. */
#ifndef EKKA_REPLAY_OP_CONV_H
#define EKKA_REPLAY_OP_CONV_H

#include "compare/bound.h"
#include "replay/fold_expr.h"

enum { EKKA_CONV_DIMS = 3 };

/* Spatial dims are padded in front with dims of 1 to three. */
struct ekka_conv_shape {
	int64_t n, c, k, groups;		/* images, channels in, channels out */
	int64_t in[EKKA_CONV_DIMS], window[EKKA_CONV_DIMS], out[EKKA_CONV_DIMS];
	int64_t pad[EKKA_CONV_DIMS], stride[EKKA_CONV_DIMS], dilation[EKKA_CONV_DIMS];
	int64_t n_in, n_window, n_out;		/* their products */
};

struct ekka_conv {
	struct ekka_rows rows;
	struct ekka_array *x, *w, *y, *z, *before;	/* z: added times beta; before: y's bytes, where beta stands without z; NULL: none */
	struct ekka_conv_shape shape;
	struct ekka_bound_model model;
	bool transposed;			/* y is what an x would be whose convolution has x's shape */
	bool flip;				/* a true convolution: the window is mirrored */
	bool transforms;			/* Winograd or FFT are known to be used */
	bool may_transform;			/* or cannot be excluded */
	double narrow_u;			/* unit roundoff of 16-bit operands, else 0 */
	bool spreads;				/* sums with elements of this image that are not finite are what they are, in any order */
	double alpha, beta;
	double *bias;				/* [k] or NULL */
	struct ekka_expr *activation;		/* NULL: none */
	struct ekka_expr_state *state;
	double *image, *weight, *abs_weight;	/* of one group */
	double *cols, *ref, *sums, *bound, *got, *wide, *window_norm;	/* of a block of positions */
	int64_t *place;				/* for every position, where its element lies in the image; -1: in the padding */
	int64_t block, depth;			/* positions; terms of a sum */
};

/* Attribute `name`, a text "1,2", to the last dims of `ret`, the others `fallback`; false when it does not fit or a number is below `least`. */
bool ekka_conv_list(const struct ekka_rows *, const char *name, unsigned dims, int64_t fallback, int64_t least, int64_t ret[EKKA_CONV_DIMS]);

/* Where in the image element r of the window lies for an output position; -1: in the padding, or between the elements of a transposed one. */
int64_t ekka_conv_place(const struct ekka_conv *x, int64_t position, int64_t r, bool flip);

/* Index in w of element r of the window, between channel c of its group and output channel k. */
int64_t ekka_conv_weight(const struct ekka_conv *x, int64_t k, int64_t c, int64_t r);

/* alpha * sum + beta * z + bias and its activation, from the plain sum: values of n positions of output channel k; bound: of the sum, to the result's. */
void ekka_conv_finish(struct ekka_conv *x, int64_t image, int64_t k, int64_t first, int64_t n, double *ref, double *bound, bool bias, bool activation);

/* Says what a failed convolution looks like: no bias, no activation, a mirrored window, channels left out. */
void ekka_conv_explain(void *conv);

#endif
