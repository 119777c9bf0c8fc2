/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mutex and a wake-up on futexes. Zone: inside the host process.
 *
 * Not pthread's: waiting there is a cancellation point, and the engine's threads may be cancelled. Every wait is
 * bounded, because what holds the lock may have been stopped by the engine. All-zero is the initial state. errno is not kept.
 */
#ifndef EKKA_PRELOAD_LOCK_H
#define EKKA_PRELOAD_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* How long a call of the engine may be held up by one lock or by a writer that makes no progress. */
enum { EKKA_PATIENCE_MS = 10000 };

struct ekka_lock { _Atomic uint32_t v; };	/* 0 free, 1 taken, 2 taken and somebody waits */

/* False: not within EKKA_PATIENCE_MS. */
bool ekka_lock_take(struct ekka_lock *);
void ekka_lock_release(struct ekka_lock *);

/*
 * A number that changes when something happened. Read `seq`, check the condition, then wait for it to
 * differ from what was read. False after `ms` milliseconds.
 */
struct ekka_signal { _Atomic uint32_t seq, sleepers; };
bool ekka_signal_wait(struct ekka_signal *, uint32_t seq, unsigned ms);
void ekka_signal_raise(struct ekka_signal *);

/* CLOCK_MONOTONIC, nanoseconds. */
uint64_t ekka_now_ns(void);

#endif
