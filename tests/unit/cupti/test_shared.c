/* SPDX-License-Identifier: Apache-2.0 */
/* Of memory that somebody else can write nothing is known; of all other memory as much as before. */
#include "config.h"

#include "cupti/alloc.h"
#include "cupti/shared.h"

#include "preload/versions.h"

#include <criterion/criterion.h>

enum { MIB = 1 << 20, A = 1, B = 2, C = 3 };	/* handles */
static const uint64_t base = 0x7f0000000000u;

/* The one allocation that is known by its address. */
static uint64_t allocation;

bool ekka_alloc_range(uint64_t addr, uint64_t *ret_start, uint64_t *ret_bytes)
{
	if (allocation == 0 || addr - allocation >= MIB)
		return false;
	*ret_start = allocation;
	*ret_bytes = MIB;
	return true;
}

static uint64_t place(unsigned i)
{
	return base + (uint64_t)i * 16 * MIB;
}

static bool is_known(uint64_t addr)
{
	uint32_t clock = ekka_versions_now();
	uint64_t serial = ekka_versions_serial();

	ekka_versions_publish(addr, MIB, clock, serial);
	return ekka_versions_find(addr, MIB) == serial;
}

static void set_up(void)
{
	ekka_versions_enable();
}
TestSuite(shared, .init = set_up);

Test(shared, one_allocation_at_two_addresses)
{
	ekka_shared_created(A);
	ekka_shared_created(B);
	ekka_shared_map(A, 0, place(0), 2 * MIB);
	ekka_shared_map(B, 0, place(1), 2 * MIB);
	cr_assert(is_known(place(0)) && is_known(place(1)));
	ekka_shared_map(A, 0, place(2), 2 * MIB);
	cr_assert_not(is_known(place(0)));
	cr_assert_not(is_known(place(2) + MIB));
	cr_assert(is_known(place(1)));
	/* Unmapped, the addresses are anybody's. */
	ekka_shared_unmap(place(2), 2 * MIB);
	ekka_shared_map(B, 2 * MIB, place(2), 2 * MIB);
	cr_assert(is_known(place(2)));
	cr_assert_not(is_known(place(0)), "nobody knows how long the other one is watched");
}

Test(shared, parts_that_do_not_meet_are_two)
{
	ekka_shared_created(A);
	ekka_shared_map(A, 0, place(0), 2 * MIB);
	ekka_shared_map(A, 2 * MIB, place(1), 2 * MIB);
	cr_assert(is_known(place(0)) && is_known(place(1)));
	ekka_shared_map(A, 3 * MIB, place(2), 2 * MIB);
	cr_assert(is_known(place(0)));
	cr_assert_not(is_known(place(1)));
	cr_assert_not(is_known(place(2)));
}

Test(shared, mapped_again_after_it_was_unmapped)
{
	ekka_shared_created(A);
	for (int i = 0; i < 3; i++) {
		ekka_shared_map(A, 0, place(0), 2 * MIB);
		cr_assert(is_known(place(0)));
		ekka_shared_unmap(place(0), 2 * MIB);
	}
}

Test(shared, a_handle_that_was_used_before)
{
	ekka_shared_created(A);
	ekka_shared_map(A, 0, place(0), 2 * MIB);
	ekka_shared_map(A, 2 * MIB, place(3), 2 * MIB);
	ekka_shared_created(A);
	ekka_shared_map(A, 0, place(1), 2 * MIB);
	cr_assert(is_known(place(0)) && is_known(place(1)));
	/* The first one again, by another name. */
	ekka_shared_retained(C, place(0) + MIB);
	ekka_shared_map(C, 2 * MIB, place(2), 2 * MIB);
	cr_assert(is_known(place(0)) && is_known(place(1)));
	cr_assert_not(is_known(place(3)));
}

Test(shared, somebody_elses_too)
{
	ekka_shared_created(A);
	ekka_shared_map(A, 0, place(0), 2 * MIB);
	ekka_shared_foreign(A);
	cr_assert_not(is_known(place(0)));
	ekka_shared_foreign(B);
	ekka_shared_map(B, 0, place(1), 2 * MIB);
	cr_assert_not(is_known(place(1)));
	ekka_shared_created(B);
	ekka_shared_map(B, 0, place(2), 2 * MIB);
	cr_assert(is_known(place(2)));
}

Test(shared, by_an_address_in_it)
{
	allocation = place(0);
	ekka_shared_allocation(place(0) + 5);
	cr_assert_not(is_known(place(0)));
	cr_assert(is_known(place(1)));
	ekka_shared_allocation(place(2));	/* of nothing that is known */
	cr_assert_not(is_known(place(1)));
}

Test(shared, more_than_can_be_remembered)
{
	for (unsigned i = 0; i < 1 << 14; i++)
		ekka_shared_map(100 + i, 0, place(0), 1);
	cr_assert(is_known(place(1)));
	ekka_shared_map(A, 0, place(2), 1);
	cr_assert_not(is_known(place(1)));
}
