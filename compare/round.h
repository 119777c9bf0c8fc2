/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rounds to the nearest value of a narrower type, ties to even; for simulating what narrow arithmetic gives. NaN and infinities stay.
 * tf32 and bf16 have f32's range; f16 overflows to infinity and has subnormals.
 */
#ifndef EKKA_COMPARE_ROUND_H
#define EKKA_COMPARE_ROUND_H

float ekka_round_f16(float x);
float ekka_round_bf16(float x);
float ekka_round_tf32(float x);

#endif
