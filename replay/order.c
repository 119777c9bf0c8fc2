/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/order.h"

#include <math.h>
#include <string.h>

enum { BITS = 11, BUCKETS = 1 << BITS, SMALL = 32 };

uint64_t ekka_order_key_int(int64_t v)
{
	return (uint64_t)v ^ (uint64_t)1 << 63;
}

uint64_t ekka_order_key(double v)
{
	uint64_t u;

	if (isnan(v))
		return UINT64_MAX;
	if (v == 0)
		v = 0;		/* -0 too */
	memcpy(&u, &v, sizeof u);
	return u >> 63 ? ~u : u | (uint64_t)1 << 63;
}

static void insertion(struct ekka_keyed *items, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct ekka_keyed item = items[i];
		size_t j = i;

		for (; j > 0 && items[j - 1].key > item.key; j--)
			items[j] = items[j - 1];
		items[j] = item;
	}
}

static void pass(const struct ekka_keyed *from, struct ekka_keyed *to, size_t n, unsigned shift)
{
	size_t start[BUCKETS + 1] = { 0 };

	for (size_t i = 0; i < n; i++)
		start[(from[i].key >> shift & (BUCKETS - 1)) + 1]++;
	for (unsigned b = 0; b < BUCKETS; b++)
		start[b + 1] += start[b];
	for (size_t i = 0; i < n; i++)
		to[start[from[i].key >> shift & (BUCKETS - 1)]++] = from[i];
}

void ekka_order_sort(struct ekka_keyed *items, struct ekka_keyed *work, size_t n)
{
	struct ekka_keyed *from = items, *to = work, *other;
	uint64_t differ = 0;

	if (n <= SMALL) {
		insertion(items, n);
		return;
	}
	for (size_t i = 1; i < n; i++)
		differ |= items[i].key ^ items[0].key;
	for (unsigned shift = 0; shift < 64; shift += BITS) {
		if (!(differ >> shift & (BUCKETS - 1)))
			continue;
		pass(from, to, n, shift);
		other = from;
		from = to;
		to = other;
	}
	if (from != items)
		memcpy(items, from, n * sizeof *items);
}
