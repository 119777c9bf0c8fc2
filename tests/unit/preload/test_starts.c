/* SPDX-License-Identifier: Apache-2.0 */
#include "preload/starts.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

/* Every test is a process of its own. */
Test(starts, the_next_one_is_the_lowest_above)
{
	static const uint64_t at[] = { 5000, 1000, 9000, 1000, 3000 };

	cr_expect(eq(u64, ekka_starts_next(0), UINT64_MAX));
	for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		ekka_starts_note(at[i]);
	cr_expect(eq(u64, ekka_starts_next(0), 1000));
	cr_expect(eq(u64, ekka_starts_next(999), 1000));
	cr_expect(eq(u64, ekka_starts_next(1000), 3000));
	cr_expect(eq(u64, ekka_starts_next(3001), 5000));
	cr_expect(eq(u64, ekka_starts_next(5000), 9000));
	cr_expect(eq(u64, ekka_starts_next(9000), UINT64_MAX));
	cr_expect(eq(u64, ekka_starts_next(UINT64_MAX), UINT64_MAX));
}

Test(starts, a_start_is_known_itself_and_nothing_beside_it)
{
	ekka_starts_note(4096);
	cr_expect(ekka_starts_known(4096));
	cr_expect(not(ekka_starts_known(4095)));
	cr_expect(not(ekka_starts_known(4097)));
	cr_expect(not(ekka_starts_known(0)));
}

/* In an order that is none, so that each is put between others. */
static uint64_t scattered(uint64_t i)
{
	return (i * 7919 % 8192 + 1) << 12;
}

Test(starts, the_latest_are_kept_and_the_oldest_forgotten)
{
	enum { ALL = 3 * EKKA_STARTS };

	for (uint64_t i = 0; i < ALL; i++) {
		ekka_starts_note(scattered(i));
		cr_assert(ekka_starts_known(scattered(i)));
		cr_assert(i < EKKA_STARTS || ekka_starts_known(scattered(i - EKKA_STARTS + 1)), "%u is forgotten after %u", (unsigned)(i - EKKA_STARTS + 1),
			  (unsigned)i);
	}
	cr_expect(not(ekka_starts_known(scattered(0))));
}

/* One that is met again counts as new, so that what is in use stays. */
Test(starts, what_is_seen_again_stays)
{
	for (uint64_t i = 1; i < 5 * EKKA_STARTS; i++) {
		ekka_starts_note(64);
		ekka_starts_note(i << 20);
	}
	cr_expect(ekka_starts_known(64));
}
