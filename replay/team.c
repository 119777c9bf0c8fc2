/* SPDX-License-Identifier: Apache-2.0 */
/* Part p uses slot p % slots, and is begun once the part that had the slot before was taken. */
#include "replay/team.h"

struct ekka_loop {
	struct ekka_loop *next;
	const struct ekka_parts *p;
	int64_t begun, taken;
	unsigned running;		/* threads inside compute or take */
	bool taking;
	bool done[EKKA_TEAM_SLOTS];
	int error;
	struct ekka_error err;
};

unsigned ekka_team_slots(const struct ekka_team *team, int64_t n, uint64_t bytes, uint64_t room)
{
	uint64_t most = team ? team->threads : 1;

	if (bytes && room / bytes < most)
		most = room / bytes;
	if (n >= 0 && (uint64_t)n < most)
		most = (uint64_t)n;
	return most < 1 ? 1 : most > EKKA_TEAM_SLOTS ? EKKA_TEAM_SLOTS : (unsigned)most;
}

static bool can_begin(const struct ekka_loop *l)
{
	return !l->error && l->begun < l->p->n && l->begun - l->taken < (int64_t)l->p->slots;
}

static void fail(struct ekka_loop *l, int error, const struct ekka_error *err)
{
	if (l->error)
		return;
	l->error = error;
	l->err = *err;
}

/* Takes what is finished and next in order, unless another thread is at it. With the lock held. */
static void take_finished(struct ekka_team *team, struct ekka_loop *l)
{
	struct ekka_error err = { 0 };

	if (l->taking)
		return;
	l->taking = true;
	while (!l->error && l->taken < l->begun && l->done[l->taken % l->p->slots]) {
		unsigned slot = (unsigned)(l->taken % l->p->slots);
		int r = 0;

		pthread_mutex_unlock(&team->lock);
		if (l->p->take)
			r = l->p->take(l->p->arg, l->taken, slot, &err);
		pthread_mutex_lock(&team->lock);
		if (r < 0)
			fail(l, r, &err);
		l->done[slot] = false;
		l->taken++;
		pthread_cond_broadcast(&team->changed);
	}
	l->taking = false;
}

/* One part, with the lock held; can_begin() holds. */
static void step(struct ekka_team *team, struct ekka_loop *l)
{
	int64_t part = l->begun++;
	unsigned slot = (unsigned)(part % l->p->slots);
	struct ekka_error err = { 0 };
	int r;

	l->running++;
	pthread_mutex_unlock(&team->lock);
	r = l->p->compute(l->p->arg, part, slot, &err);
	pthread_mutex_lock(&team->lock);
	if (r < 0)
		fail(l, r, &err);
	l->done[slot] = true;
	take_finished(team, l);
	l->running--;
	pthread_cond_broadcast(&team->changed);
}

bool ekka_team_help(struct ekka_team *team)
{
	for (struct ekka_loop *l = team->loops; l; l = l->next)
		if (can_begin(l)) {
			step(team, l);
			return true;
		}
	return false;
}

static int alone(const struct ekka_parts *p, struct ekka_error *err)
{
	for (int64_t part = 0; part < p->n; part++) {
		int r = p->compute(p->arg, part, 0, err);

		if (r == 0 && p->take)
			r = p->take(p->arg, part, 0, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static void unlink_loop(struct ekka_team *team, const struct ekka_loop *l)
{
	struct ekka_loop **at = &team->loops;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
}

int ekka_team_run(struct ekka_team *team, const struct ekka_parts *p, struct ekka_error *err)
{
	struct ekka_loop l = { .p = p };

	if (!team || team->threads < 2 || p->n < 2 || p->slots < 2)
		return alone(p, err);
	pthread_mutex_lock(&team->lock);
	l.next = team->loops;
	team->loops = &l;
	pthread_cond_broadcast(&team->changed);
	while (l.running || (!l.error && l.taken < p->n))
		if (can_begin(&l))
			step(team, &l);
		else
			pthread_cond_wait(&team->changed, &team->lock);
	unlink_loop(team, &l);
	pthread_mutex_unlock(&team->lock);
	if (l.error && err)
		*err = l.err;
	return l.error;
}
