/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/timing.h"

#include "preload/conf.h"
#include "preload/count.h"
#include "preload/cuda_timing.h"
#include "preload/guard.h"
#include "preload/launch.h"
#include "preload/queue.h"
#include "preload/snapshot.h"

#include <errno.h>

static bool is_on(void)
{
	return ekka_conf.timing == EKKA_TIMING_ON || (ekka_conf.timing == EKKA_TIMING_AUTO && ekka_conf.level == EKKA_LEVEL_FULL);
}

void ekka_timing_forget(void)
{
	ekka_self.timed = (struct ekka_timed){ 0 };
}

/* A call that a jump left behind had begun a pair: nobody else will end it. */
static void drop_stale(void)
{
	struct ekka_timed *t = &ekka_self.timed;

	if (t->pair && t->generation == ekka_segment_generation())
		ekka_cuda_timing_drop(t->pair);
	*t = (struct ekka_timed){ 0 };
}

void ekka_timing_begin(struct ekka_call *call)
{
	const struct ekka_call_private *p = ekka_private(call);
	struct ekka_timed *t = &ekka_self.timed;

	if (!call->outermost || p->part || (t->pair == NULL && !is_on()))
		return;
	drop_stale();
	if (!is_on() || call->rec.bad_args || (p->kernel ? p->kernel->aside : call->rec.device < 0))
		return;
	*t = (struct ekka_timed){ .event = call->rec.event, .generation = p->generation };
	if (call->fn && ekka_launches_are_seen())
		t->wanted = true;
	else
		t->pair = ekka_cuda_timing_begin(call->rec.stream);
}

void ekka_timing_inner_begin(uint64_t stream)
{
	struct ekka_timed *t = &ekka_self.timed;
	int saved = errno;

	if (!(t->wanted || t->pair) || ekka_self.depth == 0 || ekka_self.inside)
		return;
	ekka_self.inside = true;
	if (t->pair)
		ekka_cuda_timing_more(t->pair);
	else
		t->pair = ekka_cuda_timing_begin(stream);
	t->wanted = false;
	ekka_self.inside = false;
	errno = saved;
}

void ekka_timing_inner_end(uint64_t stream)
{
	struct ekka_timed *t = &ekka_self.timed;
	int saved = errno;

	if (!ekka_timing_inner_waits() || ekka_self.inside)
		return;
	ekka_self.inside = true;
	ekka_cuda_timing_mark(t->pair, stream);
	ekka_self.inside = false;
	errno = saved;
}

/* True when the sink has it now. */
static bool push(struct ekka_timed *t)
{
	struct ekka_entry *e = ekka_queue_reserve(0, ekka_conf.when_full == EKKA_BLOCK);

	if (!e)
		return false;
	ekka_cuda_timing_hand(t->pair, t->event);
	e->kind = EKKA_ENTRY_TIME;
	e->generation = t->generation;
	e->data.timing = t->pair;
	ekka_queue_commit(e);
	return true;
}

void ekka_timing_end(uint64_t event, unsigned generation, bool failed)
{
	struct ekka_timed *t = &ekka_self.timed;

	if (t->event == 0 || t->event != event || t->generation != generation)
		return;
	if (t->pair && (failed || !ekka_cuda_timing_end(t->pair) || !push(t))) {
		ekka_cuda_timing_drop(t->pair);
		if (!failed)
			ekka_count_drop("gpu time", 1);
	}
	*t = (struct ekka_timed){ 0 };
}

/* ---- sink thread ------------------------------------------------------ */

static void (*put_record)(const struct ekka_rec_time *);

static void known(uint64_t event, uint64_t ns)
{
	put_record(&(struct ekka_rec_time){ .event = event, .gpu_ns = ns });
}

void ekka_timing_take(const struct ekka_entry *e)
{
	ekka_cuda_timing_take(e->data.timing);
}

unsigned ekka_timing_poll(void (*put)(const struct ekka_rec_time *))
{
	put_record = put;
	return ekka_cuda_timing_poll(known);
}
