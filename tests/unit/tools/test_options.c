/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "tools/options.h"

static bool flag;
static const char *text;
static uint64_t number, bytes;

static const struct ekka_option options[] = {
	{ .kind = EKKA_OPT_FLAG, .letter = 'f', .name = "flag", .value = &flag },
	{ .kind = EKKA_OPT_TEXT, .letter = 'o', .name = "output", .metavar = "DIR", .value = &text },
	{ .kind = EKKA_OPT_NUMBER, .letter = 'j', .name = "jobs", .metavar = "N", .value = &number },
	{ .kind = EKKA_OPT_BYTES, .name = "when_full", .metavar = "SIZE", .value = &bytes },
	EKKA_OPTIONS_END
};

static char why[256];

/* Parses blank-separated words; argv[0] is added. */
static int parse(bool stop_early, const char *words, char **argv)
{
	static char store[256];
	int argc = 0;

	snprintf(store, sizeof(store), "command %s", words);
	for (char *w = strtok(store, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	return ekka_options_parse(options, stop_early, argc, argv, why, sizeof(why));
}

Test(options, values_arrive_in_both_forms)
{
	char *argv[16];

	cr_assert_eq(parse(false, "-f -o x --jobs 3 --when-full=2k trace", argv), 7);
	cr_assert(flag);
	cr_assert_str_eq(text, "x");
	cr_assert_eq(number, 3);
	cr_assert_eq(bytes, 2048);
	cr_assert_str_eq(argv[7], "trace");
}

Test(options, operands_may_come_first)
{
	char *argv[16];

	cr_assert_eq(parse(false, "trace -j 7", argv), 3);
	cr_assert_eq(number, 7);
	cr_assert_str_eq(argv[3], "trace");
}

Test(options, stopping_early_leaves_the_rest_alone)
{
	char *argv[16];

	cr_assert_eq(parse(true, "-f program -j 7", argv), 2);
	cr_assert_eq(number, 0);
	cr_assert_str_eq(argv[2], "program");
}

Test(options, errors_name_the_option_as_written)
{
	char *argv[16];

	cr_assert_eq(parse(false, "--nonsense", argv), -1);
	cr_assert_str_eq(why, "unknown or ambiguous option '--nonsense'");
	cr_assert_eq(parse(false, "-x", argv), -1);
	cr_assert_str_eq(why, "unknown or ambiguous option '-x'");
	cr_assert_eq(parse(false, "-o", argv), -1);
	cr_assert_str_eq(why, "option '-o' needs a value");
	cr_assert_eq(parse(false, "--when-full", argv), -1);
	cr_assert_str_eq(why, "option '--when-full' needs a value");
	cr_assert_eq(parse(false, "--jobs -1", argv), -1);
	cr_assert_str_eq(why, "bad value '-1' for --jobs: expected a decimal number");
	cr_assert_eq(parse(false, "-h", argv), -2);
}

Test(options, bytes_take_units_and_refuse_overflow)
{
	uint64_t n;

	cr_assert_eq(ekka_parse_bytes("512M", &n), 0);
	cr_assert_eq(n, (uint64_t)512 << 20);
	cr_assert_eq(ekka_parse_bytes("7", &n), 0);
	cr_assert_eq(n, 7);
	for (const char *const *s = (const char *const[]){ "", "K", "1KB", "-1", " 1", "99999999T", "1.5G", "18446744073709551616", NULL }; *s; s++)
		cr_assert_neq(ekka_parse_bytes(*s, &n), 0, "'%s' was taken", *s);
}

Test(options, the_synopsis_lists_every_option)
{
	char *out = NULL;
	size_t len;
	FILE *mem = open_memstream(&out, &len);

	ekka_options_synopsis(options, "log", "[TRACE]", mem);
	fclose(mem);
	cr_assert_str_eq(out, "ekka log [-h] [-f] [-o DIR] [-j N] [--when-full SIZE] [TRACE]");
	free(out);
}

Test(options, wrapping_keeps_brackets_together)
{
	char *out = NULL;
	size_t len;
	FILE *mem = open_memstream(&out, &len);

	ekka_wrap(mem, "ekka log [-o DIR] [-j N]", 0, 4, 16);
	fclose(mem);
	cr_assert_str_eq(out, "ekka log\n    [-o DIR]\n    [-j N]\n");
	free(out);
}
