/* SPDX-License-Identifier: Apache-2.0 */
/* Which indices of one dimension are bad, in words: "rows 3-5", "every 16th column from 2". Pure functions. */
#ifndef EKKA_COMPARE_LINES_H
#define EKKA_COMPARE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Runs of consecutive bad lines. */
struct ekka_lines {
	const char *one, *many;		/* "row", "rows" */
	int64_t all, bad;		/* how many there are */
	int64_t first, last;
	int64_t n_runs, run_first[4], run_last[4];
	int64_t period, length;		/* all runs `length` long, `period` apart; 0 when not so */
};

/* A text that grows to a limit. */
struct ekka_line_text { char *at; size_t room; };
void ekka_lines_put(struct ekka_line_text *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Lines count as bad when they hold at least `least` bad elements; the counts are in one of narrow and wide. The names are borrowed. */
struct ekka_lines ekka_lines_scan(const uint32_t *narrow, const uint64_t *wide, int64_t n, uint64_t least, const char *one, const char *many);

bool ekka_lines_is_all(const struct ekka_lines *);
void ekka_lines_describe(struct ekka_line_text *, const struct ekka_lines *);

#endif
