/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/error.h"

#include <criterion/criterion.h>
#include <string.h>

Test(error, set_returns_its_code_and_formats)
{
	struct ekka_error err = { 0 };

	cr_assert_eq(ekka_error_set(&err, EKKA_ERR_IO, "%s: %d", "x", 7), EKKA_ERR_IO);
	cr_assert_eq(err.code, EKKA_ERR_IO);
	cr_assert_str_eq(err.message, "x: 7");
	cr_assert_eq(ekka_error_set(NULL, EKKA_ERR_FORMAT, "nobody asks"), EKKA_ERR_FORMAT);
}

Test(error, prefix_goes_in_front)
{
	struct ekka_error err = { 0 };

	ekka_error_set(&err, EKKA_ERR_IO, "cannot open");
	ekka_error_prefix(&err, "event %d", 12);
	cr_assert_str_eq(err.message, "event 12: cannot open");
}

Test(error, messages_too_long_are_cut_at_the_end_at_every_length)
{
	char text[2 * sizeof((struct ekka_error *)0)->message];

	for (size_t n = 0; n < sizeof text; n += 1) {
		struct ekka_error err = { 0 };

		memset(text, 'm', sizeof text);
		text[n] = '\0';
		ekka_error_set(&err, EKKA_ERR_IO, "tail");
		ekka_error_prefix(&err, "%s", text);
		cr_assert_lt(strlen(err.message), sizeof err.message);
		if (n + strlen(": tail") < sizeof err.message)
			cr_assert_eq(strlen(err.message), n + strlen(": tail"), "%zu", n);
		else
			cr_assert_eq(strlen(err.message), n + 2 < sizeof err.message ? sizeof err.message - 1 : n < sizeof err.message ? n : sizeof err.message - 1,
				     "%zu", n);
	}
}
