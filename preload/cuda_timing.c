/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/cuda_timing.h"

#include "preload/count.h"
#include "preload/cuda_copy.h"

#include <string.h>

enum { PAIRS = 8192 /* calls whose work the device has not done yet */, QUERIES = 64 /* at one poll */ };

struct ekka_cuda_timing {
	struct ekka_cuda_context *context;
	CUevent start, end;
	CUstream stream;
	uint64_t event;
	bool ended;			/* the second event lies behind all work that we know of */
	bool handed;			/* to the sink; under ekka_cuda_lock */
	struct ekka_cuda_timing *next;	/* in the context's list of free ones, or in `pending` */
};

/* Under ekka_cuda_lock. */
static struct ekka_cuda_timing pairs[PAIRS];
static unsigned n_made, n_handed;

/* The sink thread's own: handed over and not known yet, in the order in which they came. */
static struct ekka_cuda_timing *pending, **pending_end = &pending;

/* ---- the pool --------------------------------------------------------- */

/* One of a context that is gone; its events went with it. */
static struct ekka_cuda_timing *inherit(void)
{
	struct ekka_cuda_context *c;
	struct ekka_cuda_timing *t = NULL;

	for (unsigned i = 0; !t && (c = ekka_cuda_context_at(i)) != NULL; i++)
		if (c->off && c->timings) {
			t = c->timings;
			c->timings = t->next;
			t->start = t->end = NULL;
		}
	return t;
}

static void give(struct ekka_cuda_timing *t)
{
	pthread_mutex_lock(&ekka_cuda_lock);
	n_handed -= t->handed;
	t->handed = false;
	t->next = t->context->timings;
	t->context->timings = t;
	pthread_mutex_unlock(&ekka_cuda_lock);
}

static bool make_events(const struct ekka_cuda_driver *drv, struct ekka_cuda_timing *t)
{
	CUstreamCaptureMode mode;

	if (t->end)
		return true;
	mode = ekka_cuda_relaxed_begin(drv);
	if (!t->start && drv->p_cuEventCreate(&t->start, CU_EVENT_DEFAULT) != CUDA_SUCCESS)
		t->start = NULL;
	if (t->start && drv->p_cuEventCreate(&t->end, CU_EVENT_DEFAULT) != CUDA_SUCCESS)
		t->end = NULL;
	ekka_cuda_relaxed_end(drv, mode);
	return t->end;
}

static struct ekka_cuda_timing *take(const struct ekka_cuda_driver *drv, struct ekka_cuda_context *c)
{
	struct ekka_cuda_timing *t;

	pthread_mutex_lock(&ekka_cuda_lock);
	t = c->timings;
	if (t)
		c->timings = t->next;
	else if (n_made < PAIRS)
		t = &pairs[n_made++];
	else
		t = inherit();
	pthread_mutex_unlock(&ekka_cuda_lock);
	if (!t)
		return NULL;
	t->context = c;
	t->ended = false;
	if (make_events(drv, t))
		return t;
	give(t);
	return NULL;
}

/* ---- the engine's side ------------------------------------------------ */

/* In the context that the stream works in, records one event of a pair. A new pair where *t is NULL. False: not recorded. */
static bool record(struct ekka_cuda_timing **t, CUstream stream)
{
	const struct ekka_cuda_driver *drv = ekka_cuda_driver();
	struct ekka_cuda_context *c = NULL;
	bool pushed = false, first = !*t, ok = false;
	const char *why;
	CUresult res;

	if (drv && drv->p_cuEventElapsedTime && ekka_cuda_usable())
		c = ekka_cuda_context_enter(drv, stream, &pushed, &why);
	if (!c)
		return false;
	if (ekka_cuda_capture_state(drv, stream))
		goto leave;
	if (first)
		*t = take(drv, c);
	if (!*t || (*t)->context != c)
		goto leave;
	res = drv->p_cuEventRecord(first ? (*t)->start : (*t)->end, stream);
	ekka_cuda_context_note(c, res);
	ok = res == CUDA_SUCCESS;
leave:
	ekka_cuda_context_leave(drv, pushed);
	return ok;
}

struct ekka_cuda_timing *ekka_cuda_timing_begin(uint64_t stream)
{
	struct ekka_cuda_timing *t = NULL;

	if (record(&t, (CUstream)stream)) {
		t->stream = (CUstream)stream;
		return t;
	}
	if (t)
		give(t);
	return NULL;
}

void ekka_cuda_timing_more(struct ekka_cuda_timing *t)
{
	t->ended = false;
}

void ekka_cuda_timing_mark(struct ekka_cuda_timing *t, uint64_t stream)
{
	t->ended = (CUstream)stream == t->stream && record(&t, t->stream);
}

bool ekka_cuda_timing_end(struct ekka_cuda_timing *t)
{
	if (!t->ended)
		ekka_cuda_timing_mark(t, (uintptr_t)t->stream);
	return t->ended;
}

void ekka_cuda_timing_hand(struct ekka_cuda_timing *t, uint64_t event)
{
	t->event = event;
	pthread_mutex_lock(&ekka_cuda_lock);
	t->handed = true;
	n_handed++;
	pthread_mutex_unlock(&ekka_cuda_lock);
}

void ekka_cuda_timing_drop(struct ekka_cuda_timing *t)
{
	give(t);
}

unsigned ekka_cuda_timings_in_flight(void)
{
	return n_handed;
}

/* ---- the sink's side -------------------------------------------------- */

void ekka_cuda_timing_take(struct ekka_cuda_timing *t)
{
	t->next = NULL;
	*pending_end = t;
	pending_end = &t->next;
}

/* Takes the one that `at` leads to off the list. */
static void unlink_at(struct ekka_cuda_timing **at)
{
	struct ekka_cuda_timing *t = *at;

	*at = t->next;
	if (!t->next)
		pending_end = at;
}

enum answer { NOT_YET, KNOWN, NEVER };

static enum answer ask(const struct ekka_cuda_driver *drv, const struct ekka_cuda_timing *t, uint64_t *ret_ns)
{
	CUresult res = drv->p_cuEventQuery(t->end);
	float ms = 0;

	if (res == CUDA_ERROR_NOT_READY)
		return NOT_YET;
	if (res != CUDA_SUCCESS || drv->p_cuEventElapsedTime(&ms, t->start, t->end) != CUDA_SUCCESS || !(ms >= 0))
		return NEVER;
	*ret_ns = (uint64_t)((double)ms * 1e6 + 0.5);
	return KNOWN;
}

/* Asks about those of one context, which the first pending one belongs to. */
static void poll_context(const struct ekka_cuda_driver *drv, struct ekka_cuda_context *c, void (*done)(uint64_t event, uint64_t ns))
{
	struct ekka_cuda_timing **at = &pending, *t;
	const struct ekka_cuda_timing *busy = NULL;	/* behind it on its stream nothing is done either */
	bool alive = ekka_cuda_sink_enter(drv, c);
	unsigned queries = 0;
	uint64_t ns;

	while ((t = *at) != NULL && queries < QUERIES) {
		enum answer answer = NOT_YET;

		if (t->context == c && !alive) {
			answer = NEVER;
		} else if (t->context == c && !(busy && busy->stream == t->stream)) {
			answer = ask(drv, t, &ns);
			queries++;
		}
		if (answer == NOT_YET) {
			busy = t->context == c ? t : busy;
			at = &t->next;
			continue;
		}
		unlink_at(at);
		if (answer == KNOWN)
			done(t->event, ns);
		else
			ekka_count_drop("gpu time", 1);
		give(t);
	}
	if (alive)
		ekka_cuda_sink_leave(drv);
}

unsigned ekka_cuda_timing_poll(void (*done)(uint64_t event, uint64_t ns))
{
	const struct ekka_cuda_driver *drv;
	unsigned n = 0;

	if (!pending)
		return 0;
	drv = ekka_cuda_driver();	/* not without need: it takes the loader's locks, which a process forked meanwhile never gets */
	if (!drv || ekka_cuda_is_closed()) {
		ekka_cuda_timing_give_up();
		return 0;
	}
	for (struct ekka_cuda_context *c, *last = NULL; pending && (c = pending->context) != last; last = c)
		poll_context(drv, c, done);
	for (const struct ekka_cuda_timing *t = pending; t; t = t->next)
		n++;
	return n;
}

void ekka_cuda_timing_give_up(void)
{
	while (pending) {
		struct ekka_cuda_timing *t = pending;

		unlink_at(&pending);
		ekka_count_drop("gpu time", 1);
		give(t);
	}
}

void ekka_cuda_timing_fork_child(void)
{
	memset(pairs, 0, sizeof(pairs));
	n_made = n_handed = 0;
	pending = NULL;
	pending_end = &pending;
}
