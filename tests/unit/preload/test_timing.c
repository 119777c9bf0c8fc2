/* SPDX-License-Identifier: Apache-2.0 */
/* Which calls get a GPU time, and what of them is measured: on the fake machine, whose work takes as long as it is told to. */
#include "config.h"

#include "preload/conf.h"
#include "preload/cuda_timing.h"
#include "preload/launch.h"
#include "preload/queue.h"
#include "preload/snapshot.h"
#include "preload/timing.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/unit/preload/device_work.h"

_Thread_local struct ekka_thread ekka_self;
extern uint64_t ekka_stub_drops;
static bool launches_seen;
static unsigned generation = 1;
static struct ekka_entry entry;
static unsigned n_entries;
static struct ekka_rec_time told;

bool ekka_launches_are_seen(void)
{
	return launches_seen;
}

unsigned ekka_segment_generation(void)
{
	return generation;
}

struct ekka_entry *ekka_queue_reserve(uint64_t payload, bool wait)
{
	(void)payload, (void)wait;
	return &entry;
}

void ekka_queue_commit(struct ekka_entry *e)
{
	n_entries++;
	ekka_timing_take(e);
}

static void put(const struct ekka_rec_time *rec)
{
	told = *rec;
}

static void set_up(void)
{
	ekka_conf.level = EKKA_LEVEL_FULL;
	ekka_conf.cuda_staging = ekka_conf.cuda_pinned = 1 << 20;
	launches_seen = true;
}
TestSuite(timing, .init = set_up, .timeout = 60);

static const struct ekka_fn gemm = { .name = "cublasSgemm_v2", .library = "cublas", .op = "gemm" };

/* A library's call begins: as ekka_call_begin has it. */
static struct ekka_call *enter(cudaStream_t stream, uint64_t event)
{
	static struct ekka_call call;

	call = (struct ekka_call){ .fn = &gemm, .outermost = true };
	call.rec.event = event;
	call.rec.stream = (uintptr_t)stream;
	ekka_private(&call)->generation = generation;
	ekka_self.depth = 1;
	ekka_timing_begin(&call);
	return &call;
}

/* A launch inside it. */
static void launch(cudaStream_t stream, long ns)
{
	ekka_timing_inner_begin((uintptr_t)stream);
	work(stream, ns);
	ekka_timing_inner_end((uintptr_t)stream);
}

static void leave(struct ekka_call *call)
{
	ekka_self.depth = 0;
	ekka_timing_end(call->rec.event, generation, false);
}

static void poll_all(void)
{
	while (ekka_timing_poll(put) > 0)
		nanosleep(&(struct timespec){ .tv_nsec = MS }, NULL);
}

Test(timing, of_a_library_call_is_from_its_first_launch_to_its_last)
{
	cudaStream_t stream = new_stream();
	struct ekka_call *call = enter(stream, 5);

	work(stream, 4 * LONG);		/* before the first launch: what the device was busy with anyway */
	launch(stream, SHORT);
	launch(stream, LONG);
	work(stream, 4 * LONG);
	leave(call);
	poll_all();
	cr_assert_eq(told.event, 5);
	cr_assert(told.gpu_ns >= SHORT + LONG && told.gpu_ns < 4 * LONG, "%llu ns", (unsigned long long)told.gpu_ns);
}

Test(timing, of_a_library_call_that_launches_elsewhere_ends_with_the_call)
{
	cudaStream_t stream = new_stream();
	struct ekka_call *call = enter(stream, 5);

	launch(stream, SHORT);
	launch(new_stream(), SHORT);
	ekka_timing_inner_begin((uintptr_t)stream);
	work(stream, LONG);		/* nobody tells its end */
	leave(call);
	poll_all();
	cr_assert(told.gpu_ns >= SHORT + LONG, "%llu ns", (unsigned long long)told.gpu_ns);
}

Test(timing, of_a_library_call_without_launches_is_none)
{
	leave(enter(new_stream(), 5));
	cr_assert_eq(n_entries, 0);
	cr_assert_eq(ekka_stub_drops, 0);
}

Test(timing, is_around_the_call_where_launches_are_not_seen)
{
	cudaStream_t stream = new_stream();
	struct ekka_call *call;

	launches_seen = false;
	call = enter(stream, 6);
	work(stream, LONG);
	leave(call);
	poll_all();
	cr_assert(told.event == 6 && told.gpu_ns >= LONG);
}

Test(timing, is_only_of_calls_that_ask_for_it)
{
	cudaStream_t stream = new_stream();
	struct ekka_call *call;

	ekka_timing_inner_begin((uintptr_t)stream);	/* outside of any call */
	ekka_conf.timing = EKKA_TIMING_OFF;
	call = enter(stream, 1);
	launch(stream, SHORT);
	leave(call);
	ekka_conf.timing = EKKA_TIMING_AUTO;
	ekka_conf.level = EKKA_LEVEL_CALLS;
	call = enter(stream, 2);
	launch(stream, SHORT);
	leave(call);
	cr_assert_eq(n_entries, 0);
	ekka_conf.timing = EKKA_TIMING_ON;
	call = enter(stream, 3);
	launch(stream, SHORT);
	leave(call);
	cr_assert_eq(n_entries, 1);
}

Test(timing, begun_by_a_call_that_never_ended_is_given_back)
{
	cudaStream_t stream = new_stream();

	for (uint64_t event = 1; event < 5000; event++) {	/* more than there are pairs */
		(void)enter(stream, event);
		launch(stream, 0);
	}
	cr_assert_eq(ekka_stub_drops, 0);
	leave(enter(stream, 5000));
	cr_assert_eq(n_entries, 0, "the last one did not launch");
}

Test(timing, of_another_segment_means_nothing)
{
	cudaStream_t stream = new_stream();
	struct ekka_call *call = enter(stream, 1);

	launch(stream, SHORT);
	generation++;
	leave(call);
	cr_assert_eq(n_entries, 0);
}
