/* SPDX-License-Identifier: Apache-2.0 */
#include "preload/queue.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <string.h>

enum { RING = 1 << 20, THREADS = 4, PER_THREAD = 20000 };

static void open_ring(void)
{
	cr_assert(ekka_queue_open(RING));
}
TestSuite(queue, .init = open_ring, .timeout = 30);

static bool put(uint64_t number, size_t bytes, bool wait)
{
	struct ekka_entry *e = ekka_queue_reserve(bytes, wait);

	if (!e)
		return false;
	e->kind = EKKA_ENTRY_FRAME;
	e->used = bytes;
	e->data.event = number;
	memset(e->payload, (int)(number & 0xff), bytes);
	ekka_queue_commit(e);
	ekka_queue_kick();
	return true;
}

static uint64_t take(void)
{
	uint64_t deadline = ekka_now_ns() + 5000000000u;
	struct ekka_entry *e;

	/* Whoever is woken by a later entry may find the first one still being filled. */
	while ((e = ekka_queue_peek(5000)) == NULL && ekka_now_ns() < deadline)
		;
	cr_assert(e != NULL, "nothing came");
	uint64_t number = e->data.event;
	for (uint64_t i = 0; i < e->used; i++)
		cr_assert(e->payload[i] == (number & 0xff), "entry %lu is damaged at %lu", (unsigned long)number, (unsigned long)i);
	ekka_queue_pop(e);
	return number;
}

Test(queue, entries_come_out_in_order_of_reservation)
{
	struct ekka_entry *first = ekka_queue_reserve(10, false);

	cr_assert(put(2, 10, false));
	cr_expect(ekka_queue_peek(0) == NULL, "an entry overtook one that is being filled");
	first->kind = EKKA_ENTRY_FRAME;
	first->used = 0;
	first->data.event = 1;
	ekka_queue_commit(first);
	cr_expect(eq(u64, take(), 1));
	cr_expect(eq(u64, take(), 2));
	cr_expect(ekka_queue_peek(0) == NULL);
}

Test(queue, the_ring_is_used_round_and_round)
{
	uint64_t next = 0;

	for (uint64_t i = 0; i < 500; i++) {
		cr_assert(put(i, (i * 7919) % ekka_queue_max_payload(), false), "no room at %lu", (unsigned long)i);
		if (i >= 3)
			cr_expect(eq(u64, take(), next++));
	}
	while (next < 500)
		cr_expect(eq(u64, take(), next++));
}

Test(queue, a_full_ring_refuses_and_recovers)
{
	uint64_t n = 0, m = 0;

	while (put(n, 60000, false))
		n++;
	cr_expect(n >= RING / 60000 - 2 && n <= RING / 60000);
	cr_expect(eq(u64, take(), m++));
	cr_expect(eq(u64, take(), m++));
	cr_expect(put(n++, 60000, false));
	while (m < n)
		cr_expect(eq(u64, take(), m++));
}

Test(queue, what_is_too_large_is_refused)
{
	cr_expect(ekka_queue_reserve(ekka_queue_max_payload() + 1, true) == NULL);
	cr_expect(ekka_queue_reserve(UINT64_MAX - 10, true) == NULL);
}

static void *producer(void *arg)
{
	uint64_t base = (uint64_t)(uintptr_t)arg << 32;

	for (uint64_t i = 0; i < PER_THREAD; i++)
		if (!put(base | i, i % 700, true))
			return NULL;
	return arg;
}

Test(queue, threads_wait_for_room_and_keep_their_own_order)
{
	pthread_t t[THREADS];
	uint64_t next[THREADS] = { 0 };

	for (uintptr_t i = 0; i < THREADS; i++)
		cr_assert(pthread_create(&t[i], NULL, producer, (void *)(i)) == 0);
	for (uint64_t i = 0; i < (uint64_t)THREADS * PER_THREAD; i++) {
		uint64_t number = take();
		cr_assert(eq(u64, number & 0xffffffff, next[number >> 32]));
		next[number >> 32]++;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

Test(queue, a_stalled_sink_holds_up_one_call_only)
{
	uint64_t start, waited;

	ekka_queue_set_patience(1000);
	while (put(0, 60000, false))
		;
	start = ekka_now_ns();
	cr_expect(not(put(0, 60000, true)));
	waited = ekka_now_ns() - start;
	cr_expect(waited >= 1000000000, "gave up after %lu ns", (unsigned long)waited);
	start = ekka_now_ns();
	cr_expect(not(put(0, 60000, true)));
	cr_expect(not(ekka_queue_wait_written(ekka_queue_position())));
	cr_expect(ekka_now_ns() - start < 400000000, "waited again");
	take();
	cr_expect(put(0, 60000, true), "no recovery");
}

Test(queue, waiting_for_the_files_ends_with_the_sinks_report)
{
	uint64_t position;

	put(1, 10, false);
	position = ekka_queue_position();
	take();
	ekka_queue_written(position);
	cr_expect(ekka_queue_wait_written(position));
}

Test(queue, a_child_starts_empty)
{
	put(1, 10, false);
	ekka_queue_forget();
	cr_expect(ekka_queue_peek(0) == NULL);
	cr_expect(put(5, 10, false));
	cr_expect(eq(u64, take(), 5));
}
