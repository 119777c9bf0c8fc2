/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all our kernels are made of: reading elements, judging them, threads that work together.
 *
 * Every kernel walks its work with the whole grid as stride; any grid will do. Threads work together in teams of EKKA_LANES, a warp on the device; a
 * C compiler that takes these files is told before what a team is (tests/unit/replay/gpu_stand_in.c). No thread needs one of another team.
 */
#ifndef EKKA_REPLAY_GPU_DEVICE_CUH
#define EKKA_REPLAY_GPU_DEVICE_CUH

#include "replay/gpu_shared.h"

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

/* At most so many registers that so many blocks run on a multiprocessor at once: for kernels that wait for memory. */
#ifdef __CUDACC__
#define EKKA_BLOCKS(blocks) __launch_bounds__(256, blocks)
#else
#define EKKA_BLOCKS(blocks)
#endif

#define FOR_EACH(e, n) for (i64 e = (i64)blockIdx.x * blockDim.x + threadIdx.x; e < (n); e += (i64)gridDim.x * blockDim.x)

/* ---- teams ------------------------------------------------------------- */

#ifdef __CUDACC__
#define EKKA_LANES 32
#define EKKA_OF_LANE(v, lane) __shfl_sync(0xffffffffu, (v), (lane))
#define EKKA_FROM(v, distance) __shfl_down_sync(0xffffffffu, (v), (distance))
#endif

#define EKKA_LANE ((int)(threadIdx.x % EKKA_LANES))
#define EKKA_TEAM (((i64)blockIdx.x * blockDim.x + threadIdx.x) / EKKA_LANES)
#define EKKA_TEAMS ((i64)gridDim.x * blockDim.x / EKKA_LANES)

/* Each team takes one of n after another: rows. All its lanes see the same ones. */
#define FOR_EACH_TEAM(e, n) for (i64 e = EKKA_TEAM; e < (n); e += EKKA_TEAMS)

/* Of all lanes, for all lanes; every lane of the team must call. The order of additions is the same each time. */
static __device__ double team_sum(double v)
{
	for (int d = EKKA_LANES / 2; d > 0; d /= 2)
		v += EKKA_FROM(v, d);
	return EKKA_OF_LANE(v, 0);
}

/* NaN counts as nothing. */
static __device__ double team_max(double v)
{
	for (int d = EKKA_LANES / 2; d > 0; d /= 2) {
		double other = EKKA_FROM(v, d);

		v = other > v || v != v ? other : v;
	}
	return EKKA_OF_LANE(v, 0);
}

static __device__ bool team_any(bool v)
{
	return team_max(v ? 1 : 0) > 0;
}

/* The largest of bit patterns. */
static __device__ unsigned team_most(unsigned v)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
	return __reduce_max_sync(0xffffffffu, v);
#else
	for (int d = EKKA_LANES / 2; d > 0; d /= 2) {
		unsigned other = EKKA_FROM(v, d);

		v = other > v ? other : v;
	}
	return EKKA_OF_LANE(v, 0);
#endif
}

/* ---- elements ---------------------------------------------------------- */

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

/* An element of an integer type as one; of u64 the same bits. */
static __device__ i64 int_at(const void *src, int dtype, i64 i)
{
	switch (dtype) {
	case EKKA_GPU_I8: return ((const signed char *)src)[i];
	case EKKA_GPU_U8: return ((const unsigned char *)src)[i];
	case EKKA_GPU_I16: return ((const short *)src)[i];
	case EKKA_GPU_U16: return ((const unsigned short *)src)[i];
	case EKKA_GPU_I32: return ((const int *)src)[i];
	case EKKA_GPU_U32: return ((const unsigned *)src)[i];
	default: return ((const i64 *)src)[i];
	}
}

/* a / b of numbers that are not negative; of large ones it takes several times as long. */
static __device__ i64 quotient(i64 a, i64 b)
{
	return (a | b) >> 32 ? a / b : (i64)((unsigned)a / (unsigned)b);
}

/* Where element e, in row-major order, lies from the bytes' begin, in elements. */
static __device__ i64 place_of(const struct ekka_gpu_array *a, i64 e)
{
	i64 at = a->offset;

	for (int d = a->n_walk - 1; d > 0; d--) {
		i64 rest = quotient(e, a->dim[d]);

		at += (e - rest * a->dim[d]) * a->stride[d];
		e = rest;
	}
	return at + e * a->stride[0];
}

static __device__ double array_value(const struct ekka_gpu_array *a, i64 e)
{
	return value_at((const void *)(size_t)a->bytes, a->dtype, place_of(a, e), 0);
}

static __device__ i64 array_int(const struct ekka_gpu_array *a, i64 e)
{
	return int_at((const void *)(size_t)a->bytes, a->dtype, place_of(a, e));
}

/* ---- what was found ---------------------------------------------------- */

static __device__ struct ekka_gpu_part nothing_found(void)
{
	struct ekka_gpu_part p;

	memset(&p, 0, sizeof p);
	return p;
}

static __device__ void note_element(struct ekka_gpu_part *p, const struct ekka_format *f, i64 index, double out, double ref, double bound, bool saturates)
{
	struct ekka_judged x = ekka_element_judge(f, out, ref, bound, saturates);

	p->n++;
	p->n_loose += x.loose;
	p->n_wide += x.wide;
	p->n_bad += x.bad;
	if (!x.measured)
		return;
	if (!p->n_measured++ || x.margin > p->margin || (x.margin == p->margin && index < p->index)) {
		p->margin = x.margin;
		p->index = index;
		p->out = out;
		p->ref = x.ref;
		p->bound = x.bound;
	}
	p->max_error = x.error > p->max_error ? x.error : p->max_error;
}

/* Of results that must be equal to the bit. */
static __device__ void note_int(struct ekka_gpu_part *p, i64 index, i64 out, i64 ref)
{
	p->n++;
	p->n_bad += out != ref;
	if (!p->n_measured++ || index < p->index) {
		p->index = index;
		p->out = (double)out;
		p->ref = (double)ref;
	}
}

/* Adds the team's findings together and writes them to parts[EKKA_TEAM]; every lane must call. */
static __device__ void tell(struct ekka_gpu_part *parts, struct ekka_gpu_part p)
{
	for (int d = EKKA_LANES / 2; d > 0; d /= 2) {
		u64 measured = EKKA_FROM((u64)p.n_measured, d);
		double margin = EKKA_FROM(p.margin, d), error = EKKA_FROM(p.max_error, d), out = EKKA_FROM(p.out, d), ref = EKKA_FROM(p.ref, d),
		       bound = EKKA_FROM(p.bound, d);
		i64 index = EKKA_FROM((i64)p.index, d);

		p.n += EKKA_FROM((u64)p.n, d);
		p.n_loose += EKKA_FROM((u64)p.n_loose, d);
		p.n_wide += EKKA_FROM((u64)p.n_wide, d);
		p.n_bad += EKKA_FROM((u64)p.n_bad, d);
		if (measured && (!p.n_measured || margin > p.margin || (margin == p.margin && index < p.index))) {
			p.margin = margin;
			p.index = index;
			p.out = out;
			p.ref = ref;
			p.bound = bound;
		}
		p.n_measured += measured;
		p.max_error = error > p.max_error ? error : p.max_error;
	}
	if (EKKA_LANE == 0)
		parts[EKKA_TEAM] = p;
}

#endif
