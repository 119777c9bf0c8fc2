/* SPDX-License-Identifier: Apache-2.0 */
/* The interval map against an array with one entry a byte. */
#include <criterion/criterion.h>
#include <string.h>

#include "replay/interval.h"

enum { BYTES = 200, ROUNDS = 3000 };

static uint64_t state = 7;

static unsigned draw(unsigned below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % below;
}

struct copy { uint64_t byte[BYTES]; uint64_t last_end; };

static int take(void *arg, const struct ekka_interval *piece)
{
	struct copy *c = arg;

	cr_assert_geq(piece->start, c->last_end, "pieces overlap or are out of order");
	cr_assert_lt(piece->start, piece->end);
	c->last_end = piece->end;
	for (uint64_t i = piece->start; i < piece->end; i++)
		c->byte[i] = piece->value;
	return 0;
}

Test(interval, agrees_with_an_array)
{
	struct ekka_interval_map map = { 0 };
	uint64_t expected[BYTES] = { 0 };

	for (unsigned round = 1; round <= ROUNDS; round++) {
		unsigned start = draw(BYTES), end = start + draw(BYTES - start + 1), from = draw(BYTES), to = from + draw(BYTES - from + 1);
		struct copy got = { .last_end = 0 };

		cr_assert_eq(ekka_interval_set(&map, start, end, round), 0);
		for (unsigned i = start; i < end; i++)
			expected[i] = round;
		cr_assert_eq(ekka_interval_each(&map, from, to, take, &got), 0);
		for (unsigned i = 0; i < BYTES; i++)
			cr_assert_eq(got.byte[i], i >= from && i < to ? expected[i] : 0, "byte %u in round %u", i, round);
		if (round % 500 == 0) {
			ekka_interval_release(&map);
			memset(expected, 0, sizeof(expected));
		}
	}
	ekka_interval_release(&map);
}

static int stop(void *arg, const struct ekka_interval *piece)
{
	(void)piece;
	return ++*(int *)arg == 2 ? 42 : 0;
}

Test(interval, stops_when_told)
{
	struct ekka_interval_map map = { 0 };
	int n = 0;

	for (uint64_t i = 0; i < 10; i++)
		cr_assert_eq(ekka_interval_set(&map, 10 * i, 10 * i + 5, i), 0);
	cr_assert_eq(ekka_interval_each(&map, 0, 100, stop, &n), 42);
	cr_assert_eq(n, 2);
	ekka_interval_release(&map);
}
