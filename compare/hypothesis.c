/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every hypothesis predicts values for the sampled wrong elements. Its residue is the mean of |out - predicted| / |out - ref|,
 * each cut at 1: 0 explains everything, 1 nothing. It fits when nearly all samples are explained within their bound; of those
 * that fit the smallest residue wins, and the earlier one when two are equally good. A kind that was tried with many parameters
 * must explain more than the best of as many random guesses would.
 */
#include "compare/hypothesis.h"

#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/hypothesis_sums.h"

typedef double complex cx;

static const double FITS = 0.3, CLEARLY_BETTER = 0.02, BY_CHANCE = 0.05;
enum { MEMORY_ELEMENTS = 1 << 21 };	/* complex numbers kept for all samples together */

static cx to_cx(const double v[2])
{
	return __builtin_complex(v[0], v[1]);
}

static bool finite_cx(cx v)
{
	return isfinite(creal(v)) && isfinite(cimag(v));
}

/* How far apart, counting equal infinities and NaNs as equal. */
static double distance(cx x, cx y)
{
	if (finite_cx(x) && finite_cx(y))
		return cabs(x - y);
	return (isnan(creal(x)) && isnan(creal(y))) || creal(x) == creal(y) ? 0 : INFINITY;
}

struct search {
	const struct ekka_hypothesis_input *in;
	const struct ekka_tally *tally;
	unsigned n;				/* samples used */
	struct ekka_hypothesis_sample s[EKKA_TALLY_SAMPLES];
	double (*line)[2], (*line2)[2];		/* scratch of max(k, m, n) */
	double best;
	double chance;				/* that a random guess comes as close to all samples as the last predictions did */
	char *text;
};

/* Residue of predictions for all samples, and whether they fit. */
static double residue(struct search *h, const cx *predicted)
{
	double sum = 0;
	unsigned explained = 0;

	h->chance = 1;
	for (unsigned s = 0; s < h->n; s++) {
		const struct ekka_element *e = h->s[s].element;
		double left = distance(h->s[s].out, predicted[s]), was = distance(h->s[s].out, to_cx(e->ref));
		double tolerance = e->bound + h->tally->model->u_out * cabs(predicted[s]);
		double ratio = left == 0 ? 0 : isfinite(was) ? left / was : 1;

		if (!isfinite(e->bound) || h->tally->model->kind == EKKA_BOUND_INTEGER)
			tolerance = 0;
		explained += left == 0 || left <= tolerance;
		sum += ratio < 1 ? ratio : 1;
		ratio = fmax(ratio, h->tally->model->u_out * cabs(predicted[s]) / was);
		h->chance *= ratio < 1 ? ratio : 1;
	}
	return explained * 5 >= h->n * 4 ? sum / h->n : 1;
}

/* `r`: residue of the last predictions, the best of `tries`. */
static void __attribute__((format(printf, 4, 5))) offer(struct search *h, double r, double tries, const char *fmt, ...)
{
	va_list ap;

	if (!(r < FITS) || r >= h->best - CLEARLY_BETTER || tries * h->chance > BY_CHANCE)
		return;
	h->best = r;
	va_start(ap, fmt);
	(void)vsnprintf(h->text, EKKA_TEXT, fmt, ap);
	va_end(ap);
}

static cx result(const struct search *h, unsigned s, cx product, cx beta)
{
	cx alpha = to_cx(h->in->alpha), r = alpha == 1 ? product : alpha * product, added = beta == 0 ? 0 : beta * h->s[s].c0;

	return h->in->finish ? h->in->finish(h->in->arg, EKKA_FINISH_RIGHT, h->s[s].element, creal(r), creal(added)) : r + added;
}

static void try_constants(struct search *h)
{
	cx p[EKKA_TALLY_SAMPLES];
	bool have_c0 = true;

	for (unsigned s = 0; s < h->n; s++)
		p[s] = 0;
	offer(h, residue(h, p), 1, "as if nothing was computed there: zeros");
	for (unsigned s = 0; s < h->n; s++)
		p[s] = NAN;
	offer(h, residue(h, p), 1, "NaN where numbers belong");
	for (unsigned s = 0; s < h->n; s++)
		p[s] = copysign(INFINITY, creal(h->s[s].out));
	offer(h, residue(h, p), 1, "infinite where numbers belong");
	for (unsigned s = 0; s < h->n; s++) {
		have_c0 = have_c0 && h->s[s].have_c0;
		p[s] = h->s[s].c0;
	}
	if (have_c0)
		offer(h, residue(h, p), 1, "as if it was not written: holds what was there before the call");
}

static void try_scalars(struct search *h)
{
	cx beta = to_cx(h->in->beta), alpha = to_cx(h->in->alpha), p[EKKA_TALLY_SAMPLES];
	bool have_c0 = true;

	for (unsigned s = 0; s < h->n; s++)
		have_c0 = have_c0 && h->s[s].have_c0;
#define TRY(condition, value, text)                                  \
	if (condition) {                                             \
		for (unsigned s = 0; s < h->n; s++)                  \
			p[s] = (value);                              \
		offer(h, residue(h, p), 1, text);                       \
	}
	TRY(beta != 0, result(h, s, h->s[s].total, 0), "as if C was not added: beta ignored")
	TRY(beta != 0, result(h, s, h->s[s].total, 2 * beta), "as if C was added twice")
	TRY(beta != 0 && beta != 1, result(h, s, h->s[s].total, 1), "as if beta was 1")
	TRY(beta == 0 && have_c0, result(h, s, h->s[s].total, 1), "as if C was added, although beta is 0")
	TRY(alpha != 1 && !h->in->finish, h->s[s].total + (beta == 0 ? 0 : beta * h->s[s].c0), "as if alpha was 1")
	TRY(true, result(h, s, 2 * h->s[s].total, beta), "as if the product was added twice")
	TRY(!h->in->finish, beta == 0 ? 0 : beta * h->s[s].c0, "as if the product was not added")
	TRY(true, conj(to_cx(h->s[s].element->ref)), "as if the result was conjugated")
	TRY(true, -to_cx(h->s[s].element->ref), "as if the sign was turned")
#undef TRY
}

static void try_finishes(struct search *h)
{
	static const char *const texts[EKKA_FINISH_COUNT] = {
		[EKKA_FINISH_NO_BIAS] = "as if the bias was not added",
		[EKKA_FINISH_NEXT_BIAS] = "as if the bias was that of the next row",
		[EKKA_FINISH_NO_ACTIVATION] = "as if no activation, or gradient of one, was applied",
		[EKKA_FINISH_NO_SCALE] = "as if the result was not scaled",
		[EKKA_FINISH_NO_FACTORS] = "as if rows and columns were not scaled",
	};
	cx p[EKKA_TALLY_SAMPLES], alpha = to_cx(h->in->alpha), beta = to_cx(h->in->beta);

	for (unsigned how = EKKA_FINISH_RIGHT + 1; h->in->finish && how < EKKA_FINISH_COUNT; how++) {
		for (unsigned s = 0; s < h->n; s++)
			p[s] = h->in->finish(h->in->arg, (enum ekka_finish)how, h->s[s].element, creal(alpha * h->s[s].total), creal(beta * h->s[s].c0));
		offer(h, residue(h, p), 1, "%s", texts[how]);
	}
}

/* Another alpha, by least squares, where C is added, too: then it is no factor of the result. */
static void try_alpha(struct search *h)
{
	cx p[EKKA_TALLY_SAMPLES], beta = to_cx(h->in->beta);
	double xx = 0, xy = 0;

	if (h->n < 3 || beta == 0)
		return;
	for (unsigned s = 0; s < h->n; s++) {
		cx rest = h->s[s].out - beta * h->s[s].c0;

		if (!finite_cx(rest) || !h->s[s].have_c0)
			return;
		xx += creal(h->s[s].total * conj(h->s[s].total));
		xy += creal(rest * conj(h->s[s].total));
	}
	if (xx == 0)
		return;
	for (unsigned s = 0; s < h->n; s++)
		p[s] = xy / xx * h->s[s].total + beta * h->s[s].c0;
	offer(h, residue(h, p), 1, "as if alpha was %.6g instead of %.6g", xy / xx, h->in->alpha[0]);
}

/* One factor for all, by least squares. */
static void try_factor(struct search *h)
{
	cx p[EKKA_TALLY_SAMPLES];
	double xx = 0, xy = 0;

	for (unsigned s = 0; s < h->n; s++) {
		cx ref = to_cx(h->s[s].element->ref);

		if (!finite_cx(h->s[s].out))
			return;
		xx += creal(ref * conj(ref));
		xy += creal(h->s[s].out * conj(ref));
	}
	if (h->n < 3 || xx == 0)
		return;
	for (unsigned s = 0; s < h->n; s++)
		p[s] = xy / xx * to_cx(h->s[s].element->ref);
	offer(h, residue(h, p), 1, "as if multiplied by %.6g", xy / xx);
}

/* What the element would be from other lines of the operands. */
static int other_product(struct search *h, int64_t ba, int64_t i, enum ekka_reading how_a, int64_t bb, int64_t j,
			 enum ekka_reading how_b, cx *ret)
{
	int r = h->in->a_line(h->in->arg, ba, i, how_a, h->line);

	if (r == 0)
		r = h->in->b_line(h->in->arg, bb, j, how_b, h->line2);
	if (r)
		return r;
	*ret = 0;
	for (int64_t k = 0; k < h->in->k; k++)
		*ret += to_cx(h->line[k]) * to_cx(h->line2[k]);
	return 0;
}

struct other { int64_t di, dj, dba, dbb; enum ekka_reading how_a, how_b; bool rows_swapped, columns_swapped; /* halves */ };

static bool within(int64_t at, int64_t n)
{
	return at >= 0 && at < n;
}

/* The same place in the other half; -1 where there are none. */
static int64_t other_half(int64_t at, int64_t n)
{
	return n % 2 ? -1 : (at + n / 2) % n;
}

/* 0 and the predictions' residue; 1 when some sample has no such neighbour. */
static int residue_of_other(struct search *h, const struct other *o, double *ret)
{
	cx p[EKKA_TALLY_SAMPLES], beta = to_cx(h->in->beta);
	unsigned outside = 0;

	for (unsigned s = 0; s < h->n; s++) {
		const struct ekka_element *e = h->s[s].element;
		int64_t i = o->rows_swapped ? other_half(e->i, h->in->m) : e->i + o->di, j = o->columns_swapped ? other_half(e->j, h->in->n) : e->j + o->dj;
		cx product = NAN;
		int r = 1;

		if (within(i, h->in->m) && within(j, h->in->n) && within(e->b + o->dba, h->in->batch) && within(e->b + o->dbb, h->in->batch))
			r = other_product(h, e->b + o->dba, i, o->how_a, e->b + o->dbb, j, o->how_b, &product);
		if (r < 0)
			return r;
		p[s] = r ? NAN : result(h, s, product, beta);
		if (r && ++outside * 5 > h->n)
			return 1;
	}
	*ret = residue(h, p);
	return 0;
}

/* Says "<before><number><after>", or `before` alone when number is 0. */
static int try_other(struct search *h, struct other o, int64_t number, const char *before, const char *after)
{
	double r;
	int status = residue_of_other(h, &o, &r);

	if (status)
		return status < 0 ? status : 0;
	if (number)
		offer(h, r, 1, "%s%+lld%s", before, (long long)number, after);
	else
		offer(h, r, 1, "%s", before);
	return 0;
}

static int try_neighbour(struct search *h, int64_t d)
{
	int r = try_other(h, (struct other){ .di = d }, d, "as if it was the result ", " rows on");

	if (r == 0)
		r = try_other(h, (struct other){ .dj = d }, d, "as if it was the result ", " columns on");
	if (r < 0 || h->in->batch == 1 || d < -2 || d > 2)
		return r;
	r = try_other(h, (struct other){ .dba = d }, d, "as if the left factor was that of the batch item ", " on");
	if (r == 0)
		r = try_other(h, (struct other){ .dbb = d }, d, "as if the right factor was that of the batch item ", " on");
	if (r == 0)
		r = try_other(h, (struct other){ .dba = d, .dbb = d }, d, "as if it was the result of the batch item ", " on");
	return r;
}

/* What becomes of a factor that is read so, as in "as if the left factor was ...". */
static const char *reading_text(enum ekka_reading how, char *buf, size_t len)
{
	static const char *const as[] = {
		[EKKA_READ_TRANSPOSED] = "transposed",
		[EKKA_READ_PACKED] = "read without the gaps between its lines",
		[EKKA_READ_HALF_LD] = "read with half its leading dimension",
		[EKKA_READ_DOUBLE_LD] = "read with twice its leading dimension",
	};
	unsigned kind = ((unsigned)how - EKKA_READ_LARGER_LD) / EKKA_READ_STEPS, by = 1u << ((unsigned)how - EKKA_READ_LARGER_LD) % EKKA_READ_STEPS;

	if (how < EKKA_READ_LARGER_LD)
		return as[how];
	if (how < EKKA_READ_AHEAD)
		(void)snprintf(buf, len, "read with a leading dimension %u %s", by, kind == 0 ? "larger" : "smaller");
	else
		(void)snprintf(buf, len, "read %u element%s %s", by, by > 1 ? "s" : "", how < EKKA_READ_BEHIND ? "further on" : "before");
	return buf;
}

static int try_readings(struct search *h)
{
	int r = 0;

	for (enum ekka_reading how = EKKA_READ_TRANSPOSED; r == 0 && how < EKKA_READING_COUNT; how++) {
		char text[EKKA_TEXT], as[64];

		(void)snprintf(text, sizeof text, "as if the left factor was %s", reading_text(how, as, sizeof as));
		r = try_other(h, (struct other){ .how_a = how }, 0, text, "");
		(void)snprintf(text, sizeof text, "as if the right factor was %s", reading_text(how, as, sizeof as));
		if (r == 0)
			r = try_other(h, (struct other){ .how_b = how }, 0, text, "");
	}
	return r;
}

static int try_others(struct search *h)
{
	static const int64_t steps[] = { 1, 2, 4, 8, 16, 32, 64, 128 };
	int r = try_readings(h);

	if (r == 0)
		r = try_other(h, (struct other){ .rows_swapped = true }, 0, "as if the upper and the lower half of the rows were swapped", "");
	if (r == 0)
		r = try_other(h, (struct other){ .columns_swapped = true }, 0, "as if the left and the right half of the columns were swapped", "");
	for (size_t i = 0; r == 0 && i < 2 * sizeof steps / sizeof steps[0]; i++)
		r = try_neighbour(h, i & 1 ? -steps[i / 2] : steps[i / 2]);
	return r;
}

/* Item 0's operands for every item: a batch stride of 0. */
static int try_first_item(struct search *h, bool left)
{
	cx p[EKKA_TALLY_SAMPLES], beta = to_cx(h->in->beta), product;

	for (unsigned s = 0; s < h->n; s++) {
		const struct ekka_element *e = h->s[s].element;
		int r = other_product(h, left ? 0 : e->b, e->i, EKKA_READ_RIGHT, left ? e->b : 0, e->j, EKKA_READ_RIGHT, &product);

		if (r)
			return r;
		p[s] = result(h, s, product, beta);
	}
	offer(h, residue(h, p), 1, "as if the %s factor was that of batch item 0", left ? "left" : "right");
	return 0;
}

static void try_sums(struct search *h)
{
	for (unsigned kind = 0; kind < EKKA_SUMS_COUNT; kind++) {
		struct ekka_hypothesis_sums sums = { .in = h->in, .sample = h->s, .n = h->n };
		cx p[EKKA_TALLY_SAMPLES], beta = to_cx(h->in->beta);
		char text[EKKA_TEXT];

		if (!ekka_hypothesis_sums(&sums, (enum ekka_sums)kind, text))
			continue;
		for (unsigned s = 0; s < h->n; s++)
			p[s] = result(h, s, sums.predicted[s], beta);
		offer(h, residue(h, p), sums.tries, "%s", text);
	}
}

/* How many of the values are bfloat16 numbers, and how many float16 numbers. */
static void count_narrow(struct search *h, bool of_references, unsigned narrow[2])
{
	narrow[0] = narrow[1] = 0;
	for (unsigned s = 0; s < h->n; s++) {
		float v = (float)(of_references ? h->s[s].element->ref[0] : creal(h->s[s].out));
		uint32_t bits;

		memcpy(&bits, &v, sizeof bits);
		narrow[0] += isfinite(v) && !(bits & 0xffff);
		narrow[1] += isfinite(v) && !(bits & 0x1fff) && fabsf(v) <= 65504;
	}
}

/* Every wrong value of a wide type is one of a narrow type, and those that would be right are not. */
static void try_narrow_output(struct search *h)
{
	unsigned narrow[2], right[2];

	if (h->tally->model->out != EKKA_F32 || h->n < 3 || h->best < FITS)
		return;
	count_narrow(h, false, narrow);
	count_narrow(h, true, right);
	for (unsigned i = 0; i < 2; i++)
		narrow[i] = 2 * right[i] < h->n ? narrow[i] : 0;
	if (narrow[0] == h->n)
		(void)snprintf(h->text, EKKA_TEXT, "as if rounded to bf16: every wrong value is one of that type");
	else if (narrow[1] == h->n)
		(void)snprintf(h->text, EKKA_TEXT, "as if accumulated or rounded in f16: every wrong value is one of that type");
}

/* The samples with their products along k. */
static int gather(struct search *h, double complex *memory)
{
	int64_t k = h->in->k;

	for (unsigned s = 0; s < h->n; s++) {
		struct ekka_hypothesis_sample *x = &h->s[s];
		double c0[2] = { 0, 0 };
		int r;

		x->element = &h->tally->sample[s];
		x->out = to_cx(x->element->out);
		x->have_c0 = h->in->c0(h->in->arg, x->element->b, x->element->i, x->element->j, c0) == 0;
		x->c0 = to_cx(c0);
		x->a = memory + (size_t)s * 2 * (size_t)k;
		x->b = x->a + k;
		x->total = 0;
		if (!h->in->has_product)
			continue;
		r = h->in->a_line(h->in->arg, x->element->b, x->element->i, EKKA_READ_RIGHT, h->line);
		if (r == 0)
			r = h->in->b_line(h->in->arg, x->element->b, x->element->j, EKKA_READ_RIGHT, h->line2);
		if (r < 0)
			return r;
		for (int64_t l = 0; l < k; l++) {
			x->a[l] = to_cx(h->line[l]);
			x->b[l] = to_cx(h->line2[l]);
			x->total += x->a[l] * x->b[l];
		}
	}
	return 0;
}

int ekka_hypothesis_find(const struct ekka_hypothesis_input *in, const struct ekka_tally *tally, char *text, struct ekka_error *err)
{
	struct search h = { .in = in, .tally = tally, .best = 1, .text = text };
	int64_t longest = in->k > in->m ? in->k : in->m, fit = MEMORY_ELEMENTS / (2 * in->k + 1);
	double complex *memory;
	int r = 0;

	text[0] = '\0';
	longest = in->n > longest ? in->n : longest;
	h.n = tally->n_samples < fit ? tally->n_samples : fit > 1 ? (unsigned)fit : 1;
	if (!tally->n_samples)
		return 0;
	memory = malloc((size_t)h.n * 2 * (size_t)in->k * sizeof *memory + 1);
	h.line = malloc((size_t)longest * 2 * sizeof *h.line);
	h.line2 = h.line ? h.line + longest : NULL;
	if (!memory || !h.line)
		r = ekka_error_set(err, EKKA_ERR_NOMEM, "no memory to explain a failure");
	if (r == 0)
		r = gather(&h, memory);
	if (r == 0) {
		try_constants(&h);
		try_scalars(&h);
		if (in->has_product)
			try_finishes(&h);
		if (in->has_product && (!in->finish || in->unfinish))
			try_sums(&h);
		if (in->has_product && h.best > CLEARLY_BETTER)
			r = try_others(&h);
		if (r == 0 && in->has_product && in->batch > 1)
			r = try_first_item(&h, true);
		if (r == 0 && in->has_product && in->batch > 1)
			r = try_first_item(&h, false);
		try_factor(&h);
		if (in->has_product && in->alpha[1] == 0 && !in->finish)
			try_alpha(&h);
		try_narrow_output(&h);
	}
	free(memory);
	free(h.line);
	return r;
}
