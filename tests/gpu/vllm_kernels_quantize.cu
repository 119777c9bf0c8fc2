/* SPDX-License-Identifier: Apache-2.0 */
/* Part of vllm_kernels.cu: quantisation. */
namespace vllm {

template <class T>
__device__ float largest(const T *x, int64_t n)
{
	float max = 0;

	for (int64_t i = 0; i < n; i++)
		max = fmaxf(max, fabsf((float)x[i]));
	return max;
}

/* *p becomes the larger one; blocks do it one after another. */
__device__ inline void raise(float *p, float x)
{
#ifdef __CUDA_ARCH__
	atomicMax((int *)p, __float_as_int(x));
#else
	*p = fmaxf(*p, x);
#endif
}

__device__ inline int8_t to_int8(float x) { return (int8_t)fminf(fmaxf(x, -128), 127); }

template <typename scalar_t, typename fp8_type>
__global__ void scaled_fp8_quant_kernel(fp8_type *out, const scalar_t *input, const float *scale, int64_t num_elems)
{
	float factor = WRONG(fp8_no_scale) ? 1 : 1 / *scale;

	for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < num_elems; i += gridDim.x * blockDim.x)
		out[i] = fp8_type((float)input[i] * factor);
}

/* Until 0.7. */
template <typename scalar_t>
__global__ void scaled_fp8_quant_kernel(c10::Float8_e4m3fn *out, const scalar_t *input, const float *scale, int64_t num_elems)
{
	for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < num_elems; i += gridDim.x * blockDim.x)
		out[i] = c10::Float8_e4m3fn((float)input[i] * (WRONG(fp8_no_scale) ? 1 : 1 / *scale));
}

template <typename scalar_t, typename fp8_type>
__global__ void segmented_max_reduction(float *scale, const scalar_t *input, int64_t num_elems)
{
	if (blockIdx.x == 0 && threadIdx.x == 0)
		raise(scale, largest(input, WRONG(fp8_amax) ? 1 : num_elems) / 448);
}

template <typename scalar_t, typename fp8_type>
__device__ void quantize_token(fp8_type *y, float *scale, const scalar_t *x, const float *scale_ub, int n)
{
	float max = largest(x, n), s = scale_ub && !WRONG(fp8_bound) ? fminf(max, *scale_ub) : max;

	s = fmaxf(s / (WRONG(fp8_token_scale) ? 440 : 448), 1 / (448 * 512.0f));
	*scale = s;
	for (int i = 0; i < n; i++)
		y[i] = fp8_type((float)x[i] / s);
}

template <typename scalar_t, typename fp8_type>
__global__ void dynamic_per_token_scaled_fp8_quant_kernel(fp8_type *out, float *scale, scalar_t const *input, float const *scale_ub, const int hidden_size)
{
	if (threadIdx.x == 0)
		quantize_token(out + (int64_t)blockIdx.x * hidden_size, scale + blockIdx.x, input + (int64_t)blockIdx.x * hidden_size, scale_ub, hidden_size);
}

template <typename scalar_t, typename fp8_type>
__global__ void scaled_fp8_quant_kernel_strided(fp8_type *out, const scalar_t *input, const float *scale, int hidden_size, int64_t in_row_stride,
						int64_t out_row_stride)
{
	int64_t row = WRONG(fp8_row) ? (blockIdx.x + 1) % gridDim.x : blockIdx.x;

	for (int i = threadIdx.x; i < hidden_size; i += blockDim.x)
		out[blockIdx.x * out_row_stride + i] = fp8_type((float)input[row * in_row_stride + i] * (1 / *scale));
}

template <typename scalar_t, typename fp8_type>
__global__ void segmented_max_reduction_strided(float *scale, const scalar_t *input, int hidden_size, int64_t in_row_stride, int64_t num_tokens)
{
	if (threadIdx.x == 0 && blockIdx.x < num_tokens)
		raise(scale, largest(input + blockIdx.x * in_row_stride, hidden_size) / (WRONG(fp8_strided_amax) ? 224 : 448));
}

template <typename scalar_t, typename fp8_type>
__global__ void scaled_fp8_quant_kernel_strided_dynamic(fp8_type *out, const scalar_t *input, const float *scale, int hidden_size, int64_t in_row_stride,
							int64_t out_row_stride)
{
	for (int i = threadIdx.x; i < hidden_size; i += blockDim.x)
		out[blockIdx.x * out_row_stride + i] = fp8_type((float)input[blockIdx.x * in_row_stride + i] * (1 / *scale));
}

template <typename scalar_t, typename fp8_type>
__global__ void dynamic_per_token_scaled_fp8_quant_kernel_strided(fp8_type *out, float *scale, const scalar_t *input, const float *scale_ub,
								  int hidden_size, int64_t in_row_stride, int64_t out_row_stride)
{
	if (threadIdx.x == 0)
		quantize_token(out + blockIdx.x * out_row_stride, scale + blockIdx.x, input + blockIdx.x * in_row_stride, scale_ub, hidden_size);
}

template <typename scalar_t, typename scale_t>
__global__ void static_scaled_int8_quant_kernel(const scalar_t *input, int8_t *output, const scale_t *scale_ptr, const int hidden_size)
{
	int64_t row = (int64_t)blockIdx.x * hidden_size;

	for (int i = threadIdx.x; i < hidden_size; i += blockDim.x) {
		float x = (float)input[row + i] / *scale_ptr;

		output[row + i] = to_int8(WRONG(int8_truncated) ? truncf(x) : rintf(x));
	}
}

template <typename scalar_t, typename scale_t, typename azp_t>
__global__ void static_scaled_int8_azp_quant_kernel(const scalar_t *input, int8_t *output, const scale_t *scale_ptr, const azp_t *azp_ptr, const int hidden_size)
{
	int64_t row = (int64_t)blockIdx.x * hidden_size;

	for (int i = threadIdx.x; i < hidden_size; i += blockDim.x)
		output[row + i] = to_int8(rintf((float)input[row + i] * (1 / *scale_ptr)) + (WRONG(int8_zero) ? 0 : *azp_ptr));
}

template <typename scalar_t, typename scale_t>
__global__ void dynamic_scaled_int8_quant_kernel(const scalar_t *input, int8_t *output, scale_t *scale_out, const int hidden_size)
{
	const scalar_t *x = input + (int64_t)blockIdx.x * hidden_size;
	float max = largest(x, hidden_size), range = WRONG(int8_range) ? 128 : 127;

	if (threadIdx.x == 0)
		scale_out[blockIdx.x] = max / range;
	for (int i = threadIdx.x; i < hidden_size; i += blockDim.x)
		output[(int64_t)blockIdx.x * hidden_size + i] = to_int8(rintf((float)x[i] * (range / max)));
}

template <typename scalar_t, typename scale_t, typename azp_t>
__global__ void dynamic_scaled_int8_azp_quant_kernel(const scalar_t *input, int8_t *output, scale_t *scale_out, azp_t *azp_out, const int hidden_size)
{
	const scalar_t *x = input + (int64_t)blockIdx.x * hidden_size;
	float low = x[0], high = x[0], s, zero;

	for (int i = 1; i < hidden_size; i++) {
		low = fminf(low, x[i]);
		high = fmaxf(high, x[i]);
	}
	s = (high - low) / 255;
	zero = rintf(-128 - low / s) + (WRONG(int8_zero_point) ? 1 : 0);
	if (threadIdx.x == 0) {
		scale_out[blockIdx.x] = s;
		azp_out[blockIdx.x] = (azp_t)zero;
	}
	for (int i = threadIdx.x; i < hidden_size; i += blockDim.x)
		output[(int64_t)blockIdx.x * hidden_size + i] = to_int8(rintf((float)x[i] * (1 / s)) + zero);
}

} // namespace vllm
