/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Meanings of launches that were described before: an engine that decodes launches the same kernels with the same parameters at every step. Zone: inside the
 * host process. Of one slot, hence of one thread at a time; whole pages, no lock.
 */
#ifndef EKKA_CUPTI_MEANING_CACHE_H
#define EKKA_CUPTI_MEANING_CACHE_H

#include "cupti/slot.h"

/*
 * As ekka_describe, for the slot's launch. The meaning depends on nothing but kernel, shape, the parameters' bytes and the allocations, so it is told again as long as
 * all these are the same (by a hash of 128 bits). Valid until the slot's next launch.
 */
struct ekka_meaning *ekka_meaning_of(struct ekka_slot_memory *slot, const struct ekka_binding *, const struct ekka_launch_facts *);

#endif
