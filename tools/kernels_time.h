/* SPDX-License-Identifier: Apache-2.0 */
/* The GPU time of a trace, kernel by kernel. Not shared between threads; ends the command when there is no memory. */
#ifndef EKKA_TOOLS_KERNELS_TIME_H
#define EKKA_TOOLS_KERNELS_TIME_H

#include "trace/reader.h"

struct ekka_kernels_time {
	uint64_t total_ns;		/* of all outermost events whose time is known */
	uint64_t nobodys_ns;		/* of it, of calls with several launches inside, whose shares nothing tells */
	struct inner *inner;		/* private; owned */
	size_t n;
};

/* Any event of the trace. */
void ekka_kernels_time_add(struct ekka_kernels_time *, const struct ekka_event *);

/* A launch of kernel number `kernel` inside `parent`. */
void ekka_kernels_time_add_inner(struct ekka_kernels_time *, const struct ekka_event *parent, size_t kernel);

/* At the end: a call's time is that of the kernel inside when there is no other one, and nobody's else. Tells `give` of each that is a kernel's. */
void ekka_kernels_time_split(struct ekka_kernels_time *, void (*give)(void *arg, size_t kernel, uint64_t ns), void *arg);

void ekka_kernels_time_release(struct ekka_kernels_time *);

#endif
