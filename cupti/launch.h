/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One launch, however it was seen, on its way to an event. Zone: inside the host process. Any thread.
 */
#ifndef EKKA_CUPTI_LAUNCH_H
#define EKKA_CUPTI_LAUNCH_H

#include "preload/launch.h"

#include <cuda.h>

struct ekka_launch {
	CUfunction f;			/* or a CUkernel cast to it */
	const char *symbol;		/* its name as CUPTI tells it, or NULL */
	unsigned grid[3], block[3];
	unsigned shared_bytes;		/* dynamic */
	CUstream stream;
	bool cooperative;
	const CUlaunchConfig *config;	/* of cuLaunchKernelEx, for its attributes; or NULL */
	void **params, **extra;
	const void *caller;		/* return address in the engine; NULL when not known */
};

/* Who sees launches now. */
enum ekka_launch_source { EKKA_SOURCE_NONE, EKKA_SOURCE_CUPTI, EKKA_SOURCE_DRIVER };
enum ekka_launch_source ekka_launch_source(void);

/* The same for the trace: "cupti"; "driver", or "driver: " and why it is not CUPTI. Static text. */
const char *ekka_launch_via(void);

/* Fills a launch from cuLaunchKernelEx's configuration. Stream 0 is the thread's own one where per_thread is set. */
void ekka_launch_from_config(struct ekka_launch *launch, const CUlaunchConfig *config, bool per_thread);

/* Records the launch that is about to happen; ekka_launch_end with the mark follows on the same thread. */
struct ekka_launch_mark ekka_launch_record(const struct ekka_launch *launch);

/* The launch returned `result`, a CUresult. */
void ekka_launch_end(struct ekka_launch_mark mark, int64_t result);

/* CUPTI's callbacks: subscribe.c. NULL, or why there is no subscription (static text). */
const char *ekka_cupti_subscribe(void);
void ekka_cupti_unsubscribe(void);

#endif
