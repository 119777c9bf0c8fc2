/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink's side of device snapshots: waits for the point in the engine's stream, has staged bytes brought to the host (cuda_fetch.c),
 * gives room back. Every wait is a bounded poll of an event of ours: no stream is synchronised.
 */
#include "config.h"

#include "preload/cuda_copy.h"
#include "preload/cuda_fetch.h"
#include "preload/cuda_staging.h"
#include "preload/cuda_timing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static const uint64_t second_ns = 1000000000;
enum {
	WAIT_MAX_S = 60,		/* for a point in an engine's stream, which may wait for other ranks */
	EXIT_MAX_S = 10,		/* for everything, once the process ends */
	SPIN_QUERIES = 32,		/* a small copy is there sooner than the shortest sleep */
	SLEEP_MIN_NS = 20000, SLEEP_MAX_NS = 1000000,
};

/* All under ekka_cuda_lock. */
static struct ekka_cuda_copy copies[EKKA_CUDA_COPIES], *free_copies, *abandoned;
static struct ekka_cuda_mark marks[EKKA_CUDA_EVENTS], *free_marks;
static unsigned n_copies_made, n_marks_made, n_in_flight, n_at_work;

static CUstreamCaptureMode sink_mode;	/* of the sink thread, outside of what it asks */
static void (*drain_at_exit)(void);
static atomic_bool used, closed;
static _Atomic uint64_t exit_deadline_ns;	/* 0: not exiting */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * second_ns + (uint64_t)ts.tv_nsec;
}

/* ---- pools ------------------------------------------------------------ */

struct ekka_cuda_mark *ekka_cuda_mark_new(struct ekka_cuda_context *context, CUevent event)
{
	struct ekka_cuda_mark *mark;

	pthread_mutex_lock(&ekka_cuda_lock);
	mark = free_marks;
	if (mark != NULL)
		free_marks = mark->next;
	else if (n_marks_made < EKKA_CUDA_EVENTS)
		mark = &marks[n_marks_made++];
	pthread_mutex_unlock(&ekka_cuda_lock);
	if (mark == NULL)
		return NULL;
	mark->context = context;
	mark->event = event;
	mark->users = 1; /* the maker, until ekka_cuda_mark_drop */
	mark->recorded = mark->passed = false;
	return mark;
}

/* With the lock held. */
static void drop(struct ekka_cuda_mark *mark)
{
	if (--mark->users > 0)
		return;
	ekka_cuda_event_put(mark->context, mark->event);
	mark->next = free_marks;
	free_marks = mark;
}

void ekka_cuda_mark_drop(struct ekka_cuda_mark *mark)
{
	pthread_mutex_lock(&ekka_cuda_lock);
	drop(mark);
	pthread_mutex_unlock(&ekka_cuda_lock);
}

struct ekka_cuda_copy *ekka_cuda_copy_new(struct ekka_cuda_mark *mark, uint64_t bytes)
{
	struct ekka_cuda_copy *copy;

	copy = free_copies;
	if (copy != NULL)
		free_copies = copy->next;
	else if (n_copies_made < EKKA_CUDA_COPIES)
		copy = &copies[n_copies_made++];
	if (copy == NULL)
		return NULL;
	n_in_flight++;
	mark->users++;
	*copy = (struct ekka_cuda_copy){ .mark = mark, .bytes = bytes, .staging_slot = -1, .direct_slot = -1, .bounce_slot = -1 };
	return copy;
}

unsigned ekka_cuda_copies_in_flight(void)
{
	return n_in_flight;
}

/* Of one that holds no more than pinned memory and its mark. With the lock held. */
static void give_back(struct ekka_cuda_copy *copy)
{
	if (copy->direct_slot >= 0)
		ekka_ring_release(&ekka_cuda_pinned.direct_ring, copy->direct_slot);
	ekka_cuda_fetch_release(copy);
	drop(copy->mark);
	copy->next = free_copies;
	free_copies = copy;
	n_in_flight--;
	pthread_cond_broadcast(&ekka_cuda_room);
}

/* Gives everything back; the device no longer touches the copy's ranges. */
void ekka_cuda_copy_discard(struct ekka_cuda_copy *copy)
{
	if (copy->mapped)
		munmap(copy->host, copy->bytes);
	ekka_cuda_staging_leave(copy);
	pthread_mutex_lock(&ekka_cuda_lock);
	give_back(copy);
	pthread_mutex_unlock(&ekka_cuda_lock);
}

/* ---- waiting ---------------------------------------------------------- */

static uint64_t deadline(void)
{
	uint64_t at_exit = exit_deadline_ns, normal = now_ns() + WAIT_MAX_S * second_ns;

	return at_exit != 0 && at_exit < normal ? at_exit : normal;
}

const char *ekka_cuda_poll(const struct ekka_cuda_driver *drv, CUevent event)
{
	uint64_t until = deadline();
	struct timespec nap = { .tv_nsec = SLEEP_MIN_NS };
	CUresult res;

	for (unsigned n = 0; (res = drv->p_cuEventQuery(event)) == CUDA_ERROR_NOT_READY; n++) {
		if (n < SPIN_QUERIES)
			continue;
		if (now_ns() > until)
			return "timeout";
		nanosleep(&nap, NULL);
		if (nap.tv_nsec < SLEEP_MAX_NS)
			nap.tv_nsec *= 2;
	}
	return res == CUDA_SUCCESS ? NULL : "CUDA error";
}

static void sink_left(void)
{
	pthread_mutex_lock(&ekka_cuda_lock);
	n_at_work--;
	pthread_cond_broadcast(&ekka_cuda_room);
	pthread_mutex_unlock(&ekka_cuda_lock);
}

/* Makes the copy's context current. After cudaDeviceReset the same handle may stand for a new context, where ours means nothing. */
static bool enter(const struct ekka_cuda_driver *drv, struct ekka_cuda_context *c)
{
	unsigned long long id = 0;
	CUcontext ctx;

	if (c->off || drv->p_cuCtxPushCurrent(c->ctx) != CUDA_SUCCESS)
		return false;
	if (drv->p_cuCtxGetId == NULL || (drv->p_cuCtxGetId(c->ctx, &id) == CUDA_SUCCESS && id == c->id))
		return true;
	(void)drv->p_cuCtxPopCurrent(&ctx);
	return false;
}

bool ekka_cuda_sink_enter(const struct ekka_cuda_driver *drv, struct ekka_cuda_context *c)
{
	pthread_mutex_lock(&ekka_cuda_lock);
	n_at_work++;
	pthread_mutex_unlock(&ekka_cuda_lock);
	if (enter(drv, c)) {
		sink_mode = ekka_cuda_relaxed_begin(drv);
		return true;
	}
	sink_left();
	return false;
}

void ekka_cuda_sink_leave(const struct ekka_cuda_driver *drv)
{
	CUcontext ctx;

	ekka_cuda_relaxed_end(drv, sink_mode);
	(void)drv->p_cuCtxPopCurrent(&ctx);
	sink_left();
}

/* Looks whether copies that nobody waits for any more have ended meanwhile. */
static void reap(const struct ekka_cuda_driver *drv)
{
	struct ekka_cuda_copy *list, *next;

	pthread_mutex_lock(&ekka_cuda_lock);
	list = abandoned;
	abandoned = NULL;
	pthread_mutex_unlock(&ekka_cuda_lock);
	for (; list != NULL; list = next) {
		next = list->next;
		if (drv->p_cuEventQuery(list->mark->event) == CUDA_SUCCESS)
			list->mark->passed = true;
		ekka_cuda_copy_release(list);
	}
}

/* From here to its release the sink reads the copy's bytes, and works in its context. False: what held the bytes is gone. */
static bool begin_work(struct ekka_cuda_copy *copy)
{
	bool ok;

	pthread_mutex_lock(&ekka_cuda_lock);
	n_at_work += !copy->at_work;
	copy->at_work = true;
	ok = !ekka_cuda_pinned.gone || copy->host == NULL;
	pthread_mutex_unlock(&ekka_cuda_lock);
	return ok;
}

/* With the lock held. */
static void end_work(struct ekka_cuda_copy *copy)
{
	n_at_work -= copy->at_work;
	copy->at_work = false;
	pthread_cond_broadcast(&ekka_cuda_room);
}

void ekka_cuda_wait_for_sink(bool all)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += EXIT_MAX_S;
	pthread_mutex_lock(&ekka_cuda_lock);
	while ((all ? n_in_flight + ekka_cuda_timings_in_flight() : n_at_work) > 0)
		if (pthread_cond_timedwait(&ekka_cuda_room, &ekka_cuda_lock, &until) != 0)
			break;
	pthread_mutex_unlock(&ekka_cuda_lock);
}

/* With the copy's context current. */
static const char *bring_home(const struct ekka_cuda_driver *drv, struct ekka_cuda_copy *copy, bool patient)
{
	struct ekka_cuda_mark *mark = copy->mark;
	const char *why = NULL;

	if (!mark->passed && patient)
		why = ekka_cuda_poll(drv, mark->event);
	else if (!mark->passed && (!mark->recorded || drv->p_cuEventQuery(mark->event) != CUDA_SUCCESS))
		why = "not yet";
	if (why != NULL)
		return why;
	mark->passed = true;
	if (copy->staged != 0)
		return ekka_cuda_fetch(drv, copy, patient);
	ekka_cuda_staging_grow(drv, mark->context);
	return NULL;
}

static const char *get(struct ekka_cuda_copy *copy, bool patient, const void **ret_bytes)
{
	const struct ekka_cuda_driver *drv = ekka_cuda_driver();
	CUstreamCaptureMode mode;
	const char *why;
	CUcontext ctx;

	if (closed || drv == NULL)
		return "exit";
	if (!begin_work(copy))
		return "no context";
	if (!copy->home) {
		if (!enter(drv, copy->mark->context))
			return "no context";
		mode = ekka_cuda_relaxed_begin(drv);
		why = bring_home(drv, copy, patient);
		reap(drv);
		ekka_cuda_relaxed_end(drv, mode);
		(void)drv->p_cuCtxPopCurrent(&ctx);
		if (why != NULL)
			return why;
		copy->home = true;
	}
	*ret_bytes = copy->host;
	return NULL;
}

const char *ekka_cuda_copy_wait(struct ekka_cuda_copy *copy, const void **ret_bytes)
{
	return get(copy, true, ret_bytes);
}

bool ekka_cuda_copy_try(struct ekka_cuda_copy *copy, const void **ret_bytes)
{
	if (get(copy, false, ret_bytes) == NULL)
		return true;
	pthread_mutex_lock(&ekka_cuda_lock);
	end_work(copy);		/* until it is waited for */
	pthread_mutex_unlock(&ekka_cuda_lock);
	return false;
}

void ekka_cuda_copy_release(struct ekka_cuda_copy *copy)
{
	bool ended, more;

	if (copy == NULL)
		return;
	pthread_mutex_lock(&ekka_cuda_lock);
	end_work(copy);
	ended = !copy->claimed && copy->mark->passed;
	more = copy->mapped || copy->staging_slot >= 0;
	if (!ended) {	/* the device may still write into its ranges, or the sink read them */
		copy->next = abandoned;
		abandoned = copy;
	} else if (!more) {
		give_back(copy);
	}
	pthread_mutex_unlock(&ekka_cuda_lock);
	if (ended && more)
		ekka_cuda_copy_discard(copy);
}

uint64_t ekka_cuda_copy_bytes(const struct ekka_cuda_copy *copy)
{
	return copy->bytes;
}

/* ---- the process's end ------------------------------------------------ */

/* The sink asks for them once in a while; nobody signals that it has the last. */
void ekka_cuda_timing_wait(void)
{
	const struct timespec nap = { .tv_nsec = SLEEP_MAX_NS };
	unsigned n;

	do {
		pthread_mutex_lock(&ekka_cuda_lock);
		n = ekka_cuda_timings_in_flight();
		pthread_mutex_unlock(&ekka_cuda_lock);
		if (n > 0)
			nanosleep(&nap, NULL);
	} while (n > 0 && now_ns() < exit_deadline_ns);
}

/*
 * Registered at the first snapshot, hence after the driver and the runtime registered theirs, hence run before them:
 * the last moment at which the driver surely works.
 */
static void at_exit(void)
{
	if (!used)
		return;
	exit_deadline_ns = now_ns() + EXIT_MAX_S * second_ns;
	if (drain_at_exit != NULL)
		drain_at_exit();
	closed = true;
}

bool ekka_cuda_is_closed(void)
{
	return closed;
}

bool ekka_cuda_usable(void)
{
	static atomic_bool registered;

	if (closed)
		return false;
	used = true;
	if (!atomic_load_explicit(&registered, memory_order_relaxed) && !atomic_exchange(&registered, true))
		(void)atexit(at_exit);
	return true;
}

void ekka_cuda_on_exit(void (*drain)(void))
{
	drain_at_exit = drain;
}

void ekka_cuda_fork_child(void)
{
	ekka_cuda_context_forget();
	ekka_cuda_timing_fork_child();
	free_copies = abandoned = NULL;
	free_marks = NULL;
	n_copies_made = n_marks_made = n_in_flight = n_at_work = 0;
	used = closed = false;
	exit_deadline_ns = 0;
}
