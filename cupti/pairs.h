/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parameters of a function, written once as pairs (type, name, type, name...): its parameter list, the list that passes
 * them on, their texts and their values. At most ten pairs.
 */
#ifndef EKKA_CUPTI_PAIRS_H
#define EKKA_CUPTI_PAIRS_H

#define PAIRS_1(f, t, n, ...) f(t, n)
#define PAIRS_2(f, t, n, ...) f(t, n), PAIRS_1(f, __VA_ARGS__)
#define PAIRS_3(f, t, n, ...) f(t, n), PAIRS_2(f, __VA_ARGS__)
#define PAIRS_4(f, t, n, ...) f(t, n), PAIRS_3(f, __VA_ARGS__)
#define PAIRS_5(f, t, n, ...) f(t, n), PAIRS_4(f, __VA_ARGS__)
#define PAIRS_6(f, t, n, ...) f(t, n), PAIRS_5(f, __VA_ARGS__)
#define PAIRS_7(f, t, n, ...) f(t, n), PAIRS_6(f, __VA_ARGS__)
#define PAIRS_8(f, t, n, ...) f(t, n), PAIRS_7(f, __VA_ARGS__)
#define PAIRS_9(f, t, n, ...) f(t, n), PAIRS_8(f, __VA_ARGS__)
#define PAIRS_10(f, t, n, ...) f(t, n), PAIRS_9(f, __VA_ARGS__)
#define PAIRS_CHOOSE(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, name, ...) name
#define PAIRS(f, ...)                                                                                                               \
	PAIRS_CHOOSE(__VA_ARGS__, PAIRS_10, , PAIRS_9, , PAIRS_8, , PAIRS_7, , PAIRS_6, , PAIRS_5, , PAIRS_4, , PAIRS_3, , PAIRS_2, , \
		     PAIRS_1, , )(f, __VA_ARGS__, )

#define PAIR_PARAMETER(t, n) t n
#define PAIR_NAME(t, n) n
#define PAIR_INFO(t, n) { #n, #t }
/* Integers narrower than an address, size_t among them, are numbers, all else is an address or a handle. */
#define PAIR_VALUE(t, n)                                                                                                            \
	{ .kind = _Generic((n), int: EKKA_V_INT, unsigned: EKKA_V_INT, unsigned char: EKKA_V_INT, unsigned short: EKKA_V_INT,         \
			   size_t: EKKA_V_INT, default: EKKA_V_PTR), .u = (uintptr_t)(n) }

#endif
