/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

uint64_t ekka_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value, unsigned ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &t, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int n)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

static unsigned ms_left(uint64_t deadline)
{
	uint64_t now = ekka_now_ns();

	return now >= deadline ? 0 : (unsigned)((deadline - now + 999999) / 1000000);
}

bool ekka_lock_take(struct ekka_lock *lock)
{
	uint32_t seen = 0;

	if (atomic_compare_exchange_strong_explicit(&lock->v, &seen, 1, memory_order_acquire, memory_order_relaxed))
		return true;
	uint64_t deadline = ekka_now_ns() + (uint64_t)EKKA_PATIENCE_MS * 1000000;
	while (atomic_exchange_explicit(&lock->v, 2, memory_order_acquire) != 0) {
		unsigned ms = ms_left(deadline);
		if (ms == 0)
			return false;
		futex_wait(&lock->v, 2, ms);
	}
	return true;
}

void ekka_lock_release(struct ekka_lock *lock)
{
	if (atomic_exchange_explicit(&lock->v, 0, memory_order_release) == 2)
		futex_wake(&lock->v, 1);
}

bool ekka_signal_wait(struct ekka_signal *s, uint32_t seq, unsigned ms)
{
	uint64_t deadline = ekka_now_ns() + (uint64_t)ms * 1000000;

	atomic_fetch_add(&s->sleepers, 1);
	while (atomic_load(&s->seq) == seq && ms > 0) {
		futex_wait(&s->seq, seq, ms);
		ms = ms_left(deadline);
	}
	atomic_fetch_sub(&s->sleepers, 1);
	return atomic_load(&s->seq) != seq;
}

void ekka_signal_raise(struct ekka_signal *s)
{
	atomic_fetch_add(&s->seq, 1);
	if (atomic_load(&s->sleepers) > 0)
		futex_wake(&s->seq, 1 << 30);
}
