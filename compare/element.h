/* SPDX-License-Identifier: Apache-2.0 */
/* One element against its reference and bound, as compare/elements.h defines it; on the CPU and in device kernels. */
#ifndef EKKA_COMPARE_ELEMENT_H
#define EKKA_COMPARE_ELEMENT_H

#include "compare/rounding.h"

/* An error that a bound as large as the result itself leaves open; smaller ones are no matter for doubt, whatever the bound. */
#define EKKA_VISIBLE 0x1p-7

struct ekka_judged {
	double margin, error;
	double ref, bound;		/* as they were compared: clamped where the store saturates; with the rounding to the format */
	bool measured;			/* margin and error are set */
	bool bad;			/* beyond its bound */
	bool loose;			/* the bound says nothing */
	bool wide;			/* visibly off under a bound that says little */
};

/* `out`: as stored, ref: the reference, bound: of the value before it is rounded to the format; saturates: the store clamps to the largest number. */
EKKA_SHARED struct ekka_judged ekka_element_judge(const struct ekka_format *f, double out, double ref, double bound, bool saturates)
{
	struct ekka_judged e = { 0, 0, ref, bound, false, false, false, false };
	double top = fabs(ref) + bound;

	if (!(bound < (double)INFINITY)) {	/* NaN too */
		e.loose = true;
		return e;
	}
	bound = bound > 0 ? bound : 0;	/* a negative one is a mistake that must not let anything pass */
	if (saturates && fabs(ref) > f->largest)
		ref = copysign(f->largest, ref);
	e.ref = ref;
	e.bound = bound;
	e.measured = true;
	if (isnan(ref) || isnan(out) || isinf(ref) || isinf(out)) {
		bool agrees = isnan(ref) ? isnan(out) : out == ref;
		bool overflowed = f->nan_on_overflow ? isnan(out) : isinf(out) && signbit(out) == signbit(ref);

		if (!agrees && !saturates && top >= f->overflow && overflowed) {
			agrees = true;
			e.loose = fabs(ref) - bound < f->overflow;
		}
		e.bad = !agrees;
		e.margin = e.error = agrees ? 0 : (double)INFINITY;
		return e;
	}
	e.bound = bound + ekka_half_ulp(f, ref, bound);
	e.error = fabs(out - ref);
	e.margin = e.error > 0 ? e.error / e.bound : 0;
	e.bad = e.margin > 1;
	e.wide = !e.bad && bound > 0.5 * fabs(ref) && e.error > EKKA_VISIBLE * fabs(ref) && e.error > f->normal;
	return e;
}

#endif
