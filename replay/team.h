/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splits one large event over threads that have no event of their own. A loop has parts; whoever is free computes one,
 * and the results are taken in the order of the parts, so that what comes out does not depend on the number of threads.
 *
 * Whoever waits for something else (the next event, memory) with the team's lock held calls ekka_team_help before it waits on
 * `changed`, which is signalled when there are new parts. No thread is made here.
 */
#ifndef EKKA_REPLAY_TEAM_H
#define EKKA_REPLAY_TEAM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "trace/error.h"

enum { EKKA_TEAM_SLOTS = 64 };

struct ekka_team {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned threads;		/* how many may work at one loop */
	struct ekka_loop *loops;	/* under way; private to team.c */
};

struct ekka_parts {
	int64_t n;
	unsigned slots;			/* parts computed and not yet taken, at most; 1 to EKKA_TEAM_SLOTS */
	/*
	 * compute: part `part` into slot `slot`, on any thread; no two parts are in one slot at once. take: its result out of the
	 * slot, one at a time and in order, not necessarily on the thread that computed it; NULL: nothing to take. Both return 0 or, negative with
	 * err filled, what ends the loop.
	 */
	int (*compute)(void *arg, int64_t part, unsigned slot, struct ekka_error *err);
	int (*take)(void *arg, int64_t part, unsigned slot, struct ekka_error *err);
	void *arg;
};

/* How many slots are worth having for n parts that need `bytes` each, of `room` bytes; team NULL: 1. */
unsigned ekka_team_slots(const struct ekka_team *, int64_t n, uint64_t bytes, uint64_t room);

/* All parts; the caller computes with the others. team NULL: alone. 0, or the first error in the order of parts that were computed. */
int ekka_team_run(struct ekka_team *, const struct ekka_parts *, struct ekka_error *err);

/* Computes one part of some loop, with the lock held on entry and on return, and released meanwhile. False: there was none. */
bool ekka_team_help(struct ekka_team *);

#endif
