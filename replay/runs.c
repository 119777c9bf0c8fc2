/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/runs.h"

#include <string.h>

struct runs {
	int64_t dim[EKKA_MAX_DIMS], stride[EKKA_MAX_DIMS];	/* outer dimensions, bytes */
	unsigned n_dims;
	uint64_t start, bytes;		/* of the first run */
	uint64_t n;
};

/* Dimensions sorted by stride, those that continue a run folded into it. */
static void find_runs(const struct ekka_tensor *t, struct runs *r)
{
	int64_t size = (int64_t)ekka_dtype_bytes(t->dtype);

	*r = (struct runs){ .start = t->addr, .bytes = (uint64_t)size, .n = 1 };
	for (unsigned d = 0; d < t->n_dims; d++) {
		int64_t stride;
		unsigned at = r->n_dims;

		if (t->dim[d] <= 1 || t->stride[d] == 0)
			continue;	/* the stride of a single element may be anything */
		stride = (t->stride[d] < 0 ? -t->stride[d] : t->stride[d]) * size;
		for (; at > 0 && r->stride[at - 1] > stride; at--) {
			r->dim[at] = r->dim[at - 1];
			r->stride[at] = r->stride[at - 1];
		}
		r->dim[at] = t->dim[d];
		r->stride[at] = stride;
		r->n_dims++;
	}
	while (r->n_dims > 0 && (uint64_t)r->stride[0] <= r->bytes) {
		r->bytes = (uint64_t)(r->dim[0] - 1) * (uint64_t)r->stride[0] + r->bytes;
		r->n_dims--;
		memmove(r->dim, r->dim + 1, r->n_dims * sizeof(r->dim[0]));
		memmove(r->stride, r->stride + 1, r->n_dims * sizeof(r->stride[0]));
	}
	for (unsigned d = 0; d < r->n_dims; d++)
		if (__builtin_mul_overflow(r->n, (uint64_t)r->dim[d], &r->n))
			r->n = UINT64_MAX;
}

int ekka_each_run(const struct ekka_tensor *t, int (*fn)(void *arg, uint64_t start, uint64_t end), void *arg)
{
	struct runs r;

	find_runs(t, &r);
	if (t->n_ptrs > 0)
		return 0;	/* the items' addresses are not recorded */
	if (r.n > EKKA_RUNS_MAX)
		return fn(arg, t->addr, t->addr + t->span_bytes);
	for (uint64_t i = 0; i < r.n; i++) {
		uint64_t start = r.start, rest = i;
		int result;

		for (unsigned d = 0; d < r.n_dims; d++) {
			start += rest % (uint64_t)r.dim[d] * (uint64_t)r.stride[d];
			rest /= (uint64_t)r.dim[d];
		}
		result = fn(arg, start, start + r.bytes);
		if (result)
			return result;
	}
	return 0;
}
