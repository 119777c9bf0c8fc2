/* SPDX-License-Identifier: Apache-2.0 */
#include "preload/probe.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE = 4096, PAGES = 300 };

static char *area;

static void map_area(void)
{
	area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert(area != MAP_FAILED);
}
TestSuite(probe, .init = map_area);

static bool readable(const char *p, uint64_t bytes)
{
	return ekka_probe((uint64_t)(uintptr_t)p, bytes);
}

Test(probe, mapped_memory_is_readable_to_its_last_byte)
{
	cr_expect(readable(area, PAGES * PAGE));
	cr_expect(readable(area + 5, 1));
	cr_expect(readable(area + PAGE - 1, 2));
	cr_expect(readable(area, 0));
}

Test(probe, an_end_behind_the_mapping_is_not)
{
	munmap(area + (PAGES - 1) * PAGE, PAGE);
	cr_expect(readable(area, (PAGES - 1) * PAGE));
	cr_expect(not(readable(area, (PAGES - 1) * PAGE + 1)));
	cr_expect(not(readable(area + (PAGES - 1) * PAGE, 1)));
}

Test(probe, a_hole_in_the_middle_of_a_long_range_is_found)
{
	munmap(area + 151 * PAGE, PAGE);
	cr_expect(not(readable(area, PAGES * PAGE)));
}

Test(probe, memory_without_permission_is_not_readable)
{
	mprotect(area + 3 * PAGE, PAGE, PROT_NONE);
	cr_expect(not(readable(area, 10 * PAGE)));
	cr_expect(readable(area + 4 * PAGE, 10 * PAGE));
}

Test(probe, null_and_wrapping_ranges_are_not_readable)
{
	cr_expect(not(ekka_probe(0, 4)));
	cr_expect(not(ekka_probe(UINT64_MAX - 4, 16)));
}

Test(probe, copy_takes_all_or_nothing)
{
	char buf[8] = "";

	area[0] = 'x';
	cr_expect(ekka_probe_copy(buf, (uint64_t)(uintptr_t)area, sizeof(buf)));
	cr_expect(eq(chr, buf[0], 'x'));
	cr_expect(not(ekka_probe_copy(buf, 16, sizeof(buf))));
}
