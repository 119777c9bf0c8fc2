/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "preload/init.h"

#include "preload/blobset.h"
#include "preload/capture.h"
#include "preload/conf.h"
#include "preload/count.h"
#include "preload/cuda.h"
#include "preload/fd.h"
#include "preload/guard.h"
#include "preload/intern.h"
#include "preload/pool.h"
#include "preload/process.h"
#include "preload/queue.h"
#include "preload/resolve.h"
#include "preload/say.h"
#include "preload/segment.h"
#include "preload/sink.h"
#include "preload/stack.h"
#include "preload/timing.h"
#include "preload/window.h"
#include "preload/writer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

_Atomic int ekka_state;

/* In a page that the kernel empties in every child that gets a copy of our memory, however it was forked. */
static _Atomic uint32_t *alive;

static char wrong_why[200];

EKKA_PUBLIC const char *ekka_version(void);
const char *ekka_version(void)
{
	return PACKAGE_VERSION;
}

bool ekka_is_ours(const void *p)
{
	/* From the linker: our ELF header, and the end of our last segment. */
	extern const char __ehdr_start[] __attribute__((visibility("hidden")));
	extern const char _end[] __attribute__((visibility("hidden")));

	return (uintptr_t)p >= (uintptr_t)__ehdr_start && (uintptr_t)p < (uintptr_t)_end;
}

void ekka_stop(const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (atomic_exchange(&ekka_state, EKKA_STATE_OFF) == EKKA_STATE_OFF)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ekka_say("%s", text);
}

static bool watch_forks(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED || madvise(page, 4096, MADV_WIPEONFORK) != 0)
		return false;
	alive = page;
	atomic_store(alive, 1);
	return true;
}

bool ekka_in_child(void)
{
	return atomic_load_explicit(alive, memory_order_relaxed) == 0;
}

void ekka_child_start(void)
{
	uint32_t dead = 0;

	if (!atomic_compare_exchange_strong(alive, &dead, 1))
		return;
	ekka_segment_start();
	ekka_process_adopt();
	ekka_sink_forget();
	ekka_pool_forget();
	ekka_writer_forget();
	ekka_queue_forget();
	ekka_blobset_forget();
	ekka_intern_forget();
	ekka_count_reset();
	atomic_store(&ekka_totals.left_out, 0);
	ekka_cuda_fork_child();
	ekka_launches_fork_child();
	ekka_self.tid = 0;
	ekka_self.depth = 0;
	ekka_timing_forget();
}

bool ekka_ready(void)
{
	int wrong = EKKA_STATE_WRONG;

	ekka_init();
	if (atomic_compare_exchange_strong(&ekka_state, &wrong, EKKA_STATE_OFF))
		ekka_say("%s; nothing is recorded", wrong_why);
	return atomic_load(&ekka_state) == EKKA_STATE_ON;
}

static void on_quick_exit(void)
{
	ekka_process_leave("exit");
}

static int configure(void)
{
	const char *why;

	if (!ekka_conf_parse(&ekka_conf, environ, wrong_why, sizeof(wrong_why)))
		return EKKA_STATE_WRONG;
	if (ekka_conf.level == EKKA_LEVEL_OFF)
		return EKKA_STATE_OFF;
	ekka_segment_start();
	if (!ekka_segment_name()) {
		strcpy(wrong_why, "the path of the trace is too long");
		return EKKA_STATE_WRONG;
	}
	if (!watch_forks()) {
		strcpy(wrong_why, "this kernel cannot watch forks (MADV_WIPEONFORK)");
		return EKKA_STATE_WRONG;
	}
	why = ekka_window_start();
	if (why) {
		strcpy(wrong_why, why);
		return EKKA_STATE_WRONG;
	}
	if (ekka_conf.stack > 0)
		(void)ekka_stack_init();	/* without it there are no native stacks; `ekka doctor` says so */
	ekka_fd_reserve();
	ekka_process_adopt();
	/* Registered first, so run last. */
	at_quick_exit(on_quick_exit);
	return EKKA_STATE_ON;
}

__attribute__((constructor)) void ekka_init(void)
{
	int state = EKKA_STATE_NEW;
	int saved = errno;

	if (!atomic_compare_exchange_strong(&ekka_state, &state, EKKA_STATE_STARTING))
		return;
	ekka_resolve_init();
	ekka_say_init();
	atomic_store(&ekka_state, configure());
	errno = saved;
}

__attribute__((destructor)) static void fini(void)
{
	ekka_process_leave("exit");
	ekka_fd_unreserve();
}
