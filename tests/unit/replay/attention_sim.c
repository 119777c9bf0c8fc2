/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/replay/attention_sim.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/round.h"

static uint64_t state = 1;

static double gaussian(void)
{
	double sum = 0;

	for (int i = 0; i < 12; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		sum += (double)(state >> 11) * 0x1p-53;
	}
	return sum - 6;
}

static float rounded(enum ekka_dtype t, float x)
{
	return t == EKKA_BF16 ? ekka_round_bf16(x) : t == EKKA_F16 ? ekka_round_f16(x) : x;
}

static void store(enum ekka_dtype t, float x, unsigned char *to, int64_t index)
{
	uint32_t u;
	uint16_t h;

	x = rounded(t, x);
	memcpy(&u, &x, 4);
	if (t == EKKA_F32) {
		memcpy(to + 4 * index, &u, 4);
		return;
	}
	h = (uint16_t)(u >> 16);
	if (t == EKKA_F16) {
		float a = fabsf(x) * 0x1p-112f;

		memcpy(&u, &a, 4);	/* exponents moved into binary16's places; subnormals come out right too */
		h = (uint16_t)((u >> 13) | (signbit(x) ? 0x8000u : 0));
		if (!isfinite(x))
			h = isnan(x) ? 0x7e00 : (uint16_t)(0x7c00 | (signbit(x) ? 0x8000u : 0));
	}
	memcpy(to + 2 * index, &h, 2);
}

/* To f32, toward zero. */
static float truncated(double x)
{
	float f = (float)x;

	return fabs((double)f) > fabs(x) ? nextafterf(f, 0) : f;
}

/* Lines of packed tensors; paged ones go through the table. */
static int64_t k_line(const struct sim *s, int64_t b, int64_t j)
{
	if (s->page)
		return s->table[b * ((s->n + s->page - 1) / s->page) + j / s->page] * s->page + j % s->page;
	return (s->cu_k ? s->cu_k[b] : b * s->n) + j;
}

static int64_t q_line(const struct sim *s, int64_t b, int64_t i)
{
	return (s->cu_q ? s->cu_q[b] : b * s->m) + i;
}

static int64_t total_q(const struct sim *s) { return s->cu_q ? s->cu_q[s->batch] : s->batch * s->m; }
static int64_t total_k(const struct sim *s)
{
	return s->page ? s->batch * ((s->n + s->page - 1) / s->page) * s->page : s->cu_k ? s->cu_k[s->batch] : s->batch * s->n;
}

static int64_t len_q(const struct sim *s, int64_t b) { return s->cu_q ? s->cu_q[b + 1] - s->cu_q[b] : s->m; }
static int64_t len_k(const struct sim *s, int64_t b)
{
	if (s->fault == SIM_LENGTHS)
		return s->n;
	return s->cu_k ? s->cu_k[b + 1] - s->cu_k[b] : s->len_k ? s->len_k[b] : s->n;
}

/* Logit of key j in natural units, or -inf. */
static float logit(const struct sim *s, int64_t b, int64_t h, int64_t i, int64_t j, float scale)
{
	int64_t group = s->heads / s->heads_k, hk = s->fault == SIM_GROUPS ? h % s->heads_k : h / group, m = len_q(s, b), n = len_k(s, b);
	const float *q = s->q + (q_line(s, b, i) * s->heads + h) * s->d;
	int64_t jl = s->fault == SIM_PAGE && j / 16 == 2 ? j - 16 : j;
	const float *k = s->k + (k_line(s, b, jl) * s->heads_k + hk) * s->d;
	bool top = s->fault == SIM_MASK_ALIGNMENT ? !s->top_left : s->top_left;
	int64_t at = i + (top ? 0 : n - m), right = s->causal ? 0 : s->right, left = s->left;
	float acc = 0, x;

	right += right >= 0 ? (s->fault == SIM_MASK_MORE) - (s->fault == SIM_MASK_LESS) : 0;
	left += left >= 0 && s->fault == SIM_WINDOW;
	if (s->fault != SIM_NO_MASK && (((s->causal || s->right >= 0) && j > at + right) || (left >= 0 && j < at - left)))
		return -INFINITY;
	for (int64_t c = 0; c < s->d; c += 8) {
		double sum = acc;

		for (int64_t e = c; e < c + 8 && e < s->d; e++)
			sum += (double)q[e] * (double)k[e];
		acc = truncated(sum);
	}
	x = acc * scale;
	if (s->softcap > 0 && s->fault != SIM_NO_SOFTCAP)
		x = (float)s->softcap * tanhf(x / (float)s->softcap) * (1 + (j % 2 ? 0x1p-11f : -0x1p-11f));	/* as tanh.approx.f32 may be */
	if (s->alibi && s->fault != SIM_NO_ALIBI)
		x += -s->slopes[h] * fabsf((float)(i + n - m - j));
	if (s->bias)
		x += s->bias_in[(h * s->m + i) * s->n + j];
	if (s->mask && !s->mask_in[(b * s->m + i) * s->n + j])
		x = -INFINITY;
	return x;
}

static int64_t parts(const struct sim *s)
{
	return s->partition ? (s->n + s->partition - 1) / s->partition : 1;
}

/* Query i over one part of the keys. */
static void row(struct sim *s, int64_t b, int64_t h, int64_t i, int64_t part, float *o)
{
	float scale = (float)(s->scale != 0 ? s->scale : 1 / sqrt((double)s->d)), m = -INFINITY, l = 0, x[256];
	const float log2e = 1.4426950408889634f;
	int64_t n = len_k(s, b), hk = s->fault == SIM_GROUPS ? h % s->heads_k : h / (s->heads / s->heads_k);
	int64_t line = (q_line(s, b, i) * s->heads + h) * parts(s) + part, begin = part * s->partition;
	float *out = s->out + line * s->dv;

	if (s->fault == SIM_NO_SCALE)
		scale = 1;
	if (s->fault == SIM_SCALE_TWICE)
		scale /= sqrtf((float)s->d);
	if (s->fault == SIM_STALE_SCALE)
		scale *= 0.55f;
	if (s->fault == SIM_ZERO_SCALE)
		scale = 0;
	if (s->fault == SIM_V_HEAD)
		hk = (hk + 1) % s->heads_k;
	if (s->fault == SIM_LAST_TILE)
		n -= n > s->tile ? s->tile : 0;
	memset(o, 0, (size_t)s->dv * sizeof *o);
	if (s->partition && n > begin + s->partition)
		n = begin + s->partition;
	for (int64_t j0 = begin; j0 < n; j0 += s->tile) {
		int64_t t = n - j0 < s->tile ? n - j0 : s->tile;
		float before = m, alpha, sum = 0;

		for (int64_t j = 0; j < t; j++) {
			x[j] = logit(s, b, h, i, j0 + j, scale);
			m = fmaxf(m, x[j]);
		}
		if (m == -INFINITY)
			continue;
		alpha = before == m || s->fault == SIM_NO_RESCALE ? 1 : exp2f((before - m) * log2e);
		for (int64_t j = 0; j < t; j++) {
			x[j] = exp2f(fmaf(x[j], log2e, -(m * log2e)));
			sum += x[j];
		}
		l = l * alpha + sum;
		for (int64_t c = 0; c < s->dv; c++) {
			float acc = o[c] * alpha;

			for (int64_t j = 0; j < t; j += 8) {
				double step = acc;

				for (int64_t e = j; e < j + 8 && e < t; e++)
					step += (double)rounded(s->dtype, x[e]) *
						(double)s->v[(k_line(s, b, j0 + e) * s->heads_k + hk) * s->dv + c];
				acc = truncated(step);
			}
			o[c] = acc;
		}
	}
	for (int64_t c = 0; c < s->dv; c++)
		out[c] = l == 0 ? (s->fault == SIM_MASKED_NAN ? NAN : s->fault == SIM_MASKED_MEAN ? 0.01f : 0) :
			 s->fault == SIM_NOT_NORMALISED ? o[c] : o[c] * (1 / l);
	s->max_out[line] = s->fault == SIM_WRONG_MAX && h == 1 ? m + 1 : m;
	s->sum_out[line] = s->fault == SIM_WRONG_SUM && h == 1 ? l * 1.01f : l;
	if (s->fault == SIM_NAN_ROW && h == 1 && i == s->m / 2)
		out[3] = NAN;
	if (s->lse && !s->partition)
		s->lse_out[h * total_q(s) + q_line(s, b, i)] =
			l == 0 ? -INFINITY :
			(s->fault == SIM_WRONG_LSE ? m : m + logf(l)) * ((s->base2 ? log2e : 1) * (s->fault == SIM_LSE_BASE ? log2e : 1));
}

/* Memory in [rows, heads, width] order; the description says so through strides, or it is turned into [batch, heads, rows, width]. */
static unsigned char *pack(const struct sim *s, const float *x, int64_t batch, int64_t rows, int64_t heads, int64_t width)
{
	size_t size = ekka_dtype_bytes(s->dtype);
	unsigned char *raw = malloc((size_t)(batch * rows * heads * width) * size + 8);
	int64_t at = 0;

	for (int64_t b = 0; b < batch; b++)
		for (int64_t y = 0; y < (s->interleaved ? rows : heads); y++)
			for (int64_t z = 0; z < (s->interleaved ? heads : rows); z++)
				for (int64_t c = 0; c < width; c++) {
					int64_t r = s->interleaved ? y : z, h = s->interleaved ? z : y;

					store(s->dtype, x[((b * rows + r) * heads + h) * width + c], raw, at++);
				}
	return raw;
}

/* K as vLLM keeps it: [blocks, heads, d / 8, page, 8]. */
static unsigned char *pack_vectors(const struct sim *s, int64_t blocks)
{
	unsigned char *raw = malloc((size_t)(blocks * s->page * s->heads_k * s->d) * ekka_dtype_bytes(s->dtype) + 8);

	for (int64_t p = 0; p < blocks; p++)
		for (int64_t h = 0; h < s->heads_k; h++)
			for (int64_t j = 0; j < s->page; j++)
				for (int64_t c = 0; c < s->d; c++)
					store(s->dtype, s->k[((p * s->page + j) * s->heads_k + h) * s->d + c], raw,
					      (((p * s->heads_k + h) * (s->d / 8) + c / 8) * s->page + j) * 8 + c % 8);
	return raw;
}

static void describe(struct sim *s, const char *name, enum ekka_dir dir, int64_t batch, int64_t rows, int64_t heads, int64_t width,
		     unsigned char *raw)
{
	char dims[96], strides[96];
	long long sb = rows * heads * width, sh = s->interleaved ? width : rows * width, sr = s->interleaved ? heads * width : width;

	(void)snprintf(dims, sizeof dims, "%lldx%lldx%lldx%lld", (long long)batch, (long long)heads, (long long)rows, (long long)width);
	(void)snprintf(strides, sizeof strides, "%lldx%lldx%lldx1", sb, sh, sr);
	(void)fake_event_tensor(&s->event, name, dir, s->dtype, dims, strides, dir == EKKA_IN ? raw : NULL, dir == EKKA_IN ? NULL : raw);
}

static void list(struct sim *s, const char *name, int64_t n, const void *p)
{
	char dims[32];

	(void)snprintf(dims, sizeof dims, "%lld", (long long)n);
	(void)fake_event_tensor(&s->event, name, EKKA_IN, EKKA_I32, dims, NULL, p, NULL);
}

/* Where each batch item starts, in rows or in elements. */
static void starts(struct sim *s, int which, const char *name, const char *unit, const int32_t *rows, int32_t factor)
{
	static int32_t elements[4][16];

	if (s->unit == 0) {
		list(s, name, s->batch + 1, rows);
		return;
	}
	for (int64_t b = 0; b <= s->batch && b < 16; b++)
		elements[which][b] = rows[b] * s->unit * factor;
	list(s, name, s->batch + 1, elements[which]);
	fake_event_int(&s->event, unit, s->unit * factor);
}

static void extras(struct sim *s)
{
	char dims[96];

	if (s->alibi) {
		(void)snprintf(dims, sizeof dims, "%lld", (long long)s->heads);
		(void)fake_event_tensor(&s->event, "alibi", EKKA_IN, EKKA_F32, dims, NULL, s->slopes, NULL);
	}
	if (s->bias) {
		(void)snprintf(dims, sizeof dims, "1x%lldx%lldx%lld", (long long)s->heads, (long long)s->m, (long long)s->n);
		(void)fake_event_tensor(&s->event, "bias", EKKA_IN, EKKA_F32, dims, NULL, s->bias_in, NULL);
	}
	if (s->mask) {
		(void)snprintf(dims, sizeof dims, "%lldx1x%lldx%lld", (long long)s->batch, (long long)s->m, (long long)s->n);
		(void)fake_event_tensor(&s->event, "mask", EKKA_IN, EKKA_U8, dims, NULL, s->mask_in, NULL);
	}
	if (s->lse) {
		(void)snprintf(dims, sizeof dims, "1x%lldx%lld", (long long)s->heads, (long long)total_q(s));
		if (!s->cu_q)
			(void)snprintf(dims, sizeof dims, "%lldx%lldx%lld", (long long)s->batch, (long long)s->heads, (long long)s->m);
		(void)fake_event_tensor(&s->event, "lse", EKKA_OUT, EKKA_F32, dims, NULL, NULL, s->lse_out);
	}
}

/* Out of every part, [B, H, M, parts, Dv] in mathematical order, and what goes with it. */
static void describe_parts(struct sim *s)
{
	static const char *const names[] = { "out", "max", "sum" };
	long long p = parts(s), width[] = { (long long)s->dv, 1, 1 };
	const void *memory[] = { s->raw[3], s->max_out, s->sum_out };
	char dims[96], strides[96];

	for (int i = 0; i < 3; i++) {
		long long row = p * width[i];

		(void)snprintf(dims, sizeof dims, "%lldx%lldx%lldx%lld%s%lld", (long long)s->batch, (long long)s->heads, (long long)s->m, p, "x",
			       width[i]);
		(void)snprintf(strides, sizeof strides, "%lldx%lldx%lldx%lldx1", row * s->heads * s->m, row, row * s->heads, width[i]);
		(void)fake_event_tensor(&s->event, names[i], EKKA_OUT, i ? EKKA_F32 : s->dtype, dims, strides, NULL, memory[i]);
	}
	fake_event_int(&s->event, "partition", s->partition);
}

static void make_event(struct sim *s)
{
	int64_t blocks = s->page ? total_k(s) / s->page : 0, bq = s->cu_q ? 1 : s->batch, bk = s->cu_k ? 1 : s->page ? blocks : s->batch;
	int64_t rq = total_q(s) / bq, rk = total_k(s) / bk;
	char dims[96];

	fake_event_init(&s->event, "attention");
	s->event.trace.device = (struct ekka_rec_device){ .cc_major = 9 };
	s->event.trace.segment.n_devices = 1;
	s->raw[0] = pack(s, s->q, bq, rq, s->heads, s->d);
	s->raw[1] = s->vector_cache ? pack_vectors(s, blocks) : pack(s, s->k, bk, rk, s->heads_k, s->d);
	s->raw[2] = pack(s, s->v, bk, rk, s->heads_k, s->dv);
	if (s->odd_v)
		memcpy(s->raw[2] + 2 * s->odd_v * s->dv, &(uint16_t){ 0x7f80 }, 2);
	s->raw[3] = pack(s, s->out, bq, rq, s->heads, s->dv * parts(s));
	describe(s, "q", EKKA_IN, bq, rq, s->heads, s->d, s->raw[0]);
	if (s->vector_cache) {
		(void)snprintf(dims, sizeof dims, "%lldx%lldx%lldx%lldx8", (long long)blocks, (long long)s->heads_k, (long long)s->d / 8,
			       (long long)s->page);
		(void)fake_event_tensor(&s->event, "k", EKKA_IN, s->dtype, dims, NULL, s->raw[1], NULL);
	} else {
		describe(s, "k", EKKA_IN, bk, rk, s->heads_k, s->d, s->raw[1]);
	}
	describe(s, "v", EKKA_IN, bk, rk, s->heads_k, s->dv, s->raw[2]);
	if (s->partition)
		describe_parts(s);
	else
		describe(s, "out", EKKA_OUT, bq, rq, s->heads, s->dv, s->raw[3]);
	extras(s);
	if (s->lie)
		list(s, s->lie, strncmp(s->lie, "cu_", 3) ? s->batch : s->batch + 1, s->lie_numbers);
	if (s->cu_q)
		starts(s, 0, "cu_seqlens_q", "cu_unit_q", s->cu_q, 1);
	if (s->cu_k)
		starts(s, 1, "cu_seqlens_k", "cu_unit_k", s->cu_k, 1);
	if (s->unit && s->cu_q)
		starts(s, 2, "cu_seqlens_out", "cu_unit_out", s->cu_q, 2);
	if (s->unit && s->cu_k)
		starts(s, 3, "cu_seqlens_v", "cu_unit_v", s->cu_k, 2);
	if (s->len_k)
		list(s, "seqlens_k", s->batch, s->len_k);
	if (s->page) {
		(void)snprintf(dims, sizeof dims, "%lldx%lld", (long long)s->batch, (long long)(blocks / s->batch));
		(void)fake_event_tensor(&s->event, "block_table", EKKA_IN, EKKA_I32, dims, NULL, s->table, NULL);
	}
	if (s->scale_tensor)
		(void)fake_event_tensor(&s->event, "scale", EKKA_IN, EKKA_F32, "1", NULL, &s->scale_in, NULL);
	else if (s->scale != 0)
		fake_event_real(&s->event, "scale", s->scale);
	if (s->causal)
		fake_event_text(&s->event, "causal", s->top_left ? "top-left" : "bottom-right");
	if (s->left >= 0)
		fake_event_int(&s->event, "window_left", s->left);
	if (s->right >= 0)
		fake_event_int(&s->event, "window_right", s->right);
	if (s->softcap > 0)
		fake_event_real(&s->event, "softcap", s->softcap);
	if (s->base2)
		fake_event_int(&s->event, "lse_base", 2);
}

static float *fill(const struct sim *s, int64_t n, double size)
{
	float *x = malloc((size_t)n * sizeof *x);

	for (int64_t i = 0; i < n; i++)
		x[i] = rounded(s->dtype, (float)(size * gaussian()));
	return x;
}

void sim_run(struct sim *s)
{
	int64_t nq = total_q(s), nk = total_k(s), blocks = s->page ? nk / s->page : 0;
	float *o = malloc((size_t)s->dv * sizeof *o);

	state = (uint64_t)(s->n * 1000 + s->m);
	s->q = fill(s, nq * s->heads * s->d, s->size > 0 ? s->size : 1);
	s->k = fill(s, nk * s->heads_k * s->d, s->size > 0 ? s->size : 1);
	s->v = fill(s, nk * s->heads_k * s->dv, 1);
	s->out = calloc((size_t)(nq * s->heads * s->dv * parts(s)), sizeof *s->out);
	s->max_out = calloc((size_t)(nq * s->heads * parts(s)), sizeof *s->max_out);
	s->sum_out = calloc((size_t)(nq * s->heads * parts(s)), sizeof *s->sum_out);
	s->scale_in = (float)s->scale;
	s->lse_out = calloc((size_t)(nq * s->heads), sizeof *s->lse_out);
	s->bias_in = malloc((size_t)(s->heads * s->m * s->n) * sizeof *s->bias_in);
	s->mask_in = malloc((size_t)(s->batch * s->m * s->n));
	s->slopes = malloc((size_t)s->heads * sizeof *s->slopes);
	s->table = malloc((size_t)(blocks + 1) * sizeof *s->table);
	for (int64_t i = 0; i < s->heads * s->m * s->n; i++)
		s->bias_in[i] = (float)(s->bias_mean + gaussian());
	for (int64_t i = 0; i < s->batch * s->m * s->n; i++)
		s->mask_in[i] = gaussian() > -0.5;
	if (s->mask)
		memset(s->mask_in, 0, (size_t)s->n);	/* a row that sees nothing */
	for (int64_t h = 0; h < s->heads; h++)
		s->slopes[h] = exp2f(-(float)(h + 1) / 2);
	for (int64_t i = 0; i < blocks; i++)	/* no page where one would look for it */
		s->table[i] = (int32_t)((i * 5 + 3) % blocks);
	for (int64_t b = 0; b < s->batch; b++)
		for (int64_t h = 0; h < s->heads; h++)
			for (int64_t i = 0; i < len_q(s, b); i++)
				for (int64_t p = 0; p < parts(s); p++)
					if (p * s->partition < len_k(s, b))
						row(s, b, h, i, p, o);
	if (s->lse && !s->cu_q) {	/* [heads, batch, m] so far */
		float *t = malloc((size_t)(nq * s->heads) * sizeof *t);

		for (int64_t b = 0; b < s->batch; b++)
			for (int64_t h = 0; h < s->heads; h++)
				memcpy(t + (b * s->heads + h) * s->m, s->lse_out + h * nq + b * s->m, (size_t)s->m * sizeof *t);
		free(s->lse_out);
		s->lse_out = t;
	}
	free(o);
	if (s->lie_page)
		s->table[1] = (int32_t)blocks;
	make_event(s);
}

void sim_release(struct sim *s)
{
	void *all[] = { s->q, s->k, s->v, s->out, s->lse_out, s->bias_in, s->slopes, s->mask_in, s->table, s->max_out, s->sum_out };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		free(all[i]);
	for (int i = 0; i < 4; i++)
		free(s->raw[i]);
}

struct ekka_verdict sim_judge(struct sim s)
{
	struct ekka_verdict v;

	sim_run(&s);
	s.event.event.segment = &s.event.trace.segment;
	s.event.event.fn = &s.event.fn;
	s.event.event.call.attrs = s.event.attr;
	s.event.event.call.tensors = s.event.tensor;
	s.event.trace.segment.devices = &s.event.trace.device;
	v = fake_event_judge_on(&s.event, s.backend);
	sim_release(&s);
	return v;
}
