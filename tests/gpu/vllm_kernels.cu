/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels with the names, template arguments and parameter lists of vLLM's (spec/kernels/vllm-*.kd say which versions), written anew, plainly and for no
 * speed: most have every thread do by itself what it needs, or one thread of a block everything. vllm_defect makes one of them wrong.
 */
#include <cfloat>
#include <type_traits>

#include "tests/gpu/vllm_types.h"

enum vllm_defect_name {
	NONE,
#define DEFECT(name, kernel) name##_,
#include "tests/gpu/vllm_defects.def"
#undef DEFECT
};

__device__ int vllm_defect;
#define WRONG(name) (vllm_defect == name##_)

namespace vllm {

enum class Fp8KVCacheDataType { kAuto = 0, kFp8E4M3 = 1, kFp8E5M2 = 2 };

template <class T> struct _typeConvert { static constexpr bool exists = true; };
template <> struct _typeConvert<float> { static constexpr bool exists = false; };

/* ---- norms ------------------------------------------------------------ */

template <class T>
__device__ float rstd_of(const T *x, int n, float eps)
{
	float sum = 0;

	for (int i = 0; i < n; i++)
		sum += (float)x[i] * (float)x[i];
	return 1.0f / sqrtf(sum / n + (WRONG(eps) ? 100 * eps : eps));
}

template <class T>
__device__ T normed(T x, float rstd, T weight)
{
	return WRONG(no_weight) ? T((float)x * rstd) : times(T((float)x * rstd), weight);
}

template <typename scalar_t>
__global__ void rms_norm_kernel(scalar_t *out, const scalar_t *input, const int64_t input_stride, const scalar_t *weight, const float epsilon,
				const int num_tokens, const int hidden_size)
{
	const scalar_t *row = input + blockIdx.x * input_stride;
	float rstd = rstd_of(row, hidden_size, epsilon);

	(void)num_tokens;
	for (int i = threadIdx.x; i < hidden_size; i += blockDim.x)
		out[(int64_t)blockIdx.x * hidden_size + i] = normed(row[i], rstd, weight[i]);
}

/* Until 0.9. */
template <typename scalar_t>
__global__ void rms_norm_kernel(scalar_t *out, const scalar_t *input, const scalar_t *weight, const float epsilon, const int num_tokens,
				const int hidden_size)
{
	const scalar_t *row = input + (int64_t)blockIdx.x * hidden_size;
	float rstd = rstd_of(row, hidden_size, epsilon);

	(void)num_tokens;
	for (int i = threadIdx.x; i < hidden_size; i += blockDim.x)
		out[(int64_t)blockIdx.x * hidden_size + i] = normed(row[i], rstd, weight[i]);
}

template <class T>
__device__ void add_and_norm(T *row, T *residual, const T *weight, float eps, int n)
{
	float rstd;

	for (int i = 0; i < n; i++)
		row[i] = WRONG(no_residual) ? row[i] : plus(row[i], residual[i]);
	for (int i = 0; i < n && !WRONG(residual_not_stored); i++)
		residual[i] = row[i];
	rstd = rstd_of(row, n, eps);
	for (int i = 0; i < n; i++)
		row[i] = normed(row[i], rstd, weight[i]);
}

/* Two templates of one name: with vectors, and without. */
template <typename scalar_t, int width>
__global__ std::enable_if_t<(width > 0) && _typeConvert<scalar_t>::exists>
fused_add_rms_norm_kernel(scalar_t *input, const int64_t input_stride, scalar_t *residual, const scalar_t *weight, const float epsilon,
			  const int num_tokens, const int hidden_size)
{
	(void)num_tokens;
	if (threadIdx.x == 0)
		add_and_norm(input + blockIdx.x * input_stride, residual + (int64_t)blockIdx.x * hidden_size, weight, epsilon, hidden_size);
}

template <typename scalar_t, int width>
__global__ std::enable_if_t<(width == 0) || !_typeConvert<scalar_t>::exists>
fused_add_rms_norm_kernel(scalar_t *input, const int64_t input_stride, scalar_t *residual, const scalar_t *weight, const float epsilon,
			  const int num_tokens, const int hidden_size)
{
	(void)num_tokens;
	if (threadIdx.x == 0)
		add_and_norm(input + blockIdx.x * input_stride, residual + (int64_t)blockIdx.x * hidden_size, weight, epsilon, hidden_size);
}

/* Until 0.9. */
template <typename scalar_t, int width>
__global__ std::enable_if_t<(width > 0) && _typeConvert<scalar_t>::exists>
fused_add_rms_norm_kernel(scalar_t *input, scalar_t *residual, const scalar_t *weight, const float epsilon, const int num_tokens, const int hidden_size)
{
	int64_t row = (int64_t)blockIdx.x * hidden_size;

	(void)num_tokens;
	if (threadIdx.x == 0)
		add_and_norm(input + row, residual + row, weight, epsilon, hidden_size);
}

/* ---- rotary embedding ------------------------------------------------- */

struct rotation { int64_t position, stride, head_stride; int rot, heads; bool neox; };

template <class T>
__device__ void rotate(T *x, const T *table, const struct rotation &r)
{
	const T *cosines = table + (r.position + (WRONG(rope_position) ? 1 : 0)) * r.rot, *sines = cosines + r.rot / 2;

	for (int i = threadIdx.x; i < r.heads * r.rot / 2; i += blockDim.x) {
		int j = i % (r.rot / 2);
		T *head = x + blockIdx.x * r.stride + i / (r.rot / 2) * r.head_stride;
		T *first = head + (r.neox ? j : 2 * j), *second = head + (r.neox ? j + r.rot / 2 : 2 * j + 1);
		T a = WRONG(rope_halves) ? *second : *first, b = WRONG(rope_halves) ? *first : *second;

		*first = minus(times(a, cosines[j]), times(b, sines[j]));
		*second = plus(times(b, cosines[j]), times(a, sines[j]));
	}
}

template <typename scalar_t, bool IS_NEOX>
__global__ void rotary_embedding_kernel(const int64_t *positions, scalar_t *query, scalar_t *key, const scalar_t *cos_sin_cache, const int rot_dim,
					const int64_t query_stride, const int64_t key_stride, const int64_t head_stride, const int num_heads,
					const int num_kv_heads, const int head_size)
{
	(void)head_size;
	rotate(query, cos_sin_cache, { positions[blockIdx.x], query_stride, head_stride, rot_dim, num_heads, IS_NEOX });
	if (key)
		rotate(key, cos_sin_cache, { positions[blockIdx.x], key_stride, head_stride, rot_dim, num_kv_heads, IS_NEOX });
}

/* Until 0.8. */
template <typename scalar_t, bool IS_NEOX>
__global__ void rotary_embedding_kernel(const int64_t *positions, scalar_t *query, scalar_t *key, const scalar_t *cos_sin_cache, const int rot_dim,
					const int64_t query_stride, const int64_t key_stride, const int num_heads, const int num_kv_heads,
					const int head_size)
{
	rotate(query, cos_sin_cache, { positions[blockIdx.x], query_stride, head_size, rot_dim, num_heads, IS_NEOX });
	rotate(key, cos_sin_cache, { positions[blockIdx.x], key_stride, head_size, rot_dim, num_kv_heads, IS_NEOX });
}

template <typename scalar_t, bool IS_NEOX>
__global__ void batched_rotary_embedding_kernel(const int64_t *positions, scalar_t *query, scalar_t *key, const scalar_t *cos_sin_cache,
						const int64_t *cos_sin_cache_offsets, const int rot_dim, const int64_t query_stride,
						const int64_t key_stride, const int64_t head_stride, const int num_heads, const int num_kv_heads,
						const int head_size)
{
	int64_t at = positions[blockIdx.x] + (WRONG(rope_no_offset) ? 0 : cos_sin_cache_offsets[blockIdx.x]);

	(void)head_size;
	rotate(query, cos_sin_cache, { at, query_stride, head_stride, rot_dim, num_heads, IS_NEOX });
	rotate(key, cos_sin_cache, { at, key_stride, head_stride, rot_dim, num_kv_heads, IS_NEOX });
}

/* Until 0.8. */
template <typename scalar_t, bool IS_NEOX>
__global__ void batched_rotary_embedding_kernel(const int64_t *positions, scalar_t *query, scalar_t *key, const scalar_t *cos_sin_cache,
						const int64_t *cos_sin_cache_offsets, const int rot_dim, const int64_t query_stride,
						const int64_t key_stride, const int num_heads, const int num_kv_heads, const int head_size)
{
	int64_t at = positions[blockIdx.x] + (WRONG(rope_no_offset) ? 0 : cos_sin_cache_offsets[blockIdx.x]);

	rotate(query, cos_sin_cache, { at, query_stride, head_size, rot_dim, num_heads, IS_NEOX });
	rotate(key, cos_sin_cache, { at, key_stride, head_size, rot_dim, num_kv_heads, IS_NEOX });
}

/* ---- activations ------------------------------------------------------ */

template <typename T> __device__ T silu_kernel(const T &x) { return T((float)x / (1 + expf(-(float)x))); }
template <typename T> __device__ T gelu_kernel(const T &x) { return T((float)x * 0.5f * (1 + erff((float)x * 0.70710678f))); }
template <typename T>
__device__ T gelu_tanh_kernel(const T &x)
{
	float f = x;

	return T(0.5f * f * (1 + tanhf(0.79788456f * (f + 0.044715f * f * f * f))));
}
template <typename T>
__device__ T gelu_new_kernel(const T &x)
{
	T cube = times(times(x, x), x), t = T(tanhf((float)T(0.79788456f * (float)plus(x, T(0.044715f * (float)cube)))));

	return times(times(T(WRONG(gelu_constant) ? 0.45f : 0.5f), x), plus(T(1.0f), t));
}
template <typename T>
__device__ T gelu_fast_kernel(const T &x)
{
	T a = plus(T(1.0f), times(T(0.044715f * (float)x), x)), t = T(tanhf((float)times(T((float)x * 0.79788456f), a)));

	return times(times(T(0.5f), x), plus(T(1.0f), t));
}
template <typename T> __device__ T gelu_quick_kernel(const T &x) { return T((float)x / (1 + expf(-1.702f * (float)x))); }
template <typename T> __device__ T fatrelu_kernel(const T &x, const float threshold) { return T((float)x > threshold ? (float)x : 0); }
template <typename T>
__device__ T swigluoai_and_mul(const T &gate, const T &up, float alpha, float limit)
{
	float g = fminf(gate, limit), u = WRONG(limit) ? (float)up : fmaxf(-limit, fminf(up, limit));

	return T((u + 1) * (g / (1 + expf(-g * alpha))));
}

template <typename scalar_t, scalar_t (*ACT_FN)(const scalar_t &), bool act_first>
__global__ void act_and_mul_kernel(scalar_t *out, const scalar_t *input, const int d)
{
	for (int64_t i = threadIdx.x; i < d; i += blockDim.x) {
		scalar_t x = input[(int64_t)blockIdx.x * 2 * d + i], y = input[(int64_t)blockIdx.x * 2 * d + d + i];
		bool first = act_first != WRONG(gate_up);

		out[(int64_t)blockIdx.x * d + i] = first ? times(ACT_FN(x), y) : times(x, ACT_FN(y));
	}
}

/* Until 0.6. */
template <typename scalar_t, scalar_t (*ACT_FN)(const scalar_t &)>
__global__ void act_and_mul_kernel(scalar_t *out, const scalar_t *input, const int d)
{
	for (int64_t i = threadIdx.x; i < d; i += blockDim.x) {
		int64_t gate = (int64_t)blockIdx.x * 2 * d + i + (WRONG(gate_up) ? d : 0), up = (int64_t)blockIdx.x * 2 * d + i + (WRONG(gate_up) ? 0 : d);

		out[(int64_t)blockIdx.x * d + i] = times(ACT_FN(input[gate]), input[up]);
	}
}

template <typename scalar_t, scalar_t (*ACT_FN)(const scalar_t &, const float)>
__global__ void act_and_mul_kernel_with_param(scalar_t *out, const scalar_t *input, const int d, const float param)
{
	for (int64_t i = threadIdx.x; i < d; i += blockDim.x)
		out[(int64_t)blockIdx.x * d + i] = times(ACT_FN(input[(int64_t)blockIdx.x * 2 * d + i], WRONG(threshold) ? 0 : param),
							 input[(int64_t)blockIdx.x * 2 * d + d + i]);
}

template <typename scalar_t, scalar_t (*ACT_FN)(const scalar_t &, const scalar_t &, const float, const float)>
__global__ void swigluoai_and_mul_kernel(scalar_t *out, const scalar_t *input, const int d, const float alpha, const float limit)
{
	for (int64_t i = threadIdx.x; i < d; i += blockDim.x) {
		const scalar_t *pair = input + 2 * ((int64_t)blockIdx.x * d + i);

		out[(int64_t)blockIdx.x * d + i] = ACT_FN(pair[0], pair[1], alpha, limit);
	}
}

template <typename scalar_t, scalar_t (*ACT_FN)(const scalar_t &)>
__global__ void activation_kernel(scalar_t *out, const scalar_t *input, const int d)
{
	for (int64_t i = threadIdx.x; i < d; i += blockDim.x)
		out[(int64_t)blockIdx.x * d + i] = ACT_FN(input[(int64_t)blockIdx.x * d + i]);
}

} // namespace vllm

#include "tests/gpu/vllm_kernels_cache.cu"
#include "tests/gpu/vllm_kernels_quantize.cu"
#include "tests/gpu/vllm_kernels_moe.cu"
#include "tests/gpu/vllm_kernels_old.cu"
