/* SPDX-License-Identifier: Apache-2.0 */
/* What a sample takes, and whether it misses as often as it says. */
#include <criterion/criterion.h>
#include <math.h>

#include "replay/sample.h"

Test(sample, takes_its_fraction_and_the_same_events_again)
{
	for (double fraction = 0; fraction <= 1; fraction += 0.125) {
		uint64_t n = 0, same = 0;

		for (uint64_t e = 1; e <= 100000; e++) {
			bool taken = ekka_sample_takes(7, e, fraction);

			n += taken;
			same += taken == ekka_sample_takes(8, e, fraction);
			cr_assert_eq(taken, ekka_sample_takes(7, e, fraction));
		}
		cr_expect(fabs((double)n - 1e5 * fraction) <= 5 * sqrt(1e5 * fraction * (1 - fraction)), "%g: %llu", fraction, (unsigned long long)n);
		cr_expect(fraction == 0 || fraction == 1 || same < 90000, "another seed takes others");
	}
}

/* Against counting: b random events of N are bad, how often is none of them taken. */
Test(sample, misses_as_often_as_it_says)
{
	enum { N = 200, SEEDS = 20000 };

	for (uint64_t bad = 1; bad <= 16; bad *= 4) {
		double said = 0, missed = 0;

		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			uint64_t taken = 0;
			bool seen = false;

			for (uint64_t e = 1; e <= N; e++) {
				bool t = ekka_sample_takes(seed, e, 0.2);

				taken += t;
				seen |= t && e % (N / bad) == 0 && e / (N / bad) <= bad;
			}
			missed += !seen;
			said += ekka_sample_miss(N, taken, bad);
		}
		cr_expect(fabs(missed - said) <= 5 * sqrt(said + 1), "%llu bad: missed %g of %d, said %g", (unsigned long long)bad, missed, SEEDS, said);
	}
}

Test(sample, edges)
{
	cr_expect_float_eq(ekka_sample_miss(10, 1, 1), 0.9, 1e-15);
	cr_expect_float_eq(ekka_sample_miss(10, 5, 2), 2.0 / 9, 1e-15);
	cr_expect_eq(ekka_sample_miss(10, 0, 3), 1);
	cr_expect_eq(ekka_sample_miss(10, 10, 1), 0);
	cr_expect_eq(ekka_sample_miss(10, 8, 3), 0);
	cr_expect_eq(ekka_sample_bad(1000, 100), 10u);
	cr_expect_eq(ekka_sample_bad(5, 100), 1u);
	cr_expect_eq(ekka_sample_bad(0, 100), 1u);
}
