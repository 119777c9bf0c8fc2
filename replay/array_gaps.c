/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/array_gaps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ekka_array_has_gaps(const struct ekka_array *a)
{
	return (uint64_t)a->n * ekka_dtype_bytes(a->dtype) < a->n_bytes;
}

/* Sets the bit of every element's place. */
static void mark(const struct ekka_array *a, unsigned char *bits)
{
	int64_t index[EKKA_MAX_DIMS] = { 0 }, at = a->offset;

	for (int64_t i = 0; i < a->n; i++) {
		bits[at >> 3] |= (unsigned char)(1 << (at & 7));
		for (unsigned d = a->n_dims; d-- > 0;) {
			if (a->dim[d] == 1)
				continue;	/* its stride may be anything */
			at += a->stride[d];
			if (++index[d] < a->dim[d])
				break;
			at -= a->stride[d] * a->dim[d];
			index[d] = 0;
		}
	}
}

int ekka_array_gaps(const struct ekka_array *before, const struct ekka_array *after, char text[EKKA_TEXT], struct ekka_error *err)
{
	size_t size = ekka_dtype_bytes(after->dtype), n = after->n_bytes / size, changed = 0, first = 0;
	unsigned char *bits;

	if (before->n_bytes != after->n_bytes)
		return 0;
	bits = calloc(n / 8 + 1, 1);
	if (!bits)
		return ekka_error_set(err, EKKA_ERR_NOMEM, "no memory for a map of %zu elements", n);
	mark(after, bits);
	for (size_t i = 0; i < n; i++) {
		if (bits[i >> 3] >> (i & 7) & 1 || memcmp(before->bytes + i * size, after->bytes + i * size, size) == 0)
			continue;
		if (changed++ == 0)
			first = i;
	}
	free(bits);
	(void)snprintf(text, EKKA_TEXT, "outside the output %.32s: %zu place%s changed, the first %zu bytes from its start", after->tensor->name,
		       changed, changed == 1 ? "" : "s", first * size);
	return changed > 0;
}
