/* SPDX-License-Identifier: Apache-2.0 */
/* Rounding to narrow types against every value of the type, and what it makes of intervals. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "replay/convert.h"
#include "replay/narrow.h"

static double value(enum ekka_dtype t, uint32_t bits)
{
	double v;

	ekka_convert(t, &bits, 1, 1, &v, NULL);
	return v;
}

/* Neighbours of positive numbers, up to the largest finite one: what lies between goes to the nearer one, the middle to the even one. */
static void check_type(enum ekka_dtype t, uint32_t largest)
{
	cr_expect_eq(ekka_dtype_largest(t), value(t, largest));
	for (uint32_t b = 0; b < largest; b++) {
		double low = value(t, b), high = value(t, b + 1), middle = low / 2 + high / 2;

		cr_assert_eq(ekka_narrow(t, low), low, "%s %x", ekka_dtype_name(t), b);
		cr_assert_eq(ekka_narrow(t, middle), b & 1 ? high : low, "%s %x", ekka_dtype_name(t), b);
		cr_assert_eq(ekka_narrow(t, -nextafter(middle, 0)), -low, "%s %x", ekka_dtype_name(t), b);
		cr_assert_eq(ekka_narrow(t, nextafter(middle, INFINITY)), high, "%s %x", ekka_dtype_name(t), b);
	}
}

Test(narrow, rounds_to_the_nearest_and_ties_to_even)
{
	check_type(EKKA_F16, 0x7bff);
	check_type(EKKA_BF16, 0x7f7f);
	check_type(EKKA_E5M2, 0x7b);
	check_type(EKKA_E4M3, 0x7e);
	for (float f = 1e-45f; f < 1e38f; f *= 1.7f) {
		double middle = (double)f / 2 + (double)nextafterf(f, INFINITY) / 2;

		cr_expect_eq(ekka_narrow(EKKA_F32, middle), (double)(float)middle);
		cr_expect_eq(ekka_narrow(EKKA_F32, (double)f * (1 + 1e-9)), (double)(float)((double)f * (1 + 1e-9)));
	}
}

Test(narrow, beyond_the_largest_is_infinite)
{
	cr_expect_eq(ekka_narrow(EKKA_F16, 65519), 65504);
	cr_expect_eq(ekka_narrow(EKKA_F16, -65520), -INFINITY);
	cr_expect_eq(ekka_narrow(EKKA_F32, 1e39), INFINITY);
	cr_expect(isnan(ekka_narrow(EKKA_BF16, NAN)));
	cr_expect_eq(ekka_narrow(EKKA_F64, 0.1), 0.1);
}

Test(narrow, an_interval_is_a_number_unless_it_straddles_a_middle)
{
	struct ekka_near x = ekka_narrow_near(EKKA_BF16, (struct ekka_near){ 1.001, 1e-4 });

	cr_expect(x.value == 1 && x.error == 0);
	x = ekka_narrow_near(EKKA_BF16, (struct ekka_near){ 1 + 0x1p-8, 1e-6 });
	cr_expect(x.value - x.error == 1 && x.value + x.error == 1 + 0x1p-7);
	x = ekka_narrow_near(EKKA_F16, (struct ekka_near){ 65519, 2 });
	cr_expect(x.error == INFINITY);
	x = ekka_narrow_near(EKKA_F16, (struct ekka_near){ NAN, 0 });
	cr_expect(isnan(x.value));
}
