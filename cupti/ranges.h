/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disjoint ranges of addresses, sorted, for fast look-up. Zone: inside the host process; no malloc, the array lies in pages of its own.
 *
 * Readers take no lock: they look again when a writer was at work meanwhile. Writers come one at a time, the caller sees to that.
 * An insertion moves what lies behind it, 16 bytes a range: some thousand ranges are meant, not millions.
 */
#ifndef EKKA_CUPTI_RANGES_H
#define EKKA_CUPTI_RANGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EKKA_RANGES_MAX = 1 << 18 };

struct ekka_range {
	uint64_t start, bytes;		/* bytes: below 2^56 */
	uint8_t tag;			/* what the owner of the table wants to know of it */
};

/* All-zero is the initial state. */
struct ekka_ranges {
	_Atomic uint32_t seq;		/* odd: being changed */
	_Atomic uint32_t n;
	_Atomic(struct ekka_range_slot *) slots;
};

/*
 * The range that holds addr. Any thread, any time. EKKA_RANGES_BUSY: a writer does not let us through (it may have been stopped in the middle);
 * never said to who keeps writers away.
 */
enum ekka_ranges_answer { EKKA_RANGES_NONE, EKKA_RANGES_FOUND, EKKA_RANGES_BUSY };
enum ekka_ranges_answer ekka_ranges_find(const struct ekka_ranges *, uint64_t addr, struct ekka_range *ret);

/* Adds a range in the place of all that it overlaps. False: no room, or the range is empty or wraps. Writer. */
bool ekka_ranges_add(struct ekka_ranges *, struct ekka_range);

/* The same, and makes it one with neighbours of the same tag that touch it and lie in [low, high). Writer. */
bool ekka_ranges_join(struct ekka_ranges *, struct ekka_range, uint64_t low, uint64_t high);

/* Removes the range that starts at `start`, if there is one. Writer. */
void ekka_ranges_drop(struct ekka_ranges *, uint64_t start);

/* Takes [start, start + bytes) out; what is left of ranges at its ends stays. Writer. */
void ekka_ranges_cut(struct ekka_ranges *, uint64_t start, uint64_t bytes);

/* Removes every range whose tag has one of these bits; all for 0. Writer. */
void ekka_ranges_drop_tagged(struct ekka_ranges *, uint8_t bits);

/* In a forked child: as new, whatever a writer had begun. */
void ekka_ranges_forget(struct ekka_ranges *);

#endif
