/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cupti/slot.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct ekka_launch_mark mark = { .event = 7, .generation = 2 };

Test(slot, belongs_to_its_launch_alone)
{
	struct ekka_slot_memory *m = ekka_slot_take();

	cr_assert(m != NULL);
	cr_expect(ekka_slot_of(mark) == NULL);
	cr_expect(ekka_slot_of((struct ekka_launch_mark){ 0 }) == NULL);
	m->mark = mark;
	cr_expect(ekka_slot_of(mark) == m);
	cr_expect(ekka_slot_of((struct ekka_launch_mark){ .event = 8, .generation = 2 }) == NULL);
	cr_expect(ekka_slot_of((struct ekka_launch_mark){ .event = 7, .generation = 3 }) == NULL);
	ekka_slot_give();
	cr_expect(ekka_slot_of(mark) == NULL);
}

Test(slot, one_that_was_left_behind_is_taken_over)
{
	struct ekka_slot_memory *first = ekka_slot_take();

	first->mark = mark;
	for (int i = 0; i < 1000; i++)
		cr_assert(ekka_slot_take() == first);
	cr_expect(ekka_slot_of(mark) == NULL, "the mark is the older launch's");
}

enum { THREADS = 200 };
static pthread_barrier_t all_have_asked;
static struct ekka_slot_memory *got[THREADS];

static void *hold(void *arg)
{
	struct ekka_slot_memory **ret = arg;

	*ret = ekka_slot_take();
	if (*ret)
		(*ret)->call.rec.event = (uint64_t)(ret - got);
	pthread_barrier_wait(&all_have_asked);
	if (*ret)
		cr_assert(eq(u64, (*ret)->call.rec.event, (uint64_t)(ret - got)));
	ekka_slot_give();
	return NULL;
}

/* More threads than slots: some get none, no two the same, and none is lost. */
Test(slot, threads_do_not_share, .timeout = 30)
{
	pthread_t thread[THREADS];
	unsigned n[2];

	pthread_barrier_init(&all_have_asked, NULL, THREADS);
	for (int round = 0; round < 2; round++) {
		n[round] = 0;
		for (int i = 0; i < THREADS; i++)
			cr_assert(pthread_create(&thread[i], NULL, hold, &got[i]) == 0);
		for (int i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
		for (int i = 0; i < THREADS; i++)
			n[round] += got[i] != NULL;
	}
	cr_expect(n[0] > 1 && n[0] < THREADS, "%u", n[0]);
	cr_expect(eq(uint, n[1], n[0]));
}

static void *take_and_die(void *arg)
{
	(void)arg;
	return ekka_slot_take();
}

Test(slot, the_dead_keep_nothing, .timeout = 30)
{
	pthread_t thread;
	void *m;

	for (int i = 0; i < THREADS; i++) {
		cr_assert(pthread_create(&thread, NULL, take_and_die, NULL) == 0);
		pthread_join(thread, &m);
		cr_assert(m != NULL, "thread %d", i);
	}
}

Test(slot, a_child_has_its_own_slot_and_all_others, .timeout = 30)
{
	struct ekka_slot_memory *mine = ekka_slot_take();
	int status;
	pid_t child = fork();

	if (child == 0) {
		ekka_slots_fork_child();
		for (int i = 0; i < THREADS; i++) {
			pthread_t thread;
			void *m;

			if (pthread_create(&thread, NULL, take_and_die, NULL) != 0 || pthread_join(thread, &m) != 0 || m == mine || !m)
				_exit(1);
		}
		_exit(ekka_slot_take() != mine);
	}
	cr_assert(waitpid(child, &status, 0) == child && status == 0);
}
