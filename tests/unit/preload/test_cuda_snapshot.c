/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device snapshots on the fake machine (tests/fake): each test is a process of its own, streams run late and at random.
 */
#include "config.h"

#include "preload/cuda_copy.h"
#include "preload/versions.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cuda_runtime_api.h>

#include "preload/conf.h"
#include "preload/cuda_staging.h"
#include "tests/fake/fake.h"

enum { N = 4096 };

static struct ekka_call call;
static struct ekka_cuda_copy *copies[EKKA_MAX_TENSORS];
static const char *missing[EKKA_MAX_TENSORS];

static void set_up(void)
{
	ekka_conf.cuda_staging = 1 << 20;
	ekka_conf.cuda_pinned = 1 << 20;
	ekka_conf.when_full = EKKA_BLOCK;
}
TestSuite(snapshot, .init = set_up, .timeout = 60);

static char *device_buffer(size_t bytes, int fill)
{
	void *p;

	cr_assert_eq(cudaMalloc(&p, bytes), cudaSuccess);
	memset(fake_bytes((uint64_t)p), fill, bytes);
	return p;
}

static void describe(unsigned n, char *const p[], size_t bytes, cudaStream_t stream)
{
	memset(&call, 0, sizeof(call));
	call.rec.stream = (uint64_t)stream;
	call.rec.n_tensors = n;
	for (unsigned i = 0; i < n; i++)
		call.tensors[i] = (struct ekka_tensor){
			.name = "A", .dir = EKKA_IN, .place = EKKA_DEVICE, .n_dims = 1, .dim = { (int64_t)bytes }, .stride = { 1 },
			.addr = (uint64_t)p[i], .span_bytes = bytes, .alias_of = -1, .pre = true,
		};
}

static void snapshot(void)
{
	struct ekka_cuda_taken taken[EKKA_MAX_TENSORS];

	ekka_cuda_snapshot(&call, EKKA_PRE, taken);
	for (unsigned i = 0; i < call.rec.n_tensors; i++) {
		copies[i] = taken[i].copy;
		missing[i] = taken[i].missing;
	}
}

static const char *take(char *p, size_t bytes, cudaStream_t stream)
{
	describe(1, &p, bytes, stream);
	snapshot();
	return missing[0];
}

/* Waits for the copy and checks that it holds `bytes` times `fill`; releases it. */
static void expect(struct ekka_cuda_copy *copy, int fill, size_t bytes)
{
	const void *got = NULL;
	const char *why;

	cr_assert_not_null(copy);
	cr_assert_eq(ekka_cuda_copy_bytes(copy), bytes);
	why = ekka_cuda_copy_wait(copy, &got);
	cr_assert_null(why, "%s", why);
	for (size_t i = 0; i < bytes; i++)
		cr_assert_eq(((const char *)got)[i], (char)fill, "byte %zu is %d", i, ((const char *)got)[i]);
	ekka_cuda_copy_release(copy);
}

Test(snapshot, holds_the_bytes_of_its_place_in_the_stream)
{
	struct ekka_cuda_copy *taken[20];
	cudaStream_t stream;
	char *p = device_buffer(N, 0);

	cudaStreamCreate(&stream);
	for (int i = 0; i < 20; i++) {
		cudaMemsetAsync(p, i, N, stream);
		cr_assert_null(take(p, N, stream));
		taken[i] = copies[0];
	}
	cudaMemsetAsync(p, 99, N, stream);
	for (int i = 0; i < 20; i++)
		expect(taken[i], i, N);
}

Test(snapshot, small_copies_come_home_together)
{
	enum { COPIES = 20, BUFFER = 1 << 14 };	/* the pinned megabyte's */
	struct ekka_cuda_copy *taken[COPIES];
	char *p = device_buffer(N, 0);

	for (int i = 0; i < COPIES; i++) {
		cudaMemsetAsync(p, i, N, NULL);
		cr_assert_null(take(p, N, NULL));
		taken[i] = copies[0];
	}
	cudaStreamSynchronize(NULL);
	for (int i = 0; i < COPIES; i++)
		expect(taken[i], i, N);
	cr_assert_eq(fake_calls("cuMemcpyDtoHAsync_v2"), COPIES * N / BUFFER);
	cr_assert_eq(fake_calls("cuEventRecord"), COPIES + COPIES * N / BUFFER);
}

Test(snapshot, what_came_along_waits_in_its_buffer)
{
	struct ekka_cuda_copy *taken[16];
	char *p = device_buffer(N, 0);

	for (int i = 0; i < 16; i++) {
		cudaMemsetAsync(p, i, N, NULL);
		cr_assert_null(take(p, N, NULL));
		taken[i] = copies[0];
	}
	cudaStreamSynchronize(NULL);
	for (int i = 0; i < 16; i += 4)	/* one of each four, which come together; then both buffers are in use */
		expect(taken[i], i, N);
	for (int i = 15; i >= 0; i--)
		if (i % 4 != 0)
			expect(taken[i], i, N);
	cr_assert_null(take(p, N, NULL));	/* all room is there again */
	expect(copies[0], 15, N);
}

Test(snapshot, those_behind_the_end_of_the_slab_come_by_themselves)
{
	struct ekka_cuda_copy *taken[8];
	char *p = device_buffer(N, 0);

	ekka_conf.cuda_staging = 6 * N;
	for (int i = 0; i < 8; i++) {	/* the last two lie where the first two were */
		cudaMemsetAsync(p, i, N, NULL);
		cr_assert_null(take(p, N, NULL));
		taken[i] = copies[0];
		if (i == 4)
			for (int k = 0; k < 4; k++)
				expect(taken[k], k, N);
	}
	cudaStreamSynchronize(NULL);
	for (int i = 4; i < 8; i++)
		expect(taken[i], i, N);
}

Test(snapshot, what_comes_ahead_of_its_turn_does_not_wait)
{
	enum { COPIES = 12, BYTES = 60 << 10 };	/* seven fit into what the buffers leave of the sink's half */
	struct ekka_cuda_copy *taken[COPIES];
	unsigned ahead = 0;
	const void *got;
	char *p = device_buffer(BYTES, 0);
	cudaStream_t stream;

	cudaStreamCreate(&stream);
	for (int i = 0; i < COPIES; i++) {
		cudaMemsetAsync(p, i, BYTES, stream);
		cr_assert_null(take(p, BYTES, stream));
		taken[i] = copies[0];
	}
	cr_assert_not(ekka_cuda_copy_try(taken[COPIES - 1], &got), "it is not there yet");
	cudaStreamSynchronize(stream);
	cr_assert_null(ekka_cuda_copy_wait(taken[0], &got));
	while (ahead + 1 < COPIES && ekka_cuda_copy_try(taken[ahead + 1], &got))
		ahead++;
	cr_assert_eq(ahead, 3, "half of the room is left: %u", ahead);
	ekka_cuda_copy_release(taken[0]);
	for (int i = 1; i < COPIES; i++)
		expect(taken[i], i, BYTES);
	time_t start = time(NULL);
	ekka_cuda_wait_for_sink(false);
	cr_assert_lt(time(NULL) - start, 5, "something is still at work");
}

/* More than there are events, marks and copies in all. */
Test(snapshot, a_long_run_uses_nothing_up)
{
	char *p;

	setenv("EKKA_TEST_FAKE_DELAY_NS", "0", 1);
	p = device_buffer(16, 7);
	for (int i = 0; i < 2 * EKKA_CUDA_EVENTS; i++) {
		cr_assert_null(take(p, 16, NULL), "snapshot %d: %s", i, missing[0]);
		expect(copies[0], 7, 16);
	}
	cr_assert_leq(fake_calls("cuEventCreate"), 4);
}

/* Nobody has recorded the event of a copy that is being made: its mark says nothing, least of all that it is complete. */
Test(snapshot, a_copy_in_the_making_does_not_come_along)
{
	struct ekka_cuda_copy *first, *second;
	const void *got;
	char *p = device_buffer(N, 1);

	cr_assert_null(take(p, N, NULL));
	first = copies[0];
	cr_assert_null(take(p, N, NULL));
	second = copies[0];
	cudaStreamSynchronize(NULL);
	second->mark->recorded = false;
	cr_assert_null(ekka_cuda_copy_wait(first, &got));
	cr_assert_null(second->host);
	ekka_cuda_copy_release(first);
	expect(second, 1, N);
}

/* Given back by the engine's thread while it comes along, it stays until the sink has done with it. */
Test(snapshot, what_is_given_back_meanwhile_comes_to_no_harm)
{
	struct ekka_cuda_copy *copy;
	char *p = device_buffer(N, 1);

	cr_assert_null(take(p, N, NULL));
	copy = copies[0];
	cudaStreamSynchronize(NULL);
	copy->mark->passed = true;
	copy->claimed = true;
	ekka_cuda_copy_release(copy);
	cr_assert_eq(ekka_cuda_copies_in_flight(), 1);
	copy->claimed = false;
	cr_assert_null(take(p, N, NULL));
	expect(copies[0], 1, N);	/* looks after it, too */
	cr_assert_eq(ekka_cuda_copies_in_flight(), 0);
}

Test(snapshot, two_streams_keep_their_own_order)
{
	struct ekka_cuda_copy *taken[2][10];
	cudaStream_t stream[2];
	char *p[2] = { device_buffer(N, 0), device_buffer(N, 0) };

	cudaStreamCreate(&stream[0]);
	cudaStreamCreateWithFlags(&stream[1], cudaStreamNonBlocking);
	for (int i = 0; i < 10; i++)
		for (int s = 0; s < 2; s++) {
			cudaMemsetAsync(p[s], 10 * s + i, N, stream[s]);
			cr_assert_null(take(p[s], N, stream[s]));
			taken[s][i] = copies[0];
		}
	for (int i = 9; i >= 0; i--) /* in any order */
		for (int s = 0; s < 2; s++)
			expect(taken[s][i], 10 * s + i, N);
}

Test(snapshot, default_streams_work)
{
	char *p = device_buffer(N, 0);
	cudaStream_t streams[] = { NULL, cudaStreamLegacy, cudaStreamPerThread };

	for (int i = 0; i < 3; i++) {
		struct ekka_cuda_copy *copy;

		cudaMemsetAsync(p, 5 + i, N, streams[i]);
		cr_assert_null(take(p, N, streams[i]));
		copy = copies[0];
		cudaMemsetAsync(p, 50, N, streams[i]);
		expect(copy, 5 + i, N);
		cudaDeviceSynchronize();
	}
}

Test(snapshot, never_synchronises_and_calls_little)
{
	cudaStream_t stream;
	char *p[3] = { device_buffer(N, 1), device_buffer(N, 2), device_buffer(N, 3) };
	static const char *const per_call[] = { "cuCtxGetCurrent", "cuStreamIsCapturing", "cuMemcpyDtoDAsync_v2", "cuEventRecord",
						"cuPointerGetAttributes", "cuCtxGetId", "cuMemAlloc_v2", "cuEventCreate" };
	unsigned long before = 0, after = 0;

	cudaStreamCreate(&stream);
	describe(3, p, N, stream);
	snapshot();
	for (int i = 0; i < 3; i++)
		expect(copies[i], i + 1, N);
	for (unsigned i = 0; i < sizeof(per_call) / sizeof(per_call[0]); i++)
		before += fake_calls(per_call[i]);
	snapshot();
	for (unsigned i = 0; i < sizeof(per_call) / sizeof(per_call[0]); i++)
		after += fake_calls(per_call[i]);
	cr_assert_eq(after - before, 4 + 2 * 3); /* context, its id, capture state, event; two per tensor */
	for (int i = 0; i < 3; i++)
		expect(copies[i], i + 1, N);
	cr_assert_eq(fake_calls("cuStreamSynchronize") + fake_calls("cuCtxSynchronize") + fake_calls("cuEventSynchronize"), 0);
}

Test(snapshot, leaves_a_capture_alone)
{
	cudaStream_t stream, other;
	cudaGraph_t graph;
	size_t nodes;
	char *p = device_buffer(N, 7);

	cudaStreamCreate(&stream);
	cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking);
	cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal);
	cudaMemsetAsync(p, 8, N, stream);
	cr_assert_str_eq(take(p, N, stream), "capture");
	cr_assert_null(copies[0]);
	cr_assert_str_eq(take(p, N, NULL), "capture"); /* would spoil it */
	cr_assert_null(take(p, N, other)); /* slabs are allocated here, in the middle of it */
	expect(copies[0], 7, N);
	cr_assert_eq(cudaStreamEndCapture(stream, &graph), cudaSuccess);
	cudaGraphGetNodes(graph, NULL, &nodes);
	cr_assert_eq(nodes, 1);
}

Test(snapshot, goes_straight_to_pinned_memory_when_staging_is_full)
{
	struct ekka_cuda_copy *taken[12];
	cudaStream_t stream;
	char *p = device_buffer(N, 0);

	ekka_conf.cuda_staging = 4 * N;
	cudaStreamCreate(&stream);
	for (int i = 0; i < 12; i++) {
		cudaMemsetAsync(p, i, N, stream);
		cr_assert_null(take(p, N, stream));
		taken[i] = copies[0];
	}
	cr_assert_eq(fake_calls("cuMemcpyDtoDAsync_v2"), 4);
	for (int i = 0; i < 12; i++)
		expect(taken[i], i, N);
}

static void *late_release(void *copy)
{
	usleep(50000);
	expect(copy, 1, N);
	return NULL;
}

Test(snapshot, waits_for_room_or_says_that_there_is_none)
{
	struct ekka_cuda_copy *first;
	cudaStream_t stream;
	pthread_t thread;
	char *p = device_buffer(N, 1);

	ekka_conf.cuda_staging = N;
	ekka_conf.cuda_pinned = 2 * N; /* half for copies on the engine's stream */
	cudaStreamCreate(&stream);
	cr_assert_null(take(p, N, stream));
	first = copies[0];
	cr_assert_null(take(p, N, stream));
	late_release(copies[0]); /* direct: room again in pinned memory, none in staging */
	cr_assert_null(take(p, N, stream));
	pthread_create(&thread, NULL, late_release, first);
	cr_assert_null(take(p, N, stream)); /* blocked until the thread gave staging back */
	pthread_join(thread, NULL);
	ekka_conf.when_full = EKKA_DROP;
	cr_assert_str_eq(take(p, N, stream), "staging full");
}

Test(snapshot, what_can_never_fit_is_refused_at_once)
{
	char *p = device_buffer(1 << 16, 1);

	ekka_conf.cuda_staging = 1 << 12;
	ekka_conf.cuda_pinned = 1 << 13;
	cr_assert_str_eq(take(p, 1 << 16, NULL), "too large");
	cr_assert_null(take(p, 1 << 12, NULL));
	expect(copies[0], 1, 1 << 12);
}

Test(snapshot, larger_than_pinned_memory_comes_in_pieces)
{
	char *p = device_buffer(1 << 19, 3);

	ekka_conf.cuda_pinned = 1 << 17;
	cr_assert_null(take(p, 1 << 19, NULL));
	cudaMemsetAsync(p, 4, 1 << 19, NULL);
	expect(copies[0], 3, 1 << 19);
}

Test(snapshot, makes_do_without_staging)
{
	char *p;

	setenv("EKKA_TEST_FAKE_FAIL", "cuMemAlloc_v2=2,cuMemCreate=2", 1);
	p = device_buffer(N, 3);
	cr_assert_null(take(p, N, NULL));
	cudaMemsetAsync(p, 4, N, NULL);
	expect(copies[0], 3, N);
}

Test(snapshot, makes_do_without_pinned_memory)
{
	char *p;

	setenv("EKKA_TEST_FAKE_FAIL", "cuMemHostAlloc=2", 1);
	ekka_conf.cuda_staging = 2 * N;
	ekka_conf.when_full = EKKA_DROP;
	p = device_buffer(N, 3);
	for (int i = 0; i < 2; i++)
		cr_assert_null(take(p, N, NULL));
	/* The engine's thread would wait in a copy to ordinary memory. */
	cr_assert_str_eq(take(p, N, NULL), "staging full");
}

Test(snapshot, ordinary_memory_does_where_none_can_be_pinned)
{
	char *p, *q;

	setenv("EKKA_TEST_FAKE_FAIL", "cuMemHostAlloc=2", 1);
	p = device_buffer(N, 3);
	q = device_buffer(600 << 10, 4);	/* larger than its half */
	cr_assert_null(take(p, N, NULL));
	expect(copies[0], 3, N);
	cr_assert_null(take(q, 600 << 10, NULL));
	expect(copies[0], 4, 600 << 10);
	cr_assert_null(ekka_cuda_pinned.direct);
}

Test(snapshot, pins_less_where_all_is_refused)
{
	char *p;

	setenv("EKKA_TEST_FAKE_PINNED", "3000000", 1);
	ekka_conf.cuda_pinned = 8 << 20;
	p = device_buffer(N, 3);
	cr_assert_null(take(p, N, NULL));
	expect(copies[0], 3, N);
	cr_assert_not_null(ekka_cuda_pinned.direct);
	cr_assert_eq(ekka_cuda_pinned.direct_ring.bytes, 1 << 20);
	cr_assert_eq(fake_calls("cuMemHostAlloc"), 3);	/* 8, 4, 2 MiB */
}

Test(snapshot, gives_up_after_repeated_errors)
{
	char *p;

	setenv("EKKA_TEST_FAKE_FAIL", "cuMemcpyDtoDAsync_v2=700", 1);
	p = device_buffer(N, 3);
	cr_assert_str_eq(take(p, N, NULL), "CUDA error");
	unsetenv("EKKA_TEST_FAKE_FAIL");
	cr_assert_str_eq(take(p, N, NULL), "CUDA error"); /* 700 is an illegal address: the context is lost */
	cr_assert_eq(fake_calls("cuMemcpyDtoDAsync_v2"), 1);
	cr_assert_eq(cudaPeekAtLastError(), cudaSuccess);
}

Test(snapshot, wrong_addresses_are_said_to_be_wrong)
{
	char *p = device_buffer(N, 3), host[16];

	cr_assert_str_eq(take(p, 2 * N, NULL), "fault");
	cr_assert_str_eq(take(host, 16, NULL), "not CUDA memory");
	cr_assert_null(take(p, N, NULL));
	expect(copies[0], 3, N);
}

Test(snapshot, pinned_and_managed_memory)
{
	void *p;

	cudaMallocHost(&p, N);
	memset(p, 4, N);
	cr_assert_null(take(p, N, NULL));
	expect(copies[0], 4, N);
	cudaMallocManaged(&p, N, cudaMemAttachGlobal);
	memset(p, 5, N);
	cr_assert_null(take(p, N, NULL));
	expect(copies[0], 5, N);
}

static void expect_what_stays(void)
{
	struct ekka_cuda_taken taken[EKKA_MAX_TENSORS];
	char *p[3] = { device_buffer(N, 5) };

	cudaMallocHost((void **)&p[1], N);
	cudaMallocManaged((void **)&p[2], N, cudaMemAttachGlobal);
	describe(3, p, N, NULL);
	ekka_cuda_snapshot(&call, EKKA_PRE, taken);
	for (int i = 0; i < 3; i++) {
		cr_assert_not_null(taken[i].copy);
		cr_assert_eq(taken[i].stays, i == 0);
		ekka_cuda_copy_release(taken[i].copy);
	}
}

Test(snapshot, only_memory_of_the_device_alone_stays_as_it_is)
{
	expect_what_stays();
}

Test(snapshot, what_stays_is_asked_one_by_one_where_a_driver_wants_that)
{
	setenv("EKKA_TEST_FAKE_FAIL", "cuPointerGetAttributes=1", 1);
	expect_what_stays();
	cr_assert_eq(fake_calls("cuPointerGetAttribute"), 6);
}

Test(snapshot, bytes_that_nothing_wrote_are_not_copied_again)
{
	struct ekka_cuda_taken taken[EKKA_MAX_TENSORS];
	char *p = device_buffer(N, 5);
	uint64_t serial = ekka_versions_serial();

	ekka_versions_enable();
	describe(1, &p, N, NULL);
	ekka_cuda_snapshot(&call, EKKA_PRE, taken);
	cr_assert_not_null(taken[0].copy);
	expect(taken[0].copy, 5, N);
	ekka_versions_publish((uint64_t)p, N, taken[0].clock, serial);
	ekka_cuda_snapshot(&call, EKKA_PRE, taken);
	cr_assert_eq(taken[0].known, serial);
	cr_assert_null(taken[0].copy);
	cr_assert_null(taken[0].missing);
	ekka_versions_wrote((uint64_t)p + N / 2, 1);
	ekka_cuda_snapshot(&call, EKKA_PRE, taken);
	cr_assert_eq(taken[0].known, 0);
	cr_assert_not_null(taken[0].copy);
	expect(taken[0].copy, 5, N);
}

Test(snapshot, gathers_a_batch_by_device_pointers)
{
	enum { ITEMS = 5, SPAN = 100 };
	char *items[ITEMS], *array = device_buffer(sizeof(items), 0);
	struct ekka_cuda_copy *copy;
	const void *got;
	cudaStream_t stream;

	cudaStreamCreate(&stream);
	for (int i = 0; i < ITEMS; i++)
		items[i] = i == 3 ? NULL : device_buffer(SPAN, i + 1);
	cudaMemcpy(array, items, sizeof(items), cudaMemcpyHostToDevice);
	describe(1, &array, SPAN, stream);
	call.tensors[0].n_ptrs = ITEMS;
	snapshot();
	cr_assert_null(missing[0]);
	copy = copies[0];
	cudaMemsetAsync(items[0], 77, SPAN, stream);
	cr_assert_eq(ekka_cuda_copy_bytes(copy), ITEMS * SPAN);
	cr_assert_null(ekka_cuda_copy_wait(copy, &got));
	for (int i = 0; i < ITEMS * SPAN; i++)
		cr_assert_eq(((const char *)got)[i], i / SPAN == 3 ? 0 : i / SPAN + 1);
	ekka_cuda_copy_release(copy);
}

Test(snapshot, survives_a_device_reset)
{
	struct ekka_cuda_copy *stale, *home;
	const void *got;
	char *p = device_buffer(N, 1);

	cr_assert_null(take(p, N, NULL));
	stale = copies[0];
	cr_assert_null(take(p, N, NULL));
	home = copies[0];
	cudaStreamSynchronize(NULL);
	expect(stale, 1, N);
	cr_assert_not_null(home->host);		/* it came along, into memory that goes with the context */
	cr_assert_null(take(p, N, NULL));
	stale = copies[0];
	ekka_cuda_context_ends(NULL, 0);	/* as the entry point does */
	cudaDeviceReset();
	cr_assert_str_eq(ekka_cuda_copy_wait(home, &got), "no context");
	ekka_cuda_copy_release(home);
	cr_assert_str_eq(ekka_cuda_copy_wait(stale, &got), "no context");
	ekka_cuda_copy_release(stale);
	/* What was never brought home holds on to the old rings: there is no pinned memory, and that is said. */
	p = device_buffer(N, 2);
	cr_assert_null(take(p, N, NULL));
	cr_assert_str_eq(ekka_cuda_copy_wait(copies[0], &got), "no pinned memory");
	ekka_cuda_copy_release(copies[0]);
}

Test(snapshot, goes_on_after_a_device_reset)
{
	char *p = device_buffer(N, 1);

	cr_assert_null(take(p, N, NULL));
	expect(copies[0], 1, N);
	ekka_cuda_context_ends(NULL, 0);
	cudaDeviceReset();
	p = device_buffer(N, 2);
	cr_assert_null(take(p, N, NULL));
	expect(copies[0], 2, N);
}

static void *snapshot_here(void *p)
{
	return (void *)take(p, N, NULL);
}

Test(snapshot, works_in_a_thread_that_has_no_context)
{
	pthread_t thread;
	void *why;
	char *p = device_buffer(N, 6);

	pthread_create(&thread, NULL, snapshot_here, p);
	pthread_join(thread, &why);
	cr_assert_null(why, "%s", (char *)why);
	expect(copies[0], 6, N);
}

static struct ekka_cuda_copy *left_over;
static void drain(void)
{
	const void *got;

	_exit(ekka_cuda_copy_wait(left_over, &got) == NULL && *(const char *)got == 9 ? 7 : 8);
}

/* At exit the driver of the fake machine is shut down as early as the real one's. */
Test(snapshot, what_is_left_at_exit_is_still_brought_home, .exit_code = 7)
{
	char *p = device_buffer(N, 9);

	ekka_cuda_on_exit(drain);
	cr_assert_null(take(p, N, NULL));
	left_over = copies[0];
	exit(1);
}

Test(snapshot, a_forked_child_starts_afresh)
{
	char *p = device_buffer(N, 9);

	cr_assert_null(take(p, N, NULL));
	ekka_cuda_fork_child();
	cr_assert_null(take(p, N, NULL));
	expect(copies[0], 9, N);
}

static unsigned long waits(void)
{
	return fake_calls("cuStreamSynchronize") + fake_calls("cuCtxSynchronize") + fake_calls("cuEventSynchronize") + fake_calls("cuMemFree_v2");
}

static size_t free_bytes(void)
{
	size_t n, total;

	fake_memory_info(&n, &total);
	return n;
}

Test(snapshot, gives_device_memory_back_when_idle)
{
	char *p = device_buffer(N, 3);
	size_t before = free_bytes();

	cr_assert_null(take(p, N, NULL));
	cr_assert_eq(before - free_bytes(), 1 << 20, "all of the allowed");
	expect(copies[0], 3, N);
	cr_assert(ekka_cuda_make_room());
	cr_assert_eq(free_bytes(), before);
	cr_assert_not(ekka_cuda_make_room(), "there is no more");
	/* Without it the copies go to the host. */
	cr_assert_null(take(p, N, NULL));
	cudaMemsetAsync(p, 4, N, NULL);
	expect(copies[0], 3, N);
	cr_assert_eq(free_bytes(), before);
	cr_assert_eq(waits(), 0);
}

static void nap_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
}

Test(snapshot, takes_device_memory_again_after_a_quiet_while)
{
	enum { QUIET_MS = 200 };
	char *p = device_buffer(N, 3);
	size_t before = free_bytes();
	unsigned long staged;

	ekka_cuda_staging_quiet_ms = QUIET_MS / 2;
	for (int round = 0; round < 2; round++) {
		cr_assert_null(take(p, N, NULL));
		expect(copies[0], 3, N);
		cr_assert(ekka_cuda_make_room());
		nap_ms(QUIET_MS / 2 << round);
		cr_assert_not(ekka_cuda_make_room(), "the engine asks once more: the while begins anew");
		nap_ms(QUIET_MS / 2 << round);	/* twice as long as it was */
		cr_assert_null(take(p, N, NULL));
		expect(copies[0], 3, N);
		cr_assert_eq(free_bytes(), before, "not yet");
		nap_ms((QUIET_MS / 2 + 20) << round);
		staged = fake_calls("cuMemcpyDtoDAsync_v2");
		cr_assert_null(take(p, N, NULL));
		cr_assert_eq(fake_calls("cuMemcpyDtoDAsync_v2"), staged, "by the sink, not by the engine's thread");
		expect(copies[0], 3, N);
		cr_assert_eq(before - free_bytes(), 1 << 20);
		cr_assert_null(take(p, N, NULL));
		cr_assert_eq(fake_calls("cuMemcpyDtoDAsync_v2"), staged + 1);
		expect(copies[0], 3, N);
	}
	cr_assert_eq(waits(), 0);
}

Test(snapshot, takes_a_quarter_at_most_of_what_is_left_and_what_can_be_given_back)
{
	char *p;
	size_t left;

	setenv("EKKA_TEST_FAKE_MEMORY", "8388608", 1);
	ekka_conf.cuda_staging = 4 << 20;
	ekka_cuda_staging_quiet_ms = 0;
	p = device_buffer(N, 3);
	cr_assert_null(take(p, N, NULL));
	expect(copies[0], 3, N);
	cr_assert(ekka_cuda_make_room());
	(void)device_buffer(4 << 20, 0);
	left = free_bytes();
	cr_assert_null(take(p, N, NULL));
	expect(copies[0], 3, N);
	cr_assert_lt(free_bytes(), left);
	cr_assert_leq(left - free_bytes(), left / 4);
	cr_assert(ekka_cuda_make_room());
	cr_assert_eq(free_bytes(), left);
	setenv("EKKA_TEST_FAKE_FAIL", "cuMemMap=801", 1);
	cr_assert_null(take(p, N, NULL));
	expect(copies[0], 3, N);
	cr_assert_eq(free_bytes(), left);
	cr_assert_eq(fake_calls("cuMemAlloc_v2"), 0);
}

Test(snapshot, gives_device_memory_back_when_the_last_copy_has_left)
{
	char *p = device_buffer(N, 3);
	size_t before = free_bytes();
	struct ekka_cuda_copy *first;

	cr_assert_null(take(p, N, NULL));
	first = copies[0];
	cr_assert_not(ekka_cuda_make_room(), "a copy lies in it");
	cr_assert_neq(free_bytes(), before);
	cr_assert_null(take(p, N, NULL));	/* goes elsewhere */
	cudaMemsetAsync(p, 4, N, NULL);
	expect(first, 3, N);
	cr_assert_eq(free_bytes(), before);
	expect(copies[0], 3, N);
	cr_assert_eq(waits(), 0);
}

Test(snapshot, what_cannot_be_mapped_stays)
{
	char *p = device_buffer(N, 3);

	setenv("EKKA_TEST_FAKE_FAIL", "cuMemMap=801", 1);
	cr_assert_null(take(p, N, NULL));
	expect(copies[0], 3, N);
	cr_assert_not(ekka_cuda_make_room());
	cr_assert_eq(fake_calls("cuMemFree_v2"), 0);
}

Test(snapshot, a_reset_leaves_no_memory_behind)
{
	char *p = device_buffer(N, 3);
	size_t before = free_bytes();

	cr_assert_null(take(p, N, NULL));
	expect(copies[0], 3, N);
	ekka_cuda_context_ends(NULL, 0);	/* as the entry point does */
	cudaDeviceReset();
	p = device_buffer(N, 3);
	cr_assert_null(take(p, N, NULL));
	expect(copies[0], 3, N);
	cr_assert_eq(before - free_bytes(), 1 << 20);
}
