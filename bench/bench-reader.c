/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-reader TRACE: opens a trace and reads every event; prints events, events/s of opening and of reading, and from
 * the trailers the tensor bytes seen and stored.
 */
#include "bench/bench.h"
#include "trace/reader.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	struct ekka_error err = { 0 };
	struct ekka_event event = { 0 };
	struct ekka_trace *trace;
	uint64_t start = bench_ns(CLOCK_MONOTONIC), opened, done, n, seen = 0, stored = 0;

	if (argc != 2 || ekka_trace_open(argv[1], &trace, &err) != 0) {
		fprintf(stderr, "bench-reader: %s\n", argc == 2 ? err.message : "usage: bench-reader TRACE");
		return 2;
	}
	opened = bench_ns(CLOCK_MONOTONIC);
	n = ekka_trace_n_events(trace);
	for (uint64_t i = 1; i <= n; i++)
		if (ekka_trace_event_read(trace, i, &event, &err) != 0) {
			fprintf(stderr, "bench-reader: %s\n", err.message);
			return 1;
		}
	done = bench_ns(CLOCK_MONOTONIC);
	for (size_t i = 0; i < ekka_trace_n_segments(trace); i++) {
		seen += ekka_trace_segment(trace, i)->close.seen_bytes;
		stored += ekka_trace_segment(trace, i)->close.stored_bytes;
	}
	printf("%llu %.0f %.0f %llu %llu\n", (unsigned long long)n, (double)n / ((double)(opened - start) * 1e-9),
	       (double)n / ((double)(done - opened) * 1e-9), (unsigned long long)seen, (unsigned long long)stored);
	ekka_event_release(&event);
	ekka_trace_close(trace);
	return 0;
}
