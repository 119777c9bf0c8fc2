/* SPDX-License-Identifier: Apache-2.0 */
/* A launch is described again whenever anything that its meaning depends on is another. */
#include "config.h"

#include "cupti/alloc.h"
#include "cupti/meaning_cache.h"

#include <criterion/criterion.h>
#include <string.h>

static struct ekka_slot_memory slot;
static uint64_t epoch = 7;
static unsigned n_described;
static uint8_t bytes[2][5000];
static const void *param[2] = { bytes[0], bytes[1] };
static uint32_t sizes[2] = { 4, 24 };
static struct ekka_launch_facts facts = { .grid = { 4, 1, 1 }, .block = { 128, 1, 1 }, .shared = 16, .n_params = 2, .param = param, .param_bytes = sizes };
static const struct ekka_binding *const one = (const void *)0x10, *const other = (const void *)0x20;

uint64_t ekka_alloc_epoch(void)
{
	return epoch;
}

/* Its number stands for all that it says. */
void ekka_describe(const struct ekka_binding *binding, const struct ekka_launch_facts *f, struct ekka_meaning *ret)
{
	(void)binding, (void)f;
	ret->n_attrs = ++n_described;
}

static unsigned meaning(const struct ekka_binding *binding)
{
	return ekka_meaning_of(&slot, binding, &facts)->n_attrs;
}

Test(meaning_cache, the_same_launch_means_the_same)
{
	static uint8_t elsewhere[24];

	cr_assert_eq(meaning(one), 1);
	cr_assert_eq(meaning(one), 1);
	param[1] = elsewhere;	/* the same bytes */
	cr_assert_eq(meaning(one), 1);
	cr_assert_eq(n_described, 1);
}

Test(meaning_cache, whatever_differs_counts)
{
	unsigned *const numbers[] = { &facts.grid[0], &facts.grid[1], &facts.grid[2], &facts.block[0], &facts.block[1], &facts.block[2], &facts.shared };
	unsigned n = meaning(one);

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		++*numbers[i];
		cr_expect_eq(meaning(one), ++n, "number %u", i);
		--*numbers[i];
		cr_expect_eq(meaning(one), 1, "number %u", i);
	}
	for (unsigned i = 0; i < 28; i++) {
		uint8_t *p = i < 4 ? &bytes[0][i] : &bytes[1][i - 4];

		++*p;
		cr_expect_eq(meaning(one), ++n, "byte %u", i);
		--*p;
		cr_expect_eq(meaning(one), 1, "byte %u", i);
	}
	cr_assert_eq(meaning(other), ++n);
	epoch++;	/* somebody allocated or freed something */
	cr_assert_eq(meaning(one), ++n);
	cr_assert_eq(meaning(one), n);
}

Test(meaning_cache, more_parameters_than_are_compared)
{
	sizes[1] = 5000;
	cr_assert_eq(meaning(one), 1);
	cr_assert_eq(meaning(one), 2);
	cr_assert_eq(slot.meaning.n_attrs, 2);
}

/* A slot's meaning is valid while another thread describes. */
Test(meaning_cache, slots_share_nothing)
{
	static struct ekka_slot_memory second;

	cr_assert_eq(meaning(one), 1);
	cr_assert_eq(ekka_meaning_of(&second, one, &facts)->n_attrs, 2);
	cr_assert_eq(meaning(one), 1);
}
