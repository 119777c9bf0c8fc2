/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one kernel of the shim: gathers the items of a pointer-array batch into one range. Block y takes items y,
 * y + gridDim.y, ...; the blocks along x share one item.
 */

typedef unsigned long long u64;

/* Words of type T, as wide as the alignment of source, destination and length allows. */
template <typename T> static __device__ void copy_words(char *dst, const char *src, u64 bytes)
{
	u64 n = bytes / sizeof(T), step = (u64)gridDim.x * blockDim.x;

	for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step)
		((T *)dst)[i] = src ? ((const T *)src)[i] : T{};
}

extern "C" __global__ void ekka_gather(char *dst, const char *const *pointers, u64 n, u64 span)
{
	for (u64 item = blockIdx.y; item < n; item += gridDim.y) {
		const char *src = pointers[item];
		char *to = dst + item * span;
		u64 bits = (u64)src | (u64)to | span;

		if (bits % 16 == 0)
			copy_words<uint4>(to, src, span);
		else if (bits % 4 == 0)
			copy_words<unsigned>(to, src, span);
		else
			copy_words<char>(to, src, span);
	}
}
