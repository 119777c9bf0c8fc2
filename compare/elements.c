/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elements go through a loop without branches first; only where one of a block is out of the ordinary is that block looked at again,
 * element by element.
 */
#include "compare/elements.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/clones.h"
#include "compare/element.h"
#include "compare/elements_bad.h"
#include "compare/format.h"

enum { BLOCK = 1024 };

struct ekka_elements {
	struct ekka_format format;
	struct ekka_bad *bad;		/* the current output's */
	struct ekka_bad output[EKKA_MAX_TENSORS];
	unsigned n_outputs;
	bool again;			/* second look: nothing is counted */
	bool asked;
	uint64_t n, n_loose, n_wide;	/* wide: visibly off under a bound that says little */
	bool has_worst;
	double margin, max_error;
	struct { unsigned output; int64_t index; double out, ref, bound; } worst;
};

struct ekka_elements *ekka_elements_new(void)
{
	return calloc(1, sizeof(struct ekka_elements));
}

void ekka_elements_free(struct ekka_elements *e)
{
	if (!e)
		return;
	for (unsigned i = 0; i < e->n_outputs; i++)
		ekka_bad_release(&e->output[i]);
	free(e);
}

void ekka_elements_output(struct ekka_elements *e, const struct ekka_tensor *t)
{
	unsigned i = 0;

	while (i < e->n_outputs && e->output[i].tensor != t)
		i++;
	if (i == EKKA_MAX_TENSORS)
		i--;		/* an event has no more */
	if (i == e->n_outputs) {
		e->n_outputs++;
		ekka_bad_init(&e->output[i], t);
	}
	e->bad = &e->output[i];
	e->format = ekka_format_of(t->dtype);
}

void ekka_elements_before(struct ekka_elements *e, bool (*value)(void *arg, int64_t index, double *ret), void *arg)
{
	e->bad->before = value;
	e->bad->before_arg = arg;
}

/* What a block of ordinary elements comes to; `odd`: some element is beyond its bound, not finite, or near overflow. */
struct sums { double margin, max_error; uint64_t n_wide; bool odd; };

/* Numbers that are not negative have the order of their bits, in which compilers find maxima without regard to the order of elements. */
static inline int64_t bits_of(double x)
{
	int64_t u;

	memcpy(&u, &x, sizeof u);
	return u;
}

static inline double of_bits(int64_t u)
{
	double x;

	memcpy(&x, &u, sizeof x);
	return x;
}

/* Without branches, and nothing is computed under a condition: what might trap would be kept from vectors. */
EKKA_CLONES static void sum_block(const struct ekka_format *format, size_t n, const double *restrict out, const double *restrict ref,
				  const double *restrict bound, struct sums *ret)
{
	const double unit = format->unit, tiny = format->tiny, normal = format->normal, overflow = format->overflow, places = unit > 0x1p-53 ? unit * 0x1.8p53 : 0;
	int64_t margin = 0, max_error = 0, wide = 0, odd = 0;

	for (size_t i = 0; i < n; i++) {
		double size = fabs(ref[i]), top = size + bound[i], error = fabs(out[i] - ref[i]);
		/* As ekka_half_ulp(). */
		double power = ekka_power_below(top), half = power * unit, magic = (power > normal ? power : normal) * places, rounded = ref[i] + magic - magic;
		int64_t rounds = -(int64_t)((bound[i] != 0) | (rounded != ref[i]));
		double b = bound[i] + of_bits(bits_of(half > tiny ? half : tiny) & rounds), quotient = error / b;
		int64_t m = bits_of(quotient) & -(int64_t)(error > 0), e = bits_of(error);

		odd |= !(error <= b) | !(top < overflow);
		margin = m > margin ? m : margin;
		max_error = e > max_error ? e : max_error;
		wide += (bound[i] > 0.5 * size) & (error > EKKA_VISIBLE * size) & (error > normal);
	}
	*ret = (struct sums){ of_bits(margin), of_bits(max_error), (uint64_t)wide, odd };
}

static void remember_worst(struct ekka_elements *e, int64_t index, double out, double ref, double bound, double margin, double error)
{
	if (!e->has_worst || margin > e->margin || (isinf(margin) && isinf(e->margin) && error > e->max_error)) {
		e->has_worst = true;
		e->margin = margin;
		e->worst.output = (unsigned)(e->bad - e->output);
		e->worst.index = index;
		e->worst.out = out;
		e->worst.ref = ref;
		e->worst.bound = bound;
	}
	if (error > e->max_error)
		e->max_error = error;
}

/* One element that may be anything. */
static void judge_one(struct ekka_elements *e, int64_t index, double out, double ref, double bound, bool saturates)
{
	struct ekka_judged x = ekka_element_judge(&e->format, out, ref, bound, saturates);

	e->n_loose += x.loose;
	e->n_wide += x.wide;
	if (x.measured)
		remember_worst(e, index, out, x.ref, x.bound, x.margin, x.error);
	if (x.bad)
		ekka_bad_add(e->bad, index, out, x.ref, x.bound);
}

/* The worst of an ordinary block, whose margin is known to exceed the worst so far. */
static void find_worst(struct ekka_elements *e, int64_t first, size_t n, const double *out, const double *ref, const double *bound,
		       double margin)
{
	for (size_t i = 0; i < n; i++) {
		double half = ekka_half_ulp(&e->format, ref[i], bound[i]), error = fabs(out[i] - ref[i]);

		if (error > 0 ? error / (bound[i] + half) == margin : margin == 0) {
			remember_worst(e, first + (int64_t)i, out[i], ref[i], bound[i] + half, margin, error);
			return;
		}
	}
}

static void add_block(struct ekka_elements *e, int64_t first, size_t n, const double *out, const double *ref, const double *bound,
		      bool saturates)
{
	struct sums s;

	sum_block(&e->format, n, out, ref, bound, &s);
	e->n += n;
	if (s.odd) {
		for (size_t i = 0; i < n; i++)
			judge_one(e, first + (int64_t)i, out[i], ref[i], bound[i], saturates);
		return;
	}
	if (!e->has_worst || s.margin > e->margin)
		find_worst(e, first, n, out, ref, bound, s.margin);
	e->n_wide += s.n_wide;
	e->max_error = fmax(e->max_error, s.max_error);
}

void ekka_elements_add(struct ekka_elements *e, int64_t first, size_t n, const double *out, const double *ref, const double *bound,
		       bool saturates)
{
	static const double exact[BLOCK];

	if (e->again) {
		ekka_bad_look(e->bad, first, n, ref);
		return;
	}
	for (size_t i = 0; i < n; i += BLOCK)
		add_block(e, first + (int64_t)i, n - i < BLOCK ? n - i : BLOCK, out + i, ref + i, bound ? bound + i : exact, saturates);
}

void ekka_elements_add_int(struct ekka_elements *e, int64_t first, size_t n, const int64_t *out, const int64_t *ref)
{
	if (e->again) {
		ekka_bad_look_int(e->bad, first, n, ref);
		return;
	}
	e->n += n;
	if (!memcmp(out, ref, n * sizeof *out)) {
		if (n)
			remember_worst(e, first, (double)out[0], (double)ref[0], 0, 0, 0);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (out[i] == ref[i])
			continue;
		remember_worst(e, first + (int64_t)i, (double)out[i], (double)ref[i], 0, INFINITY, fabs((double)out[i] - (double)ref[i]));
		ekka_bad_add(e->bad, first + (int64_t)i, (double)out[i], (double)ref[i], 0);
	}
}

bool ekka_elements_merge(struct ekka_elements *e, const struct ekka_elements *part)
{
	for (unsigned i = 0; i < part->n_outputs; i++)
		if (part->output[i].n)
			return false;
	e->n += part->n;
	e->n_loose += part->n_loose;
	e->n_wide += part->n_wide;
	e->max_error = fmax(e->max_error, part->max_error);
	if (part->has_worst && (!e->has_worst || part->margin > e->margin)) {
		ekka_elements_output(e, part->output[part->worst.output].tensor);
		e->has_worst = true;
		e->margin = part->margin;
		e->worst = part->worst;
		e->worst.output = (unsigned)(e->bad - e->output);
	}
	return true;
}

bool ekka_elements_take(struct ekka_elements *e, const struct ekka_tensor *output, const struct ekka_elements_part *part)
{
	if (part->n_bad)
		return false;
	ekka_elements_output(e, output);
	e->n += part->n;
	e->n_loose += part->n_loose;
	e->n_wide += part->n_wide;
	if (part->n_measured)
		remember_worst(e, part->index, part->out, part->ref, part->bound, part->margin, part->max_error);
	return true;
}

bool ekka_elements_again(struct ekka_elements *e)
{
	bool wanted = false;

	if (e->asked)
		return false;
	e->asked = true;
	for (unsigned i = 0; i < e->n_outputs; i++)
		wanted |= ekka_bad_prepare(&e->output[i]);
	e->again = wanted;
	return wanted;
}

const struct ekka_bad *ekka_elements_bad(const struct ekka_elements *e, const struct ekka_tensor *t)
{
	for (unsigned i = 0; i < e->n_outputs; i++)
		if (e->output[i].tensor == t)
			return e->output[i].n ? &e->output[i] : NULL;
	return NULL;
}

static void put_worst(const struct ekka_elements *e, struct ekka_verdict *v)
{
	const struct ekka_tensor *t = e->output[e->worst.output].tensor;
	int64_t rest = e->worst.index;

	for (unsigned d = t->n_dims; d-- > 0; rest /= t->dim[d])
		v->worst[d] = rest % t->dim[d];
	v->n_worst = t->n_dims;
	v->worst_out[0] = e->worst.out;
	v->worst_ref[0] = e->worst.ref;
	v->margin = e->margin;
	v->max_abs_error = e->max_error;
	v->max_bound = e->worst.bound;
	(void)snprintf(v->output, sizeof v->output, "%s", t->name);
}

static void undecided(const struct ekka_elements *e, struct ekka_verdict *v)
{
	if (e->n_loose) {
		v->status = EKKA_UNDECIDED;
		(void)snprintf(v->reason, sizeof v->reason, "the bound tells nothing for %llu of %llu elements",
			       (unsigned long long)e->n_loose, (unsigned long long)e->n);
	} else if (e->n_wide > e->n / 2) {
		v->status = EKKA_UNDECIDED;
		(void)snprintf(v->reason, sizeof v->reason,
			       "%llu of %llu elements are visibly off, but the bound exceeds half of the result there",
			       (unsigned long long)e->n_wide, (unsigned long long)e->n);
	}
}

void ekka_elements_verdict(struct ekka_elements *e, const char *bound_text, struct ekka_verdict *v)
{
	const struct ekka_bad *bad = NULL;

	v->n_elements = e->n;
	v->n_bad = 0;
	for (unsigned i = 0; i < e->n_outputs; i++)
		v->n_bad += e->output[i].n;
	v->status = v->n_bad ? EKKA_FAIL : EKKA_PASS;
	(void)snprintf(v->bound, sizeof v->bound, "%s", bound_text);
	if (e->has_worst) {
		put_worst(e, v);
		bad = &e->output[e->worst.output];
	}
	if (!v->n_bad)
		undecided(e, v);
	else if (bad && bad->n)
		ekka_bad_where(bad, v->where);
	if (bad && bad->n && !v->looks_like[0])
		ekka_bad_looks_like(bad, v->looks_like);
}
