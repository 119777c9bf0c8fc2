/* SPDX-License-Identifier: Apache-2.0 */
/* Part of vllm_kernels.cu: parameter lists of earlier versions that no other part has. */
namespace vllm {

/* In 0.4, with one scale and a flag for fp8. */
template <typename scalar_t, typename cache_t, int HEAD_SIZE, int BLOCK_SIZE, int NUM_THREADS, bool IS_FP8_KV_CACHE, int PARTITION_SIZE>
__global__ void paged_attention_v2_kernel(float *exp_sums, float *max_logits, scalar_t *tmp_out, const scalar_t *q, const cache_t *k_cache,
					  const cache_t *v_cache, const int num_kv_heads, const float scale, const int *block_tables, const int *context_lens,
					  const int max_num_blocks_per_seq, const float *alibi_slopes, const int q_stride, const int kv_block_stride,
					  const int kv_head_stride, const float kv_scale)
{
	int64_t head = blockIdx.x, seq = blockIdx.y, part = (seq * gridDim.x + head) * gridDim.z + blockIdx.z;
	int length = context_lens[seq], first = blockIdx.z * PARTITION_SIZE, last = first + PARTITION_SIZE < length ? first + PARTITION_SIZE : length;
	view<scalar_t, cache_t> w = { q + seq * q_stride + head * HEAD_SIZE, k_cache, v_cache, block_tables + seq * max_num_blocks_per_seq, HEAD_SIZE,
				      BLOCK_SIZE, (int)(16 / sizeof(cache_t)), first, last, length, kv_block_stride,
				      head / (gridDim.x / num_kv_heads) * kv_head_stride, WRONG(part_scale) ? 1.1f * scale : scale,
				      alibi_slopes ? alibi_slopes[head] : 0, kv_scale, kv_scale };

	for (int c = threadIdx.x; c < HEAD_SIZE && first < length; c += blockDim.x) {
		float max, sum, x = attend<scalar_t, cache_t, Fp8KVCacheDataType::kAuto>(w, c, &max, &sum);

		store(tmp_out + part * HEAD_SIZE + c, x);
		if (c == 0) {
			exp_sums[part] = sum;
			max_logits[part] = max;
		}
	}
}

/* Until 0.7. */
template <typename scalar_t>
__global__ void segmented_max_reduction(float *scale, const scalar_t *input, int64_t num_elems)
{
	if (blockIdx.x == 0 && threadIdx.x == 0)
		raise(scale, largest(input, WRONG(fp8_amax) ? 1 : num_elems) / 448);
}

template <typename scalar_t>
__global__ void dynamic_per_token_scaled_fp8_quant_kernel(c10::Float8_e4m3fn *out, float *scale, scalar_t const *input, float const *scale_ub,
							  const int hidden_size)
{
	if (threadIdx.x == 0)
		quantize_token(out + (int64_t)blockIdx.x * hidden_size, scale + blockIdx.x, input + (int64_t)blockIdx.x * hidden_size, scale_ub, hidden_size);
}

/* Until 0.6: the caller has filled the outputs. */
template <typename scalar_t>
__global__ void moe_align_block_size_kernel(scalar_t *topk_ids, int32_t *sorted_token_ids, int32_t *expert_ids, int32_t *total_tokens_post_pad,
					    int32_t num_experts, int32_t block_size, size_t numel)
{
	if (threadIdx.x == 0)
		moe::align(topk_ids, sorted_token_ids, expert_ids, total_tokens_post_pad, num_experts, block_size, numel);
}

namespace moe {

/* Until 0.8. */
template <int VPT, int NUM_EXPERTS, int WARPS_PER_CTA, int BYTES_PER_LDG>
__global__ void topkGatingSoftmax(const float *input, const bool *finished, float *output, const int num_rows, int *indices, int *source_rows, const int k,
				  const int start_expert, const int end_expert)
{
	(void)finished, (void)start_expert, (void)end_expert;
	route<NUM_EXPERTS>(input, output, num_rows, indices, source_rows, k);
}

/* In 0.9. */
template <int VPT, int NUM_EXPERTS, int WARPS_PER_CTA, int BYTES_PER_LDG, typename IndType>
__global__ void topkGatingSoftmax(const float *input, const bool *finished, float *output, const int num_rows, typename named<IndType>::type *indices,
				  int *source_rows, const int k, const int start_expert, const int end_expert)
{
	(void)finished, (void)start_expert, (void)end_expert;
	route<NUM_EXPERTS>(input, output, num_rows, indices, source_rows, k);
}

/* Until 0.8. */
template <int TPB>
__global__ void moeTopK(const float *inputs_after_softmax, const bool *finished, float *output, int *indices, int *source_rows, const int num_experts,
			const int k, const int start_expert, const int end_expert)
{
	int row = blockIdx.x, skipped = WRONG(topk_order) ? 1 : 0;

	(void)finished, (void)start_expert, (void)end_expert;
	if (threadIdx.x == 0)
		choose(inputs_after_softmax + row * num_experts + skipped, num_experts - skipped, k, output + row * k, indices + row * k, source_rows + row * k,
		       gridDim.x, row);
}

/* 0.7 and 0.8, with counts in global memory. */
template <typename scalar_t>
__global__ void moe_align_block_size_global_mem_kernel(scalar_t *topk_ids, int32_t *sorted_token_ids, int32_t *expert_ids, int32_t *total_tokens_post_pad,
						       int32_t num_experts, int32_t block_size, size_t numel, int32_t *tokens_cnts, int32_t *cumsum)
{
	(void)tokens_cnts, (void)cumsum;
	if (threadIdx.x == 0)
		align(topk_ids, sorted_token_ids, expert_ids, total_tokens_post_pad, num_experts, block_size, numel);
}

template <typename scalar_t>
__global__ void sgl_moe_align_block_size_kernel(scalar_t *topk_ids, int32_t *sorted_token_ids, int32_t *expert_ids, int32_t *total_tokens_post_pad,
						int32_t num_experts, int32_t block_size, size_t numel, int32_t *cumsum)
{
	(void)cumsum;
	if (threadIdx.x == 0)
		align(topk_ids, sorted_token_ids, expert_ids, total_tokens_post_pad, num_experts, block_size, numel);
}

/* In 0.9. */
template <typename scalar_t>
__global__ void moe_align_block_size_small_batch_expert_kernel(const scalar_t *topk_ids, int32_t *sorted_token_ids, int32_t *expert_ids,
							       int32_t *total_tokens_post_pad, int32_t num_experts, int32_t block_size, size_t numel)
{
	if (threadIdx.x == 0)
		align(topk_ids, sorted_token_ids, expert_ids, total_tokens_post_pad, num_experts, block_size, numel);
}

/* In 0.9: where the experts begin, and which blocks are whose. */
template <typename scalar_t>
__global__ void moe_align_block_size_kernel(const scalar_t *topk_ids, int32_t *sorted_token_ids, int32_t *expert_ids, int32_t *total_tokens_post_pad,
					    int32_t num_experts, int32_t padded_num_experts, int32_t experts_per_warp, int32_t block_size, size_t numel,
					    int32_t *cumsum)
{
	(void)sorted_token_ids, (void)padded_num_experts, (void)experts_per_warp;
	if (threadIdx.x == 0)
		begin_experts(topk_ids, expert_ids, total_tokens_post_pad, num_experts, block_size, numel, cumsum);
}

} // namespace moe
} // namespace vllm
