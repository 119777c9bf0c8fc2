/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hypotheses about the bad elements, tried on a sample of them. Each predicts what an element would hold; the sample decides. Those that
 * say "another element's result" need references that are not the sample's own, gathered when the elements go by again.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/elements_bad.h"

static const double ENOUGH = 0.9;
enum { LEAST_RELATED = 8 /* elements that a correlation is believed of */, MOST_LOST = 8 /* all but so many parts: with more, it is no end */ };

/* Where another element's result may come from. */
static const struct move { const char *text; } moves[] = {
	{ "as if shifted: each holds its left neighbour's result" },
	{ "as if shifted: each holds its right neighbour's result" },
	{ "as if shifted by a row: each holds the result of the row before" },
	{ "as if shifted by a row: each holds the result of the row behind" },
	{ "as if the halves of each row were swapped" },
	{ "as if the upper and the lower half of the rows were swapped" },
	{ "as if even and odd columns were swapped" },
	{ "as if transposed" },
	{ "as if each row was reversed" },
};
enum { MOVES = sizeof moves / sizeof moves[0] };

/* The element whose result move m puts at `index`; -1: none. Rows and columns are the last two dims. */
static int64_t source_of(const struct ekka_bad *b, unsigned m, int64_t index)
{
	int64_t cols = b->n_dims ? b->dim[b->n_dims - 1] : 1, rows = b->n_dims > 1 ? b->dim[b->n_dims - 2] : 1;
	int64_t c = index % cols, r = index / cols % rows, to_c = c, to_r = r;

	switch (m) {
	case 0: to_c = c - 1; break;
	case 1: to_c = c + 1; break;
	case 2: to_r = r - 1; break;
	case 3: to_r = r + 1; break;
	case 4: to_c = cols % 2 ? -1 : (c + cols / 2) % cols; break;
	case 5: to_r = rows % 2 ? -1 : (r + rows / 2) % rows; break;
	case 6: to_c = cols % 2 ? -1 : c ^ 1; break;
	case 7:
		to_c = rows == cols ? r : -1;
		to_r = c;
		break;
	default: to_c = cols - 1 - c; break;
	}
	/* In one dimension a neighbour is no matter of rows. */
	if (to_c < 0 || to_c >= cols || to_r < 0 || to_r >= rows)
		return -1;
	return index + (to_r - r) * cols + (to_c - c);
}

static int by_index(const void *pa, const void *pb)
{
	const struct ekka_bad_wanted *a = pa, *b = pb;

	return a->index < b->index ? -1 : a->index > b->index;
}

bool ekka_bad_prepare(struct ekka_bad *b)
{
	size_t n = 0;

	if (b->n_samples < 2 || b->wanted)
		return false;
	b->wanted = calloc((size_t)b->n_samples * MOVES, sizeof *b->wanted);
	if (!b->wanted)
		return false;	/* it is only an explanation */
	for (unsigned i = 0; i < b->n_samples; i++)
		for (unsigned m = 0; m < MOVES; m++) {
			int64_t from = source_of(b, m, b->sample[i].index);

			if (from >= 0)
				b->wanted[n++].index = from;
		}
	qsort(b->wanted, n, sizeof *b->wanted, by_index);
	b->n_wanted = n;
	return n > 0;
}

/* The first wanted one with an index of at least `index`. */
static size_t lower(const struct ekka_bad *b, int64_t index)
{
	size_t lo = 0, hi = b->n_wanted;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (b->wanted[mid].index < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void look(struct ekka_bad *b, int64_t first, size_t n, const double *re, const int64_t *ints)
{
	for (size_t i = lower(b, first); i < b->n_wanted && b->wanted[i].index < first + (int64_t)n; i++) {
		b->wanted[i].ref = re ? re[b->wanted[i].index - first] : (double)ints[b->wanted[i].index - first];
		b->wanted[i].known = true;
	}
}

void ekka_bad_look(struct ekka_bad *b, int64_t first, size_t n, const double *ref)
{
	look(b, first, n, ref, NULL);
}

void ekka_bad_look_int(struct ekka_bad *b, int64_t first, size_t n, const int64_t *ref)
{
	look(b, first, n, NULL, ref);
}

/* Is the sample what was predicted, by the standard that it was judged by; bounds grow with the value, and the prediction is rounded too. */
static bool fits(const struct ekka_bad *b, const struct ekka_bad_sample *s, double predicted)
{
	double scale = fabs(s->ref) > 0 ? fmax(1, fabs(predicted / s->ref)) : 1, rounding = 2 * b->unit * fabs(predicted);

	if (isnan(predicted))
		return isnan(s->out);
	return s->out == predicted || fabs(s->out - predicted) <= fmax(s->bound * scale * 1.5, rounding);
}

static int ascending(const void *pa, const void *pb)
{
	const double *a = pa, *b = pb;

	return *a < *b ? -1 : *a > *b;
}

/* Of few samples only a number that is hardly there by chance counts: the nearest whole factor, or its reciprocal; a whole offset of several. */
static double whole(const double *x, unsigned n, bool factor)
{
	double first = n > 0 ? x[0] : NAN, w = rint(factor && fabs(first) < 1 ? 1 / first : first);

	if (factor ? !(fabs(w) >= 2 && fabs(w) <= 1024) : n < 2 || w == 0)
		return NAN;
	return factor && fabs(first) < 1 ? 1 / w : w;
}

/* Median of out / ref, or of out - ref; NaN when there are too few. */
static double median(const struct ekka_bad *b, bool factor)
{
	double x[EKKA_BAD_SAMPLES];
	unsigned n = 0;

	for (unsigned i = 0; i < b->n_samples; i++) {
		const struct ekka_bad_sample *s = &b->sample[i];

		x[n] = factor ? s->out / s->ref : s->out - s->ref;
		n += isfinite(x[n]) && (!factor || s->ref != 0);
	}
	qsort(x, n, sizeof x[0], ascending);
	return n >= 4 ? x[n / 2] : factor && b->unit == 0 ? NAN : whole(x, n, factor);	/* an integer is a multiple of another all too easily */
}

enum simple { ALL_ZERO, ALL_NAN, ALL_INFINITE, STALE, NEGATED, FACTOR, OFFSET, SIMPLE };

/* Does the hypothesis explain sample i. `x`: the factor or offset. */
static bool explains(const struct ekka_bad *b, enum simple h, unsigned i, double x)
{
	const struct ekka_bad_sample *s = &b->sample[i];
	double before;

	switch (h) {
	case ALL_ZERO: return s->out == 0;
	case ALL_NAN: return isnan(s->out);
	case ALL_INFINITE: return isinf(s->out);
	case STALE: return b->before && b->before(b->before_arg, s->index, &before) && (s->out == before || (isnan(s->out) && isnan(before)));
	case NEGATED: return fits(b, s, -s->ref);
	case FACTOR: return fits(b, s, x * s->ref);
	default: return fits(b, s, x + s->ref);
	}
}

static void say(enum simple h, double x, char *text)
{
	static const char *const texts[] = { "zeros", "NaN everywhere there", "infinities", EKKA_NOT_WRITTEN ": as before the call", "the sign is flipped" };

	if (h < FACTOR)
		(void)snprintf(text, EKKA_TEXT, "%s", texts[h]);
	else if (h == OFFSET)
		(void)snprintf(text, EKKA_TEXT, "off by a constant: %.6g added", x);
	else if (fabs(x) < 1)
		(void)snprintf(text, EKKA_TEXT, "a constant factor: %.6g (1/%.6g) of what it should be", x, 1 / x);
	else
		(void)snprintf(text, EKKA_TEXT, "a constant factor: %.6g times what it should be", x);
}

static const double *reference_at(const struct ekka_bad *b, int64_t index)
{
	size_t i = lower(b, index);

	return i < b->n_wanted && b->wanted[i].index == index && b->wanted[i].known ? &b->wanted[i].ref : NULL;
}

/* Samples that move m explains. Elements at an edge have no source and do not count. */
static double share_of_move(const struct ekka_bad *b, unsigned m)
{
	unsigned n = 0, good = 0;

	for (unsigned i = 0; i < b->n_samples; i++) {
		int64_t from = source_of(b, m, b->sample[i].index);
		const double *ref = from >= 0 ? reference_at(b, from) : NULL;

		n += ref != NULL;
		good += ref && fits(b, &b->sample[i], *ref);
	}
	return n >= 2 && 2 * n >= b->n_samples ? (double)good / n : 0;
}

/* ---- what was not computed ---------------------------------------------- */

/* Is what lies there no function of what should: correlated by less than a half. Of few elements that is chance; zeros and what is no number is plain. */
static bool unrelated(const struct ekka_bad *b)
{
	double n = 0, out = 0, ref = 0, oo = 0, rr = 0, or = 0;
	unsigned plain = 0;

	for (unsigned i = 0; i < b->n_samples; i++) {
		const struct ekka_bad_sample *s = &b->sample[i];

		plain += s->out == 0 || !isfinite(s->out);
		if (!isfinite(s->out) || !isfinite(s->ref))
			continue;
		n++;
		out += s->out;
		ref += s->ref;
	}
	if (plain == b->n_samples)
		return true;
	for (unsigned i = 0; i < b->n_samples; i++) {
		double x = b->sample[i].out - out / n, y = b->sample[i].ref - ref / n;

		if (!isfinite(x) || !isfinite(y))
			continue;
		oo += x * x;
		rr += y * y;
		or += x * y;
	}
	return n >= LEAST_RELATED && rr > 0 && (oo == 0 || fabs(or) < 0.5 * sqrt(oo * rr));
}

/* The dim in whose last indices all bad elements lie, and which they fill; -1 none. A first row that is right all the same, as under a causal mask, is no beginning. */
static int tail_dim(const struct ekka_bad *b)
{
	int found = -1;
	double box = 1;

	for (unsigned d = 0; d < b->n_dims; d++) {
		box *= (double)(b->hi[d] - b->lo[d] + 1);
		if (b->lo[d] == 0 && b->hi[d] == b->dim[d] - 1)
			continue;
		if (found >= 0 || MOST_LOST * b->lo[d] < b->dim[d] || b->hi[d] != b->dim[d] - 1)
			return -1;
		found = (int)d;
	}
	return (double)b->n >= ENOUGH * box ? found : -1;
}

/* The end of the output, or of each of its lines, which a launch that is too small leaves as it was. */
static void say_tail(const struct ekka_bad *b, char *text)
{
	int d = tail_dim(b);
	int64_t run = b->all - b->first;
	char holds[EKKA_TEXT / 2];

	if (b->n < 2 || (d < 0 && (MOST_LOST * b->first < b->all || b->last != b->all - 1 || (double)b->n < ENOUGH * (double)run)) || !unrelated(b))
		return;
	(void)snprintf(holds, sizeof holds, "%s%.200s", text[0] ? ": " : "", text);
	if (d < 0 || b->n_dims == 1)
		(void)snprintf(text, EKKA_TEXT, "as if it ended at element %lld of %lld: the last %lld were not computed%s", (long long)b->first, (long long)b->all,
			       (long long)run, holds);
	else
		(void)snprintf(text, EKKA_TEXT, "as if the last %lld of %lld %s were not computed%s", (long long)(b->dim[d] - b->lo[d]), (long long)b->dim[d],
			       d + 1 == (int)b->n_dims ? "columns" : d + 2 == (int)b->n_dims ? "rows" : "items", holds);
}

void ekka_bad_looks_like(const struct ekka_bad *b, char *text)
{
	double best = 0;
	bool plain = false;

	text[0] = '\0';
	for (enum simple k = 0; k < SIMPLE; k++) {
		/* Integers are counted more often than multiplied: of two that fit as well the offset is said. */
		enum simple h = b->unit > 0 || k < FACTOR ? k : k == FACTOR ? OFFSET : FACTOR;
		double x = h >= FACTOR ? median(b, h == FACTOR) : 0, share;
		unsigned good = 0;

		if (isnan(x) || (h == STALE && !b->before))
			continue;
		for (unsigned i = 0; i < b->n_samples; i++)
			good += explains(b, h, i, x);
		share = (double)good / b->n_samples;
		if (share >= ENOUGH && share > best) {
			best = share;
			plain = h <= ALL_INFINITE;
			say(h, x, text);
		}
	}
	for (unsigned m = 0; m < MOVES && b->wanted; m++) {
		double share = share_of_move(b, m);

		if (share >= ENOUGH && share > best) {
			best = share;
			(void)snprintf(text, EKKA_TEXT, "%s", moves[m].text);
			plain = false;
		}
	}
	if (!text[0] || plain)
		say_tail(b, text);
}
