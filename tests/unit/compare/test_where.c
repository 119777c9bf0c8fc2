/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of wrong elements and the words for them. */
#include <criterion/criterion.h>

#include "compare/where.h"

enum { ROWS = 64, COLS = 96, BATCH = 3 };

static struct ekka_bound_model model = { .kind = EKKA_BOUND_ANY_ORDER, .out = EKKA_F32 };

typedef bool pattern(int64_t b, int64_t i, int64_t j);

static void expect(pattern *bad, int64_t batch, int64_t rows, int64_t cols, char triangle, const char *text)
{
	struct ekka_tally t;
	char got[EKKA_TEXT];

	cr_assert_eq(ekka_tally_init(&t, &model, batch, rows, cols, NULL), 0);
	for (int64_t b = 0; b < batch; b++)
		for (int64_t i = 0; i < rows; i++)
			for (int64_t j = 0; j < cols; j++)
				if (!triangle || (triangle == 'U' ? j >= i : j <= i))
					ekka_tally_add(&t, &(struct ekka_element){ .b = b, .i = i, .j = j, .bound = 1, .unusual = 1,
										   .out = { bad(b, i, j) ? 2 : 0, 0 } }, 1);
	ekka_where_describe(&t, triangle, got);
	cr_expect_str_eq(got, text);
	ekka_tally_release(&t);
}

#define PATTERN(name, condition)                             \
	static bool name(int64_t b, int64_t i, int64_t j)    \
	{                                                    \
		(void)b;                                     \
		(void)i;                                     \
		(void)j;                                     \
		return condition;                            \
	}
PATTERN(nothing, false)
PATTERN(everything, true)
PATTERN(one, b == 0 && i == 5 && j == 7)
PATTERN(column, j == 63)
PATTERN(columns, j >= 90)
PATTERN(tile, i < 16 && j >= 32 && j < 48)
PATTERN(every_row, i % 16 == 3)
PATTERN(pairs, i % 8 >= 6)
PATTERN(item, b == 2)
PATTERN(some_rows, i == 1 || i == 4 || (i >= 10 && i < 13))
PATTERN(third, (i * 7 + j * 5) % 3 == 0)
PATTERN(column_and_strays, j == 40 || (i == 9 && j == 3) || (i == 50 && j == 80))
PATTERN(many_rows, (i * i) % 7 == 1)

Test(where, words)
{
	expect(nothing, 1, ROWS, COLS, 0, "");
	expect(everything, 1, ROWS, COLS, 0, "everything");
	expect(everything, BATCH, ROWS, COLS, 0, "everything, in every batch item");
	expect(one, 1, ROWS, COLS, 0, "one element: row 5, column 7");
	expect(one, BATCH, ROWS, COLS, 0, "one element: row 5, column 7, batch item 0");
	expect(column, 1, ROWS, COLS, 0, "column 63 of every row");
	expect(columns, 1, ROWS, COLS, 0, "columns 90-95 of every row");
	expect(tile, 1, ROWS, COLS, 0, "rows 0-15, columns 32-47 (one 16x16 tile)");
	expect(every_row, 1, ROWS, COLS, 0, "every 16th row from 3, whole");
	expect(pairs, 1, ROWS, COLS, 0, "2 rows of every 8, from 6, whole");
	expect(item, BATCH, ROWS, COLS, 0, "everything, batch item 2");
	expect(some_rows, 1, ROWS, COLS, 0, "rows 1, 4, 10-12, whole");
	expect(third, 1, ROWS, COLS, 0, "everything (33% of these elements)");
	expect(column_and_strays, 1, ROWS, COLS, 0, "mostly column 40 of every row");
	expect(many_rows, 1, ROWS, COLS, 0, "18 of 64 rows, whole");
}

Test(where, vectors_and_triangles)
{
	expect(column, 1, 1, COLS, 0, "one element: row 0, column 63");
	expect(columns, 1, 1, COLS, 0, "columns 90-95");
	expect(every_row, 1, ROWS, 1, 0, "every 16th row from 3");
	expect(everything, 1, ROWS, ROWS, 'L', "everything");
	expect(everything, 1, ROWS, ROWS, 'U', "everything");
}
