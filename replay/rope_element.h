/* SPDX-License-Identifier: Apache-2.0 */
/* The mathematics of op rope, as replay/op_rope.c has it at its top; on the CPU and in device kernels. Pure functions. */
#ifndef EKKA_REPLAY_ROPE_ELEMENT_H
#define EKKA_REPLAY_ROPE_ELEMENT_H

#include "replay/near.h"

struct ekka_rope_angle { double cos, sin, error; };

/* Without tables. */
EKKA_SHARED struct ekka_rope_angle ekka_rope_computed(int64_t position, int64_t pair, int64_t rot, double theta, double scaling)
{
	double x = (double)position / scaling * pow(theta, -2.0 * (double)pair / (double)rot);
	struct ekka_rope_angle r;

	r.cos = cos(x);
	r.sin = sin(x);
	r.error = 0x1p-22 * (4 * fabs(x) + 2);
	return r;
}

/* The other element of the pair that c is of. */
EKKA_SHARED int64_t ekka_rope_other(int64_t c, int64_t rot, bool interleaved)
{
	return interleaved ? c ^ 1 : c < rot / 2 ? c + rot / 2 : c - rot / 2;
}

EKKA_SHARED int64_t ekka_rope_pair(int64_t c, int64_t rot, bool interleaved)
{
	return interleaved ? c / 2 : c % (rot / 2);
}

/* What `own` becomes beside `other`; first: own is the pair's first element. u: of the type computed in, roundings: of a product. */
EKKA_SHARED struct ekka_near ekka_rope_turned(double own, double other, bool first, const struct ekka_rope_angle *t, double u, double roundings)
{
	double a = own * t->cos, b = (first ? -1 : 1) * other * t->sin, value = a + b;
	double error = roundings * u * (fabs(a) + fabs(b)) + t->error * (fabs(own) + fabs(other));

	return ekka_near_of(value, error + u * (fabs(value) + error));
}

#endif
