/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "tools/slice.h"

static const struct ekka_tensor t = { .name = "C", .n_dims = 2, .dim = { 10, 4 } };
static struct ekka_slice s;
static char why[128];

static bool is(const char *text, int64_t a, int64_t b, int64_t c, int64_t d)
{
	return ekka_slice_parse(text, &t, &s, why, sizeof(why)) == 0 && s.start[0] == a && s.stop[0] == b && s.start[1] == c &&
	       s.stop[1] == d;
}

Test(slice, ranges_are_as_in_python)
{
	cr_assert(is("0:4,1:3", 0, 4, 1, 3));
	cr_assert(is(":", 0, 10, 0, 4));
	cr_assert(is("2:", 2, 10, 0, 4));
	cr_assert(is(":-1,-2:", 0, 9, 2, 4));
	cr_assert(is("0:1000,0:1000", 0, 10, 0, 4));
	cr_assert(is("-1000:2", 0, 2, 0, 4));
	cr_assert(is("3,1", 3, 4, 1, 2));
	cr_assert(is("-1,:", 9, 10, 0, 4));
	cr_assert(is("4:4", 4, 4, 0, 4));
}

Test(slice, what_is_no_range_is_refused)
{
	for (const char *const *p = (const char *const[]){ "", "x", "10", "-11", "5:4", "0:1,0:1,0:1", "1 ", "0x1", "+1:", "1:2:3",
							   "99999999999999999999", NULL }; *p; p++)
		cr_assert_neq(ekka_slice_parse(*p, &t, &s, why, sizeof(why)), 0, "'%s' was taken", *p);
}

Test(slice, the_corner_shows_the_first_item_of_a_batch)
{
	const struct ekka_tensor batch = { .n_dims = 3, .dim = { 5, 3, 100 } };

	ekka_slice_corner(&batch, 8, &s);
	cr_assert(s.stop[0] == 1 && s.stop[1] == 3 && s.stop[2] == 8);
}
