/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/sink.h"

#include "preload/blobset.h"
#include "preload/conf.h"
#include "preload/count.h"
#include "preload/cuda.h"
#include "preload/cuda_timing.h"
#include "preload/entries.h"
#include "preload/init.h"
#include "preload/intern.h"
#include "preload/pool.h"
#include "preload/process.h"
#include "preload/queue.h"
#include "preload/say.h"
#include "preload/segment.h"
#include "preload/snapshot.h"
#include "preload/timing.h"
#include "preload/writer.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { STACK_BYTES = 512 << 10, IDLE_MS = 1000, STUCK_MS = 2000, BATCH_BYTES = 1 << 20, NAPS = 10,
       NAP_US = 200, TIME_MS = 2 /* between questions for times */, TIME_ENTRIES = 16 /* and entries */ };

static struct {
	struct ekka_lock lock;		/* of starting and closing */
	_Atomic bool running, closing;
	_Atomic bool ended;
	struct ekka_signal end;
	_Atomic unsigned generation;
	const char *why;		/* of closing */
	bool opened;			/* there are files */
} sink;

unsigned ekka_segment_generation(void)
{
	return atomic_load_explicit(&sink.generation, memory_order_relaxed);
}

bool ekka_sink_running(void)
{
	return atomic_load_explicit(&sink.running, memory_order_acquire);
}

/*
 * A process whose main thread has called pthread_exit lives until its last thread ends: that must not be us. Then
 * the main thread is a zombie, and every other task is one of ours.
 */
static bool engine_is_gone(void)
{
	char text[512];
	const char *state;
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	state = strrchr(text, ')');
	return state && state[1] == ' ' && state[2] == 'Z' && ekka_only_our_tasks(1 + ekka_pool_threads());
}

/* Entries until there is nothing to do any more: at closing, or when the engine's threads have all ended. */
static void work(void)
{
	unsigned stuck_ms = 0, naps = 0, n = 0, times;

	for (;;) {
		struct ekka_entry *e = ekka_queue_peek(0);
		if (e) {
			ekka_entries_put(e);
			ekka_queue_pop(e);
			stuck_ms = 0;
			naps = ekka_conf.sync ? 0 : NAPS;
			if (++n % TIME_ENTRIES == 0)
				(void)ekka_timing_poll(ekka_entries_put_time);
			if (ekka_writer_pending() >= BATCH_BYTES)
				ekka_entries_flush();
			continue;
		}
		times = ekka_timing_poll(ekka_entries_put_time);
		uint64_t taken = ekka_queue_taken();
		ekka_entries_flush();
		ekka_queue_written(taken);
		if (atomic_load(&sink.closing)) {
			/* Somebody may be filling an entry still; not for ever. */
			if ((ekka_queue_position() == taken && times == 0) || stuck_ms >= STUCK_MS)
				return;
			stuck_ms += 10;
			usleep(10000);
		} else if (naps > 0) {
			/* While calls come in quick succession nobody has to wake us, which would cost each of them a system call. */
			naps--;
			usleep(NAP_US);
		} else if (!ekka_queue_peek(times ? TIME_MS : IDLE_MS) && engine_is_gone()) {
			return;
		}
	}
}

static void write_trailer(void)
{
	struct ekka_count drops[EKKA_COUNT_NAMES];
	struct ekka_rec_close rec = {
		.t_ns = ekka_now_ns(),
		.events = ekka_writer_calls(),
		.seen_bytes = atomic_load(&ekka_totals.seen_bytes),
		.known_bytes = atomic_load(&ekka_totals.known_bytes),
		.stored_bytes = ekka_writer_blob_bytes(),
		.left_out = atomic_exchange(&ekka_totals.left_out, 0),
		.dropped = drops,
		.n_dropped = ekka_count_drops(drops),
		.why = sink.why ? sink.why : "exit",
	};

	ekka_writer_close(&rec);
}

static void *sink_main(void *arg)
{
	const char *why;

	(void)arg;
	prctl(PR_SET_NAME, "ekkatrace");
	why = ekka_writer_open();
	sink.opened = !why;
	if (why)
		ekka_entries_fail(why);
	work();
	ekka_cuda_timing_give_up();
	ekka_pool_stop();
	write_trailer();
	atomic_store(&sink.ended, true);
	ekka_signal_raise(&sink.end);
	return NULL;
}

static bool start_thread(void)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t t;
	bool ok = false;

	if (pthread_attr_init(&attr) != 0)
		return false;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &old) == 0) {
		ok = pthread_create(&t, &attr, sink_main, NULL) == 0;
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	pthread_attr_destroy(&attr);
	return ok;
}

/* Before the CUDA driver shuts down, at exit. A child that was forked has the handler and no sink: there it would wait in vain. */
static void drain(void)
{
	if (ekka_in_child() || !ekka_sink_running())
		return;
	(void)ekka_queue_wait_written(ekka_queue_position());
	ekka_cuda_timing_wait();
}

static bool start(void)
{
	static _Atomic bool told_cuda, told_user;

	if (!ekka_queue_open(ekka_conf.memory)) {
		ekka_stop("no memory for the queue (EKKA_MEMORY); nothing is recorded");
		return false;
	}
	atomic_fetch_add(&sink.generation, 1);
	ekka_blobset_clear();
	ekka_intern_clear();
	ekka_count_reset();
	sink.opened = false;
	ekka_entries_reset();
	sink.why = NULL;
	atomic_store(&sink.closing, false);
	atomic_store(&sink.ended, false);
	if (!start_thread()) {
		ekka_stop("cannot start a thread; nothing is recorded");
		return false;
	}
	if (!atomic_exchange(&told_cuda, true))
		ekka_cuda_on_exit(drain);
	/* Only now, like wrong values: helper programs that make no call stay silent. */
	if (ekka_conf.unknown[0] && !atomic_exchange(&told_user, true))
		ekka_say("%s", ekka_conf.unknown);
	return true;
}

bool ekka_sink_start(void)
{
	if (ekka_sink_running())
		return true;
	if (!ekka_lock_take(&sink.lock))
		return false;
	bool ok = ekka_sink_running() || (atomic_load(&ekka_state) == EKKA_STATE_ON && start());
	atomic_store_explicit(&sink.running, ok, memory_order_release);
	ekka_lock_release(&sink.lock);
	return ok;
}

static void size_text(char *buf, size_t size, uint64_t bytes)
{
	static const char units[] = "KMGTP";
	double v = (double)bytes / 1024;
	unsigned u = 0;

	for (; v >= 1024 && units[u + 1]; u++)
		v /= 1024;
	snprintf(buf, size, "%.1f %ciB", v, units[u]);
}

static void summary(void)
{
	struct ekka_count drops[EKKA_COUNT_NAMES];
	unsigned n = ekka_count_drops(drops);
	uint64_t dropped = 0, calls = atomic_load(&ekka_totals.events);
	char size[32], missing[96] = "";

	for (unsigned i = 0; i < n; i++)
		dropped += drops[i].n;
	if (dropped)
		snprintf(missing, sizeof(missing), ", %llu things left out (%s%s)", (unsigned long long)dropped, drops[0].name,
			 n > 1 ? ", ..." : "");
	size_text(size, sizeof(size), ekka_writer_bytes());
	ekka_say("%llu call%s, %s in %s%s", (unsigned long long)calls, calls == 1 ? "" : "s", size, ekka_segment_shown(),
		 missing);
}

void ekka_sink_close(const char *why)
{
	if (!ekka_lock_take(&sink.lock))
		return;
	if (!ekka_sink_running())
		goto unlock;
	atomic_store(&sink.running, false);
	sink.why = why;
	atomic_store(&sink.closing, true);
	/* Not only for what is queued now: the trailer comes after it. */
	(void)ekka_queue_wait_written(ekka_queue_position());
	for (unsigned ms = 0; !atomic_load(&sink.ended) && ms < EKKA_PATIENCE_MS; ms += 100) {
		uint32_t seq = atomic_load(&sink.end.seq);
		ekka_queue_kick();
		if (!atomic_load(&sink.ended))
			ekka_signal_wait(&sink.end, seq, 100);
	}
	if (!ekka_conf.quiet && sink.opened)
		summary();
unlock:
	ekka_lock_release(&sink.lock);
}

void ekka_sink_forget(void)
{
	sink.lock = (struct ekka_lock){ 0 };
	sink.end = (struct ekka_signal){ 0 };
	atomic_store(&sink.running, false);
}
