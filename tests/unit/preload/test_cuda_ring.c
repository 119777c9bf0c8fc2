/* SPDX-License-Identifier: Apache-2.0 */
#include "preload/cuda_ring.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct ekka_ring ring;

Test(ring, hands_out_disjoint_aligned_ranges_until_full)
{
	uint64_t a, b, c;

	ekka_ring_init(&ring, 4 * EKKA_RING_ALIGN);
	cr_assert_geq(ekka_ring_take(&ring, 1, &a), 0);
	cr_assert_geq(ekka_ring_take(&ring, EKKA_RING_ALIGN + 1, &b), 0);
	cr_assert_geq(ekka_ring_take(&ring, EKKA_RING_ALIGN, &c), 0);
	cr_assert_eq(a, 0);
	cr_assert_eq(b, EKKA_RING_ALIGN);
	cr_assert_eq(c, 3 * EKKA_RING_ALIGN);
	cr_assert_eq(ekka_ring_take(&ring, 1, &a), -1);
}

Test(ring, room_appears_only_behind_the_oldest_range)
{
	uint64_t at;
	int first, second;

	ekka_ring_init(&ring, 2 * EKKA_RING_ALIGN);
	first = ekka_ring_take(&ring, 1, &at);
	second = ekka_ring_take(&ring, 1, &at);
	ekka_ring_release(&ring, second);
	cr_assert_eq(ekka_ring_take(&ring, 1, &at), -1);
	ekka_ring_release(&ring, first);
	cr_assert_geq(ekka_ring_take(&ring, 2 * EKKA_RING_ALIGN, &at), 0);
	cr_assert_eq(at, 0);
}

Test(ring, a_range_never_wraps)
{
	uint64_t at;
	int first;

	ekka_ring_init(&ring, 4 * EKKA_RING_ALIGN);
	first = ekka_ring_take(&ring, 3 * EKKA_RING_ALIGN, &at);
	cr_assert_geq(ekka_ring_take(&ring, 1, &at), 0);
	ekka_ring_release(&ring, first);
	cr_assert_geq(ekka_ring_take(&ring, 2 * EKKA_RING_ALIGN, &at), 0);
	cr_assert_eq(at, 0);
}

Test(ring, refuses_what_can_never_fit)
{
	uint64_t at;

	ekka_ring_init(&ring, 2 * EKKA_RING_ALIGN);
	cr_assert(!ekka_ring_could_fit(&ring, 2 * EKKA_RING_ALIGN + 1));
	cr_assert_eq(ekka_ring_take(&ring, 2 * EKKA_RING_ALIGN + 1, &at), -1);
	cr_assert_eq(ekka_ring_take(&ring, UINT64_MAX, &at), -1);
	ekka_ring_init(&ring, 0);
	cr_assert_eq(ekka_ring_take(&ring, 0, &at), -1);
}

/* Against a map of who owns each unit. */
Test(ring, random_use_never_overlaps)
{
	enum { UNITS = 64, LIVE = 32 };
	struct { int slot; uint64_t at, units; } live[LIVE];
	unsigned char owner[UNITS] = { 0 };
	unsigned n = 0, taken = 0, seed = 7;

	ekka_ring_init(&ring, UNITS * EKKA_RING_ALIGN);
	for (int step = 0; step < 20000; step++) {
		uint64_t units = 1 + (uint64_t)rand_r(&seed) % 20, at;
		int slot = n < LIVE && rand_r(&seed) % 2 ? ekka_ring_take(&ring, units * EKKA_RING_ALIGN, &at) : -1;

		if (slot >= 0) {
			at /= EKKA_RING_ALIGN;
			for (uint64_t u = at; u < at + units; u++) {
				cr_assert_lt(u, UNITS);
				cr_assert_eq(owner[u]++, 0);
			}
			live[n].slot = slot, live[n].at = at, live[n++].units = units;
			taken++;
		} else if (n > 0) {
			unsigned i = (unsigned)rand_r(&seed) % n;

			for (uint64_t u = live[i].at; u < live[i].at + live[i].units; u++)
				owner[u]--;
			ekka_ring_release(&ring, live[i].slot);
			live[i] = live[--n];
		}
	}
	cr_assert_gt(taken, 1000);
}
