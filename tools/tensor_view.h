/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recorded tensor's elements, read out of its blob through a window of bounded size, whatever the
 * tensor's size is. One thread at a time.
 */
#ifndef EKKA_TOOLS_TENSOR_VIEW_H
#define EKKA_TOOLS_TENSOR_VIEW_H

#include "trace/reader.h"

struct ekka_tensor_view {
	struct ekka_trace *trace;
	const struct ekka_tensor *tensor;
	struct ekka_blob_id id;
	uint64_t n_bytes;		/* of the blob */
	unsigned char *window;		/* owned */
	uint64_t window_start, window_len;
};

/*
 * Prepares to read tensor i of the event at `phase`. Negative when its bytes are not there or do not fit its description.
 * The event must outlive the view.
 */
int ekka_tensor_view_init(struct ekka_tensor_view *, struct ekka_trace *, const struct ekka_event *, unsigned i,
			  enum ekka_phase phase, struct ekka_error *err);
void ekka_tensor_view_release(struct ekka_tensor_view *);	/* also half-initialised */

/* Reads the element at `index` (one per dimension, in range). im is 0 for real types. */
int ekka_tensor_view_element(struct ekka_tensor_view *, const int64_t *index, double *ret_re, double *ret_im,
			     struct ekka_error *err);

/* Of complex elements, real and imaginary parts count as values of their own in min, max, mean and zeros. */
struct ekka_tensor_stats {
	uint64_t n;			/* values */
	uint64_t nan, inf, zeros, denormals;
	double min, max, mean, abs_max;	/* of the finite ones; NaN when there are none */
};

int ekka_tensor_view_stats(struct ekka_tensor_view *, struct ekka_tensor_stats *ret, struct ekka_error *err);

/* Copies every element's bytes to `out` (elements * bytes(dtype)), last dimension fastest. */
int ekka_tensor_view_dense(struct ekka_tensor_view *, unsigned char *out, struct ekka_error *err);

#endif
