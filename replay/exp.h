/* SPDX-License-Identifier: Apache-2.0 */
/* exp in a form that compilers vectorise; on the CPU and in device kernels. Pure function. */
#ifndef EKKA_REPLAY_EXP_H
#define EKKA_REPLAY_EXP_H

#include "compare/shared.h"

#define EKKA_EXP_ERROR 0x1p-50	/* relative; tests compare with long double's */

/*
 * exp(x) for x <= 709; 0 below -708, NaN for NaN. x = k ln 2 + r, |r| <= ln 2 / 2, by Cody and Waite's two-part constant (fdlibm's, whose first
 * part has 21 trailing zero bits, so that its multiples are exact), then r's Taylor series up to r^13 / 13!, which leaves 5e-18.
 */
EKKA_SHARED double ekka_exp(double x)
{
	const double magic = 0x1.8p52, log2e = 0x1.71547652b82fep+0, ln2_hi = 0x1.62e42feep-1, ln2_lo = 0x1.a39ef35793c76p-33;
	double in = x < -708 ? -708 : x, shifted = in * log2e + magic, k = shifted - magic, r = in - k * ln2_hi - k * ln2_lo, p, two_k;
	uint64_t bits;

	memcpy(&bits, &shifted, sizeof bits);
	bits = (bits + 1023) << 52;
	memcpy(&two_k, &bits, sizeof two_k);
	p = 1.0 / 6227020800;
	p = p * r + 1.0 / 479001600;
	p = p * r + 1.0 / 39916800;
	p = p * r + 1.0 / 3628800;
	p = p * r + 1.0 / 362880;
	p = p * r + 1.0 / 40320;
	p = p * r + 1.0 / 5040;
	p = p * r + 1.0 / 720;
	p = p * r + 1.0 / 120;
	p = p * r + 1.0 / 24;
	p = p * r + 1.0 / 6;
	p = p * r + 0.5;
	p = p * r * r + r + 1;
	return x < -708 ? 0 : p * two_k;
}

#endif
