/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels of the GPU backend: conversions and sums in float64; matrix products are cuBLAS's. Built without contraction of a * b + c
 * (-fmad=false), so that each operation rounds as it does on the CPU. Every kernel walks its elements with the whole grid as stride,
 * no thread needs another: any grid will do, one thread included, and a C compiler takes the file too (tests/unit/replay/test_gpu.c).
 */
#ifdef __cplusplus
#define EKKA_KERNEL extern "C" __global__ void
#else
#define EKKA_KERNEL __global__ void
#endif

typedef long long i64;
typedef unsigned long long u64;

enum dtype {
#define DTYPE(id, name, bytes, is_complex, unit_roundoff) EKKA_GPU_##id,
#include "spec/dtypes.def"
#undef DTYPE
};

#define FOR_EACH(e, n) for (i64 e = (i64)blockIdx.x * blockDim.x + threadIdx.x; e < (n); e += (i64)gridDim.x * blockDim.x)

static __device__ double from_bits(u64 bits)
{
	double v;

	memcpy(&v, &bits, sizeof v);
	return v;
}

static __device__ double bf16_value(unsigned short h)
{
	unsigned bits = (unsigned)h << 16;
	float v;

	memcpy(&v, &bits, sizeof v);
	return (double)v;
}

/* A small format with `e` exponent and `m` mantissa bits; ieee: the largest exponent is for infinities and NaN, else only all ones are NaN. */
static __device__ double small_value(unsigned v, int e, int m, bool ieee)
{
	unsigned top = (1u << e) - 1, exponent = v >> m & top, mantissa = v & ((1u << m) - 1);
	u64 sign = (u64)(v >> (e + m) & 1) << 63;
	int bias = (1 << (e - 1)) - 1;

	if (exponent == top && (ieee || mantissa == (1u << m) - 1)) {
		bool infinite = ieee && mantissa == 0;

		return from_bits(sign | 0x7ff0000000000000u | (infinite ? 0u : 0x8000000000000u));
	}
	if (exponent == 0) {
		double size = (double)mantissa * from_bits((u64)(1023 + 1 - bias - m) << 52);

		return sign ? -size : size;
	}
	return from_bits(sign | (u64)(exponent - (unsigned)bias + 1023) << 52 | (u64)mantissa << (52 - m));
}

/* Element i of an array; of complex ones the real (part 0) or imaginary part. */
static __device__ double value_at(const void *src, int dtype, i64 i, int part)
{
	switch (dtype) {
	case EKKA_GPU_F64: return ((const double *)src)[i];
	case EKKA_GPU_F32: return (double)((const float *)src)[i];
	case EKKA_GPU_F16: return small_value(((const unsigned short *)src)[i], 5, 10, true);
	case EKKA_GPU_BF16: return bf16_value(((const unsigned short *)src)[i]);
	case EKKA_GPU_E4M3: return small_value(((const unsigned char *)src)[i], 4, 3, false);
	case EKKA_GPU_E5M2: return small_value(((const unsigned char *)src)[i], 5, 2, true);
	case EKKA_GPU_C64: return (double)((const float *)src)[2 * i + part];
	case EKKA_GPU_C128: return ((const double *)src)[2 * i + part];
	case EKKA_GPU_I8: return (double)((const signed char *)src)[i];
	case EKKA_GPU_U8: return (double)((const unsigned char *)src)[i];
	case EKKA_GPU_I16: return (double)((const short *)src)[i];
	case EKKA_GPU_U16: return (double)((const unsigned short *)src)[i];
	case EKKA_GPU_I32: return (double)((const int *)src)[i];
	case EKKA_GPU_U32: return (double)((const unsigned *)src)[i];
	case EKKA_GPU_I64: return (double)((const i64 *)src)[i];
	case EKKA_GPU_U64: return (double)((const u64 *)src)[i];
	case EKKA_GPU_CI8: return (double)((const signed char *)src)[2 * i + part];
	default: return from_bits(0x7ff8000000000000u);
	}
}

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
 * [l * groups + g]; and raises max[l] to the line's largest. NaN counts as nothing in both.
 */
EKKA_KERNEL ekka_gpu_extremes(const double *re, const double *im, double *abs, double *pow2, double *max, i64 lines, i64 nk, i64 ld, i64 group,
			      i64 groups)
{
	i64 used = (nk + group - 1) / group;

	FOR_EACH(e, lines * used) {
		i64 l = e / used, g = e % used, end = (g + 1) * group < nk ? (g + 1) * group : nk;
		double most = 0;
		u64 bits;

		for (i64 k = g * group; k < end; k++) {
			double v = fabs(re[l * ld + k]);

			if (im)
				v += fabs(im[l * ld + k]);
			abs[l * ld + k] = v;
			most = v > most ? v : most;
		}
		pow2[l * groups + g] = most > 0 && isfinite(most) ? ldexp(1.0, ilogb(most)) : 0;
		memcpy(&bits, &most, sizeof bits);
		atomicMax((u64 *)&max[l], bits);	/* not negative: ordered as their bits are */
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

/* ---- attention --------------------------------------------------------- */

/* Of every row the same; replay/attention.h names the terms. */
struct ekka_gpu_softmax { double scale, softcap, steep, u, tanh_error; };

/*
 * A tile of keys [j0, j0+n) for all rows. Element (j, r) is [j * rows + r]: s holds products and becomes p; add, NULL or what logits get besides, -inf where
 * the key is masked; weight becomes the bound's W. Row r sees the keys of the tile from lo[r] to hi[r] - 1. o and w, [r * dv + c], are scaled down to the row's
 * new maximum. The same steps in the same order as soften() of replay/attention_run.c; a thread a row.
 */
EKKA_KERNEL ekka_gpu_soften(struct ekka_gpu_softmax f, i64 rows, i64 j0, i64 n, i64 dv, double *s, const double *add, double *weight, double *o, double *w,
			    double *max, double *sum, double *eta, const double *logit, const double *base, const double *k_norm, const i64 *lo,
			    const i64 *hi)
{
	const double none = from_bits(0xfff0000000000000u);

	FOR_EACH(r, rows) {
		double most = max[r], top, alpha, more, p_sum = 0, eta_sum = 0;

		for (i64 j = 0; j < n; j++) {
			double v = s[j * rows + r], size = 0, more_of_it = add ? add[j * rows + r] : 0;

			if (j0 + j < lo[r] || j0 + j >= hi[r] || more_of_it == none) {
				v = none;
			} else {
				v *= f.scale;
				size = fabs(v) + fabs(more_of_it);
				if (f.softcap > 0)
					v = f.softcap * tanh(v / f.softcap);
				v += more_of_it;
			}
			s[j * rows + r] = v;
			weight[j * rows + r] = size;
			most = v > most ? v : most;
		}
		top = most == none ? 0 : most;
		for (i64 j = 0; j < n; j++) {
			double x = s[j * rows + r], p = exp(x - top), size, e;

			p = x - top < -708 ? 0 : p;
			size = p > 0 ? fabs(x) : 0;
			e = logit[r] * k_norm[j] + 4 * f.u * (weight[j * rows + r] + size + fabs(top)) + f.tanh_error * size;
			e = p > 0 ? p * f.steep * e * (e > 0.5 ? 1e30 : 1) : p;
			s[j * rows + r] = p;
			weight[j * rows + r] = e + base[r] * p;
			p_sum += p;
			eta_sum += e;
		}
		alpha = max[r] == most || most == none ? 1 : exp(max[r] - most);
		more = alpha > 0 && alpha < 1 ? f.steep * 4 * f.u * (most - max[r]) : 0;
		max[r] = most;
		eta[r] = (eta[r] + more * sum[r]) * alpha + eta_sum;
		sum[r] = sum[r] * alpha + p_sum;
		for (i64 c = 0; alpha != 1 && c < dv; c++) {
			o[r * dv + c] *= alpha;
			w[r * dv + c] *= alpha * (1 + more / base[r]);
		}
	}
}

EKKA_KERNEL ekka_gpu_magnitudes(i64 n, const double *from, double *to)
{
	FOR_EACH(e, n)
		to[e] = fabs(from[e]);
}
