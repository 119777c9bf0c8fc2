/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/lines.h"

#include <stdarg.h>
#include <stdio.h>

void ekka_lines_put(struct ekka_line_text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->at, t->room, fmt, ap);
	va_end(ap);
	if (n > 0) {
		size_t used = (size_t)n < t->room ? (size_t)n : t->room - 1;

		t->at += used;
		t->room -= used;
	}
}

static void end_run(struct ekka_lines *l, int64_t first, int64_t last)
{
	int64_t length = last - first + 1;

	if (l->n_runs < 4) {
		l->run_first[l->n_runs] = first;
		l->run_last[l->n_runs] = last;
	}
	if (l->n_runs == 0) {
		l->length = length;
	} else {
		int64_t period = first - (l->last - l->length + 1);

		if (l->n_runs == 1)
			l->period = period;
		/* The last run may be cut off by the matrix's end. */
		if (period != l->period || length > l->length || (length < l->length && last != l->all - 1))
			l->period = -1;
	}
	l->n_runs++;
	if (length == l->length)
		l->last = last;
}

/* Lines count as bad when they hold at least `least` bad elements. */
struct ekka_lines ekka_lines_scan(const uint32_t *narrow, const uint64_t *wide, int64_t n, uint64_t least, const char *one, const char *many)
{
	struct ekka_lines l = { .one = one, .many = many, .all = n, .first = -1 };
	int64_t start = -1;

	for (int64_t i = 0; i <= n; i++) {
		bool bad = i < n && (narrow ? narrow[i] : wide[i]) >= least;

		if (bad) {
			l.bad++;
			if (l.first < 0)
				l.first = i;
			if (start < 0)
				start = i;
		} else if (start >= 0) {
			end_run(&l, start, i - 1);
			start = -1;
		}
	}
	if (l.n_runs < 3 || l.period < 0)
		l.period = 0;
	return l;
}

bool ekka_lines_is_all(const struct ekka_lines *l)
{
	return l->bad == l->all;
}

void ekka_lines_describe(struct ekka_line_text *t, const struct ekka_lines *l)
{
	if (l->bad == 1) {
		ekka_lines_put(t, "%s %lld", l->one, (long long)l->first);
	} else if (l->n_runs == 1) {
		ekka_lines_put(t, "%s %lld-%lld", l->many, (long long)l->run_first[0], (long long)l->run_last[0]);
	} else if (l->period && l->length == 1) {
		ekka_lines_put(t, "every %lldth %s from %lld", (long long)l->period, l->one, (long long)l->first);
	} else if (l->period) {
		ekka_lines_put(t, "%lld %s of every %lld, from %lld", (long long)l->length, l->many, (long long)l->period, (long long)l->first);
	} else if (l->n_runs <= 4) {
		ekka_lines_put(t, "%s ", l->many);
		for (int64_t i = 0; i < l->n_runs; i++) {
			ekka_lines_put(t, "%s%lld", i ? ", " : "", (long long)l->run_first[i]);
			if (l->run_last[i] > l->run_first[i])
				ekka_lines_put(t, "-%lld", (long long)l->run_last[i]);
		}
	} else {
		ekka_lines_put(t, "%lld of %lld %s", (long long)l->bad, (long long)l->all, l->many);
	}
}
