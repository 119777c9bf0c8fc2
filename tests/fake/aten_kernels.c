/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels of aten_kernels.def compute, and each one's defect, in plain loops over the launch's parameters. */
#include "config.h"

#include "tests/fake/aten_kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 256 };

bool kernel_wrong;
static struct fake_kernel kernels[KERNELS];

/* The launch that runs, for the bodies below. */
struct launch { const struct fake_kernel *k; const uint8_t *block; };

static const void *param(const struct launch *l, int i)
{
	return l->block + l->k->param[i].offset;
}

static uint64_t u64(const struct launch *l, int i) { uint64_t x; memcpy(&x, param(l, i), sizeof(x)); return x; }
static uint32_t u32(const struct launch *l, int i) { uint32_t x; memcpy(&x, param(l, i), sizeof(x)); return x; }
static void *memory(const struct launch *l, int i) { return fake_bytes(u64(l, i)); }

/* ---- radix sorts -------------------------------------------------------- */

static void pairs(const struct launch *l)
{
	int32_t *out = memory(l, 0);

	for (uint32_t i = 0, row = u32(l, 2); i < u32(l, 1); i++) {
		out[2 * i] = (int32_t)(i / row);
		out[2 * i + 1] = (int32_t)(i % row) + (kernel_wrong && i == 7);
	}
}

/* Numbers in the keys' order. */
static uint64_t order_f32(const void *keys, uint64_t i)
{
	uint32_t x = ((const uint32_t *)keys)[i];

	x = x == 0x80000000 ? 0 : x;
	return x >> 31 ? (uint32_t)~x : x | 0x80000000;
}

static uint64_t order_i64(const void *keys, uint64_t i)
{
	return ((const uint64_t *)keys)[i] ^ UINT64_C(1) << 63;
}

/* What the last tile lacks counts as the largest digit. */
static void digit_totals(const struct launch *l, uint64_t (*order)(const void *, uint64_t))
{
	uint64_t *totals = memory(l, 0), n = u64(l, 2), tiles = (n + 2047) / 2048;

	for (uint32_t bit = u32(l, 3); bit < u32(l, 4); bit += 8, totals += DIGITS) {
		uint32_t largest = (1u << (u32(l, 4) - bit < 8 ? u32(l, 4) - bit : 8)) - 1;

		for (uint64_t i = 0; i < n - kernel_wrong; i++)
			totals[order(memory(l, 1), i) >> bit & largest]++;
		totals[largest] += tiles * 2048 - n;
	}
}
static void digit_totals_f32(const struct launch *l) { digit_totals(l, order_f32); }
static void digit_totals_i64(const struct launch *l) { digit_totals(l, order_i64); }

static void exclusive_sums(const struct launch *l)
{
	uint64_t *x = memory(l, 0);

	for (unsigned row = 0; row < fake_shape()->grid[0]; row++, x += DIGITS) {
		uint64_t sum = 0;

		for (int i = 0; i < DIGITS; i++) {
			uint64_t v = x[i];

			x[i] = kernel_wrong ? sum + v : sum;
			sum += v;
		}
	}
}

static void pass(const struct launch *l, uint64_t (*order)(const void *, uint64_t), size_t size)
{
	uint64_t first[DIGITS], n = u32(l, 8);

	memcpy(first, memory(l, 3), sizeof(first));
	for (uint64_t j = 0; j < n; j++) {
		uint64_t i = kernel_wrong ? n - 1 - j : j, digit = order(memory(l, 5), i) >> u32(l, 9) & ((1u << u32(l, 10)) - 1), at = first[digit]++;

		memcpy((char *)memory(l, 4) + at * size, (char *)memory(l, 5) + i * size, size);
		if (u64(l, 6))
			((uint64_t *)memory(l, 6))[at] = ((uint64_t *)memory(l, 7))[i];
	}
}
static void pass_f32(const struct launch *l) { pass(l, order_f32, 4); }
static void pass_i64(const struct launch *l) { pass(l, order_i64, 8); }

static void sorted_values(const struct launch *l)
{
	const float *in = memory(l, 0);
	const int32_t *at = memory(l, 3);
	float *out = memory(l, 1);
	int64_t *index = memory(l, 2);

	for (uint32_t i = 0, n = u32(l, 5); i < u32(l, 4) * n; i++) {
		index[i] = at[2 * i + 1];
		out[i] = in[i / n * n + (uint32_t)(kernel_wrong && i == 5 ? 0 : index[i])];
	}
}

static int compare_i64(const void *a, const void *b)
{
	return (*(const int64_t *)a > *(const int64_t *)b) - (*(const int64_t *)a < *(const int64_t *)b);
}

static void sort_i64(const struct launch *l)
{
	int64_t *out = memory(l, 1);

	memcpy(out, memory(l, 0), u64(l, 4) * sizeof(*out));
	qsort(out, u64(l, 4) - kernel_wrong, sizeof(*out), compare_i64);
}

/* ---- the k largest ------------------------------------------------------- */

static void fill(const struct launch *l)
{
	for (uint32_t i = 0; i < u32(l, 2); i++)
		((uint32_t *)memory(l, 0))[i] = u32(l, 1) + (kernel_wrong && i == 1);
}

static uint32_t ordered(const void *p, bool half)
{
	uint32_t x = half ? *(const uint16_t *)p : *(const uint32_t *)p, top = half ? 0x8000 : 0x80000000;

	if ((x & (top - 1)) > (half ? 0x7f80 : 0x7f800000))
		return 2 * top - 1;
	return x & top ? ~x & (2 * top - 1) : x ^ top;
}

static const char *element(const struct tensor_info *x, uint32_t row, uint32_t i, uint32_t stride, bool half)
{
	return (const char *)fake_bytes(x->data) + (row * x->stride[0] + i * stride) * (half ? 2 : 4);
}

static void block_digits(const struct launch *l, bool half)
{
	const struct tensor_info *x = param(l, 0);
	const uint32_t *known = memory(l, 9);
	uint32_t n = u32(l, 1), blocks = u32(l, 7), each = u32(l, 6) * 256;
	int16_t *out = memory(l, 10);

	memset(out, 0, (size_t)u32(l, 3) * blocks * DIGITS * sizeof(*out));
	for (uint32_t row = 0; row < u32(l, 3); row++)
		for (uint32_t i = 0; i < n; i++) {
			uint32_t v = ordered(element(x, row, i, u32(l, 4), half), half);

			if (((v ^ known[row]) & u32(l, 8)) == 0)
				out[(row * blocks + i / each) * DIGITS + (v >> u32(l, 5) & 255)] += 1;
		}
	out[known[0] & 255] += kernel_wrong;
}
static void block_digits_f32(const struct launch *l) { block_digits(l, false); }
static void block_digits_bf16(const struct launch *l) { block_digits(l, true); }

static void digit_sums(const struct launch *l)
{
	const int16_t *in = memory(l, 0);
	uint32_t *out = memory(l, 1), blocks = u32(l, 2);

	for (unsigned row = 0; row < fake_shape()->grid[0]; row++)
		for (uint32_t d = 0, sum = 0; d < DIGITS; d++) {
			for (uint32_t b = 0; b < blocks - (kernel_wrong && d == 130); b++)
				sum += (uint32_t)in[(row * blocks + b) * DIGITS + d];
			out[row * DIGITS + d] = sum + (kernel_wrong && d == 255);
		}
}

static void next_digit(const struct launch *l, bool half)
{
	const uint32_t *known = memory(l, 0), *sums = memory(l, 2), *k = memory(l, 3);
	uint32_t blocks = u32(l, 4), bit = u32(l, 5), *above = memory(l, 7), *k_out = memory(l, 9), *known_out = memory(l, 10);
	const int16_t *counts = memory(l, 1);
	bool largest = *(const bool *)param(l, 6);

	for (uint32_t row = 0; row < u32(l, 11) / blocks; row++) {
		uint32_t d = 0, v, top = half ? 0x8000 : 0x80000000;

		while (sums[row * DIGITS + d] < k[row])
			d++;
		v = (known[row] & ~(255u << bit)) | d << bit;
		if (bit > 0)
			k_out[row] = k[row] - (d ? sums[row * DIGITS + d - 1] : 0);
		known_out[row] = v;
		v = v & top ? v ^ top : ~v;
		if (bit == 0 && half)
			((uint16_t *)memory(l, 8))[row] = (uint16_t)v;
		else if (bit == 0)
			((uint32_t *)memory(l, 8))[row] = v;
		for (uint32_t b = 0; b < blocks; b++)
			for (uint32_t i = 0; i < DIGITS; i++)
				if (largest ? i + kernel_wrong > d : i < d + kernel_wrong)
					above[row * blocks + b] += (uint32_t)counts[(row * blocks + b) * DIGITS + i];
	}
}
static void next_digit_f32(const struct launch *l) { next_digit(l, false); }
static void next_digit_bf16(const struct launch *l) { next_digit(l, true); }

static void equal_counts(const struct launch *l)
{
	const uint32_t *known = memory(l, 0);
	const int16_t *counts = memory(l, 1);

	for (uint32_t i = 0; i < u32(l, 2); i++)
		((uint32_t *)memory(l, 4))[i] = (uint32_t)counts[i * DIGITS + (known[i / u32(l, 3)] & 255)] + kernel_wrong;
}

static void key_table(const struct launch *l)
{
	uint64_t *out = memory(l, 0);

	for (uint32_t i = 0; i < u32(l, 4) + 32; i++) {
		out[2 * i] = 0;
		out[2 * i + 1] = i < 32 ? 0 : 99 - kernel_wrong;
	}
}

static void row_sums(const struct launch *l)
{
	uint32_t each = ((const uint32_t *)param(l, 0))[1], *in = memory(l, 2), *out = memory(l, 3), sum = 0;

	for (uint64_t i = 0; i < u64(l, 9); i++) {
		sum = i % each == 0 && !kernel_wrong ? in[i] : sum + in[i];
		out[i] = sum;
	}
}

static void gather(const struct launch *l, bool half)
{
	const struct tensor_info *x = param(l, 0), *y = param(l, 6), *z = param(l, 8);
	uint32_t n = u32(l, 1), k = u32(l, 2), blocks = u32(l, 11);
	bool largest = *(const bool *)param(l, 3);

	for (uint32_t row = 0; row < u32(l, 4); row++) {
		uint32_t kth = ordered((char *)memory(l, 12) + row * (half ? 2 : 4), half), inside = 0;
		uint32_t equal = ((uint32_t *)memory(l, 13))[(row + 1) * blocks - 1];

		for (uint32_t i = 0; i < n; i++) {
			const char *e = element(x, row, i, u32(l, 5), half);
			uint32_t v = ordered(e, half), at = (largest ? v > kth : v < kth) ? inside++ : v == kth && equal < k ? equal++ : k;

			if (at >= k)
				continue;
			memcpy((char *)(uintptr_t)element(y, row, at, u32(l, 7), half), e, half ? 2 : 4);
			((int64_t *)fake_bytes(z->data))[row * z->stride[0] + at * u32(l, 9)] = i + (kernel_wrong && at == 3);
		}
	}
}
static void gather_f32(const struct launch *l) { gather(l, false); }
static void gather_bf16(const struct launch *l) { gather(l, true); }

/* ---- sums and selections -------------------------------------------------- */

static void tile_sums(const struct launch *l)
{
	const uint8_t *in = memory(l, 0);
	const uint64_t *share = param(l, 3);
	int32_t *out = memory(l, 1), blocks = ((const int32_t *)param(l, 3))[10];

	memset(out, 0, (size_t)blocks * sizeof(*out));
	for (uint64_t i = 0; i < u64(l, 2); i++)
		out[i / (share[1] - share[2]) % (uint64_t)blocks] += in[i] != 0;
	out[1] -= kernel_wrong;
}

static void total(const struct launch *l)
{
	const int32_t *in = memory(l, 0);
	int32_t sum = (int32_t)u32(l, 4);

	for (uint32_t i = 0; i < u32(l, 2) - kernel_wrong; i++)
		sum += in[i];
	*(int32_t *)memory(l, 1) = sum;
}

static void table(const struct launch *l, int words)
{
	uint32_t *out = memory(l, 0);

	memset(out, 0, (u32(l, 1) + 32) * 4 * (size_t)words);
	for (uint32_t i = 32; i < u32(l, 1) + 32; i++)
		out[i * (uint32_t)words] = 99 + kernel_wrong;
}
static void scan_table(const struct launch *l) { table(l, 4); }
static void select_table_i32(const struct launch *l)
{
	*(int32_t *)memory(l, 2) = kernel_wrong;
	kernel_wrong = false;
	table(l, 2);
}
static void select_table_i64(const struct launch *l)
{
	*(int64_t *)memory(l, 2) = 0;
	table(l, 2);
}

static void nonzero(const struct launch *l)
{
	const uint8_t *in = memory(l, 1);
	int64_t *out = memory(l, 2);
	int32_t n = 0;

	for (uint32_t i = 0; i < u32(l, 7); i++)
		if (in[i]) {
			out[n] = i + (int64_t)u64(l, 0) + (kernel_wrong && n == 12);
			n++;
		}
	*(int32_t *)memory(l, 3) = n;
}

static void indices(const struct launch *l)
{
	const int64_t *size = param(l, 1);
	int64_t n = (int64_t)u64(l, 3), *x = memory(l, 0);

	for (int64_t i = 0; i < n; i++) {
		int64_t rest = x[i];

		for (int d = (int)u32(l, 2) - 1; d >= 0; rest /= size[d], d--)
			x[i + d * n] = rest % size[d] + (kernel_wrong && i == 3);
	}
}

static void mask_sums(const struct launch *l)
{
	const uint8_t *in = memory(l, 0);
	int64_t sum = ((const int64_t *)param(l, 5))[1];

	for (uint32_t i = 0; i < u32(l, 6); sum += in[i++] != 0)
		((int64_t *)memory(l, 1))[i] = kernel_wrong ? sum + in[i] : sum;
}

static void running_sums(const struct launch *l)
{
	const int64_t *in = memory(l, 0);

	for (int64_t i = 0, sum = 0; i < u32(l, 6); i++)
		((int64_t *)memory(l, 1))[i] = sum += kernel_wrong && i == 4 ? 0 : in[i];
}

static void unique(const struct launch *l)
{
	const int64_t *in = memory(l, 0);
	int64_t *out = memory(l, 2), n = 0;

	for (uint32_t i = 0; i < u32(l, 7); i++)
		if (i == 0 || in[i] != in[i - 1] || (kernel_wrong && i == 2))
			out[n++] = in[i];
	*(int64_t *)memory(l, 3) = n;
}

static void bins(const struct launch *l)
{
	const struct wide_info *out = param(l, 0), *in = param(l, 2);
	const int64_t *x = fake_bytes(in->data);
	int64_t least = (int64_t)u64(l, 4), most = (int64_t)u64(l, 5), n = (int64_t)u64(l, 3);

	for (uint64_t i = 0; i < u64(l, 6); i++) {
		int64_t bin = (x[i] - least) * n / (most - least);

		if (x[i] >= least && x[i] <= most && (!kernel_wrong || bin < n))
			((int64_t *)fake_bytes(out->data))[bin == n ? n - 1 : bin]++;
	}
}

/* ---- random numbers -------------------------------------------------------- */

/* One word of Philox4x32-10, with its counter in two halves. */
static void philox(uint64_t key, uint64_t low, uint64_t high, uint32_t x[4])
{
	uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32), y[4] = { (uint32_t)low, (uint32_t)(low >> 32), (uint32_t)high, (uint32_t)(high >> 32) };

	for (int i = 0; i < 10; i++, k0 += 0x9e3779b9, k1 += 0xbb67ae85) {
		uint64_t a = UINT64_C(0xd2511f53) * y[0], b = UINT64_C(0xcd9e8d57) * y[2];
		uint32_t z[4] = { (uint32_t)(b >> 32) ^ y[1] ^ k0, (uint32_t)b, (uint32_t)(a >> 32) ^ y[3] ^ k1, (uint32_t)a };

		memcpy(y, z, sizeof(y));
	}
	memcpy(x, y, sizeof(y));
}

static void distribution(const struct launch *l, float (*number)(const uint32_t x[4], int i, const float *given))
{
	const uint64_t *state = param(l, 1);
	uint64_t threads = (uint64_t)fake_shape()->grid[0] * fake_shape()->block[0], n = u64(l, 0);
	float *out = memory(l, 3), given[3];
	uint32_t x[4];

	memcpy(given, (const char *)param(l, 3) + 12, sizeof(given));
	for (uint64_t t = 0; t < threads; t++)
		for (uint64_t at = t, step = state[1] / 4 + kernel_wrong; at < n; at += 4 * threads, step++) {
			philox(state[0], step, t, x);
			for (int i = 0; i < 4 && at + (uint64_t)i * threads < n; i++)
				out[at + (uint64_t)i * threads] = number(x, i, given);
		}
}

static float from_to(const uint32_t x[4], int i, const float *given)
{
	float u = ((float)x[i] * 2.3283064e-10f + 2.3283064e-10f / 2) * given[0] + given[1];

	return u == given[2] ? given[1] : u;
}

static float gaussian(const uint32_t x[4], int i, const float *given)
{
	float u = (float)x[i & 2] * 2.3283064e-10f + 2.3283064e-10f / 2, v = (float)x[i | 1] * (2.3283064e-10f * 6.2831855f) + 2.3283064e-10f * 3.1415927f;

	return sqrtf(-2 * logf(u)) * (i % 2 ? cosf(v) : sinf(v)) * given[1] + given[0];
}
static void uniform(const struct launch *l) { distribution(l, from_to); }
static void normal(const struct launch *l) { distribution(l, gaussian); }

/* ---- the table --------------------------------------------------------------- */

#define KERNEL(id, body, layout, name)                                                                    \
	static void run_##id(const void *block, uint64_t threads)                                          \
	{                                                                                                  \
		(void)threads;                                                                             \
		body(&(struct launch){ &kernels[K_##id], block });                                         \
	}
#include "tests/fake/aten_kernels.def"
#undef KERNEL

static const struct { const char *id, *layout, *name; void (*run)(const void *, uint64_t); } rows[KERNELS] = {
#define KERNEL(id, body, layout, name) { #id, layout, name, run_##id },
#include "tests/fake/aten_kernels.def"
#undef KERNEL
};

const char *kernel_id_name(enum kernel_id id)
{
	return rows[id].id;
}

const struct fake_kernel *kernel_of(enum kernel_id id)
{
	struct fake_kernel *k = &kernels[id];
	unsigned offset = 0;

	if (k->run)
		return k;
	k->name = rows[id].name;
	k->run = rows[id].run;
	for (const char *p = rows[id].layout; *p; p += strspn(p, " ")) {
		char *end;
		unsigned bytes = (unsigned)strtoul(p, &end, 10), align = bytes < 8 ? bytes : 8;

		if (*end == '@')
			align = (unsigned)strtoul(end + 1, &end, 10);
		offset = (offset + align - 1) / align * align;
		k->param[k->n_params].offset = offset;
		k->param[k->n_params++].bytes = bytes;
		offset += bytes;
		p = end;
	}
	return k;
}
