/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PyTorch's algorithms of several launches (sort, top-k, nonzero, unique, masked scan, bincount) and its random numbers, as the kernels of aten_kernels.def on the
 * fake machine; knows nothing of the shim. aten [all]: each kernel is launched once with its defect, too; the line "LAUNCH KERNEL" says which launch, counted
 * from 0; memory is put back then and the launch made again, so that all others are right. Prints "N launches" last.
 */
#include "config.h"

#include "tests/fake/aten_kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY = 1 << 21, ALIGN = 512 };

static CUdeviceptr memory;	/* one allocation, as a caching allocator has it */
static size_t used;
static char *kept;		/* what it holds, on the host */
static bool wanted[KERNELS];
static unsigned n_launches;

#define OK(call)                                                                        \
	do {                                                                            \
		if ((call) != CUDA_SUCCESS) {                                           \
			fprintf(stderr, "aten: %s, line %d\n", #call, __LINE__);         \
			exit(1);                                                        \
		}                                                                       \
	} while (0)

/* Device memory that nobody has yet; data NULL: zeros. */
static CUdeviceptr take(const void *data, size_t bytes)
{
	CUdeviceptr p = memory + used;

	used += (bytes + ALIGN - 1) / ALIGN * ALIGN;
	if (used > MEMORY) {
		fprintf(stderr, "aten: out of memory\n");
		exit(1);
	}
	if (data)
		OK(cuMemcpyHtoD(p, data, bytes));
	else
		OK(cuMemsetD8Async(p, 0, bytes, NULL));
	return p;
}

static void launch_once(enum kernel_id id, unsigned grid, unsigned block, void **params)
{
	static CUfunction function[KERNELS];
	static struct fake_image images[KERNELS];

	if (!function[id]) {
		CUmodule module;

		memcpy(images[id].magic, FAKE_MAGIC, sizeof(images[id].magic));
		images[id].kernel = kernel_of(id);
		images[id].n_kernels = 1;
		OK(cuModuleLoadData(&module, &images[id]));
		OK(cuModuleGetFunction(&function[id], module, images[id].kernel->name));
	}
	OK(cuLaunchKernel(function[id], grid, 1, 1, block, 1, 1, 0, NULL, params, NULL));
	n_launches++;
}

static void launch(enum kernel_id id, unsigned grid, unsigned block, void **params)
{
	if (wanted[id]) {
		wanted[id] = false;
		printf("%u %s\n", n_launches, kernel_id_name(id));
		OK(cuMemcpyDtoH(kept, memory, MEMORY));
		kernel_wrong = true;
		launch_once(id, grid, block, params);
		OK(cuCtxSynchronize());
		kernel_wrong = false;
		OK(cuMemcpyHtoD(memory, kept, MEMORY));
	}
	launch_once(id, grid, block, params);
	OK(cuCtxSynchronize());
}
#define LAUNCH(id, grid, block, ...) launch(K_##id, grid, block, (void *[]){ __VA_ARGS__ })

static uint32_t noise(void)
{
	static uint32_t state = 1;

	state = state * 1664525u + 1013904223u;
	return state >> 8;
}

/* Small numbers, many of them equal, zeros of both signs, infinities and a NaN. */
static float some_float(void)
{
	static const uint32_t special[] = { 0, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000 };
	uint32_t i = noise() % 100;
	float f = (float)(noise() % 4000) / 64 - 30;

	if (i < 5)
		memcpy(&f, &special[i], sizeof(f));
	return f;
}

/* ---- sort ------------------------------------------------------------------ */

struct divider { uint32_t divisor, multiplier, shift; };

/* A radix sort of n keys by bits 0..bits-1; pairs: addresses of values and room for them, 0: none. The sorted ones end up in keys[1] and pairs[1]. */
static void radix_sort(const enum kernel_id id[3], uint64_t n, int bits, CUdeviceptr keys[2], CUdeviceptr pairs[2], size_t key_bytes)
{
	uint32_t passes = (uint32_t)(bits + 7) / 8, count = (uint32_t)n;
	CUdeviceptr totals = take(NULL, passes * 256 * 8), look_back = take(NULL, 1 << 14), counters = take(NULL, 64), none = 0;
	CUdeviceptr key[2] = { keys[0], take(NULL, n * key_bytes) }, value[2] = { pairs[0], pairs[0] ? take(NULL, n * 8) : 0 };
	int zero = 0;
	char empty = 0;

	launch(id[0], 4, 128, (void *[]){ &totals, &key[0], &n, &zero, &bits, &empty });
	launch(id[1], passes, 256, (void *[]){ &totals });
	for (uint32_t i = 0; i < passes; i++) {
		/* The passes end where they shall: every other one goes there. */
		bool there = (passes - i) % 2 == 1;
		int bit = (int)(8 * i), width = bits - bit < 8 ? bits - bit : 8;
		CUdeviceptr first = totals + (CUdeviceptr)i * 256 * 8, out = there ? keys[1] : key[1], values_out = there ? pairs[1] : value[1];
		CUdeviceptr in = i == 0 ? key[0] : there ? key[1] : keys[1], values_in = i == 0 ? value[0] : there ? value[1] : pairs[1];

		launch(id[2], 4, 384, (void *[]){ &look_back, &counters, &none, &first, &out, &in, &values_out, &values_in, &count, &bit, &width, &empty });
	}
}

static void sort_rows(uint32_t rows, uint32_t n)
{
	static const enum kernel_id by_value[] = { K_counts_f32, K_begins_f32, K_pass_f32 }, by_row[] = { K_counts_i64, K_begins_i64, K_pass_i64 };
	float *data = malloc((size_t)rows * n * sizeof(*data));
	struct divider d = { n, 0, 0 };
	uint32_t total = rows * n;

	for (uint32_t i = 0; i < total; i++)
		data[i] = some_float();
	CUdeviceptr x = take(data, total * 4), y = take(NULL, total * 4), index = take(NULL, total * 8), pair = take(NULL, total * 8);
	CUdeviceptr keys[2] = { x, take(NULL, total * 4) }, pairs[2] = { pair, take(NULL, total * 8) }, none[2] = { 0, 0 };

	LAUNCH(pairs, 4, 128, &pair, &total, &d);
	radix_sort(by_value, total, 32, keys, pairs, 4);
	keys[0] = pairs[1];
	keys[1] = pair;
	radix_sort(by_row, total, 3, keys, none, 8);
	LAUNCH(sorted, 4, 512, &x, &y, &index, &pair, &rows, &n);
	free(data);
}

/* ---- the k largest ---------------------------------------------------------- */

static struct tensor_info rows_of(CUdeviceptr p, uint32_t rows, uint32_t stride)
{
	struct tensor_info x = { p, { rows, 1 }, { stride, 1 }, 2 };

	return x;
}

static void largest(uint32_t rows, uint32_t n, uint32_t k, bool half, bool largest)
{
	enum { EACH = 4 };
	const enum kernel_id digits = half ? K_block_digits_bf16 : K_block_digits_f32, next = half ? K_next_digit_bf16 : K_next_digit_f32;
	uint32_t size = half ? 2 : 4, blocks = (n + EACH * 256 - 1) / (EACH * 256), all = rows * blocks, one = 1, each = EACH, mask = 0;
	char *data = malloc((size_t)rows * n * size), empty = 0;
	int zero = 0, tile = 0xfc0, tiles = 1;

	for (uint32_t i = 0; i < rows * n; i++) {
		float f = some_float();

		memcpy(data + i * size, (char *)&f + 4 - size, size);
	}
	struct tensor_info x = rows_of(take(data, rows * n * size), rows, n), y = rows_of(take(NULL, rows * k * size), rows, k),
			   z = rows_of(take(NULL, rows * k * 8), rows, k);
	CUdeviceptr known[2] = { take(NULL, rows * 4), take(NULL, rows * 4) }, ks[2] = { take(NULL, rows * 4), take(NULL, rows * 4) };
	CUdeviceptr counts = take(NULL, all * 512), sums = take(NULL, rows * 1024), above = take(NULL, all * 4), kth = take(NULL, rows * size);
	CUdeviceptr equal = take(NULL, all * 4), table = take(NULL, 4096), previous = take(NULL, 64);
	uint32_t want = largest ? n - k + 1 : k, keys[2] = { 0, blocks };
	uint64_t many = all, per_tile = (uint64_t)tile;

	LAUNCH(fill, 1, 512, &ks[0], &want, &rows);
	for (int bit = (int)size * 8 - 8, i = 0; bit >= 0; bit -= 8, i = !i) {
		launch(digits, all, 256, (void *[]){ &x, &n, &ks[i], &rows, &one, &bit, &each, &blocks, &mask, &known[i], &counts });
		LAUNCH(digit_sums, rows, 256, &counts, &sums, &blocks);
		launch(next, all, 256, (void *[]){ &known[i], &counts, &sums, &ks[i], &blocks, &bit, &largest, &above, &kth, &ks[!i], &known[!i], &all });
		mask |= 255u << bit;
		if (bit == 0)
			LAUNCH(equal_counts, 1, 256, &known[!i], &counts, &all, &blocks, &equal);
	}
	for (int i = 0; i < 2; i++) {
		CUdeviceptr p = i ? equal : above;

		LAUNCH(key_table, 1, 128, &table, keys, &previous, &per_tile, &tiles);
		LAUNCH(row_sums, 1, 288, keys, &previous, &p, &p, &table, &zero, &empty, &empty, &empty, &many);
	}
	launch(half ? K_gather_bf16 : K_gather_f32, all, 256,
	       (void *[]){ &x, &n, &k, &largest, &rows, &one, &y, &one, &z, &one, &each, &blocks, &kth, &above, &equal, &all });
	free(data);
}

/* ---- selections -------------------------------------------------------------- */

static void select_nonzero(uint32_t n)
{
	struct { int32_t tiles, big; uint64_t big_items, items, base, n; int32_t grid; uint64_t rest[3]; } share = { 5, 0, 8192, 4096, 0, n, 5, { 0 } };
	struct { bool first, last; int64_t total, before; uint64_t in, out; } context = { true, true, n, 0, 0, 0 };
	struct { uint64_t p, rest; } it = { 0, 0 };
	int64_t sizes[25] = { 3, n / 3 };
	uint8_t *data = malloc(n);
	int zero = 0, tiles = 4, dims = 2;
	uint32_t parts = 5;
	uint64_t many = n, base = 0, count = 0, nowhere = 0, fill = UINT64_MAX;
	char empty = 0;

	for (uint32_t i = 0; i < n; i++)
		count += data[i] = noise() % 5 == 0;
	CUdeviceptr sums = take(NULL, 5 * 4), total = take(NULL, 4), out = take(NULL, count * 2 * 8), table = take(NULL, (4 + 32) * 8);

	it.p = take(data, n);	/* behind the output, nearer than as many indices as there are elements */

	LAUNCH(tile_sums, 5, 256, &it, &sums, &many, &share, &empty, &empty);
	LAUNCH(total, 1, 256, &sums, &total, &parts, &empty, &zero, &empty);
	LAUNCH(select_table, 1, 128, &table, &tiles, &total);
	LAUNCH(nonzero, 4, 384, &base, &it, &out, &total, &table, &empty, &empty, &n, &tiles, &context, &nowhere);
	LAUNCH(indices, 40, 256, &out, sizes, &dims, &count, &nowhere, &fill);
	CUdeviceptr places = take(NULL, n * 8), wide = take(NULL, (8 + 32) * 16);
	uint64_t initial[2] = { 0xabcdef00, 3 };

	tiles = 8;
	LAUNCH(scan_table, 1, 128, &wide, &tiles);
	LAUNCH(mask_sums, 8, 128, &it, &places, &wide, &zero, &empty, initial, &n);
	free(data);
}

static void integers(uint32_t n)
{
	struct { bool first, last; int64_t total, before; uint64_t in, out; } context = { true, true, n, 0, 0, 0 };
	int64_t *data = malloc(n * sizeof(*data)), bound = 10;
	int zero = 0, tiles = 1, bits = 64;
	uint64_t many = n, none = 0;
	char empty = 0;

	for (uint32_t i = 0; i < n; i++)
		data[i] = noise() % 40 - 20;
	CUdeviceptr x = take(data, n * 8), sorted = take(NULL, n * 8), out = take(NULL, n * 8), total = take(NULL, 8), table = take(NULL, 40 * 8);
	CUdeviceptr wide = take(NULL, 40 * 16), sums = take(NULL, n * 8);
	struct wide_info in = { x, { n }, { 1 }, 1 }, bin = { take(NULL, 8 * 8), { 8 }, { 1 }, 1 }, part = { 0, { 0 }, { 0 }, 1 };
	int64_t least = -10, n_bins = 8;

	LAUNCH(scan_table, 1, 128, &wide, &tiles);
	LAUNCH(running_sums, 1, 128, &x, &sums, &wide, &zero, &empty, &empty, &n);
	LAUNCH(sort_i64, 1, 256, &x, &sorted, &none, &none, &many, &zero, &bits, &empty);
	LAUNCH(unique_table, 1, 128, &table, &tiles, &total);
	LAUNCH(unique, 1, 384, &sorted, &none, &out, &total, &table, &empty, &empty, &n, &tiles, &context, &none);
	LAUNCH(bins, 1, 512, &bin, &part, &in, &n_bins, &least, &bound, &many, &empty);
	free(data);
}

/* ---- random numbers ------------------------------------------------------------ */

static void random_numbers(uint64_t n)
{
	struct { uint64_t seed, offset, more; bool captured; } state = { 1234567890123, 4, 0, false };
	struct { uint64_t out; int32_t stride; float given[3]; } lambda = { take(NULL, n * 4), 4, { 0.5f, -0.25f, 0.25f } };
	char empty = 0;

	LAUNCH(uniform, 3, 256, &n, &state, &empty, &lambda);
	lambda.given[0] = 0.1f;
	lambda.given[1] = 2;
	state.offset = 16;
	LAUNCH(normal, 3, 256, &n, &state, &empty, &lambda);
}

int main(int argc, char **argv)
{
	for (int i = 0; i < KERNELS; i++)
		wanted[i] = argc > 1 && strcmp(argv[1], "all") == 0;
	OK(cuInit(0));
	fake_make_current();
	OK(cuMemAlloc(&memory, MEMORY));
	kept = malloc(MEMORY);
	sort_rows(5, 700);
	largest(2, 3000, 50, false, true);
	largest(3, 2000, 20, true, false);
	select_nonzero(18000);
	integers(500);
	random_numbers(5000);
	for (int i = 0; i < KERNELS; i++)
		if (wanted[i]) {
			fprintf(stderr, "aten: %s was not launched\n", kernel_id_name((enum kernel_id)i));
			return 1;
		}
	printf("%u launches\n", n_launches);
	free(kept);
	return 0;
}
