/* SPDX-License-Identifier: Apache-2.0 */
/* Part of vllm_kernels.cu: the paged cache, and attention over it. */
namespace vllm {

/* What a cache holds of a number, and the number that it holds. */
template <class C, Fp8KVCacheDataType kv>
__device__ void keep(C *p, float x, float scale)
{
	float q = WRONG(cache_scale) ? x : x / scale;

	if constexpr (kv == Fp8KVCacheDataType::kAuto)
		store(p, x);
	else
		*p = (C)(kv == Fp8KVCacheDataType::kFp8E4M3 ? e4m3_format::encode(q) : e5m2_format::encode(fminf(fmaxf(q, -57344), 57344)));
}

template <class C, Fp8KVCacheDataType kv>
__device__ float kept(C x, float scale)
{
	if constexpr (kv == Fp8KVCacheDataType::kAuto)
		return real(x);
	else
		return scale * (kv == Fp8KVCacheDataType::kFp8E4M3 ? e4m3_format::decode(x) : e5m2_format::decode(x));
}

struct paged { int64_t key_stride, value_stride; int heads, d, block, x; float k_scale, v_scale; };

template <class T, class C, Fp8KVCacheDataType kv>
__device__ void reshape(const T *key, const T *value, C *key_cache, C *value_cache, int64_t slot, const struct paged &p)
{
	int64_t page, at;

	if (slot < 0)
		return;
	slot += WRONG(slot) ? 1 : 0;
	page = slot / p.block;
	at = slot % p.block;
	for (int i = threadIdx.x; i < p.heads * p.d; i += blockDim.x) {
		int64_t head = page * p.heads + i / p.d;
		int c = i % p.d;

		keep<C, kv>(key_cache + ((head * (p.d / p.x) + c / p.x) * p.block + at) * p.x + c % p.x, real(key[blockIdx.x * p.key_stride + i]),
			    p.k_scale);
		keep<C, kv>(value_cache + (head * p.d + c) * p.block + at, real(value[blockIdx.x * p.value_stride + i]), p.v_scale);
	}
}

template <typename scalar_t, typename cache_t, Fp8KVCacheDataType kv_dt>
__global__ void reshape_and_cache_kernel(const scalar_t *key, const scalar_t *value, cache_t *key_cache, cache_t *value_cache, const int64_t *slot_mapping,
					 const int key_stride, const int value_stride, const int num_heads, const int head_size, const int block_size,
					 const int x, const float *k_scale, const float *v_scale)
{
	bool plain = kv_dt == Fp8KVCacheDataType::kAuto;

	reshape<scalar_t, cache_t, kv_dt>(key, value, key_cache, value_cache, slot_mapping[blockIdx.x],
					  { key_stride, value_stride, num_heads, head_size, block_size, x, plain ? 1 : *k_scale, plain ? 1 : *v_scale });
}

/* Until 0.6. */
template <typename scalar_t, typename cache_t, Fp8KVCacheDataType kv_dt>
__global__ void reshape_and_cache_kernel(const scalar_t *key, const scalar_t *value, cache_t *key_cache, cache_t *value_cache, const int64_t *slot_mapping,
					 const int key_stride, const int value_stride, const int num_heads, const int head_size, const int block_size,
					 const int x, const float k_scale, const float v_scale)
{
	reshape<scalar_t, cache_t, kv_dt>(key, value, key_cache, value_cache, slot_mapping[blockIdx.x],
					  { key_stride, value_stride, num_heads, head_size, block_size, x, k_scale, v_scale });
}

/* In 0.4, with one scale and a flag for fp8. */
template <typename scalar_t, typename cache_t, bool is_fp8_kv_cache>
__global__ void reshape_and_cache_kernel(const scalar_t *key, const scalar_t *value, cache_t *key_cache, cache_t *value_cache, const int64_t *slot_mapping,
					 const int key_stride, const int value_stride, const int num_heads, const int head_size, const int block_size,
					 const int x, const float kv_scale)
{
	reshape<scalar_t, cache_t, Fp8KVCacheDataType::kAuto>(key, value, key_cache, value_cache, slot_mapping[blockIdx.x],
							      { key_stride, value_stride, num_heads, head_size, block_size, x, kv_scale, kv_scale });
}

struct pages { int64_t block_stride, page_stride, head_stride, key_stride, value_stride; int heads, d, block; float k_scale, v_scale; };

template <class T, class C, Fp8KVCacheDataType kv>
__device__ void reshape_flash(const T *key, const T *value, C *key_cache, C *value_cache, int64_t slot, const struct pages &p)
{
	if (slot < 0)
		return;
	slot += WRONG(flash_slot) ? 1 : 0;
	for (int i = threadIdx.x; i < p.heads * p.d; i += blockDim.x) {
		int head = WRONG(flash_head) ? p.heads - 1 - i / p.d : i / p.d;
		int64_t at = slot / p.block * p.block_stride + slot % p.block * p.page_stride + head * p.head_stride + i % p.d;

		keep<C, kv>(key_cache + at, real(key[blockIdx.x * p.key_stride + i]), p.k_scale);
		keep<C, kv>(value_cache + at, real(value[blockIdx.x * p.value_stride + i]), p.v_scale);
	}
}

template <typename scalar_t, typename cache_t, Fp8KVCacheDataType kv_dt>
__global__ void reshape_and_cache_flash_kernel(const scalar_t *key, const scalar_t *value, cache_t *key_cache, cache_t *value_cache,
					       const int64_t *slot_mapping, const int64_t block_stride, const int64_t page_stride, const int64_t head_stride,
					       const int64_t key_stride, const int64_t value_stride, const int num_heads, const int head_size,
					       const int block_size, const float *k_scale, const float *v_scale)
{
	bool plain = kv_dt == Fp8KVCacheDataType::kAuto;

	reshape_flash<scalar_t, cache_t, kv_dt>(key, value, key_cache, value_cache, slot_mapping[blockIdx.x],
						{ block_stride, page_stride, head_stride, key_stride, value_stride, num_heads, head_size, block_size,
						  plain ? 1 : *k_scale, plain ? 1 : *v_scale });
}

/* Until 0.7; scales are numbers until 0.6. */
template <typename scalar_t, typename cache_t, Fp8KVCacheDataType kv_dt>
__global__ void reshape_and_cache_flash_kernel(const scalar_t *key, const scalar_t *value, cache_t *key_cache, cache_t *value_cache,
					       const int64_t *slot_mapping, const int block_stride, const int key_stride, const int value_stride,
					       const int num_heads, const int head_size, const int block_size, const float k_scale, const float v_scale)
{
	reshape_flash<scalar_t, cache_t, kv_dt>(key, value, key_cache, value_cache, slot_mapping[blockIdx.x],
						{ block_stride, num_heads * head_size, head_size, key_stride, value_stride, num_heads, head_size, block_size,
						  k_scale, v_scale });
}

/* In 0.4. */
template <typename scalar_t>
__global__ void reshape_and_cache_flash_kernel(const scalar_t *key, const scalar_t *value, scalar_t *k_cache, scalar_t *v_cache, const int64_t *slot_mapping,
					       const int block_stride, const int key_stride, const int value_stride, const int num_heads, const int head_size,
					       const int block_size)
{
	reshape_flash<scalar_t, scalar_t, Fp8KVCacheDataType::kAuto>(key, value, k_cache, v_cache, slot_mapping[blockIdx.x],
								     { block_stride, num_heads * head_size, head_size, key_stride, value_stride, num_heads,
								       head_size, block_size, 1, 1 });
}

/* ---- attention -------------------------------------------------------- */

/* What one head of one sequence attends to: keys [first, last). */
template <class T, class C>
struct view {
	const T *q;
	const C *k, *v;
	const int *table;
	int d, block, x, first, last, length;
	int64_t block_stride, head;	/* head: offset of the cache's head in a block */
	float scale, slope, k_scale, v_scale;
};

template <class T, class C, Fp8KVCacheDataType kv>
__device__ float logit(const view<T, C> &w, int j)
{
	const C *k = w.k + w.table[j / w.block] * w.block_stride + w.head;
	float sum = 0;

	for (int c = 0; c < w.d; c++)
		sum += real(w.q[c]) * kept<C, kv>(k[(int64_t)(c / w.x * w.block + j % w.block) * w.x + c % w.x], w.k_scale);
	return w.scale * sum + (WRONG(no_alibi) ? 0 : w.slope * (j - w.length + 1));
}

/* Element c of the output, and the largest logit and the sum of exponentials. */
template <class T, class C, Fp8KVCacheDataType kv>
__device__ float attend(const view<T, C> &w, int c, float *ret_max, float *ret_sum)
{
	float max = -FLT_MAX, sum = 0, out = 0;

	for (int j = w.first; j < w.last; j++)
		max = fmaxf(max, logit<T, C, kv>(w, j));
	for (int j = w.first; j < w.last; j++) {
		float p = expf(logit<T, C, kv>(w, j) - max);

		sum += p;
		out += p * kept<C, kv>(w.v[w.table[j / w.block] * w.block_stride + w.head + (int64_t)c * w.block + j % w.block], w.v_scale);
	}
	*ret_max = max;
	*ret_sum = sum;
	return out / (sum + 1e-6f);
}

template <typename scalar_t, typename cache_t, int HEAD_SIZE, int BLOCK_SIZE, int NUM_THREADS, vllm::Fp8KVCacheDataType KV_DTYPE, bool IS_BLOCK_SPARSE>
__global__ void paged_attention_v1_kernel(scalar_t *out, const scalar_t *q, const cache_t *k_cache, const cache_t *v_cache, const int num_kv_heads,
					  const float scale, const int *block_tables, const int *seq_lens, const int max_num_blocks_per_seq,
					  const float *alibi_slopes, const int q_stride, const int kv_block_stride, const int kv_head_stride,
					  const float *k_scale, const float *v_scale, const int tp_rank, const int blocksparse_local_blocks,
					  const int blocksparse_vert_stride, const int blocksparse_block_size, const int blocksparse_head_sliding_step)
{
	bool plain = KV_DTYPE == Fp8KVCacheDataType::kAuto;
	int64_t head = blockIdx.x, seq = blockIdx.y;
	int length = seq_lens[seq], last = WRONG(last_key) ? length - 1 : length;
	view<scalar_t, cache_t> w = { q + seq * q_stride + head * HEAD_SIZE, k_cache, v_cache, block_tables + seq * max_num_blocks_per_seq, HEAD_SIZE,
				      BLOCK_SIZE, (int)(16 / sizeof(cache_t)), 0, last, length, kv_block_stride,
				      head / (gridDim.x / num_kv_heads) * kv_head_stride, scale, alibi_slopes ? alibi_slopes[head] : 0,
				      plain ? 1 : *k_scale, plain ? 1 : *v_scale };
	float max, sum;

	(void)tp_rank, (void)blocksparse_local_blocks, (void)blocksparse_vert_stride, (void)blocksparse_block_size, (void)blocksparse_head_sliding_step;
	for (int c = threadIdx.x; c < HEAD_SIZE; c += blockDim.x)
		store(out + (seq * gridDim.x + head) * HEAD_SIZE + c, attend<scalar_t, cache_t, KV_DTYPE>(w, c, &max, &sum));
}

/* Until 0.6, with scales that are numbers. */
template <typename scalar_t, typename cache_t, int HEAD_SIZE, int BLOCK_SIZE, int NUM_THREADS, vllm::Fp8KVCacheDataType KV_DTYPE, bool IS_BLOCK_SPARSE>
__global__ void paged_attention_v1_kernel(scalar_t *out, const scalar_t *q, const cache_t *k_cache, const cache_t *v_cache, const int num_kv_heads,
					  const float scale, const int *block_tables, const int *seq_lens, const int max_num_blocks_per_seq,
					  const float *alibi_slopes, const int q_stride, const int kv_block_stride, const int kv_head_stride,
					  const float k_scale, const float v_scale, const int tp_rank, const int blocksparse_local_blocks,
					  const int blocksparse_vert_stride, const int blocksparse_block_size, const int blocksparse_head_sliding_step)
{
	int64_t head = blockIdx.x, seq = blockIdx.y;
	view<scalar_t, cache_t> w = { q + seq * q_stride + head * HEAD_SIZE, k_cache, v_cache, block_tables + seq * max_num_blocks_per_seq, HEAD_SIZE,
				      BLOCK_SIZE, (int)(16 / sizeof(cache_t)), 0, seq_lens[seq] - (WRONG(last_key) ? 1 : 0), seq_lens[seq], kv_block_stride,
				      head / (gridDim.x / num_kv_heads) * kv_head_stride, scale, alibi_slopes ? alibi_slopes[head] : 0, k_scale, v_scale };
	float max, sum;

	(void)tp_rank, (void)blocksparse_local_blocks, (void)blocksparse_vert_stride, (void)blocksparse_block_size, (void)blocksparse_head_sliding_step;
	for (int c = threadIdx.x; c < HEAD_SIZE; c += blockDim.x)
		store(out + (seq * gridDim.x + head) * HEAD_SIZE + c, attend<scalar_t, cache_t, KV_DTYPE>(w, c, &max, &sum));
}

/* In 0.4, with one scale and a flag for fp8. */
template <typename scalar_t, typename cache_t, int HEAD_SIZE, int BLOCK_SIZE, int NUM_THREADS, bool IS_FP8_KV_CACHE>
__global__ void paged_attention_v1_kernel(scalar_t *out, const scalar_t *q, const cache_t *k_cache, const cache_t *v_cache, const int num_kv_heads,
					  const float scale, const int *block_tables, const int *seq_lens, const int max_num_blocks_per_seq,
					  const float *alibi_slopes, const int q_stride, const int kv_block_stride, const int kv_head_stride,
					  const float kv_scale)
{
	int64_t head = blockIdx.x, seq = blockIdx.y;
	view<scalar_t, cache_t> w = { q + seq * q_stride + head * HEAD_SIZE, k_cache, v_cache, block_tables + seq * max_num_blocks_per_seq, HEAD_SIZE,
				      BLOCK_SIZE, (int)(16 / sizeof(cache_t)), 0, seq_lens[seq] - (WRONG(last_key) ? 1 : 0), seq_lens[seq], kv_block_stride,
				      head / (gridDim.x / num_kv_heads) * kv_head_stride, scale, alibi_slopes ? alibi_slopes[head] : 0, kv_scale, kv_scale };
	float max, sum;

	for (int c = threadIdx.x; c < HEAD_SIZE; c += blockDim.x)
		store(out + (seq * gridDim.x + head) * HEAD_SIZE + c, attend<scalar_t, cache_t, Fp8KVCacheDataType::kAuto>(w, c, &max, &sum));
}

template <typename scalar_t, typename cache_t, int HEAD_SIZE, int BLOCK_SIZE, int NUM_THREADS, vllm::Fp8KVCacheDataType KV_DTYPE, bool IS_BLOCK_SPARSE,
	  int PARTITION_SIZE>
__global__ void paged_attention_v2_kernel(float *exp_sums, float *max_logits, scalar_t *tmp_out, const scalar_t *q, const cache_t *k_cache,
					  const cache_t *v_cache, const int num_kv_heads, const float scale, const int *block_tables, const int *seq_lens,
					  const int max_num_blocks_per_seq, const float *alibi_slopes, const int q_stride, const int kv_block_stride,
					  const int kv_head_stride, const float *k_scale, const float *v_scale, const int tp_rank,
					  const int blocksparse_local_blocks, const int blocksparse_vert_stride, const int blocksparse_block_size,
					  const int blocksparse_head_sliding_step)
{
	bool plain = KV_DTYPE == Fp8KVCacheDataType::kAuto;
	int64_t head = blockIdx.x, seq = blockIdx.y, part = (seq * gridDim.x + head) * gridDim.z + blockIdx.z;
	int length = seq_lens[seq], first = blockIdx.z * PARTITION_SIZE, last = first + PARTITION_SIZE < length ? first + PARTITION_SIZE : length;
	view<scalar_t, cache_t> w = { q + seq * q_stride + head * HEAD_SIZE, k_cache, v_cache, block_tables + seq * max_num_blocks_per_seq, HEAD_SIZE,
				      BLOCK_SIZE, (int)(16 / sizeof(cache_t)), first, last, length, kv_block_stride,
				      head / (gridDim.x / num_kv_heads) * kv_head_stride, WRONG(part_scale) ? 1.1f * scale : scale,
				      alibi_slopes ? alibi_slopes[head] : 0, plain ? 1 : *k_scale, plain ? 1 : *v_scale };

	(void)tp_rank, (void)blocksparse_local_blocks, (void)blocksparse_vert_stride, (void)blocksparse_block_size, (void)blocksparse_head_sliding_step;
	for (int c = threadIdx.x; c < HEAD_SIZE && first < length; c += blockDim.x) {
		float max, sum, x = attend<scalar_t, cache_t, KV_DTYPE>(w, c, &max, &sum);

		store(tmp_out + part * HEAD_SIZE + c, x);
		if (c == 0) {
			exp_sums[part] = WRONG(part_sum) ? 1.01f * sum : sum;
			max_logits[part] = max;
		}
	}
}

template <typename scalar_t, int HEAD_SIZE, int NUM_THREADS, int PARTITION_SIZE>
__global__ void paged_attention_v2_reduce_kernel(scalar_t *out, const float *exp_sums, const float *max_logits, const scalar_t *tmp_out, const int *seq_lens,
						 const int max_num_partitions)
{
	int64_t row = (int64_t)blockIdx.y * gridDim.x + blockIdx.x, first = row * max_num_partitions;
	int n = (seq_lens[blockIdx.y] + PARTITION_SIZE - 1) / PARTITION_SIZE - (WRONG(last_part) ? 1 : 0);
	float max = -FLT_MAX, sum = 0;

	for (int p = 0; p < n; p++)
		max = fmaxf(max, max_logits[first + p]);
	for (int p = 0; p < n; p++)
		sum += exp_sums[first + p] * expf(max_logits[first + p] - max);
	for (int c = threadIdx.x; c < HEAD_SIZE; c += blockDim.x) {
		float x = 0;

		for (int p = 0; p < n; p++)
			x += real(tmp_out[(first + p) * HEAD_SIZE + c]) * exp_sums[first + p] * expf(max_logits[first + p] - max);
		store(out + row * HEAD_SIZE + c, x / (sum + 1e-6f));
	}
}

} // namespace vllm
