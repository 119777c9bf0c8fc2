/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "tools/text.h"

static const char *fit(const char *text, size_t width)
{
	static char buf[64];

	return ekka_text_fit(text, width, buf, sizeof(buf));
}

Test(text, what_fits_stays_whole)
{
	cr_assert_str_eq(fit("sgemm", 5), "sgemm");
	cr_assert_str_eq(fit("", 5), "");
	cr_assert_str_eq(fit("any length", 0), "any length");
}

Test(text, what_does_not_fit_ends_in_a_mark)
{
	cr_assert_str_eq(fit("cblas_sgemm", 5), "cbla~");
	cr_assert_str_eq(fit("cblas_sgemm", 1), "~");
}

Test(text, characters_are_not_cut_in_two)
{
	cr_assert_str_eq(fit("\xc3\xa4\xc3\xb6\xc3\xbc", 3), "\xc3\xa4\xc3\xb6\xc3\xbc");
	cr_assert_str_eq(fit("\xc3\xa4\xc3\xb6\xc3\xbc", 2), "\xc3\xa4~");
}

Test(text, control_bytes_never_come_through)
{
	cr_assert_str_eq(fit("a\033[2Jb\n", 0), "a\\x1b[2Jb\\x0a");
	cr_assert_str_eq(fit("\xc2\x9b", 0), "\\xc2\\x9b");	/* the C1 form of ESC [ */
	cr_assert_str_eq(fit("\xff", 0), "\\xff");
	cr_assert_str_eq(fit("ab\033", 5), "ab~");	/* an escape is not cut in two either */
}

Test(text, a_short_buffer_is_not_overrun)
{
	char buf[12];

	memset(buf, 'x', sizeof(buf));
	ekka_text_fit("0123456789", 0, buf, 8);
	cr_assert_lt(strlen(buf), 8);
	cr_assert_eq(buf[8], 'x');
}

Test(text, bytes_have_units)
{
	char buf[32];

	cr_assert_str_eq(ekka_text_bytes(0, buf, sizeof(buf)), "0 B");
	cr_assert_str_eq(ekka_text_bytes(1023, buf, sizeof(buf)), "1023 B");
	cr_assert_str_eq(ekka_text_bytes(1536, buf, sizeof(buf)), "1.5 KiB");
	cr_assert_str_eq(ekka_text_bytes((uint64_t)20 << 30, buf, sizeof(buf)), "20 GiB");
	cr_assert_str_eq(ekka_text_bytes(UINT64_MAX, buf, sizeof(buf)), "16 EiB");
}
