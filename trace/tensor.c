/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/tensor.h"

int64_t ekka_tensor_elements(const struct ekka_tensor *t)
{
	int64_t n = 1;

	for (unsigned d = 0; d < t->n_dims; d++) {
		if (t->dim[d] <= 0 || __builtin_mul_overflow(n, t->dim[d], &n))
			return -1;
	}
	return n;
}

bool ekka_tensor_extent(const struct ekka_tensor *t, int64_t *ret_low, int64_t *ret_high)
{
	int64_t low = t->offset, high = t->offset;

	for (unsigned d = 0; d < t->n_dims; d++) {
		int64_t reach;

		if (t->dim[d] <= 0 || __builtin_mul_overflow(t->dim[d] - 1, t->stride[d], &reach))
			return false;
		if (reach < 0 ? __builtin_add_overflow(low, reach, &low) : __builtin_add_overflow(high, reach, &high))
			return false;
	}
	*ret_low = low;
	*ret_high = high;
	return true;
}

bool ekka_tensor_blob_bytes(const struct ekka_tensor *t, uint64_t *ret_bytes)
{
	return !__builtin_mul_overflow(t->span_bytes, t->n_ptrs > 0 ? t->n_ptrs : 1, ret_bytes);
}

bool ekka_tensor_in_span(const struct ekka_tensor *t)
{
	int64_t low, high;

	return ekka_tensor_extent(t, &low, &high) && low >= 0 &&
	       (uint64_t)high < t->span_bytes / ekka_dtype_bytes(t->dtype);
}
