/* SPDX-License-Identifier: Apache-2.0 */
#include "preload/conf.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct ekka_conf conf;
static char why[200];

static bool parse(const char *setting)
{
	char text[256];
	char *env[] = { text, NULL };

	strcpy(text, setting);
	return ekka_conf_parse(&conf, env, why, sizeof(why));
}

Test(conf, nothing_set_gives_the_defaults_of_the_table)
{
	cr_assert(parse("HOME=/"), "%s", why);
	cr_expect(eq(int, conf.level, EKKA_LEVEL_FULL));
	cr_expect(eq(u64, conf.every, 1));
	cr_expect(eq(u64, conf.memory, 256u << 20));
	cr_expect(eq(u64, conf.budget, 0));
	cr_expect(eq(int, conf.when_full, EKKA_BLOCK));
	cr_expect(strcmp(conf.output, "") == 0);
}

Test(conf, sizes_take_units)
{
	static const struct { const char *text; uint64_t bytes; } good[] = {
		{ "EKKA_BUDGET=1", 1 }, { "EKKA_BUDGET=2K", 2048 }, { "EKKA_BUDGET=3m", 3u << 20 },
		{ "EKKA_BUDGET=4G", 4ull << 30 }, { "EKKA_BUDGET=1T", 1ull << 40 },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_expect(parse(good[i].text), "%s", good[i].text);
		cr_expect(eq(u64, conf.budget, good[i].bytes));
	}
}

Test(conf, wrong_values_turn_recording_off_and_name_the_variable)
{
	static const char *const wrong[] = {
		"EKKA_LEVEL=", "EKKA_LEVEL=fulll", "EKKA_LEVEL=off|calls", "EKKA_SKIP=", "EKKA_SKIP=-1", "EKKA_SKIP=1x",
		"EKKA_SKIP=18446744073709551616", "EKKA_EVERY=0", "EKKA_BUDGET=K", "EKKA_BUDGET=0", "EKKA_BUDGET=0G",
		 "EKKA_BUDGET=1KK", "EKKA_BUDGET=1P",
		"EKKA_BUDGET=16777216T", "EKKA_BUDGET=111111111111111111111111111", "EKKA_MEMORY=1023K", "EKKA_COMPRESS=20",
		"EKKA_STACK=65", "EKKA_SYNC=2", "EKKA_QUIET=true",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_expect(not(parse(wrong[i])), "%s was taken", wrong[i]);
		cr_expect(eq(int, conf.level, EKKA_LEVEL_OFF));
		cr_expect(strncmp(why, wrong[i], strcspn(wrong[i], "=")) == 0, "'%s' does not name %s", why, wrong[i]);
	}
}

Test(conf, a_name_that_is_no_setting_is_noted_with_the_nearest_one)
{
	static const struct { const char *text, *meant; } unknown[] = {
		{ "EKKA_LEVLE=off", "EKKA_LEVEL" }, { "EKKA_BUGDET=1G", "EKKA_BUDGET" }, { "EKKA_CUDA_PIN=1", "EKKA_CUDA_PINNED" },
		{ "EKKA_OUTPUTS=x", "EKKA_OUTPUT" }, { "EKKA_=", "EKKA_" },
	};
	char longest[200] = "EKKA_";

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		cr_assert(parse(unknown[i].text), "%s", why);
		cr_expect(eq(int, conf.level, EKKA_LEVEL_FULL));
		cr_expect(strncmp(conf.unknown, unknown[i].text, strcspn(unknown[i].text, "=")) == 0, "'%s'", conf.unknown);
		cr_expect(strstr(conf.unknown, "did you mean ") && strstr(strstr(conf.unknown, "mean "), unknown[i].meant), "'%s'", conf.unknown);
	}
	memset(longest + 5, 'X', sizeof(longest) - 6);
	cr_expect(parse(longest) && conf.unknown[0]);
}

Test(conf, only_names_of_ours_are_noted)
{
	static const char *const good[] = { "HOME=/", "EKKA_LEVEL=calls", "EKKA_TEST_ANYTHING=1", "EKKATRACE=1", "XEKKA_LEVLE=1" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_assert(parse(good[i]), "%s", why);
		cr_expect(strcmp(conf.unknown, "") == 0, "'%s'", conf.unknown);
	}
}

Test(conf, texts_outlive_the_environment)
{
	char text[] = "EKKA_OUTPUT=/tmp/x.ekka";
	char *env[] = { text, NULL };

	cr_assert(ekka_conf_parse(&conf, env, why, sizeof(why)));
	memset(text, 'z', sizeof(text) - 1);
	cr_expect(strcmp(conf.output, "/tmp/x.ekka") == 0);
}

Test(conf, globs_are_separated_by_commas)
{
	cr_expect(ekka_globs_match("cblas_*,*gemm_", "cblas_sdot"));
	cr_expect(ekka_globs_match("cblas_*,*gemm_", "sgemm_"));
	cr_expect(not(ekka_globs_match("cblas_*,*gemm_", "sgemv_")));
	cr_expect(not(ekka_globs_match("", "sgemv_")));
	cr_expect(not(ekka_globs_match(",,", "")));
}

Test(conf, exclude_wins_over_include)
{
	conf.include = "cblas_*";
	conf.exclude = "*dot";
	cr_expect(ekka_conf_wants(&conf, "cblas_sgemm"));
	cr_expect(not(ekka_conf_wants(&conf, "cblas_sdot")));
	cr_expect(not(ekka_conf_wants(&conf, "sgemm_")));
	conf.include = "";
	cr_expect(ekka_conf_wants(&conf, "sgemm_"));
}
