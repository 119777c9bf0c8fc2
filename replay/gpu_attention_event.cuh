/* SPDX-License-Identifier: Apache-2.0 */
/* Attention judged whole on the device (replay/gpu_attention_event.c), between products that are cuBLAS's: as replay/attention_run.c does it tile by tile. */
#include "replay/gpu_attention.cuh"

enum { ATTENTION_TILE = 256 };	/* keys: the bound grows with every new maximum, and the CPU is to find the same ones */

/* [batch][heads][n][width] lines to `to`, magnitudes to abs and norms of lines to norm, either NULL: not needed. A team a line. */
EKKA_KERNEL ekka_gpu_lines(const struct ekka_gpu_lines *from, double *to, double *abs, double *norm, i64 items, i64 heads, i64 n, i64 width)
{
	FOR_EACH_TEAM(e, items * heads * n) {
		i64 b = e / (heads * n), h = e / n % heads, i = e % n, at = from->offset + b * from->stride[0] + h * from->stride[1] + i * from->stride[2];
		double sum = 0;

		for (i64 c = EKKA_LANE; c < width; c += EKKA_LANES) {
			double v = value_at((const void *)(size_t)from->bytes, from->dtype, at + c * from->stride[3], 0);

			to[e * width + c] = v;
			if (abs)
				abs[e * width + c] = fabs(v);
			sum += v * v;
		}
		sum = team_sum(sum);
		if (norm && EKKA_LANE == 0)
			norm[e] = sqrt(sum);
	}
}

/* Sums over n lines, of each column and item. */
EKKA_KERNEL ekka_gpu_columns(const double *from, double *sum, i64 items, i64 n, i64 width)
{
	FOR_EACH(e, items * width) {
		const double *v = from + e / width * n * width + e % width;
		double total = 0;

		for (i64 i = 0; i < n; i++)
			total += v[i * width];
		sum[e] = total;
	}
}

/* What a row is besides its products. */
struct attention_row { i64 b, h, i, lo, hi; };

/* Row `row` of all, in the order of q; it sees keys [lo, hi). */
static __device__ struct attention_row attention_row(const struct ekka_gpu_attention *x, i64 row)
{
	struct attention_row r = { row / (x->heads * x->m), row / x->m % x->heads, row % x->m, 0, x->n };
	i64 at = r.i + x->first;

	if (x->left >= 0 && at - x->left > 0)
		r.lo = at - x->left;
	if (x->right >= 0 && at + x->right + 1 < r.hi)
		r.hi = at + x->right + 1;
	return r;
}

static __device__ double view_value(const struct ekka_gpu_lines *v, const struct attention_row *r, i64 j)
{
	return value_at((const void *)(size_t)v->bytes, v->dtype, v->offset + r->b * v->stride[0] + r->h * v->stride[1] + r->i * v->stride[2] + j * v->stride[3], 0);
}

/* From the product q.k_j to the logit; *ret_size: of what it was added up from. */
static __device__ double logit_of(const struct ekka_gpu_attention *x, const struct attention_row *r, i64 j, double v, double *ret_size)
{
	const double none = from_bits(0xfff0000000000000u);
	double bias;

	*ret_size = 0;
	if (j < r->lo || j >= r->hi || (x->mask.bytes && view_value(&x->mask, r, j) == 0))
		return none;
	v *= x->scale;
	*ret_size = fabs(v);
	if (x->softcap > 0)
		v = x->softcap * tanh(v / x->softcap);
	if (x->bias.bytes) {
		bias = view_value(&x->bias, r, j);
		v += bias;
		*ret_size += fabs(bias);
	}
	return v;
}

/* Of all rows, in q's order. */
struct ekka_gpu_row_sums { double *max, *sum, *eta; const double *q_norm, *k_norm; };

/* One row of products s, which become P; w: what W is made of. */
static __device__ void weigh_row(const struct ekka_gpu_attention *x, const struct ekka_gpu_softmax *f, const struct ekka_gpu_row_sums *all, i64 row, double *s, double *w)
{
	const double none = from_bits(0xfff0000000000000u);
	struct attention_row r = attention_row(x, row);
	const double *k_norm = all->k_norm + (r.b * x->heads_k + r.h / (x->heads / x->heads_k)) * x->n;
	double max = none, sum = 0, eta = 0, logit = x->product * fabs(x->scale) * all->q_norm[row];

	for (i64 j0 = 0; j0 < x->n; j0 += ATTENTION_TILE) {
		i64 end = j0 + ATTENTION_TILE < x->n ? j0 + ATTENTION_TILE : x->n;
		double most = max, top, alpha, more, p_sum = 0, e_sum = 0;

		for (i64 j = j0 + EKKA_LANE; j < end; j += EKKA_LANES) {
			s[j] = logit_of(x, &r, j, s[j], &w[j]);
			most = s[j] > most ? s[j] : most;
		}
		most = team_max(most);
		top = most == none ? 0 : most;
		for (i64 j = j0 + EKKA_LANE; j < end; j += EKKA_LANES) {
			double e, p = key_weight(f, s[j], top, logit * k_norm[j], w[j], &e);

			s[j] = p;
			w[j] = e + x->base * p;
			p_sum += p;
			e_sum += e;
		}
		alpha = max == most || most == none ? 1 : exp(max - most);
		more = alpha > 0 && alpha < 1 ? f->steep * 4 * f->u * (most - max) : 0;
		for (i64 j = EKKA_LANE; alpha != 1 && j < j0; j += EKKA_LANES) {	/* this lane's own */
			s[j] *= alpha;
			w[j] *= alpha * (1 + more / x->base);
		}
		eta = (eta + more * sum) * alpha + team_sum(e_sum);
		sum = sum * alpha + team_sum(p_sum);
		max = most;
	}
	if (EKKA_LANE == 0) {
		all->max[row] = max;
		all->sum[row] = sum;
		all->eta[row] = eta;
	}
}

/* Rows [row0, row0 + rows), a team each; s and w: [rows][n]. */
EKKA_KERNEL EKKA_BLOCKS(3) ekka_gpu_weigh(const struct ekka_gpu_attention *x, struct ekka_gpu_softmax f, struct ekka_gpu_row_sums all, i64 row0, i64 rows, double *s, double *w)
{
	FOR_EACH_TEAM(r, rows)
		weigh_row(x, &f, &all, row0 + r, s + r * x->n, w + r * x->n);
}

/* A row's statistic, where the event has it. */
static __device__ void note_statistic(struct ekka_gpu_part *found, const struct ekka_gpu_attention *x, int which, i64 row, double ref, double bound)
{
	if (x->output[which].bytes)
		note_element(&found[which], &x->format[which], row, array_value(&x->output[which], row), ref, bound, false);
}

/* A row that sees no key may hold 0 or NaN, its statistics an infinity or NaN; what else they say cannot be judged. */
static __device__ void note_empty_row(struct ekka_gpu_part *found, const struct ekka_gpu_attention *x, i64 row)
{
	for (i64 c = EKKA_LANE; c < x->dv; c += EKKA_LANES) {
		double got = array_value(&x->output[EKKA_GPU_OUT], row * x->dv + c);

		note_element(&found[EKKA_GPU_OUT], &x->format[EKKA_GPU_OUT], row * x->dv + c, got, isnan(got) ? got : 0, 0, false);
	}
	for (int which = EKKA_GPU_LSE; which < EKKA_GPU_ATTENTION_OUTPUTS && EKKA_LANE == 0; which++) {
		double got = x->output[which].bytes ? array_value(&x->output[which], row) : 0;

		if (x->output[which].bytes)
			note_element(&found[which], &x->format[which], row, got, got, isfinite(got) ? (double)INFINITY : 0, false);
	}
}

/*
 * Compares rows [row0, row0 + rows), a team each. o: sums P V, w: sums W |V|, [rows][dv]; v_sum: [batch][heads_k][dv]. To near[row], of all rows: the squares of
 * its errors over those of its bounds; -1: it sees nothing. Rows that see nothing finite, or only what a large bias masks, are bad: the CPU knows what they may
 * hold. Adds to what the teams found so far;
 * parts: an array for each output.
 */
EKKA_KERNEL EKKA_BLOCKS(2) ekka_gpu_attended(const struct ekka_gpu_attention *x, struct ekka_gpu_row_sums all, i64 row0, i64 rows, const double *o, const double *w, const double *v_sum,
			      double *near, struct ekka_gpu_part *out, struct ekka_gpu_part *lse, struct ekka_gpu_part *max, struct ekka_gpu_part *sum)
{
	struct ekka_gpu_part *const to[EKKA_GPU_ATTENTION_OUTPUTS] = { out, lse, max, sum };
	struct ekka_gpu_part found[EKKA_GPU_ATTENTION_OUTPUTS];

	for (int i = 0; i < EKKA_GPU_ATTENTION_OUTPUTS; i++)
		found[i] = EKKA_LANE == 0 && to[i] ? to[i][EKKA_TEAM] : nothing_found();
	FOR_EACH_TEAM(r, rows) {
		i64 row = row0 + r, hk = row / x->m / (x->heads / x->heads_k);
		struct ekka_attention_total t = ekka_attention_total(&x->terms, all.max[row], all.sum[row], all.eta[row]);
		double errors = 0, bounds = 0, unit = x->lse_unit, lse_bound;

		if (t.l == 0) {
			note_empty_row(found, x, row);
			if (EKKA_LANE == 0)
				near[row] = -1;
			continue;
		}
		if (!(t.l > 0) || !isfinite(t.l) || t.max < EKKA_ATTENTION_ABSORBED) {
			found[EKKA_GPU_OUT].n_bad++;
			continue;
		}
		for (i64 c = EKKA_LANE; c < x->dv; c += EKKA_LANES) {
			double ref = o[r * x->dv + c] / t.l, sum_v = v_sum[hk * x->dv + c], bound = ekka_attention_out_bound(&x->terms, &t, w[r * x->dv + c], sum_v, ref);
			double got = array_value(&x->output[EKKA_GPU_OUT], row * x->dv + c);

			if (!isfinite(sum_v))
				found[EKKA_GPU_OUT].n_bad++;
			note_element(&found[EKKA_GPU_OUT], &x->format[EKKA_GPU_OUT], row * x->dv + c, got, ref, bound, false);
			errors += (got - ref) * (got - ref);
			bounds += bound * bound;
		}
		errors = team_sum(errors);
		bounds = team_sum(bounds);
		if (EKKA_LANE != 0)
			continue;
		near[row] = errors / bounds;
		lse_bound = ekka_attention_lse_bound(&x->terms, &t) * unit;
		note_statistic(found, x, EKKA_GPU_LSE, row, (t.max + log(t.l)) * unit, lse_bound);
		note_statistic(found, x, EKKA_GPU_MAX, row, t.max, lse_bound);
		note_statistic(found, x, EKKA_GPU_SUM, row, t.l, t.l * t.lambda + lse_bound * t.l);
	}
	for (int i = 0; i < EKKA_GPU_ATTENTION_OUTPUTS; i++)
		if (to[i])
			tell(to[i], found[i]);
}
