/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Number types under the names that they have in vLLM's kernels, made of whole numbers and C's mathematics, so that the same text is right on a GPU and
 * on a host. Arithmetic rounds every result to the type, as c10's operators do.
 */
#ifndef EKKA_TESTS_GPU_VLLM_TYPES_H
#define EKKA_TESTS_GPU_VLLM_TYPES_H

#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define BOTH __host__ __device__
#else
#define BOTH
#endif

/* E bits of exponent, M of significand. `finite`: no infinities, a single NaN, and what is too large becomes the largest number. */
template <int E, int M, bool finite>
struct format {
	static constexpr int bias = (1 << (E - 1)) - 1;
	static constexpr unsigned infinite = ((1u << E) - 1) << M, largest = (1u << (E + M)) - 2, sign = 1u << (E + M);

	BOTH static unsigned encode(float value)
	{
		double a = fabs((double)value), r;
		unsigned s = std::signbit(value) ? sign : 0, bits;
		int e;

		if (value != value)
			return finite ? largest + 1 : infinite | 1u << (M - 1);
		if (a > 1e38)
			return s | (finite ? largest : infinite);
		frexp(a, &e);
		e = e - 1 < 1 - bias ? 1 - bias : e - 1;
		r = rint(ldexp(a, M - e));
		bits = r < (double)(1 << M) ? (unsigned)r : ((unsigned)(e + bias - 1) << M) + (unsigned)r;
		if (finite)
			return s | (bits > largest ? largest : bits);
		return s | (bits > infinite ? infinite : bits);
	}
	BOTH static float decode(unsigned bits)
	{
		unsigned low = bits & (sign - 1), e = low >> M, m = low & ((1u << M) - 1);
		double a = e == 0 ? ldexp((double)m, 1 - bias - M) : ldexp((double)(m + (1u << M)), (int)e - bias - M);

		if (finite ? low == largest + 1 : low > infinite)
			a = NAN;
		else if (!finite && low == infinite)
			a = INFINITY;
		return (float)(bits & sign ? -a : a);
	}
};
typedef format<5, 10, false> half_format;
typedef format<8, 7, false> bfloat_format;
typedef format<4, 3, true> e4m3_format;
typedef format<5, 2, false> e5m2_format;

template <class Bits, class Format>
struct number {
	Bits x;
	number() = default;
	BOTH number(float f) : x((Bits)Format::encode(f)) {}
	BOTH operator float() const { return Format::decode(x); }
};

namespace c10 {
struct Half : number<uint16_t, half_format> { using number::number; };
struct BFloat16 : number<uint16_t, bfloat_format> { using number::number; };
struct Float8_e4m3fn : number<uint8_t, e4m3_format> { using number::number; };
}
struct __nv_bfloat16 : number<uint16_t, bfloat_format> { using number::number; };

/* vLLM's caches: halves are called uint16_t, 8-bit numbers uint8_t. */
BOTH inline float real(float x) { return x; }
BOTH inline float real(__nv_bfloat16 x) { return x; }
BOTH inline float real(uint16_t x) { return half_format::decode(x); }
BOTH inline void store(float *p, float x) { *p = x; }
BOTH inline void store(__nv_bfloat16 *p, float x) { *p = x; }
BOTH inline void store(uint16_t *p, float x) { *p = (uint16_t)half_format::encode(x); }

/* Rounded sums, differences and products. */
template <class T> BOTH T plus(T a, T b) { return T((float)a + (float)b); }
template <class T> BOTH T minus(T a, T b) { return T((float)a - (float)b); }
template <class T> BOTH T times(T a, T b) { return T((float)a * (float)b); }

#endif
