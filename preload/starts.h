/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where tensors begin in device memory, as recorded calls have told lately: a buffer of which only the start is known ends where the next
 * one begins. Zone: inside the host process. Any thread; no allocation; memory is bounded, so that starts are forgotten, oldest first.
 */
#ifndef EKKA_PRELOAD_STARTS_H
#define EKKA_PRELOAD_STARTS_H

#include <stdbool.h>
#include <stdint.h>

enum { EKKA_STARTS = 2048 };	/* the last so many distinct starts are known, and at most twice as many */

void ekka_starts_note(uint64_t addr);
bool ekka_starts_known(uint64_t addr);

/* The lowest known start above `addr`; UINT64_MAX when there is none. */
uint64_t ekka_starts_next(uint64_t addr);

#endif
