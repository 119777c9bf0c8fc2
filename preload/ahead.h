/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes of several copies at once, ahead of their turn: one thread hashes slower than they come over the bus. Sink thread only. Zone: inside the host process. */
#ifndef EKKA_PRELOAD_AHEAD_H
#define EKKA_PRELOAD_AHEAD_H

#include "preload/queue.h"

/*
 * Sets the id of the copy in the queue's first entry, whose bytes these are; if they are many, also those of later copies that can be brought home without
 * a wait.
 */
void ekka_ahead_hash(struct ekka_entry *first, const void *bytes);

#endif
