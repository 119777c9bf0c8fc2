/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays a trace: re-executes its ops on references and judges what was recorded.
 */
#ifndef EKKA_REPLAY_REPLAY_H
#define EKKA_REPLAY_REPLAY_H

#include "compare/verdict.h"
#include "trace/reader.h"

struct ekka_backend;
struct ekka_redescriber;
struct ekka_redescription;

struct ekka_replay_options {
	bool exact;			/* recompute every element of every op, no screen */
	unsigned threads;		/* 0: one per core */
	uint64_t memory_bytes;		/* working memory for all threads together; 0: 256 MiB for each, at least 1 GiB */
	const char *only;		/* glob on function names; NULL: all */
	uint64_t event;			/* judge this event alone; 0: all */
	/* For launches that were recorded without a meaning: ekka_redescribe and its first argument (replay/redescribe.h). NULL: none. */
	void (*redescribe)(struct ekka_redescriber *, struct ekka_event *, struct ekka_redescription *);
	struct ekka_redescriber *kernels;
	struct ekka_backend *backend;	/* computes references besides the CPU, replay/backend.h; borrowed; NULL: none */
	double sample;			/* part of the events that is judged, replay/sample.h; 0: all */
	uint64_t seed;			/* of the sample */
	double screen_delta;		/* chance that the screen escalates a right op; 0: 1e-6 */
	/* Called from one thread at a time; NULL: none. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	/* Called once per event in event order, also for PASS; NULL: none. The verdict is borrowed. */
	void (*verdict)(void *arg, const struct ekka_event *, const struct ekka_verdict *);
	void *arg;
};

/* Who wrote what an event read: its tensor `tensor` holds bytes that event `writer` left. */
struct ekka_source { uint64_t writer; enum ekka_status status; /* of the writer; EKKA_STATUS_COUNT: it is no op */ unsigned tensor; };
enum { EKKA_SOURCES = 6 };

struct ekka_suspect {
	unsigned rank;			/* from 1 */
	struct ekka_verdict verdict;
	struct ekka_source source[EKKA_SOURCES];	/* the first few */
	unsigned n_sources, n_more_sources;
	uint64_t infected;		/* later events that computed with what it wrote, directly or through others */
};

/* Events of one function that could not be judged, for one reason. */
struct ekka_unjudged {
	enum ekka_status status;
	uint64_t events, bytes;		/* bytes that they wrote */
	uint64_t gpu_ns;		/* time of the device, as far as it is known */
	uint64_t first;			/* event */
	char reason[EKKA_TEXT];
	uint64_t key;			/* private */
};

/* What is worth a look without being a fault. */
enum { EKKA_NOTE = 256 };
struct ekka_note { uint64_t event; char text[EKKA_NOTE]; };

/* Coverage counts outermost events only: what a call does inside the library is its own detail. */
struct ekka_report {
	uint64_t ops;			/* outermost events that compute something */
	uint64_t judged;		/* PASS + FAIL */
	uint64_t not_sampled;		/* of ops, left alone because the options wanted a sample */
	uint64_t count[EKKA_STATUS_COUNT];
	double coverage;		/* judged / ops; 0 when ops is 0 */
	uint64_t bytes_judged, bytes_total;	/* output bytes */
	uint64_t gpu_ns_judged, gpu_ns_total;	/* time of the device, of those events whose time is known */
	uint64_t timed, untimed;	/* of ops: how many those are; and those of a device of which it is not known */
	uint64_t dropped;		/* events or tensors that capture dropped, all segments */
	uint64_t seen_bytes, known_bytes, stored_bytes;	/* by the recording, all closed segments: model.h */
	uint64_t left_out;		/* calls that the recording's settings did not want, all segments; not among ops */
	uint64_t infected;		/* passed, but were fed by an event that failed */
	bool unclosed;			/* a segment has no trailer: the drop count is a lower limit */
	struct ekka_suspect *suspects;	/* FAIL first in dependency order, then audit findings; owned */
	size_t n_suspects;
	struct ekka_unjudged *unjudged;	/* most events first; owned */
	size_t n_unjudged;
	struct ekka_note *notes;	/* owned */
	size_t n_notes;
	uint64_t more_notes;		/* those that there was no room for */
	uint64_t unjudged_elsewhere;	/* events that are in none of these groups: there were too many */
};

/* 0, or negative when the replay itself could not run; damage within the trace shows as INCOMPLETE. */
int ekka_replay_run(struct ekka_trace *, const struct ekka_replay_options *, struct ekka_report *ret, struct ekka_error *err);
void ekka_report_release(struct ekka_report *);

#endif
