/* SPDX-License-Identifier: Apache-2.0 */
/* Index ranges as Python writes them: "0:4,8,:" per dimension, end exclusive, negative from the end. */
#ifndef EKKA_TOOLS_SLICE_H
#define EKKA_TOOLS_SLICE_H

#include <stddef.h>

#include "trace/model.h"

struct ekka_slice {
	int64_t start[EKKA_MAX_DIMS], stop[EKKA_MAX_DIMS];	/* within the tensor; start <= stop */
};

/*
 * Parses `text` for tensor t; dimensions it does not name are taken whole. 0, or -1 with a message in why.
 */
int ekka_slice_parse(const char *text, const struct ekka_tensor *t, struct ekka_slice *ret, char *why, size_t why_len);

/* A corner worth printing: the first item of batches, at most `n` rows and columns. */
void ekka_slice_corner(const struct ekka_tensor *t, int64_t n, struct ekka_slice *ret);

#endif
