/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Launches the kernels of vllm_kernels.cu over several shapes and types; checks nothing itself, and knows nothing of the shim. vllm_cases [DEFECT | all]: one
 * launch for each defect is wrong (with all, also one for each parameter list of another version), and a line "LAUNCH DEFECT KERNEL" says which, counted
 * from 0; again:DEFECT for those. Every launch has inputs of its own or right ones, but for what a wrong one before it wrote. Compiled by nvcc, or for the fake machine by
 * tests/fake/vllm.cc.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <cuda_runtime_api.h>

#include "tests/gpu/vllm_kernels.cu"
#ifndef LAUNCH
#include "tests/gpu/vllm_launch.h"
#endif

static const struct { const char *name, *kernel; } defects[] = {
	{ "none", "" },
#define DEFECT(name, kernel) { #name, kernel },
#include "tests/gpu/vllm_defects.def"
#undef DEFECT
};
enum { N_DEFECTS = sizeof(defects) / sizeof(*defects) };
static bool wanted[N_DEFECTS];
static bool all_wanted;
static int armed = NONE, launched;

/* The next launch has this defect, if it is wanted and has not been yet. */
static void arm(int defect)
{
	if (!wanted[defect])
		return;
	wanted[defect] = false;
	armed = defect;
	set_defect(defect);
	printf("%d %s %s\n", launched, defects[defect].name, defects[defect].kernel);
}

/* The same for a parameter list of another version: each such launch has the defect once, when all are wanted. */
static void arm_again(int defect, bool *done)
{
	if (!all_wanted || *done)
		return;
	*done = true;
	armed = defect;
	set_defect(defect);
	printf("%d again:%s %s\n", launched, defects[defect].name, defects[defect].kernel);
}
#define ARM_AGAIN(defect)                         \
	do {                                      \
		static bool done_;                \
		arm_again(defect, &done_);        \
	} while (0)

/* After every launch. */
static void disarm(void)
{
	launched++;
	if (armed == NONE)
		return;
	must(cudaDeviceSynchronize());
	set_defect(NONE);
	armed = NONE;
}

/* ---- data ------------------------------------------------------------- */

static float noise(void)
{
	static uint32_t state = 1;

	state = state * 1664525u + 1013904223u;
	return (float)(state >> 8) / (1 << 23) - 1;
}

template <class T>
static T *upload(const std::vector<T> &v)
{
	T *p = NULL;

	must(cudaMalloc((void **)&p, v.size() * sizeof(T)));
	must(cudaMemcpy(p, v.data(), v.size() * sizeof(T), cudaMemcpyHostToDevice));
	return p;
}

template <class T>
static T *empty(size_t n)
{
	T *p = NULL;

	must(cudaMalloc((void **)&p, n * sizeof(T)));
	must(cudaMemset(p, 0, n * sizeof(T)));
	return p;
}

template <class T> static void put(T *p, float x) { *p = T(x); }
static void put(uint16_t *p, float x) { store(p, x); }
static void put(uint8_t *p, float x) { *p = (uint8_t)e4m3_format::encode(x); }

/* n numbers between -size and size. */
template <class T>
static T *numbers(size_t n, float size)
{
	std::vector<T> v(n);

	for (size_t i = 0; i < n; i++)
		put(&v[i], size * noise());
	return upload(v);
}

/* ---- norms, rotary embedding, activations ----------------------------- */

template <class T>
static void norms(int rows, int n)
{
	T *x = numbers<T>(rows * (n + 8), 0.1f), *w = numbers<T>(n, 2), *y = empty<T>(rows * n);

	arm(eps_);
	LAUNCH((vllm::rms_norm_kernel<T>), R(T *, const T *, int64_t, const T *, float, int, int), rows, 64, y, x, n + 8, w, 1e-3f, rows, n);
	arm(no_weight_);
	LAUNCH((vllm::rms_norm_kernel<T>), R(T *, const T *, const T *, float, int, int), rows, 64, y, x, w, 1e-3f, rows, n);
	T *r = numbers<T>(rows * n, 1);
	arm(no_residual_);
	LAUNCH((vllm::fused_add_rms_norm_kernel<T, 8>), R(T *, int64_t, T *, const T *, float, int, int), rows, 64, x, n + 8, r, w, 1e-5f, rows, n);
	x = numbers<T>(rows * n, 1);
	arm(residual_not_stored_);
	LAUNCH((vllm::fused_add_rms_norm_kernel<T, 0>), R(T *, int64_t, T *, const T *, float, int, int), rows, 64, x, n, r, w, 1e-5f, rows, n);
}

template <class T>
static void old_norms(int rows, int n)
{
	T *x = numbers<T>(rows * n, 1), *r = numbers<T>(rows * n, 1), *w = numbers<T>(n, 1);

	ARM_AGAIN(no_residual_);
	LAUNCH((vllm::fused_add_rms_norm_kernel<T, 8>), R(T *, T *, const T *, float, int, int), rows, 64, x, r, w, 1e-6f, rows, n);
}

template <class T>
static T *angles(int positions, int rot)
{
	std::vector<T> v(positions * rot);

	for (int i = 0; i < positions * rot / 2; i++) {
		double a = i / (rot / 2) * pow(10000, -2.0 * (i % (rot / 2)) / rot);

		put(&v[i / (rot / 2) * rot + i % (rot / 2)], (float)cos(a));
		put(&v[i / (rot / 2) * rot + rot / 2 + i % (rot / 2)], (float)sin(a));
	}
	return upload(v);
}

template <class T, bool neox>
static void ropes(int tokens, int heads, int kv_heads, int d, int rot)
{
	std::vector<int64_t> at(tokens), offsets(tokens);
	int qs = (heads + 1) * d, ks = kv_heads * d;

	for (int i = 0; i < tokens; i++) {
		at[i] = (7 * i + 3) % 40;
		offsets[i] = i % 2 * 40;
	}
	int64_t *p = upload(at), *o = upload(offsets);
	T *q = numbers<T>(tokens * qs, 1), *k = numbers<T>(tokens * ks, 1), *table = angles<T>(96, rot);
	arm(rope_halves_);
	LAUNCH((vllm::rotary_embedding_kernel<T, neox>), R(const int64_t *, T *, T *, const T *, int, int64_t, int64_t, int64_t, int, int, int), tokens, 32, p,
	       q, k, table, rot, qs, ks, d, heads, kv_heads, d);
	arm(rope_position_);
	LAUNCH((vllm::rotary_embedding_kernel<T, neox>), R(const int64_t *, T *, T *, const T *, int, int64_t, int64_t, int64_t, int, int, int), tokens, 32, p,
	       q, nullptr, table, rot, qs, 0, d, heads, heads, d);
	ARM_AGAIN(rope_halves_);
	LAUNCH((vllm::rotary_embedding_kernel<T, neox>), R(const int64_t *, T *, T *, const T *, int, int64_t, int64_t, int, int, int), tokens, 32, p, q, k,
	       table, rot, qs, ks, heads, kv_heads, d);
	arm(rope_no_offset_);
	LAUNCH((vllm::batched_rotary_embedding_kernel<T, neox>),
	       R(const int64_t *, T *, T *, const T *, const int64_t *, int, int64_t, int64_t, int64_t, int, int, int), tokens, 32, p, q, k, table, o, rot, qs,
	       ks, d, heads, kv_heads, d);
	ARM_AGAIN(rope_no_offset_);
	LAUNCH((vllm::batched_rotary_embedding_kernel<T, neox>), R(const int64_t *, T *, T *, const T *, const int64_t *, int, int64_t, int64_t, int, int, int),
	       tokens, 32, p, q, k, table, o, rot, qs, ks, heads, kv_heads, d);
}

template <class T>
static void activations(int rows, int d)
{
	T *x = numbers<T>(rows * 2 * d, 4), *y = empty<T>(rows * d);

	arm(gate_up_);
	LAUNCH((vllm::act_and_mul_kernel<T, vllm::silu_kernel<T>, true>), R(T *, const T *, int), rows, 64, y, x, d);
	LAUNCH((vllm::act_and_mul_kernel<T, vllm::silu_kernel<T>, false>), R(T *, const T *, int), rows, 64, y, x, d);
	LAUNCH((vllm::act_and_mul_kernel<T, vllm::gelu_kernel<T>, true>), R(T *, const T *, int), rows, 64, y, x, d);
	LAUNCH((vllm::act_and_mul_kernel<T, vllm::gelu_tanh_kernel<T>, true>), R(T *, const T *, int), rows, 64, y, x, d);
	ARM_AGAIN(gate_up_);
	LAUNCH((vllm::act_and_mul_kernel<T, vllm::silu_kernel<T>>), R(T *, const T *, int), rows, 64, y, x, d);
	arm(threshold_);
	LAUNCH((vllm::act_and_mul_kernel_with_param<T, vllm::fatrelu_kernel<T>>), R(T *, const T *, int, float), rows, 64, y, x, d, 0.25f);
	arm(limit_);
	LAUNCH((vllm::swigluoai_and_mul_kernel<T, vllm::swigluoai_and_mul<T>>), R(T *, const T *, int, float, float), rows, 64, y, x, d, 1.702f, 3.0f);
	arm(gelu_constant_);
	LAUNCH((vllm::activation_kernel<T, vllm::gelu_new_kernel<T>>), R(T *, const T *, int), rows, 64, y, x, d);
	LAUNCH((vllm::activation_kernel<T, vllm::gelu_fast_kernel<T>>), R(T *, const T *, int), rows, 64, y, x, d);
	LAUNCH((vllm::activation_kernel<T, vllm::gelu_quick_kernel<T>>), R(T *, const T *, int), rows, 64, y, x, d);
}

/* ---- the cache, and attention ----------------------------------------- */

enum { BLOCK = 16, BLOCKS = 24 };
typedef vllm::Fp8KVCacheDataType kv_type;

/* Both halves of a cache in one allocation, as engines have them. */
template <class T, class C, kv_type kv>
static void caches(int tokens, int heads, int d)
{
	int x = 16 / sizeof(C), stride = heads * d + 32, half = BLOCKS * heads * d * BLOCK;
	std::vector<int64_t> slots(tokens);
	const float *ks = upload(std::vector<float>{ 0.5f }), *vs = upload(std::vector<float>{ 0.25f });
	T *k = numbers<T>(tokens * stride, 3), *v = numbers<T>(tokens * stride, 3);
	C *cache = empty<C>(2 * half);

	for (int i = 0; i < tokens; i++)
		slots[i] = i % 7 == 6 ? -1 : (i * 37 + 5) % (BLOCKS * BLOCK / 2) * 2;
	int64_t *at = upload(slots);
	arm(kv == kv_type::kAuto ? slot_ : cache_scale_);
	LAUNCH((vllm::reshape_and_cache_kernel<T, C, kv>),
	       R(const T *, const T *, C *, C *, const int64_t *, int, int, int, int, int, int, const float *, const float *), tokens, 64, k, v, cache,
	       cache + half, at, stride, stride, heads, d, BLOCK, x, ks, vs);
	ARM_AGAIN(slot_);
	LAUNCH((vllm::reshape_and_cache_kernel<T, C, kv>), R(const T *, const T *, C *, C *, const int64_t *, int, int, int, int, int, int, float, float), tokens,
	       64, v, k, cache, cache + half, at, stride, stride, heads, d, BLOCK, x, 0.5f, 0.25f);
	cache = empty<C>(2 * half);
	arm(flash_slot_);
	LAUNCH((vllm::reshape_and_cache_flash_kernel<T, C, kv>),
	       R(const T *, const T *, C *, C *, const int64_t *, int64_t, int64_t, int64_t, int64_t, int64_t, int, int, int, const float *, const float *),
	       tokens, 64, k, v, cache, cache + half, at, heads * d * BLOCK, heads * d, d, stride, stride, heads, d, BLOCK, ks, vs);
	/* Heads before the tokens of a block; and keys and values of a block side by side. */
	arm(flash_head_);
	LAUNCH((vllm::reshape_and_cache_flash_kernel<T, C, kv>),
	       R(const T *, const T *, C *, C *, const int64_t *, int64_t, int64_t, int64_t, int64_t, int64_t, int, int, int, const float *, const float *),
	       tokens, 64, v, k, cache, cache + half, at, heads * d * BLOCK, d, BLOCK * d, stride, stride, heads, d, BLOCK, ks, vs);
	cache = empty<C>(2 * half);
	LAUNCH((vllm::reshape_and_cache_flash_kernel<T, C, kv>),
	       R(const T *, const T *, C *, C *, const int64_t *, int64_t, int64_t, int64_t, int64_t, int64_t, int, int, int, const float *, const float *),
	       tokens, 64, k, v, cache, cache + heads * d * BLOCK, at, 2 * heads * d * BLOCK, heads * d, d, stride, stride, heads, d, BLOCK, ks, vs);
	cache = empty<C>(2 * half);
	ARM_AGAIN(flash_slot_);
	LAUNCH((vllm::reshape_and_cache_flash_kernel<T, C, kv>),
	       R(const T *, const T *, C *, C *, const int64_t *, int, int, int, int, int, int, float, float), tokens, 64, k, v, cache, cache + half, at,
	       heads * d * BLOCK, stride, stride, heads, d, BLOCK, 0.5f, 0.25f);
}

template <class T>
static void old_caches(int tokens, int heads, int d)
{
	int stride = heads * d, half = BLOCKS * heads * d * BLOCK;
	T *k = numbers<T>(tokens * stride, 3), *v = numbers<T>(tokens * stride, 3), *cache = empty<T>(2 * half);
	std::vector<int64_t> slots(tokens);

	for (int i = 0; i < tokens; i++)
		slots[i] = 3 * i + 1;
	int64_t *at = upload(slots);
	ARM_AGAIN(slot_);
	LAUNCH((vllm::reshape_and_cache_kernel<T, T, false>), R(const T *, const T *, T *, T *, const int64_t *, int, int, int, int, int, int, float), tokens, 64, k, v,
	       cache, cache + half, at, stride, stride, heads, d, BLOCK, (int)(16 / sizeof(T)), 1.0f);
	cache = empty<T>(2 * half);
	ARM_AGAIN(flash_slot_);
	LAUNCH((vllm::reshape_and_cache_flash_kernel<T>), R(const T *, const T *, T *, T *, const int64_t *, int, int, int, int, int, int), tokens, 64, k, v, cache,
	       cache + half, at, stride * BLOCK, stride, stride, heads, d, BLOCK);
}

template <class T, class C, kv_type kv, int D>
static void attentions(int heads, int kv_heads, bool alibi)
{
	enum { SEQS = 3, TABLE = 7, PARTITION = 32, PARTS = TABLE * BLOCK / PARTITION + 1 };
	static const int lengths[SEQS] = { 77, 1, 112 };
	int half = BLOCKS * kv_heads * D * BLOCK, qs = (heads + 2) * D;
	std::vector<int> tables(SEQS * TABLE);
	std::vector<float> slopes(heads);

	for (int i = 0; i < SEQS * TABLE; i++)
		tables[i] = (i * 5 + 2) % BLOCKS;
	for (int i = 0; i < heads; i++)
		slopes[i] = 1.0f / (1 << (i + 1));
	const int *table = upload(tables), *lens = upload(std::vector<int>(lengths, lengths + SEQS));
	const float *slope = alibi ? upload(slopes) : NULL, *ks = upload(std::vector<float>{ 0.5f }), *vs = upload(std::vector<float>{ 0.25f });
	T *q = numbers<T>(SEQS * qs, 2), *out = empty<T>(SEQS * heads * D), *parts = empty<T>(SEQS * heads * PARTS * D);
	C *cache = numbers<C>(2 * half, 1);
	float *sums = empty<float>(SEQS * heads * PARTS), *maxima = empty<float>(SEQS * heads * PARTS), scale = 1 / sqrtf(D);

	arm(alibi ? no_alibi_ : last_key_);
	LAUNCH((vllm::paged_attention_v1_kernel<T, C, D, BLOCK, 128, kv, false>),
	       R(T *, const T *, const C *, const C *, int, float, const int *, const int *, int, const float *, int, int, int, const float *, const float *, int,
		 int, int, int, int),
	       dim3(heads, SEQS), 128, out, q, cache, cache + half, kv_heads, scale, table, lens, TABLE, slope, qs, kv_heads * D * BLOCK, D * BLOCK, ks, vs, 0, 0,
	       0, 64, 0);
	ARM_AGAIN(last_key_);
	LAUNCH((vllm::paged_attention_v1_kernel<T, C, D, BLOCK, 128, kv, false>),
	       R(T *, const T *, const C *, const C *, int, float, const int *, const int *, int, const float *, int, int, int, float, float, int, int, int, int, int),
	       dim3(heads, SEQS), 128, out, q, cache, cache + half, kv_heads, scale, table, lens, TABLE, slope, qs, kv_heads * D * BLOCK, D * BLOCK, 0.5f, 0.25f, 0,
	       0, 0, 64, 0);
	if constexpr (kv == kv_type::kAuto) {
		ARM_AGAIN(last_key_);
		LAUNCH((vllm::paged_attention_v1_kernel<T, C, D, BLOCK, 128, false>),
		       R(T *, const T *, const C *, const C *, int, float, const int *, const int *, int, const float *, int, int, int, float), dim3(heads, SEQS),
		       128, out, q, cache, cache + half, kv_heads, scale, table, lens, TABLE, slope, qs, kv_heads * D * BLOCK, D * BLOCK, 1.0f);
		ARM_AGAIN(part_scale_);
		LAUNCH((vllm::paged_attention_v2_kernel<T, C, D, BLOCK, 128, false, PARTITION>),
		       R(float *, float *, T *, const T *, const C *, const C *, int, float, const int *, const int *, int, const float *, int, int, int, float),
		       dim3(heads, SEQS, PARTS), 128, sums, maxima, parts, q, cache, cache + half, kv_heads, scale, table, lens, TABLE, slope, qs,
		       kv_heads * D * BLOCK, D * BLOCK, 1.0f);
	}
	arm(alibi ? part_sum_ : part_scale_);
	LAUNCH((vllm::paged_attention_v2_kernel<T, C, D, BLOCK, 128, kv, false, PARTITION>),
	       R(float *, float *, T *, const T *, const C *, const C *, int, float, const int *, const int *, int, const float *, int, int, int, const float *,
		 const float *, int, int, int, int, int),
	       dim3(heads, SEQS, PARTS), 128, sums, maxima, parts, q, cache, cache + half, kv_heads, scale, table, lens, TABLE, slope, qs,
	       kv_heads * D * BLOCK, D * BLOCK, ks, vs, 0, 0, 0, 64, 0);
	arm(last_part_);
	LAUNCH((vllm::paged_attention_v2_reduce_kernel<T, D, 128, PARTITION>), R(T *, const float *, const float *, const T *, const int *, int),
	       dim3(heads, SEQS), 128, out, sums, maxima, parts, lens, PARTS);
}

/* ---- quantisation ----------------------------------------------------- */

template <class T>
static void quantisations(int rows, int n)
{
	typedef c10::Float8_e4m3fn Q;
	T *x = numbers<T>(rows * (n + 16), 5);
	Q *y = empty<Q>(rows * (n + 16));
	int8_t *z = empty<int8_t>(rows * n);
	float *scales = empty<float>(rows), *given = upload(std::vector<float>{ 0.037f });
	int32_t *zeros = empty<int32_t>(rows), *zero = upload(std::vector<int32_t>{ -17 });

	arm(fp8_no_scale_);
	LAUNCH((vllm::scaled_fp8_quant_kernel<T, Q>), R(Q *, const T *, const float *, int64_t), rows, 64, y, x, given, rows * n);
	ARM_AGAIN(fp8_no_scale_);
	LAUNCH((vllm::scaled_fp8_quant_kernel<T>), R(Q *, const T *, const float *, int64_t), rows, 64, y, x, given, rows * n);
	arm(fp8_amax_);
	LAUNCH((vllm::segmented_max_reduction<T, Q>), R(float *, const T *, int64_t), rows, 64, empty<float>(1), x, rows * n);
	arm(fp8_token_scale_);
	LAUNCH((vllm::dynamic_per_token_scaled_fp8_quant_kernel<T, Q>), R(Q *, float *, const T *, const float *, int), rows, 64, y, scales, x, nullptr, n);
	LAUNCH((vllm::dynamic_per_token_scaled_fp8_quant_kernel<T, Q>), R(Q *, float *, const T *, const float *, int), rows, 64, y, scales,
	       numbers<T>(rows * n, 1e-3f), nullptr, n);
	arm(fp8_row_);
	LAUNCH((vllm::scaled_fp8_quant_kernel_strided<T, Q>), R(Q *, const T *, const float *, int, int64_t, int64_t), rows, 64, y, x, given, n, n + 16, n + 16);
	arm(fp8_strided_amax_);
	LAUNCH((vllm::segmented_max_reduction_strided<T, Q>), R(float *, const T *, int, int64_t, int64_t), rows, 64, empty<float>(1), x, n, n + 16, rows);
	LAUNCH((vllm::scaled_fp8_quant_kernel_strided_dynamic<T, Q>), R(Q *, const T *, const float *, int, int64_t, int64_t), rows, 64, y, x, given, n, n + 16,
	       n + 16);
	arm(fp8_bound_);
	LAUNCH((vllm::dynamic_per_token_scaled_fp8_quant_kernel_strided<T, Q>), R(Q *, float *, const T *, const float *, int, int64_t, int64_t), rows, 64, y,
	       scales, x, upload(std::vector<float>{ 3 }), n, n + 16, n);
	arm(int8_truncated_);
	LAUNCH((vllm::static_scaled_int8_quant_kernel<T, float>), R(const T *, int8_t *, const float *, int), rows, 64, x, z, given, n);
	arm(int8_zero_);
	LAUNCH((vllm::static_scaled_int8_azp_quant_kernel<T, float, int32_t>), R(const T *, int8_t *, const float *, const int32_t *, int), rows, 64, x, z, given,
	       zero, n);
	arm(int8_range_);
	LAUNCH((vllm::dynamic_scaled_int8_quant_kernel<T, float>), R(const T *, int8_t *, float *, int), rows, 64, x, z, scales, n);
	arm(int8_zero_point_);
	LAUNCH((vllm::dynamic_scaled_int8_azp_quant_kernel<T, float, int32_t>), R(const T *, int8_t *, float *, int32_t *, int), rows, 64, x, z, scales, zeros, n);
}

template <class T>
static void old_quantisations(int rows, int n)
{
	typedef c10::Float8_e4m3fn Q;
	T *x = numbers<T>(rows * n, 5);

	ARM_AGAIN(fp8_amax_);
	LAUNCH((vllm::segmented_max_reduction<T>), R(float *, const T *, int64_t), rows, 64, empty<float>(1), x, rows * n);
	ARM_AGAIN(fp8_token_scale_);
	LAUNCH((vllm::dynamic_per_token_scaled_fp8_quant_kernel<T>), R(Q *, float *, const T *, const float *, int), rows, 64, empty<Q>(rows * n),
	       empty<float>(rows), x, nullptr, n);
}

/* ---- mixtures of experts ---------------------------------------------- */

template <int E, class I>
static void routings(int rows, int k)
{
	float *x = numbers<float>(rows * E, 3), *weights = empty<float>(rows * k), *p = empty<float>(rows * 60);
	I *chosen = empty<I>(rows * k);
	int *source = empty<int>(rows * k);

	arm(sizeof(I) == 4 ? topk_weights_ : topk_expert_);
	LAUNCH((vllm::moe::topkGatingSoftmax<4, E, 4, 16, 32, I>), R(const float *, const bool *, float *, int, I *, int *, int, int, int), (rows + 127) / 128,
	       dim3(32, 4), x, nullptr, weights, rows, chosen, source, k, 0, E);
	x = numbers<float>(rows * 60, 3);
	arm(softmax_column_);
	LAUNCH((vllm::moe::moeSoftmax<256>), R(const float *, const bool *, float *, int), rows, 64, x, nullptr, p, 60);
	arm(topk_order_);
	LAUNCH((vllm::moe::moeTopK<256, I>), R(const float *, const bool *, float *, I *, int *, int, int, int, int), rows, 32, p, nullptr, weights, chosen, source,
	       60, k, 0, 60);
}

template <class I>
static void alignments(int tokens, int k, int experts, int block)
{
	int slots = tokens * k, places = slots + experts * (block - 1);
	std::vector<I> ids(slots);

	for (int i = 0; i < slots; i++)
		ids[i] = (I)((noise() + 1) / 2 * (experts - 1));
	I *p = upload(ids);
	int32_t *sorted = empty<int32_t>(places), *expert = empty<int32_t>((places + block - 1) / block), *total = empty<int32_t>(1);
	arm(align_block_);
	LAUNCH((vllm::moe::moe_align_block_size_small_batch_expert_kernel<I>), R(const I *, int32_t *, int32_t *, int32_t *, int32_t, int32_t, size_t, int32_t), 1,
	       64, p, sorted, expert, total, experts, block, slots, places);
	sorted = upload(std::vector<int32_t>(places, slots));
	arm(align_slot_);
	LAUNCH((vllm::moe::moe_align_block_size_kernel<I, int32_t>), R(I *, int32_t *, int32_t *, int32_t *, int32_t, int32_t, size_t), 1, 64, p, sorted, expert,
	       total, experts, block, slots);
	int32_t *begins = empty<int32_t>(experts + 1);
	arm(align_total_);
	LAUNCH((vllm::moe::moe_align_block_size_kernel<I>),
	       R(const I *, int32_t *, int32_t *, int32_t *, int32_t, int32_t, int32_t, int32_t, size_t, int32_t *, int32_t), 1, 64, p, sorted, expert, total, experts,
	       (experts + 31) / 32 * 32, 32, block, slots, begins, places);
	arm(sort_twice_);
	LAUNCH((vllm::moe::count_and_sort_expert_tokens_kernel<I>), R(const I *, int32_t *, int32_t *, size_t, int32_t), 2, 64, p, sorted, begins, slots, experts);
}

template <int E>
static void old_routings(int rows, int k)
{
	float *x = numbers<float>(rows * E, 3), *weights = empty<float>(rows * k), *p = numbers<float>(rows * 60, 1);
	int *chosen = empty<int>(rows * k), *source = empty<int>(rows * k);
	int64_t *wide = empty<int64_t>(rows * k);

	ARM_AGAIN(topk_weights_);
	LAUNCH((vllm::moe::topkGatingSoftmax<4, E, 4, 16>), R(const float *, const bool *, float *, int, int *, int *, int, int, int), (rows + 127) / 128,
	       dim3(32, 4), x, nullptr, weights, rows, chosen, source, k, 0, E);
	ARM_AGAIN(topk_expert_);
	LAUNCH((vllm::moe::topkGatingSoftmax<4, E, 4, 16, int64_t>), R(const float *, const bool *, float *, int, int64_t *, int *, int, int, int),
	       (rows + 127) / 128, dim3(32, 4), x, nullptr, weights, rows, wide, source, k, 0, E);
	ARM_AGAIN(topk_order_);
	LAUNCH((vllm::moe::moeTopK<256>), R(const float *, const bool *, float *, int *, int *, int, int, int, int), rows, 32, p, nullptr, weights, chosen,
	       source, 60, k, 0, 60);
}

/* Outputs that their caller has filled. */
template <class I>
static void old_alignments(int tokens, int k, int experts, int block)
{
	int slots = tokens * k, places = slots + experts * (block - 1);
	std::vector<I> ids(slots);

	for (int i = 0; i < slots; i++)
		ids[i] = (I)((noise() + 1) / 2 * (experts - 1));
	I *p = upload(ids);
	int32_t *expert = empty<int32_t>((places + block - 1) / block), *total = empty<int32_t>(1), *begins = empty<int32_t>(experts + 1);
	int32_t *counts = empty<int32_t>(experts * 65);
	std::vector<int32_t> padding(places, slots);

	ARM_AGAIN(align_block_);
	LAUNCH((vllm::moe_align_block_size_kernel<I>), R(I *, int32_t *, int32_t *, int32_t *, int32_t, int32_t, size_t), 1, 64, p, upload(padding), expert, total,
	       experts, block, slots);
	ARM_AGAIN(align_slot_);
	LAUNCH((vllm::moe::moe_align_block_size_global_mem_kernel<I>),
	       R(I *, int32_t *, int32_t *, int32_t *, int32_t, int32_t, size_t, int32_t *, int32_t *), 1, 64, p, upload(padding), expert, total, experts, block,
	       slots, counts, begins);
	ARM_AGAIN(align_block_);
	LAUNCH((vllm::moe::sgl_moe_align_block_size_kernel<I>), R(I *, int32_t *, int32_t *, int32_t *, int32_t, int32_t, size_t, int32_t *), 1, 64, p,
	       upload(padding), expert, total, experts, block, slots, begins);
	ARM_AGAIN(align_slot_);
	LAUNCH((vllm::moe::moe_align_block_size_small_batch_expert_kernel<I>), R(const I *, int32_t *, int32_t *, int32_t *, int32_t, int32_t, size_t), 1, 64, p,
	       upload(padding), expert, total, experts, block, slots);
	ARM_AGAIN(align_total_);
	LAUNCH((vllm::moe::moe_align_block_size_kernel<I>),
	       R(const I *, int32_t *, int32_t *, int32_t *, int32_t, int32_t, int32_t, int32_t, size_t, int32_t *), 1, 64, p, upload(padding), expert, total,
	       experts, (experts + 31) / 32 * 32, 32, block, slots, begins);
}

template <class T, int K>
static void sums(int rows, int d)
{
	arm(sum_expert_);
	LAUNCH((vllm::moe::moe_sum_kernel<T, K>), R(T *, const T *, int), rows, 64, empty<T>(rows * d), numbers<T>(rows * K * d, 2), d);
}

template <class T>
static void plain_types(void)
{
	norms<T>(5, 256);
	norms<T>(2, 1032);
	activations<T>(3, 200);
	quantisations<T>(4, 160);
	ropes<T, true>(9, 4, 2, 64, 64);
	ropes<T, false>(5, 3, 1, 32, 16);
	sums<T, 3>(4, 96);
}

int main(int argc, char **argv)
{
	bool met = true;

	for (int i = 1; argc > 1 && i < N_DEFECTS; i++)
		wanted[i] = strcmp(argv[1], defects[i].name) == 0 || strcmp(argv[1], "all") == 0;
	all_wanted = argc > 1 && strcmp(argv[1], "all") == 0;
	plain_types<c10::BFloat16>();
	plain_types<c10::Half>();
	plain_types<float>();
	old_norms<c10::BFloat16>(3, 128);
	caches<__nv_bfloat16, __nv_bfloat16, kv_type::kAuto>(20, 2, 64);
	caches<uint16_t, uint16_t, kv_type::kAuto>(11, 3, 32);
	caches<float, float, kv_type::kAuto>(4, 1, 16);
	caches<uint16_t, uint8_t, kv_type::kFp8E4M3>(13, 2, 64);
	caches<__nv_bfloat16, uint8_t, kv_type::kFp8E5M2>(9, 2, 32);
	old_caches<uint16_t>(9, 2, 32);
	old_caches<__nv_bfloat16>(5, 1, 64);
	attentions<__nv_bfloat16, __nv_bfloat16, kv_type::kAuto, 64>(4, 2, false);
	attentions<uint16_t, uint16_t, kv_type::kAuto, 32>(4, 1, true);
	attentions<float, float, kv_type::kAuto, 32>(2, 2, false);
	attentions<uint16_t, uint8_t, kv_type::kFp8E4M3, 64>(2, 1, false);
	routings<8, int>(70, 2);
	routings<64, int64_t>(9, 6);
	alignments<int>(37, 2, 8, 16);
	alignments<int64_t>(5, 3, 60, 4);
	old_quantisations<c10::BFloat16>(4, 160);
	old_quantisations<c10::Half>(3, 64);
	old_routings<8>(70, 2);
	old_routings<32>(9, 5);
	old_alignments<int>(37, 2, 8, 16);
	old_alignments<int64_t>(5, 3, 60, 4);
	must(cudaDeviceSynchronize());
	for (int i = 1; i < N_DEFECTS; i++)
		met = met && !wanted[i];
	printf("%d launches\n", launched);
	return met ? 0 : 1;
}
