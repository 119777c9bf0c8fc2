/* SPDX-License-Identifier: Apache-2.0 */
/* Facts about a tensor that follow from its description. Pure, overflow-safe. */
#ifndef EKKA_TRACE_TENSOR_H
#define EKKA_TRACE_TENSOR_H

#include "trace/model.h"

/* Number of elements, or -1 when it does not fit 63 bits or a dimension is not positive. */
int64_t ekka_tensor_elements(const struct ekka_tensor *);

/*
 * Lowest and highest element touched in one item, in elements from `addr`, without regard to what the memory holds.
 * False when that does not fit 63 bits or a dimension is not positive.
 */
bool ekka_tensor_extent(const struct ekka_tensor *, int64_t *ret_low, int64_t *ret_high);

/* Bytes of the blob that holds it: span_bytes times the entries of a pointer array. False when it overflows. */
bool ekka_tensor_blob_bytes(const struct ekka_tensor *, uint64_t *ret_bytes);

/* Does every element lie within span_bytes? Whoever uses strides to find elements in a blob needs this to hold. */
bool ekka_tensor_in_span(const struct ekka_tensor *);

#endif
