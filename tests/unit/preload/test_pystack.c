/* SPDX-License-Identifier: Apache-2.0 */
/* What test_pyframes.py cannot show: line tables by hand, damaged ones, unknown versions, memory that is not what it should be. */
#include "preload/pystack.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static bool find(enum ekka_pylines kind, const void *table, size_t n, int64_t offset, int32_t *ret_line)
{
	struct ekka_pysource s = { .addr = (uintptr_t)table, .bytes = n };

	return ekka_pylines_find(kind, &s, 10, offset, ret_line);
}

#define EXPECT_LINE(kind, table, offset, line) do { \
	int32_t got_ = -7; \
	cr_assert(find(kind, table, sizeof(table), offset, &got_)); \
	cr_assert_eq(got_, line, "offset %d: line %d", offset, got_); \
} while (0)

Test(pylines, lnotab_steps_back_and_forth)
{
	static const uint8_t t[] = { 0, 1, 6, 2, 4, 0xff, 255, 0, 1, 4 };

	EXPECT_LINE(EKKA_PYLINES_LNOTAB, t, -1, 10);
	EXPECT_LINE(EKKA_PYLINES_LNOTAB, t, 0, 11);
	EXPECT_LINE(EKKA_PYLINES_LNOTAB, t, 5, 11);
	EXPECT_LINE(EKKA_PYLINES_LNOTAB, t, 6, 13);
	EXPECT_LINE(EKKA_PYLINES_LNOTAB, t, 10, 12);
	EXPECT_LINE(EKKA_PYLINES_LNOTAB, t, 265, 12);
	EXPECT_LINE(EKKA_PYLINES_LNOTAB, t, 266, 16);
}

Test(pylines, ranges_can_have_no_line)
{
	static const uint8_t t[] = { 4, 1, 4, 0x80, 2, 2, 0, 5, 2, 0xfe };
	int32_t line;

	EXPECT_LINE(EKKA_PYLINES_RANGES, t, 0, 11);
	EXPECT_LINE(EKKA_PYLINES_RANGES, t, 4, 0);
	EXPECT_LINE(EKKA_PYLINES_RANGES, t, 8, 13);
	EXPECT_LINE(EKKA_PYLINES_RANGES, t, 10, 16);
	cr_assert_not(find(EKKA_PYLINES_RANGES, t, sizeof(t), 12, &line));
}

Test(pylines, locations_of_every_kind)
{
	static const uint8_t t[] = {
		0x80 | 15 << 3 | 0,			/* none, 1 unit */
		0x80 | 3 << 3 | 1, 0x12,		/* short, 2 units */
		0x80 | 11 << 3 | 0, 4, 9,		/* one line down */
		0x80 | 13 << 3 | 0, 3,			/* no columns: -1 */
		0x80 | 14 << 3 | 7, 0x40 | 8, 25, 0, 1, 1,	/* long: (8 + 25*64) / 2 = 804, 8 units */
	};
	int32_t line;

	EXPECT_LINE(EKKA_PYLINES_LOCATIONS, t, 0, 0);
	EXPECT_LINE(EKKA_PYLINES_LOCATIONS, t, 2, 10);
	EXPECT_LINE(EKKA_PYLINES_LOCATIONS, t, 5, 10);
	EXPECT_LINE(EKKA_PYLINES_LOCATIONS, t, 6, 11);
	EXPECT_LINE(EKKA_PYLINES_LOCATIONS, t, 8, 10);
	EXPECT_LINE(EKKA_PYLINES_LOCATIONS, t, 10, 814);
	EXPECT_LINE(EKKA_PYLINES_LOCATIONS, t, 25, 814);
	cr_assert_not(find(EKKA_PYLINES_LOCATIONS, t, sizeof(t), 26, &line));
}

Test(pylines, damaged_tables_are_refused)
{
	static const uint8_t no_start[] = { 3, 3 }, cut[] = { 0x80 | 13 << 3, 0x41 };
	static const uint8_t endless[] = { 0x80 | 14 << 3, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 1 };
	int32_t line;

	cr_assert_not(find(EKKA_PYLINES_LOCATIONS, no_start, sizeof(no_start), 0, &line));
	cr_assert_not(find(EKKA_PYLINES_LOCATIONS, cut, sizeof(cut), 0, &line));
	cr_assert_not(find(EKKA_PYLINES_LOCATIONS, endless, sizeof(endless), 0, &line));
	cr_assert_not(find(EKKA_PYLINES_LOCATIONS, NULL, 0, 0, &line));
	for (int kind = EKKA_PYLINES_LNOTAB; kind <= EKKA_PYLINES_LOCATIONS; kind++)
		cr_assert_not(find((enum ekka_pylines)kind, (void *)64, 100, 4, &line));	/* not mapped */
}

Test(pylayout, knows_the_versions_it_says)
{
	struct ekka_pylayout l;

	for (int minor = 8; minor <= 12; minor++) {
		char version[64];

		snprintf(version, sizeof(version), "3.%d.2 (main, Apr  5 2026, 10:00:00) [GCC 12.2.0]", minor);
		cr_assert(ekka_pylayout_find(version, NULL, &l), "%s", version);
		cr_assert_leq(l.frame_bytes, 128);
	}
}

Test(pylayout, refuses_what_it_does_not_know)
{
	uint64_t runtime[128] = { 0 };
	struct ekka_pylayout l;

	cr_assert_not(ekka_pylayout_find("2.7.18 (default)", NULL, &l));
	cr_assert_not(ekka_pylayout_find("3.7.16 (default)", NULL, &l));
	cr_assert_not(ekka_pylayout_find("3.1", NULL, &l));
	cr_assert_not(ekka_pylayout_find("", NULL, &l));
	cr_assert_not(ekka_pylayout_find(NULL, NULL, &l));
	cr_assert_not(ekka_pylayout_find("3.13.1 (main)", NULL, &l));
	cr_assert_not(ekka_pylayout_find("3.13.1 (main)", runtime, &l));
	memcpy(runtime, "xdebugpy", 8);
	runtime[1] = 0x030d01f0;
	cr_assert_not(ekka_pylayout_find("3.13.1 (main)", runtime, &l), "a table of zeros");
	cr_assert_not(ekka_pylayout_find("3.12.1 free-threading build (main)", NULL, &l));
	cr_assert_not(ekka_pylayout_find("3.13.1 (main)", (void *)64, &l), "not mapped");
}

/* A thread state that is right, leading into memory that is not. */
static bool walk(uint64_t frame)
{
	static struct ekka_stack st;
	static uint64_t tstate[64];
	struct ekka_python py = { .raw = true };

	cr_assert(ekka_pylayout_find("3.10.1 (main)", NULL, &py.layout));
	py.frame_type = py.code_type = py.str_type = py.bytes_type = &py;
	tstate[py.layout.ts_thread_id / 8] = (uint64_t)pthread_self();
	tstate[py.layout.ts_frame / 8] = frame;
	return ekka_pystack_raw(&py, tstate, &st, 8) || st.n_py;
}

Test(pystack, wild_pointers_give_no_stack_and_no_crash, .timeout = 10)
{
	static uint64_t page[512];
	uint8_t *end = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(end, MAP_FAILED);
	munmap(end + 4096, 4096);
	for (int i = 0; i < 20; i++) {
		cr_assert_not(walk(8));
		cr_assert_not(walk(3));
		cr_assert_not(walk(UINT64_MAX - 7));
		cr_assert_not(walk((uintptr_t)page));			/* readable, of no type */
		cr_assert_not(walk((uintptr_t)end + 4096 - 16));	/* half of it readable */
	}
}

Test(pystack, another_threads_state_is_refused)
{
	static struct ekka_stack st;
	static uint64_t tstate[64];
	struct ekka_python py = { .raw = true };

	cr_assert(ekka_pylayout_find("3.11.1 (main)", NULL, &py.layout));
	cr_assert_not(ekka_pystack_raw(&py, tstate, &st, 8));
	cr_assert_not(ekka_pystack_raw(&py, (void *)64, &st, 8));
}
