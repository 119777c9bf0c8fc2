/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/alloc.h"

#include "preload/count.h"
#include "preload/cuda_driver.h"
#include "preload/guard.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <stdlib.h>

/* What alloc.c needs of the rest of the shim: a driver that knows one allocation. */
_Thread_local struct ekka_thread ekka_self;
static struct { uint64_t start, bytes; CUmemorytype type; int mapped; unsigned asked; void (*meanwhile)(void); } told;
static unsigned drops;

void ekka_count_drop(const char *name, uint64_t n)
{
	(void)name;
	drops += (unsigned)n;
}

static CUresult get_attribute(void *data, CUpointer_attribute attribute, CUdeviceptr p)
{
	cr_assert(ekka_self.inside);
	told.asked += attribute == CU_POINTER_ATTRIBUTE_MEMORY_TYPE;
	if (told.meanwhile)
		told.meanwhile();
	if (p < told.start || p >= told.start + told.bytes)
		return CUDA_ERROR_INVALID_VALUE;
	if (attribute == CU_POINTER_ATTRIBUTE_MEMORY_TYPE)
		*(CUmemorytype *)data = told.type;
	else if (attribute == CU_POINTER_ATTRIBUTE_RANGE_START_ADDR)
		*(CUdeviceptr *)data = told.start;
	else if (attribute == CU_POINTER_ATTRIBUTE_RANGE_SIZE)
		*(size_t *)data = told.bytes;
	else if (attribute == CU_POINTER_ATTRIBUTE_MAPPED)
		*(int *)data = told.mapped;
	else
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_SUCCESS;
}

const struct ekka_cuda_driver *ekka_cuda_driver(void)
{
	static const struct ekka_cuda_driver driver = { .p_cuPointerGetAttribute = get_attribute };

	return &driver;
}

static void tell(uint64_t start, uint64_t bytes, CUmemorytype type)
{
	told.start = start;
	told.bytes = bytes;
	told.type = type;
	told.mapped = 1;
	told.asked = 0;
}

static void give_back(uint64_t start)
{
	ekka_alloc_free_begin(start);
	ekka_alloc_free_end();
}

/* Is addr in exactly [start, start + bytes); bytes 0: in none. */
static bool is(uint64_t addr, uint64_t start, uint64_t bytes)
{
	uint64_t s = 1, b = 2;
	bool found = ekka_alloc_range(addr, &s, &b);

	return bytes == 0 ? !found && s == 1 && b == 2 : found && s == start && b == bytes;
}

enum { BASE = 0x100000 };

Test(alloc, an_allocation_holds_its_first_and_last_byte_and_no_more)
{
	ekka_alloc_add(BASE, 512, EKKA_ALLOC_DEVICE);
	ekka_alloc_add(BASE + 512, 1, EKKA_ALLOC_DEVICE);
	cr_expect(is(BASE, BASE, 512));
	cr_expect(is(BASE + 511, BASE, 512));
	cr_expect(is(BASE + 512, BASE + 512, 1));
	cr_expect(is(BASE + 513, 0, 0));
	cr_expect(is(BASE - 1, 0, 0));
	cr_expect(is(0, 0, 0) && is(UINT64_MAX, 0, 0));
}

Test(alloc, a_freed_one_is_gone_at_once_and_its_address_may_come_back_with_another_size)
{
	ekka_alloc_add(BASE, 4096, EKKA_ALLOC_DEVICE);
	ekka_alloc_add(BASE + 4096, 4096, EKKA_ALLOC_DEVICE);
	ekka_alloc_free_begin(BASE);
	cr_expect(is(BASE + 10, 0, 0));
	ekka_alloc_free_end();
	cr_expect(is(BASE + 10, 0, 0) && is(BASE + 4096, BASE + 4096, 4096));
	ekka_alloc_add(BASE, 100, EKKA_ALLOC_DEVICE);
	cr_expect(is(BASE + 99, BASE, 100) && is(BASE + 100, 0, 0));
	give_back(BASE + 1);	/* no start of any */
	cr_expect(is(BASE, BASE, 100));
}

Test(alloc, what_overlaps_a_new_one_was_freed_unseen)
{
	for (unsigned i = 0; i < 4; i++)
		ekka_alloc_add(BASE + i * 100, 100, EKKA_ALLOC_DEVICE);
	ekka_alloc_add(BASE + 150, 100, EKKA_ALLOC_DEVICE);
	cr_expect(is(BASE + 99, BASE, 100) && is(BASE + 100, 0, 0) && is(BASE + 150, BASE + 150, 100));
	cr_expect(is(BASE + 250, 0, 0) && is(BASE + 300, BASE + 300, 100));
}

Test(alloc, pinned_memory_is_known_and_no_device_allocation)
{
	uint64_t start, bytes;

	ekka_alloc_add(BASE, 64, EKKA_ALLOC_HOST);
	cr_expect(is(BASE, 0, 0));
	cr_expect(eq(int, ekka_alloc_find(BASE + 63, &start, &bytes), EKKA_ALLOC_HOST));
	cr_expect(start == BASE && bytes == 64);
}

Test(alloc, refused_allocations_are_none)
{
	ekka_alloc_add(0, 100, EKKA_ALLOC_DEVICE);
	ekka_alloc_add(BASE, 0, EKKA_ALLOC_DEVICE);
	ekka_alloc_add(UINT64_MAX - 5, 100, EKKA_ALLOC_DEVICE);
	cr_expect(is(BASE, 0, 0) && is(50, 0, 0) && is(UINT64_MAX - 5, 0, 0));
}

Test(alloc, mappings_of_one_reservation_are_one_range)
{
	enum { M = 0x1000 };

	ekka_alloc_reserve(BASE, 4 * M);
	ekka_alloc_reserve(BASE + 4 * M, 4 * M);
	cr_expect(is(BASE, 0, 0));
	ekka_alloc_map(BASE + M, M);
	cr_expect(is(BASE + M, BASE + M, M) && is(BASE, 0, 0));
	ekka_alloc_map(BASE + 3 * M, M);
	ekka_alloc_map(BASE + 2 * M, M);
	cr_expect(is(BASE + 2 * M, BASE + M, 3 * M));
	ekka_alloc_map(BASE + 4 * M, M);
	cr_expect(is(BASE + 3 * M, BASE + M, 3 * M) && is(BASE + 4 * M, BASE + 4 * M, M));
	ekka_alloc_unmap_begin(BASE + 2 * M, M);
	ekka_alloc_free_end();
	cr_expect(is(BASE + M, BASE + M, M) && is(BASE + 2 * M, 0, 0) && is(BASE + 3 * M, BASE + 3 * M, M));
	ekka_alloc_unmap_begin(BASE, 8 * M);
	ekka_alloc_free_end();
	cr_expect(is(BASE + M, 0, 0) && is(BASE + 4 * M, 0, 0));
	/* What the driver knows of a reservation without access is not asked for. */
	tell(BASE, 8 * M, CU_MEMORYTYPE_DEVICE);
	cr_expect(is(BASE, 0, 0));
	ekka_alloc_unreserve(BASE);
	cr_expect(is(BASE, BASE, 8 * M));
}

Test(alloc, what_nobody_saw_is_asked_for_once)
{
	tell(BASE, 4096, CU_MEMORYTYPE_DEVICE);
	cr_expect(is(BASE + 4095, BASE, 4096) && is(BASE, BASE, 4096) && is(BASE + 7, BASE, 4096));
	cr_expect(eq(uint, told.asked, 1));
	cr_expect(is(BASE + 4096, 0, 0) && is(BASE + 4097, 0, 0));
	cr_expect(eq(uint, told.asked, 2));
	cr_expect(not(ekka_self.inside));
	give_back(BASE);
	told.bytes = 0;
	cr_expect(is(BASE, 0, 0));
}

Test(alloc, nothing_is_asked_again_after_a_change)
{
	tell(BASE, 0, CU_MEMORYTYPE_DEVICE);
	cr_expect(is(BASE, 0, 0));
	tell(BASE, 64, CU_MEMORYTYPE_DEVICE);
	cr_expect(is(BASE, 0, 0));
	cr_expect(eq(uint, told.asked, 0));
	ekka_alloc_add(0, 0, EKKA_ALLOC_DEVICE);
	cr_expect(is(BASE, BASE, 64));
}

Test(alloc, only_what_was_learned_is_forgotten_with_a_module)
{
	ekka_alloc_add(BASE + 8192, 100, EKKA_ALLOC_DEVICE);
	tell(BASE, 4096, CU_MEMORYTYPE_DEVICE);
	cr_expect(is(BASE, BASE, 4096));
	told.bytes = 0;
	ekka_alloc_forget_learned();
	cr_expect(is(BASE, 0, 0) && is(BASE + 8192, BASE + 8192, 100));
	ekka_alloc_forget();
	cr_expect(is(BASE + 8192, 0, 0));
}

Test(alloc, pinned_and_unmapped_memory_that_the_driver_knows_is_no_device_range)
{
	tell(BASE, 4096, CU_MEMORYTYPE_HOST);
	cr_expect(is(BASE, 0, 0));
	tell(2 * BASE, 4096, CU_MEMORYTYPE_DEVICE);
	told.mapped = 0;
	cr_expect(is(2 * BASE, 0, 0));
}

Test(alloc, the_driver_is_not_asked_by_known)
{
	uint64_t start, bytes;

	tell(BASE, 4096, CU_MEMORYTYPE_DEVICE);
	cr_expect(not(ekka_alloc_known(BASE, &start, &bytes)));
	cr_expect(eq(uint, told.asked, 0));
	cr_expect(is(BASE, BASE, 4096));
	cr_expect(ekka_alloc_known(BASE, &start, &bytes) && start == BASE && bytes == 4096);
}

static void freed_meanwhile(void)
{
	told.meanwhile = NULL;
	give_back(BASE);
}

static void free_begins_meanwhile(void)
{
	told.meanwhile = NULL;
	ekka_alloc_free_begin(BASE);
}

Test(alloc, an_answer_that_a_free_overtook_is_not_kept)
{
	uint64_t start, bytes;

	tell(BASE, 4096, CU_MEMORYTYPE_DEVICE);
	told.meanwhile = freed_meanwhile;
	(void)ekka_alloc_range(BASE, &start, &bytes);
	cr_expect(not(ekka_alloc_known(BASE, &start, &bytes)));
	told.meanwhile = free_begins_meanwhile;
	(void)ekka_alloc_range(BASE, &start, &bytes);
	(void)ekka_alloc_range(BASE, &start, &bytes);	/* while the driver is still at it */
	cr_expect(not(ekka_alloc_known(BASE, &start, &bytes)));
	ekka_alloc_free_end();
	cr_expect(is(BASE, BASE, 4096) && ekka_alloc_known(BASE, &start, &bytes));
}

Test(alloc, a_forked_child_begins_with_nothing)
{
	ekka_alloc_add(BASE, 512, EKKA_ALLOC_DEVICE);
	ekka_alloc_fork_child();
	cr_expect(is(BASE, 0, 0));
	ekka_alloc_add(BASE, 100, EKKA_ALLOC_DEVICE);
	cr_expect(is(BASE, BASE, 100));
}

/* Against a table of slots, each with its own size. */
Test(alloc, ten_thousand_random_steps_agree_with_a_plain_table)
{
	enum { SLOTS = 300, PITCH = 1000, STEPS = 10000 };
	static uint64_t size[SLOTS];

	srand(7);
	for (unsigned n = 0; n < STEPS; n++) {
		unsigned i = (unsigned)rand() % SLOTS, j = (unsigned)rand() % SLOTS;
		uint64_t at = BASE + (uint64_t)i * PITCH, offset = (uint64_t)rand() % PITCH;

		if (size[i] == 0)
			ekka_alloc_add(at, size[i] = 1 + (uint64_t)rand() % PITCH, EKKA_ALLOC_DEVICE);
		else
			give_back(at), size[i] = 0;
		at = BASE + (uint64_t)j * PITCH;
		cr_assert(is(at + offset, at, offset < size[j] ? size[j] : 0));
	}
	cr_expect(eq(uint, drops, 0));
}

/* One thread allocates and frees around an allocation that stays; whoever looks finds it whole, always, and the others whole or not at all. */
static atomic_bool stop;
enum { CHURN = 200, STEP = 0x1000, STAYS = 100 };

static void *look(void *arg)
{
	uint64_t start, bytes;
	unsigned *wrong = arg, seed = 1;

	while (!atomic_load(&stop)) {
		unsigned i = (unsigned)rand_r(&seed) % CHURN;
		uint64_t at = BASE + (uint64_t)i * STEP;

		*wrong += !(ekka_alloc_known(BASE + STAYS * STEP + 5, &start, &bytes) && start == BASE + STAYS * STEP && bytes == STEP);
		if (ekka_alloc_known(at, &start, &bytes))
			*wrong += start != at || (bytes != i + 1 && i != STAYS);
	}
	return NULL;
}

Test(alloc, readers_never_see_half_a_change)
{
	unsigned wrong[2] = { 0 }, seed = 2;
	pthread_t reader[2];

	ekka_alloc_add(BASE + STAYS * STEP, STEP, EKKA_ALLOC_DEVICE);
	for (unsigned i = 0; i < 2; i++)
		cr_assert(pthread_create(&reader[i], NULL, look, &wrong[i]) == 0);
	for (unsigned n = 0; n < 200000; n++) {
		unsigned i = (unsigned)rand_r(&seed) % CHURN;

		if (i == STAYS)
			continue;
		if (n % 3 != 0)
			ekka_alloc_add(BASE + (uint64_t)i * STEP, i + 1, EKKA_ALLOC_DEVICE);
		else
			give_back(BASE + (uint64_t)i * STEP);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(reader[i], NULL);
		cr_expect(eq(uint, wrong[i], 0));
	}
}

/* Whoever keeps an answer sees by it that the answer may be old. */
Test(alloc, every_change_is_another_epoch)
{
	uint64_t last = ekka_alloc_epoch();
#define EXPECT_ANOTHER(change) change; cr_assert_gt(ekka_alloc_epoch(), last, #change); last = ekka_alloc_epoch()
	EXPECT_ANOTHER(ekka_alloc_add(0x10000, 0x1000, EKKA_ALLOC_DEVICE));
	EXPECT_ANOTHER(ekka_alloc_free_begin(0x10000));
	EXPECT_ANOTHER(ekka_alloc_map(0x100000, 0x1000));
	EXPECT_ANOTHER(ekka_alloc_unmap_begin(0x100000, 0x1000));
	EXPECT_ANOTHER(ekka_alloc_forget_learned());
	EXPECT_ANOTHER(ekka_alloc_forget());
}
