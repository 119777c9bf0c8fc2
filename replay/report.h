/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers verdicts into a report. Not shared between threads. */
#ifndef EKKA_REPLAY_REPORT_H
#define EKKA_REPLAY_REPORT_H

#include "replay/replay.h"

/* The report keeps this many suspects of each class in detail; the counts are of all. */
enum { EKKA_REPORT_SUSPECTS = 1000 };

struct ekka_report_builder {
	struct ekka_report report;
	struct ekka_report_entry { uint64_t t_ns; bool fail; struct ekka_verdict verdict; } *entry;	/* owned */
	size_t n, cap, n_of[2];
};

/* Adds the verdict of one outermost event that computes something, with the bytes of its outputs; events come in their order. */
int ekka_report_add(struct ekka_report_builder *, const struct ekka_event *, const struct ekka_verdict *, uint64_t output_bytes,
		    struct ekka_error *err);

/* Adds a note to a report, the first EKKA_REPORT_NOTES of them; others are counted. 0, or negative without memory. */
enum { EKKA_REPORT_NOTES = 200 };
int ekka_report_note(struct ekka_report *, uint64_t event, const char *text, struct ekka_error *err);

/* Counts one that the sample left alone. */
void ekka_report_add_not_sampled(struct ekka_report_builder *, const struct ekka_event *, uint64_t output_bytes);

/* Adds what capture says it dropped. */
void ekka_report_add_segment(struct ekka_report_builder *, const struct ekka_segment *);

/* Ranks the suspects and hands the report over; the builder is released. */
int ekka_report_take(struct ekka_report_builder *, struct ekka_report *ret, struct ekka_error *err);
void ekka_report_builder_release(struct ekka_report_builder *);

#endif
