/* SPDX-License-Identifier: Apache-2.0 */
/* GPU time of calls on the fake machine (tests/fake), whose work takes as long as it is told to. Each test is a process of its own. */
#include "config.h"

#include "preload/conf.h"
#include "preload/cuda.h"
#include "preload/cuda_timing.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/unit/preload/device_work.h"

extern uint64_t ekka_stub_drops;

static struct { unsigned n; uint64_t event, ns; } told;

static void done(uint64_t event, uint64_t ns)
{
	told.n++;
	told.event = event;
	told.ns = ns;
}

static void set_up(void)
{
	ekka_conf.level = EKKA_LEVEL_CALLS;
	told.n = 0;
}
TestSuite(timing, .init = set_up, .timeout = 60);

static struct ekka_cuda_timing *begin(cudaStream_t stream)
{
	struct ekka_cuda_timing *t = ekka_cuda_timing_begin((uintptr_t)stream);

	cr_assert_not_null(t);
	return t;
}

static void hand(struct ekka_cuda_timing *t, uint64_t event)
{
	cr_assert(ekka_cuda_timing_end(t));
	ekka_cuda_timing_hand(t, event);
	ekka_cuda_timing_take(t);
}

static void poll_all(void)
{
	while (ekka_cuda_timing_poll(done) > 0)
		nanosleep(&(struct timespec){ .tv_nsec = MS }, NULL);
}

Test(timing, is_of_what_lies_between_and_waits_for_nobody)
{
	cudaStream_t stream = new_stream();
	struct ekka_cuda_timing *t;

	work(stream, LONG);
	t = begin(stream);
	work(stream, SHORT);
	hand(t, 7);
	cr_assert_eq(ekka_cuda_timing_poll(done), 1, "it cannot be known yet");
	work(stream, LONG);
	poll_all();
	cr_assert_eq(told.n, 1);
	cr_assert_eq(told.event, 7);
	cr_assert(told.ns >= SHORT && told.ns < LONG, "%llu ns", (unsigned long long)told.ns);
	cr_assert_eq(fake_calls("cuStreamSynchronize") + fake_calls("cuEventSynchronize") + fake_calls("cuCtxSynchronize"), 0);
	cr_assert_eq(ekka_stub_drops, 0);
}

Test(timing, ends_behind_the_last_work_on_its_own_stream)
{
	cudaStream_t stream = new_stream(), other = new_stream();
	struct ekka_cuda_timing *t = begin(stream);

	work(stream, SHORT);
	ekka_cuda_timing_mark(t, (uintptr_t)stream);
	ekka_cuda_timing_more(t);
	work(stream, LONG);
	ekka_cuda_timing_mark(t, (uintptr_t)other);
	hand(t, 1);
	poll_all();
	cr_assert(told.ns >= LONG + SHORT, "%llu ns", (unsigned long long)told.ns);

	t = begin(stream);
	work(stream, SHORT);
	ekka_cuda_timing_mark(t, (uintptr_t)stream);
	work(stream, LONG);	/* somebody else's */
	hand(t, 2);
	poll_all();
	cr_assert(told.event == 2 && told.ns < LONG, "%llu ns", (unsigned long long)told.ns);
}

Test(timing, of_one_stream_does_not_wait_for_another)
{
	cudaStream_t slow = new_stream(), fast = new_stream();
	struct ekka_cuda_timing *t = begin(slow);

	work(slow, 500 * MS);
	hand(t, 1);
	for (uint64_t event = 2; event < 4; event++) {
		t = begin(fast);
		work(fast, SHORT);
		hand(t, event);
	}
	while (told.n < 2)
		cr_assert(ekka_cuda_timing_poll(done) >= 1);
	cr_assert_eq(told.event, 3);
	poll_all();
	cr_assert_eq(told.event, 1);
}

Test(timing, leaves_a_capture_alone)
{
	cudaStream_t stream = new_stream();
	cudaGraph_t graph;

	cr_assert_eq(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
	cr_assert_null(ekka_cuda_timing_begin((uintptr_t)stream));
	cr_assert_eq(cudaStreamEndCapture(stream, &graph), cudaSuccess);
	cr_assert_eq(fake_graph_nodes((struct fake_graph *)graph), 0);
}

Test(timing, is_asked_for_while_somebody_captures)
{
	cudaStream_t stream = new_stream(), captured = new_stream();
	struct ekka_cuda_timing *t;
	cudaGraph_t graph;

	cr_assert_eq(cudaStreamBeginCapture(captured, cudaStreamCaptureModeGlobal), cudaSuccess);
	t = begin(stream);
	hand(t, 1);
	poll_all();
	cr_assert_eq(told.n, 1);
	cr_assert_eq(cudaStreamEndCapture(captured, &graph), cudaSuccess);
}

Test(timing, comes_from_a_pool_that_ends)
{
	enum { MOST = 10000 };
	static struct ekka_cuda_timing *t[MOST];
	cudaStream_t stream = new_stream();
	unsigned n = 0;

	while (n < MOST && (t[n] = ekka_cuda_timing_begin((uintptr_t)stream)) != NULL)
		n++;
	cr_assert(n > 1000 && n < MOST, "%u", n);
	ekka_cuda_timing_drop(t[n / 2]);
	cr_assert_eq(begin(stream), t[n / 2], "what was given back is used again");
}

Test(timing, ends_with_its_context)
{
	cudaStream_t stream = new_stream();
	CUcontext ctx;

	work(stream, SHORT);
	hand(begin(stream), 1);
	ekka_cuda_timing_give_up();
	cr_assert_eq(ekka_stub_drops, 1);
	cr_assert_eq(cuCtxGetCurrent(&ctx), CUDA_SUCCESS);
	ekka_cuda_context_ends(ctx, -1);	/* waits for what is in flight: there must be nothing */
	cr_assert_null(ekka_cuda_timing_begin((uintptr_t)stream));
	cudaDeviceReset();
	cudaFree(NULL);
	stream = new_stream();
	hand(begin(stream), 2);
	poll_all();
	cr_assert(told.n == 1 && told.event == 2);
}

Test(timing, that_cannot_be_had_is_none)
{
	setenv("EKKA_TEST_FAKE_FAIL", "cuEventRecord=999", 1);
	cr_assert_null(ekka_cuda_timing_begin((uintptr_t)new_stream()));
	setenv("EKKA_TEST_FAKE_FAIL", "cuEventElapsedTime_v2=999", 1);
	hand(begin(new_stream()), 1);
	poll_all();
	cr_assert_eq(told.n, 0);
	cr_assert_eq(ekka_stub_drops, 1);
}
