/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <math.h>

#include "tools/json.h"

static const char *real(double v)
{
	return json_object_to_json_string(ekka_json_real(v));
}

Test(json, reals_are_short_and_read_back_the_same)
{
	cr_assert_str_eq(real(0.1), "0.1");
	cr_assert_str_eq(real(-0.0), "-0");
	cr_assert_eq(strtod(real(1.0 / 3), NULL), 1.0 / 3);
	cr_assert_eq(strtod(real(5e-324), NULL), 5e-324);
}

Test(json, what_json_lacks_is_a_string)
{
	cr_assert_str_eq(real(NAN), "\"nan\"");
	cr_assert_str_eq(real(INFINITY), "\"inf\"");
	cr_assert_str_eq(real(-INFINITY), "\"-inf\"");
}

Test(json, malformed_text_becomes_replacement_characters)
{
	cr_assert_str_eq(json_object_get_string(ekka_json_text("a\xff\xc3")), "a\xef\xbf\xbd\xef\xbf\xbd");
	cr_assert_str_eq(json_object_get_string(ekka_json_text("\xed\xa0\x80")), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	cr_assert_str_eq(json_object_get_string(ekka_json_text("\xc3\xa4")), "\xc3\xa4");
	cr_assert_null(ekka_json_text(NULL));
}

Test(json, addresses_keep_all_bits)
{
	cr_assert_str_eq(json_object_get_string(ekka_json_hex(UINT64_MAX)), "0xffffffffffffffff");
}
