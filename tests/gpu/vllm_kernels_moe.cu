/* SPDX-License-Identifier: Apache-2.0 */
/* Part of vllm_kernels.cu: mixtures of experts. */
namespace vllm {
namespace moe {

/* A type that is named, never deduced: older versions have kernels without it. */
template <class T> struct named { typedef T type; };

/* The k largest of n numbers, the first of equal ones; `taken` is a bit for each. */
template <class I>
__device__ void choose(const float *p, int n, int k, float *weights, I *indices, int *source, int rows, int row)
{
	uint64_t taken[4] = { 0, 0, 0, 0 };

	for (int j = 0; j < k; j++) {
		int best = -1;

		for (int e = 0; e < n; e++)
			if (!(taken[e / 64] >> e % 64 & 1) && (best < 0 || p[e] > p[best]))
				best = e;
		taken[best / 64] |= (uint64_t)1 << best % 64;
		weights[j] = p[best];
		indices[j] = (I)best;
		source[j] = j * rows + row;
	}
}

/* At most 256 experts here. */
template <int NUM_EXPERTS, class I>
__device__ void route(const float *input, float *output, int num_rows, I *indices, int *source_rows, int k)
{
	int row = blockIdx.x * blockDim.x * blockDim.y + threadIdx.y * blockDim.x + threadIdx.x;
	float p[NUM_EXPERTS], max = -FLT_MAX, sum = 0, chosen = 0;

	if (row >= num_rows)
		return;
	for (int e = 0; e < NUM_EXPERTS; e++)
		max = fmaxf(max, input[row * NUM_EXPERTS + e]);
	for (int e = 0; e < NUM_EXPERTS; e++) {
		p[e] = expf(input[row * NUM_EXPERTS + e] - max);
		sum += p[e];
	}
	for (int e = 0; e < NUM_EXPERTS; e++)
		p[e] = p[e] * (1 / sum);
	choose(p, NUM_EXPERTS, k, output + row * k, indices + row * k, source_rows + row * k, num_rows, row);
	for (int j = 0; j < k; j++)
		chosen += output[row * k + j];
	for (int j = 0; j < k && WRONG(topk_weights); j++)
		output[row * k + j] /= chosen;
	if (WRONG(topk_expert) && row == 1)
		indices[row * k] = (I)((indices[row * k] + 1) % NUM_EXPERTS);
}

template <int VPT, int NUM_EXPERTS, int WARPS_PER_CTA, int BYTES_PER_LDG, int WARP_SIZE_PARAM, typename IndType>
__global__ void topkGatingSoftmax(const float *input, const bool *finished, float *output, const int num_rows, IndType *indices, int *source_rows, const int k,
				  const int start_expert, const int end_expert)
{
	(void)finished, (void)start_expert, (void)end_expert;
	route<NUM_EXPERTS>(input, output, num_rows, indices, source_rows, k);
}

template <int TPB>
__global__ void moeSoftmax(const float *input, const bool *finished, float *output, const int num_cols)
{
	const float *x = input + blockIdx.x * num_cols;
	int n = WRONG(softmax_column) ? num_cols - 1 : num_cols;
	float max = -FLT_MAX, sum = 0;

	(void)finished;
	for (int e = 0; e < n; e++)
		max = fmaxf(max, x[e]);
	for (int e = 0; e < n; e++)
		sum += expf(x[e] - max);
	for (int e = threadIdx.x; e < num_cols; e += blockDim.x)
		output[blockIdx.x * num_cols + e] = expf(x[e] - max) * (1 / sum);
}

template <int TPB, typename IndType>
__global__ void moeTopK(const float *inputs_after_softmax, const bool *finished, float *output, typename named<IndType>::type *indices, int *source_rows, const int num_experts,
			const int k, const int start_expert, const int end_expert)
{
	int row = blockIdx.x;

	(void)finished, (void)start_expert, (void)end_expert;
	if (threadIdx.x == 0)
		choose(inputs_after_softmax + row * num_experts + (WRONG(topk_order) ? 1 : 0), num_experts - (WRONG(topk_order) ? 1 : 0), k, output + row * k,
		       indices + row * k, source_rows + row * k, gridDim.x, row);
}

/* Until 0.8 the caller has filled the outputs; at most 64 experts here. */
template <class T>
__device__ void align(const T *ids, int *sorted, int *expert_ids, int *total, int experts, int block, size_t slots)
{
	int next[64], at = 0;

	for (int e = 0; e < experts; e++) {
		int n = 0;

		for (size_t i = 0; i < slots; i++)
			n += (int)ids[i] == e;
		next[e] = at;
		n = (n + block - 1) / block * block;
		for (int b = at / block; b < (at + n) / block; b++)
			expert_ids[b] = e;
		at += n;
	}
	if (WRONG(align_block))
		expert_ids[1] = experts - 1;
	*total = at;
	for (size_t i = 0; i < slots; i++)
		sorted[next[(int)ids[i]]++] = WRONG(align_slot) && i == slots / 2 ? (int)i - 1 : (int)i;
}

template <typename scalar_t>
__global__ void moe_align_block_size_small_batch_expert_kernel(const scalar_t *topk_ids, int32_t *sorted_token_ids, int32_t *expert_ids,
							       int32_t *total_tokens_post_pad, int32_t num_experts, int32_t block_size, size_t numel,
							       int32_t max_num_tokens_padded)
{
	if (threadIdx.x != 0)
		return;
	for (int i = 0; i < max_num_tokens_padded; i++)
		sorted_token_ids[i] = (int32_t)numel;
	align(topk_ids, sorted_token_ids, expert_ids, total_tokens_post_pad, num_experts, block_size, numel);
}

template <typename scalar_t, typename token_cnts_t>
__global__ void moe_align_block_size_kernel(scalar_t *topk_ids, int32_t *sorted_token_ids, int32_t *expert_ids, int32_t *total_tokens_post_pad,
					    int32_t num_experts, int32_t block_size, size_t numel)
{
	if (threadIdx.x == 0)
		align(topk_ids, sorted_token_ids, expert_ids, total_tokens_post_pad, num_experts, block_size, numel);
}

template <class T>
__device__ void begin_experts(const T *ids, int *expert_ids, int *total, int experts, int block, size_t slots, int *cumsum)
{
	cumsum[0] = 0;
	for (int e = 0; e < experts; e++) {
		int n = 0;

		for (size_t i = 0; i < slots; i++)
			n += (int)ids[i] == e;
		cumsum[e + 1] = cumsum[e] + (n + block - 1) / block * block;
		for (int b = cumsum[e] / block; b < cumsum[e + 1] / block; b++)
			expert_ids[b] = e;
	}
	*total = cumsum[experts] + (WRONG(align_total) ? block : 0);
}

/* Since 0.9: the first of two. */
template <typename scalar_t>
__global__ void moe_align_block_size_kernel(const scalar_t *topk_ids, int32_t *sorted_token_ids, int32_t *expert_ids, int32_t *total_tokens_post_pad,
					    int32_t num_experts, int32_t padded_num_experts, int32_t experts_per_warp, int32_t block_size, size_t numel,
					    int32_t *cumsum, int32_t max_num_tokens_padded)
{
	(void)padded_num_experts, (void)experts_per_warp;
	if (threadIdx.x != 0)
		return;
	for (int i = 0; i < max_num_tokens_padded; i++)
		sorted_token_ids[i] = (int32_t)numel;
	begin_experts(topk_ids, expert_ids, total_tokens_post_pad, num_experts, block_size, numel, cumsum);
}

template <typename scalar_t>
__global__ void count_and_sort_expert_tokens_kernel(const scalar_t *topk_ids, int32_t *sorted_token_ids, int32_t *cumsum_buffer, size_t numel, int32_t num_experts)
{
	(void)num_experts;
	for (size_t i = 0; i < numel && blockIdx.x == 0 && threadIdx.x == 0; i++)
		sorted_token_ids[cumsum_buffer[(int)topk_ids[i]]++] = WRONG(sort_twice) && i == numel / 2 ? (int32_t)i + 1 : (int32_t)i;
}

template <typename scalar_t, int TOPK>
__global__ void moe_sum_kernel(scalar_t *out, const scalar_t *input, const int d)
{
	for (int64_t i = threadIdx.x; i < d; i += blockDim.x) {
		scalar_t x = scalar_t(0.0f);

		for (int k = 0; k < TOPK - (WRONG(sum_expert) ? 1 : 0); k++)
			x = plus(x, input[((int64_t)blockIdx.x * TOPK + k) * d + i]);
		out[(int64_t)blockIdx.x * d + i] = x;
	}
}

} // namespace moe
} // namespace vllm
