/* SPDX-License-Identifier: Apache-2.0 */
/* Op cat on the GPU backend against the CPU: on the stand-in, and on the machine's own GPU if there is one. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/gpu.h"
#include "tests/unit/replay/fake_event.h"
#include "tests/unit/replay/gpu_stand_in.h"

static struct ekka_backend *real;
static int taken;		/* events that the device found right */

static bool counted(struct ekka_backend *b, const struct ekka_rows_work *w, struct ekka_elements_part *ret)
{
	bool good = real->rows(real, w, ret);

	(void)b;
	taken += good && !ret[0].n_bad;
	return good;
}

static struct ekka_backend counting = { .rows = counted };

static void open_backend(bool own)
{
	struct ekka_error err = { 0 };

	real = own ? ekka_gpu_open(EKKA_GPU_ALWAYS, &err) : ekka_gpu_open_with(&gpu_stand_in, &gpu_stand_in, EKKA_GPU_ALWAYS, &err);
	cr_assert(real || own, "%s", err.message);
	if (!real)
		cr_skip_test("no GPU");
}

static uint64_t state;

static unsigned pick(unsigned n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % n;
}

/* ---- events ------------------------------------------------------------ */

/* dim[0] x dim[1] x dim[2], the first element at the first byte, in one of two orders, with gaps or without. */
struct box { int64_t dim[3], stride[3]; char dims[48], strides[48], name[8], offset[12]; unsigned char bytes[1 << 15]; };
static struct box in[10], out;
static struct fake_event f;
static const enum ekka_dtype types[] = { EKKA_BF16, EKKA_F32, EKKA_U8, EKKA_F64, EKKA_I64, EKKA_E4M3, EKKA_F16 };

static void box_new(struct box *b, const int64_t dim[3])
{
	bool turned = pick(3) == 0;
	int64_t gap = (int64_t)pick(2) * 3;

	memcpy(b->dim, dim, sizeof b->dim);
	b->stride[1] = turned ? 1 : dim[2] + gap;
	b->stride[2] = turned ? dim[1] : 1;
	b->stride[0] = dim[1] * (dim[2] + gap) + gap;
	(void)snprintf(b->dims, sizeof b->dims, "%dx%dx%d", (int)dim[0], (int)dim[1], (int)dim[2]);
	(void)snprintf(b->strides, sizeof b->strides, "%dx%dx%d", (int)b->stride[0], (int)b->stride[1], (int)b->stride[2]);
}

static unsigned char *at(struct box *b, size_t size, int64_t i, int64_t j, int64_t k)
{
	return b->bytes + (size_t)(i * b->stride[0] + j * b->stride[1] + k * b->stride[2]) * size;
}

/* What belongs at index [dim] of input n, to the output. */
static void copy_in(struct box *from, size_t size, unsigned dim, int64_t offset)
{
	for (int64_t i = 0; i < from->dim[0]; i++)
		for (int64_t j = 0; j < from->dim[1]; j++)
			for (int64_t k = 0; k < from->dim[2]; k++)
				memcpy(at(&out, size, i + (dim == 0 ? offset : 0), j + (dim == 1 ? offset : 0), k + (dim == 2 ? offset : 0)),
				       at(from, size, i, j, k), size);
}

/* A right one of n inputs. */
static size_t event(unsigned n)
{
	enum ekka_dtype t = types[pick(sizeof types / sizeof *types)];
	int64_t dim[3] = { 1 + pick(5), 1 + pick(6), 1 + pick(7) }, offset = 0;
	unsigned d = pick(3);
	size_t size = ekka_dtype_bytes(t);

	for (unsigned i = 0; i < n; i++) {
		dim[d] = 1 + pick(4);
		box_new(&in[i], dim);
		for (unsigned k = 0; k < sizeof in[i].bytes; k++)
			in[i].bytes[k] = (unsigned char)pick(256);
		offset += dim[d];
	}
	dim[d] = offset;
	box_new(&out, dim);
	fake_event_init(&f, "cat");
	fake_event_int(&f, "dim", d);
	(void)fake_event_tensor(&f, "out0", EKKA_OUT, t, out.dims, out.strides, NULL, out.bytes);
	offset = 0;
	for (unsigned i = 0; i < n; i++) {
		copy_in(&in[i], size, d, offset);
		(void)snprintf(in[i].name, sizeof in[i].name, "in%u", i % 100);
		(void)fake_event_tensor(&f, in[i].name, EKKA_IN, t, in[i].dims, in[i].strides, in[i].bytes, NULL);
		if (pick(2) || n > 8) {
			(void)snprintf(in[i].offset, sizeof in[i].offset, "offset%u", i % 100);
			fake_event_int(&f, in[i].offset, offset);
		}
		offset += in[i].dim[d];
	}
	return size;
}

static struct ekka_verdict alike(unsigned long long seed, bool on_device)
{
	struct ekka_verdict cpu = fake_event_judge(&f), gpu;
	int before = taken;

	gpu = fake_event_judge_on(&f, &counting);
	cr_expect(cpu.status == gpu.status && cpu.n_elements == gpu.n_elements && cpu.n_bad == gpu.n_bad && (cpu.margin == gpu.margin || isnan(cpu.margin)),
		  "%llu: %s and %s", seed, ekka_status_name(cpu.status), ekka_status_name(gpu.status));
	cr_expect_str_eq(cpu.where, gpu.where);
	cr_expect_str_eq(cpu.looks_like, gpu.looks_like);
	cr_expect_eq(taken - before, on_device, "%llu: on the device, %d", seed, on_device);
	return cpu;
}

static void cats(bool own)
{
	open_backend(own);
	for (unsigned long long seed = 1; seed <= 300; seed++) {
		unsigned n = 1 + (unsigned)(seed % 9);
		struct ekka_verdict v;
		size_t size;

		state = seed * 77;
		size = event(n);
		v = alike(seed, n <= 8);
		cr_expect_eq(v.status, EKKA_PASS, "%llu: %s", seed, v.reason);
		*at(&out, size, pick((unsigned)out.dim[0]), pick((unsigned)out.dim[1]), pick((unsigned)out.dim[2])) ^= 4;
		v = alike(seed, false);
		cr_expect(v.status == EKKA_FAIL && v.n_bad == 1);
	}
	real->close(real);
}

Test(gpu_cat, cats_are_judged_alike_on_the_stand_in) { cats(false); }
Test(gpu_cat, cats_are_judged_alike_on_the_gpu) { cats(true); }

Test(gpu_cat, a_device_that_fails_or_has_no_memory_changes_nothing)
{
	for (int after = -1; after < 2; after++) {
		gpu_launches = 0;
		gpu_fail_after = -1;
		open_backend(false);
		gpu_fail_after = after;
		gpu_memory_lacks = after < 0;
		state = 5;
		(void)event(3);
		cr_expect_eq(alike(0, after == 1).status, EKKA_PASS);
		gpu_memory_lacks = false;
		gpu_fail_after = -1;
		real->close(real);
	}
}
