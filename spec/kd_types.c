/* SPDX-License-Identifier: Apache-2.0 */
/* Element types by the names that C++ programs give them. */
#include "config.h"

#include "spec/kd.h"

#include <string.h>

/* Without blanks. From PyTorch's c10/util, CUTLASS's numeric_types.h and CUDA's headers. */
static const struct { const char *name; enum ekka_dtype t; } types[] = {
	{ "float", EKKA_F32 }, { "double", EKKA_F64 },
	{ "__half", EKKA_F16 }, { "half", EKKA_F16 }, { "c10::Half", EKKA_F16 }, { "at::Half", EKKA_F16 }, { "cutlass::half_t", EKKA_F16 },
	{ "__nv_bfloat16", EKKA_BF16 }, { "nv_bfloat16", EKKA_BF16 }, { "c10::BFloat16", EKKA_BF16 }, { "at::BFloat16", EKKA_BF16 },
	{ "cutlass::bfloat16_t", EKKA_BF16 },
	{ "c10::Float8_e4m3fn", EKKA_E4M3 }, { "__nv_fp8_e4m3", EKKA_E4M3 }, { "cutlass::float_e4m3_t", EKKA_E4M3 },
	{ "c10::Float8_e5m2", EKKA_E5M2 }, { "__nv_fp8_e5m2", EKKA_E5M2 }, { "cutlass::float_e5m2_t", EKKA_E5M2 },
	{ "c10::complex<float>", EKKA_C64 }, { "c10::complex<double>", EKKA_C128 },
	{ "thrust::complex<float>", EKKA_C64 }, { "thrust::complex<double>", EKKA_C128 },
	{ "cuda::std::complex<float>", EKKA_C64 }, { "cuda::std::complex<double>", EKKA_C128 },
	{ "std::complex<float>", EKKA_C64 }, { "std::complex<double>", EKKA_C128 },
	{ "short", EKKA_I16 }, { "int16_t", EKKA_I16 }, { "unsignedshort", EKKA_U16 }, { "uint16_t", EKKA_U16 }, { "bool", EKKA_U8 }, { "char", EKKA_I8 }, { "signedchar", EKKA_I8 }, { "int8_t", EKKA_I8 },
	{ "unsignedchar", EKKA_U8 }, { "uint8_t", EKKA_U8 },
	{ "int", EKKA_I32 }, { "int32_t", EKKA_I32 }, { "unsignedint", EKKA_U32 }, { "unsigned", EKKA_U32 }, { "uint32_t", EKKA_U32 },
	{ "long", EKKA_I64 }, { "longlong", EKKA_I64 }, { "int64_t", EKKA_I64 },
	{ "unsignedlong", EKKA_U64 }, { "unsignedlonglong", EKKA_U64 }, { "uint64_t", EKKA_U64 },
};

bool kd_text_same(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (*a == ' ')
			a++;
		while (*b == ' ')
			b++;
		if (*a != *b)
			return false;
		if (!*a)
			return true;
	}
}

bool kd_dtype(const char *name, enum ekka_dtype *ret)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (kd_text_same(name, types[i].name)) {
			*ret = types[i].t;
			return true;
		}
	}
	return ekka_dtype_from_name(name, ret) == 0;
}

/* c10/core/ScalarType.h; quantised, sub-byte and other 8-bit types have no counterpart here. */
bool kd_scalar_type(int64_t n, enum ekka_dtype *ret)
{
	static const struct { int64_t n; enum ekka_dtype t; } scalars[] = {
		{ 0, EKKA_U8 }, { 1, EKKA_I8 }, { 2, EKKA_I16 }, { 3, EKKA_I32 }, { 4, EKKA_I64 }, { 5, EKKA_F16 }, { 6, EKKA_F32 }, { 7, EKKA_F64 },
		{ 9, EKKA_C64 }, { 10, EKKA_C128 }, { 11, EKKA_U8 }, { 15, EKKA_BF16 }, { 23, EKKA_E5M2 }, { 24, EKKA_E4M3 },
		{ 27, EKKA_U16 }, { 28, EKKA_U32 }, { 29, EKKA_U64 },
	};

	for (size_t i = 0; i < sizeof(scalars) / sizeof(*scalars); i++) {
		if (scalars[i].n == n) {
			*ret = scalars[i].t;
			return true;
		}
	}
	return false;
}
