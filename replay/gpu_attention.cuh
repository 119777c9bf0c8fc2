/* SPDX-License-Identifier: Apache-2.0 */
/* Attention between its products (replay/gpu_attention.c). */
#ifndef EKKA_REPLAY_GPU_ATTENTION_CUH
#define EKKA_REPLAY_GPU_ATTENTION_CUH

#include "replay/gpu_device.cuh"

/* Of every row the same; replay/attention.h names the terms. */
struct ekka_gpu_softmax { double scale, softcap, steep, u, tanh_error; };

/* What key with logit x weighs beside the largest one, top; *ret_e: p expm1(eta). product: the error of q.k; size: of what the logit was added up from. */
static __device__ double key_weight(const struct ekka_gpu_softmax *f, double x, double top, double product, double size, double *ret_e)
{
	double p = exp(x - top), e, own;

	p = x - top < -708 ? 0 : p;
	own = p > 0 ? fabs(x) : 0;
	e = product + 4 * f->u * (size + own + fabs(top)) + f->tanh_error * own;
	*ret_e = p > 0 ? p * f->steep * e * (e > 0.5 ? 1e30 : 1) : p;
	return p;
}

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
			double e, p = key_weight(&f, s[j * rows + r], top, logit[r] * k_norm[j], weight[j * rows + r], &e);

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

#endif
