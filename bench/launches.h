/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EKKA_BENCH_LAUNCHES_H
#define EKKA_BENCH_LAUNCHES_H

/* Nanoseconds of one launch on the calling thread: the median of `rounds` rounds of as many launches, each waited for at its end. */
__attribute__((visibility("default"))) double bench_launch(long launches, long rounds);

#endif
