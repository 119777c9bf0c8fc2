/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sum_product.h's work for 16-bit operands on processors with AMX: tiles of 16 rows times 16 vectors, about fifteen times as many multiplications a
 * second as AVX-512's. Pure functions; a call sets up the calling thread's tiles and releases them.
 *
 * Tiles multiply bf16 numbers, products are exact, sums are floats. A vector's float is taken as two bf16 numbers whose sum is off by 2^-18 of it at
 * most; an f16 element exactly as two, and the product of the two lower parts, at most 2^-16 of the whole, is left out. Sums run over EKKA_TILE_DEPTH
 * elements before they are added up in double. For typical sizes that makes the result's error, relative to the root of the products' summed squares, about
 * 2^-18.5 for bf16 and 2^-17.5 for f16. Subnormal bf16 numbers count as zeros.
 */
#ifndef EKKA_REPLAY_TILE_PRODUCT_H
#define EKKA_REPLAY_TILE_PRODUCT_H

#include "replay/matrix.h"

enum { EKKA_TILE_DEPTH = 256, EKKA_TILE_VECTORS = 16, EKKA_TILE_K = 32 };

/* Has this machine tiles, and may this process use them. Asks the kernel at the first call. */
bool ekka_tiles_there(void);

/* Of 16 bits, in memory, aligned, elements of a row one behind another. */
bool ekka_tile_product_can(const struct ekka_matrix *);

/* The vectors as tiles want them: how many 16-bit numbers that takes, `cols` elements long. */
size_t ekka_tiles_size(int64_t n_vectors, int64_t cols);
/*
 * Elements [k, k+nk) of all vectors, a vector a line of `ld` floats; k a multiple of EKKA_TILE_K, nk too except at the end of the vectors, which are filled up with
 * zeros.
 */
void ekka_tiles_pack(const float *lines, int64_t ld, int64_t n_vectors, int64_t k, int64_t nk, uint16_t *to);

/* out[r * stride + v] = row r0 + r of item b times vector v, r < nr, conjugation and all else but the elements left out. */
void ekka_tile_product(const struct ekka_matrix *, int64_t b, int64_t r0, int64_t nr, const uint16_t *packed, int64_t n_vectors, double *out, int64_t stride);

#endif
