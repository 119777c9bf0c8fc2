/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/philox.h"

#include "compare/clones.h"

#define ROUNDS 10
#define MULTIPLIER_0 0xd2511f53u
#define MULTIPLIER_1 0xcd9e8d57u
#define WEYL_0 0x9e3779b9u
#define WEYL_1 0xbb67ae85u

/* All counters go through a round side by side, so that it is done in vectors. */
EKKA_CLONES static void one_round(size_t n, uint32_t key0, uint32_t key1, uint32_t x[restrict 4][EKKA_PHILOX_BLOCKS])
{
	for (size_t i = 0; i < n; i++) {
		uint64_t a = (uint64_t)MULTIPLIER_0 * x[0][i], b = (uint64_t)MULTIPLIER_1 * x[2][i];

		x[0][i] = (uint32_t)(b >> 32) ^ x[1][i] ^ key0;
		x[1][i] = (uint32_t)b;
		x[2][i] = (uint32_t)(a >> 32) ^ x[3][i] ^ key1;
		x[3][i] = (uint32_t)a;
	}
}

void ekka_philox(uint64_t key, size_t n, const uint64_t *low, const uint64_t *high, uint32_t ret[4][EKKA_PHILOX_BLOCKS])
{
	uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);

	for (size_t i = 0; i < n; i++) {
		ret[0][i] = (uint32_t)low[i];
		ret[1][i] = (uint32_t)(low[i] >> 32);
		ret[2][i] = (uint32_t)high[i];
		ret[3][i] = (uint32_t)(high[i] >> 32);
	}
	for (int r = 0; r < ROUNDS; r++, key0 += WEYL_0, key1 += WEYL_1)
		one_round(n, key0, key1, ret);
}
