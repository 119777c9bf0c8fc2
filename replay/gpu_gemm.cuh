/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products: panels in float64 and the sums that bounds need; the products themselves are cuBLAS's. */
#include "replay/gpu_device.cuh"

/* A panel: element k of line l, which is `first + l * line_step + k * k_step` of src, to [l * ld + k] of re and, unless NULL, im. */
EKKA_KERNEL ekka_gpu_convert(double *re, double *im, const void *src, int dtype, i64 first, i64 line_step, i64 k_step, i64 lines, i64 nk, i64 ld)
{
	bool along_k = (k_step < 0 ? -k_step : k_step) <= (line_step < 0 ? -line_step : line_step);

	FOR_EACH(e, lines * nk) {
		i64 l = along_k ? e / nk : e % lines, k = along_k ? e % nk : e / lines, at = first + l * line_step + k * k_step;

		re[l * ld + k] = value_at(src, dtype, at, 0);
		if (im)
			im[l * ld + k] = value_at(src, dtype, at, 1);
	}
}

/*
 * Of a panel: magnitudes (|re| + |im|); the power of two at or below the largest of each `group` consecutive k, 0 where that is infinite, to
 * [l * groups + g]; and raises max[l] to the line's largest. NaN counts as nothing in both. A team a group.
 */
EKKA_KERNEL ekka_gpu_extremes(const double *re, const double *im, double *abs, double *pow2, double *max, i64 lines, i64 nk, i64 ld, i64 group,
			      i64 groups)
{
	i64 used = (nk + group - 1) / group;

	FOR_EACH_TEAM(e, lines * used) {
		i64 l = e / used, g = e % used, end = (g + 1) * group < nk ? (g + 1) * group : nk;
		double most = 0;
		u64 bits;

		for (i64 k = g * group + EKKA_LANE; k < end; k += EKKA_LANES) {
			double v = fabs(re[l * ld + k]);

			if (im)
				v += fabs(im[l * ld + k]);
			abs[l * ld + k] = v;
			most = v > most ? v : most;
		}
		most = team_max(most);
		if (EKKA_LANE == 0) {
			pow2[l * groups + g] = most > 0 && isfinite(most) ? ldexp(1.0, ilogb(most)) : 0;
			memcpy(&bits, &most, sizeof bits);
			atomicMax((u64 *)&max[l], bits);	/* not negative: ordered as their bits are */
		}
	}
}

/* Adds one chunk of k to the sums that bounds need. part_re NULL: the product went into ref itself. */
EKKA_KERNEL ekka_gpu_add(i64 n, const double *part_re, const double *part_im, const double *part_abs, double *ref_re, double *ref_im, double *abs,
			 double *chunk, double *variation, double *prefix)
{
	FOR_EACH(e, n) {
		double v = 0, p;

		if (part_re) {
			v = fabs(part_re[e]);
			ref_re[e] += part_re[e];
		}
		p = fabs(ref_re[e]);
		if (ref_im) {
			if (part_im) {
				v += fabs(part_im[e]);
				ref_im[e] += part_im[e];
			}
			p += fabs(ref_im[e]);
		}
		abs[e] += part_abs[e];
		chunk[e] = part_abs[e] > chunk[e] ? part_abs[e] : chunk[e];
		variation[e] += v;
		prefix[e] = p > prefix[e] ? p : prefix[e];
	}
}

/* hi + lo += sign a b^T of panels, hi and lo [ni, nj]: the same operations in the same order as ekka_panel_multiply_twofold. */
EKKA_KERNEL ekka_gpu_twofold(double *hi, double *lo, const double *a, const double *b, double sign, i64 ni, i64 nj, i64 nk, i64 ld)
{
	FOR_EACH(e, ni * nj) {
		const double *x = a + e / nj * ld, *y = b + e % nj * ld;
		double h = hi[e], l = lo[e];

		for (i64 k = 0; k < nk; k++) {
			double f = sign * x[k], p = f * y[k], pe = fma(f, y[k], -p), s = h + p, z = s - h;

			l += (h - (s - z)) + (p - z) + pe;
			h = s;
		}
		hi[e] = h;
		lo[e] = l;
	}
}
