/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/slice.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* One bound: text up to `end`, clipped to [0, dim]. */
static int bound(const char *text, const char *end, int64_t dim, int64_t missing, int64_t *ret)
{
	char *stop;
	long long v;

	if (text == end) {
		*ret = missing;
		return 0;
	}
	errno = 0;
	v = strtoll(text, &stop, 10);
	if (errno || stop != end || *text == ' ' || *text == '+')
		return -1;
	if (v < 0)
		v += dim;
	*ret = v < 0 ? 0 : v > dim ? dim : v;
	return 0;
}

/* One dimension: "a:b" or "a". */
static int range(const char *text, const char *end, int64_t dim, int64_t *start, int64_t *stop)
{
	const char *colon = text;
	char *after;
	long long v;

	while (colon < end && *colon != ':')
		colon++;
	if (colon < end)
		return bound(text, colon, dim, 0, start) || bound(colon + 1, end, dim, dim, stop) || *start > *stop;
	errno = 0;
	v = strtoll(text, &after, 10);
	if (errno || after != end || text == end)
		return -1;
	if (v < 0)
		v += dim;
	if (v < 0 || v >= dim)
		return -1;
	*start = v;
	*stop = v + 1;
	return 0;
}

int ekka_slice_parse(const char *text, const struct ekka_tensor *t, struct ekka_slice *ret, char *why, size_t why_len)
{
	unsigned d = 0;

	for (unsigned i = 0; i < t->n_dims; i++) {
		ret->start[i] = 0;
		ret->stop[i] = t->dim[i];
	}
	for (const char *at = text;; at++) {
		const char *end = at;

		while (*end && *end != ',')
			end++;
		if (d == t->n_dims) {
			snprintf(why, why_len, "slice '%s' has more than the %u dimensions of %s", text, t->n_dims, t->name);
			return -1;
		}
		if (range(at, end, t->dim[d], &ret->start[d], &ret->stop[d]) != 0) {
			snprintf(why, why_len, "bad slice '%s': dimension %u of %s has %" PRId64 " elements", text, d, t->name,
				 t->dim[d]);
			return -1;
		}
		d++;
		at = end;
		if (!*end)
			return 0;
	}
}

void ekka_slice_corner(const struct ekka_tensor *t, int64_t n, struct ekka_slice *ret)
{
	for (unsigned d = 0; d < t->n_dims; d++) {
		int64_t most = d + 2 >= t->n_dims ? n : 1;

		ret->start[d] = 0;
		ret->stop[d] = t->dim[d] < most ? t->dim[d] : most;
	}
}
