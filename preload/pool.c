/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/pool.h"

#include "preload/lock.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { STACK_BYTES = 256 << 10, NAP_MS = 1000, STOP_TRIES = 2000 };

static struct {
	unsigned n_helpers;		/* started */
	bool started, broken;
	_Atomic unsigned alive;
	_Atomic bool stop;
	_Atomic unsigned next, done, n;
	void (*fn)(void *, unsigned, unsigned);
	void *arg;
	struct ekka_signal work, finished;
	_Atomic unsigned active;	/* helpers that look at the current loop */
	_Atomic unsigned round;		/* odd: a loop is open */
} pool;

static void take_turns(unsigned worker)
{
	unsigned i;

	while ((i = atomic_fetch_add(&pool.next, 1)) < atomic_load(&pool.n)) {
		pool.fn(pool.arg, i, worker);
		if (atomic_fetch_add(&pool.done, 1) + 1 == atomic_load(&pool.n))
			ekka_signal_raise(&pool.finished);
	}
}

static void *helper_main(void *arg)
{
	unsigned worker = (unsigned)(uintptr_t)arg;

	prctl(PR_SET_NAME, "ekkatrace-zip");
	while (!atomic_load(&pool.stop)) {
		uint32_t seq = atomic_load(&pool.work.seq);
		atomic_fetch_add(&pool.active, 1);
		if (atomic_load(&pool.round) & 1)
			take_turns(worker);
		atomic_fetch_sub(&pool.active, 1);
		if (atomic_load(&pool.next) >= atomic_load(&pool.n) || !(atomic_load(&pool.round) & 1))
			ekka_signal_wait(&pool.work, seq, NAP_MS);
	}
	atomic_fetch_sub(&pool.alive, 1);
	return NULL;
}

/* The processors this process may use, less the one the sink thread is on. */
static unsigned spare_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 0;
	unsigned n = (unsigned)CPU_COUNT(&set);
	return n > 1 ? n - 1 : 0;
}

static void start(void)
{
	unsigned want = spare_processors();
	pthread_attr_t attr;
	pthread_t t;

	pool.started = true;
	atomic_store(&pool.stop, false);
	if (want > EKKA_POOL_MAX - 1)
		want = EKKA_POOL_MAX - 1;
	if (pthread_attr_init(&attr) != 0)
		return;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	/* Helpers inherit the sink thread's signal mask: everything blocked. */
	while (pool.n_helpers < want) {
		atomic_fetch_add(&pool.alive, 1);
		if (pthread_create(&t, &attr, helper_main, (void *)(uintptr_t)(pool.n_helpers + 1)) != 0) {
			atomic_fetch_sub(&pool.alive, 1);
			break;
		}
		pool.n_helpers++;
	}
	pthread_attr_destroy(&attr);
}

void ekka_pool_run(void (*fn)(void *, unsigned, unsigned), void *arg, unsigned n)
{
	if (n > 1 && !pool.started && !pool.broken)
		start();
	if (n <= 1 || pool.n_helpers == 0) {
		for (unsigned i = 0; i < n; i++)
			fn(arg, i, 0);
		return;
	}
	pool.fn = fn;
	pool.arg = arg;
	atomic_store(&pool.done, 0);
	atomic_store(&pool.next, 0);
	atomic_store(&pool.n, n);
	atomic_fetch_add(&pool.round, 1);
	ekka_signal_raise(&pool.work);
	take_turns(0);
	for (;;) {
		uint32_t seq = atomic_load(&pool.finished.seq);
		if (atomic_load(&pool.done) >= n)
			break;
		ekka_signal_wait(&pool.finished, seq, NAP_MS);
	}
	atomic_fetch_add(&pool.round, 1);
	/* A helper may still be about to look: it must not see the next loop half set up. */
	while (atomic_load(&pool.active) > 0)
		sched_yield();
}

unsigned ekka_pool_threads(void)
{
	return atomic_load(&pool.alive);
}

void ekka_pool_stop(void)
{
	atomic_store(&pool.stop, true);
	ekka_signal_raise(&pool.work);
	for (int i = 0; i < STOP_TRIES && atomic_load(&pool.alive) > 0; i++)
		usleep(1000);
	/* One that does not end would share its worker number with the next one: then there are none any more. */
	pool.broken = atomic_load(&pool.alive) > 0;
	pool.started = false;
	pool.n_helpers = 0;
}

void ekka_pool_forget(void)
{
	memset(&pool, 0, sizeof(pool));
}
