/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/format.h"

struct ekka_format ekka_format_of(enum ekka_dtype t)
{
	switch (t) {
	case EKKA_F64:
	case EKKA_C128: return (struct ekka_format){ 0x1p-53, 0x1p-1074, 0x1p-1022, 0x1.fffffffffffffp1023, INFINITY, false };
	case EKKA_F32:
	case EKKA_C64: return (struct ekka_format){ 0x1p-24, 0x1p-150, 0x1p-126, 0x1.fffffep127, 0x1.ffffffp127, false };
	case EKKA_F16: return (struct ekka_format){ 0x1p-11, 0x1p-25, 0x1p-14, 65504, 65520, false };
	case EKKA_BF16: return (struct ekka_format){ 0x1p-8, 0x1p-134, 0x1p-126, 0x1.fep127, 0x1.ffp127, false };
	case EKKA_E4M3: return (struct ekka_format){ 0x1p-4, 0x1p-10, 0x1p-6, 448, 464, true };
	case EKKA_E5M2: return (struct ekka_format){ 0x1p-3, 0x1p-17, 0x1p-14, 57344, 61440, false };
	default: return (struct ekka_format){ 0, 0, 0, INFINITY, INFINITY, false };
	}
}

double ekka_format_round(const struct ekka_format *f, double x, bool saturates)
{
	return ekka_round_to_format(f, x, saturates);
}
