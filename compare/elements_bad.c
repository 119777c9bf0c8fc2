/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/elements_bad.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t COUNTED = (int64_t)1 << 24;	/* dims up to this long are counted index by index */

void ekka_bad_init(struct ekka_bad *b, const struct ekka_tensor *t)
{
	*b = (struct ekka_bad){ .tensor = t, .n_dims = t->n_dims, .random = 0x9e3779b97f4a7c15 };
	for (unsigned d = 0; d < t->n_dims; d++) {
		b->dim[d] = t->dim[d];
		b->lo[d] = INT64_MAX;
		b->hi[d] = -1;
	}
}

void ekka_bad_release(struct ekka_bad *b)
{
	for (unsigned d = 0; d < EKKA_MAX_DIMS; d++)
		free(b->count[d]);
	free(b->wanted);
	memset(b, 0, sizeof *b);
}

void ekka_bad_add(struct ekka_bad *b, int64_t index, double out, double ref, double bound)
{
	int64_t rest = index;
	uint64_t slot;

	if (b->n++ == 0)
		for (unsigned d = 0; d < b->n_dims; d++)
			if (b->dim[d] <= COUNTED)
				b->count[d] = calloc((size_t)b->dim[d], sizeof *b->count[d]);
	for (unsigned d = b->n_dims; d-- > 0; rest /= b->dim[d]) {
		int64_t at = rest % b->dim[d];

		b->lo[d] = at < b->lo[d] ? at : b->lo[d];
		b->hi[d] = at > b->hi[d] ? at : b->hi[d];
		if (b->count[d] && b->count[d][at] < UINT32_MAX)
			b->count[d][at]++;
	}
	/* Reservoir sampling, with a fixed seed so that two replays say the same. */
	b->random = b->random * 6364136223846793005u + 1442695040888963407u;
	slot = b->n_samples < EKKA_BAD_SAMPLES ? b->n_samples++ : (b->random >> 33) % b->n;
	if (slot < EKKA_BAD_SAMPLES)
		b->sample[slot] = (struct ekka_bad_sample){ index, out, ref, bound };
}

bool ekka_bad_prepare(struct ekka_bad *b)
{
	(void)b;
	return false;
}

void ekka_bad_look(struct ekka_bad *b, int64_t first, size_t n, const double *ref)
{
	(void)b;
	(void)first;
	(void)n;
	(void)ref;
}

void ekka_bad_look_int(struct ekka_bad *b, int64_t first, size_t n, const int64_t *ref)
{
	(void)b;
	(void)first;
	(void)n;
	(void)ref;
}

void ekka_bad_describe(const struct ekka_bad *b, char *where, char *looks_like)
{
	int used = 0;

	where[0] = looks_like[0] = '\0';
	for (unsigned d = 0; d < b->n_dims && used >= 0 && used < EKKA_TEXT; d++)
		used += snprintf(where + used, EKKA_TEXT - (size_t)used, "%sdim %u: %lld-%lld", d ? ", " : "", d, (long long)b->lo[d],
				 (long long)b->hi[d]);
}
