/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of replay/epilogue.h's formulas on one value, on the CPU and in device kernels. u: the accumulator's unit roundoff. */
#ifndef EKKA_REPLAY_EPILOGUE_ELEMENT_H
#define EKKA_REPLAY_EPILOGUE_ELEMENT_H

#include "compare/shared.h"

enum ekka_activation { EKKA_ACT_NONE, EKKA_ACT_RELU, EKKA_ACT_GELU, EKKA_ACT_DRELU, EKKA_ACT_DGELU };

#define EKKA_TANH_APPROX 0x1p-11	/* relative error of tanh.approx.f32 */
#define EKKA_GELU_STEEP 1.13		/* |gelu'| is at most that */

/* What factors and a bias add to the error of t, which they turned from `before` into `after`. */
EKKA_SHARED double ekka_epilogue_bias_error(double u, double before, double after, double bias)
{
	return 4 * u * (fabs(before) + fabs(after) + fabs(bias));
}

/* u of the tanh in gelu(x): sqrt(2/pi) (x + 0.044715 x^3). */
EKKA_SHARED double ekka_gelu_inner(double x)
{
	return 0.79788456080286535588 * (x + 0.044715 * x * x * x);
}

EKKA_SHARED double ekka_gelu_of(double x)
{
	return isinf(x) && x < 0 ? 0 : 0.5 * x * (1 + tanh(ekka_gelu_inner(x)));
}

/* The bound of gelu(x) where x is off by `bound`. */
EKKA_SHARED double ekka_gelu_bound(double u, double x, double bound)
{
	return EKKA_GELU_STEEP * bound + (isfinite(x) ? (EKKA_TANH_APPROX / 2 + 8 * u) * fabs(x) : 0);
}

#endif
